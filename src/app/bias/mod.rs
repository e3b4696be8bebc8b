//! `bias`: bias and variance of sampled meta-gradients, point by point of a study.

mod claims;
pub(crate) mod table;

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::runs;
use crate::config::bias::{self as config, Plan, Point};
use crate::config::claims::is_claims;
use crate::config::{Overrides, tree};
use crate::exact::kstep::{Chain, Oracle};
use crate::learn::kstep::{HessianError, Sampling, Task};
use crate::measure::bias::{Setting, measure, oracles, tasks};
use crate::record::bias::Row;
use crate::record::durable::Run;
use crate::record::run::{Opened, Session, Status};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the command line asks of `bias`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Path of a study or name of a shipped one.
    pub study: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Study directory.
    pub out: Option<PathBuf>,
    /// Seed.
    pub seed: Option<u64>,
    /// Continue the study in `out`.
    pub resume: bool,
    /// Replace the study in `out`.
    pub force: bool,
    /// Few estimates of few points.
    pub smoke: bool,
    /// The table of claims instead of a study.
    pub claims: bool,
    /// Confidence of its verdicts; 0.95 if not given.
    pub confidence: Option<f64>,
    /// JSON instead of a table.
    pub json: bool,
    /// No progress and no remarks.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// A study or directory that cannot be used, interruption, or a system that refuses to write.
pub fn run(request: Request) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(request.quiet)?;
    if request.claims && !request.resume {
        return claims::begin(&request, &interrupt);
    }
    let (plan, run, rows) = if request.resume {
        let (session, opened) = enter(&request)?;
        if is_claims(&opened.config) {
            return claims::resume(&request, &interrupt, session, &opened);
        }
        reopen(session, &opened, request.claims)?
    } else {
        begin(&request)?
    };
    runs::remark(request.quiet || request.out.is_some(), &format!("study directory {}", run.dir().display()));
    let rows = follow(&plan, run, rows, &interrupt, request.quiet)?;
    let text = if request.json { table::json(&plan, &rows)? } else { table::text(&plan, &rows) };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn begin(request: &Request) -> Result<(Plan, Run, Vec<Row>), Failure> {
    let Some(name) = &request.study else { return Err(Failure::Usage("a study is needed".into())) };
    let overrides =
        Overrides { set: request.set.clone(), seed: request.seed, smoke: request.smoke, ..Overrides::default() };
    let plan = config::load(name, &overrides)?;
    let session = runs::claim(request.out.clone(), &plan.name, plan.seed, request.force)?;
    let run = Run::start(session, plan.resolved())?;
    Ok((plan, run, Vec::new()))
}

/// Locks the directory to go on with.
fn enter(request: &Request) -> Result<(Session, Opened), Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the study to continue".into()));
    };
    Ok(Session::resume(dir)?)
}

fn reopen(session: Session, opened: &Opened, as_claims: bool) -> Result<(Plan, Run, Vec<Row>), Failure> {
    let refuse = |why: String| Err(Failure::Usage(format!("{}: {why}", opened.dir.display())));
    match (config::is_bias(&opened.config), as_claims) {
        (false, _) => return refuse("is not the directory of a study of `bias`".into()),
        (true, true) => return refuse("is that of a study, not of a table of claims; leave out --claims".into()),
        (true, false) => {}
    }
    let source = opened.config_path().display().to_string();
    let plan = config::parse(&opened.config, &source, tree::Format::Toml, Path::new("."), &Overrides::default())?;
    let (run, rows) = Run::resume(session)?;
    if rows.len() > plan.points.len() {
        return refuse(format!("{} rows, but the study has {} points", rows.len(), plan.points.len()));
    }
    Ok((plan, run, rows))
}

/// The exact side of every problem that was looked at: points of a study often share it.
#[derive(Default)]
struct Known(Vec<(Chain, Vec<Oracle>)>);

impl Known {
    fn oracles(&mut self, plan: &Plan, point: &Point, tasks: &[Task]) -> &[Oracle] {
        let chain = Chain { instance: plan.instance, alpha: point.alpha, steps: point.steps };
        let i = match self.0.iter().position(|(known, _)| *known == chain) {
            Some(i) => i,
            None => {
                self.0.push((chain, oracles(tasks, &chain)));
                self.0.len() - 1
            }
        };
        &self.0[i].1
    }
}

/// The points that are missing, each written as it is measured.
fn follow(
    plan: &Plan,
    mut run: Run,
    mut rows: Vec<Row>,
    interrupt: &Interrupt,
    quiet: bool,
) -> Result<Vec<Row>, Failure> {
    let (clock, dir) = (Clock::start(run.elapsed()), run.dir().display().to_string());
    let total = plan.points.len() as u64;
    let progress = Progress::new(rows.len() as u64, total, quiet).of("point");
    let tasks = tasks(&plan.mdps, plan.gamma);
    let mut known = Known::default();
    for point in &plan.points[rows.len()..] {
        let lap = clock.lap();
        let oracles = known.oracles(plan, point, &tasks);
        let number = rows.len() as u64 + 1;
        let Some(row) = one(plan, point, number, &tasks, oracles, &|| interrupt.requested()) else {
            progress.finish();
            run.close(Status::Interrupted, rows.len() as u64)?;
            return Err(Failure::Interrupted(format!(
                "interrupted after point {} of {total}, which are kept; go on with: stillpoint bias --resume --out {dir}",
                rows.len()
            )));
        };
        run.append(&row, &clock.columns(&lap))?;
        progress.tell(number, || table::line(&row));
        rows.push(row);
    }
    progress.finish();
    run.close(Status::Finished, total)?;
    Ok(rows)
}

/// One point of a study; `None` if it was stopped.
fn one(
    plan: &Plan,
    point: &Point,
    number: u64,
    tasks: &[Task],
    oracles: &[Oracle],
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Row> {
    let sampling = Sampling {
        chain: Chain { instance: plan.instance, alpha: point.alpha, steps: point.steps },
        parts: point.parts,
        noise: plan.noise,
        lambda: plan.lambda,
        error: point.hessian_error.map(|size| HessianError { size, spread: plan.spread }),
    };
    let setting = Setting { sampling, repeats: plan.repeats, seed: plan.seed };
    let mdps = measure(&setting, tasks, oracles, stop)?;
    let label = point.label();
    let [inner, jacobian, outer] = label.parts.map(str::to_string);
    Some(Row {
        point: number,
        problem: plan.problem().into(),
        alpha: point.alpha,
        steps: point.steps as u64,
        trajectories: label.trajectories.map(|n| n as u64),
        tag: label.tag,
        inner,
        jacobian,
        outer,
        hessian_error: point.hessian_error,
        buffer: label.buffer.map(|b| b.size as u64),
        drift: label.buffer.map(|b| b.drift),
        correction: label.buffer.map(|b| b.correction.name().to_string()),
        repeats: plan.repeats as u64,
        sampled: (point.sampled() * plan.repeats * tasks.len()) as u64,
        ..Row::pooled(mdps)
    })
}
