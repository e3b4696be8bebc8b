//! The section of a stationarity study: the gap of each estimator beside the bound, and when it first falls below each epsilon.

pub mod bias;
pub mod curves;
pub mod floor;
pub mod hitting;
pub mod rates;
pub mod tables;
pub mod verdict;

use super::figure::slug;
use super::page::Section;
use crate::math::gap::Method;
use crate::record::Fault;
use crate::record::stationarity::{self as record, EstimatorRuns, Row, Study};
use serde_json::Value;
use std::path::Path;

/// The directory of a study as far as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyDir {
    /// Its directory, as given.
    pub path: String,
    /// The study; `None` while it is being made.
    pub study: Option<Study>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl StudyDir {
    /// Reads the study in `dir`.
    ///
    /// # Errors
    /// A file is unreadable or not what its name says.
    pub fn read(dir: &Path) -> Result<StudyDir, Fault> {
        let (study, rows) = record::read(dir)?;
        Ok(StudyDir { path: dir.display().to_string(), study, rows })
    }

    /// Runs per estimator; empty while the study is being made.
    pub fn runs(&self) -> &[EstimatorRuns] {
        self.study.as_ref().map_or(&[], |s| &s.runs)
    }

    /// Estimators, those of the study first.
    pub fn estimators(&self) -> Vec<String> {
        let mut names: Vec<String> = self.runs().iter().map(|r| r.estimator.clone()).collect();
        for row in &self.rows {
            if !names.contains(&row.estimator) {
                names.push(row.estimator.clone());
            }
        }
        names
    }

    /// Rows of an estimator.
    pub fn of<'a>(&'a self, estimator: &'a str) -> impl Iterator<Item = &'a Row> + 'a {
        self.rows.iter().filter(move |r| r.estimator == estimator)
    }

    /// Seeds of an estimator's rows, sorted.
    pub fn seeds(&self, estimator: &str) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.of(estimator).map(|r| r.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// Whether every gap is exact.
    pub fn is_exact(&self) -> bool {
        self.rows.iter().all(|r| r.gap.method == Method::Enumerated)
    }

    /// One key of the setting, as text.
    fn setting(&self, key: &str) -> Option<String> {
        match self.study.as_ref()?.setting.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// Outer iterations that were asked for.
    pub fn planned(&self) -> Option<u64> {
        self.study.as_ref()?.setting.get("iterations")?.as_u64()
    }
}

/// What a whole study would have and this one has not.
fn missing(dir: &StudyDir) -> Vec<String> {
    let mut missing = Vec::new();
    let planned = dir.planned().map_or_else(|| "?".into(), |k| k.to_string());
    match &dir.study {
        None => {
            missing.push(format!(
                "Partial report: {} is not written yet; the study is running or was killed.",
                record::STUDY
            ));
        }
        Some(study) if study.status != "finished" => {
            missing.push(format!(
                "Partial report: the study was {}; some runs have not made all {planned} iterations.",
                study.status
            ));
        }
        Some(_) => {}
    }
    if dir.rows.is_empty() {
        missing.push(format!("{} has no rows, so there are no curves.", record::ROWS));
    }
    for runs in dir.runs() {
        let stopped = runs.seeds.iter().filter(|s| s.outcome != "finished");
        let stopped: Vec<String> = stopped
            .map(|s| format!("seed {} {} after {} of {planned} iterations", s.seed, s.outcome, s.iterations))
            .collect();
        if !stopped.is_empty() {
            let lost = runs.seeds.iter().any(|s| s.outcome == "diverged");
            let left = if lost { "; it is left out of the comparison" } else { "" };
            missing.push(format!("`{}`: {}{left}.", runs.estimator, stopped.join(", ")));
        }
    }
    missing
}

fn provenance(dir: &StudyDir) -> Vec<(String, String)> {
    let mut lines = vec![("directory".to_string(), dir.path.clone())];
    if let Some(study) = &dir.study {
        let of_file = [
            ("input", study.source.clone()),
            ("status", study.status.clone()),
            ("dynamics", study.dynamics.clone()),
            ("made by", format!("{} {}", study.program, study.version)),
        ];
        lines.extend(of_file.map(|(k, v)| (k.to_string(), v)));
        let setting = study.setting.as_object().into_iter().flatten().map(|(k, _)| k);
        lines.extend(setting.filter_map(|k| Some((k.replace('_', " "), dir.setting(k)?))));
    }
    lines
}

/// How the numbers are to be taken.
fn reading(dir: &StudyDir) -> Vec<String> {
    let mut reading = vec![
        "The gap is the norm of the gradient of V_ζ, the same objective for all estimators, at the parameters of an iteration. Its \
         square can be estimated without bias, its root cannot: where the interval of the square contains zero the gap is below \
         resolution."
            .to_string(),
    ];
    let Some(study) = &dir.study else { return reading };
    if study.constants.is_some() {
        reading.push(
            "The theorem bounds the mean of the squared gap over iterations, for estimators that are unbiased, with a step size up \
             to 1/L_V. Its constants hold for every parameter of every family of this size, so it is far above what is measured: \
             slack is how many times."
                .into(),
        );
    }
    if let Some(why) = &study.assumption {
        reading.push(format!("There is no bound here: {why}."));
    }
    if let Some(smoothness) = study.empirical_smoothness {
        let smoothness = super::comparison::verdict::digits(smoothness);
        let first = study.runs.first().map_or("", |r| &r.estimator);
        reading.push(format!(
            "Largest smoothness seen between a dozen points of the first run of `{first}`: {smoothness}, a lower bound of the \
             constant L_V."
        ));
    }
    reading.extend(study.notes.iter().map(|n| format!("{n}.")));
    reading
}

/// The section of a study.
pub fn section(dir: &StudyDir) -> Section {
    let mut missing = missing(dir);
    let mut figures =
        vec![curves::gap(dir), curves::bound(dir), hitting::figure(dir), bias::figure(dir), curves::value(dir)];
    let mut tables = vec![tables::ends(dir), tables::bounds(dir), hitting::table(dir), bias::table(dir)];
    let study = dir.study.as_ref();
    match study.and_then(|s| s.floor.as_ref()).map(floor::read) {
        Some(Ok(cells)) => {
            figures.extend(floor::figures(&cells, dir));
            tables.push(floor::table(&cells));
        }
        Some(Err(why)) => missing.push(format!("The table of MAML's bias is left out: {why}.")),
        None => {}
    }
    match study.and_then(|s| s.rates.as_ref()).map(rates::read) {
        Some(Ok(sweeps)) => {
            figures.extend(rates::figures(&sweeps));
            tables.push(rates::table(&sweeps));
        }
        Some(Err(why)) => missing.push(format!("The rates are left out: {why}.")),
        None => {}
    }
    tables.push(tables::constants(dir));
    let family = dir.setting("family").or_else(|| Some(study?.source.clone()));
    let family = family.map_or_else(String::new, |f| format!(" on {f}"));
    Section {
        title: format!("Stationarity{family}"),
        name: slug(&format!("stationarity{family}")),
        missing,
        sentences: verdict::sentences(dir),
        tables: tables.into_iter().filter(|t| !t.lines.is_empty()).collect(),
        figures,
        reading: reading(dir),
        provenance: provenance(dir),
        data: Vec::new(),
        configuration: None,
    }
}
