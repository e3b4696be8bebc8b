//! `evaluate` (placeholder until the driver lands).

use super::failure::Failure;
use std::path::PathBuf;

/// What the command line asks of `evaluate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Run directory.
    pub run: PathBuf,
    /// Adaptation steps.
    pub steps: Option<usize>,
    /// Episodes per adaptation step, one evaluation each.
    pub shots: Vec<usize>,
    /// Fresh tasks.
    pub tasks: usize,
    /// Evaluation seeds.
    pub seeds: usize,
    /// Where to write trajectories.
    pub episodes: Option<PathBuf>,
    /// Where to draw paths.
    pub plot: Option<PathBuf>,
    /// JSON instead of a table.
    pub json: bool,
    /// No messages.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Always, until the driver lands.
pub fn run(_request: Request) -> Result<(), Failure> {
    Err(Failure::Internal("evaluate is not built yet".into()))
}
