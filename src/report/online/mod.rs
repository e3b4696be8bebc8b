//! The sections of runs of `online`: runs that differ by their seed only are one group, each beside its twin if it has one.

pub mod bins;
mod curves;
mod gap;
mod tables;
mod verdict;

use super::figure::slug;
use super::groups;
use super::page::Section;
use crate::config::Overrides;
use crate::config::online::{self, is_online};
use crate::config::tree::Format;
use crate::estimator::online::Tunable;
use crate::record::run::{self, Info};
use crate::record::{self, Fault, online_rows};
use bins::{Bin, Trace};
use std::path::{Path, PathBuf};
use toml::{Table as Toml, Value};

/// Bytes of rows that are held at once.
const PORTION: u64 = 4 << 20;

/// A run of `online` as far as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlineRun {
    /// Its directory, as given.
    pub path: String,
    /// Where it stands.
    pub info: Info,
    /// Resolved configuration, as text.
    pub config: String,
    /// The same, parsed, with the keys that came after the version that wrote it.
    pub table: Toml,
    /// Its rows in bins.
    pub trace: Trace,
    /// The run with everything fixed beside it.
    pub twin: Option<Box<OnlineRun>>,
    /// What is wrong with the twin that there should be.
    pub lacking: Option<String>,
}

/// Whether the run directory `dir` is that of an online run; no if its configuration cannot be read.
pub fn is_run(dir: &Path) -> bool {
    record::open(dir).is_ok_and(|opened| is_online(&opened.config))
}

/// A resolved configuration as this version writes it, so that runs of different versions can be one group; as it is if this version
/// does not understand it.
fn completed(config: &str) -> String {
    let plan = online::parse(config, "the run", Format::Toml, &Overrides::default());
    plan.map_or_else(|_| config.to_string(), |plan| online::resolved(&plan))
}

impl OnlineRun {
    /// Reads the run in `dir`, and its twin if its configuration names one.
    ///
    /// # Errors
    /// It is not a run, half a run, or a row that is not the last is damaged. What is wrong with a twin stands in `lacking`.
    pub fn read(dir: &Path) -> Result<OnlineRun, Fault> {
        let mut run = OnlineRun::alone(dir)?;
        if run.key(&["twin"]).and_then(Value::as_bool) == Some(true) {
            let beside = run::twin_of(dir);
            match beside.exists().then(|| OnlineRun::alone(&beside)) {
                Some(Ok(twin)) => run.twin = Some(Box::new(twin)),
                Some(Err(fault)) => run.lacking = Some(format!("The twin cannot be read: {fault}.")),
                None => run.lacking = Some(format!("The twin `{}` does not exist (yet).", beside.display())),
            }
        }
        Ok(run)
    }

    fn alone(dir: &Path) -> Result<OnlineRun, Fault> {
        let opened = record::open(dir)?;
        let table = completed(&opened.config).parse().unwrap_or_default();
        let (mut trace, mut rows) = (Trace::default(), online_rows::follow(dir));
        loop {
            let news = rows.poll(PORTION)?;
            if news.restarted && trace.rows > 0 {
                trace = Trace::default();
            }
            news.items.into_iter().for_each(|row| trace.push(row));
            if !news.more {
                break;
            }
        }
        let path = dir.display().to_string();
        Ok(OnlineRun { path, info: opened.info, config: opened.config, table, trace, twin: None, lacking: None })
    }

    fn key(&self, path: &[&str]) -> Option<&Value> {
        groups::key(&self.table, path)
    }

    fn text(&self, path: &[&str]) -> Option<String> {
        self.key(path)?.as_str().map(String::from)
    }

    fn number(&self, path: &[&str]) -> Option<f64> {
        let value = self.key(path)?;
        value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
    }

    /// Number of the last update.
    fn updates(&self) -> u64 {
        self.trace.last.as_ref().map_or(0, |row| row.update)
    }

    fn seed(&self) -> Option<i64> {
        self.key(&["seed"])?.as_integer()
    }

    /// What the run is on, in a word.
    fn task(&self) -> String {
        let named = [["family", "name"], ["task", "name"], ["atari", "game"]];
        named.iter().find_map(|path| self.text(path)).unwrap_or_else(|| "?".into())
    }

    /// Settings of the meta-parameters that the configuration has.
    fn tunables(&self) -> Vec<Setting> {
        Tunable::ALL.into_iter().filter_map(|tunable| Setting::of(self, tunable)).collect()
    }

    /// Names of the learned meta-parameters, in the order of the logits.
    pub fn learned(&self) -> Vec<Tunable> {
        self.tunables().into_iter().filter(|s| s.mode == "meta").map(|s| s.tunable).collect()
    }
}

/// How a meta-parameter is set.
struct Setting {
    tunable: Tunable,
    mode: String,
    initial: f64,
    end: Option<f64>,
    bounds: [f64; 2],
}

impl Setting {
    fn of(run: &OnlineRun, tunable: Tunable) -> Option<Setting> {
        let number = |leaf: &str| run.number(&[tunable.name(), leaf]);
        Some(Setting {
            tunable,
            mode: run.text(&[tunable.name(), "mode"])?,
            initial: number("initial")?,
            end: number("end"),
            bounds: [number("low").unwrap_or(0.0), number("high").unwrap_or(1.0)],
        })
    }
}

/// Runs with the same configuration but for the seed (and how long they may go on).
pub struct Group {
    label: String,
    runs: Vec<OnlineRun>,
    /// Paths of runs that have a seed of those again.
    again: Vec<String>,
}

impl Group {
    /// The runs with their twins.
    fn pairs(&self) -> Vec<(&OnlineRun, &OnlineRun)> {
        self.runs.iter().filter_map(|run| Some((run, run.twin.as_deref()?))).collect()
    }

    /// The pairs of which both stand at the same update: ends of other pairs are of different lengths of training.
    fn level(&self) -> Vec<(&OnlineRun, &OnlineRun)> {
        self.pairs().into_iter().filter(|(run, twin)| run.updates() == twin.updates()).collect()
    }

    fn twins(&self) -> Vec<&OnlineRun> {
        self.pairs().into_iter().map(|(_, twin)| twin).collect()
    }

    /// The runs that means at the end are of.
    fn ends(&self) -> Vec<&OnlineRun> {
        groups::abreast(&self.runs, OnlineRun::updates)
    }

    fn all(&self) -> Vec<&OnlineRun> {
        self.runs.iter().collect()
    }

    /// Name of the horizontal axis of all of its figures, and of its column.
    fn progress(&self) -> [&'static str; 2] {
        match self.runs.iter().any(|run| run.trace.has_frames()) {
            true => ["frames of the simulator", "frames"],
            false => ["updates", "update"],
        }
    }
}

/// One number of each run's last tenth; runs without it are left out.
fn tails(runs: &[&OnlineRun], y: impl Fn(&Bin) -> Option<f64>) -> Vec<f64> {
    runs.iter().filter_map(|run| y(&run.trace.tail())).collect()
}

/// What does not make a run what it is: its seed, its name, its length and what is recorded of it.
const IDLE: [&str; 6] = ["seed", "name", "updates", "average", "twin", "gap."];

/// Sorts runs into groups. A run that is given twice, or that is the twin of another, counts once.
fn group(mut runs: Vec<OnlineRun>) -> Vec<Group> {
    let place = |path: &str| std::fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    let twins: Vec<PathBuf> = runs.iter().filter_map(|run| Some(place(&run.twin.as_ref()?.path))).collect();
    let mut seen = Vec::new();
    runs.retain(|run| {
        let at = place(&run.path);
        let is_new = !twins.contains(&at) && !seen.contains(&at);
        seen.push(at);
        is_new
    });
    let with = |run: OnlineRun| (groups::settings(&run.table, &IDLE), run);
    let name = |run: &OnlineRun| run.text(&["name"]).unwrap_or_else(|| "online".into());
    let sorted = |(label, runs): (String, Vec<OnlineRun>)| {
        let (runs, again) = groups::by_seed(runs, OnlineRun::seed, OnlineRun::updates);
        Group { label, runs, again: again.into_iter().map(|run| run.path).collect() }
    };
    groups::group(runs.into_iter().map(with).collect(), name).into_iter().map(sorted).collect()
}

/// Sections of `runs`: one that compares groups, if there are several, and one per group.
pub fn sections(runs: Vec<OnlineRun>) -> Vec<Section> {
    let groups = group(runs);
    let mut sections = Vec::new();
    if groups.len() > 1 {
        let all: Vec<&Group> = groups.iter().collect();
        sections.push(Section {
            title: "Online runs compared".into(),
            name: "online".into(),
            tables: vec![tables::returns(&all)],
            figures: vec![curves::together(&groups)],
            reading: vec!["Runs are grouped by configuration: those of a group differ by their seed only.".to_string()],
            ..Section::default()
        });
    }
    sections.extend(groups.iter().map(one));
    sections
}

fn one(group: &Group) -> Section {
    let first = &group.runs[0];
    let joined = |f: &dyn Fn(&OnlineRun) -> String| group.runs.iter().map(f).collect::<Vec<_>>().join(", ");
    let mut provenance = vec![
        ("directory", joined(&|r| r.path.clone())),
        ("status", joined(&|r| format!("{:?}", r.info.status).to_lowercase())),
        ("seed", joined(&|r| r.seed().map_or_else(|| "?".into(), |s| s.to_string()))),
        ("made by", format!("{} {}", first.info.program, first.info.version)),
    ];
    if !group.pairs().is_empty() {
        provenance.insert(1, ("twin", group.twins().iter().map(|t| t.path.clone()).collect::<Vec<_>>().join(", ")));
    }
    let mut tables = vec![tables::returns(&[group])];
    tables.extend(tables::twins(group));
    tables.push(tables::settings(group));
    tables.extend(gap::table(group));
    let mut figures = curves::figures(group);
    figures.extend(gap::figures(group));
    figures.extend(curves::learner(group));
    Section {
        title: format!("Online {}", group.label),
        name: slug(&group.label),
        missing: verdict::missing(group),
        sentences: verdict::sentences(group),
        tables,
        figures,
        reading: verdict::reading(group),
        provenance: provenance.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
        data: Vec::new(),
        configuration: Some(first.config.clone()),
    }
}
