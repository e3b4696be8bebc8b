//! Where results go, and what is said beside them.

use super::failure::Failure;
use crate::config::{any, tree};
use crate::record::run::{self, Opened, Session};
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

/// Refuses to go on with the run of another command; a configuration that is not even TOML passes: its parser says what is wrong.
///
/// # Errors
/// It is one of another command.
pub(super) fn expect(opened: &Opened, command: &str) -> Result<(), Failure> {
    let is_toml = tree::parse(&opened.config, tree::Format::Toml).is_ok(); // else the parser says what is wrong
    match any::command(&opened.config) {
        own if own == command || !is_toml => Ok(()),
        other => {
            let dir = opened.dir.display();
            let text = format!("{dir}: is a run of `{other}`; go on with: stillpoint {other} --resume --out {dir}");
            Err(Failure::Usage(text))
        }
    }
}

/// A line for people, on the standard error stream.
pub(super) fn remark(quiet: bool, text: &str) {
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{text}"); // a closed stderr must not end the run
    }
}
