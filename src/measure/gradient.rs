//! Independent samples of one-task meta-gradients, drawn through `train`'s own rollouts and estimators.

use crate::estimator::choice::Estimator;
use crate::estimator::meta::{meta_batch, pull_back};
use crate::learn::options::{Inner, Outer};
use crate::learn::sample::{Context, Scratch};
use crate::math::hypothesis::Moments;
use crate::policy::Policy;
use crate::rng::{Address, Purpose};
use rayon::prelude::*;
use tasks::family::Family;

/// Samples that one piece of work draws; fixed, so that the sums do not depend on the number of threads.
const CHUNK: usize = 256;

/// Pieces in flight before their moments (d^2 numbers each) are added up.
const WAVE: usize = 64;

/// A task index that no meta-batch reaches: rollouts take their purpose from the learner's own sampling code, so this is what
/// keeps the samples off the training streams of the same seed.
const NO_TASK: usize = u32::MAX as usize;

/// What is sampled.
#[derive(Clone, Copy)]
pub struct Sampler<'a> {
    /// Family the task of each sample is drawn from.
    pub family: &'a dyn Family,
    /// Policy.
    pub policy: &'a Policy,
    /// Where the gradient is taken.
    pub theta: &'a [f64],
    /// Discount.
    pub gamma: f64,
    /// Inner loop.
    pub inner: &'a Inner,
    /// Outer loop; its estimator and number of tasks are not looked at.
    pub outer: &'a Outer,
    /// Seed of the samples' streams.
    pub seed: u64,
}

impl Sampler<'_> {
    /// Moments of `samples` independent one-task estimates (one task, one D_in per step, one D_o) about `origin`.
    ///
    /// Sample k draws from streams of its own, whatever the estimator: estimators see the same tasks and batches.
    pub fn moments(&self, estimator: &Estimator, samples: usize, origin: &[f64]) -> Moments {
        let outer = Outer { estimator: estimator.clone(), ..self.outer.clone() };
        let advantage = estimator.inner_advantage(&self.inner.advantage);
        let inner = Inner { advantage, ..self.inner.clone() };
        let alpha = vec![self.inner.alpha; self.theta.len()];
        let context = Context {
            policy: self.policy,
            theta: self.theta,
            alpha: &alpha,
            gamma: self.gamma,
            inner: &inner,
            outer: &outer,
        };
        let chunk = |c: usize| {
            let (mut moments, mut scratch) = (Moments::new(origin), Scratch::default());
            for k in c * CHUNK..samples.min((c + 1) * CHUNK) {
                let at = Address::new(self.seed, Purpose::Measure).iteration(k as u64).task(NO_TASK);
                let task = self.family.sample(&mut at.stream());
                let (sample, summary, _) = context.task(&task, at, &mut scratch);
                let alone = meta_batch(&[&summary])[0];
                let ws = &mut scratch.workspace;
                let gradient =
                    pull_back(self.policy, estimator, &advantage, self.gamma, &alpha, &sample, &summary, &alone, ws);
                moments.push(&gradient.theta);
                scratch.reclaim(sample);
            }
            moments
        };
        let (chunks, mut total) = (samples.div_ceil(CHUNK), Moments::new(origin));
        for first in (0..chunks).step_by(WAVE) {
            let parts: Vec<Moments> = (first..chunks.min(first + WAVE)).into_par_iter().map(chunk).collect();
            parts.iter().for_each(|part| total.merge(part));
        }
        total
    }
}
