//! `train` (placeholder until the driver lands).

use super::failure::Failure;
use std::path::PathBuf;

/// What the command line asks of `train`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration or name of a preset.
    pub config: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Seed.
    pub seed: Option<u64>,
    /// Outer iterations.
    pub iterations: Option<u64>,
    /// Continue the run in `out`.
    pub resume: bool,
    /// Replace the run in `out`.
    pub force: bool,
    /// Shrink every size.
    pub smoke: bool,
    /// No progress.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Always, until the driver lands; a wrong configuration is already refused.
pub fn run(request: Request) -> Result<(), Failure> {
    let overrides = crate::config::Overrides {
        set: request.set,
        seed: request.seed,
        iterations: request.iterations,
        smoke: request.smoke,
    };
    crate::config::load(request.config.as_deref(), &overrides)?;
    Err(Failure::Internal("train is not built yet".into()))
}
