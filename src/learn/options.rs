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

/// How the meta-gradient becomes a change of theta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// One step of the optimiser.
    Gradient,
    /// A step inside a trust region (MAML-TRPO); the optimiser is not used.
    Trpo(Trpo),
    /// Several optimiser steps on a clipped surrogate of the same samples (ProMP).
    Promp(Promp),
}

/// Trust-region update: natural direction by conjugate gradients, then backtracking (Schulman et al. 2015, Finn et al. 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trpo {
    /// Largest mean KL between the adapted policies before and after, nats.
    pub kl: f64,
    /// Products of the conjugate gradient.
    pub cg_steps: usize,
    /// Multiple of the identity added to the Fisher matrix.
    pub damping: f64,
    /// Most candidates of the line search.
    pub backtracks: usize,
    /// Factor between the lengths of two candidates, in (0, 1).
    pub backtrack_ratio: f64,
}

/// Proximal update on fixed samples (Rothfuss et al. 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promp {
    /// Optimiser steps per iteration.
    pub epochs: usize,
    /// Ratios further than this from one no longer count.
    pub clip: f64,
    /// Coefficient eta of the mean KL between the old and the new policy on each inner batch.
    pub inner_kl: f64,
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
    /// How the meta-gradient is used.
    pub update: Update,
    /// Optimiser (of every epoch under ProMP; idle under TRPO).
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
    /// TRPO and ProMP: mean KL between the adapted policies before and after the update, on the outer observations, nats.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kl: Option<f64>,
    /// TRPO: times the step was shortened; equal to the option `backtracks` when no candidate was accepted and theta stayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backtracks: Option<u64>,
    /// ProMP: fraction of outer decisions whose ratio is outside of the clip range after the update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clip_fraction: Option<f64>,
    /// ProMP: mean KL between the policies before and after the update on the inner observations, nats.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inner_kl: Option<f64>,
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
