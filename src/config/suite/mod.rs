//! Suites for `compare`: arms, families and seeds at an equal budget of environment steps; file to validated [`Suite`].
//!
//! All runs of a suite are those of `train`, or all are those of `online` ([`Kind`]).
//!
//! The configuration of a run is its family's (preset, then `set`) with the arm's `set`, one point of the arm's `grid` and the
//! seed. An arm with a `preset` takes the whole learner (every section but `[family]`) from there; the family's `set` still
//! applies to it. Every configuration passes the checks of `train` (or of `online`) before anything runs.

mod lifetime;
pub mod raw;
mod read;
mod resolve;
mod smoke;

pub use resolve::resolved;

use super::{Error, Loaded, Overrides, online, overrides, shipped, tree};
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// One point of a grid: keys and values in the suite's order.
pub type Setting = Vec<(String, f64)>;

/// Score of a tuning run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Return after adaptation at the end of the run.
    #[default]
    Final,
    /// Mean return after adaptation over the environment steps of the run: the area under its curve.
    Area,
}

impl Select {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Select::Final => "final",
            Select::Area => "area",
        }
    }
}

/// What the runs of a suite are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Runs of `train`: policies that adapt to the tasks of a family.
    Train,
    /// Runs of `online`: an actor-critic in the lifetime of one task.
    Online,
}

/// Evaluation along each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluate {
    /// Evaluations along the budget, besides the one before training; of a run of `online`, the parts of the budget over which
    /// the returns of its own episodes are averaged.
    pub points: usize,
    /// Fresh tasks of each evaluation; 1 for a run of `online`.
    pub tasks: usize,
    /// Measuring episodes per task, before and after adaptation; of a run of `online`, episodes before and after training.
    pub episodes: usize,
    /// Exact V_zeta where the family can be enumerated.
    pub exact: bool,
    /// Stationarity gap of V_zeta.
    pub gap: bool,
}

/// A family of the suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name in the suite.
    pub name: String,
    /// Environment steps each run may spend on training.
    pub budget: u64,
    /// Returns that count as 0 and 1 when families are pooled.
    pub score: Option<[f64; 2]>,
    /// Training configuration before `set`.
    config: Table,
    /// Changed keys, dotted.
    set: Vec<(String, Value)>,
}

/// An arm of the suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Name in the suite.
    pub name: String,
    /// Whole learner, if it does not start from the family's.
    config: Option<Table>,
    /// Changed keys, dotted.
    set: Vec<(String, Value)>,
    /// Keys and the values to try.
    grid: Vec<(String, Vec<f64>)>,
    /// Families it runs on, by index.
    families: Vec<usize>,
}

/// An arm on a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Index of the family.
    pub family: usize,
    /// Index of the arm.
    pub arm: usize,
    /// Grid points; one, empty, if the arm has no grid.
    pub settings: Vec<Setting>,
    /// Most environment steps of one iteration, for each setting.
    pub steps_per_iteration: Vec<u64>,
    /// Policy parameters: with the budget, a guess at how long a run takes.
    pub parameters: u64,
}

/// A validated suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// Name.
    pub name: String,
    /// What its runs are.
    pub kind: Kind,
    /// What it costs, in words.
    pub cost: Option<String>,
    /// Score that settings are chosen by.
    pub select: Select,
    /// Whether every grid point is run on the reporting seeds.
    pub report_grid: bool,
    /// Whether every run is shrunk as by `train --smoke`.
    pub shrink: bool,
    /// Seeds that settings are chosen on; no reporting seed is among them.
    pub tuning: Vec<u64>,
    /// Seeds that are reported.
    pub reporting: Vec<u64>,
    /// Evaluation along each run.
    pub evaluate: Evaluate,
    /// Families.
    pub families: Vec<Family>,
    /// Arms.
    pub arms: Vec<Arm>,
    /// Every arm on every family it runs on, family by family.
    pub cells: Vec<Cell>,
    /// What the user should know, one line each.
    pub notes: Vec<String>,
    /// File or embedded suite, for messages.
    pub source: String,
}

/// Loads SUITE: a path, or the name of a shipped suite.
///
/// # Errors
/// Names the file, the key (or the arm and the family) and what is allowed.
pub fn load(name: &str, smoke: bool) -> Result<Suite, Error> {
    let found = shipped::COMPARE.find(name)?;
    parse(&found.text, &found.source, found.format, &found.base, smoke)
}

/// Parses and validates suite `text`; `source` names it in messages and `base` is where files it names are looked for.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, source: &str, format: tree::Format, base: &Path, smoke: bool) -> Result<Suite, Error> {
    let error = |key: String, message: String| Error { source: source.to_string(), key, message };
    let table = tree::parse(text, format).map_err(|message| error(String::new(), message))?;
    if online::is_own(&table) {
        return Err(error(String::new(), online::FOREIGN.into()));
    }
    let mut raw = raw::Raw::from_table(table).map_err(|f| error(f.key, f.message))?;
    if smoke {
        smoke::shrink(&mut raw);
    }
    read::suite(raw, source, base)
}

impl Cell {
    /// Whether a setting has to be chosen.
    pub fn is_tuned(&self) -> bool {
        self.settings.len() > 1
    }
}

impl Suite {
    /// Tuning and reporting runs of a cell.
    pub fn runs(&self, cell: &Cell) -> [usize; 2] {
        let tuning = if cell.is_tuned() { cell.settings.len() * self.tuning.len() } else { 0 };
        let reported = if self.report_grid { cell.settings.len() } else { 1 };
        [tuning, reported * self.reporting.len()]
    }

    /// Plan and family of one run, through every check of `train`.
    ///
    /// # Errors
    /// Names suite, arm, family and key.
    pub fn plan(&self, family: usize, arm: usize, setting: &Setting, seed: u64) -> Result<Loaded, Error> {
        plan(&self.source, &self.families[family], &self.arms[arm], setting, seed, self.shrink)
    }

    /// Whether any run needs the Atari emulator.
    pub fn plays_atari(&self) -> bool {
        self.kind == Kind::Online && self.families.iter().any(|f| f.config.contains_key("atari"))
    }

    /// Plan of one run of a suite of [`Kind::Online`], through every check of `online`: as many updates as the budget holds.
    ///
    /// # Errors
    /// Names suite, arm, family and key.
    pub fn online_plan(&self, family: usize, arm: usize, setting: &Setting, seed: u64) -> Result<online::Plan, Error> {
        let family = &self.families[family];
        lifetime::plan(&self.source, family, &self.arms[arm], setting, seed, self.shrink)
            .map(|plan| lifetime::within(plan, family.budget))
    }
}

/// The configuration of an arm on a family with a setting, and what to call its source in messages; `task` names the sections that stay
/// the family's.
fn merged(
    source: &str,
    family: &Family,
    arm: &Arm,
    setting: &[(String, f64)],
    task: &[&str],
) -> Result<(String, Table), Error> {
    let source = format!("{source}: arm `{}` on family `{}`", arm.name, family.name);
    let mut table = arm.config.clone().unwrap_or_else(|| family.config.clone());
    if arm.config.is_some() {
        for (key, section) in task.iter().filter_map(|key| Some((key, family.config.get(*key)?))) {
            table.insert((*key).into(), section.clone());
        }
    }
    let setting = setting.iter().map(|(key, x)| (key.clone(), number(*x)));
    for (key, value) in family.set.iter().chain(&arm.set).cloned().chain(setting) {
        overrides::insert(&mut table, &key, &value).map_err(|message| Error {
            source: source.clone(),
            key,
            message,
        })?;
    }
    Ok((source, table))
}

/// A merged configuration as text.
fn text(source: &str, table: &Table) -> Result<String, Error> {
    let fail = |e| Error {
        source: source.to_string(),
        key: String::new(),
        message: format!("cannot be written as TOML: {e}"),
    };
    toml::to_string(table).map_err(fail)
}

/// [`Suite::plan`] of parts.
fn plan(
    source: &str,
    family: &Family,
    arm: &Arm,
    setting: &[(String, f64)],
    seed: u64,
    shrink: bool,
) -> Result<Loaded, Error> {
    let (source, table) = merged(source, family, arm, setting, &["family"])?;
    let overrides = Overrides { seed: Some(seed), smoke: shrink, ..Overrides::default() };
    super::parse(&text(&source, &table)?, &source, tree::Format::Toml, Path::new("."), &overrides)
}

/// A grid value for the configuration: whole numbers as such, so that they fit keys that count.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < 1e15 { Value::Integer(x as i64) } else { Value::Float(x) }
}
