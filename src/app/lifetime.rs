//! The life of one learner, update by update (`online`, `lola`): rows, saved states, and how it ends.

use super::clock::Clock;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::runs::remark;
use crate::learn::online::Snapshot;
use crate::learn::updates::{Failed, Updates};
use crate::record::online::{self as record, Run};
use crate::record::run::{Session, Status};
use serde::Serialize;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Instant;

/// The state is written this many seconds after it was written before,
const SAVE_SECONDS: f64 = 0.8;
/// or after this many times the seconds that writing took, if that is longer.
const SAVE_PAUSE: f64 = 100.0;

/// A life to be, and how it talks.
pub struct Lifetime<'a> {
    /// The command that goes on with it.
    pub command: &'static str,
    /// Its resolved configuration.
    pub config: String,
    /// Updates in all.
    pub updates: u64,
    /// What to try where it diverges.
    pub remedy: &'static str,
    pub quiet: bool,
    pub interrupt: &'a Interrupt,
    /// Whose processor time is the run's: [`Clock::start`] or [`Clock::of_thread`].
    pub clock: fn(f64) -> Clock,
}

/// A run whose updates are over, for now or for good.
pub struct Ended<L> {
    run: Run,
    /// The learner as it stands.
    pub learner: L,
    /// What ended the updates before their time, if it was not the user.
    pub failed: Option<Failed>,
}

impl Lifetime<'_> {
    /// Starts the run, or goes on with it, to its end, and shows its progress, of which `line` tells; returns the directory and the
    /// learner.
    ///
    /// # Errors
    /// Divergence, interruption, or a system that refuses to write; the rows so far are kept.
    pub fn run<L: Updates>(
        &self,
        session: Session,
        is_new: bool,
        learner: L,
        line: impl Fn(&L::Row) -> String,
    ) -> Result<(PathBuf, L), Failure>
    where
        L::Row: Serialize,
    {
        let progress = OnceCell::new(); // it begins where the run stands
        let ended = self.work(session, is_new, learner, |learner, row| {
            let progress = progress.get_or_init(|| Progress::new(learner.done() - 1, self.updates, self.quiet));
            progress.tell(learner.done(), || line(row));
        })?;
        progress.into_inner().iter().for_each(Progress::finish);
        self.close(ended)
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
        if is_new {
            return Ok(Run::start(session, &self.config, &standing(learner)?)?);
        }
        let dir = session.dir().to_path_buf();
        match Run::resume(session)? {
            Err(session) => {
                remark(self.quiet, "the run was stopped before its first state stood: starting it");
                Ok(Run::start(session, &self.config, &standing(learner)?)?)
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
        while learner.done() < self.updates && !self.interrupt.requested() {
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
        let (total, done, shown) = (self.updates, learner.done(), dir.display());
        let resume = format!("stillpoint {} --resume --out {shown}", self.command);
        let reason = failed.as_ref().map(Failed::to_string).unwrap_or_default();
        match failed {
            Some(Failed::Diverged { .. }) => {
                let text = format!("diverged: {reason}; {shown} keeps the rows before; try {}", self.remedy);
                run.close(Status::Diverged, done, Some(reason))?;
                return Err(Failure::Diverged(text));
            }
            Some(Failed::Environment { .. }) => {
                let text = format!("{reason}; go on from the last saved state with: {resume}");
                run.close(Status::Interrupted, done, Some(reason))?;
                return Err(Failure::Internal(text));
            }
            None => {}
        }
        if done < total {
            run.close(Status::Interrupted, done, None)?;
            return Err(Failure::Interrupted(format!(
                "interrupted after update {done} of {total}, nothing is lost; go on with: {resume}"
            )));
        }
        run.close(Status::Finished, done, None)?;
        Ok((dir, learner))
    }
}

/// The learner's state, ready to be written.
pub fn standing<L: Updates>(learner: &mut L) -> Result<Snapshot, Failure> {
    learner.snapshot().map_err(|why| Failure::Internal(format!("the state cannot be saved: {why}")))
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
