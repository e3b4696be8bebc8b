//! What a plan will spend: environment steps, parameters and memory, estimated before anything runs.

use super::plan::{Plan, Precision};
use crate::estimator::choice::{LeaveGroupOutForm, Sampling};
use crate::learn::meta::Update;
use crate::policy::Kind;
use tasks::env::Space;
use tasks::family::Family;

/// Most memory a plan may be estimated to need, bytes.
pub const MAX_MEMORY: u64 = 16 << 30;

/// Estimated spending of a plan. Episodes are counted at full length, so steps are upper bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Episodes per outer iteration.
    pub episodes_per_iteration: u64,
    /// Environment steps per outer iteration.
    pub steps_per_iteration: u64,
    /// Environment steps of the whole run.
    pub steps_total: u64,
    /// Policy parameters.
    pub parameters: u64,
    /// Peak memory, bytes.
    pub memory: u64,
}

/// Numbers a policy reads for one observation: a discrete observation is one-hot.
fn inputs(space: &Space) -> u64 {
    match space {
        Space::Discrete(n) => *n as u64,
        Space::Box { low, .. } => low.len() as u64,
    }
}

/// Policy parameters: `S A` for a table, weights, biases and log standard deviations for a perceptron.
pub fn parameters(spec: &crate::policy::Spec, observation: &Space, action: &Space) -> u64 {
    let (input, output) = (inputs(observation), inputs(action));
    if spec.kind == Kind::Tabular {
        return input.saturating_mul(output);
    }
    let mut total = if matches!(action, Space::Discrete(_)) { 0 } else { output };
    let mut below = input;
    for width in spec.hidden.iter().map(|&w| w as u64).chain([output]) {
        total = width.saturating_mul(below.saturating_add(1)).saturating_add(total);
        below = width;
    }
    total
}

/// Estimates what `plan` spends on tasks of `family`.
///
/// Memory: the batches of the whole meta-batch (observation, action and ten numbers per step), four copies of the activations of
/// one batch per core (for TRPO and ProMP also one of every batch: they look at the samples again), and per task one parameter vector for each inner step, group and gradient.
pub fn cost(plan: &Plan, family: &dyn Family) -> Cost {
    let (inner, outer) = (&plan.options.inner, &plan.options.outer);
    let (observation, action) = (family.observation_space(), family.action_space());
    let (tasks, horizon) = (outer.tasks as u64, family.horizon() as u64);
    let (groups, resimulated) = match outer.estimator.sampling {
        Sampling::LeaveGroupOut { groups, form } => (groups as u64, form == LeaveGroupOutForm::Resimulated),
        _ => (0, false),
    };
    let outer_batches = if resimulated { 2 } else { 1 };
    let per_task = (inner.steps as u64)
        .saturating_mul(inner.episodes as u64)
        .saturating_add(outer.episodes as u64 * outer_batches);
    let episodes = tasks.saturating_mul(per_task);
    let steps = episodes.saturating_mul(horizon);
    let parameters = parameters(&plan.policy, &observation, &action);

    let real = if plan.precision == Precision::F32 { 4u64 } else { 8 };
    let step_bytes = (observation.width() as u64 + action.width() as u64 + 10) * real;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64).min(tasks);
    let batch = (inner.episodes.max(outer.episodes) as u64).saturating_mul(horizon);
    let units = plan.policy.hidden.iter().fold(inputs(&action), |sum, &w| sum.saturating_add(w as u64));
    let kept = if outer.update == Update::Gradient { 0 } else { steps.saturating_mul(units).saturating_mul(real) };
    let activations = batch.saturating_mul(units).saturating_mul(4 * real).saturating_mul(cores).saturating_add(kept);
    let vectors = tasks.saturating_mul(inner.steps as u64 + groups + 3).saturating_add(8).saturating_mul(parameters);
    let memory = steps
        .saturating_mul(step_bytes)
        .saturating_add(activations)
        .saturating_add(vectors.saturating_mul(real))
        .saturating_add(16 << 20);
    Cost {
        episodes_per_iteration: episodes,
        steps_per_iteration: steps,
        steps_total: steps.saturating_mul(plan.iterations),
        parameters,
        memory,
    }
}
