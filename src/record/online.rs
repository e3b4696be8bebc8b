//! The directory of an `online` run: rows as they come, and the state to go on from.
//!
//! ```text
//! DIR/run.json        as that of `train`; `iteration` counts updates
//! DIR/config.toml     resolved configuration
//! DIR/metrics.jsonl   one row per update; its keys that contain `seconds` depend on the machine
//! DIR/state.safetensors   everything that changes, after some update whose row is on disk (see [`super::snapshot`])
//! ```

use super::lines::Lines;
use super::run::{self, Info, Session, Status};
use super::tail::{Format, Tail};
use super::{Fault, file, rows, snapshot};
use crate::learn::online::Snapshot;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::path::Path;

/// Name of the file with the state.
pub const STATE: &str = "state.safetensors";

/// One row as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged<R> {
    /// What the learner reported.
    pub row: R,
    /// Its update, from 1.
    pub update: u64,
    /// Wall time of the run so far, summed over its sessions.
    pub seconds_since_start: f64,
    /// Where the line ends in the file.
    end: u64,
}

fn parse<R: DeserializeOwned>(text: &str, _: usize, end: u64) -> Result<Logged<R>, String> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let seconds_since_start = map.get("seconds_since_start").and_then(Value::as_f64).unwrap_or(0.0);
    let update = map.get("update").and_then(Value::as_u64).ok_or("no `update`")?;
    let row = serde_json::from_value(Value::Object(map)).map_err(|e| e.to_string())?;
    Ok(Logged { row, update, seconds_since_start, end })
}

/// Only where a row is, and when it was written.
fn place(text: &str, _: usize, end: u64) -> Result<Logged<()>, String> {
    #[derive(Deserialize)]
    struct Place {
        update: u64,
        #[serde(default)]
        seconds_since_start: f64,
    }
    let Place { update, seconds_since_start } = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(Logged { row: (), update, seconds_since_start, end })
}

fn check<R>(logged: &Logged<R>, number: usize) -> Result<(), String> {
    in_place(logged.update, number)
}

/// Whether the row of this update may stand in line `number`.
pub(super) fn in_place(update: u64, number: usize) -> Result<(), String> {
    match update {
        i if i == number as u64 => Ok(()),
        i => Err(format!("`update` must be {number} here, found {i}")),
    }
}

/// The rows of the run in `dir` as they come.
pub fn follow<R: DeserializeOwned>(dir: &Path) -> Tail<Logged<R>> {
    Tail::new(dir.join(rows::NAME), Format { what: "a row of an online run", parse, check })
}

/// Bytes that are read at a time.
const PORTION: u64 = 1 << 22;

/// The last `count` rows of the run in `dir`, in order, without a torn last line; none if the file is missing. The file is read in
/// portions, however long it is.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no row.
pub fn last<R: DeserializeOwned>(dir: &Path, count: usize) -> Result<Vec<Logged<R>>, Fault> {
    let mut tail = follow(dir);
    let mut kept: VecDeque<Logged<R>> = VecDeque::new();
    loop {
        let news = tail.poll(PORTION)?;
        kept.extend(news.items);
        kept.drain(..kept.len().saturating_sub(count));
        if !news.more {
            return Ok(kept.into());
        }
    }
}

/// Whether the run in `dir` was stopped before its first state stood: it has neither a state nor rows.
pub fn is_bare(dir: &Path) -> bool {
    let has_rows = std::fs::metadata(dir.join(rows::NAME)).is_ok_and(|m| m.len() > 0);
    !has_rows && !dir.join(STATE).exists()
}

/// A run that is being written.
pub struct Run {
    session: Session,
    rows: Lines,
    elapsed: f64,
}

impl Run {
    /// Starts a run in a claimed directory.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(session: Session, config: &str, state: &Snapshot) -> Result<Run, Fault> {
        Info::new(Status::Starting, 0, None).write(session.dir())?;
        file::replace_durably(&session.dir().join(run::CONFIG), config.as_bytes())?;
        let rows = Lines::create(&session.dir().join(rows::NAME))?;
        let mut run = Run { session, rows, elapsed: 0.0 };
        run.save(state)?;
        Info::new(Status::Running, 0, None).write(run.dir())?;
        Ok(run)
    }

    /// The state of a run that was stopped, ready to go on: rows behind the state are dropped. The session
    /// comes back if the run was stopped before its first state stood.
    ///
    /// # Errors
    /// A file is missing or not what its name says, or the system refuses.
    pub fn resume(session: Session) -> Result<Result<(Run, Snapshot), Session>, Fault> {
        let dir = session.dir().to_path_buf();
        let path = dir.join(rows::NAME);
        let Some(state) = snapshot::load(&dir.join(STATE))? else {
            if is_bare(&dir) {
                return Ok(Err(session));
            }
            let why =
                "missing, though there are rows: without the state the run cannot go on; `report` shows what it did";
            return Err(Fault::Unusable(format!("{}: {why}", dir.join(STATE).display())));
        };
        let update = state.values.get("update").and_then(Value::as_u64).unwrap_or(0);
        let mut tail = Tail::new(path.clone(), Format { what: "a row of an online run", parse: place, check });
        let (mut rows, mut last) = (0, None);
        loop {
            let news = tail.poll(PORTION)?;
            rows += news.items.len() as u64;
            last = news.items.into_iter().rfind(|logged| logged.update == update).or(last);
            if !news.more {
                break;
            }
        }
        if rows < update {
            let why = format!("{rows} rows, but the state is that after update {update}");
            return Err(Fault::Unusable(format!("{}: {why}", path.display())));
        }
        let length = last.as_ref().map_or(0, |r| r.end);
        let rows = Lines::reopen(&path, length)?;
        Info::new(Status::Running, update, None).write(&dir)?;
        let elapsed = last.map_or(0.0, |r| r.seconds_since_start);
        Ok(Ok((Run { session, rows, elapsed }, state)))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.session.dir()
    }

    /// Seconds of the sessions before this one.
    pub fn elapsed(&self) -> f64 {
        self.elapsed
    }

    /// Writes one row with its machine-dependent numbers, `seconds_since_start` among them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn append<R: Serialize>(&mut self, row: &R, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        self.rows.append(row, seconds)
    }

    /// Writes the state after an update whose row is written already.
    ///
    /// # Errors
    /// The system refuses.
    pub fn save(&mut self, state: &Snapshot) -> Result<(), Fault> {
        self.rows.sync()?;
        snapshot::save(&self.dir().join(STATE), state)
    }

    /// Writes down how the session ended and gives up the lock.
    ///
    /// # Errors
    /// The system refuses.
    pub fn close(self, status: Status, update: u64, reason: Option<String>) -> Result<(), Fault> {
        Info::new(status, update, reason).write(self.session.dir())
    }
}
