//! What the user sees while a run is going on: a bar on a terminal, a line now and then elsewhere, nothing when quiet.

use crate::learn::meta::Row;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Lines written over a whole run where there is no terminal.
const LINES: u64 = 10;

enum Sink {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

/// Progress of one session.
pub struct Progress {
    sink: Sink,
    total: u64,
    unit: &'static str,
    begun: Instant,
}

impl Progress {
    /// Progress from update `done` to `total`, on stderr.
    pub fn new(done: u64, total: u64, quiet: bool) -> Progress {
        let sink = if quiet {
            Sink::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total).with_position(done);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left, {msg}") {
                bar.set_style(style);
            }
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(500));
            Sink::Bar(bar)
        } else {
            Sink::Lines
        };
        Progress { sink, total, unit: "update", begun: Instant::now() }
    }

    /// The same of other things than updates.
    pub fn of(self, unit: &'static str) -> Progress {
        Progress { unit, ..self }
    }

    /// One iteration is done.
    pub fn row(&self, row: &Row) {
        let [Some(first), Some(last)] = [row.returns.first(), row.returns.last()] else { return };
        let (before, after) = (first.mean, last.mean);
        self.tell(row.iteration, || format!("return {before:.2} before, {after:.2} after adaptation"));
    }

    /// Unit `i` is done; `what` is said of it where somebody sees it.
    pub fn tell(&self, i: u64, what: impl Fn() -> String) {
        match &self.sink {
            Sink::Nothing => {}
            Sink::Bar(bar) => {
                bar.set_position(i);
                bar.set_message(what());
            }
            Sink::Lines => {
                let n = self.total;
                if i * LINES / n.max(1) != (i - 1) * LINES / n.max(1) {
                    let seconds = self.begun.elapsed().as_secs_f64();
                    let line = format!("{} {i}/{n}, {}, {seconds:.1} s", self.unit, what());
                    let _ = writeln!(std::io::stderr(), "{line}"); // a closed stderr must not end the run
                }
            }
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Sink::Bar(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }
}
