//! A study of `bias` as written: every key optional, nothing checked but names and types.

use crate::config::{Fault, explain};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Keys that hold a list; a single value is a list of one.
const LISTS: [&str; 10] =
    ["alpha", "steps", "trajectories", "estimators", "tags", "parts", "hessian_error", "buffer", "drift", "correction"];

/// A whole study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name of the study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What phi is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Seed of the trajectories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Estimates per MDP and point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// Inner step sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Vec<f64>>,
    /// Inner steps K.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<u64>>,
    /// Trajectories per estimated part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectories: Option<Vec<u64>>,
    /// Estimators of the parts that a tag says are estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimators: Option<Vec<Estimator>>,
    /// Which parts are estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Parts one by one, in place of tags and estimators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Parts>>,
    /// Errors put into the exact Hessian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hessian_error: Option<Vec<f64>>,
    /// Their spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hessian_error_spread: Option<f64>,
    /// Trajectories in the buffer of the inner parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer: Option<Vec<u64>>,
    /// Distance of neighbouring policies in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Vec<f64>>,
    /// What is done to the products of ratios.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<Vec<Correction>>,
    /// Most that a clipped product may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Error of the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Lambda of the inner advantages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
    /// The MDPs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Table>,
}

/// What phi is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The initial policy.
    MamlRl,
    /// An intrinsic reward.
    Lirpg,
}

/// An estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Stepwise importance sampling.
    Dice,
    /// Doubly robust.
    Loaded,
    /// Low-variance curvature.
    Lvc,
    /// Naive automatic differentiation.
    Maml,
}

/// An estimator, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Closed form.
    #[default]
    Exact,
    /// Stepwise importance sampling.
    Dice,
    /// Doubly robust.
    Loaded,
    /// Low-variance curvature.
    Lvc,
    /// Naive automatic differentiation.
    Maml,
}

/// What is done to the products of ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Nothing.
    Plain,
    /// Divided by their mean.
    SelfNormalised,
    /// Cut.
    Clipped,
}

/// One entry of `parts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parts {
    /// Inner gradient.
    pub inner: Source,
    /// Inner Jacobian.
    pub jacobian: Source,
    /// Outer gradient.
    pub outer: Source,
}

impl Raw {
    /// The mirror of a tree.
    pub fn from_table(mut table: Table) -> Result<Raw, Fault> {
        for key in LISTS {
            match table.get_mut(key) {
                None | Some(Value::Array(_)) => {}
                Some(value) => *value = Value::Array(vec![value.clone()]),
            }
        }
        let read: Result<Raw, _> = serde_path_to_error::deserialize(Value::Table(table));
        read.map_err(|e| explain::fault(&e.path().to_string(), &e.inner().to_string()))
    }
}
