//! One run of a suite of runs of `online`: an ordinary run directory that goes on where it stopped, and its record.
//!
//! The record's points are the return of whole episodes under the untrained policy, the mean return of the run's own episodes over
//! equal parts of the budget, and the return of whole episodes under the trained policy, which is the score.

use super::one::blank;
use super::progress::Progress;
use super::schedule::Job;
use crate::app::clock::Clock;
use crate::app::evaluate::online::Subject;
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::app::online::job::Job as Lifetime;
use crate::app::online::{on_atari, on_family};
use crate::budget::Budget;
use crate::config::online::{Choice, Control, Plan, Problem};
use crate::config::suite::Suite;
use crate::learn::online::{Snapshot, Updates};
use crate::math::returns::mean;
use crate::record::run::{self, Contents, Session, Status};
use crate::record::suite::{Outcome, Point, RunRecord};
use crate::record::suite_dir::run_path;
use crate::record::{online, online_rows, snapshot};
use serde::Serialize;
use std::path::Path;

/// Bytes of rows that are held at once.
const PORTION: u64 = 4 << 20;

/// The run of `job` in its directory below `home`, or `None` if it was interrupted: it is kept, and goes on the next time.
///
/// # Errors
/// The system refuses to write, a directory is in use or holds something else, or an environment failed: the suite ends, and can go on
/// from what is saved. A run that diverges is a record.
pub(super) fn run(
    suite: &Suite,
    job: &Job,
    home: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Option<RunRecord>, Failure> {
    let cell = &suite.cells[job.cell];
    let mut record = blank(suite, job);
    let plan = match suite.online_plan(cell.family, cell.arm, &cell.settings[job.setting], job.seed) {
        Ok(plan) => plan,
        Err(error) => return Ok(Some(RunRecord { reason: Some(error.to_string()), ..record })),
    };
    let Choice::ActorCritic(control) = &plan.learner else {
        return Err(Failure::Internal("a suite of small tasks got past its checks".into()));
    };
    let dir = home.join(run_path(&record.family, &record.arm, &record.setting, record.seed));
    let subject = Lived { suite, plan: &plan, control, dir: &dir, interrupt };
    let mut meter = progress.run(cell, suite.families[cell.family].budget);
    let steps = cell.steps_per_iteration[job.setting];
    match subject.live(&mut |updates| meter.spent(updates * steps)) {
        Ok(first) => subject.score(&first, &mut record)?,
        Err(Failure::Interrupted(_)) => return Ok(None),
        Err(Failure::Diverged(why)) => {
            subject.points(&mut record)?;
            (record.outcome, record.reason) = (Outcome::Diverged, Some(why));
        }
        Err(failure) => return Err(failure),
    }
    Ok(Some(record))
}

/// A run that is being made.
struct Lived<'a> {
    suite: &'a Suite,
    plan: &'a Plan,
    control: &'a Control,
    dir: &'a Path,
    interrupt: &'a Interrupt,
}

impl Lived<'_> {
    /// Trains to the end, and returns the state before training.
    fn live(&self, tell: &mut dyn FnMut(u64)) -> Result<Snapshot, Failure> {
        let (options, seed) = (&self.control.options, self.plan.seed);
        match &self.control.problem {
            Problem::Family(family, net) => self.train(on_family((family, net), options, seed)?, tell),
            Problem::Atari(atari, net) => self.train(on_atari::<f32>((atari, net), options, seed)?, tell),
        }
    }

    /// The same for a fresh learner.
    fn train<L: Updates>(&self, mut learner: L, tell: &mut dyn FnMut(u64)) -> Result<Snapshot, Failure>
    where
        L::Row: Serialize,
    {
        let failed = |why: String| Failure::Internal(format!("the environments cannot be saved: {why}"));
        let first = learner.snapshot().map_err(failed)?;
        let (session, is_new) = match run::contents(self.dir)? {
            Contents::Missing | Contents::Empty => (run::claim(self.dir, false)?, true),
            _ => {
                let (session, opened) = Session::resume(self.dir)?;
                if opened.info.status == Status::Finished {
                    return Ok(first); // killed between its end and its record
                }
                (session, false)
            }
        };
        let job = Lifetime { plan: self.plan, quiet: true, interrupt: self.interrupt, clock: Clock::of_thread };
        let ended = job.work(session, is_new, learner, |learner, _| tell(learner.done()))?;
        job.close(ended)?;
        Ok(first)
    }

    /// Plays before and after training, and fills in everything else.
    fn score(&self, first: &Snapshot, record: &mut RunRecord) -> Result<(), Failure> {
        self.points(record)?;
        let state = self.dir.join(online::STATE);
        let missing = || Failure::Usage(format!("{}: missing", state.display()));
        let last = snapshot::load(&state)?.ok_or_else(missing)?;
        let ends = [(first, 0, 0), (&last, record.budget.environment_steps, record.iterations)];
        let mut points = Vec::new();
        for (snapshot, steps, update) in ends {
            let subject = Subject { plan: self.plan, control: self.control, snapshot, state: &state, gif: None };
            let score = subject.score(self.suite.evaluate.episodes)?;
            record.measure_steps += score.steps;
            points.push(point(steps, update, mean(&score.returns)));
        }
        record.points.retain(|p| p.environment_steps < record.budget.environment_steps);
        record.points.insert(0, points.remove(0));
        record.points.append(&mut points);
        record.outcome = Outcome::Finished;
        Ok(())
    }

    /// What the rows say: mean returns over equal parts of the budget, and what the run has spent.
    fn points(&self, record: &mut RunRecord) -> Result<(), Failure> {
        let parts = self.suite.evaluate.points as u64;
        let updates = self.plan.updates();
        let (mut part, mut sums) = (0, [0.0, 0.0]);
        let mut rows = online_rows::follow(self.dir);
        loop {
            let news = rows.poll(PORTION)?;
            for row in &news.items {
                let steps = row.steps.unwrap_or(0);
                let before = record.budget.episodes;
                record.iterations = row.update;
                record.budget = Budget {
                    environment_steps: steps,
                    episodes: row.episodes.unwrap_or(0),
                    gradients: row.update,
                    hvps: 0,
                };
                record.seconds = row.seconds_since_start;
                record.cpu_seconds += row.cpu_seconds.or(row.seconds).unwrap_or(0.0);
                if let Some(achieved) = row.achieved.filter(|x| x.is_finite()) {
                    let count = record.budget.episodes.saturating_sub(before) as f64;
                    sums = [sums[0] + count * achieved, sums[1] + count];
                }
                let due = u128::from(row.update) * u128::from(parts) / u128::from(updates.max(1));
                if due as u64 > part {
                    part = due as u64;
                    if sums[1] > 0.0 {
                        record.points.push(point(steps, row.update, sums[0] / sums[1]));
                    }
                    sums = [0.0, 0.0];
                }
            }
            if !news.more {
                return Ok(());
            }
        }
    }
}

/// Nothing adapts within an episode, so there is no difference between before and after.
fn point(environment_steps: u64, iteration: u64, achieved: f64) -> Point {
    Point { environment_steps, iteration, before: achieved, after: achieved, value: None, gap: None }
}
