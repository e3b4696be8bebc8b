//! Policies: parameters and observation to an action distribution, log-probability and score.
