//! What a meta-learner is told, what it carries between steps, and the row it returns.

use crate::budget::Budget;
use crate::estimator::choice::Estimator;
use crate::math::advantage::{Advantage, OuterAdvantage};
use crate::math::summary::Estimate;
use crate::optim::{Optimiser, State as OptimiserState};
use serde::{Deserialize, Serialize};

/// Inner loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Inner {
    /// Adaptation steps zeta >= 1.
    pub steps: usize,
    /// Episodes n per inner batch.
    pub episodes: usize,
    /// Inner step size alpha.
    pub alpha: f64,
    /// Learn one alpha per parameter (Meta-SGD, Li et al. 2017), starting from `alpha`.
    pub learn_alpha: bool,
    /// Weights of the inner policy gradient.
    pub advantage: Advantage,
}

/// Outer loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Outer {
    /// Tasks B per meta-batch.
    pub tasks: usize,
    /// Episodes n_o per outer batch.
    pub episodes: usize,
    /// Meta-gradient estimator.
    pub estimator: Estimator,
    /// Weights of the outer policy gradient (ignored by `published-*`, which use the inner processing).
    pub advantage: OuterAdvantage,
    /// Optimiser.
    pub optimiser: Optimiser,
    /// Largest norm of the meta-gradient, if clipped.
    pub clip: Option<f64>,
}

/// Everything a meta-learner is told besides family, policy and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Discount gamma in (0, 1] of the objective.
    pub gamma: f64,
    /// Inner loop.
    pub inner: Inner,
    /// Outer loop.
    pub outer: Outer,
}

/// Everything needed to continue a run exactly (random streams are addressed, so they carry no state).
#[derive(Clone, Debug, PartialEq)]
pub struct State<F> {
    /// Outer iterations done.
    pub iteration: u64,
    /// Initialisation theta, flat.
    pub theta: Vec<F>,
    /// Inner step size per parameter (constant unless learned).
    pub alpha: Vec<F>,
    /// Optimiser moments for theta (and for alpha behind it when learned).
    pub optimiser: OptimiserState<F>,
    /// Spent so far.
    pub budget: Budget,
}

/// One outer iteration as recorded. Everything here is a function of config and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Iteration, starting at 1.
    pub iteration: u64,
    /// Undiscounted return before adaptation and after each inner step (zeta + 1 entries).
    pub returns: Vec<Estimate>,
    /// Discounted return after adaptation: the sampled objective V_zeta.
    pub value: Estimate,
    /// Last minus first of `returns`, paired by task.
    pub gain: Estimate,
    /// Mean episode length before and after adaptation.
    pub episode_length: Vec<f64>,
    /// Norm of the meta-gradient (mean over tasks), before clipping.
    pub gradient_norm: f64,
    /// Square root of the trace of the covariance of that mean (over tasks): its noise. `null` with a single task.
    pub gradient_noise: Option<f64>,
    /// Norm of the mean outer gradient, before it is pulled back through the adaptation.
    pub outer_gradient_norm: f64,
    /// Root mean square of the coefficients of the inner scores: zero means that the sampling term is dead.
    pub sampling_coefficient: f64,
    /// Mean norm of the first inner gradient.
    pub inner_gradient_norm: f64,
    /// Norm of the parameter change.
    pub update_norm: f64,
    /// Mean entropy of the policy before adaptation, nats.
    pub entropy: f64,
    /// Effective sample size of the leave-group-out weights as a fraction of the outer episodes (importance form only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective_sample_size: Option<f64>,
    /// Spent so far.
    pub budget: Budget,
}

/// The run cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// Iteration at which it happened.
    pub iteration: u64,
    /// What was not finite.
    pub what: String,
}
