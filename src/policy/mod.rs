//! Policies: parameters and observation to an action distribution, log-probability and score.

/// Parametrisation of the action distribution (placeholder until the policy layer lands).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One logit per state and action.
    Tabular,
    /// Multi-layer perceptron: categorical or Gaussian by action space.
    Mlp,
}

/// Configuration-level choice of a policy (placeholder until the policy layer lands).
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Parametrisation.
    pub kind: Kind,
    /// Width of each hidden layer.
    pub hidden: Vec<usize>,
    /// Non-linearity.
    pub activation: crate::diff::Activation,
    /// Initial weights.
    pub init: crate::diff::Init,
    /// Initial log standard deviation of Gaussian actions.
    pub log_std: f64,
    /// Lower limit of the log standard deviation.
    pub min_log_std: Option<f64>,
    /// Whether the network also predicts values.
    pub value_head: bool,
}
