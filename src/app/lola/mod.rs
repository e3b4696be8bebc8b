//! `lola`: two players who each differentiate through the other's learning, many seeds beside each other, and naive learners as control.

mod shown;

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::lifetime::Lifetime;
use super::runs;
use crate::config::lola::{self as config, Plan};
use crate::config::{Overrides, tree};
use crate::learn::lola::Learner;
use crate::record::run::Session;
use std::io::Write as _;
use std::path::PathBuf;

/// What the command line asks of `lola`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration or name of a shipped one.
    pub config: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Seed of the first pair.
    pub seed: Option<u64>,
    /// Continue the run in `out`.
    pub resume: bool,
    /// Replace the run in `out`.
    pub force: bool,
    /// A few updates only.
    pub smoke: bool,
    /// One JSON object instead of a table.
    pub json: bool,
    /// No progress and no remarks.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// A configuration or directory that cannot be used, divergence, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(request.quiet)?;
    let (quiet, json) = (request.quiet, request.json);
    let is_new = !request.resume;
    let (session, plan) = if request.resume { reopen(&request)? } else { claim(request)? };
    let life = Lifetime {
        command: "lola",
        config: config::resolved(&plan),
        updates: plan.options.updates,
        remedy: "a smaller `outer.beta` or `inner.alpha`",
        quiet,
        interrupt: &interrupt,
        clock: Clock::start,
    };
    let learner = Learner::new(plan.options.clone(), plan.seed);
    let (dir, _) =
        life.run(session, is_new, learner, |row| format!("reward per step {:.3}", row.standing.reward_per_step.mean))?;
    let text = shown::report(&plan, &dir, json)?;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// The directory of a new run, before anything is computed.
fn claim(request: Request) -> Result<(Session, Plan), Failure> {
    let Request { config, set, out, seed, force, smoke, quiet, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    let session = runs::claim(out, &plan.name, plan.seed, force)?;
    runs::remark(quiet, &format!("run directory {}", session.dir().display()));
    Ok((session, plan))
}

/// The run to go on with.
fn reopen(request: &Request) -> Result<(Session, Plan), Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the run to continue".into()));
    };
    let (session, opened) = Session::resume(dir)?;
    runs::expect(&opened, "lola")?;
    let source = opened.config_path().display().to_string();
    let plan = config::parse(&opened.config, &source, tree::Format::Toml, &Overrides::default())?;
    Ok((session, plan))
}
