//! The inner step: batch to advantages, advantages to gradient, gradient to adapted parameters.

use crate::batch::Batch;
use crate::diff::{Tape, Workspace};
use crate::math::advantage::{Advantage, AdvantageKind, Average, Baseline};
use crate::math::baseline::{Features, Normal, predict};
use crate::math::real::Real;
use crate::math::returns::{self, Advantages, Returns};
use crate::policy::{Policy, Weights};
use std::ops::Range;

/// Discounted return of every episode of a batch.
pub fn returns_of<F: Real>(batch: &Batch<F>, gamma: f64) -> Returns {
    let per_episode =
        |e| returns::discounted_return(batch.episode(e).iter().map(|&row| batch.rewards[row as usize]), gamma);
    Returns((0..batch.episodes()).map(per_episode).collect())
}

/// Rewards of one episode in time order, written over `out`.
pub(super) fn rewards_of<F: Real>(batch: &Batch<F>, e: usize, out: &mut Vec<f64>) {
    out.clear();
    out.extend(batch.episode(e).iter().map(|&row| batch.rewards[row as usize]));
}

/// Baseline features of a policy's encoded observations.
pub fn features_of(policy: &Policy) -> Features {
    match policy {
        Policy::Tabular(tabular) => Features::Index { states: tabular.states },
        _ => Features::Vector { width: policy.obs_width() },
    }
}

/// The baseline regression of a batch, episode by episode, so that any subset can be fitted without a second pass.
pub struct Regression {
    features: Vec<f64>,
    width: usize,
    episodes: Vec<Normal>,
    /// Features of the observation after the last step of each episode (bootstrap).
    last: Vec<f64>,
}

impl Regression {
    /// Features and normal equations of every episode; the targets are relative reward-to-go.
    pub fn new<F: Real>(batch: &Batch<F>, features: Features, gamma: f64) -> Regression {
        let width = features.width();
        let mut all = vec![0.0; batch.steps() * width];
        let mut last = vec![0.0; batch.episodes() * width];
        let mut target = Vec::new();
        let episodes = (0..batch.episodes())
            .map(|e| {
                rewards_of(batch, e, &mut target);
                returns::relative_reward_to_go(&mut target, gamma);
                let mut normal = Normal::new(width);
                for (t, (&row, &y)) in batch.episode(e).iter().zip(&target).enumerate() {
                    let row = row as usize;
                    let f = &mut all[row * width..(row + 1) * width];
                    features.write(batch.obs_row(row).iter().map(|o| o.f64()), t, f);
                    normal.add_row(f, y);
                }
                let obs = &batch.last_obs[e * batch.obs_width..(e + 1) * batch.obs_width];
                features.write(obs.iter().map(|o| o.f64()), target.len(), &mut last[e * width..(e + 1) * width]);
                normal
            })
            .collect();
        Regression { features: all, width, episodes, last }
    }

    /// Coefficients fitted on every episode outside `omit`.
    pub fn fit(&self, omit: &Range<usize>, ridge: f64) -> Vec<f64> {
        let mut normal = Normal::new(self.width);
        for (e, episode) in self.episodes.iter().enumerate() {
            if !omit.contains(&e) {
                normal.add(episode);
            }
        }
        normal.solve(ridge)
    }

    /// Predicted value at a row.
    pub fn value(&self, coefficients: &[f64], row: usize) -> f64 {
        predict(coefficients, &self.features[row * self.width..(row + 1) * self.width])
    }

    /// Predicted value after the last step of episode `e`.
    pub fn last_value(&self, coefficients: &[f64], e: usize) -> f64 {
        predict(coefficients, &self.last[e * self.width..(e + 1) * self.width])
    }

    /// Coefficients for each episode, fitted on all the others.
    pub fn cross_fit(&self, ridge: f64) -> Vec<Vec<f64>> {
        let mut all = Normal::new(self.width);
        self.episodes.iter().for_each(|episode| all.add(episode));
        self.episodes
            .iter()
            .map(|episode| {
                let mut rest = all.clone();
                rest.subtract(episode);
                rest.solve(ridge)
            })
            .collect()
    }
}

/// Advantages of a batch and the factor that normalisation applied (1 without it).
pub struct Processed {
    /// Weight of each row's score, the average already divided in; 0 on omitted episodes.
    pub advantages: Advantages,
    /// `1 / (std + 1e-8)` of the unnormalised advantages, or 1.
    pub scale: f64,
}

/// Processes a batch as `options` say, as if the episodes in `omit` had never been drawn: baseline and normalisation are
/// refitted on the rest. `regression` must be given when the options have a baseline.
pub fn process<F: Real>(
    batch: &Batch<F>,
    options: &Advantage,
    regression: Option<&Regression>,
    omit: &Range<usize>,
) -> Processed {
    let fitted = match (options.baseline, regression) {
        (Baseline::None, _) => None,
        (Baseline::Linear { ridge }, Some(regression)) => Some((regression, regression.fit(omit, ridge))),
        (Baseline::Linear { .. }, None) => panic!("a linear baseline needs the batch's regression"),
    };
    let kept: Vec<usize> = (0..batch.episodes()).filter(|e| !omit.contains(e)).collect();
    let mut values: Vec<f64> = Vec::with_capacity(batch.steps());
    let (mut episode, mut v) = (Vec::new(), Vec::new());
    for &e in &kept {
        rewards_of(batch, e, &mut episode);
        v.clear();
        if let Some((regression, c)) = &fitted {
            v.extend(batch.episode(e).iter().map(|&row| regression.value(c, row as usize)));
            let bootstrap = options.bootstrap && !batch.terminated[e];
            v.push(if bootstrap { regression.last_value(c, e) } else { 0.0 });
        } else {
            v.resize(episode.len() + 1, 0.0);
        }
        advantages_of_episode(&mut episode, &v, options);
        values.extend_from_slice(&episode);
    }
    let scale = if options.normalise { returns::normalise(&mut values) } else { 1.0 };
    let divisor = divisor(options.average, kept.len(), values.len());
    let mut rows = vec![0.0; batch.steps()];
    let mut next = values.iter();
    for &e in &kept {
        for (&row, &a) in batch.episode(e).iter().zip(&mut next) {
            rows[row as usize] = a / divisor;
        }
    }
    Processed { advantages: Advantages(rows), scale }
}

/// What the weighted scores are divided by, never zero.
fn divisor(average: Average, episodes: usize, steps: usize) -> f64 {
    let count = match average {
        Average::Trajectories => episodes,
        Average::Steps => steps,
    };
    count.max(1) as f64
}

fn advantages_of_episode(rewards: &mut [f64], values: &[f64], options: &Advantage) {
    let gamma = options.gamma;
    match options.kind {
        AdvantageKind::Gae { lambda } => returns::gae(rewards, values, gamma, lambda),
        AdvantageKind::Return => {
            if let (Some(last), Some(bootstrap)) = (rewards.last_mut(), values.last()) {
                *last += gamma * bootstrap;
            }
            returns::reward_to_go(rewards, gamma);
            let mut discount = 1.0;
            for (a, v) in rewards.iter_mut().zip(values) {
                *a -= discount * v;
                discount *= gamma;
            }
        }
    }
}

/// Weights of the DiCE surrogate: raw absolute-discounted reward-to-go on the scale of the inner gradient (same divisor,
/// same normalising factor, no baseline: DiCE has none).
pub fn dice_weights<F: Real>(batch: &Batch<F>, options: &Advantage, scale: f64) -> Advantages {
    let raw = Advantage {
        kind: AdvantageKind::Return,
        baseline: Baseline::None,
        normalise: false,
        bootstrap: false,
        ..*options
    };
    let mut weights = process(batch, &raw, None, &(0..0)).advantages;
    weights.0.iter_mut().for_each(|w| *w *= scale);
    weights
}

/// One inner step at fixed data: where it started, what it saw, and the gradient it took.
pub struct InnerStep<F> {
    /// Parameters before the step; `batch` was drawn from their policy.
    pub theta: Vec<F>,
    /// The inner batch D_t.
    pub batch: Batch<F>,
    /// Forward passes of the batch at `theta`.
    pub tape: Tape<F>,
    /// Weights of the scores.
    pub weights: Vec<F>,
    /// Normalising factor inside the weights.
    pub scale: f64,
    /// The regression behind the weights, if the options have a baseline.
    pub regression: Option<Regression>,
    /// `sum_rows weight * score`: the gradient taken, unscaled by alpha.
    pub gradient: Vec<F>,
}

/// Rounds weights to the parameters' precision.
pub fn cast<F: Real>(weights: &[f64]) -> Vec<F> {
    weights.iter().map(|&w| F::of(w)).collect()
}

/// The inner policy gradient of `batch` at `theta`; `tape` holds the batch's forward passes there.
pub fn step<F: Real>(
    policy: &Policy,
    theta: Vec<F>,
    batch: Batch<F>,
    tape: Tape<F>,
    options: &Advantage,
    ws: &mut Workspace<F>,
) -> InnerStep<F> {
    let regression =
        (options.baseline != Baseline::None).then(|| Regression::new(&batch, features_of(policy), options.gamma));
    let processed = process(&batch, options, regression.as_ref(), &(0..0));
    let weights = cast(&processed.advantages.0);
    let mut gradient = vec![F::zero(); theta.len()];
    let terms = Weights { log_prob: &weights, entropy: None, value: None };
    policy.grad(&theta, &batch.obs, &batch.actions, &tape, &terms, &mut gradient, ws);
    InnerStep { theta, batch, tape, weights, scale: processed.scale, regression, gradient }
}

/// `theta + alpha * gradient`, elementwise.
pub fn adapt<F: Real>(theta: &[F], alpha: &[F], gradient: &[F]) -> Vec<F> {
    theta.iter().zip(alpha).zip(gradient).map(|((&x, &a), &g)| x + a * g).collect()
}

/// Episodes of group `g` of `groups` over `n` episodes: contiguous, as equal as can be.
pub fn group(g: usize, groups: usize, n: usize) -> Range<usize> {
    g * n / groups..(g + 1) * n / groups
}

/// Adapted parameters with each group of inner episodes left out in turn (spec 1.8.1): the same map on fewer trajectories.
pub fn adapt_without_groups<F: Real>(
    policy: &Policy,
    step: &InnerStep<F>,
    alpha: &[F],
    options: &Advantage,
    groups: usize,
    ws: &mut Workspace<F>,
) -> Vec<Vec<F>> {
    let n = step.batch.episodes();
    let weights: Vec<Vec<F>> = (0..groups)
        .map(|g| cast(&process(&step.batch, options, step.regression.as_ref(), &group(g, groups, n)).advantages.0))
        .collect();
    let mut gradients = vec![vec![F::zero(); step.theta.len()]; groups];
    policy.multi_grad(&step.theta, &step.batch.obs, &step.batch.actions, &step.tape, &weights, &mut gradients, ws);
    gradients.iter().map(|gradient| adapt(&step.theta, alpha, gradient)).collect()
}
