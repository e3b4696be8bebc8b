//! One run of a suite of runs of `online`: an ordinary run directory that goes on where it stopped, and its record.
//!
//! The record's points are the return of whole episodes under the untrained policy, the mean return of the run's own episodes over
//! equal parts of the budget, in the middle of each, and the return of whole episodes under the trained policy, which is the score.

use super::one::blank;
use super::progress::Progress;
use super::schedule::Job;
use crate::app::clock::Clock;
use crate::app::evaluate::online::Subject;
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::app::lifetime::{Lifetime, standing};
use crate::app::online::{games, lifetime, on_atari, on_family};
use crate::budget::Budget;
use crate::config::online::{self as config, Choice, Control, Plan, Problem};
use crate::config::suite::Suite;
use crate::learn::online::{Failed, Snapshot, Updates};
use crate::math::returns::mean;
use crate::record::run::{self, Contents, Session, Status};
use crate::record::suite::{Outcome, Point, RunRecord};
use crate::record::suite_dir::run_path;
use crate::record::{online, online_rows, rows, snapshot};
use serde::Serialize;
use std::path::Path;

/// Bytes of rows that are held at once.
const PORTION: u64 = 4 << 20;

/// The run of `job` in its directory below `home`, or `None` if it was interrupted: it is kept, and goes on the next time.
///
/// # Errors
/// The system refuses to write, or a directory is in use or holds something else: the suite ends, and can go on from what is saved. A run
/// that diverges, or whose environment fails, is a record.
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
    let mut made = || {
        let (first, failed) = subject.live(&mut |updates| meter.spent(updates * steps))?;
        subject.points(&first, &mut record)?;
        (record.outcome, record.reason) = match failed {
            None if record.iterations < plan.updates() => {
                let rows = dir.join(rows::NAME);
                let why = format!("{} rows of a run of {} updates", record.iterations, plan.updates());
                return Err(Failure::Usage(format!("{}: {why}", rows.display())));
            }
            None => (Outcome::Finished, None),
            Some(failed @ Failed::Diverged { .. }) => (Outcome::Diverged, Some(failed.to_string())),
            Some(failed @ Failed::Environment { .. }) => (Outcome::Failed, Some(failed.to_string())),
        };
        subject.score(&first, &mut record)
    };
    match made() {
        Ok(()) => Ok(Some(record)),
        Err(Failure::Interrupted(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Starts every game of the suite once.
///
/// # Errors
/// The emulator or a ROM is missing or wrong.
pub(super) fn try_games(suite: &Suite) -> Result<(), Failure> {
    if !suite.plays_atari() {
        return Ok(());
    }
    for cell in &suite.cells {
        let plan = suite.online_plan(cell.family, cell.arm, &cell.settings[0], suite.reporting[0])?;
        let (arm, family) = (&suite.arms[cell.arm].name, &suite.families[cell.family].name);
        games::ready(&plan, &format!("{}: arm `{arm}` on family `{family}`", suite.source))?;
        if let Choice::ActorCritic(control) = &plan.learner
            && let Problem::Atari(atari, _) = &control.problem
        {
            games::start(atari, 1, plan.seed)?;
        }
    }
    Ok(())
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
    /// Trains to the end, and returns the state before training and what ended it before its time.
    fn live(&self, tell: &mut dyn FnMut(u64)) -> Result<(Snapshot, Option<Failed>), Failure> {
        let (options, seed) = (&self.control.options, self.plan.seed);
        match &self.control.problem {
            Problem::Family(family, net) => self.train(on_family((family, net), options, seed)?, tell),
            Problem::Atari(atari, net) => self.train(on_atari::<f32>((atari, net), options, seed)?, tell),
        }
    }

    /// The same for a fresh learner.
    fn train<L: Updates>(
        &self,
        mut learner: L,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(Snapshot, Option<Failed>), Failure>
    where
        L::Row: Serialize,
    {
        let first = standing(&mut learner)?;
        let (session, is_new) = match run::contents(self.dir)? {
            Contents::Missing | Contents::Empty => (run::claim(self.dir, false)?, true),
            // stopped while it was being set up: there is nothing to lose
            Contents::Run if online::is_bare(self.dir) => (run::claim(self.dir, true)?, true),
            _ => {
                let (session, opened) = Session::resume(self.dir)?;
                if opened.config != config::resolved(self.plan) {
                    return Err(Failure::Usage(format!(
                        "{}: holds a run of another configuration than that of the suite, or of another version; move it away",
                        opened.config_path().display()
                    )));
                }
                if opened.info.status == Status::Finished {
                    return Ok((first, None)); // killed between its end and its record
                }
                (session, false)
            }
        };
        let life = Lifetime { clock: Clock::of_thread, ..lifetime(self.plan, self.interrupt, true) };
        let ended = life.work(session, is_new, learner, |learner, _| tell(learner.done()))?;
        let failed = ended.failed.clone();
        match life.close(ended) {
            Err(failure) if failed.is_none() => Err(failure),
            _ => Ok((first, failed)), // what it says is for the user of a single run
        }
    }

    /// Whole episodes before training and, if the run came to its end, after it.
    fn score(&self, first: &Snapshot, record: &mut RunRecord) -> Result<(), Failure> {
        let state = self.dir.join(online::STATE);
        let played = |snapshot: &Snapshot| {
            let Lived { plan, control, interrupt, .. } = *self;
            Subject { plan, control, snapshot, state: &state, gif: None, interrupt }.score(self.suite.evaluate.episodes)
        };
        let before = played(first)?;
        record.measure_steps += before.steps;
        record.points.insert(0, point(0, 0, mean(&before.returns)));
        if record.outcome == Outcome::Finished {
            let missing = || Failure::Usage(format!("{}: missing", state.display()));
            let after = played(&snapshot::load(&state)?.ok_or_else(missing)?)?;
            record.measure_steps += after.steps;
            record.points.push(point(record.budget.environment_steps, record.iterations, mean(&after.returns)));
        }
        Ok(())
    }

    /// What the rows say: mean returns over equal parts of the budget, each in the middle of its part, and what the run has spent.
    fn points(&self, first: &Snapshot, record: &mut RunRecord) -> Result<(), Failure> {
        let parts = self.suite.evaluate.points as u64;
        let updates = self.plan.updates().max(1);
        let number = |key: &str| first.values.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let mut episodes = number("episodes"); // of the unroll before the first update
        let mut part = Part { begin: number("steps"), ..Part::default() };
        let mut rows = online_rows::follow(self.dir);
        loop {
            let news = rows.poll(PORTION)?;
            for row in &news.items {
                let steps = row.steps.unwrap_or(0);
                let ended = row.episodes.unwrap_or(0).saturating_sub(episodes) as f64;
                episodes = row.episodes.unwrap_or(0);
                record.iterations = row.update;
                record.budget = Budget { environment_steps: steps, episodes, ..Budget::default() };
                record.seconds = row.seconds_since_start;
                record.cpu_seconds += row.cpu_seconds.or(row.seconds).unwrap_or(0.0);
                if let Some(achieved) = row.achieved.filter(|x| x.is_finite()) {
                    (part.sum, part.episodes) = (part.sum + ended * achieved, part.episodes + ended);
                }
                let due = (u128::from(row.update) * u128::from(parts) / u128::from(updates)) as u64;
                if due > part.done {
                    if part.episodes > 0.0 {
                        let middle = part.begin.midpoint(steps);
                        record.points.push(point(middle, row.update, part.sum / part.episodes));
                    }
                    part = Part { done: due, begin: steps, ..Part::default() };
                }
            }
            if !news.more {
                return Ok(());
            }
        }
    }
}

/// A part of the budget while it is read.
#[derive(Default)]
struct Part {
    /// Parts before it.
    done: u64,
    /// Environment steps where it begins.
    begin: u64,
    /// Sum of the returns of the episodes that ended in it.
    sum: f64,
    /// Their number.
    episodes: f64,
}

/// Nothing adapts within an episode, so there is no difference between before and after.
fn point(environment_steps: u64, iteration: u64, achieved: f64) -> Point {
    Point { environment_steps, iteration, before: achieved, after: achieved, value: None, gap: None }
}
