//! Where results go, and what is said beside them.

use super::failure::Failure;
use crate::record::run::{self, Session};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where results go that are not told where, below the working directory.
pub(super) const RUNS: &str = "runs";

/// The directory of a new run or study, `out` or a fresh one of this name and seed.
///
/// # Errors
/// It is in use, holds something, or cannot be written.
pub(super) fn claim(out: Option<PathBuf>, name: &str, seed: u64, force: bool) -> Result<Session, Failure> {
    let dir = match out {
        Some(dir) => dir,
        None => run::fresh(Path::new(RUNS), name, seed)?,
    };
    Ok(run::claim(&dir, force)?)
}

/// A line for people, on the standard error stream.
pub(super) fn remark(quiet: bool, text: &str) {
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{text}"); // a closed stderr must not end the run
    }
}
