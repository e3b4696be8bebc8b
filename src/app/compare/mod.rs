//! `compare`: runs a suite of arms, families and seeds at an equal budget of environment steps, or the rest of one.

mod lifetime;
mod one;
mod progress;
mod schedule;
mod table;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::{runs, saved};
use crate::config::shipped;
use crate::config::suite::{self, Kind, Suite};
use crate::config::tree::Format;
use crate::record::suite::RunRecord;
use crate::record::suite_dir::{self, Choice, FamilyInfo, Info, Session, Status, SuiteDir};
use schedule::Sink;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// This program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the command line asks of `compare`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a suite or name of a shipped one; may be missing when resuming.
    pub suite: Option<String>,
    /// Shrink the suite to run in seconds.
    pub smoke: bool,
    /// Suite directory.
    pub out: Option<PathBuf>,
    /// Continue the suite in `out`.
    pub resume: bool,
    /// Replace the suite in `out`.
    pub force: bool,
    /// Runs at a time; one per core if not given.
    pub jobs: Option<usize>,
    /// No progress and no remarks.
    pub quiet: bool,
}

impl Request {
    fn remark(&self, text: &str) {
        runs::remark(self.quiet, text);
    }
}

/// Runs the command.
///
/// # Errors
/// A suite or directory that cannot be used, interruption, or a system that refuses to write. Runs that diverge or fail are
/// rows of the result.
pub fn run(request: Request) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(request.quiet)?;
    let Begun { session, suite, kept, earlier } = if request.resume { resume(&request)? } else { start(&request)? };
    let machine = format!("{} {}, {} cores", std::env::consts::OS, std::env::consts::ARCH, cores());
    let directory = Directory { info: Mutex::new(Info { earlier, ..info(&suite, machine) }), session };
    let jobs = request.jobs.unwrap_or_else(cores);
    let home = directory.session.dir();
    let run = |job: &schedule::Job, progress: &progress::Progress| match suite.kind {
        Kind::Train => Ok(one::run(&suite, job, &interrupt, progress)),
        Kind::Online => lifetime::run(&suite, job, home, &interrupt, progress),
    };
    let records = schedule::all(&suite, kept, jobs, request.quiet, &interrupt, &directory, &run)?;
    directory.conclude(records, &request)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn info(suite: &Suite, machine: String) -> Info {
    Info {
        program: "stillpoint".into(),
        version: VERSION.into(),
        earlier: Vec::new(),
        status: Status::Running,
        name: suite.name.clone(),
        planned: suite.cells.iter().map(|c| suite.runs(c).iter().sum::<usize>() as u64).sum(),
        families: (suite.families.iter())
            .map(|f| FamilyInfo { name: f.name.clone(), budget: f.budget, score: f.score })
            .collect(),
        arms: suite.arms.iter().map(|a| a.name.clone()).collect(),
        seeds: suite.reporting.clone(),
        online: suite.kind == Kind::Online,
        select: suite.select.name().into(),
        chosen: Vec::new(),
        machine,
    }
}

/// A suite at the start of a session.
struct Begun {
    session: Session,
    suite: Suite,
    /// Records of earlier sessions.
    kept: Vec<RunRecord>,
    /// Other versions of the program that made some of them.
    earlier: Vec<String>,
}

/// Whatever can be refused is refused before anything is written.
fn start(request: &Request) -> Result<Begun, Failure> {
    let Some(name) = &request.suite else {
        let names = shipped::COMPARE.names().join(", ");
        return Err(Failure::Usage(format!("SUITE is missing: a TOML file or one of {names}")));
    };
    let suite = suite::load(name, request.smoke)?;
    let text = suite::resolved(&suite)?;
    lifetime::try_games(&suite)?; // before a directory is made
    let dir = match &request.out {
        Some(dir) => dir.clone(),
        None => suite_dir::fresh(Path::new(runs::RUNS), &suite.name)?,
    };
    let session = suite_dir::claim(&dir, request.force)?;
    begin(request, session, suite, &text)
}

fn begin(request: &Request, session: Session, suite: Suite, text: &str) -> Result<Begun, Failure> {
    suite.notes.iter().for_each(|note| request.remark(&format!("note: {note}")));
    request.remark(&format!("suite directory {}", session.dir().display()));
    if let Some(cost) = suite.cost.as_ref().filter(|_| !suite.shrink) {
        request.remark(&format!("cost: {cost}"));
    }
    session.start(text, &info(&suite, String::new()))?;
    Ok(Begun { session, suite, kept: Vec::new(), earlier: Vec::new() })
}

fn resume(request: &Request) -> Result<Begun, Failure> {
    let Some(dir) = &request.out else {
        return Err(Failure::Usage("--resume needs --out DIR, the suite to continue".into()));
    };
    if request.force {
        return Err(Failure::Usage("--resume continues a suite and --force replaces it: give one of them".into()));
    }
    let asked = request.suite.as_ref().map(|name| suite::load(name, request.smoke)).transpose()?;
    let (session, opened) = suite_dir::resume(dir)?;
    match (opened, asked) {
        (Some(opened), asked) => {
            let suite = recorded(&opened)?;
            if let Some(asked) = asked {
                refuse_changes(dir, &suite, &asked)?;
            }
            let again = |what: &String| request.remark(&format!("passed over, to be run again: {what}"));
            opened.unreadable.iter().for_each(again);
            request.remark(&format!("{}: {} of {} runs are done", dir.display(), opened.records.len(), opened.planned));
            let earlier = other_versions(&opened);
            if !earlier.is_empty() {
                request.remark(&format!(
                    "warning: {}: the runs that are done were made by version {}, the rest will be by {VERSION}; versions may \
                     differ in results, --force runs all of them anew",
                    dir.display(),
                    earlier.join(" and ")
                ));
            }
            Ok(Begun { session, suite, kept: opened.records, earlier })
        }
        (None, Some(asked)) => {
            request.remark("the suite was stopped before it stood: starting it");
            let text = suite::resolved(&asked)?;
            begin(request, session, asked, &text)
        }
        (None, None) => {
            let why = "was stopped before the suite stood; name the suite to start it";
            Err(Failure::Usage(format!("{}: {why}", dir.display())))
        }
    }
}

/// Versions other than this one that made runs of the suite.
fn other_versions(opened: &SuiteDir) -> Vec<String> {
    let info = &opened.info;
    let mut versions: Vec<String> = info.earlier.iter().chain([&info.version]).cloned().collect();
    versions.retain(|v| v != VERSION && !opened.records.is_empty());
    versions
}

fn recorded(opened: &SuiteDir) -> Result<Suite, Failure> {
    let source = opened.dir.join(suite_dir::CONFIG).display().to_string();
    Ok(suite::parse(&opened.config, &source, Format::Toml, &opened.dir, false)?)
}

fn refuse_changes(dir: &Path, recorded: &Suite, asked: &Suite) -> Result<(), Failure> {
    let mut differences = saved::differences(&suite::resolved(recorded)?, &suite::resolved(asked)?);
    differences.retain(|(key, _, _)| key != "cost"); // words about it
    if differences.is_empty() {
        return Ok(());
    }
    if recorded.shrink != asked.shrink {
        let how = if recorded.shrink { "with" } else { "without" };
        return Err(Failure::Usage(format!("{}: the suite was started {how} --smoke; resume it so", dir.display())));
    }
    Err(Failure::Usage(format!(
        "{}: holds another suite: {}; finished runs could not be compared with new ones",
        dir.display(),
        saved::in_words(&differences)
    )))
}

/// The suite directory as the scheduler's sink.
struct Directory {
    session: Session,
    info: Mutex<Info>,
}

impl Sink for Directory {
    fn record(&self, record: &RunRecord) -> Result<(), Failure> {
        Ok(self.session.write(record)?)
    }

    fn chosen(&self, choices: &[Choice]) -> Result<(), Failure> {
        let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
        info.chosen = choices.to_vec();
        Ok(self.session.update(&info)?)
    }
}

impl Directory {
    fn conclude(self, records: Vec<RunRecord>, request: &Request) -> Result<(), Failure> {
        let mut info = self.info.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (done, dir) = (records.len() as u64, self.session.dir().display().to_string());
        info.status = if done == info.planned { Status::Finished } else { Status::Interrupted };
        self.session.update(&info)?;
        if info.status == Status::Interrupted {
            let jobs = request.jobs.map(|n| format!(" --jobs {n}")).unwrap_or_default();
            return Err(Failure::Interrupted(format!(
                "interrupted: {done} of {} runs are done and kept{}; go on with: stillpoint compare --resume --out {dir}{jobs}",
                info.planned,
                if info.online { ", the others go on where they stand" } else { "" }
            )));
        }
        let text = table::text(&SuiteDir {
            dir: self.session.dir().to_path_buf(),
            config: String::new(), // the table is about results alone
            status: info.status,
            planned: info.planned,
            info,
            records,
            unreadable: Vec::new(),
        });
        let next =
            format!("\nsuite directory {dir}\n\ntry next\n  curves, intervals and figures   stillpoint report {dir}\n");
        Ok(std::io::stdout().lock().write_all((text + &next).as_bytes())?)
    }
}
