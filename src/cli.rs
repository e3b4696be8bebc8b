//! The command line: what can be asked, with help, and how the process ends.

use crate::app::{self, failure::Failure};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

mod bias;
mod check;
mod lola;
mod online;
mod setup;
mod stationarity;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("STILLPOINT_COMMIT"), ")");

const EXAMPLES: &str = "\
Examples:
  stillpoint                                   train the default preset, navigation/sgmrl
  stillpoint train navigation/sgmrl --smoke    the same at toy size, in about a second
  stillpoint train my.toml --set outer.estimator=maml --seed 2
  stillpoint evaluate runs/navigation-sgmrl-1-1
  stillpoint compare bandits                   estimators against each other at equal budget
  stillpoint report RUN_OR_SUITE               one page of figures, tables and who won
  stillpoint stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2
  stillpoint gradient --mdps my.json --theta zeros --alpha 1 --inner-batch 2 --estimators sgmrl,maml
  stillpoint tasks --show navigation/sgmrl

Exit codes: 0 finished, 1 internal error, 2 usage or configuration, 3 diverged (run kept),
4 a check did not hold, 130 interrupted (checkpoint written).";

/// Meta-reinforcement learning that says how far each run is from a stationary point.
#[derive(Debug, Parser)]
#[command(name = "stillpoint", version = VERSION, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// No progress and no remarks; results and errors are still printed.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train an initialisation over a family of tasks (the default command).
    #[command(after_help = TRAIN_EXAMPLES)]
    Train(Train),
    /// Returns after 0..K adaptation steps on fresh tasks: does adaptation help?
    #[command(after_help = EVALUATE_EXAMPLES)]
    Evaluate(Evaluate),
    /// Run a suite: estimators against each other at an equal budget of environment steps.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Compare),
    /// Hold gradient estimators against the exact gradient of a tabular family.
    #[command(after_help = GRADIENT_EXAMPLES)]
    Gradient(Gradient),
    /// Follow an ascent and its stationarity gap, beside what the theory promises.
    #[command(after_help = stationarity::EXAMPLES)]
    Stationarity(stationarity::Stationarity),
    /// Adapt gamma and lambda online, by meta-gradients within one task.
    #[command(after_help = online::EXAMPLES)]
    Online(online::Online),
    /// How wrong each meta-gradient is: bias and variance against the exact one on tabular MDPs.
    #[command(after_help = bias::EXAMPLES)]
    Bias(bias::Bias),
    /// Two players of an iterated game, each differentiating through the other's learning (LOLA-DiCE).
    #[command(after_help = lola::EXAMPLES)]
    Lola(lola::Lola),
    /// Watch a run while it trains, or look at one that has ended.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(Watch),
    /// One HTML page with figures and tables from finished or half-finished runs and suites.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Validate a configuration or a run without running; print what it would do.
    #[command(after_help = check::EXAMPLES)]
    Check(check::Check),
    /// List the families of tasks.
    #[command(after_help = "Examples:\n  stillpoint tasks\n  stillpoint tasks --show navigation/sgmrl")]
    Tasks(Tasks),
    /// Install what is not part of this program: the Atari emulator.
    #[command(after_help = setup::EXAMPLES)]
    Setup(setup::Setup),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  stillpoint completions bash > ~/.local/share/bash-completion/completions/stillpoint"
    )]
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
}

const TRAIN_EXAMPLES: &str = "\
Examples:
  stillpoint train                                     the default preset
  stillpoint train navigation/sgmrl-2-steps --seed 3   another preset, another seed
  stillpoint train my.toml --set inner.alpha=0.05 --set 'policy.hidden=[64, 64]'
  stillpoint train --resume --out runs/navigation-sgmrl-1-1
  stillpoint train --resume --out runs/navigation-sgmrl-1-1 --iterations 1000

`stillpoint check CONFIG` says what a run would do; configs/README.md lists the presets.";

const EVALUATE_EXAMPLES: &str = "\
Examples:
  stillpoint evaluate runs/navigation-sgmrl-1-1
  stillpoint evaluate runs/navigation-sgmrl-1-1 --steps 3 --shots 5,10,20 --json
  stillpoint evaluate runs/navigation-sgmrl-1-1 --plot paths.svg --episodes paths.csv";

const COMPARE_EXAMPLES: &str = "\
Examples:
  stillpoint compare tabular --smoke                     a shipped suite at toy size, in seconds
  stillpoint compare tabular --out runs/tabular --jobs 2
  stillpoint compare --resume --out runs/tabular         the runs that are missing, and no other
  stillpoint compare my-suite.toml --out runs/mine
  stillpoint compare online-cartpole                     runs of `online`: learn nothing, lambda, gamma or both

Shipped suites: analytic, bandits, classic-control, navigation, tabular; of runs of `online`: atari-meta, online-cartpole.
configs/README.md says what each shows and what it costs, and explains the format. A run that diverges or fails is a row of
the result, not the end. Ctrl-C keeps the runs that are finished, and where those of `online` stand.";

const GRADIENT_EXAMPLES: &str = "\
Examples:
  stillpoint gradient --mdps my.json --theta zeros --alpha 1 --inner-batch 2 --estimators sgmrl,maml
  stillpoint gradient --mdps my.json --theta random:7 --alpha 1 --mode sample --samples 100000 --json";

const WATCH_EXAMPLES: &str = "\
Examples:
  stillpoint watch runs/navigation-sgmrl-1-1           charts on the terminal; ? explains the keys, q quits
  stillpoint watch runs/navigation-sgmrl-1-1 --once    how far is it?
  stillpoint watch runs/navigation-sgmrl-1-1 --plain --every 10 | tee log.txt

Only reads the run directory. Without a terminal it prints lines (--plain) until the run ends, whatever way it ends. Studies
and claims of `bias` and runs of `lola` are followed as lines; `report` draws them.
NO_COLOR=1 turns colours off.";
const REPORT_EXAMPLES: &str = "\
Examples:
  stillpoint report runs/navigation-sgmrl-1-1              writes runs/navigation-sgmrl-1-1/report/report.html
  stillpoint report runs/compare-bandits-1
  stillpoint report claims                                 the table of `bias --claims --out claims`
  stillpoint report runs/a-1-1 runs/a-2-1 --out both       runs that differ by their seed only are one group with bands

A half-written run or suite gives a partial report that says on top what is missing.";

#[derive(Args, Debug, Default)]
struct Train {
    /// Configuration file (TOML or JSON) or name of a preset [default: navigation/sgmrl]
    config: Option<String>,
    /// Change one key, e.g. --set inner.alpha=0.05 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run directory [default: a fresh runs/NAME-SEED-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of every random stream
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Outer iterations in total
    #[arg(long, value_name = "N")]
    iterations: Option<u64>,
    /// Measure the stationarity gap every N iterations into gap.jsonl (rows do not change)
    #[arg(long, value_name = "N")]
    gap_every: Option<u64>,
    /// Continue the run in --out; needs no CONFIG
    #[arg(long, requires = "out", conflicts_with = "force")]
    resume: bool,
    /// Replace the run in --out
    #[arg(long)]
    force: bool,
    /// Shrink every size to run in about a second; explicit flags win
    #[arg(long)]
    smoke: bool,
}

impl Train {
    fn request(self, quiet: bool) -> app::train::Request {
        let Train { config, set, out, seed, iterations, gap_every, resume, force, smoke } = self;
        app::train::Request { config, set, out, seed, iterations, gap_every, resume, force, smoke, quiet }
    }
}

#[derive(Args, Debug)]
struct Evaluate {
    /// Run directory
    run: PathBuf,
    /// Adaptation steps K [default: those of the run]
    #[arg(long, value_name = "K", value_parser = count())]
    steps: Option<u64>,
    /// Episodes per adaptation step, comma-separated [default: those of the run]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = count())]
    shots: Vec<u64>,
    /// Fresh tasks [default: 40]
    #[arg(long, value_name = "N", value_parser = count())]
    tasks: Option<u64>,
    /// Evaluation seeds [default: 1]
    #[arg(long, value_name = "S", value_parser = count())]
    seeds: Option<u64>,
    /// Episodes to play with a run of `online` [default: 30]
    #[arg(long, value_name = "N", value_parser = count())]
    count: Option<u64>,
    /// Draw the first episode of an Atari game
    #[arg(long, value_name = "FILE.gif")]
    gif: Option<PathBuf>,
    /// Dump trajectories as CSV
    #[arg(long, value_name = "FILE.csv")]
    episodes: Option<PathBuf>,
    /// Draw navigation paths before and after adaptation
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Compare {
    /// Suite file (TOML) or name of a shipped suite
    #[arg(required_unless_present = "resume")]
    suite: Option<String>,
    /// Shrink budget, seeds, grids and every size to run in seconds
    #[arg(long)]
    smoke: bool,
    /// Suite directory [default: a fresh runs/compare-NAME-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the suite in --out; needs no SUITE
    #[arg(long, requires = "out", conflicts_with = "force")]
    resume: bool,
    /// Replace the suite in --out
    #[arg(long)]
    force: bool,
    /// Runs at a time, one thread each; no result depends on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Every batch with its probability: exact
    Enumerate,
    /// Monte Carlo, with a test against the exact gradient
    Sample,
}

#[derive(Args, Debug)]
struct Gradient {
    /// MDP file (JSON)
    #[arg(long, value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    mdps: Option<PathBuf>,
    /// Configuration or preset of a tabular family
    config: Option<String>,
    /// Policy parameters: a JSON file, `zeros` or `random:SEED`
    #[arg(long, value_name = "FILE|zeros|random:SEED", default_value = "zeros")]
    theta: String,
    /// Inner step size [default: the configuration's]
    #[arg(long, value_name = "A", value_parser = finite, allow_negative_numbers = true)]
    alpha: Option<f64>,
    /// Adaptation steps
    #[arg(long, value_name = "Z", default_value_t = 1, value_parser = count())]
    inner_steps: u64,
    /// Episodes per inner batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    inner_batch: u64,
    /// Episodes per outer batch
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = count())]
    outer_batch: u64,
    /// Estimators, comma-separated [default: sgmrl,sgmrl-lgo,maml; without sgmrl-lgo for several inner steps]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    estimators: Vec<String>,
    /// How expectations are taken
    #[arg(long, value_enum, default_value_t = Mode::Enumerate)]
    mode: Mode,
    /// Samples (mode `sample`)
    #[arg(long, value_name = "K", default_value_t = 10_000, value_parser = count())]
    samples: u64,
    /// Seed (mode `sample`)
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Groups of sgmrl-lgo [default: one episode each]
    #[arg(long, value_name = "M", value_parser = count())]
    groups: Option<u64>,
    /// Most batches to enumerate
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Watch {
    /// Run directory
    run: PathBuf,
    /// Lines instead of charts: the state, then one line per new row until the run ends
    #[arg(long)]
    plain: bool,
    /// Print the state and exit
    #[arg(long, conflicts_with_all = ["plain", "every"])]
    once: bool,
    /// Print rows whose number N divides (with --plain)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    every: u64,
}

#[derive(Args, Debug)]
struct Report {
    /// Directories of runs, suites, studies or claims, or files of `gradient --json`
    #[arg(value_name = "RUN_OR_SUITE", required = true)]
    inputs: Vec<PathBuf>,
    /// Directory of the report [default: `report` inside the run or suite]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Tasks {
    /// Print every constant of one family
    #[arg(long, value_name = "NAME")]
    show: Option<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Most a count on the command line may be; memory is checked where it is known.
fn count() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=1_000_000_000)
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err("a finite number, 0 or more, is needed".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(x),
        _ => Err("a finite number above 0 is needed".into()),
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let quiet = cli.quiet;
    match cli.command.unwrap_or_else(|| Command::Train(Train::default())) {
        Command::Train(t) => app::train::run(t.request(quiet)),
        Command::Evaluate(e) => app::evaluate::run(app::evaluate::Request {
            run: e.run,
            steps: e.steps.map(|n| n as usize),
            shots: e.shots.into_iter().map(|n| n as usize).collect(),
            tasks: e.tasks.map(|n| n as usize),
            seeds: e.seeds.map(|n| n as usize),
            count: e.count.map(|n| n as usize),
            gif: e.gif,
            episodes: e.episodes,
            plot: e.plot,
            json: e.json,
            quiet,
        }),
        Command::Compare(Compare { suite, smoke, out, resume, force, jobs }) => {
            let jobs = jobs.map(|n| n as usize);
            app::compare::run(app::compare::Request { suite, smoke, out, resume, force, jobs, quiet })
        }
        Command::Gradient(g) => app::gradient::run(app::gradient::Request {
            mdps: g.mdps,
            config: g.config,
            theta: g.theta,
            alpha: g.alpha,
            inner_steps: g.inner_steps as usize,
            inner_batch: g.inner_batch as usize,
            outer_batch: g.outer_batch as usize,
            estimators: g.estimators,
            mode: match g.mode {
                Mode::Enumerate => app::gradient::Mode::Enumerate,
                Mode::Sample => app::gradient::Mode::Sample,
            },
            samples: g.samples as usize,
            seed: g.seed,
            groups: g.groups.map(|n| n as usize),
            limit: g.limit,
            json: g.json,
            quiet,
        }),
        Command::Stationarity(s) => app::stationarity::run(s.request(quiet)),
        Command::Bias(b) => app::bias::run(b.request(quiet)),
        Command::Online(o) => app::online::run(o.request(quiet)),
        Command::Lola(l) => app::lola::run(l.request(quiet)),
        Command::Watch(Watch { run, plain, once, every }) => {
            app::watch::run(app::watch::Request { run, plain, once, every, quiet })
        }
        Command::Report(Report { inputs, out }) => app::report::run(app::report::Request { inputs, out, quiet }),
        Command::Check(c) => app::check::run(c.request(quiet)),
        Command::Tasks(Tasks { show, json }) => app::tasks::run(app::tasks::Request { show, json, quiet }),
        Command::Setup(s) => app::setup::run(s.request(quiet)),
        Command::Completions { shell } => {
            app::completions::run(app::completions::Request { shell, command: Cli::command() })
        }
    }
}

/// Whether a panic is only a reader that went away, as in `stillpoint tasks | head -1`.
fn is_broken_pipe(payload: &(dyn std::any::Any + Send)) -> bool {
    payload.downcast_ref::<String>().is_some_and(|m| m.contains("failed printing to") && m.contains("Broken pipe"))
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !is_broken_pipe(info.payload()) {
            default_hook(info);
        }
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match std::panic::catch_unwind(|| dispatch(cli)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            let message = failure.to_string();
            // A closed stdout is the reader's choice, not a failure.
            if matches!(failure, Failure::Internal(_)) && message.contains("Broken pipe") {
                return ExitCode::SUCCESS;
            }
            let prefix = if matches!(failure, Failure::Interrupted(_)) { "" } else { "error: " };
            let _ = writeln!(std::io::stderr(), "{prefix}{message}");
            ExitCode::from(failure.code())
        }
        Err(payload) if is_broken_pipe(&*payload) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_accepts_quiet_on_either_side() {
        for line in [
            "-q",
            "-q train",
            "train -q",
            "evaluate r -q",
            "gradient c -q",
            "stationarity c -q",
            "online c -q",
            "lola c -q",
            "watch r -q",
            "report r -q",
            "compare s -q",
            "check -q",
            "tasks -q",
            "setup atari -q",
            "completions -q bash",
        ] {
            let words = std::iter::once("stillpoint").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).expect(line).quiet, "{line}");
        }
    }
}
