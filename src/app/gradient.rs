//! `gradient` (placeholder until the driver lands).

use super::failure::Failure;
use std::path::PathBuf;

/// How expectations are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every batch, with its probability.
    Enumerate,
    /// Monte Carlo.
    Sample,
}

/// What the command line asks of `gradient`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// MDP file.
    pub mdps: Option<PathBuf>,
    /// Configuration of a tabular family.
    pub config: Option<String>,
    /// FILE, `zeros` or `random:SEED`.
    pub theta: String,
    /// Inner step size.
    pub alpha: Option<f64>,
    /// Inner steps zeta.
    pub inner_steps: usize,
    /// Episodes per inner batch.
    pub inner_batch: usize,
    /// Episodes per outer batch.
    pub outer_batch: usize,
    /// Estimator names.
    pub estimators: Vec<String>,
    /// Enumerate or sample.
    pub mode: Mode,
    /// Samples in `sample` mode.
    pub samples: usize,
    /// Seed in `sample` mode.
    pub seed: u64,
    /// Groups of `sgmrl-lgo`.
    pub groups: Option<usize>,
    /// Most batches to enumerate.
    pub limit: Option<u64>,
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
    Err(Failure::Internal("gradient is not built yet".into()))
}
