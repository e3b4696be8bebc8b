//! A validated training plan: what a configuration file means.

use crate::learn::meta::Options;

/// Scalar type of parameters and networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Single precision (fast; the default).
    F32,
    /// Double precision.
    F64,
}

/// Which family of tasks, with its parameters still in the registry's own keys.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyChoice {
    /// Registry name.
    pub name: String,
    /// Parameters for `tasks::registry::build`.
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// Everything `train` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the run (run directories are `runs/NAME-SEED-N/`).
    pub name: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Outer iterations in total.
    pub iterations: u64,
    /// Scalar type.
    pub precision: Precision,
    /// Family of tasks.
    pub family: FamilyChoice,
    /// Policy.
    pub policy: crate::policy::Spec,
    /// Learner.
    pub options: Options,
    /// Measuring the stationarity gap along the way, if asked for.
    pub gap: Option<super::gap::GapChoice>,
}
