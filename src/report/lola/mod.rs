//! The sections of runs of `lola`: one per run, reward curves of every seed, correlations, bias and variance, and what is played.

mod curves;
mod tables;

use super::figure::slug;
use super::groups;
use super::page::Section;
use crate::config::lola::is_lola;
use crate::learn::lola::Row;
use crate::record::run::{Info, Status};
use crate::record::{self, Fault, online};
use std::path::Path;
use toml::{Table as Toml, Value};

/// A run of `lola` as far as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct LolaRun {
    /// Its directory, as given.
    pub path: String,
    /// What it is called: its name, or its directory where another run has the same name.
    pub label: String,
    /// Where it stands.
    pub info: Info,
    /// Resolved configuration, as text.
    pub config: String,
    /// The same, parsed.
    pub table: Toml,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Whether the run directory `dir` is that of `lola`; no if its configuration cannot be read.
pub fn is_run(dir: &Path) -> bool {
    record::open(dir).is_ok_and(|opened| is_lola(&opened.config))
}

impl LolaRun {
    /// Reads the run in `dir`.
    ///
    /// # Errors
    /// It is not a run, half a run, or a row that is not the last is damaged.
    pub fn read(dir: &Path) -> Result<LolaRun, Fault> {
        let opened = record::open(dir)?;
        let table: Toml = opened.config.parse().unwrap_or_default();
        let label = table.get("name").and_then(Value::as_str).unwrap_or("lola").to_string();
        let rows = online::last::<Row>(dir, usize::MAX)?.into_iter().map(|logged| logged.row).collect();
        Ok(LolaRun { path: dir.display().to_string(), label, info: opened.info, config: opened.config, table, rows })
    }

    fn key(&self, path: &[&str]) -> Option<&Value> {
        groups::key(&self.table, path)
    }

    fn name(&self) -> String {
        self.label.clone()
    }

    fn game(&self) -> String {
        self.key(&["game", "name"]).and_then(Value::as_str).unwrap_or("a game of one's own").to_string()
    }

    fn updates(&self) -> i64 {
        self.key(&["updates"]).and_then(Value::as_integer).unwrap_or(0)
    }

    fn is_naive(&self) -> bool {
        self.key(&["inner", "steps"]).and_then(Value::as_integer) == Some(0)
    }
}

/// Sections of `runs`: one that compares them, if there are several, and one for each.
pub fn sections(mut runs: Vec<LolaRun>) -> Vec<Section> {
    let labels: Vec<String> = runs.iter().map(LolaRun::name).collect();
    for run in &mut runs {
        if labels.iter().filter(|label| **label == run.label).count() > 1 {
            run.label.clone_from(&run.path);
        }
    }
    let mut sections = Vec::new();
    if runs.len() > 1 {
        let mut compared = vec![tables::rewards(&runs)];
        compared.extend(tables::differences(&runs));
        sections.push(Section {
            title: "LOLA runs compared".into(),
            name: "lola".into(),
            tables: compared,
            figures: vec![curves::together(&runs)],
            ..Section::default()
        });
    }
    sections.extend(runs.iter().map(one));
    sections
}

/// What the last row says.
fn sentences(run: &LolaRun) -> Vec<String> {
    let Some(last) = run.rows.last() else { return vec![format!("{}: no update yet.", run.name())] };
    let said = |s: &crate::learn::lola::Standing| {
        let e = &s.reward_per_step;
        match (e.low, e.high) {
            (Some(low), Some(high)) => format!("{:.3} [{low:.3}, {high:.3}]", e.mean),
            _ => format!("{:.3}", e.mean),
        }
    };
    let n = last.standing.rewards.len();
    let count = if n == 1 { "1 seed".to_string() } else { format!("{n} seeds") };
    let learners = if run.is_naive() { "naive learners" } else { "both look ahead" };
    let mut text = format!(
        "{}, {}, {learners}: {} per step after {} updates, {count}.",
        run.name(),
        run.game(),
        said(&last.standing),
        last.update
    );
    if let Some(control) = &last.control {
        text += &format!(" Naive learners of the same seeds: {}.", said(control));
    }
    vec![text]
}

fn one(run: &LolaRun) -> Section {
    let state = match run.info.status {
        Status::Finished => None,
        Status::Starting | Status::Running => Some("is still running, or was killed"),
        Status::Interrupted => Some("was interrupted"),
        Status::Diverged => Some("diverged"),
    };
    let missing = state.map(|s| format!("Partial: {} {s}, {} of {} updates.", run.path, run.rows.len(), run.updates()));
    let provenance = [
        ("directory", run.path.clone()),
        ("status", format!("{:?}", run.info.status).to_lowercase()),
        ("made by", format!("{} {}", run.info.program, run.info.version)),
    ];
    let mut tables = vec![tables::rewards(std::slice::from_ref(run)), tables::policies(run)];
    tables.extend(tables::errors(run));
    Section {
        data: Vec::new(),
        title: format!("LOLA {}", run.name()),
        name: slug(&run.name()),
        missing: missing.into_iter().collect(),
        sentences: sentences(run),
        tables,
        figures: curves::figures(run),
        reading: vec![
            "Bands and brackets are 95 % t-intervals over seeds, where nothing else is said. Seeds of the control share initial logits and outer random streams \
             with the learners."
                .into(),
            "Bias and variance are those of a single estimate of the meta-gradient at the parameters of the moment, from independent \
             repetitions on streams of their own; the squared bias is unbiased, so it may be negative. Kept episodes are played \
             again by the policies that played them."
                .into(),
            "The exact meta-gradient is that of the infinite horizon: episodes that end add a bias of the order of gamma to the power of \
             the horizon."
                .into(),
        ],
        provenance: provenance.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
        configuration: Some(run.config.clone()),
    }
}
