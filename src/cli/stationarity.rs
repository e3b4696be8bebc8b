//! `stationarity` on the command line.

use super::{count, finite, positive};
use crate::app::stationarity::{DynamicsKind, Request};
use crate::math::gap::Method;
use clap::{ArgGroup, Args, ValueEnum};
use std::path::PathBuf;

/// Shown behind the help.
pub const EXAMPLES: &str = "\
Examples:
  stillpoint stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2
  stillpoint stationarity --mdps my.json --dynamics sampled --inner-batch 2 \\
      --beta 0.1 --tasks-per-batch 50 --iterations 2000 --seeds 5 --out study
  stillpoint stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2 \\
      --assert 'sgmrl.gap < 1e-3'
  stillpoint stationarity navigation/sgmrl --dynamics sampled --beta 1e-3 \\
      --estimators sgmrl-lgo --inner-batch 5 --outer-batch 5 --gap-tasks 1 \\
      --iterations 10 --gap-every 5

An assertion is about the end of every seed. It holds if it holds for the whole
95 % interval of gap, gap_squared and average_gap_squared; value has none and is
taken as it is. average_gap_squared of sampled dynamics needs --seeds 2 or more:
one run gives no interval of its expectation, and nothing holds. A diverged seed fails it. Exit code 4 if one does not hold.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dynamics {
    /// The enumerated expectation of each estimator: no sampling noise
    Expected,
    /// The estimators themselves, with the gap measured along the way
    Sampled,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GapMethod {
    /// All inner batches: exact
    Enumerated,
    /// Sampled inner batches, exact outer expectation
    RaoBlackwell,
    /// Samples only
    UStatistic,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["mdps", "config"]))]
pub struct Stationarity {
    /// MDP file (JSON)
    #[arg(long, value_name = "FILE")]
    mdps: Option<PathBuf>,
    /// Configuration or preset
    config: Option<String>,
    /// Change one key of CONFIG, e.g. --set family.tasks=4 (repeatable)
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "mdps")]
    set: Vec<String>,
    /// What is followed
    #[arg(long, value_enum, default_value_t = Dynamics::Expected)]
    dynamics: Dynamics,
    /// Inner step size [default: the configuration's; 1 with --mdps]
    #[arg(long, value_name = "A", value_parser = finite, allow_negative_numbers = true)]
    alpha: Option<f64>,
    /// Adaptation steps [default: the configuration's; 1 with --mdps]
    #[arg(long, value_name = "Z", value_parser = count())]
    inner_steps: Option<u64>,
    /// Episodes per inner batch [default: the configuration's; 1 with --mdps]
    #[arg(long, value_name = "N", value_parser = count())]
    inner_batch: Option<u64>,
    /// Tasks per meta-batch (sampled dynamics) [default: the configuration's; 20 with --mdps]
    #[arg(long, value_name = "B", value_parser = count())]
    tasks_per_batch: Option<u64>,
    /// Episodes per outer batch [default: the configuration's; 1 with --mdps]
    #[arg(long, value_name = "M", value_parser = count())]
    outer_batch: Option<u64>,
    /// Estimators, comma-separated
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', default_value = "sgmrl,maml")]
    estimators: Vec<String>,
    /// Outer iterations
    #[arg(long, value_name = "K", default_value_t = 1000, value_parser = count())]
    iterations: u64,
    /// Outer step size of plain ascent [default: the configuration's if its optimiser is sgd, else 0.1]
    #[arg(long, value_name = "B", value_parser = positive, allow_negative_numbers = true)]
    beta: Option<f64>,
    /// Start: a JSON file, `zeros`, `random:SEED` or `init` [default: zeros; init for a network]
    #[arg(long, value_name = "FILE|zeros|random:SEED|init")]
    theta: Option<String>,
    /// First seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Number of seeds (sampled dynamics)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    seeds: u64,
    /// Thresholds whose hitting times are reported
    #[arg(
        long,
        value_name = "E,...",
        value_delimiter = ',',
        default_value = "0.1,0.03,0.01",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    epsilon: Vec<f64>,
    /// Iterations between measurements (sampled dynamics) [default: a hundredth of the iterations]
    #[arg(long, value_name = "N", value_parser = count())]
    gap_every: Option<u64>,
    /// How the gap is measured [default: the best feasible way]
    #[arg(long, value_enum)]
    gap_method: Option<GapMethod>,
    /// Groups of a sampled gap [default: 40]
    #[arg(long, value_name = "M", value_parser = count())]
    gap_groups: Option<u64>,
    /// Tasks per group of a sampled gap [default: 10]
    #[arg(long, value_name = "B", value_parser = count())]
    gap_tasks: Option<u64>,
    /// Add a table of MAML's bias over alpha, n and reward offset
    #[arg(long)]
    floor: bool,
    /// Add log-log slopes of sgmrl's mean gap^2 over K and B (needs --seeds 5 or more)
    #[arg(long)]
    rates: bool,
    /// Exit with 4 unless this holds, e.g. --assert 'sgmrl.gap < 1e-3' (repeatable)
    #[arg(long = "assert", value_name = "EXPR")]
    assertions: Vec<String>,
    /// Directory for the record
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the study in --out
    #[arg(long, requires = "out")]
    force: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Stationarity {
    /// What is asked.
    pub fn request(self, quiet: bool) -> Request {
        let size = |n: Option<u64>| n.map(|n| n as usize);
        Request {
            mdps: self.mdps,
            config: self.config,
            set: self.set,
            dynamics: match self.dynamics {
                Dynamics::Expected => DynamicsKind::Expected,
                Dynamics::Sampled => DynamicsKind::Sampled,
            },
            alpha: self.alpha,
            inner_steps: size(self.inner_steps),
            inner_batch: size(self.inner_batch),
            tasks: size(self.tasks_per_batch),
            outer_batch: size(self.outer_batch),
            estimators: self.estimators,
            iterations: self.iterations,
            beta: self.beta,
            theta: self.theta,
            seed: self.seed,
            seeds: self.seeds,
            epsilon: self.epsilon,
            gap_every: self.gap_every,
            method: self.gap_method.map(|m| match m {
                GapMethod::Enumerated => Method::Enumerated,
                GapMethod::RaoBlackwell => Method::RaoBlackwell,
                GapMethod::UStatistic => Method::UStatistic,
            }),
            gap_groups: size(self.gap_groups),
            gap_tasks: size(self.gap_tasks),
            floor: self.floor,
            rates: self.rates,
            assertions: self.assertions,
            out: self.out,
            force: self.force,
            json: self.json,
            quiet,
        }
    }
}
