//! A configuration of `online` as written: every key optional, nothing checked but names and types.

use crate::config::{Fault, explain};
use serde::{Deserialize, Serialize};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name of the run.
    pub name: Option<String>,
    /// Seed of every random stream.
    pub seed: Option<u64>,
    /// Updates in total.
    pub updates: Option<u64>,
    /// Last updates that the closing report averages over.
    pub average: Option<u64>,
    /// The task.
    pub task: Task,
    /// Inner update.
    pub inner: Inner,
    /// Discount.
    pub gamma: Setting,
    /// Trace parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<Setting>,
    /// Outer loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer: Option<Outer>,
    /// Update of the meta-parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
}

/// Section `[task]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// Which.
    pub name: Option<TaskName>,
    /// Steps until each arm pays.
    pub delays: Option<Vec<f64>>,
    /// What it pays.
    pub rewards: Option<Vec<f64>>,
}

/// Tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    /// Chain of ten states.
    SignalNoise,
    /// Chain of nine states.
    NegatedPairs,
    /// One choice among arms.
    Arms,
}

/// Section `[inner]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inner {
    /// Step size.
    pub alpha: Option<f64>,
    /// Factor of the entropy.
    pub entropy: Option<f64>,
}

/// Sections `[gamma]` and `[lambda]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setting {
    /// Where the value comes from.
    pub mode: Option<Mode>,
    /// Value at the start.
    pub initial: Option<f64>,
    /// Value at the end of a schedule.
    pub end: Option<f64>,
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its initial value.
    Fixed,
    /// Linear in the updates.
    Scheduled,
    /// The meta-gradient.
    Meta,
}

/// Section `[outer]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outer {
    /// Where the outer advantage comes from.
    pub critic: Option<Critic>,
}

/// Sources of the outer advantage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Critic {
    /// The true return.
    Unbiased,
    /// The critic of the inner gamma.
    Inner,
}

/// Section `[meta]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meta {
    /// Optimiser of the logits.
    pub optimiser: Option<Optimiser>,
    /// Step size.
    pub beta: Option<f64>,
    /// First-moment decay of Adam.
    pub beta1: Option<f64>,
    /// Second-moment decay of Adam.
    pub beta2: Option<f64>,
    /// Stabiliser of Adam.
    pub epsilon: Option<f64>,
    /// Longest meta-gradient that is applied.
    pub limit: Option<f64>,
    /// Largest coordinate; larger ones are clamped.
    pub clamp: Option<f64>,
    /// Updates over which the step size rises.
    pub warm_up: Option<u64>,
}

/// Optimisers of the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam.
    Adam,
    /// Plain gradient steps.
    Sgd,
}

impl Raw {
    /// Reads the mirror from a parsed tree.
    ///
    /// # Errors
    /// Unknown keys and wrong types, with the dotted key and what is allowed.
    pub(super) fn from_table(table: toml::Table) -> Result<Raw, Fault> {
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
            let path = e.path().to_string();
            explain::fault(&path, e.inner().message())
        })
    }
}
