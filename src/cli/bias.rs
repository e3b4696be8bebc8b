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
  stillpoint bias --claims                         what holds of what is claimed, with the numbers
  stillpoint bias --claims --out claims            the same kept, a row per claim as it is judged
  stillpoint bias --resume --out claims            a study or claims that were stopped
  stillpoint report claims
  stillpoint bias my.toml --set repeats=1000 --json

Shipped studies: comp-lr, comp-sample, comp-step-num, decompose, hessian-bias, hessian-bias-steps, hessian-samples,
hessian-steps, lirpg-step, lr, off-policy, step-ablation;
configs/README.md says what each shows and explains the keys.";

#[derive(Args, Debug)]
pub struct Bias {
    /// Study file (TOML or JSON) or name of a shipped one
    #[arg(required_unless_present_any = ["resume", "claims"])]
    study: Option<String>,
    /// Change one key, e.g. --set repeats=1000 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Study directory [default: a fresh runs/NAME-SEED-N; with --claims none]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of everything that is sampled
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Measure what is missing of the study (or judge the claims that are missing) in --out
    #[arg(long, requires = "out", conflicts_with_all = ["force", "study", "set", "seed", "smoke", "confidence"])]
    resume: bool,
    /// Replace the study (or claims) in --out
    #[arg(long)]
    force: bool,
    /// Few estimates of few points; explicit flags win
    #[arg(long)]
    smoke: bool,
    /// Judge the claims of Liu et al. (2022) one by one, in a minute or two; written where --out says, else printed only
    #[arg(long, conflicts_with_all = ["study", "set"])]
    claims: bool,
    /// Confidence of the verdicts [default: 0.95]
    #[arg(long, value_name = "P", requires = "claims")]
    confidence: Option<f64>,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Bias {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let Bias { study, set, out, seed, resume, force, smoke, claims, confidence, json } = self;
        Request { study, set, out, seed, resume, force, smoke, claims, confidence, json, quiet }
    }
}
