//! What one update of the actor-critic reports.

use super::gauge::GapRow;
use serde::{Deserialize, Serialize};

/// One update. Meta-parameters are those of the update, logits those after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Update, from 1.
    pub update: u64,
    /// Environment steps so far.
    pub steps: u64,
    /// Frames of the simulators so far: steps times action repeats.
    pub frames: u64,
    /// Discount.
    pub gamma: f64,
    /// Trace parameter.
    pub lambda: f64,
    /// Factor of the policy-gradient term.
    pub policy_cost: f64,
    /// Factor of the value term.
    pub value_cost: f64,
    /// Factor of the entropy.
    pub entropy_cost: f64,
    /// alpha of leaky V-trace.
    pub leak: f64,
    /// Logits of the learned meta-parameters.
    pub logits: Vec<f64>,
    /// Mean undiscounted return of the episodes that ended in the later unroll, if any.
    #[serde(rename = "return")]
    pub achieved: Option<f64>,
    /// Mean undiscounted return of the last 100 episodes, if any has ended.
    pub return_100: Option<f64>,
    /// Episodes that have ended so far.
    pub episodes: u64,
    /// Mean entropy of the policy over the inner unroll, nats.
    pub entropy: f64,
    /// Mean squared error of the values over the inner unroll, `mean (Y - v)^2`.
    pub value_error: f64,
    /// Outer loss J' after the inner step; none within a window, and where nothing is learned and the gap is not measured.
    pub outer_loss: Option<f64>,
    /// Norm of the inner gradient before clipping.
    pub gradient_norm: f64,
    /// Whether the inner gradient was clipped.
    pub clipped: bool,
    /// Mean of pi / mu over the inner unroll.
    pub ratio_mean: f64,
    /// Share of its steps with pi / mu above V-trace's limit.
    pub clip_fraction: f64,
    /// Updates between the parameters that acted and those that learned, mean over the inner unroll.
    pub policy_lag: f64,
    /// Norm of the meta-gradient in logits, before the rail; none within a window, and if it was not finite.
    pub meta_gradient_norm: Option<f64>,
    /// Norm of the change of the logits.
    pub logit_change: f64,
    /// Meta-gradients skipped so far.
    pub skipped: u64,
    /// Whether the rail has put what is learned to its reference, where it stays: the logits of this row, the values from the next on.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub fallen_back: bool,
    /// The gap, at every N-th update; none where a number of it was not finite.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<GapRow>,
}
