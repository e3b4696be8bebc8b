//! The outer part: gradient of the adapted policy's return, and the returns that the sampling term multiplies.

use super::choice::OuterPart;
use super::inner::{self, InnerStep, Regression, features_of};
use crate::batch::Batch;
use crate::diff::{Tape, Workspace};
use crate::math::advantage::{Advantage, Average, OuterAdvantage, OuterBaseline};
use crate::math::real::Real;
use crate::math::returns::{self, Returns};
use crate::policy::{Policy, Weights};

/// What the outer batch of one task says, given its inner batches.
pub struct OuterSummary<F> {
    /// Outer gradient at the adapted parameters, not yet pulled back.
    pub gradient: Vec<F>,
    /// Discounted return of every outer episode.
    pub returns: Returns,
    /// Raw weights of the outer scores, `(R^h - gamma^h b(s_h)) / n_o` per row: the importance-weighted leave-group-out
    /// difference is a sum over them, so the outer baseline serves it as a control variate.
    pub raw: Vec<f64>,
    /// Weights of the outer scores that the gradient was made with: `raw`, or processed advantages with their average.
    pub weights: Vec<F>,
    /// Mean processed advantage over time steps (what the published SG-MRL multiplies the score with); 0 for a raw outer part.
    pub mean_advantage: f64,
    /// Sum, sum of squares and number of the rewards of all outer steps (the published E-MAML standardises them).
    pub reward_moments: [f64; 3],
}

/// Weights of the raw outer part: `(R^h - gamma^h b(s_h)) / n_o`, absolute discount; `discount = false` drops `gamma^h`.
fn raw_weights<F: Real>(
    policy: &Policy,
    outer: &Batch<F>,
    last_inner: &InnerStep<F>,
    baseline: OuterBaseline,
    gamma: f64,
    discount: bool,
) -> Vec<f64> {
    let n = outer.episodes();
    let fit = match baseline {
        OuterBaseline::None => None,
        OuterBaseline::Inner { ridge } => {
            let source = Regression::new(&last_inner.batch, features_of(policy), gamma);
            let coefficients = source.fit(&(0..0), ridge);
            Some((Regression::new(outer, features_of(policy), gamma), vec![coefficients; n]))
        }
        OuterBaseline::CrossFit { ridge } => {
            let regression = Regression::new(outer, features_of(policy), gamma);
            let coefficients =
                if n > 1 { regression.cross_fit(ridge) } else { vec![vec![0.0; features_of(policy).width()]] };
            Some((regression, coefficients))
        }
    };
    let mut weights = vec![0.0; outer.steps()];
    let mut episode = Vec::new();
    for e in 0..n {
        inner::rewards_of(outer, e, &mut episode);
        returns::relative_reward_to_go(&mut episode, gamma);
        let mut factor = 1.0 / n as f64;
        for (&row, &to_go) in outer.episode(e).iter().zip(&episode) {
            let row = row as usize;
            let value = fit.as_ref().map_or(0.0, |(regression, c)| regression.value(&c[e], row));
            weights[row] = factor * (to_go - value);
            if discount {
                factor *= gamma;
            }
        }
    }
    weights
}

/// Weights of a processed (biased) outer part, and the mean advantage over its time steps.
fn processed_weights<F: Real>(policy: &Policy, outer: &Batch<F>, options: &Advantage) -> (Vec<f64>, f64) {
    let regression = Regression::new(outer, features_of(policy), options.gamma);
    let weights = inner::process(outer, options, Some(&regression), &(0..0)).advantages.0;
    let per_step = match options.average {
        Average::Steps => 1.0,
        Average::Trajectories => outer.episodes() as f64 / outer.steps().max(1) as f64,
    };
    let mean_advantage = weights.iter().sum::<f64>() * per_step;
    (weights, mean_advantage)
}

/// Outer gradient at `phi` and the summaries that the sampling terms need.
///
/// `tape` holds the forward passes of `outer` at `phi`. With [`OuterPart::Raw`] and [`OuterAdvantage::Raw`] the gradient is
/// unbiased for the gradient of J at phi given the inner batches: every baseline is independent of the episode it serves.
pub fn summarise<F: Real>(
    policy: &Policy,
    part: OuterPart,
    advantage: &OuterAdvantage,
    inner_advantage: &Advantage,
    gamma: f64,
    last_inner: &InnerStep<F>,
    phi: &[F],
    outer: &Batch<F>,
    tape: &Tape<F>,
    ws: &mut Workspace<F>,
) -> OuterSummary<F> {
    let processing = match (part, advantage) {
        (OuterPart::Published, _) => Some(inner_advantage),
        (_, OuterAdvantage::Processed(options)) => Some(options),
        (_, OuterAdvantage::Raw(_)) => None,
    };
    let baseline = match advantage {
        OuterAdvantage::Raw(baseline) => *baseline,
        OuterAdvantage::Processed(_) => OuterBaseline::None,
    };
    let raw = raw_weights(policy, outer, last_inner, baseline, gamma, part != OuterPart::NoDiscount);
    let processed = processing.map(|options| processed_weights(policy, outer, options));
    let mean_advantage = processed.as_ref().map_or(0.0, |p| p.1);
    let mut gradient = vec![F::zero(); phi.len()];
    let cast = inner::cast(processed.as_ref().map_or(&raw, |p| &p.0));
    let terms = Weights { log_prob: &cast, entropy: None, value: None };
    policy.grad(phi, &outer.obs, &outer.actions, tape, &terms, &mut gradient, ws);
    let (sum, squares) = outer.rewards.iter().fold((0.0, 0.0), |(s, q), r| (s + r, q + r * r));
    OuterSummary {
        gradient,
        returns: inner::returns_of(outer, gamma),
        raw,
        weights: cast,
        mean_advantage,
        reward_moments: [sum, squares, outer.steps() as f64],
    }
}
