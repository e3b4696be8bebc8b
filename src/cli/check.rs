//! `check` on the command line.

use crate::app::check::Request;
use clap::Args;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint check
  stillpoint check my.toml --set outer.tasks=40
  stillpoint check comp-sample                 points and trajectories of a study of `bias`
  stillpoint check runs/navigation-sgmrl-1-1";

#[derive(Args, Debug)]
pub struct Check {
    /// Configuration file of `train`, `online`, `lola` or `bias`, name of a shipped one (online/NAME where both have it), or
    /// run directory [default: navigation/sgmrl]
    #[arg(value_name = "CONFIG|RUN")]
    target: Option<String>,
    /// Change one key, e.g. --set inner.alpha=0.05 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// As `train --smoke` would run it
    #[arg(long)]
    smoke: bool,
}

impl Check {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let Check { target, set, smoke } = self;
        Request { target, set, smoke, quiet }
    }
}
