//! `train`: starts or continues a run; the one iteration loop.

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{learnt, runs, saved};
use crate::config::gap::GapChoice;
use crate::config::plan::{Plan, Precision};
use crate::config::{self, Loaded, Overrides};
use crate::learn::meta::{Diverged, Learner, Options, State};
use crate::math::real::Real;
use crate::measure::gap::{Gauge, Measured};
use crate::policy::Policy;
use crate::record::checkpoint;
use crate::record::gap::GapRow;
use crate::record::run::{self, Restored, Run, Session, Status};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tasks::family::Family;

/// A checkpoint is written before more than this many seconds of work could be lost (or after one iteration, if longer).
const CHECKPOINT_SECONDS: f64 = 0.8;

/// What the command line asks of `train`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration or name of a preset.
    pub config: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Seed.
    pub seed: Option<u64>,
    /// Outer iterations.
    pub iterations: Option<u64>,
    /// Iterations between measurements of the stationarity gap.
    pub gap_every: Option<u64>,
    /// Continue the run in `out`.
    pub resume: bool,
    /// Replace the run in `out`.
    pub force: bool,
    /// Shrink every size.
    pub smoke: bool,
    /// No progress.
    pub quiet: bool,
}

/// A run to be: what it trains on, and how it talks.
struct Job {
    plan: Plan,
    family: Arc<dyn Family>,
    policy: Policy,
    quiet: bool,
    interrupt: Interrupt,
}

impl Job {
    fn new(loaded: Loaded, quiet: bool, interrupt: Interrupt) -> Result<Job, Failure> {
        let policy = saved::policy(&loaded)?;
        if let Some(choice) = &loaded.plan.gap {
            gauge(&*loaded.family, &policy, &loaded.plan.options, choice, loaded.plan.seed)?;
        }
        Ok(Job { plan: loaded.plan, family: Arc::from(loaded.family), policy, quiet, interrupt })
    }

    fn learner<F: Real>(&self) -> Learner<F> {
        Learner::new(self.family.clone(), self.policy.clone(), self.plan.options.clone(), self.plan.seed)
    }

    fn remark(&self, text: &str) {
        runs::remark(self.quiet, text);
    }
}

/// Runs the command.
///
/// # Errors
/// A configuration or directory that cannot be used, divergence, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(request.quiet)?;
    if request.resume { resume(request, interrupt) } else { start(request, interrupt) }
}

fn start(request: Request, interrupt: Interrupt) -> Result<(), Failure> {
    let Request { config, set, out, seed, iterations, gap_every, force, smoke, quiet, .. } = request;
    let loaded = config::load(
        config.as_deref(),
        &Overrides { set, seed, iterations, gap_every, smoke, ..Overrides::default() },
    )?;
    let notes = loaded.notes.clone();
    let job = Job::new(loaded, quiet, interrupt)?; // whatever can be refused is refused before anything is written
    let session = runs::claim(out, &job.plan.name, job.plan.seed, force)?;
    notes.iter().for_each(|note| job.remark(&format!("note: {note}")));
    job.remark(&format!("run directory {}", session.dir().display()));
    match job.plan.precision {
        Precision::F32 => begin::<f32>(session, job),
        Precision::F64 => begin::<f64>(session, job),
    }
}

fn resume(request: Request, interrupt: Interrupt) -> Result<(), Failure> {
    let quiet = request.quiet;
    let Some(dir) = request.out.clone() else {
        return Err(Failure::Usage("--resume needs --out DIR, the run to continue".into()));
    };
    if request.force {
        return Err(Failure::Usage("--resume continues a run and --force replaces it: give one of them".into()));
    }
    let (session, opened) = Session::resume(&dir)?;
    let recorded = saved::plan(&opened, &Overrides::default())?;
    let loaded = asked_for(&request, &opened)?;
    refuse_changes(&dir, &recorded, &loaded, request.iterations.is_some())?;
    let (done, wanted) = (opened.info.iteration, loaded.plan.iterations);
    if opened.info.status == Status::Finished && wanted == done {
        let text = format!("{}: finished, {done} iterations; --iterations N goes on to N", dir.display());
        return Ok(writeln!(std::io::stdout(), "{text}")?);
    }
    if let Some(done) = checkpoint::list(&dir)?.first().filter(|done| **done > wanted) {
        let text = format!("{}: {done} iterations are done; --iterations must be at least {done}", dir.display());
        return Err(Failure::Usage(text));
    }
    let job = Job::new(loaded, quiet, interrupt)?;
    match job.plan.precision {
        Precision::F32 => go_on::<f32>(session, job),
        Precision::F64 => go_on::<f64>(session, job),
    }
}

/// The configuration the user names, or the run's own, with the flags applied.
fn asked_for(request: &Request, opened: &run::Opened) -> Result<Loaded, Failure> {
    let Request { config, set, seed, iterations, gap_every, smoke, .. } = request;
    let overrides = Overrides {
        set: set.clone(),
        seed: *seed,
        iterations: *iterations,
        gap_every: *gap_every,
        smoke: *smoke,
        ..Overrides::default()
    };
    match config {
        Some(name) => Ok(config::load(Some(name), &overrides)?),
        None => saved::plan(opened, &Overrides { smoke: false, ..overrides }),
    }
}

/// A run goes on under the configuration it was started with, save for the number of iterations.
fn refuse_changes(dir: &Path, recorded: &Loaded, asked: &Loaded, iterations_may_differ: bool) -> Result<(), Failure> {
    let mut same_length = asked.plan.clone();
    if iterations_may_differ {
        same_length.iterations = recorded.plan.iterations;
    }
    let differences = saved::differences(&config::resolved(&recorded.plan), &config::resolved(&same_length));
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{}: the run has another configuration: {}; only --iterations can change",
        dir.display(),
        saved::in_words(&differences)
    )))
}

fn begin<F: Real>(session: Session, job: Job) -> Result<(), Failure> {
    let learner = job.learner::<F>();
    let run = session.start(&config::resolved(&job.plan), job.policy.tensors(), learner.state())?;
    drive(run, learner, &job)
}

fn go_on<F: Real>(session: Session, job: Job) -> Result<(), Failure> {
    let mut learner = job.learner::<F>();
    let dir = session.dir().to_path_buf();
    match session.restore::<F>(&config::resolved(&job.plan), job.policy.tensors())? {
        Restored::Bare(session) => {
            job.remark("the run was stopped before its first checkpoint: starting it");
            begin::<F>(session, job)
        }
        Restored::Ready { run, state, remarks } => {
            remarks.iter().for_each(|r| job.remark(&format!("passed over: {r}")));
            job.remark(&format!("{}: going on after iteration {}", dir.display(), state.iteration));
            learner.restore(state);
            drive(*run, learner, &job)
        }
    }
}

/// The one iteration loop.
fn drive<F: Real>(mut run: Run, mut learner: Learner<F>, job: &Job) -> Result<(), Failure> {
    let total = job.plan.iterations;
    let dir = run.dir().to_path_buf();
    let clock = Clock::start(run.elapsed());
    let progress = Progress::new(learner.state().iteration, total, job.quiet).of("iteration");
    let options = learner.options().clone(); // the learner's own: its estimator may have changed the inner processing
    let gauge = match &job.plan.gap {
        Some(choice) => {
            let gauge = gauge(&*job.family, &job.policy, &options, choice, job.plan.seed)?;
            gauge.remark.iter().for_each(|remark| job.remark(&format!("note: {remark}")));
            Some((choice.every, gauge))
        }
        None => None,
    };
    if let Some((_, gauge)) = gauge.as_ref().filter(|_| learner.state().iteration == 0 && run.measured().is_none()) {
        measure(&mut run, gauge, learner.state(), &clock)?;
    }
    let (mut saved_at, mut saved_iteration) = (Instant::now(), learner.state().iteration);
    let mut outcome = Outcome::Finished;
    while learner.state().iteration < total {
        if job.interrupt.requested() {
            outcome = Outcome::Interrupted;
            break;
        }
        let lap = clock.lap();
        let row = match learner.step() {
            Ok(row) => row,
            Err(diverged) => {
                outcome = Outcome::Diverged(diverged);
                break;
            }
        };
        let columns = clock.columns(&lap);
        run.append(&row, &columns)?;
        progress.row(&row);
        if let Some((_, gauge)) = gauge.as_ref().filter(|(every, _)| row.iteration.is_multiple_of(*every)) {
            measure(&mut run, gauge, learner.state(), &clock)?;
        }
        if saved_at.elapsed().as_secs_f64() + columns[0].1 > CHECKPOINT_SECONDS {
            let now = Instant::now();
            run.checkpoint(learner.state())?;
            (saved_at, saved_iteration) = (now, row.iteration);
        }
    }
    if saved_iteration != learner.state().iteration {
        run.checkpoint(learner.state())?;
    }
    progress.finish();
    conclude(run, outcome, learner.state().iteration, job, &dir)
}

/// The gauge of the objective that the run climbs.
fn gauge<'a>(
    family: &'a dyn Family,
    policy: &'a Policy,
    options: &'a Options,
    choice: &GapChoice,
    seed: u64,
) -> Result<Gauge<'a>, Failure> {
    let gauge = Gauge::new(family, policy, options.gamma, &options.inner, choice.plan, seed);
    gauge.map_err(|why| Failure::Usage(format!("section `gap`: {why}")))
}

/// Measures the gap at the learner's parameters and writes it down. Training streams and rows do not notice.
fn measure<F: Real>(run: &mut Run, gauge: &Gauge<'_>, state: &State<F>, clock: &Clock) -> Result<(), Failure> {
    let begun = Instant::now();
    let Measured { gap, value, environment_steps } = gauge.measure(&state.theta, &state.alpha, state.iteration);
    let row = GapRow {
        iteration: state.iteration,
        environment_steps: state.budget.environment_steps,
        gap,
        value,
        measure_steps: environment_steps,
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok(run.append_gap(&row, clock.since_start())?)
}

enum Outcome {
    Finished,
    Interrupted,
    Diverged(Diverged),
}

fn conclude(run: Run, outcome: Outcome, done: u64, job: &Job, dir: &Path) -> Result<(), Failure> {
    let shown = dir.display();
    match outcome {
        Outcome::Finished => {
            run.close(Status::Finished, done, None)?;
            learnt::print(dir, &job.plan, job.family.finite().is_some())
        }
        Outcome::Interrupted => {
            run.close(Status::Interrupted, done, None)?;
            let total = job.plan.iterations;
            Err(Failure::Interrupted(format!(
                "interrupted after iteration {done} of {total}, nothing is lost; go on with: stillpoint train --resume --out {shown}"
            )))
        }
        Outcome::Diverged(Diverged { iteration, what }) => {
            let reason = format!("{what} was not finite in iteration {iteration}");
            run.close(Status::Diverged, done, Some(reason.clone()))?;
            Err(Failure::Diverged(format!(
                "diverged: {reason}; {shown} keeps the checkpoint after iteration {done}; try a smaller `outer.beta` or \
                 `inner.alpha`, or set `outer.clip_norm`"
            )))
        }
    }
}
