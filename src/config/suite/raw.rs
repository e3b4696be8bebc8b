//! The suite file as written: every key optional, nothing checked but names and types.

use crate::config::{Fault, explain};
use serde::{Deserialize, Serialize};
use toml::Table;

/// A whole suite file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name; by default that of the file.
    pub name: Option<String>,
    /// What the runs are; by default those of `online` if a family has an `online` configuration, else those of `train`.
    pub kind: Option<super::Kind>,
    /// Environment steps each run may spend on training; a family may have its own.
    pub budget: Option<u64>,
    /// What the suite costs, in words (CPU-minutes).
    pub cost: Option<String>,
    /// Score that settings are chosen by.
    pub select: Option<super::Select>,
    /// Run the reporting seeds on every point of every grid, not only on the chosen one.
    pub report_grid: Option<bool>,
    /// Sizes of every run as `train --smoke` makes them.
    pub shrink: Option<bool>,
    /// Seeds.
    pub seeds: Seeds,
    /// Evaluation along each run.
    pub evaluate: Evaluate,
    /// What `--smoke` makes of the suite.
    pub smoke: Smoke,
    /// Families.
    pub families: Vec<Family>,
    /// Arms.
    pub arms: Vec<Arm>,
}

/// Section `[seeds]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seeds {
    /// Seeds that settings are chosen on.
    pub tuning: Vec<u64>,
    /// Seeds that are reported.
    pub reporting: Vec<u64>,
}

/// Section `[evaluate]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluate {
    /// Evaluations along the budget, besides the one before training.
    pub points: Option<usize>,
    /// Fresh tasks of each evaluation.
    pub tasks: Option<usize>,
    /// Measuring episodes per task, before and after adaptation.
    pub episodes: Option<usize>,
    /// Exact V_zeta where the family can be enumerated.
    pub exact: Option<bool>,
    /// Stationarity gap of V_zeta at each evaluation.
    pub gap: Option<bool>,
}

/// Section `[smoke]`: most of each that `--smoke` leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smoke {
    /// Budget of every run; by default four iterations of the dearest arm.
    pub budget: Option<u64>,
    /// Evaluations.
    pub points: Option<usize>,
    /// Evaluation tasks.
    pub tasks: Option<usize>,
    /// Measuring episodes.
    pub episodes: Option<usize>,
    /// Tuning seeds.
    pub tuning: Option<usize>,
    /// Reporting seeds.
    pub reporting: Option<usize>,
    /// Values of each grid key.
    pub grid: Option<usize>,
    /// Families, the first ones.
    pub families: Option<usize>,
}

/// One of `[[families]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Family {
    /// Name in the suite.
    pub name: Option<String>,
    /// Training configuration it starts from: a preset, or a file beside the suite.
    pub preset: Option<String>,
    /// The same for a suite of runs of `online`: a configuration of `online`, or a file beside the suite.
    pub online: Option<String>,
    /// Environment steps each run may spend.
    pub budget: Option<u64>,
    /// Returns that count as 0 and 1 when families are pooled.
    pub score: Option<Score>,
    /// The same as a `preset` or a configuration of `online`, written out.
    pub config: Option<Table>,
    /// Section `[family]` of the training configuration.
    pub family: Option<Table>,
    /// Changed keys, dotted or nested.
    pub set: Table,
}

/// Normalisation of returns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Return that counts as 0.
    pub low: f64,
    /// Return that counts as 1.
    pub high: f64,
}

/// One of `[[arms]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arm {
    /// Name in the suite.
    pub name: Option<String>,
    /// Training configuration whose learner replaces that of the family's: a preset, or a file beside the suite.
    pub preset: Option<String>,
    /// The same for a suite of runs of `online`.
    pub online: Option<String>,
    /// Families it runs on; all by default.
    pub families: Option<Vec<String>>,
    /// The same as a `preset` or a configuration of `online`, written out.
    pub config: Option<Table>,
    /// Changed keys, dotted or nested.
    pub set: Table,
    /// Values to try of each key.
    pub grid: Table,
}

impl Raw {
    /// Reads the mirror from a parsed tree.
    pub(super) fn from_table(table: Table) -> Result<Raw, Fault> {
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
            let path = e.path().to_string();
            explain::fault(&path, e.inner().message())
        })
    }
}
