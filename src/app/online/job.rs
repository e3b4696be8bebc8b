//! The loop of updates: rows, saved states, and how a run ends.

use super::shown::{self, Shown};
use super::{Failure, Interrupt};
use crate::app::clock::Clock;
use crate::app::progress::Progress;
use crate::app::runs::remark;
use crate::config::online::{self as config, Plan};
use crate::learn::online::{Failed, Snapshot, Updates};
use crate::record::online::{self as record, Run};
use crate::record::run::{Session, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

/// The state is written this many seconds after it was written before,
const SAVE_SECONDS: f64 = 0.8;
/// or after this many times the seconds that writing took, if that is longer.
const SAVE_PAUSE: f64 = 100.0;

/// A run to be, and how it talks.
pub(in crate::app) struct Job<'a> {
    pub plan: &'a Plan,
    pub quiet: bool,
    pub interrupt: &'a Interrupt,
    /// Whose processor time is the run's: [`Clock::start`] or [`Clock::of_thread`].
    pub clock: fn(f64) -> Clock,
}

/// A run whose updates are over, for now or for good.
pub(in crate::app) struct Ended<L> {
    run: Run,
    /// The learner as it stands.
    pub learner: L,
    /// What ended the updates before their time, if it was not the user.
    pub failed: Option<Failed>,
}

impl Job<'_> {
    /// Starts the run, or goes on with it, to its end, and prints what was learned.
    pub(super) fn run<L>(&self, session: Session, is_new: bool, learner: L) -> Result<(), Failure>
    where
        L: Updates,
        L::Row: Serialize + DeserializeOwned + Shown,
    {
        let progress = std::cell::OnceCell::new(); // it begins where the run stands
        let total = self.plan.updates();
        let ended = self.work(session, is_new, learner, |learner, row| {
            let progress = progress.get_or_init(|| Progress::new(learner.done() - 1, total, self.quiet));
            progress.tell(learner.done(), || row.line());
        })?;
        progress.into_inner().iter().for_each(Progress::finish);
        let (dir, learner) = self.close(ended)?;
        let rows: Vec<L::Row> =
            record::last(&dir, self.plan.average as usize)?.into_iter().map(|logged| logged.row).collect();
        let text = shown::report(self.plan, &rows, learner.done(), learner.rail(), &dir);
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }

    /// Starts the run, or goes on with it, to its end; `tell` hears of every update.
    pub fn work<L: Updates>(
        &self,
        session: Session,
        is_new: bool,
        mut learner: L,
        tell: impl FnMut(&L, &L::Row),
    ) -> Result<Ended<L>, Failure>
    where
        L::Row: Serialize,
    {
        let run = self.open(session, is_new, &mut learner)?;
        self.drive(run, learner, tell)
    }

    /// The run with the learner at its last state.
    fn open<L: Updates>(&self, session: Session, is_new: bool, learner: &mut L) -> Result<Run, Failure> {
        let config = config::resolved(self.plan);
        if is_new {
            return Ok(Run::start(session, &config, &standing(learner)?)?);
        }
        let dir = session.dir().to_path_buf();
        match Run::resume(session)? {
            Err(session) => {
                remark(self.quiet, "the run was stopped before its first state stood: starting it");
                Ok(Run::start(session, &config, &standing(learner)?)?)
            }
            Ok((run, state)) => {
                let path = dir.join(record::STATE);
                let bad = |why: String| {
                    Failure::Usage(format!("{}: not the state of a run with its config.toml: {why}", path.display()))
                };
                learner.restore(&state).map_err(bad)?;
                remark(self.quiet, &format!("{}: going on after update {}", dir.display(), learner.done()));
                Ok(run)
            }
        }
    }

    /// The loop of updates.
    fn drive<L: Updates>(
        &self,
        mut run: Run,
        mut learner: L,
        mut tell: impl FnMut(&L, &L::Row),
    ) -> Result<Ended<L>, Failure>
    where
        L::Row: Serialize,
    {
        let clock = (self.clock)(run.elapsed());
        let mut saves = Saves::new();
        let mut failed = None;
        while learner.done() < self.plan.updates() && !self.interrupt.requested() {
            let lap = clock.lap();
            let row = match learner.update() {
                Ok(row) => row,
                Err(found) => {
                    failed = Some(found);
                    break;
                }
            };
            run.append(&row, &clock.columns(&lap))?;
            tell(&learner, &row);
            saves.maybe(&mut run, &mut learner)?;
        }
        if !matches!(failed, Some(Failed::Environment { .. })) {
            run.save(&standing(&mut learner)?)?; // environments that failed do not stand where the learner does
        }
        Ok(Ended { run, learner, failed })
    }

    /// Writes down how the run ended; an error says why it is not finished.
    pub fn close<L: Updates>(&self, Ended { run, learner, failed }: Ended<L>) -> Result<(PathBuf, L), Failure> {
        let dir = run.dir().to_path_buf();
        let (total, done, shown) = (self.plan.updates(), learner.done(), dir.display());
        let reason = failed.as_ref().map(Failed::to_string).unwrap_or_default();
        match failed {
            Some(Failed::Diverged { .. }) => {
                let text = format!("diverged: {reason}; {shown} keeps the rows before; try a smaller inner step size");
                run.close(Status::Diverged, done, Some(reason))?;
                return Err(Failure::Diverged(text));
            }
            Some(Failed::Environment { .. }) => {
                let text =
                    format!("{reason}; go on from the last saved state with: stillpoint online --resume --out {shown}");
                run.close(Status::Interrupted, done, Some(reason))?;
                return Err(Failure::Internal(text));
            }
            None => {}
        }
        if done < total {
            run.close(Status::Interrupted, done, None)?;
            return Err(Failure::Interrupted(format!(
                "interrupted after update {done} of {total}, nothing is lost; go on with: stillpoint online --resume --out {shown}"
            )));
        }
        run.close(Status::Finished, done, None)?;
        Ok((dir, learner))
    }
}

/// The learner's state, ready to be written.
pub(in crate::app) fn standing<L: Updates>(learner: &mut L) -> Result<Snapshot, Failure> {
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
    fn maybe<L: Updates>(&mut self, run: &mut Run, learner: &mut L) -> Result<(), Failure> {
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
