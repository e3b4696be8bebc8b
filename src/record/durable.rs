//! Directories of few and costly rows, each of which is durable once it is written: studies of `bias` and tables of claims.
//!
//! ```text
//! DIR/run.json        as that of `train`; `iteration` counts rows
//! DIR/config.toml     what was asked
//! DIR/metrics.jsonl   the rows; their keys that contain `seconds` depend on the machine
//! ```

use super::lines::Lines;
use super::run::{self, Info, Session, Status};
use super::tail::{Format, Tail};
use super::{Fault, file, rows};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A kind of row.
pub trait Record: DeserializeOwned {
    /// What it is, in messages.
    const WHAT: &'static str;

    /// Whether it may stand in line `number`, from 1.
    ///
    /// # Errors
    /// It may not, and why.
    fn check(&self, _number: usize) -> Result<(), String> {
        Ok(())
    }
}

/// A row with where it ends in the file and the seconds by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged<R> {
    /// The row.
    pub row: R,
    /// Wall time so far, summed over the sessions.
    pub seconds_since_start: f64,
    end: u64,
}

fn parse<R: Record>(text: &str, _: usize, end: u64) -> Result<Logged<R>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let seconds_since_start = value["seconds_since_start"].as_f64().unwrap_or(0.0);
    let row = serde_json::from_value(value).map_err(|e| e.to_string())?;
    Ok(Logged { row, seconds_since_start, end })
}

/// The rows of `dir` as they come.
pub fn follow<R: Record>(dir: &Path) -> Tail<Logged<R>> {
    let check = |logged: &Logged<R>, number| logged.row.check(number);
    Tail::new(dir.join(rows::NAME), Format { what: R::WHAT, parse, check })
}

/// Every row of `dir`, without a torn last line.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no row.
pub fn read<R: Record>(dir: &Path) -> Result<Vec<Logged<R>>, Fault> {
    follow(dir).all()
}

/// A directory that is being written.
pub struct Run {
    session: Session,
    lines: Lines,
    elapsed: f64,
}

impl Run {
    /// Starts in a claimed directory.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(session: Session, config: &str) -> Result<Run, Fault> {
        Info::new(Status::Starting, 0, None).write(session.dir())?;
        file::replace_durably(&session.dir().join(run::CONFIG), config.as_bytes())?;
        let lines = Lines::create(&session.dir().join(rows::NAME))?;
        Info::new(Status::Running, 0, None).write(session.dir())?;
        Ok(Run { session, lines, elapsed: 0.0 })
    }

    /// A directory to go on with, and its rows so far.
    ///
    /// # Errors
    /// A row is damaged, or the system refuses.
    pub fn resume<R: Record>(session: Session) -> Result<(Run, Vec<R>), Fault> {
        let logged = read(session.dir())?;
        let (length, elapsed) = logged.last().map_or((0, 0.0), |l: &Logged<R>| (l.end, l.seconds_since_start));
        let lines = Lines::reopen(&session.dir().join(rows::NAME), length)?;
        Info::new(Status::Running, logged.len() as u64, None).write(session.dir())?;
        Ok((Run { session, lines, elapsed }, logged.into_iter().map(|l| l.row).collect()))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.session.dir()
    }

    /// Seconds of the sessions before this one.
    pub fn elapsed(&self) -> f64 {
        self.elapsed
    }

    /// Writes one row with its machine-dependent numbers, and makes it durable.
    ///
    /// # Errors
    /// The system refuses.
    pub fn append<R: Serialize>(&mut self, row: &R, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        self.lines.append(row, seconds)?;
        self.lines.sync()
    }

    /// Writes down how the session ended and gives up the lock.
    ///
    /// # Errors
    /// The system refuses.
    pub fn close(self, status: Status, count: u64) -> Result<(), Fault> {
        Info::new(status, count, None).write(self.session.dir())
    }
}
