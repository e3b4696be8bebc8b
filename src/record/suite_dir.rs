//! Reading, writing, claiming and locking a suite directory (layout in [`super::suite`]).

pub use super::setting::{record_path, run_path, setting_name};

use super::lock::{self, Lock};
use super::suite::{Phase, RunRecord};
use super::{Fault, file, run};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Resolved suite.
pub const CONFIG: &str = "suite.toml";
/// [`Info`].
pub const INFO: &str = "suite.json";
/// Folder of the records.
pub const RUNS: &str = "runs";

/// Where a suite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A process is (or was, if it was killed) at work.
    Running,
    /// Stopped on request; the runs that were finished are kept.
    Interrupted,
    /// All runs are done.
    Finished,
}

/// One family of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyInfo {
    /// Name in the suite.
    pub name: String,
    /// Environment steps each run may spend on training.
    pub budget: u64,
    /// Returns that count as 0 and 1 when families are pooled, if the suite says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<[f64; 2]>,
}

/// The setting chosen for an arm on a family, from its tuning runs alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Family.
    pub family: String,
    /// Arm.
    pub arm: String,
    /// Grid keys and values.
    pub setting: Vec<(String, f64)>,
}

/// `suite.json`: what a reader needs to know besides the records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// Always `stillpoint`.
    pub program: String,
    /// Version that wrote last.
    pub version: String,
    /// Other versions that made some of the runs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub earlier: Vec<String>,
    /// Where the suite stands.
    pub status: Status,
    /// Name of the suite.
    pub name: String,
    /// Runs in all, tuning and reporting.
    pub planned: u64,
    /// Families in the suite's order.
    pub families: Vec<FamilyInfo>,
    /// Arms in the suite's order; the first one that a family has is what the others are compared with.
    pub arms: Vec<String>,
    /// Reporting seeds.
    pub seeds: Vec<u64>,
    /// Whether the runs are those of `online`, each with a run directory of its own beside its record.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub online: bool,
    /// Score of a run that settings were chosen by: `final` or `area`.
    pub select: String,
    /// Settings chosen so far, cells with a grid of one point included.
    pub chosen: Vec<Choice>,
    /// Operating system, architecture and number of cores of the last session.
    pub machine: String,
}

impl Info {
    fn write(&self, dir: &Path) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        file::replace_durably(&dir.join(INFO), format!("{text}\n").as_bytes())
    }
}

/// A suite directory opened for reading.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteDir {
    /// The directory.
    pub dir: PathBuf,
    /// Resolved suite, TOML.
    pub config: String,
    /// Where the suite stands.
    pub status: Status,
    /// Runs in all; fewer records than this say that the suite is not finished.
    pub planned: u64,
    /// Names, budgets and choices.
    pub info: Info,
    /// Every readable record, in order of its path.
    pub records: Vec<RunRecord>,
    /// `PATH: why` of every file that should hold a record and does not.
    pub unreadable: Vec<String>,
}

fn bad(path: &Path, why: &str) -> Fault {
    Fault::Unusable(format!("{}: {why}", path.display()))
}

/// Reads a suite, finished or not.
///
/// # Errors
/// Names the directory or file and what is wrong. A record that cannot be read is listed in the result and is no error.
pub fn read(dir: &Path) -> Result<SuiteDir, Fault> {
    match contents(dir)? {
        Contents::Missing => return Err(bad(dir, "no such directory; expected the directory of a suite")),
        Contents::File => return Err(bad(dir, "is a file; expected the directory of a suite")),
        Contents::Empty => return Err(bad(dir, "is empty; expected the directory of a suite")),
        Contents::Foreign(_) => return Err(bad(dir, "is not a suite directory: it has no suite.json")),
        Contents::Suite => {}
    }
    let text = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                bad(&path, "is missing, so this is half a suite; `compare SUITE --out DIR --force` starts anew")
            }
            _ => bad(&path, &format!("cannot be read: {e}")),
        })
    };
    let (config, info) = (text(CONFIG)?, text(INFO)?);
    let info: Info =
        serde_json::from_str(&info).map_err(|e| bad(&dir.join(INFO), &format!("is not the status of a suite: {e}")))?;
    if info.program != "stillpoint" {
        let why = format!("`program` must be \"stillpoint\", found \"{}\"", info.program);
        return Err(bad(&dir.join(INFO), &why));
    }
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for relative in record_files(dir)?.iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
        match record(dir, relative) {
            Ok(record) => records.push(record),
            Err(why) => unreadable.push(format!("{}: {why}", dir.join(relative).display())),
        }
    }
    let (status, planned) = (info.status, info.planned);
    Ok(SuiteDir { dir: dir.to_path_buf(), config, status, planned, info, records, unreadable })
}

fn record(dir: &Path, relative: &Path) -> Result<RunRecord, String> {
    let text = std::fs::read_to_string(dir.join(relative)).map_err(|e| format!("cannot be read: {e}"))?;
    let record: RunRecord = serde_json::from_str(&text).map_err(|e| format!("is not the record of a run: {e}"))?;
    record.check()?;
    let belongs = record_path(&record.family, &record.arm, &record.setting, record.seed);
    if belongs == relative { Ok(record) } else { Err(format!("holds the record of {}", belongs.display())) }
}

/// What stands four levels below `runs/` (relative to `dir`), sorted.
fn leaves(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut level = vec![PathBuf::from(RUNS)];
    for _ in 0..4 {
        let mut next = Vec::new();
        for folder in &level {
            if dir.join(folder).is_dir() {
                next.extend(file::names(&dir.join(folder))?.into_iter().map(|n| folder.join(n)));
            }
        }
        level = next;
    }
    Ok(level)
}

/// Records, and temporary files of killed processes.
fn record_files(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let plain = file::TEMPORARY.trim_start_matches('.');
    let ours = |p: &PathBuf| p.extension().is_some_and(|e| e == "json" || e == plain);
    Ok(leaves(dir)?.into_iter().filter(ours).collect())
}

/// Run directories, those without a record included.
fn run_dirs(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let is_seed = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().parse::<u64>().is_ok());
    Ok(leaves(dir)?.into_iter().filter(|p| is_seed(p) && dir.join(p).is_dir()).collect())
}

/// What a path holds, before anything is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Contents {
    Missing,
    /// Nothing, or a lock file.
    Empty,
    /// A suite, whole or half-written; reports may lie beside it.
    Suite,
    /// Files and no suite.
    Foreign(Vec<String>),
    File,
}

fn contents(dir: &Path) -> Result<Contents, Fault> {
    match std::fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Contents::Missing),
        Err(e) => return Err(file::io(dir, "cannot be looked at", &e)),
        Ok(m) if !m.is_dir() => return Ok(Contents::File),
        Ok(_) => {}
    }
    let names = file::names(dir)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    let temporary = format!("{INFO}{}", file::TEMPORARY);
    Ok(match () {
        () if names.iter().all(|n| n == lock::NAME || *n == temporary) => Contents::Empty,
        () if has(INFO) || (has(CONFIG) && has(RUNS)) => Contents::Suite,
        () => Contents::Foreign(names),
    })
}

/// Makes the first free `parent/compare-NAME-N`, N = 1, 2, ...
///
/// # Errors
/// The system refuses.
pub fn fresh(parent: &Path, name: &str) -> Result<PathBuf, Fault> {
    file::fresh(parent, &format!("compare-{name}"))
}

/// A suite directory that this process has locked; threads may write their records at the same time.
pub struct Session {
    dir: PathBuf,
    _lock: Lock,
}

fn session(dir: &Path) -> Result<Session, Fault> {
    Ok(Session { dir: dir.to_path_buf(), _lock: lock::take(dir, "running a suite")? })
}

/// Locks `dir` for a new suite, making it if it is missing. A suite in it is removed if `force`, and only then; what is not
/// of the suite stays.
///
/// # Errors
/// It holds a suite (without `force`) or files without a suite, is in use, or the system refuses.
pub fn claim(dir: &Path, force: bool) -> Result<Session, Fault> {
    let refusal = |found: &Contents| match found {
        Contents::Suite if !force => Some("holds a suite; --resume continues it, --force replaces it".to_string()),
        Contents::File => Some("is a file; a suite needs a directory".to_string()),
        Contents::Foreign(names) => {
            Some(format!("is not empty and not a suite directory ({}); choose another --out", file::few(names)))
        }
        _ => None,
    };
    let found = contents(dir)?;
    if let Some(why) = refusal(&found) {
        return Err(bad(dir, &why));
    }
    if found == Contents::Missing {
        std::fs::create_dir_all(dir).map_err(|e| file::io(dir, "cannot be made", &e))?;
    }
    let session = session(dir)?;
    if let Some(why) = refusal(&contents(dir)?) {
        return Err(bad(dir, &why)); // another process was faster
    }
    session.clear()?;
    Ok(session)
}

/// Locks an existing suite to continue it; `None` instead of its contents if it was killed before they stood.
///
/// # Errors
/// As [`read`], or it is in use.
pub fn resume(dir: &Path) -> Result<(Session, Option<SuiteDir>), Fault> {
    let bare = match contents(dir)? {
        Contents::Empty => dir.join(lock::NAME).exists(),
        Contents::Suite => !dir.join(CONFIG).exists(),
        _ => false,
    };
    if bare {
        let session = session(dir)?;
        session.clear()?; // killed while an older suite was being removed
        return Ok((session, None));
    }
    let _ = read(dir)?; // whatever can be refused is refused before the directory is touched
    let session = session(dir)?;
    let suite = read(dir)?;
    Ok((session, Some(suite)))
}

impl Session {
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the suite, its resolved text first: what is left if we are killed here is half a suite, never an older one.
    fn clear(&self) -> Result<(), Fault> {
        let runs = run_dirs(&self.dir)?;
        for folder in runs.iter().map(|f| self.dir.join(f)) {
            if let run::Contents::Foreign(names, _) = run::contents(&folder)? {
                let why = format!("holds files that are not of a run ({}); move them first", file::few(&names));
                return Err(bad(&folder, &why));
            }
            drop(lock::take(&folder, "running an online run")?); // in use: nothing is removed
        }
        file::remove(&self.dir.join(CONFIG))?;
        let files = record_files(&self.dir)?;
        for file in &files {
            file::remove(&self.dir.join(file))?;
        }
        for folder in &runs {
            drop(run::claim(&self.dir.join(folder), true)?); // empties it but for its lock, and for reports
            file::remove(&self.dir.join(folder).join(lock::NAME))?;
        }
        let mut folders: Vec<&Path> = runs.iter().flat_map(|f| f.ancestors()).collect();
        folders.extend(files.iter().flat_map(|f| f.ancestors().skip(1)));
        folders.retain(|f| f.starts_with(RUNS));
        folders.sort();
        folders.dedup();
        for folder in folders.iter().rev() {
            let _ = std::fs::remove_dir(self.dir.join(folder)); // a folder with somebody's file in it stays
        }
        Ok(()) // the old status stays until it is overwritten: it marks the directory as ours
    }

    /// Writes the head of a new suite: status and names first, then the resolved text, which makes it whole.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&self, config: &str, info: &Info) -> Result<(), Fault> {
        info.write(&self.dir)?;
        file::replace_durably(&self.dir.join(CONFIG), config.as_bytes())
    }

    /// Writes status and choices anew.
    ///
    /// # Errors
    /// The system refuses.
    pub fn update(&self, info: &Info) -> Result<(), Fault> {
        info.write(&self.dir)
    }

    /// Writes the record of one run, whole or not at all.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write(&self, record: &RunRecord) -> Result<(), Fault> {
        let path = self.dir.join(record_path(&record.family, &record.arm, &record.setting, record.seed));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| file::io(folder, "cannot be made", &e))?;
        }
        let text = serde_json::to_string(record).map_err(|e| Fault::Io(format!("{}: {e}", path.display())))?;
        file::replace_durably(&path, format!("{text}\n").as_bytes())
    }
}

impl SuiteDir {
    /// Records of one phase of an arm on a family.
    pub fn of<'a>(&'a self, family: &'a str, arm: &'a str, phase: Phase) -> impl Iterator<Item = &'a RunRecord> {
        self.records.iter().filter(move |r| r.family == family && r.arm == arm && r.phase == phase)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::record::suite::{Outcome, Point};

    /// A finished run whose two points return 0 and `after`.
    pub(crate) fn run(arm: &str, beta: f64, seed: u64, phase: Phase, after: f64) -> RunRecord {
        let point = |steps, after| Point {
            environment_steps: steps,
            iteration: steps / 10,
            before: 0.0,
            after,
            value: None,
            gap: None,
        };
        RunRecord {
            family: "f".into(),
            arm: arm.into(),
            setting: vec![("outer.beta".into(), beta)],
            seed,
            phase,
            outcome: Outcome::Finished,
            reason: None,
            points: vec![point(0, 0.0), point(100, after)],
            iterations: 10,
            budget: Budget { environment_steps: 100, ..Budget::default() },
            measure_steps: 5,
            seconds: 0.1,
            cpu_seconds: 0.1,
        }
    }

    fn info() -> Info {
        Info {
            program: "stillpoint".into(),
            version: "0".into(),
            earlier: Vec::new(),
            status: Status::Running,
            name: "x".into(),
            planned: 2,
            families: vec![FamilyInfo { name: "f".into(), budget: 100, score: None }],
            arms: vec!["a".into()],
            seeds: vec![1],
            online: false,
            select: "final".into(),
            chosen: Vec::new(),
            machine: String::new(),
        }
    }

    fn message<T>(result: Result<T, Fault>) -> String {
        result.err().expect("a fault").to_string()
    }

    #[test]
    fn what_was_written_is_read_and_damage_is_named() {
        let dir = tempfile::tempdir().expect("scratch");
        let session = claim(dir.path(), false).expect("free");
        session.start("name = \"x\"\n", &info()).expect("writable");
        let records = [run("a", 0.1, 1, Phase::Reporting, 1.0 / 3.0), run("a", 1e-20, 7, Phase::Tuning, -0.1)];
        records.iter().for_each(|r| session.write(r).expect("writable"));
        let read_back = read(dir.path()).expect("whole");
        assert_eq!((read_back.config.as_str(), read_back.info.clone()), ("name = \"x\"\n", info()));
        assert_eq!(read_back.records, records);
        assert_eq!(read_back.of("f", "a", Phase::Tuning).count(), 1);
        assert!(dir.path().join("runs/f/a/outer.beta=0.1/1.json").exists());
        let torn = dir.path().join(record_path("f", "a", &[], 3));
        std::fs::create_dir_all(torn.parent().expect("below")).expect("writable");
        std::fs::write(&torn, "{").expect("writable");
        std::fs::copy(dir.path().join("runs/f/a/outer.beta=0.1/1.json"), torn.with_file_name("4.json")).expect("there");
        std::fs::write(torn.with_file_name("5.json.tmp"), "{").expect("writable");
        let read_back = read(dir.path()).expect("whole");
        assert_eq!((read_back.records.len(), read_back.unreadable.len()), (2, 2), "{:?}", read_back.unreadable);
        assert!(read_back.unreadable[1].contains("outer.beta=0.1"), "{:?}", read_back.unreadable);
    }

    #[test]
    fn a_record_that_no_run_can_have_written_is_not_read() {
        let dir = tempfile::tempdir().expect("scratch");
        let session = claim(dir.path(), false).expect("free");
        session.start("", &info()).expect("writable");
        let mut records = [1, 2, 3].map(|seed| run("a", 0.1, seed, Phase::Tuning, 1.0));
        records[0].points.clear();
        records[1].points.swap(0, 1); // an area over falling steps has no meaning
        records[2].points[1].environment_steps = 0; // allowed: nothing was trained in between
        records.iter().for_each(|r| session.write(r).expect("writable"));
        let mut diverged = run("a", 0.1, 4, Phase::Tuning, 1.0);
        (diverged.outcome, diverged.points) = (Outcome::Diverged, Vec::new());
        session.write(&diverged).expect("writable");
        let found = read(dir.path()).expect("whole");
        assert_eq!(found.records, [records[2].clone(), diverged]);
        assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
        assert!(found.unreadable[0].contains("1.json: a finished run needs"), "{:?}", found.unreadable);
        assert!(found.unreadable[1].contains("must not fall, found 0 after 100"), "{:?}", found.unreadable);
    }

    #[test]
    fn one_process_has_a_suite_and_only_force_replaces_it() {
        let dir = tempfile::tempdir().expect("scratch");
        let session = claim(dir.path(), false).expect("free");
        session.start("", &info()).expect("writable");
        session.write(&run("a", 0.1, 1, Phase::Reporting, 1.0)).expect("writable");
        assert!(message(claim(dir.path(), true)).contains("another process"));
        assert!(message(resume(dir.path())).contains("another process"));
        drop(session);
        let refused = message(claim(dir.path(), false));
        assert!(refused.contains("--resume") && refused.contains("--force"), "{refused}");
        std::fs::write(dir.path().join("report.html"), "").expect("writable");
        drop(claim(dir.path(), true).expect("replaced"));
        assert_eq!(file::names(dir.path()).expect("there"), ["report.html", lock::NAME, INFO]);
        let (_, left) = resume(dir.path()).expect("killed right there, it can be started by resuming");
        assert!(left.is_none());
    }

    #[test]
    fn a_suite_killed_while_it_was_set_up_starts_anew_when_resumed() {
        let dir = tempfile::tempdir().expect("scratch");
        drop(claim(dir.path(), false).expect("free"));
        assert!(resume(dir.path()).expect("only a lock").1.is_none());
        std::fs::write(dir.path().join(INFO), "{}").expect("writable");
        assert!(message(read(dir.path())).contains("half a suite"));
        assert!(resume(dir.path()).expect("no suite.toml yet").1.is_none());
        assert!(message(resume(&dir.path().join("none"))).contains("no such directory"));
        std::fs::remove_file(dir.path().join(INFO)).expect("there");
        std::fs::write(dir.path().join("thesis.tex"), "").expect("writable");
        assert!(message(resume(dir.path())).contains("not a suite directory"));
        assert!(message(claim(dir.path(), true)).contains("thesis.tex"));
    }
}
