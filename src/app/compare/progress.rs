//! What the user sees while a suite is running: a bar with the time left on a terminal, a line now and then elsewhere.

use crate::app::learnt::duration;
use crate::config::suite::Cell;
use crate::record::suite::{Outcome, RunRecord};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines written over a whole suite where there is no terminal.
const LINES: u64 = 20;

enum Sink {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

/// Counts of work, in the units of [`work`].
#[derive(Default)]
struct Count {
    runs: u64,
    stopped: u64,
    units: f64,
}

/// Progress of one session; runs report to it from their threads.
pub(super) struct Progress {
    sink: Sink,
    planned: u64,
    total: f64,
    before: f64,
    count: Mutex<Count>,
    begun: Instant,
}

/// A guess at how long `steps` environment steps of a cell take: every step costs something, and something per parameter.
pub(super) fn work(cell: &Cell, steps: u64) -> f64 {
    steps as f64 * 1e-6 * (1000.0 + cell.parameters as f64)
}

impl Progress {
    /// Progress on stderr of `planned` runs worth `total`, of which `runs` runs worth `units` are done.
    pub(super) fn new(planned: u64, total: f64, runs: u64, units: f64, quiet: bool) -> Progress {
        let sink = if quiet {
            Sink::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total as u64 + 1).with_position(units as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}, {eta} left") {
                bar.set_style(style);
            }
            bar.set_message(format!("{runs}/{planned} runs"));
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(500));
            Sink::Bar(bar)
        } else {
            Sink::Lines
        };
        let count = Mutex::new(Count { runs, stopped: 0, units });
        Progress { sink, planned, total, before: units, count, begun: Instant::now() }
    }

    /// Progress that nobody sees.
    #[cfg(test)]
    pub(super) fn silent() -> Progress {
        Progress::new(0, 0.0, 0, 0.0, true)
    }

    /// Meter of a run that begins.
    pub(super) fn run(&self, cell: &Cell, budget: u64) -> Meter<'_> {
        Meter { progress: self, per_step: work(cell, 1), spent: 0, budget }
    }

    fn advance(&self, units: f64) {
        let Ok(mut count) = self.count.lock() else { return };
        count.units += units;
        if let Sink::Bar(bar) = &self.sink {
            bar.set_position(count.units as u64);
        }
    }

    /// A run has ended.
    pub(super) fn ended(&self, record: &RunRecord) {
        let Ok(mut count) = self.count.lock() else { return };
        count.runs += 1;
        count.stopped += u64::from(record.outcome != Outcome::Finished);
        let stopped = if count.stopped > 0 { format!(", {} diverged or failed", count.stopped) } else { String::new() };
        let (n, of) = (count.runs, self.planned);
        match &self.sink {
            Sink::Nothing => {}
            Sink::Bar(bar) => bar.set_message(format!("{n}/{of} runs{stopped}")),
            Sink::Lines => {
                if n * LINES / of.max(1) != (n - 1) * LINES / of.max(1) {
                    let seconds = self.begun.elapsed().as_secs_f64();
                    let rate = (count.units - self.before).max(f64::MIN_POSITIVE) / seconds;
                    let left = duration(((self.total - count.units) / rate).max(0.0));
                    let line = format!("run {n}/{of}{stopped}, {}, about {left} left", duration(seconds));
                    let _ = writeln!(std::io::stderr(), "{line}"); // a closed stderr must not end the suite
                }
            }
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Sink::Bar(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }
}

/// Reports what one run has spent; dropped at its end, whatever the end is, it reports the rest.
pub(super) struct Meter<'a> {
    progress: &'a Progress,
    per_step: f64,
    spent: u64,
    budget: u64,
}

impl Meter<'_> {
    /// The run has spent `steps` so far.
    pub(super) fn spent(&mut self, steps: u64) {
        self.progress.advance(self.per_step * steps.saturating_sub(self.spent) as f64);
        self.spent = steps;
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.spent(self.budget);
    }
}
