//! Which run comes next: tuning before reporting, longest first, on a few threads; the choice of settings in between.

use super::one;
use super::progress::{Progress, work};
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::config::suite::Suite;
use crate::record::selection;
use crate::record::suite::{Phase, RunRecord};
use crate::record::suite_dir::{Choice, setting_name};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One run to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    /// Index of the cell.
    pub(super) cell: usize,
    /// Index of the setting.
    pub(super) setting: usize,
    /// Seed.
    pub(super) seed: u64,
    /// Tuning or reporting.
    pub(super) phase: Phase,
}

/// Makes one run: its record, or `None` if it was interrupted; an error ends the suite.
pub(super) type Runner<'a> = &'a (dyn Fn(&Job, &Progress) -> Result<Option<RunRecord>, Failure> + Sync);

/// What the directory is told.
pub(super) trait Sink: Sync {
    /// A run has ended.
    fn record(&self, record: &RunRecord) -> Result<(), Failure>;
    /// A setting was chosen; all choices so far, in the order of the cells.
    fn chosen(&self, choices: &[Choice]) -> Result<(), Failure>;
}

/// State that the workers share.
struct Board<'a> {
    suite: &'a Suite,
    /// Records of earlier sessions that nobody has asked for yet.
    kept: HashMap<Job, RunRecord>,
    /// Runs that can begin, the next one last.
    ready: Vec<Job>,
    running: usize,
    /// Records of each cell's tuning runs, by setting.
    tuning: Vec<Vec<Vec<RunRecord>>>,
    chosen: Vec<Option<usize>>,
    done: Vec<RunRecord>,
    failure: Option<Failure>,
}

impl std::hash::Hash for Job {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.cell, self.setting, self.seed, self.phase).hash(state);
    }
}

/// The job that a record of an earlier session belongs to, if the suite has one.
fn job_of(suite: &Suite, record: &RunRecord) -> Option<Job> {
    let name = setting_name(&record.setting);
    let named = |c: &usize| {
        let cell = &suite.cells[*c];
        suite.families[cell.family].name == record.family && suite.arms[cell.arm].name == record.arm
    };
    let cell = (0..suite.cells.len()).find(named)?;
    let setting = suite.cells[cell].settings.iter().position(|s| setting_name(s) == name)?;
    Some(Job { cell, setting, seed: record.seed, phase: record.phase })
}

impl<'a> Board<'a> {
    fn new(suite: &'a Suite, kept: Vec<RunRecord>) -> Board<'a> {
        let kept = kept.into_iter().filter_map(|r| Some((job_of(suite, &r)?, r))).collect();
        let tuning = suite.cells.iter().map(|c| vec![Vec::new(); c.settings.len()]).collect();
        let mut board = Board {
            suite,
            kept,
            ready: Vec::new(),
            running: 0,
            tuning,
            chosen: vec![None; suite.cells.len()],
            done: Vec::new(),
            failure: None,
        };
        for (c, cell) in suite.cells.iter().enumerate() {
            if cell.is_tuned() {
                let of = |s: usize| suite.tuning.iter().map(move |&seed| (s, seed));
                board.add(c, Phase::Tuning, (0..cell.settings.len()).flat_map(of).collect());
            }
            if suite.report_grid {
                let of = |s: usize| suite.reporting.iter().map(move |&seed| (s, seed));
                board.add(c, Phase::Reporting, (0..cell.settings.len()).flat_map(of).collect());
            }
            board.choose(c);
        }
        board
    }

    /// Adds runs, those of earlier sessions as done.
    fn add(&mut self, cell: usize, phase: Phase, runs: Vec<(usize, u64)>) {
        for (setting, seed) in runs {
            let job = Job { cell, setting, seed, phase };
            match self.kept.remove(&job) {
                Some(record) => self.file(job, record),
                None => self.ready.push(job),
            }
        }
        let suite = self.suite;
        let cost = |job: &Job| {
            let cell = &suite.cells[job.cell];
            work(cell, suite.families[cell.family].budget)
        };
        let order = |a: &Job, b: &Job| {
            b.phase
                .cmp(&a.phase)
                .then(cost(a).total_cmp(&cost(b)))
                .then((b.cell, b.setting, b.seed).cmp(&(a.cell, a.setting, a.seed)))
        };
        self.ready.sort_by(order);
    }

    /// Puts the record of an ended run where it belongs.
    fn file(&mut self, job: Job, record: RunRecord) {
        if job.phase == Phase::Tuning {
            self.tuning[job.cell][job.setting].push(record.clone());
        }
        self.done.push(record);
    }

    /// Chooses the setting of a cell whose tuning runs have all ended, and adds its reporting runs. Only tuning records are at hand.
    fn choose(&mut self, cell: usize) -> bool {
        let (suite, of) = (self.suite, &mut self.tuning[cell]);
        let waiting = suite.cells[cell].is_tuned() && of.iter().any(|records| records.len() < suite.tuning.len());
        if self.chosen[cell].is_some() || waiting {
            return false;
        }
        of.iter_mut().for_each(|records| records.sort_by_key(|r| r.seed)); // sums must not depend on who came first
        let records: Vec<Vec<&RunRecord>> = of.iter().map(|records| records.iter().collect()).collect();
        let best = selection::best(&records, suite.select).unwrap_or(0);
        self.chosen[cell] = Some(best);
        if !suite.report_grid {
            self.add(cell, Phase::Reporting, suite.reporting.iter().map(|&seed| (best, seed)).collect());
        }
        true
    }

    fn choices(&self) -> Vec<Choice> {
        let choice = |(cell, best): (&crate::config::suite::Cell, &Option<usize>)| {
            Some(Choice {
                family: self.suite.families[cell.family].name.clone(),
                arm: self.suite.arms[cell.arm].name.clone(),
                setting: cell.settings[(*best)?].clone(),
            })
        };
        self.suite.cells.iter().zip(&self.chosen).filter_map(choice).collect()
    }
}

/// Runs everything of the suite that is not among the `kept` records; returns all records, in no particular order. Fewer than
/// planned are returned if the user interrupted.
///
/// # Errors
/// The sink refused a record.
pub(super) fn all(
    suite: &Suite,
    kept: Vec<RunRecord>,
    jobs: usize,
    quiet: bool,
    interrupt: &Interrupt,
    sink: &dyn Sink,
    run: Runner<'_>,
) -> Result<Vec<RunRecord>, Failure> {
    let planned: u64 = suite.cells.iter().map(|c| suite.runs(c).iter().sum::<usize>() as u64).sum();
    let budget = |family: usize| suite.families[family].budget;
    let total: f64 =
        suite.cells.iter().map(|c| suite.runs(c).iter().sum::<usize>() as f64 * work(c, budget(c.family))).sum();
    let board = Board::new(suite, kept);
    sink.chosen(&board.choices())?;
    let unit = |r: &RunRecord| {
        job_of(suite, r).map_or(0.0, |j| work(&suite.cells[j.cell], budget(suite.cells[j.cell].family)))
    };
    let progress = Progress::new(planned, total, board.done.len() as u64, board.done.iter().map(unit).sum(), quiet);
    let done = work_off(board, jobs, interrupt, &progress, sink, run);
    progress.finish();
    done
}

/// Works the board off with `jobs` threads, each of which makes one run at a time and uses no other thread.
fn work_off(
    board: Board<'_>,
    jobs: usize,
    interrupt: &Interrupt,
    progress: &Progress,
    sink: &dyn Sink,
    run: Runner<'_>,
) -> Result<Vec<RunRecord>, Failure> {
    let (board, changed) = (Mutex::new(board), Condvar::new());
    let worker = || {
        // par_iter on this thread stays on this thread
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        if let Err(e) = pool {
            lock(&board).failure = Some(Failure::Internal(format!("a worker cannot be set up: {e}")));
        }
        while let Some(job) = next(&board, &changed, interrupt) {
            let ended = catch_unwind(AssertUnwindSafe(|| run(&job, progress)));
            let suite = lock(&board).suite;
            let record = ended.unwrap_or_else(|payload| {
                let mut record = one::blank(suite, &job);
                record.reason = Some(format!("internal error: {}", message(&*payload)));
                Ok(Some(record))
            });
            let written = record.and_then(|record| {
                record.as_ref().map_or(Ok(()), |record| sink.record(record))?;
                Ok(record)
            });
            let mut board = lock(&board);
            board.running -= 1;
            match written {
                Err(failure) => {
                    board.failure = Some(failure);
                    interrupt.request(); // long runs are saved and end
                }
                Ok(None) => {}
                Ok(Some(record)) => {
                    progress.ended(&record);
                    board.file(job, record);
                    if board.choose(job.cell)
                        && let Err(failure) = sink.chosen(&board.choices())
                    {
                        board.failure = Some(failure);
                        interrupt.request();
                    }
                }
            }
            drop(board);
            changed.notify_all();
        }
        changed.notify_all();
    };
    std::thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    board.failure.map_or(Ok(board.done), Err)
}

fn lock<'a, 'b>(board: &'a Mutex<Board<'b>>) -> MutexGuard<'a, Board<'b>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next run, waiting for one if others may still bring some; `None` if there is nothing more to do.
fn next(board: &Mutex<Board<'_>>, changed: &Condvar, interrupt: &Interrupt) -> Option<Job> {
    let mut board = lock(board);
    loop {
        if interrupt.requested() || board.failure.is_some() {
            return None;
        }
        if let Some(job) = board.ready.pop() {
            board.running += 1;
            return Some(job);
        }
        if board.running == 0 {
            return None;
        }
        board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{suite, tree::Format};
    use crate::record::suite::Outcome;
    use std::path::Path;

    struct Nowhere;

    impl Sink for Nowhere {
        fn record(&self, _: &RunRecord) -> Result<(), Failure> {
            Ok(())
        }
        fn chosen(&self, _: &[Choice]) -> Result<(), Failure> {
            Ok(())
        }
    }

    struct Full;

    impl Sink for Full {
        fn record(&self, _: &RunRecord) -> Result<(), Failure> {
            Err(Failure::Internal("the disk is full".into()))
        }
        fn chosen(&self, _: &[Choice]) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn small() -> Suite {
        let text = "budget = 1000\n[seeds]\ntuning = [8, 9]\nreporting = [1, 2]\n[[families]]\nname = \"f\"\n\
                    preset = \"analytic\"\n[[arms]]\nname = \"a\"\n[arms.grid.outer]\nbeta = [0.1, 0.2]\n";
        suite::parse(text, "x.toml", Format::Toml, Path::new("."), false).expect("valid")
    }

    #[test]
    fn a_run_that_panics_is_a_failed_row_and_the_suite_goes_on() {
        let suite = small();
        let run = |job: &Job, _: &Progress| {
            assert!(job.setting != 0, "the first setting is cursed");
            let mut record = one::blank(&suite, job);
            record.outcome = Outcome::Finished;
            record.points.push(crate::record::suite::Point {
                environment_steps: 0,
                iteration: 0,
                before: 0.0,
                after: 1.0,
                value: None,
                gap: None,
            });
            Ok(Some(record))
        };
        let (board, progress) = (Board::new(&suite, Vec::new()), Progress::silent());
        let done = work_off(board, 2, &Interrupt::default(), &progress, &Nowhere, &run).expect("nothing is written");
        assert_eq!(done.len(), 6);
        let failed: Vec<&RunRecord> = done.iter().filter(|r| r.outcome == Outcome::Failed).collect();
        assert_eq!(failed.len(), 2);
        assert!(failed.iter().all(|r| r.reason.as_ref().is_some_and(|why| why.contains("cursed"))));
        let reported = done.iter().filter(|r| r.phase == Phase::Reporting);
        assert!(reported.clone().count() == 2 && reported.clone().all(|r| r.setting[0].1 == 0.2));
    }

    #[test]
    fn a_refused_record_ends_the_suite() {
        let suite = small();
        let run = |job: &Job, _: &Progress| Ok(Some(one::blank(&suite, job)));
        let (board, progress) = (Board::new(&suite, Vec::new()), Progress::silent());
        let ended = work_off(board, 2, &Interrupt::default(), &progress, &Full, &run);
        assert!(matches!(ended, Err(Failure::Internal(m)) if m.contains("full")));
    }
}
