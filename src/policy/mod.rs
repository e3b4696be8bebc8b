//! Policies: parameters and observation to an action distribution, log-probability and score.
//!
//! A policy is a network (a table or an [`crate::diff::Mlp`]) and a head (softmax or Gaussian) over one flat parameter vector
//! `theta`. Parameters are always arguments. [`Policy::forward`] appends rows to a [`Tape`]; everything else reads them.

pub mod actor_critic;
mod build;
mod categorical;
mod divergence;
mod gaussian;
pub mod memory_one;
mod network;
mod sample;
mod score;

pub use crate::diff::{Activation, Init, Tape, Workspace};
pub use build::{Kind, Spec};
pub use network::Trunk;
pub use score::{RowTangents, WeightTangents, Weights};

use crate::batch::Actions;
use crate::math::real::Real;
use crate::rng::Rng;
use tasks::env::Space;

/// Name, shape and place of one parameter tensor in the flat vector; row-major.
///
/// `mlp.{l}.weight` is `[in, out]` (layer `y = x W + b`), `mlp.{l}.bias` `[out]`, `log_std` `[action_dim]`,
/// `logits` `[states, actions]`. With a value head the last layer's last column is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name, unique within a policy.
    pub name: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Index of the first element in the flat vector.
    pub offset: usize,
}

/// Softmax over one free logit per state and action: `pi(a | s) = exp(theta[s, a]) / sum_b exp(theta[s, b])`.
#[derive(Clone, Debug, PartialEq)]
pub struct TabularSoftmax {
    /// Number of states.
    pub states: usize,
    /// Number of actions.
    pub actions: usize,
    pub(crate) space: Space,
}

impl TabularSoftmax {
    /// The table of `states` times `actions` logits.
    pub fn new(states: usize, actions: usize) -> TabularSoftmax {
        TabularSoftmax { states, actions, space: Space::Discrete(actions) }
    }
}

/// Softmax over the outputs of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpCategorical {
    /// The network with its input encoding and optional value output.
    pub trunk: Trunk,
    /// Number of actions.
    pub actions: usize,
    pub(crate) space: Space,
}

/// Normal distribution with diagonal covariance: the network gives the mean, `log_std` (the end of `theta`) the spread.
///
/// The standard deviation is `exp(max(log_std, min_log_std))` everywhere; where `log_std < min_log_std` its derivative is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpGaussian {
    /// The network with its input encoding and optional value output.
    pub trunk: Trunk,
    /// Coordinates of an action.
    pub width: usize,
    /// Initial value of every `log_std` parameter.
    pub log_std: f64,
    /// Lower limit of the log standard deviation.
    pub min_log_std: Option<f64>,
    pub(crate) space: Space,
}

/// The closed set of policies.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// One logit per state and action.
    Tabular(TabularSoftmax),
    /// Network with a softmax.
    Categorical(MlpCategorical),
    /// Network with a Gaussian.
    Gaussian(MlpGaussian),
}

impl Policy {
    /// Length of the flat parameter vector.
    pub fn n_params(&self) -> usize {
        match self {
            Policy::Tabular(p) => p.states * p.actions,
            Policy::Categorical(p) => p.trunk.mlp.n_params(),
            Policy::Gaussian(p) => p.trunk.mlp.n_params() + p.width,
        }
    }

    /// Numbers per encoded observation.
    pub fn obs_width(&self) -> usize {
        self.trunk().map_or(1, |trunk| trunk.mlp.inputs())
    }

    /// The action space it was built for.
    pub fn action_space(&self) -> &Space {
        match self {
            Policy::Tabular(p) => &p.space,
            Policy::Categorical(p) => &p.space,
            Policy::Gaussian(p) => &p.space,
        }
    }

    /// Whether the network also gives a value.
    pub fn has_value(&self) -> bool {
        self.trunk().is_some_and(|trunk| trunk.value_head)
    }

    /// Outputs of the network that parametrise the action distribution (logits or means), without the value.
    pub fn action_outputs(&self) -> usize {
        match self {
            Policy::Tabular(p) => p.actions,
            Policy::Categorical(p) => p.actions,
            Policy::Gaussian(p) => p.width,
        }
    }

    /// Writes the policy input for a raw observation: the index (tabular), a one-hot row, or a copy.
    ///
    /// # Panics
    /// If `raw` is not an element of the observation space, or `out` is not [`Policy::obs_width`] long.
    pub fn encode<F: Real>(&self, raw: &[f64], out: &mut [F]) {
        assert_eq!(out.len(), self.obs_width(), "encoded observation");
        if self.trunk().is_some_and(|trunk| trunk.one_hot) {
            out.fill(F::zero());
            out[raw[0] as usize] = F::one();
        } else {
            assert_eq!(raw.len(), out.len(), "raw observation");
            out.iter_mut().zip(raw).for_each(|(o, r)| *o = F::of(*r));
        }
    }

    /// Initial parameters: zero logits for a table (uniform policy), else as the [`Spec`] said.
    pub fn init<F: Real>(&self, rng: &mut Rng) -> Vec<F> {
        match self {
            Policy::Tabular(_) => vec![F::zero(); self.n_params()],
            Policy::Categorical(p) => p.trunk.mlp.init(p.trunk.init, rng),
            Policy::Gaussian(p) => {
                let mut theta = p.trunk.mlp.init(p.trunk.init, rng);
                theta.extend(std::iter::repeat_n(F::of(p.log_std), p.width));
                theta
            }
        }
    }

    /// The parameter tensors in order; together they cover the flat vector.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut tensors = Vec::new();
        let mut offset = 0;
        let mut push = |name: String, shape: Vec<usize>| {
            let len: usize = shape.iter().product();
            tensors.push(TensorSpec { name, shape, offset });
            offset += len;
        };
        if let Policy::Tabular(p) = self {
            push("logits".into(), vec![p.states, p.actions]);
        }
        if let Some(trunk) = self.trunk() {
            for (l, layer) in trunk.mlp.layers().enumerate() {
                push(format!("mlp.{l}.weight"), vec![layer.inputs, layer.outputs]);
                push(format!("mlp.{l}.bias"), vec![layer.outputs]);
            }
        }
        if let Policy::Gaussian(p) = self {
            push("log_std".into(), vec![p.width]);
        }
        tensors
    }

    /// An action buffer of this policy's kind without actions.
    pub fn empty_actions<F: Real>(&self) -> Actions<F> {
        match self {
            Policy::Gaussian(p) => Actions::Continuous { values: Vec::new(), width: p.width },
            _ => Actions::Discrete(Vec::new()),
        }
    }

    /// The network and its encoding, unless the policy is a table.
    pub(crate) fn trunk(&self) -> Option<&Trunk> {
        match self {
            Policy::Tabular(_) => None,
            Policy::Categorical(p) => Some(&p.trunk),
            Policy::Gaussian(p) => Some(&p.trunk),
        }
    }
}
