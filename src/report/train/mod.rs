//! The sections of training runs: runs that differ by their seed only are one group, with bands over seeds.

pub mod curves;
pub mod verdict;

use super::curve;
use super::curve::ends;
use super::figure::{Axis, Figure, Look, Series, slug};
use super::groups;
use super::page::{Column, Entry, Section, Table};
use crate::math::returns::mean;
use crate::math::summary::Estimate;
use crate::record::gap::{self, GapRow};
use crate::record::rows::{self, Logged};
use crate::record::run::{Info, Status};
use crate::record::{self, Fault};
use std::path::Path;
use toml::{Table as Toml, Value};

/// Iterations at either end that a table averages.
const WINDOW: usize = 10;

/// A training run as far as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainRun {
    /// Its directory, as given.
    pub path: String,
    /// Where it stands.
    pub info: Info,
    /// Resolved configuration, as text.
    pub config: String,
    /// The same, parsed; empty if it is no TOML.
    pub table: Toml,
    /// Rows of `metrics.jsonl`.
    pub rows: Vec<Logged>,
    /// Rows of `gap.jsonl`; empty without one.
    pub gaps: Vec<GapRow>,
}

impl TrainRun {
    /// Reads the run in `dir`.
    ///
    /// # Errors
    /// It is not a run, half a run, or a row that is not the last is damaged.
    pub fn read(dir: &Path) -> Result<TrainRun, Fault> {
        let opened = record::open(dir)?;
        let table = opened.config.parse().unwrap_or_default();
        let (rows, gaps) = (rows::read(dir)?, gap::read(dir)?);
        Ok(TrainRun { path: dir.display().to_string(), info: opened.info, config: opened.config, table, rows, gaps })
    }

    fn key(&self, path: &[&str]) -> Option<&Value> {
        groups::key(&self.table, path)
    }

    fn text(&self, path: &[&str]) -> String {
        self.key(path).and_then(Value::as_str).unwrap_or("?").to_string()
    }

    /// Iterations done.
    fn done(&self) -> u64 {
        self.rows.len() as u64
    }

    fn planned(&self) -> Option<i64> {
        self.key(&["iterations"])?.as_integer()
    }
}

/// Runs with the same configuration but for the seed (and how long they may go on).
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What tells it from the other groups, or the name of the preset.
    pub label: String,
    /// Its runs, by seed.
    pub runs: Vec<TrainRun>,
    /// Paths of runs that have a seed of those again.
    pub again: Vec<String>,
}

impl Group {
    /// The runs that means at the end are of.
    fn ends(&self) -> Vec<&TrainRun> {
        groups::abreast(&self.runs, TrainRun::done)
    }
}

/// What does not make a run what it is: its seed, its name, its length and what is recorded of it.
const IDLE: [&str; 5] = ["seed", "name", "iterations", "record.", "gap."];

/// Sorts runs into groups, in order of appearance.
pub fn group(runs: Vec<TrainRun>) -> Vec<Group> {
    let with = |run: TrainRun| (groups::settings(&run.table, &IDLE), run);
    let built = groups::group(runs.into_iter().map(with).collect(), |run| run.text(&["name"]));
    let seed = |run: &TrainRun| run.key(&["seed"]).and_then(Value::as_integer);
    let sorted = |(label, runs): (String, Vec<TrainRun>)| {
        let (runs, again) = groups::by_seed(runs, seed, TrainRun::done);
        Group { label, runs, again: again.into_iter().map(|run| run.path).collect() }
    };
    built.into_iter().map(sorted).collect()
}

/// Mean over a window of rows of each run; one number per run.
fn windows(group: &Group, last: bool, f: fn(&Logged) -> f64) -> Vec<f64> {
    let window = |run: &TrainRun| {
        let width = WINDOW.min((run.rows.len() / 2).max(1)).min(run.rows.len());
        let rows = if last { &run.rows[run.rows.len() - width..] } else { &run.rows[..width] };
        mean(&rows.iter().map(f).collect::<Vec<_>>())
    };
    group.ends().into_iter().map(window).collect()
}

/// The same as an estimate: over runs, or with one run over the iterations of its window.
fn estimate(group: &Group, last: bool, f: fn(&Logged) -> f64) -> Estimate {
    if let [run] = group.ends().as_slice() {
        let width = WINDOW.min((run.rows.len() / 2).max(1)).min(run.rows.len());
        let rows = if last { &run.rows[run.rows.len() - width..] } else { &run.rows[..width] };
        return Estimate::of(&rows.iter().map(f).collect::<Vec<_>>());
    }
    Estimate::of(&windows(group, last, f))
}

fn before(row: &Logged) -> f64 {
    row.row.returns.first().map_or(f64::NAN, |e| e.mean)
}

fn after(row: &Logged) -> f64 {
    row.row.returns.last().map_or(f64::NAN, |e| e.mean)
}

fn gain(row: &Logged) -> f64 {
    row.row.gain.mean
}

fn missing(group: &Group) -> Vec<String> {
    let mut missing = Vec::new();
    for run in &group.runs {
        let planned = run.planned().map_or_else(|| "?".into(), |n| n.to_string());
        let state = match run.info.status {
            Status::Finished => continue,
            Status::Starting | Status::Running => "is still running, or was killed",
            Status::Interrupted => "was interrupted",
            Status::Diverged => "diverged",
        };
        let why = run.info.reason.as_ref().map_or_else(String::new, |r| format!(" ({r})"));
        missing.push(format!("Partial: {} {state}{why}, {} of {planned} iterations.", run.path, run.rows.len()));
    }
    missing.extend(group.again.iter().map(|path| groups::left_out(path)));
    missing.extend(groups::apart(&group.runs, "iteration", TrainRun::done, |run| run.path.clone()));
    missing
}

fn table(groups: &[Group]) -> Table {
    let line = |g: &Group| {
        let cell = |last, f| {
            let e = estimate(g, last, f);
            Entry::interval(e.mean, ends(&e))
        };
        let runs = g.ends();
        let rows = runs.first().map_or(0, |r| r.rows.len());
        let end = |f: fn(&Logged) -> f64| {
            Entry::number(mean(&runs.iter().filter_map(|r| r.rows.last()).map(f).collect::<Vec<_>>()))
        };
        vec![
            Entry::text(&g.label),
            Entry::count(runs.len()),
            Entry::count(rows),
            end(|r| r.row.budget.environment_steps as f64),
            cell(false, after),
            cell(true, before),
            cell(true, after),
            cell(true, gain),
            end(|r| r.row.budget.hvps as f64),
            end(|r| r.seconds("seconds_since_start")),
        ]
    };
    Table {
        name: "table-returns".into(),
        title: "Returns".into(),
        caption: format!(
            "Undiscounted returns (reward) on the training tasks, mean over the first or last {WINDOW} iterations at most. 95 % \
             t-intervals over runs that stand at the same iteration; with one run over the iterations, which are nearly independent while the parameters move slowly."
        ),
        columns: vec![
            Column::plain("runs", "group"),
            Column::plain("n", "runs"),
            Column::plain("iterations", "iterations"),
            Column::plain("environment steps", "environment_steps"),
            Column::interval("after adaptation, first", "after_first"),
            Column::interval("before adaptation, last", "before_last"),
            Column::interval("after adaptation, last", "after_last"),
            Column::interval("gain, last", "gain_last"),
            Column::plain("HVPs", "hvps"),
            Column::plain("seconds", "seconds"),
        ],
        lines: groups.iter().map(line).collect(),
    }
}

/// After-adaptation returns of several groups in one frame.
fn together(groups: &[Group]) -> Figure {
    let series = groups.iter().enumerate().map(|(style, g)| {
        let run =
            |r: &TrainRun| r.rows.iter().map(|l| (l.row.budget.environment_steps as f64, after(l))).collect::<Vec<_>>();
        let marks = curve::across(&g.runs.iter().map(run).collect::<Vec<_>>());
        Series { label: format!("{} (n = {})", g.label, g.runs.len()), style, look: Look::Line, marks }
    });
    Figure {
        name: "runs".into(),
        title: "Runs compared".into(),
        caption: "Mean undiscounted return after adaptation on the training tasks of each iteration, mean over the n runs of a group \
                  with 95 % t-intervals over runs (none for a single run)."
            .into(),
        x: Axis::linear("training steps of the environment", "environment_steps"),
        y: Axis::linear("return after adaptation (reward)", "return_after"),
        counted: "runs",
        series: series.collect(),
    }
}

/// Sections of `runs`: one that compares groups, if there are several, and one per group.
pub fn sections(runs: Vec<TrainRun>) -> Vec<Section> {
    let groups = group(runs);
    let mut sections = Vec::new();
    if groups.len() > 1 {
        let reading =
            vec!["Runs are grouped by configuration: those of a group differ by their seed only.".to_string()];
        sections.push(Section {
            title: "Runs compared".into(),
            name: "runs".into(),
            sentences: verdict::compared(&groups),
            tables: vec![table(&groups)],
            figures: vec![together(&groups)],
            reading,
            ..Section::default()
        });
    }
    sections.extend(groups.iter().map(one));
    sections
}

fn one(group: &Group) -> Section {
    let first = &group.runs[0];
    let joined = |f: &dyn Fn(&TrainRun) -> String| group.runs.iter().map(f).collect::<Vec<_>>().join(", ");
    let seed = |r: &TrainRun| r.key(&["seed"]).map_or_else(|| "?".into(), ToString::to_string);
    let provenance = [
        ("directory", joined(&|r| r.path.clone())),
        ("status", joined(&|r| format!("{:?}", r.info.status).to_lowercase())),
        ("seed", joined(&seed)),
        ("made by", format!("{} {}", first.info.program, first.info.version)),
    ];
    Section {
        title: format!("Training {}", group.label),
        name: slug(&group.label),
        missing: missing(group),
        sentences: verdict::sentences(group),
        tables: vec![table(std::slice::from_ref(group))],
        figures: curves::figures(group),
        reading: Vec::new(),
        provenance: provenance.map(|(k, v)| (k.to_string(), v)).to_vec(),
        data: Vec::new(),
        configuration: Some(first.config.clone()),
    }
}
