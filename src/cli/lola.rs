//! `lola` on the command line.

use crate::app::lola::Request;
use clap::Args;
use std::path::PathBuf;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint lola ipd-exact                      everything exact: tit for tat within a second
  stillpoint lola ipd-sampled --out sampled      the published default, ten seeds, naive learners beside
  stillpoint lola ipd-sampled --set value.target=reward      with the value tables of the published code
  stillpoint lola ipd-off-policy --json
  stillpoint lola ipd-exact --set inner.steps=0  naive learners
  stillpoint lola ipd-exact --set 'game={payoffs=[[-2, 0, -3, -1], [-2, -3, 0, -1]]}'
  stillpoint lola --resume --out sampled
  stillpoint report sampled

Shipped configurations: chicken, ipd-exact, ipd-exact-random, ipd-inner-1024, ipd-inner-exact, ipd-jacobian-1024,
ipd-jacobian-exact, ipd-jacobian-off-policy, ipd-off-policy, ipd-sampled, ipd-separate, ipd-value-1024, ipd-value-exact,
ipd-value-off-policy, matching-pennies, stag-hunt; configs/README.md says what each shows and explains the keys.";

#[derive(Args, Debug)]
pub struct Lola {
    /// Configuration file (TOML or JSON) or name of a shipped one
    #[arg(required_unless_present = "resume")]
    config: Option<String>,
    /// Change one key, e.g. --set inner.alpha=0.5 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run directory [default: a fresh runs/NAME-SEED-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of the first pair of players; the others have the following ones
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Continue the run in --out under its own configuration
    #[arg(long, requires = "out", conflicts_with_all = ["force", "config", "set", "seed", "smoke"])]
    resume: bool,
    /// Replace the run in --out
    #[arg(long)]
    force: bool,
    /// A few updates only; explicit flags win
    #[arg(long)]
    smoke: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Lola {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let Lola { config, set, out, seed, resume, force, smoke, json } = self;
        Request { config, set, out, seed, resume, force, smoke, json, quiet }
    }
}
