//! Returns after 0..K adaptation steps on fresh tasks.

use crate::batch::Batch;
use crate::diff::{Tape, Workspace};
use crate::estimator::inner;
use crate::learn::options::Inner;
use crate::learn::sample::score;
use crate::math::real::Real;
use crate::policy::Policy;
use crate::rng::{Address, Purpose};
use crate::rollout::collect;
use rayon::prelude::*;
use tasks::env::Env;
use tasks::family::Family;
use tasks::task::Task;

/// How to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationPlan {
    /// Adaptation steps K; returns are measured after 0, 1, ..., K.
    pub steps: usize,
    /// Episodes per adaptation step (shots).
    pub shots: usize,
    /// Episodes that measure the return after each step; they are never adapted on.
    pub episodes: usize,
    /// Fresh tasks.
    pub tasks: usize,
    /// Seed of the evaluation streams.
    pub seed: u64,
}

/// One task's returns.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskReturns {
    /// Mean undiscounted return after 0..=K steps.
    pub returns: Vec<f64>,
    /// The task's named parameters.
    pub parameters: Vec<(String, f64)>,
    /// Environment steps spent on adapting and measuring.
    pub environment_steps: u64,
}

/// Adapts to each fresh task and measures the return before and after every step, on episodes of their own.
pub fn evaluate<F: Real>(
    family: &dyn Family,
    policy: &Policy,
    theta: &[F],
    alpha: &[F],
    inner: &Inner,
    plan: &EvaluationPlan,
) -> Vec<TaskReturns> {
    let one = |i: usize| {
        let task = task(family, plan.seed, i);
        let mut returns = Vec::with_capacity(plan.steps + 1);
        let environment_steps = visit(&task, policy, theta, alpha, inner, plan, i, &mut |_, batch, _| {
            returns.push(score(batch).0);
        });
        TaskReturns { returns, parameters: task.parameters(), environment_steps }
    };
    (0..plan.tasks).into_par_iter().map(one).collect()
}

/// The `i`-th evaluation task of a seed.
pub fn task(family: &dyn Family, seed: u64, i: usize) -> Task {
    family.sample(&mut Address::new(seed, Purpose::Evaluate).task(i).stream())
}

/// Shown the measuring batch and the parameters after each adaptation step.
pub type Visit<'a, F> = dyn FnMut(usize, &Batch<F>, &[F]) + 'a;

/// Adapts to one task and shows `visit(k, batch, theta_k)` the measuring batch after each of 0..=K steps. Returns the
/// environment steps this took.
pub fn visit<F: Real>(
    task: &Task,
    policy: &Policy,
    theta: &[F],
    alpha: &[F],
    inner: &Inner,
    plan: &EvaluationPlan,
    index: usize,
    visit: &mut Visit<'_, F>,
) -> u64 {
    let at = Address::new(plan.seed, Purpose::Evaluate).task(index);
    let mut theta = theta.to_vec();
    let (mut tape, mut ws) = (Tape::default(), Workspace::default());
    let mut spent = 0;
    for k in 0..=plan.steps {
        // even steps of the address measure, odd ones adapt; step 0 of iteration 0 drew the task
        let measured = collect(task, policy, &theta, 0..plan.episodes, at.iteration(1).step(2 * k), &mut tape);
        spent += measured.steps() as u64;
        visit(k, &measured, &theta);
        if k < plan.steps {
            let batch = collect(task, policy, &theta, 0..plan.shots, at.iteration(1).step(2 * k + 1), &mut tape);
            spent += batch.steps() as u64;
            let step = inner::step(policy, theta, batch, std::mem::take(&mut tape), &inner.advantage, &mut ws);
            theta = inner::adapt(&step.theta, alpha, &step.gradient);
            tape = step.tape;
        }
    }
    spent
}
