//! The meta-learner: adapts to a batch of tasks, estimates the meta-gradient, moves the initialisation.

pub use super::options::{Diverged, Inner, Options, Outer, Row, State};
use super::sample::{self, Scratch};
use crate::budget::Budget;
use crate::estimator::meta::{MetaBatch, TaskGradient, TaskSample, meta_batch, pull_back};
use crate::estimator::outer::OuterSummary;
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::math::summary::Estimate;
use crate::optim;
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
}

impl<F: Real> Learner<F> {
    /// A learner at iteration 0 with parameters drawn from the stream of `seed`.
    pub fn new(family: Arc<dyn Family>, policy: Policy, options: Options, seed: u64) -> Learner<F> {
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
        let outcomes = self.outcomes();
        let iteration = self.state.iteration + 1;
        let diverged = |what: &str| Diverged { iteration, what: what.to_string() };
        if outcomes.iter().any(|o| o.record.returns.iter().any(|r| !r.is_finite())) {
            return Err(diverged("a return"));
        }
        let (mut gradient, noise) = self.mean_gradient(&outcomes);
        let outer_gradient = mean_of(outcomes.iter().map(|o| o.outer_gradient.as_slice()));
        let gradient_norm = optim::norm(&gradient);
        if !gradient_norm.is_finite() {
            return Err(diverged("the meta-gradient"));
        }
        if let Some(limit) = self.options.outer.clip {
            optim::clip(&mut gradient, limit);
        }
        let mut next = self.state.clone();
        let update_norm = self.ascend(&mut next, &gradient);
        if !update_norm.is_finite() {
            return Err(diverged("the parameters"));
        }
        next.iteration = iteration;
        outcomes.iter().for_each(|o| next.budget += o.record.budget);
        self.state = next;
        Ok(self.row(&outcomes, [gradient_norm, noise, optim::norm(&outer_gradient), update_norm]))
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
                self.finish(&sample, summary, record, &meta, &mut scratch)
            };
            return sampled.into_par_iter().zip(meta).map(finish).collect();
        }
        let one = |i: usize| {
            let mut scratch = self.pool.lock().expect("no panic while held").pop().unwrap_or_default();
            let task = self.family.sample(&mut at.task(i).stream());
            let (sample, summary, record) = context.task(&task, at.task(i), &mut scratch);
            let alone = meta_batch(&[&summary])[0];
            let outcome = self.finish(&sample, summary, record, &alone, &mut scratch);
            scratch.reclaim(sample);
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
        sample: &TaskSample<F>,
        summary: OuterSummary<F>,
        mut record: sample::TaskRecord,
        meta: &MetaBatch,
        scratch: &mut Scratch<F>,
    ) -> Outcome<F> {
        let Options { gamma, inner, outer } = &self.options;
        let alpha = &self.state.alpha;
        let gradient = pull_back(
            &self.policy,
            &outer.estimator,
            &inner.advantage,
            *gamma,
            alpha,
            sample,
            &summary,
            meta,
            &mut scratch.workspace,
        );
        record.budget.hvps += match outer.estimator.jacobian {
            crate::estimator::choice::Jacobian::None => 0,
            _ => inner.steps as u64,
        };
        Outcome { gradient, record, outer_gradient: summary.gradient }
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

    /// Moves theta (and alpha) of `next` and returns the norm of theta's change.
    fn ascend(&self, next: &mut State<F>, gradient: &[F]) -> f64 {
        let n = next.theta.len();
        let mut parameters = next.theta.clone();
        if self.options.inner.learn_alpha {
            parameters.extend_from_slice(&next.alpha);
        }
        self.options.outer.optimiser.ascend(&mut next.optimiser, gradient, &mut parameters);
        if self.options.inner.learn_alpha {
            next.alpha = parameters.split_off(n);
        }
        let change: Vec<F> = parameters.iter().zip(&next.theta).map(|(&a, &b)| a - b).collect();
        next.theta = parameters;
        optim::norm(&change)
    }

    fn row(&self, outcomes: &[Outcome<F>], [gradient_norm, noise, outer_norm, update_norm]: [f64; 4]) -> Row {
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
            budget: self.state.budget,
        }
    }
}

/// Elementwise mean, accumulated in order and in f64.
fn mean_of<'a, F: Real>(vectors: impl ExactSizeIterator<Item = &'a [F]>) -> Vec<F> {
    let count = vectors.len() as f64;
    let mut total: Vec<f64> = Vec::new();
    for vector in vectors {
        total.resize(vector.len(), 0.0);
        total.iter_mut().zip(vector).for_each(|(t, &x)| *t += x.f64());
    }
    total.iter().map(|&t| F::of(t / count)).collect()
}
