//! Rows of a study of `bias`: one per point of the study, in its order (see [`super::durable`]; `config.toml` is the resolved study).

use super::durable::Record;
use crate::measure::bias::OnMdp;
use serde::{Deserialize, Serialize};

/// One point of a study.
///
/// Standard errors are those of the sampling, on these MDPs; `mdps` shows how the MDPs differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Number of the point, from 1.
    pub point: u64,
    /// `maml-rl` or `lirpg`.
    pub problem: String,
    /// Inner step size.
    pub alpha: f64,
    /// Inner steps K.
    pub steps: u64,
    /// Trajectories of every estimated part; `null` if all is exact.
    pub trajectories: Option<u64>,
    /// Parts in the order inner, Jacobian, outer: `e`xact or estimated (`l`).
    pub tag: String,
    /// Estimator of the inner gradient, or `exact`.
    pub inner: String,
    /// Estimator of the inner Jacobian, or `exact`.
    pub jacobian: String,
    /// Estimator of the outer gradient, or `exact`.
    pub outer: String,
    /// Error put into the exact Hessian.
    pub hessian_error: Option<f64>,
    /// Trajectories in the buffer that inner parts draw on, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub buffer: Option<u64>,
    /// Distance in logits of neighbouring policies in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub drift: Option<f64>,
    /// `plain`, `self-normalised` or `clipped`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub correction: Option<String>,
    /// Estimates m per MDP.
    pub repeats: u64,
    /// Mean correlation of an estimate with the exact gradient.
    pub corr: f64,
    /// Standard error of `corr`.
    pub corr_error: f64,
    /// Sum over entries of the standard deviation over estimates, mean over MDPs (the reference's name).
    pub var: f64,
    /// Mean over entries of the variance over estimates, mean over MDPs.
    pub entry_variance: f64,
    /// Mean squared entry of mean estimate minus exact gradient, noise included (the reference's name).
    pub grad_mse: f64,
    /// ||mean - exact||^2 - tr(Cov) / m, mean over MDPs: unbiased for the squared bias, possibly negative.
    pub bias_squared: f64,
    /// Standard error of `bias_squared`.
    pub bias_squared_error: f64,
    /// Mean over MDPs of the signed root of the squared bias over the gradient's norm.
    pub rel_bias: f64,
    /// Standard error of `rel_bias`.
    pub rel_bias_error: f64,
    /// Mean over MDPs of the squared bias over the squared norm: unbiased.
    pub rel_bias_squared: f64,
    /// Standard error of `rel_bias_squared`.
    pub rel_bias_squared_error: f64,
    /// Whether `rel_bias_squared` is further than 1.96 standard errors from zero.
    pub resolved: bool,
    /// Mean squared distance to the exact path after each inner step, mean over MDPs (the reference's name).
    pub inner_error: Vec<f64>,
    /// Trajectories sampled for this point, all MDPs and repeats.
    pub sampled: u64,
    /// Each MDP's own numbers.
    pub mdps: Vec<OnMdp>,
}

impl Row {
    /// The pooled numbers of `mdps`; what was asked is the caller's to fill in.
    pub fn pooled(mdps: Vec<OnMdp>) -> Row {
        let n = mdps.len() as f64;
        let mean = |f: &dyn Fn(&OnMdp) -> f64| mdps.iter().map(f).sum::<f64>() / n;
        let error = |f: &dyn Fn(&OnMdp) -> f64| mdps.iter().map(|m| f(m).powi(2)).sum::<f64>().sqrt() / n;
        let rel_bias_squared = mean(&|m| m.bias.bias_squared / m.bias.norm_squared);
        let rel_bias_squared_error = error(&|m| m.bias.bias_squared_error / m.bias.norm_squared);
        let steps = mdps.first().map_or(0, |m| m.inner_error.len());
        Row {
            corr: mean(&|m| m.bias.corr),
            corr_error: error(&|m| m.bias.corr_error),
            var: mean(&|m| m.bias.var),
            entry_variance: mean(&|m| m.bias.entry_variance),
            grad_mse: mean(&|m| m.bias.grad_mse),
            bias_squared: mean(&|m| m.bias.bias_squared),
            bias_squared_error: error(&|m| m.bias.bias_squared_error),
            rel_bias: mean(&|m| m.bias.relative()),
            rel_bias_error: error(&|m| m.bias.relative_error()),
            rel_bias_squared,
            rel_bias_squared_error,
            resolved: rel_bias_squared.abs() > 1.96 * rel_bias_squared_error,
            inner_error: (0..steps).map(|i| mean(&|m| m.inner_error[i])).collect(),
            mdps,
            ..Row::default()
        }
    }
}

impl Record for Row {
    const WHAT: &'static str = "a row of a study of `bias`";

    fn check(&self, number: usize) -> Result<(), String> {
        match self.point {
            i if i == number as u64 => Ok(()),
            i => Err(format!("`point` must be {number} here, found {i}")),
        }
    }
}
