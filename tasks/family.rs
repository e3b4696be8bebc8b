//! The contract of a family: a distribution over tasks that share spaces, horizon and discount.

use crate::env::{Rng, Space};
use crate::tabular::Tabular;
use crate::task::Task;

/// A distribution p over tasks.
pub trait Family: Send + Sync {
    /// Registry name, e.g. `navigation/sgmrl`.
    fn name(&self) -> &str;
    /// Draws one task i ~ p.
    fn sample(&self, rng: &mut Rng) -> Task;
    /// All tasks with their normalised weights, if the family is finite and every task is tabular.
    fn finite(&self) -> Option<Vec<(f64, &Tabular)>> {
        None
    }
    /// Observation space shared by all tasks.
    fn observation_space(&self) -> Space;
    /// Action space shared by all tasks.
    fn action_space(&self) -> Space;
    /// Decisions per episode at most.
    fn horizon(&self) -> usize;
    /// The family's own discount, in (0, 1]; a configuration may override it.
    fn gamma(&self) -> f64;
    /// Every constant of the family as (name, value with unit), in the order `tasks --show` prints them.
    fn constants(&self) -> Vec<(String, String)>;
}

/// Why a family could not be built: the offending key (if one is to blame) and what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyError {
    /// Dotted key inside the family's table, e.g. `tasks[0].transition[1][0]`; empty if none is to blame.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl FamilyError {
    /// Error at `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        FamilyError { key: key.into(), message: message.into() }
    }
}

impl std::fmt::Display for FamilyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "key `{}`: {}", self.key, self.message)
        }
    }
}

impl std::error::Error for FamilyError {}
