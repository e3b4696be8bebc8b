//! `online`: one task, one lifetime; the loop of updates and the closing report.

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Progress;
use crate::config::online::{self as config, Plan};
use crate::config::{Overrides, tree};
use crate::learn::online::{Diverged, Learner, Row, Values};
use crate::record::online::{self as record, Logged, Run};
use crate::record::run::{self, Session, Status};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where runs go that are not told where.
const RUNS: &str = "runs";

/// The state is written after at most this many seconds.
const SAVE_SECONDS: f64 = 0.8;

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
    /// No progress and no remarks.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// A configuration or directory that cannot be used, divergence, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(request.quiet)?;
    let quiet = request.quiet;
    let (run, plan, learner) = if request.resume { resume(&request)? } else { start(request)? };
    drive(run, &plan, learner, quiet, &interrupt)
}

fn remark(quiet: bool, text: &str) {
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{text}"); // a closed stderr must not end the run
    }
}

fn start(request: Request) -> Result<(Run, Plan, Learner), Failure> {
    let Request { config, set, out, seed, force, smoke, quiet, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    let dir = match out {
        Some(dir) => dir,
        None => run::fresh(Path::new(RUNS), &plan.name, plan.seed)?,
    };
    let session = run::claim(&dir, force)?;
    remark(quiet, &format!("run directory {}", dir.display()));
    begin(session, plan)
}

fn begin(session: Session, plan: Plan) -> Result<(Run, Plan, Learner), Failure> {
    let learner = Learner::new(plan.options.clone(), plan.seed);
    let run = Run::start(session, &config::resolved(&plan), learner.state())?;
    Ok((run, plan, learner))
}

fn resume(request: &Request) -> Result<(Run, Plan, Learner), Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the run to continue".into()));
    };
    let (session, opened) = Session::resume(dir)?;
    let source = opened.config_path().display().to_string();
    let plan = config::parse(&opened.config, &source, tree::Format::Toml, &Overrides::default())?;
    match Run::resume(session)? {
        Err(session) => {
            remark(request.quiet, "the run was stopped before its first state stood: starting it");
            begin(session, plan)
        }
        Ok((run, state)) => {
            let mut learner = Learner::new(plan.options.clone(), plan.seed);
            if !learner.fits(&state) {
                let path = dir.join(record::STATE);
                let text = format!("{}: not the state of a run with {source}", path.display());
                return Err(Failure::Usage(text));
            }
            remark(request.quiet, &format!("{}: going on after update {}", dir.display(), state.update));
            learner.restore(state);
            Ok((run, plan, learner))
        }
    }
}

/// The loop of updates.
fn drive(mut run: Run, plan: &Plan, mut learner: Learner, quiet: bool, interrupt: &Interrupt) -> Result<(), Failure> {
    let total = plan.options.updates;
    let clock = Clock::start(run.elapsed());
    let progress = Progress::new(learner.state().update, total, quiet);
    let mut saved = Instant::now();
    let mut diverged = None;
    while learner.state().update < total && !interrupt.requested() {
        let lap = clock.lap();
        let row = match learner.step() {
            Ok(row) => row,
            Err(found) => {
                diverged = Some(found);
                break;
            }
        };
        run.append(&row, &clock.columns(&lap))?;
        progress.tell(row.update, || match (&row.gamma, &row.lambda) {
            (Values::Global(_), Some(each @ Values::PerState(_))) => format!("lambda {}", shown(each)),
            (gamma, _) => format!("gamma {}, return {:.3}", shown(gamma), row.achieved),
        });
        if saved.elapsed().as_secs_f64() > SAVE_SECONDS {
            run.save(learner.state())?;
            saved = Instant::now();
        }
    }
    run.save(learner.state())?;
    progress.finish();
    conclude(run, plan, &learner, diverged)
}

fn conclude(run: Run, plan: &Plan, learner: &Learner, diverged: Option<Diverged>) -> Result<(), Failure> {
    let dir = run.dir().to_path_buf();
    let (done, total, shown) = (learner.state().update, plan.options.updates, dir.display());
    if let Some(Diverged { update }) = diverged {
        let reason = format!("a parameter was not finite in update {update}");
        run.close(Status::Diverged, done, Some(reason.clone()))?;
        let text = format!("diverged: {reason}; {shown} keeps the rows before; try a smaller `inner.alpha`");
        return Err(Failure::Diverged(text));
    }
    if done < total {
        run.close(Status::Interrupted, done, None)?;
        return Err(Failure::Interrupted(format!(
            "interrupted after update {done} of {total}, nothing is lost; go on with: stillpoint online --resume --out {shown}"
        )));
    }
    run.close(Status::Finished, done, None)?;
    let rows = record::read(&dir)?;
    Ok(std::io::stdout().write_all(report(plan, learner, &rows, &dir).as_bytes())?)
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

/// What the run has learned: means over its last updates.
fn report(plan: &Plan, learner: &Learner, rows: &[Logged], dir: &Path) -> String {
    let last = &rows[rows.len().saturating_sub(plan.average as usize)..];
    let over = match last.len() {
        1 => "in the last update".to_string(),
        n => format!("mean of the last {n} updates"),
    };
    let mut text = format!("{}: {} updates, seed {}, {}\n", plan.name, rows.len(), plan.seed, dir.display());
    let line = |name: &str, of: &dyn Fn(&Row) -> Option<Values>| {
        let values: Option<Vec<Values>> = last.iter().map(|r| of(&r.row)).collect();
        values.map_or(String::new(), |values| format!("  {name:8} {}\n", average(&values)))
    };
    text += &format!("{over}:\n");
    text += &line("gamma", &|row| Some(row.gamma.clone()));
    text += &line("lambda", &|row| row.lambda.clone());
    text += &line("return", &|row| Some(Values::Global(row.achieved)));
    let rail = &learner.state().rail;
    if rail.not_finite + rail.exploded > 0 {
        text += &format!("meta-gradients skipped: {} not finite, {} exploded\n", rail.not_finite, rail.exploded);
    }
    text
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
