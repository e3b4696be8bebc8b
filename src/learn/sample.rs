//! Samples one task: inner rollouts and steps, outer rollout, groups left out; and records what happened.

use super::options::{Inner, Outer};
use crate::batch::Batch;
use crate::budget::Budget;
use crate::diff::{Tape, Workspace};
use crate::estimator::choice::{LeaveGroupOutForm, Sampling};
use crate::estimator::inner::{self, InnerStep, group};
use crate::estimator::meta::{Omitted, TaskSample};
use crate::estimator::outer::{self, OuterSummary};
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::optim::norm;
use crate::policy::Policy;
use crate::rng::{Address, Purpose};
use crate::rollout::collect;
use tasks::env::Env;

/// Reusable buffers of one worker.
pub struct Scratch<F> {
    /// Scratch of the differentiation layer.
    pub workspace: Workspace<F>,
    tapes: Vec<Tape<F>>,
}

impl<F: Real> Default for Scratch<F> {
    fn default() -> Self {
        Scratch { workspace: Workspace::default(), tapes: Vec::new() }
    }
}

impl<F: Real> Scratch<F> {
    /// An empty tape, reusing memory.
    pub fn tape(&mut self) -> Tape<F> {
        self.tapes.pop().unwrap_or_default()
    }

    /// Takes the tapes of a finished sample back.
    pub fn reclaim(&mut self, sample: TaskSample<F>) {
        self.tapes.extend(sample.inner.into_iter().map(|step| step.tape));
        self.tapes.push(sample.outer_tape);
    }

    fn give_back(&mut self, tape: Tape<F>) {
        self.tapes.push(tape);
    }
}

/// What one task contributes to the row.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// Mean undiscounted return before adaptation and after each inner step.
    pub returns: Vec<f64>,
    /// Mean episode length before adaptation and after each inner step.
    pub lengths: Vec<f64>,
    /// Mean discounted return after adaptation.
    pub value: f64,
    /// Norm of the first inner gradient.
    pub inner_gradient_norm: f64,
    /// Mean policy entropy on the first inner batch, nats.
    pub entropy: f64,
    /// Spent on this task.
    pub budget: Budget,
}

/// What sampling a task needs to know.
#[derive(Clone, Copy)]
pub struct Context<'a, F> {
    /// Policy.
    pub policy: &'a Policy,
    /// Initialisation.
    pub theta: &'a [F],
    /// Inner step size per parameter.
    pub alpha: &'a [F],
    /// Discount.
    pub gamma: f64,
    /// Inner loop.
    pub inner: &'a Inner,
    /// Outer loop.
    pub outer: &'a Outer,
}

/// Mean undiscounted return and mean length of the episodes of a batch.
pub fn score<F: Real>(batch: &Batch<F>) -> (f64, f64) {
    let n = batch.episodes() as f64;
    (batch.rewards.iter().sum::<f64>() / n, batch.steps() as f64 / n)
}

fn count<F: Real>(batch: &Batch<F>, budget: &mut Budget) {
    budget.environment_steps += batch.steps() as u64;
    budget.episodes += batch.episodes() as u64;
}

impl<F: Real> Context<'_, F> {
    /// Draws everything for one task at `at` (seed, iteration and task index are taken from it) and summarises the outer batch.
    pub fn task<E: Env>(
        &self,
        task: &E,
        at: Address,
        scratch: &mut Scratch<F>,
    ) -> (TaskSample<F>, OuterSummary<F>, TaskRecord) {
        let mut budget = Budget::default();
        let (steps, phi) = self.adapt(task, at, scratch, &mut budget);
        let outer_at = Address { purpose: Purpose::Outer, ..at };
        let mut outer_tape = scratch.tape();
        let outer_batch = collect(task, self.policy, &phi, 0..self.outer.episodes, outer_at, &mut outer_tape);
        count(&outer_batch, &mut budget);
        let omitted = self.omit(task, &steps[0], outer_at, scratch, &mut budget);
        let last = steps.last().expect("at least one inner step");
        let summary = outer::summarise(
            self.policy,
            self.outer.estimator.outer,
            &self.outer.advantage,
            &self.inner.advantage,
            self.gamma,
            last,
            &phi,
            &outer_batch,
            &outer_tape,
            &mut scratch.workspace,
        );
        budget.gradients += 1;
        let mut entropy = Vec::new();
        self.policy.entropy(self.theta, &steps[0].tape, &mut entropy);
        let entropy: Vec<f64> = entropy.iter().map(|&h| Real::f64(h)).collect();
        let scores: Vec<(f64, f64)> = steps.iter().map(|s| &s.batch).chain([&outer_batch]).map(score).collect();
        let record = TaskRecord {
            returns: scores.iter().map(|s| s.0).collect(),
            lengths: scores.iter().map(|s| s.1).collect(),
            value: summary.returns.mean(),
            inner_gradient_norm: norm(&steps[0].gradient),
            entropy: mean(&entropy),
            budget,
        };
        (TaskSample { inner: steps, phi, outer: outer_batch, outer_tape, omitted }, summary, record)
    }

    /// Inner steps with fresh data each, from the current adapted policy; returns them and the adapted parameters.
    pub fn adapt<E: Env>(
        &self,
        task: &E,
        at: Address,
        scratch: &mut Scratch<F>,
        budget: &mut Budget,
    ) -> (Vec<InnerStep<F>>, Vec<F>) {
        let mut theta = self.theta.to_vec();
        let mut steps = Vec::with_capacity(self.inner.steps);
        for t in 0..self.inner.steps {
            let inner_at = Address { purpose: Purpose::Inner, ..at }.step(t);
            let mut tape = scratch.tape();
            let batch = collect(task, self.policy, &theta, 0..self.inner.episodes, inner_at, &mut tape);
            count(&batch, budget);
            let step = inner::step(self.policy, theta, batch, tape, &self.inner.advantage, &mut scratch.workspace);
            budget.gradients += 1;
            theta = inner::adapt(&step.theta, self.alpha, &step.gradient);
            steps.push(step);
        }
        (steps, theta)
    }

    /// Adapted parameters without each group and, in the re-simulated form, each group's share of the outer episodes again.
    fn omit<E: Env>(
        &self,
        task: &E,
        step: &InnerStep<F>,
        outer_at: Address,
        scratch: &mut Scratch<F>,
        budget: &mut Budget,
    ) -> Vec<Omitted<F>> {
        let Sampling::LeaveGroupOut { groups, form } = self.outer.estimator.sampling else { return Vec::new() };
        let adapted = inner::adapt_without_groups(
            self.policy,
            step,
            self.alpha,
            &self.inner.advantage,
            groups,
            &mut scratch.workspace,
        );
        budget.gradients += groups as u64;
        let mut tape = scratch.tape();
        let omitted = adapted
            .into_iter()
            .enumerate()
            .map(|(g, phi)| {
                let resimulated = (form == LeaveGroupOutForm::Resimulated).then(|| {
                    let again =
                        collect(task, self.policy, &phi, group(g, groups, self.outer.episodes), outer_at, &mut tape);
                    count(&again, budget);
                    again
                });
                Omitted { phi, resimulated }
            })
            .collect();
        scratch.give_back(tape);
        omitted
    }
}
