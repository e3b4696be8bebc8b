//! Policies: parameters and observation to an action distribution, log-probability and score.

/// Placeholder of the configuration-level choice until the policy layer lands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec;
