//! `bias` on the command line.

use crate::app::bias::Request;
use clap::Args;
use std::path::PathBuf;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint bias comp-sample                      compositional bias against inner samples, in under a minute
  stillpoint bias decompose --smoke                every part exact or sampled, at toy size
  stillpoint bias lirpg-step --out lirpg
  stillpoint report lirpg
  stillpoint bias my.toml --set repeats=1000 --json

Shipped studies: comp-lr, comp-sample, comp-step-num, decompose, hessian-bias, lirpg-step, lr, step-ablation;
configs/README.md says what each shows and explains the keys.";

#[derive(Args, Debug)]
pub struct Bias {
    /// Study file (TOML or JSON) or name of a shipped one
    #[arg(required_unless_present = "resume")]
    study: Option<String>,
    /// Change one key, e.g. --set repeats=1000 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Study directory [default: a fresh runs/NAME-SEED-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of the trajectories
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Measure what is missing of the study in --out
    #[arg(long, requires = "out", conflicts_with_all = ["force", "study", "set", "seed", "smoke"])]
    resume: bool,
    /// Replace the study in --out
    #[arg(long)]
    force: bool,
    /// Few estimates of few points; explicit flags win
    #[arg(long)]
    smoke: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Bias {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let Bias { study, set, out, seed, resume, force, smoke, json } = self;
        Request { study, set, out, seed, resume, force, smoke, json, quiet }
    }
}
