//! The meta-learner: adapts to a batch of tasks, estimates the meta-gradient, moves the initialisation.

pub use super::options::{Diverged, Inner, Options, Outer, Promp, Row, State, Trpo, Update};
use super::sample::{self, Scratch};
use super::update::{self, Moved};
use crate::budget::Budget;
use crate::estimator::meta::{MetaBatch, TaskGradient, TaskSample, meta_batch, pull_back};
use crate::estimator::outer::OuterSummary;
use crate::estimator::surrogate::{Adaptation, TaskData};
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::math::summary::Estimate;
use crate::optim::{self, Rule, mean_of};
use crate::policy::Policy;
use crate::rng::{Address, Purpose};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};
use tasks::family::Family;

/// Trains an initialisation over a family of tasks. `step` is one outer iteration.
pub struct Learner<F> {
    family: Arc<dyn Family>,
    policy: Policy,
    options: Options,
    seed: u64,
    state: State<F>,
    /// Reusable scratch, one per worker that is running; its content never reaches a result.
    pool: Mutex<Vec<Scratch<F>>>,
}

/// What one task contributes to an iteration.
struct Outcome<F> {
    gradient: TaskGradient<F>,
    record: sample::TaskRecord,
    outer_gradient: Vec<F>,
    /// The samples, where the update needs them again.
    data: Option<TaskData<F>>,
}

impl<F: Real> Learner<F> {
    /// A learner at iteration 0 with parameters drawn from the stream of `seed`.
    pub fn new(family: Arc<dyn Family>, policy: Policy, mut options: Options, seed: u64) -> Learner<F> {
        options.inner.advantage = options.outer.estimator.inner_advantage(&options.inner.advantage);
        let theta: Vec<F> = policy.init(&mut Address::new(seed, Purpose::Init).stream());
        let alpha = vec![F::of(options.inner.alpha); theta.len()];
        let learned = if options.inner.learn_alpha { 2 * theta.len() } else { theta.len() };
        let optimiser = options.outer.optimiser.start(learned);
        let state = State { iteration: 0, theta, alpha, optimiser, budget: Budget::default() };
        Learner { family, policy, options, seed, state, pool: Mutex::new(Vec::new()) }
    }

    /// The state to checkpoint.
    pub fn state(&self) -> &State<F> {
        &self.state
    }

    /// Continues from a checkpointed state; every later row is as if the run had never stopped.
    pub fn restore(&mut self, state: State<F>) {
        self.state = state;
    }

    /// The policy being trained.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The options it was built with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// One outer iteration: sample tasks, adapt, estimate, ascend.
    ///
    /// # Errors
    /// [`Diverged`] if a return, a gradient or a parameter stopped being finite; the state is then the one before the step.
    pub fn step(&mut self) -> Result<Row, Diverged> {
        let mut outcomes = self.outcomes();
        let iteration = self.state.iteration + 1;
        let diverged = |what: &str| Diverged { iteration, what: what.to_string() };
        if outcomes.iter().any(|o| o.record.returns.iter().any(|r| !r.is_finite())) {
            return Err(diverged("a return"));
        }
        let (gradient, noise) = self.mean_gradient(&outcomes);
        let outer_gradient = mean_of(outcomes.iter().map(|o| o.outer_gradient.as_slice()));
        let gradient_norm = optim::norm(&gradient);
        if !gradient_norm.is_finite() {
            return Err(diverged("the meta-gradient"));
        }
        let mut next = self.state.clone();
        let moved = self.update(&mut next, gradient, &mut outcomes);
        let change: Vec<F> = next.theta.iter().zip(&self.state.theta).map(|(&a, &b)| a - b).collect();
        let update_norm = optim::norm(&change);
        if !update_norm.is_finite() {
            return Err(diverged("the parameters"));
        }
        next.iteration = iteration;
        outcomes.iter().for_each(|o| next.budget += o.record.budget);
        next.budget += moved.budget;
        self.state = next;
        Ok(self.row(&outcomes, &moved, [gradient_norm, noise, optim::norm(&outer_gradient), update_norm]))
    }

    /// Samples every task and estimates its gradient, tasks in parallel; the order of the result is the order of the tasks.
    fn outcomes(&self) -> Vec<Outcome<F>> {
        let tasks = self.options.outer.tasks;
        let at = Address::new(self.seed, Purpose::Task).iteration(self.state.iteration);
        let context = self.context();
        if self.options.outer.estimator.needs_meta_batch() {
            let draw = |i: usize| {
                let task = self.family.sample(&mut at.task(i).stream());
                let mut scratch = Scratch::default();
                (context.task(&task, at.task(i), &mut scratch), scratch)
            };
            let sampled: Vec<_> = (0..tasks).into_par_iter().map(draw).collect();
            let meta = meta_batch(&sampled.iter().map(|((_, summary, _), _)| summary).collect::<Vec<_>>());
            let finish = |(((sample, summary, record), mut scratch), meta)| {
                self.finish(sample, summary, record, &meta, &mut scratch)
            };
            return sampled.into_par_iter().zip(meta).map(finish).collect();
        }
        let one = |i: usize| {
            let mut scratch = self.pool.lock().expect("no panic while held").pop().unwrap_or_default();
            let task = self.family.sample(&mut at.task(i).stream());
            let (sample, summary, record) = context.task(&task, at.task(i), &mut scratch);
            let alone = meta_batch(&[&summary])[0];
            let outcome = self.finish(sample, summary, record, &alone, &mut scratch);
            self.pool.lock().expect("no panic while held").push(scratch);
            outcome
        };
        (0..tasks).into_par_iter().map(one).collect()
    }

    fn context(&self) -> sample::Context<'_, F> {
        let Options { gamma, inner, outer } = &self.options;
        sample::Context {
            policy: &self.policy,
            theta: &self.state.theta,
            alpha: &self.state.alpha,
            gamma: *gamma,
            inner,
            outer,
        }
    }

    fn finish(
        &self,
        sample: TaskSample<F>,
        summary: OuterSummary<F>,
        mut record: sample::TaskRecord,
        meta: &MetaBatch,
        scratch: &mut Scratch<F>,
    ) -> Outcome<F> {
        let Options { gamma, inner, outer } = &self.options;
        let alpha = &self.state.alpha;
        let mut gradient = pull_back(
            &self.policy,
            &outer.estimator,
            &inner.advantage,
            *gamma,
            alpha,
            &sample,
            &summary,
            meta,
            &mut scratch.workspace,
        );
        record.budget.hvps += match outer.estimator.jacobian {
            crate::estimator::choice::Jacobian::None => 0,
            _ => inner.steps as u64,
        };
        let data = if outer.update == Update::Gradient {
            scratch.reclaim(sample);
            None
        } else {
            let coefficients = std::mem::take(&mut gradient.coefficients);
            Some(TaskData { sample, weights: summary.weights, coefficients })
        };
        Outcome { gradient, record, outer_gradient: summary.gradient, data }
    }

    /// Mean over tasks of the gradient with respect to theta (and alpha, when learned), and the noise of its theta part.
    fn mean_gradient(&self, outcomes: &[Outcome<F>]) -> (Vec<F>, f64) {
        let mut gradient = mean_of(outcomes.iter().map(|o| o.gradient.theta.as_slice()));
        let b = outcomes.len() as f64;
        let deviation = |o: &Outcome<F>| -> f64 {
            o.gradient.theta.iter().zip(&gradient).map(|(&g, &m)| (g.f64() - m.f64()).powi(2)).sum()
        };
        let spread: f64 = outcomes.iter().map(deviation).sum();
        let noise = if outcomes.len() > 1 { (spread / (b * (b - 1.0))).sqrt() } else { f64::NAN };
        if self.options.inner.learn_alpha {
            gradient.extend(mean_of(outcomes.iter().map(|o| o.gradient.alpha.as_slice())));
        }
        (gradient, noise)
    }

    /// Moves theta (and alpha) of `next` as the options say.
    fn update(&self, next: &mut State<F>, mut gradient: Vec<F>, outcomes: &mut [Outcome<F>]) -> Moved {
        let Outer { update, estimator, optimiser, clip, .. } = &self.options.outer;
        let (policy, surrogate) = (&self.policy, estimator.jacobian.surrogate());
        let map = Adaptation { policy, surrogate, alpha: &self.state.alpha };
        let data: Vec<TaskData<F>> = outcomes.iter_mut().filter_map(|o| o.data.take()).collect();
        match update {
            Update::Gradient => {
                self.ascend(next, &mut gradient);
                Moved::default()
            }
            Update::Trpo(options) => update::trpo(&map, options, &gradient, &data, &mut next.theta),
            Update::Promp(options) => {
                let rule = Rule { optimiser: *optimiser, clip: *clip };
                let ascent = update::Ascent { rule, state: &mut next.optimiser };
                update::promp(&map, options, gradient, &data, ascent, &mut next.theta)
            }
        }
    }

    /// One step of the update rule on theta (and alpha, when learned).
    fn ascend(&self, next: &mut State<F>, gradient: &mut [F]) {
        let n = next.theta.len();
        let mut parameters = next.theta.clone();
        if self.options.inner.learn_alpha {
            parameters.extend_from_slice(&next.alpha);
        }
        let Outer { optimiser, clip, .. } = self.options.outer;
        Rule { optimiser, clip }.apply(&mut next.optimiser, gradient, &mut parameters);
        if self.options.inner.learn_alpha {
            next.alpha = parameters.split_off(n);
        }
        next.theta = parameters;
    }

    fn row(
        &self,
        outcomes: &[Outcome<F>],
        moved: &Moved,
        [gradient_norm, noise, outer_norm, update_norm]: [f64; 4],
    ) -> Row {
        let column =
            |f: &dyn Fn(&sample::TaskRecord) -> f64| -> Vec<f64> { outcomes.iter().map(|o| f(&o.record)).collect() };
        let zeta = self.options.inner.steps;
        let squares: Vec<f64> = outcomes.iter().map(|o| o.gradient.sampling_coefficient.powi(2)).collect();
        let ess: Vec<f64> = outcomes.iter().filter_map(|o| o.gradient.effective_sample_size).collect();
        Row {
            iteration: self.state.iteration,
            returns: (0..=zeta).map(|t| Estimate::of(&column(&|r| r.returns[t]))).collect(),
            value: Estimate::of(&column(&|r| r.value)),
            gain: Estimate::of(&column(&|r| r.returns[zeta] - r.returns[0])),
            episode_length: [0, zeta].map(|t| mean(&column(&|r| r.lengths[t]))).to_vec(),
            gradient_norm,
            gradient_noise: noise.is_finite().then_some(noise),
            outer_gradient_norm: outer_norm,
            sampling_coefficient: mean(&squares).sqrt(),
            inner_gradient_norm: mean(&column(&|r| r.inner_gradient_norm)),
            update_norm,
            entropy: mean(&column(&|r| r.entropy)),
            effective_sample_size: (!ess.is_empty()).then(|| mean(&ess)),
            kl: moved.kl,
            backtracks: moved.backtracks,
            clip_fraction: moved.clip_fraction,
            inner_kl: moved.inner_kl,
            budget: self.state.budget,
        }
    }
}
