//! Keeps a model up to date with a run directory: reads what is new, notices resumption and death.

use super::model::Model;
use crate::config::outline;
use crate::record::online_rows::{self, Seen};
use crate::record::rows::Logged;
use crate::record::run::{self, Opened, Status};
use crate::record::tail::Tail;
use crate::record::{Fault, gap, live, rows};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of rows read at once: a few hundredths of a second of work, so that keys are answered while a long run is read.
const PORTION: u64 = 4 << 20;

/// Silence after which it is asked whether the process still lives.
const SILENCE: Duration = Duration::from_secs(5);

/// Time between two such questions.
const PAUSE: Duration = Duration::from_secs(1);

/// The rows of a run, which depend on the command that writes them.
enum Rows {
    Trained(Tail<Logged>),
    Lived(Tail<Seen>),
}

/// A run directory being watched.
pub struct Source {
    dir: PathBuf,
    rows: Rows,
    gaps: Tail<gap::GapRow>,
    config: String,
    heard: Instant,
    asked: Option<Instant>,
}

fn is_active(status: Option<Status>) -> bool {
    matches!(status, None | Some(Status::Starting | Status::Running))
}

impl Source {
    /// The run in `dir`; nothing is read yet.
    pub fn new(dir: &Path) -> Source {
        Source {
            dir: dir.to_path_buf(),
            rows: Rows::Trained(rows::follow(dir)),
            gaps: gap::follow(dir),
            config: String::new(),
            heard: Instant::now(),
            asked: None,
        }
    }

    /// Time since the last new row.
    pub fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Brings `model` up to date; whether there is more to read at once.
    ///
    /// # Errors
    /// The directory holds no run and no process is setting one up, or a file cannot be understood.
    pub fn poll(&mut self, model: &mut Model) -> Result<bool, Fault> {
        // The status first: what it says is done is in the rows read after it.
        match run::open(&self.dir) {
            Ok(opened) => self.describe(model, opened)?,
            Err(Fault::Unusable(_)) if live::is_live(&self.dir) == Some(true) => {} // being set up
            Err(fault) => return Err(fault),
        }
        self.ask(model);
        let (is_new, more, bytes) = match &mut self.rows {
            Rows::Trained(rows) => {
                let news = rows.poll(PORTION)?;
                model.add_rows(&news.items, news.restarted);
                (!news.items.is_empty() || news.restarted, news.more, news.bytes)
            }
            Rows::Lived(rows) => {
                let news = rows.poll(PORTION)?;
                model.add_updates(&news.items, news.restarted);
                (!news.items.is_empty() || news.restarted, news.more, news.bytes)
            }
        };
        if is_new {
            self.heard = Instant::now();
        }
        model.reading = more.then(|| bytes[0] as f64 / bytes[1].max(1) as f64);
        if matches!(self.rows, Rows::Lived(_)) {
            return Ok(more); // the gap is in the rows
        }
        let gaps = self.gaps.poll(PORTION)?;
        model.add_gaps(&gaps.items, gaps.restarted);
        model.measures_gaps = !model.gaps.is_empty() || self.dir.join(gap::NAME).exists();
        Ok(more || gaps.more)
    }

    fn describe(&mut self, model: &mut Model, opened: Opened) -> Result<(), Fault> {
        if opened.config != self.config || model.outline.is_none() {
            let source = opened.config_path().display().to_string();
            let outline = outline::read(&opened.config, &source).map_err(|e| Fault::Unusable(e.to_string()))?;
            if outline.is_online && !matches!(self.rows, Rows::Lived(_)) {
                self.rows = Rows::Lived(online_rows::follow(&self.dir));
            }
            model.outline = Some(outline);
            self.config = opened.config;
        }
        model.info = Some(opened.info);
        Ok(())
    }

    /// Finds out whether a run that should be at work has lost its process. Asked at first, and after a silence.
    fn ask(&mut self, model: &mut Model) {
        let active = |model: &Model| is_active(model.info.as_ref().map(|i| i.status));
        if !active(model) {
            model.abandoned = false;
            return;
        }
        let due = self.asked.is_none_or(|at| at.elapsed() >= PAUSE);
        if !due || !(self.asked.is_none() || model.abandoned || self.silence() > SILENCE) {
            return;
        }
        self.asked = Some(Instant::now());
        let gone = live::is_live(&self.dir) == Some(false);
        if gone && let Ok(opened) = run::open(&self.dir) {
            model.info = Some(opened.info); // it may have ended well between the two looks
        }
        model.abandoned = gone && active(model);
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Standing;
    use super::*;
    use crate::record::rows::{Writer, tests::row};

    fn polled(source: &mut Source, model: &mut Model) -> usize {
        while source.poll(model).expect("a run") {}
        model.points.len()
    }

    fn write(dir: &Path, status: &str) {
        let info = format!("{{\"program\":\"stillpoint\",\"version\":\"0\",\"status\":\"{status}\",\"iteration\":0}}");
        std::fs::write(dir.join("run.json"), info).expect("writable");
        let config = "name = \"n\"\nseed = 1\niterations = 9\nfamily.name = \"f\"\nouter.estimator = \"maml\"\n";
        std::fs::write(dir.join("config.toml"), config).expect("writable");
    }

    #[test]
    fn rows_that_come_and_go_are_followed() {
        let scratch = tempfile::tempdir().expect("scratch");
        let dir = scratch.path();
        write(dir, "finished");
        let (mut source, mut model) = (Source::new(dir), Model::default());
        assert_eq!(polled(&mut source, &mut model), 0, "no rows yet, no file even");
        let mut writer = Writer::create(dir).expect("writable");
        for i in 1..=5 {
            writer.append(&row(i), &[("seconds_since_start", i as f64)]).expect("writable");
            assert_eq!(polled(&mut source, &mut model), i as usize);
        }
        drop(writer);
        let rows = rows::read(dir).expect("whole");
        let mut writer = Writer::reopen(dir, &rows[..2]).expect("writable");
        for i in 3..=6 {
            writer.append(&row(i), &[("seconds_since_start", 10.0 * i as f64)]).expect("writable");
        }
        assert_eq!(polled(&mut source, &mut model), 6);
        let seconds: Vec<f64> = model.points.iter().map(|p| p.seconds).collect();
        assert_eq!(seconds, [1.0, 2.0, 30.0, 40.0, 50.0, 60.0]);
        assert_eq!(model.outline.expect("read").estimator, "maml");
    }

    #[test]
    fn a_run_without_a_process_is_called_gone_and_one_with_a_process_is_waited_for() {
        let scratch = tempfile::tempdir().expect("scratch");
        let dir = scratch.path();
        let fault = Source::new(dir).poll(&mut Model::default()).expect_err("empty");
        assert!(fault.to_string().contains("is empty"), "{fault}");
        let session = run::claim(dir, false).expect("free");
        let (mut source, mut model) = (Source::new(dir), Model::default());
        source.poll(&mut model).expect("being set up");
        assert_eq!((model.standing(), model.outline.is_none()), (Standing::Waiting, true));
        write(dir, "running");
        source.poll(&mut model).expect("set up");
        assert_eq!(model.standing(), Standing::Waiting);
        drop(session);
        Source::new(dir).poll(&mut model).expect("a run");
        assert_eq!(model.standing(), Standing::Gone);
    }
}
