//! The loop of updates of `lola`: rows, saved states, and how a run ends.

use crate::app::clock::Clock;
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::app::progress::Progress;
use crate::app::runs::remark;
use crate::config::lola::{self as config, Plan};
use crate::learn::lola::{Diverged, Learner};
use crate::learn::online::Snapshot;
use crate::record::online::{Run, STATE};
use crate::record::run::{Session, Status};
use std::path::PathBuf;
use std::time::Instant;

/// The state is written this many seconds after it was written before,
const SAVE_SECONDS: f64 = 2.0;
/// or after this many times the seconds that writing took, if that is longer.
const SAVE_PAUSE: f64 = 50.0;

fn standing(learner: &Learner) -> Result<Snapshot, Failure> {
    learner.snapshot().map_err(|why| Failure::Internal(format!("the state cannot be written: {why}")))
}

/// The run with the learner at its last state.
fn open(session: Session, is_new: bool, plan: &Plan, learner: &mut Learner, quiet: bool) -> Result<Run, Failure> {
    let config = config::resolved(plan);
    if is_new {
        return Ok(Run::start(session, &config, &standing(learner)?)?);
    }
    let dir = session.dir().to_path_buf();
    match Run::resume(session)? {
        Err(session) => {
            remark(quiet, "the run was stopped before its first state stood: starting it");
            Ok(Run::start(session, &config, &standing(learner)?)?)
        }
        Ok((run, state)) => {
            let path = dir.join(STATE);
            learner.restore(&state).map_err(|why| {
                Failure::Usage(format!("{}: not the state of a run with its config.toml: {why}", path.display()))
            })?;
            remark(quiet, &format!("{}: going on after update {}", dir.display(), learner.done()));
            Ok(run)
        }
    }
}

/// Starts the run, or goes on with it, to its end; says where it lies.
///
/// # Errors
/// Divergence, interruption, or a system that refuses to write; the rows so far are kept.
pub(super) fn run(
    session: Session,
    is_new: bool,
    plan: &Plan,
    quiet: bool,
    interrupt: &Interrupt,
) -> Result<PathBuf, Failure> {
    let mut learner = Learner::new(plan.options.clone(), plan.seed);
    let mut run = open(session, is_new, plan, &mut learner, quiet)?;
    let total = plan.options.updates;
    let clock = Clock::start(run.elapsed());
    let progress = Progress::new(learner.done(), total, quiet);
    let (mut saved, mut pause) = (Instant::now(), SAVE_SECONDS);
    let mut diverged = None;
    while learner.done() < total && !interrupt.requested() {
        let lap = clock.lap();
        let row = match learner.step() {
            Ok(row) => row,
            Err(found) => {
                diverged = Some(found);
                break;
            }
        };
        run.append(&row, &clock.columns(&lap))?;
        progress.tell(row.update, || format!("reward per step {:.3}", row.standing.reward_per_step.mean));
        if saved.elapsed().as_secs_f64() > pause {
            let start = Instant::now();
            run.save(&standing(&learner)?)?;
            saved = Instant::now();
            pause = SAVE_SECONDS.max(SAVE_PAUSE * start.elapsed().as_secs_f64());
        }
    }
    progress.finish();
    let dir = run.dir().to_path_buf();
    let shown = dir.display();
    let done = learner.done();
    if let Some(Diverged { update }) = diverged {
        let why = format!("a logit was not finite in update {update}");
        run.close(Status::Diverged, done, Some(why.clone()))?;
        let text =
            format!("diverged: {why}; {shown} keeps the rows before; try a smaller `outer.beta` or `inner.alpha`");
        return Err(Failure::Diverged(text));
    }
    run.save(&standing(&learner)?)?;
    if done < total {
        run.close(Status::Interrupted, done, None)?;
        return Err(Failure::Interrupted(format!(
            "interrupted after update {done} of {total}, nothing is lost; go on with: stillpoint lola --resume --out {shown}"
        )));
    }
    run.close(Status::Finished, done, None)?;
    Ok(dir)
}
