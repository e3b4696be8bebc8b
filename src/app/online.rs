//! `online`: one task, one lifetime; the loop of updates and the closing report.

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Progress;
use crate::config::online::{self as config, Choice, Control, Plan};
use crate::config::{Overrides, tree};
use crate::estimator::online::RailState;
use crate::learn::online::{self as small, Failed, Snapshot, Updates, Values, actor_critic};
use crate::record::online::{self as record, Run};
use crate::record::run::{self, Session, Status};
use crate::rng::{Address, Purpose};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where runs go that are not told where.
const RUNS: &str = "runs";

/// The state is written this many seconds after it was written before,
const SAVE_SECONDS: f64 = 0.8;
/// or after this many times the seconds that writing took, if that is longer.
const SAVE_PAUSE: f64 = 100.0;

/// Updates before the gradient is checked.
const CHECK_AFTER: u64 = 5;

/// What the command line asks of `online`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration or name of a shipped one.
    pub config: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Seed.
    pub seed: Option<u64>,
    /// Continue the run in `out`.
    pub resume: bool,
    /// Replace the run in `out`.
    pub force: bool,
    /// A few updates only.
    pub smoke: bool,
    /// Hold the meta-gradient against finite differences instead of running.
    pub check_gradient: bool,
    /// No progress and no remarks.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// A configuration or directory that cannot be used, divergence, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    if request.check_gradient {
        return check_gradient(request);
    }
    let interrupt = Interrupt::listen(request.quiet)?;
    let quiet = request.quiet;
    let (session, plan, is_new) = if request.resume { reopen(&request)? } else { claim(request)? };
    let job = Job { plan, quiet, interrupt };
    match &job.plan.learner {
        Choice::Small(options) => {
            job.run(session, is_new, small::Learner::new(options.as_ref().clone(), job.plan.seed))
        }
        Choice::ActorCritic(control) => job.run(session, is_new, actor_critic(control, job.plan.seed)?),
    }
}

/// The actor-critic on the one task that the seed draws from a family.
fn actor_critic(control: &Control, seed: u64) -> Result<actor_critic::FamilyLearner, Failure> {
    let Control { family, network, options } = control;
    let family = ::tasks::registry::build(&family.name, &family.params);
    let family = family.map_err(|e| Failure::Internal(e.to_string()))?; // the configuration has built it before
    let task = family.sample(&mut Address::new(seed, Purpose::Task).stream());
    actor_critic::on_family(task, network, options.clone(), seed).map_err(Failure::Internal)
}

/// Prints the meta-gradient after a few updates beside central differences through the whole update.
fn check_gradient(request: Request) -> Result<(), Failure> {
    let Request { config, set, seed, smoke, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    let Choice::ActorCritic(control) = &plan.learner else {
        let text = "--check-gradient is for the actor-critic: a configuration with a section [family]";
        return Err(Failure::Usage(format!("{name}: {text}")));
    };
    if control.options.tunables.learned().is_empty() {
        return Err(Failure::Usage(format!("{name}: no meta-parameter is learned, so there is no meta-gradient")));
    }
    let mut learner = actor_critic(control, plan.seed)?;
    for _ in 1..CHECK_AFTER.min(plan.updates()) {
        learner.step().map_err(unfinished)?;
    }
    let (row, found) = learner.checked_step().map_err(unfinished)?;
    let size = found.iter().fold(0.0, |m: f64, c| m.max(c.difference.abs()));
    let mut text = format!("meta-gradient of -J' in update {}\n", row.update);
    text += &format!("  {:13} {:>14} {:>18}\n", "by", "formula", "finite difference");
    for c in &found {
        text += &format!("  {:13} {:>14.6e} {:>18.6e}\n", c.tunable.name(), c.exact, c.difference);
    }
    let error = found.iter().fold(0.0, |m: f64, c| m.max((c.exact - c.difference).abs())) / size;
    text += &format!("largest error {error:.1e} of the largest entry\n");
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Why a check came to nothing.
fn unfinished(failed: Failed) -> Failure {
    match failed {
        Failed::Diverged { update } => {
            Failure::Diverged(format!("diverged: a parameter was not finite in update {update}"))
        }
        Failed::Environment { update, why } => {
            Failure::Internal(format!("update {update}: the environment failed: {why}"))
        }
    }
}

fn claim(request: Request) -> Result<(Session, Plan, bool), Failure> {
    let Request { config, set, out, seed, force, smoke, quiet, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    let dir = match out {
        Some(dir) => dir,
        None => run::fresh(Path::new(RUNS), &plan.name, plan.seed)?,
    };
    let session = run::claim(&dir, force)?;
    remark(quiet, &format!("run directory {}", dir.display()));
    Ok((session, plan, true))
}

fn reopen(request: &Request) -> Result<(Session, Plan, bool), Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the run to continue".into()));
    };
    let (session, opened) = Session::resume(dir)?;
    let source = opened.config_path().display().to_string();
    let plan = config::parse(&opened.config, &source, tree::Format::Toml, &Overrides::default())?;
    Ok((session, plan, false))
}

fn remark(quiet: bool, text: &str) {
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{text}"); // a closed stderr must not end the run
    }
}

/// A run to be, and how it talks.
struct Job {
    plan: Plan,
    quiet: bool,
    interrupt: Interrupt,
}

impl Job {
    /// Starts the run, or goes on with it, to its end.
    fn run<L>(&self, session: Session, is_new: bool, mut learner: L) -> Result<(), Failure>
    where
        L: Updates,
        L::Row: Serialize + DeserializeOwned + Shown,
    {
        let config = config::resolved(&self.plan);
        if is_new {
            let run = Run::start(session, &config, &standing(&learner)?)?;
            return self.drive(run, learner);
        }
        let dir = session.dir().to_path_buf();
        match Run::resume(session)? {
            Err(session) => {
                remark(self.quiet, "the run was stopped before its first state stood: starting it");
                let run = Run::start(session, &config, &standing(&learner)?)?;
                self.drive(run, learner)
            }
            Ok((run, state)) => {
                let path = dir.join(record::STATE);
                let bad = |why: String| {
                    Failure::Usage(format!("{}: not the state of a run with its config.toml: {why}", path.display()))
                };
                learner.restore(&state).map_err(bad)?;
                remark(self.quiet, &format!("{}: going on after update {}", dir.display(), learner.done()));
                self.drive(run, learner)
            }
        }
    }

    /// The loop of updates.
    fn drive<L>(&self, mut run: Run, mut learner: L) -> Result<(), Failure>
    where
        L: Updates,
        L::Row: Serialize + DeserializeOwned + Shown,
    {
        let total = self.plan.updates();
        let clock = Clock::start(run.elapsed());
        let progress = Progress::new(learner.done(), total, self.quiet);
        let mut saves = Saves::new();
        let mut failed = None;
        while learner.done() < total && !self.interrupt.requested() {
            let lap = clock.lap();
            let row = match learner.update() {
                Ok(row) => row,
                Err(found) => {
                    failed = Some(found);
                    break;
                }
            };
            run.append(&row, &clock.columns(&lap))?;
            progress.tell(learner.done(), || row.line());
            saves.maybe(&mut run, &learner)?;
        }
        if !matches!(failed, Some(Failed::Environment { .. })) {
            run.save(&standing(&learner)?)?; // environments that failed do not stand where the learner does
        }
        progress.finish();
        let dir = run.dir().to_path_buf();
        self.close(run, learner.done(), failed)?;
        let rows: Vec<L::Row> = record::read(&dir)?.into_iter().map(|logged| logged.row).collect();
        let text = self.report(&rows, learner.rail(), &dir);
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }

    /// Writes down how the run ended.
    fn close(&self, run: Run, done: u64, failed: Option<Failed>) -> Result<(), Failure> {
        let dir = run.dir().to_path_buf();
        let (total, shown) = (self.plan.updates(), dir.display());
        match failed {
            Some(Failed::Diverged { update }) => {
                let reason = format!("a parameter was not finite in update {update}");
                run.close(Status::Diverged, done, Some(reason.clone()))?;
                let text = format!("diverged: {reason}; {shown} keeps the rows before; try a smaller inner step size");
                return Err(Failure::Diverged(text));
            }
            Some(Failed::Environment { update, why }) => {
                run.close(
                    Status::Interrupted,
                    done,
                    Some(format!("the environment failed in update {update}: {why}")),
                )?;
                return Err(Failure::Internal(format!(
                    "the environment failed in update {update}: {why}; go on from the last saved state with: stillpoint online \
                     --resume --out {shown}"
                )));
            }
            None => {}
        }
        if done < total {
            run.close(Status::Interrupted, done, None)?;
            return Err(Failure::Interrupted(format!(
                "interrupted after update {done} of {total}, nothing is lost; go on with: stillpoint online --resume --out {shown}"
            )));
        }
        Ok(run.close(Status::Finished, done, None)?)
    }

    /// What the run has learned: means over its last updates.
    fn report<R: Shown>(&self, rows: &[R], rail: &RailState, dir: &Path) -> String {
        let plan = &self.plan;
        let last = &rows[rows.len().saturating_sub(plan.average as usize)..];
        let over = match last.len() {
            1 => "in the last update".to_string(),
            n => format!("mean of the last {n} updates"),
        };
        let mut text = format!("{}: {} updates, seed {}, {}\n", plan.name, rows.len(), plan.seed, dir.display());
        let line = |name: &str, of: &dyn Fn(&R) -> Option<Values>| {
            let values: Vec<Values> = last.iter().filter_map(of).collect();
            if values.is_empty() { String::new() } else { format!("  {name:8} {}\n", average(&values)) }
        };
        text += &format!("{over}:\n");
        text += &line("gamma", &|row| Some(row.eta().0));
        text += &line("lambda", &|row| row.eta().1);
        text += &line("return", &|row| row.achieved().map(Values::Global));
        if rail.not_finite + rail.exploded > 0 {
            text += &format!("meta-gradients skipped: {} not finite, {} exploded\n", rail.not_finite, rail.exploded);
        }
        text
    }
}

/// The learner's state, ready to be written.
fn standing<L: Updates>(learner: &L) -> Result<Snapshot, Failure> {
    learner.snapshot().map_err(|why| Failure::Internal(format!("the environments cannot be saved: {why}")))
}

/// When the state is written: often, but for little of the time.
struct Saves {
    last: Instant,
    pause: f64,
}

impl Saves {
    fn new() -> Saves {
        Saves { last: Instant::now(), pause: SAVE_SECONDS }
    }

    /// Writes the state if it is time.
    fn maybe<L: Updates>(&mut self, run: &mut Run, learner: &L) -> Result<(), Failure> {
        if self.last.elapsed().as_secs_f64() < self.pause {
            return Ok(());
        }
        let start = Instant::now();
        run.save(&standing(learner)?)?;
        self.last = Instant::now();
        self.pause = SAVE_SECONDS.max(SAVE_PAUSE * start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// What of a row the user sees.
trait Shown {
    /// gamma and lambda.
    fn eta(&self) -> (Values, Option<Values>);
    /// Undiscounted return, if an episode has ended.
    fn achieved(&self) -> Option<f64>;
    /// What progress says.
    fn line(&self) -> String {
        let eta = match self.eta() {
            (Values::Global(_), Some(each @ Values::PerState(_))) => format!("lambda {}", shown(&each)),
            (gamma, _) => format!("gamma {}", shown(&gamma)),
        };
        self.achieved().map_or(eta.clone(), |x| format!("{eta}, return {x:.3}"))
    }
}

impl Shown for small::Row {
    fn eta(&self) -> (Values, Option<Values>) {
        (self.gamma.clone(), self.lambda.clone())
    }
    fn achieved(&self) -> Option<f64> {
        Some(self.achieved)
    }
}

impl Shown for actor_critic::Row {
    fn eta(&self) -> (Values, Option<Values>) {
        (Values::Global(self.gamma), Some(Values::Global(self.lambda)))
    }
    fn achieved(&self) -> Option<f64> {
        self.achieved
    }
}

/// One number, or the range of many.
fn shown(values: &Values) -> String {
    match values {
        Values::Global(x) => format!("{x:.5}"),
        Values::PerState(all) => {
            let entered = &all[1..]; // the first state is never entered: its parameter has no effect
            let [low, high] = [f64::min, f64::max].map(|f| entered.iter().copied().reduce(f).unwrap_or(f64::NAN));
            format!("{low:.3} to {high:.3}")
        }
    }
}

/// Means over rows; of a value per state, over the odd and the even states that are entered.
fn average(values: &[Values]) -> String {
    let n = values.len() as f64;
    let of = |state: usize| {
        let one = |v: &Values| match v {
            Values::Global(x) => *x,
            Values::PerState(all) => all[state],
        };
        values.iter().map(one).sum::<f64>() / n
    };
    match &values[0] {
        Values::Global(_) => format!("{:.5}", of(0)),
        Values::PerState(all) => {
            let mean = |first: usize| {
                let states: Vec<f64> = (first..all.len()).step_by(2).map(of).collect();
                states.iter().sum::<f64>() / states.len().max(1) as f64
            };
            format!("{:.3} in odd states (s3, s5, ...), {:.3} in even states (s2, s4, ...)", mean(2), mean(1))
        }
    }
}
