//! The run directory as a whole: claiming, locking, creating, resuming, closing, and opening for reading.

use super::lock::{self, Lock};
use super::{Fault, checkpoint, events, file, gap, online, rows, suite_dir};
use crate::learn::meta::{Row, State};
use crate::math::real::Real;
use crate::policy::TensorSpec;
use ::tasks::checksum::sha256;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const LOCK: &str = lock::NAME;
const INFO: &str = "run.json";
pub(super) const CONFIG: &str = "config.toml";

/// Directory in a run or a suite that `report` writes to; it is no part of the run, and stays when the run is replaced.
pub const REPORT: &str = "report";

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being set up: configuration and checkpoint 0 may be missing.
    Starting,
    /// A process is (or was, if it was killed) at work.
    Running,
    /// Stopped on request, after a checkpoint.
    Interrupted,
    /// All iterations are done.
    Finished,
    /// A number was not finite; the last checkpoint is from before.
    Diverged,
}

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Always `stillpoint`.
    pub program: String,
    /// Version that wrote last.
    pub version: String,
    /// Where the run stands.
    pub status: Status,
    /// Outer iterations done when this was written.
    pub iteration: u64,
    /// SHA-256 of `config.toml`, in hexadecimal digits; `None` before it is there, and from versions that did not write it down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub config_sha256: Option<String>,
    /// Why the run stopped, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Info {
    pub(super) fn new(status: Status, iteration: u64, reason: Option<String>) -> Info {
        let (program, version) = ("stillpoint".into(), env!("CARGO_PKG_VERSION").into());
        Info { program, version, status, iteration, config_sha256: None, reason }
    }

    /// Writes it down with the checksum of the configuration beside it.
    pub(super) fn write(mut self, dir: &Path) -> Result<(), Fault> {
        self.config_sha256 = std::fs::read(dir.join(CONFIG)).ok().map(|bytes| sha256(&bytes));
        self.unsealed(dir)
    }

    /// Writes it down without a checksum: the configuration is about to change.
    fn unsealed(&self, dir: &Path) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        file::replace_durably(&dir.join(INFO), format!("{text}\n").as_bytes())
    }
}

/// Ending of the directory that holds the twin of an online run.
pub const TWIN: &str = "-twin";

/// Directory of the twin of the online run in `dir`: beside it.
pub fn twin_of(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(TWIN);
    dir.with_file_name(name)
}

/// What a path holds, before anything is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing is there.
    Missing,
    /// A directory without files (a lock file and reports do not count).
    Empty,
    /// A run, whole or half-written, and nothing else.
    Run,
    /// Files that are not ours, by name; whether a run lies among them.
    Foreign(Vec<String>, bool),
    /// Not a directory.
    File,
}

fn is_ours(name: &str) -> bool {
    let plain = name.strip_suffix(file::TEMPORARY).unwrap_or(name);
    [LOCK, INFO, CONFIG, rows::NAME, online::STATE, gap::NAME, checkpoint::FOLDER].contains(&plain)
        || events::is_event_file(plain)
}

/// Looks at `dir`.
pub fn contents(dir: &Path) -> Result<Contents, Fault> {
    match std::fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Contents::Missing),
        Err(e) => return Err(file::io(dir, "cannot be looked at", &e)),
        Ok(m) if !m.is_dir() => return Ok(Contents::File),
        Ok(_) => {}
    }
    let names = file::names(dir)?;
    let mut foreign: Vec<String> = names.iter().filter(|n| !is_ours(n) && *n != REPORT).cloned().collect();
    let folder = dir.join(checkpoint::FOLDER);
    if folder.is_dir() {
        let inside = file::names(&folder)?.into_iter().filter(|n| !checkpoint::is_ours(n));
        foreign.extend(inside.map(|n| format!("{}/{n}", checkpoint::FOLDER)));
    }
    if names.iter().all(|n| n == LOCK || n == REPORT) {
        return Ok(Contents::Empty);
    }
    let marked = [INFO, rows::NAME, checkpoint::FOLDER, LOCK].iter().any(|n| names.iter().any(|m| m == n));
    if !foreign.is_empty() || (!marked && !names.is_empty()) {
        let named = if foreign.is_empty() { names } else { foreign };
        return Ok(Contents::Foreign(named, marked));
    }
    Ok(Contents::Run)
}

/// Makes the first free `parent/NAME-SEED-N`, N = 1, 2, ...
pub fn fresh(parent: &Path, name: &str, seed: u64) -> Result<PathBuf, Fault> {
    file::fresh(parent, &format!("{name}-{seed}"))
}

/// A run directory that this process has locked.
pub struct Session {
    dir: PathBuf,
    _lock: Lock,
}

fn lock(dir: &Path) -> Result<Session, Fault> {
    Ok(Session { dir: dir.to_path_buf(), _lock: lock::take(dir, "training")? })
}

/// Locks `dir` for a new run, making it if it is missing. A run in it is removed if `force`, and only then.
///
/// # Errors
/// It holds a run (without `force`) or foreign files, is in use, or the system refuses.
pub fn claim(dir: &Path, force: bool) -> Result<Session, Fault> {
    let refuse = |why: String| Err(Fault::Unusable(format!("{}: {why}", dir.display())));
    match contents(dir)? {
        Contents::Missing => std::fs::create_dir_all(dir).map_err(|e| file::io(dir, "cannot be made", &e))?,
        Contents::Empty => {}
        Contents::Run if force => {}
        Contents::Run => return refuse("holds a run; --resume continues it, --force replaces it".into()),
        Contents::File => return refuse("is a file; a run needs a directory".into()),
        Contents::Foreign(names, _) if force => {
            return refuse(format!(
                "holds files that are not of a run ({}); --force leaves it alone",
                file::few(&names)
            ));
        }
        Contents::Foreign(_, true) => {
            return refuse("holds a run and other files; --resume continues it, a new run needs another --out".into());
        }
        Contents::Foreign(names, false) => {
            return refuse(format!(
                "is not empty and not a run directory ({}); choose another --out",
                file::few(&names)
            ));
        }
    }
    let session = lock(dir)?;
    if !force && contents(dir)? != Contents::Empty {
        return refuse("another process has just started a run here; --resume continues it".into());
    }
    session.clear()?;
    Ok(session)
}

impl Session {
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the run. The configuration goes first: what is left if we are killed here is half a run, never an older one.
    fn clear(&self) -> Result<(), Fault> {
        file::remove(&self.dir.join(CONFIG))?;
        let folder = self.dir.join(checkpoint::FOLDER);
        for name in file::names(&folder)?.iter().filter(|n| checkpoint::is_ours(n)) {
            file::remove(&folder.join(name))?;
        }
        if folder.is_dir() {
            std::fs::remove_dir(&folder).map_err(|e| file::io(&folder, "cannot be removed", &e))?;
        }
        for name in file::names(&self.dir)?.iter().filter(|n| is_ours(n) && *n != LOCK) {
            file::remove(&self.dir.join(name))?;
        }
        Ok(())
    }

    /// Writes configuration and checkpoint 0 and opens the files that rows go to.
    pub fn start<F: Real>(self, config: &str, tensors: Vec<TensorSpec>, state: &State<F>) -> Result<Run, Fault> {
        Info::new(Status::Starting, state.iteration, None).write(&self.dir)?;
        file::replace_durably(&self.dir.join(CONFIG), config.as_bytes())?;
        let folder = self.dir.join(checkpoint::FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| file::io(&folder, "cannot be made", &e))?;
        let rows = rows::Writer::create(&self.dir)?;
        checkpoint::save(&self.dir, state, &tensors)?;
        Run::open(self, rows, tensors, &[], state.iteration)
    }

    /// Locks an existing run to continue it.
    ///
    /// # Errors
    /// As [`open`], or it is in use, or its configuration is not that it was started with.
    pub fn resume(dir: &Path) -> Result<(Session, Opened), Fault> {
        let opened = open(dir)?;
        if opened.info.config_sha256.as_ref().is_some_and(|known| *known != sha256(opened.config.as_bytes())) {
            return Err(Fault::Unusable(format!(
                "{}: was edited after the run began, which goes on with the configuration that it was started with; put it back, or start \
                 another run with it in another directory",
                opened.config_path().display()
            )));
        }
        Ok((lock(dir)?, opened))
    }

    /// Newest usable state, with the run ready to go on from it: later rows and checkpoints are dropped.
    /// The state is `None` if the run was stopped before checkpoint 0 stood.
    pub fn restore<F: Real>(self, config: &str, tensors: Vec<TensorSpec>) -> Result<Restored<F>, Fault> {
        let bare = checkpoint::list(&self.dir)?.is_empty();
        let logged = match rows::read(&self.dir) {
            Err(Fault::Unusable(_)) if bare => Vec::new(),
            other => other?,
        };
        if bare && logged.is_empty() {
            return Ok(Restored::Bare(self));
        }
        let (state, remarks) = checkpoint::newest::<F>(&self.dir, logged.len() as u64, &tensors)?;
        let logged = &logged[..state.iteration as usize];
        Info::new(Status::Running, state.iteration, None).unsealed(&self.dir)?;
        file::replace_durably(&self.dir.join(CONFIG), config.as_bytes())?;
        checkpoint::tidy(&self.dir, state.iteration)?;
        let writer = rows::Writer::reopen(&self.dir, logged)?;
        let run = Run::open(self, writer, tensors, logged, state.iteration)?;
        Ok(Restored::Ready { run: Box::new(run), state, remarks })
    }
}

/// What [`Session::restore`] found.
pub enum Restored<F> {
    /// Nothing to restore: the run was stopped while it was being set up. Start it.
    Bare(Session),
    /// A run to go on with.
    Ready {
        /// The open run.
        run: Box<Run>,
        /// The state to go on from.
        state: State<F>,
        /// Remarks about damaged checkpoints that were passed over.
        remarks: Vec<String>,
    },
}

/// A run that is being written.
pub struct Run {
    session: Session,
    rows: rows::Writer,
    events: events::Writer,
    tensors: Vec<TensorSpec>,
    /// Time zero of the run as if it had never been paused, seconds since 1970: dates the TensorBoard events only.
    epoch: f64,
    elapsed: f64,
    measured: Option<u64>,
}

impl Run {
    fn open(
        session: Session,
        rows: rows::Writer,
        tensors: Vec<TensorSpec>,
        logged: &[rows::Logged],
        iteration: u64,
    ) -> Result<Run, Fault> {
        let elapsed = logged.last().map_or(0.0, |r| r.seconds("seconds_since_start"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let epoch = now - elapsed;
        let old: Vec<String> = file::names(&session.dir)?.into_iter().filter(|n| events::is_event_file(n)).collect();
        let gaps = gap::keep(&session.dir, iteration)?;
        let number = |n: &String| n.strip_prefix(events::PREFIX)?.strip_suffix(events::SUFFIX)?.parse::<u64>().ok();
        let last = old.iter().filter_map(number).max().unwrap_or(0);
        let mut events = events::Writer::create(&session.dir, last + 1, epoch)?;
        for r in logged {
            let seconds: Vec<(&str, f64)> = r.seconds.iter().map(|(k, x)| (k.as_str(), *x)).collect();
            let wall = epoch + r.seconds("seconds_since_start");
            events.append(wall, r.row.iteration, &events::scalars(&r.row, &seconds))?;
        }
        for g in &gaps {
            let passed =
                logged.get((g.iteration as usize).wrapping_sub(1)).map_or(0.0, |r| r.seconds("seconds_since_start"));
            events.append(epoch + passed, g.iteration, &gap::scalars(g))?;
        }
        for name in old {
            file::remove(&session.dir.join(name))?;
        }
        let measured = gaps.last().map(|g| g.iteration);
        Info::new(Status::Running, iteration, None).write(&session.dir)?;
        Ok(Run { session, rows, events, tensors, epoch, elapsed, measured })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.session.dir
    }

    /// Seconds of the sessions before this one.
    pub fn elapsed(&self) -> f64 {
        self.elapsed
    }

    /// Writes one row. `seconds` are its machine-dependent numbers, `seconds_since_start` among them.
    pub fn append(&mut self, row: &Row, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        self.rows.append(row, seconds)?;
        let since_start = seconds.iter().find(|(key, _)| *key == "seconds_since_start").map_or(0.0, |(_, x)| *x);
        self.events.append(self.epoch + since_start, row.iteration, &events::scalars(row, seconds))
    }

    /// Iteration of the last gap that was measured.
    pub fn measured(&self) -> Option<u64> {
        self.measured
    }

    /// Writes one measurement of the gap, taken `since_start` seconds into the run.
    pub fn append_gap(&mut self, row: &gap::GapRow, since_start: f64) -> Result<(), Fault> {
        gap::append(&self.session.dir, row)?;
        self.measured = Some(row.iteration);
        self.events.append(self.epoch + since_start, row.iteration, &gap::scalars(row))
    }

    /// Writes a checkpoint of `state`, whose row is written already.
    pub fn checkpoint<F: Real>(&mut self, state: &State<F>) -> Result<(), Fault> {
        self.rows.sync()?;
        checkpoint::save(&self.session.dir, state, &self.tensors)
    }

    /// Writes down how the session ended and gives up the lock.
    pub fn close(self, status: Status, iteration: u64, reason: Option<String>) -> Result<(), Fault> {
        Info::new(status, iteration, reason).write(&self.session.dir)
    }
}

/// A run directory opened for reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The directory.
    pub dir: PathBuf,
    /// Where the run stands.
    pub info: Info,
    /// Resolved configuration, TOML.
    pub config: String,
}

impl Opened {
    /// Path of the resolved configuration, for messages.
    pub fn config_path(&self) -> PathBuf {
        self.dir.join(CONFIG)
    }

    /// State of the newest intact checkpoint, and remarks about damaged ones.
    pub fn newest<F: Real>(&self, tensors: &[TensorSpec]) -> Result<(State<F>, Vec<String>), Fault> {
        checkpoint::newest(&self.dir, u64::MAX, tensors)
    }
}

/// Opens the run in `dir` for reading.
///
/// # Errors
/// Names the directory or file and what is wrong: missing, empty, not a run, half-written, corrupt.
pub fn open(dir: &Path) -> Result<Opened, Fault> {
    let bad = |path: &Path, why: &str| Fault::Unusable(format!("{}: {why}", path.display()));
    if dir.join(suite_dir::INFO).is_file() {
        return Err(bad(
            dir,
            "is the directory of a suite, not of a run; `report` shows it, `compare --resume --out` goes on with it",
        ));
    }
    match contents(dir)? {
        Contents::Missing => return Err(bad(dir, "no such directory; expected the directory of a run")),
        Contents::File => return Err(bad(dir, "is a file; expected the directory of a run")),
        Contents::Empty => return Err(bad(dir, "is empty; expected the directory of a run")),
        Contents::Foreign(_, false) => return Err(bad(dir, "is not a run directory: it has no run.json")),
        Contents::Run | Contents::Foreign(_, true) => {}
    }
    let (info_path, config_path) = (dir.join(INFO), dir.join(CONFIG));
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                bad(path, "is missing, so this is half a run; the command that started it starts anew with --force")
            }
            _ => bad(path, &format!("cannot be read: {e}")),
        })
    };
    let info = serde_json::from_str::<Info>(&read(&info_path)?);
    let info = info.map_err(|e| bad(&info_path, &format!("is not the status of a run: {e}")))?;
    if info.program != "stillpoint" {
        return Err(bad(&info_path, &format!("`program` must be \"stillpoint\", found \"{}\"", info.program)));
    }
    Ok(Opened { dir: dir.to_path_buf(), info, config: read(&config_path)? })
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
