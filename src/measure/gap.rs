//! The stationarity gap |grad V_zeta(theta)| at one theta: enumerated, Rao-Blackwellised, or from sampled gradients alone.

use crate::estimator::choice::{Estimator, Jacobian, LeaveGroupOutForm};
use crate::estimator::inner::{self, InnerStep};
use crate::estimator::kstep::through_steps;
use crate::estimator::meta::{add_step, meta_batch, pull_back};
use crate::exact::model::Model;
use crate::exact::objective::{Problem, shown_count};
use crate::learn::options::{Inner, Outer, Update};
use crate::learn::sample::{Context, Scratch};
use crate::math::advantage::{AdvantageKind, Average, Baseline, OuterAdvantage, OuterBaseline};
use crate::math::gap::{Gap, Method};
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::optim::Optimiser;
use crate::policy::Policy;
use crate::rng::{Address, Purpose};
use rayon::prelude::*;
use tasks::env::{Env, Space};
use tasks::family::Family;
use tasks::tabular::Tabular;

/// Task indices count down from here: no meta-batch reaches them, so measuring shares no stream with training.
const LAST_TASK: usize = u32::MAX as usize - 1;

/// Most work (inner batches of all tasks times parameters) that `auto` enumerates at each measurement.
///
/// The work grows as `sum_tasks C(m + n - 1, n)^zeta S A`: multisets of n out of m trajectories, m up to `S (A S)^(T-1) A`. With
/// S 5, A 3, T 5, n 2 and dense transitions that is 1e12 and more per task, so such families are measured by Rao-Blackwell samples.
pub const LIMIT: u64 = 200_000;

/// How many times more than the limit is enumerated for a user who asks for `enumerated` by name.
const PATIENCE: u64 = 1000;

/// How the gap is to be measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GapPlan {
    /// The method, or the best feasible one.
    pub method: Option<Method>,
    /// Independent groups of tasks, at least 4.
    pub groups: usize,
    /// Tasks per group.
    pub tasks: usize,
    /// Outer episodes per task (U-statistic).
    pub episodes: usize,
    /// Most inner batches times parameters to enumerate.
    pub limit: u64,
}

impl Default for GapPlan {
    /// 40 groups of 10 tasks, 20 outer episodes: the smallest of the sizes tried whose 95 % intervals held the true gap 93 to
    /// 97 % of the time at zero, small and medium gaps (`benches/results/gap-coverage`); groups of one task are too skewed.
    fn default() -> Self {
        GapPlan { method: None, groups: 40, tasks: 10, episodes: 20, limit: LIMIT }
    }
}

/// A gap, and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The gap.
    pub gap: Gap,
    /// V_zeta(theta): exact if enumerated, else an unbiased estimate on the same samples.
    pub value: f64,
    /// Environment steps spent.
    pub environment_steps: u64,
}

/// Measures the gap of one objective: V_zeta of `inner`'s own adaptation on `family`, discounted by `gamma`.
///
/// The gradient is with respect to theta; a learned per-parameter step size is held fixed.
pub struct Gauge<'a> {
    family: &'a dyn Family,
    policy: &'a Policy,
    gamma: f64,
    inner: &'a Inner,
    plan: GapPlan,
    seed: u64,
    method: Method,
    problem: Option<Problem>,
    /// Why a better method was not taken, in words.
    pub remark: Option<String>,
}

/// Whether the inner step is the theory's: raw reward-to-go with the objective's discount, mean over trajectories.
pub fn is_theory(inner: &Inner, gamma: f64) -> bool {
    let a = &inner.advantage;
    let kind = a.kind == AdvantageKind::Return && a.baseline == Baseline::None && a.gamma == gamma;
    kind && !a.normalise && a.average == Average::Trajectories
}

/// The finite problem behind the objective, or why there is none.
///
/// # Errors
/// The policy is no softmax table, the inner step is not the theory's, or the tasks are not finitely many without reward noise; in
/// words.
pub fn enumerable(family: &dyn Family, policy: &Policy, gamma: f64, inner: &Inner) -> Result<Problem, String> {
    if !matches!(policy, Policy::Tabular(_)) {
        return Err("the policy is not a softmax table".into());
    }
    if !is_theory(inner, gamma) || inner.learn_alpha {
        return Err("the inner step is not the theory's (raw returns, mean over trajectories, one fixed alpha)".into());
    }
    let Some(tasks) = family.finite() else { return Err("the family is not a finite list of MDPs".into()) };
    if tasks.iter().any(|(_, mdp)| mdp.reward_noise != 0.0) {
        return Err("rewards are noisy".into());
    }
    Ok(Problem::new(tasks, gamma, inner.alpha, inner.steps, inner.episodes))
}

/// Whether every task that is drawn is a finite MDP with a softmax table, so that J and grad J are exact.
fn has_models(family: &dyn Family, policy: &Policy) -> bool {
    let discrete = matches!(family.observation_space(), Space::Discrete(_));
    let first = family.sample(&mut Address::new(0, Purpose::Measure).stream());
    discrete && matches!(policy, Policy::Tabular(_)) && first.tabular().is_some()
}

impl<'a> Gauge<'a> {
    /// Chooses the method: enumeration where it is feasible, else Rao-Blackwell where tasks are finite MDPs, else samples.
    ///
    /// # Errors
    /// The method asked for is not possible here, or there are fewer than four groups, in words.
    pub fn new(
        family: &'a dyn Family,
        policy: &'a Policy,
        gamma: f64,
        inner: &'a Inner,
        plan: GapPlan,
        seed: u64,
    ) -> Result<Gauge<'a>, String> {
        if plan.groups < 4 || plan.tasks == 0 || plan.episodes == 0 {
            return Err("at least 4 groups of at least 1 task and 1 outer episode are needed".into());
        }
        let problem = enumerable(family, policy, gamma, inner).and_then(|problem| {
            let work = problem.inner_batches().saturating_mul(problem.dim() as u64);
            let count = shown_count(work);
            // who asks for enumeration by name may wait for it
            let patience = if plan.method == Some(Method::Enumerated) { PATIENCE } else { 1 };
            let limit = plan.limit.saturating_mul(patience);
            let text = format!("{count} inner batches times parameters are above the limit of {limit}");
            if work <= limit { Ok(problem) } else { Err(text) }
        });
        let models = has_models(family, policy);
        let (method, remark) = match (plan.method, &problem) {
            (Some(Method::Enumerated), Err(why)) => return Err(format!("the gap cannot be enumerated: {why}")),
            (Some(Method::RaoBlackwell), _) if !models => {
                return Err("the Rao-Blackwell gap needs tasks that are finite MDPs and a softmax table".into());
            }
            (Some(method), _) => (method, None),
            (None, Ok(_)) => (Method::Enumerated, None),
            (None, Err(why)) => {
                let method = if models { Method::RaoBlackwell } else { Method::UStatistic };
                (method, Some(format!("the gap is measured by {} samples: {why}", method.name())))
            }
        };
        let problem = if method == Method::Enumerated { problem.ok() } else { None };
        Ok(Gauge { family, policy, gamma, inner, plan, seed, method, problem, remark })
    }

    /// The method in use.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Measures at `theta` with step sizes `alpha`; `iteration` addresses the streams, so that measurements are independent.
    pub fn measure<F: Real>(&self, theta: &[F], alpha: &[F], iteration: u64) -> Measured {
        if let Some(problem) = &self.problem {
            let theta: Vec<f64> = theta.iter().map(|x| x.f64()).collect();
            let exact = problem.v_zeta_gradient(&theta);
            return Measured { gap: Gap::exact(&exact.gradient), value: exact.value, environment_steps: 0 };
        }
        let samples = self.samples(theta, alpha, iteration);
        let gradients: Vec<Vec<f64>> = samples.chunks_exact(self.plan.tasks).map(mean_gradient).collect();
        let values: Vec<f64> = samples.iter().map(|s| s.value).collect();
        Measured {
            gap: Gap::of_groups(self.method, &gradients),
            value: mean(&values),
            environment_steps: samples.iter().map(|s| s.environment_steps).sum(),
        }
    }

    /// grad V_zeta(theta): exact if enumerated, else the mean of all samples. The same `iteration` uses the same random numbers.
    pub fn gradient<F: Real>(&self, theta: &[F], alpha: &[F], iteration: u64) -> Vec<f64> {
        match &self.problem {
            Some(problem) => problem.v_zeta_gradient(&theta.iter().map(|x| x.f64()).collect::<Vec<f64>>()).gradient,
            None => mean_gradient(&self.samples(theta, alpha, iteration)),
        }
    }

    /// Independent unbiased one-task estimates of grad V, `groups * tasks` of them, in a fixed order.
    fn samples<F: Real>(&self, theta: &[F], alpha: &[F], iteration: u64) -> Vec<Sample> {
        let outer = self.outer();
        let context =
            Context { policy: self.policy, theta, alpha, gamma: self.gamma, inner: self.inner, outer: &outer };
        let one = |j: usize| {
            let at = Address::new(self.seed, Purpose::Measure).iteration(iteration).task(LAST_TASK - j);
            let task = self.family.sample(&mut at.stream());
            match (self.method, task.tabular()) {
                (Method::RaoBlackwell, Some(mdp)) => rao_blackwell(&context, &task, mdp, at),
                _ => sampled(&context, &task, at),
            }
        };
        (0..self.plan.groups * self.plan.tasks).into_par_iter().map(one).collect()
    }

    /// The unbiased estimator of least variance: leave-group-out for one inner step, leave-one-out for several.
    fn outer(&self) -> Outer {
        let groups = self.inner.episodes.min(self.plan.episodes).min(10);
        let name = if self.inner.steps == 1 { "sgmrl-lgo" } else { "sgmrl-loo" };
        let estimator = Estimator::named(name, groups, LeaveGroupOutForm::Resimulated).expect("a name of ours");
        let baseline =
            if self.plan.episodes > 1 { OuterBaseline::CrossFit { ridge: 1e-5 } } else { OuterBaseline::None };
        Outer {
            tasks: 1,
            episodes: self.plan.episodes,
            estimator,
            advantage: OuterAdvantage::Raw(baseline),
            update: Update::Gradient,
            optimiser: Optimiser::Sgd { beta: 0.0 },
            clip: None,
        }
    }
}

/// One unbiased estimate of grad V from one task.
struct Sample {
    gradient: Vec<f64>,
    value: f64,
    environment_steps: u64,
}

fn mean_gradient(samples: &[Sample]) -> Vec<f64> {
    let mut sum = vec![0.0; samples[0].gradient.len()];
    for sample in samples {
        sum.iter_mut().zip(&sample.gradient).for_each(|(s, g)| *s += g);
    }
    sum.iter().map(|s| s / samples.len() as f64).collect()
}

/// Inner and outer batches sampled.
fn sampled<F: Real>(context: &Context<'_, F>, task: &tasks::task::Task, at: Address) -> Sample {
    let mut scratch = Scratch::default();
    let (sample, summary, record) = context.task(task, at, &mut scratch);
    let alone = meta_batch(&[&summary])[0];
    let gradient = pull_back(
        context.policy,
        &context.outer.estimator,
        &context.inner.advantage,
        context.gamma,
        context.alpha,
        &sample,
        &summary,
        &alone,
        &mut scratch.workspace,
    );
    Sample {
        gradient: gradient.theta.iter().map(|g| g.f64()).collect(),
        value: record.value,
        environment_steps: record.budget.environment_steps,
    }
}

/// Inner batches sampled; J and grad J after adaptation exact: `A_zeta grad J(theta_zeta) + sum_t A_t sum_j c_tj score_tj`.
///
/// The coefficients are `J(theta_1) - J(theta_1 without tau_j)` for one inner step (spec 1.8) and `J(theta_zeta) - J(theta_t)`
/// for several: what is subtracted does not depend on the episode (the batch) whose score it multiplies.
fn rao_blackwell<F: Real>(context: &Context<'_, F>, task: &tasks::task::Task, mdp: &Tabular, at: Address) -> Sample {
    let (mut scratch, mut budget) = (Scratch::default(), crate::budget::Budget::default());
    let (steps, phi) = context.adapt(task, at, &mut scratch, &mut budget);
    let model = Model { mdp, gamma: context.gamma };
    let double = |theta: &[F]| -> Vec<f64> { theta.iter().map(|x| x.f64()).collect() };
    let j = |theta: &[F]| model.value(&double(theta));
    let value = j(&phi);
    let mut v: Vec<F> = model.gradient(&double(&phi)).into_iter().map(F::of).collect();
    through_steps(context.alpha, steps.len(), &mut v, |t, direction, v| {
        let step = &steps[t];
        let n = step.batch.episodes();
        let coefficients = if steps.len() == 1 {
            leave_out(context, step, value, &j, &mut scratch)
        } else {
            vec![value - j(&step.theta); n]
        };
        let ws = &mut scratch.workspace;
        let advantage = &context.inner.advantage;
        add_step(context.policy, Jacobian::LogProb, advantage, step, &coefficients, direction, v, ws);
    });
    Sample { gradient: double(&v), value, environment_steps: budget.environment_steps }
}

/// `J(theta_1) - J(theta_1 without tau_j)` for every inner episode j.
fn leave_out<F: Real>(
    context: &Context<'_, F>,
    step: &InnerStep<F>,
    value: f64,
    j: &dyn Fn(&[F]) -> f64,
    scratch: &mut Scratch<F>,
) -> Vec<f64> {
    let n = step.batch.episodes();
    let advantage = &context.inner.advantage;
    let without =
        inner::adapt_without_groups(context.policy, step, context.alpha, advantage, n, &mut scratch.workspace);
    without.iter().map(|phi| value - j(phi)).collect()
}
