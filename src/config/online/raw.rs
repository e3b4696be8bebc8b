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
    /// A small task with a learner of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// `name` and the parameters of a family, for the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<toml::Table>,
    /// Actors of the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actors: Option<Actors>,
    /// Network of the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Inner update.
    pub inner: Inner,
    /// Discount.
    pub gamma: Setting,
    /// Trace parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<Setting>,
    /// Factor of the policy-gradient term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_cost: Option<Setting>,
    /// Factor of the value term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_cost: Option<Setting>,
    /// Factor of the entropy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy_cost: Option<Setting>,
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
    /// Step size of Adam (actor-critic).
    pub beta: Option<f64>,
    /// Largest norm of the gradient (actor-critic).
    pub clip_norm: Option<f64>,
}

/// Section `[actors]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Actors {
    /// Copies of the task.
    pub count: Option<usize>,
    /// Steps of each between two updates.
    pub length: Option<usize>,
}

/// Section `[network]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Width of each hidden layer.
    pub hidden: Option<Vec<usize>>,
    /// Size of the embedding of gamma and lambda.
    pub embedding: Option<usize>,
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
    /// gamma' (actor-critic).
    pub gamma: Option<f64>,
    /// lambda' (actor-critic).
    pub lambda: Option<f64>,
}

/// Sources of the outer advantage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Critic {
    /// The true return.
    Unbiased,
    /// The critic of the inner gamma.
    Inner,
    /// The learner's critic.
    Shared,
    /// A second value head, regressed on the targets of gamma' and lambda'.
    Separate,
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
