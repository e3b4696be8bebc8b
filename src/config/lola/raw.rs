//! A configuration of `lola` as written: every key optional, nothing checked but names and types.

use crate::config::{Fault, explain};
use serde::{Deserialize, Serialize};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name of the run.
    pub name: Option<String>,
    /// Seed of the first pair; the k-th after it has seed + k.
    pub seed: Option<u64>,
    /// Pairs of players that learn beside each other.
    pub seeds: Option<usize>,
    /// Updates in total.
    pub updates: Option<u64>,
    /// Last updates that the closing report averages over.
    pub average: Option<u64>,
    /// Discount.
    pub gamma: Option<f64>,
    /// Rounds of an episode.
    pub horizon: Option<usize>,
    /// Standard deviation of the initial logits.
    pub init: Option<f64>,
    /// Episodes of the score; 0 for its expectation.
    pub score_episodes: Option<usize>,
    /// Naive learners of the same seeds run beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<bool>,
    /// The game.
    pub game: Option<Game>,
    /// The look-ahead.
    pub inner: Inner,
    /// The outer gradient and the optimiser.
    pub outer: Outer,
    /// Value tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Bias and variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// Section `[game]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Game {
    /// A shipped game.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A game of one's own: two rows of four numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payoffs: Option<Vec<Vec<f64>>>,
}

/// Section `[inner]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inner {
    /// Look-ahead steps; 0 makes naive learners.
    pub steps: Option<usize>,
    /// Step size of the other player.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Where the step comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Source>,
    /// Where its Jacobian comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jacobian: Option<Source>,
    /// Episodes played for the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_episodes: Option<usize>,
    /// Episodes played for its Jacobian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jacobian_episodes: Option<usize>,
    /// Both see the same new episodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// Second derivative of the sampled objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curvature: Option<Curvature>,
    /// Episodes that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer: Option<usize>,
}

/// Sources of a half of a look-ahead step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The closed form.
    Exact,
    /// Episodes played for it.
    Sampled,
    /// Episodes that are kept.
    Buffer,
}

/// Second derivatives of the sampled objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curvature {
    /// DiCE with a first-order baseline, as published: unbiased.
    Dice,
    /// The baseline at all orders: unbiased, less variance.
    LoadedDice,
    /// One ratio per round: biased.
    Lvc,
    /// Of the log-probability: biased, no shaping at all.
    LogProb,
}

/// Section `[outer]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outer {
    /// Where the outer gradient comes from.
    pub gradient: Option<Gradient>,
    /// Episodes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episodes: Option<usize>,
    /// Adam's step size.
    pub beta: Option<f64>,
    /// First-moment decay.
    pub beta1: Option<f64>,
    /// Second-moment decay.
    pub beta2: Option<f64>,
    /// Stabiliser.
    pub epsilon: Option<f64>,
}

/// Sources of the outer gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gradient {
    /// The closed form.
    Exact,
    /// Episodes.
    Sampled,
}

/// Section `[value]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Value {
    /// What the tables are fitted to.
    pub target: Option<Target>,
    /// Adam's step size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
}

/// Targets of the value tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The discounted reward to go.
    Return,
    /// The reward of the round, as in the published code.
    Reward,
    /// No baseline.
    None,
}

/// Section `[probe]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// Updates between two measurements; 0 for none.
    pub every: Option<u64>,
    /// Independent meta-gradients at the same parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<usize>,
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
