//! The section of a study of `bias`: bias, correlation and variance of meta-gradients against what the study varies.

mod bars;
mod curves;
pub mod points;
mod slopes;
mod tables;
mod verdict;

use super::figure::slug;
use super::page::Section;
use super::rows::Rows;
use crate::config::bias::{self as config, Plan};
use crate::config::{Overrides, tree};
use crate::record::bias::Row;
use crate::record::run::Status;
use crate::record::{self as records, Fault};
use std::path::Path;

/// The directory of a study as far as it is there.
pub type BiasDir = Rows<Plan, Row>;

/// Whether the run directory `dir` is that of a study of `bias`; no if its configuration cannot be read.
pub fn is_study(dir: &Path) -> bool {
    records::open(dir).is_ok_and(|opened| config::is_bias(&opened.config))
}

impl BiasDir {
    /// Reads the study in `dir`, without a torn last row.
    ///
    /// # Errors
    /// It is half a study, or a row that is not the last is damaged.
    pub fn read(dir: &Path) -> Result<BiasDir, Fault> {
        let none = Overrides::default();
        Rows::of(dir, |text, source| config::parse(text, source, tree::Format::Toml, Path::new("."), &none))
    }

    /// Points that were asked for.
    fn planned(&self) -> Option<usize> {
        self.plan.as_ref().ok().map(|p| p.points.len())
    }

    /// Entries of a meta-gradient: parameters of a policy table, or of a reward table of the same shape.
    fn entries(&self) -> Option<usize> {
        let mdp = self.plan.as_ref().ok()?.mdps.first()?;
        Some(mdp.states * mdp.actions)
    }

    fn name(&self) -> String {
        let table = self.config.parse::<toml::Table>().unwrap_or_default();
        table.get("name").and_then(toml::Value::as_str).unwrap_or("bias").to_string()
    }

    /// MAML-RL or LIRPG.
    fn problem(&self) -> &'static str {
        match self.rows.first().map(|r| r.problem.as_str()) {
            Some("lirpg") => "LIRPG",
            Some(_) => "MAML-RL",
            None => "?",
        }
    }

    /// Rows that differ from the exact gradient by something that is sampled or wrong.
    fn measured(&self) -> Vec<&Row> {
        self.rows.iter().filter(|r| !points::is_exact(r)).collect()
    }

    fn is_whole(&self) -> bool {
        self.info.status == Status::Finished && self.planned().is_none_or(|n| n == self.rows.len())
    }
}

/// What a whole study would have and this one has not.
fn missing(dir: &BiasDir) -> Vec<String> {
    let mut missing = Vec::new();
    if !dir.is_whole() {
        let state = match dir.info.status {
            Status::Starting | Status::Running => "is running or was killed",
            Status::Interrupted => "was interrupted",
            Status::Diverged => "was stopped by a number that is not finite",
            Status::Finished => "is said to be finished, but rows are missing",
        };
        let planned = dir.planned().map_or_else(|| "?".into(), |n| n.to_string());
        missing.push(format!("Partial report: the study {state}; {} of {planned} points are there.", dir.rows.len()));
    }
    if let Err(why) = &dir.plan {
        missing.push(format!(
            "The resolved study cannot be read any more, so neither the number of its points nor the share of the bias in the error is \
             known: {why}."
        ));
    }
    if dir.rows.is_empty() {
        missing.push("metrics.jsonl has no rows, so there are no figures.".into());
    }
    missing
}

/// How the numbers are to be taken.
fn reading(dir: &BiasDir) -> Vec<String> {
    let mut reading: Vec<String> = [
        "g* is the exact K-step meta-gradient of an MDP, g one estimate of it. A tag names where the inner gradient, its Jacobian and the \
         outer gradient come from, in this order: `e` exact, `l` estimated from n trajectories.",
        "Bias is debiased: of the squared distance between the mean of m estimates and g* the noise of that mean, tr(Cov)/m, is taken \
         away, so the squared bias is unbiased and may come out negative. `grad_mse`, the reference's metric, keeps that noise.",
        "The relative bias is the root of the squared bias over the norm of g*, with the sign of the former, mean over MDPs; where g* is \
         small on some MDP it is mostly that MDP's.",
        "Not resolved: the relative squared bias is within 1.96 standard errors of zero. Such a point bounds the bias from above and \
         says nothing about whether there is one.",
        "Standard errors, bands and whiskers are of sampling on these MDPs: ± 1.96 of them hold for repeating the study, not for other \
         MDPs. The bootstrap intervals of slopes are over MDPs.",
        "`var`, the reference's name, is a sum of standard deviations over the entries; the variance drawn is a mean of variances.",
    ]
    .map(String::from)
    .to_vec();
    if dir.rows.iter().any(|r| r.hessian_error.is_some()) {
        reading.push(
            "An error c in the Hessian adds a diagonal of about 2c over the number of entries to the exact one, through the Jacobian only; \
             what varies between estimates is the noise of that error."
                .into(),
        );
    }
    reading
}

fn provenance(dir: &BiasDir) -> Vec<(String, String)> {
    let mut lines = vec![
        ("directory", dir.path.clone()),
        ("status", format!("{:?}", dir.info.status).to_lowercase()),
        ("made by", format!("{} {}", dir.info.program, dir.info.version)),
    ];
    if let Ok(plan) = &dir.plan {
        lines.extend([
            ("problem", plan.problem().to_string()),
            ("family", plan.family.name.to_string()),
            ("MDPs", plan.mdps.len().to_string()),
            ("gamma", plan.gamma.to_string()),
            ("estimates per MDP and point", plan.repeats.to_string()),
            ("seed", plan.seed.to_string()),
        ]);
    }
    let sampled: u64 = dir.rows.iter().map(|r| r.sampled).sum();
    lines.extend([("trajectories sampled", sampled.to_string()), ("wall time", format!("{:.0} s", dir.seconds))]);
    lines.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

/// The section of a study.
pub fn section(dir: &BiasDir) -> Section {
    let measured = dir.measured();
    let slopes = slopes::slopes(&measured);
    let mut figures = bars::figures(dir, &measured);
    figures.extend(curves::figures(&measured, !dir.rows.is_empty() && measured.len() < dir.rows.len()));
    let tables = vec![tables::points(dir), slopes::table(&slopes)];
    let data = vec![tables::mdps(dir)];
    Section {
        title: format!("Bias of meta-gradients: {}", dir.name()),
        name: slug(&dir.name()),
        missing: missing(dir),
        sentences: verdict::sentences(dir, &slopes),
        tables: tables.into_iter().filter(|t| !t.lines.is_empty()).collect(),
        data: data.into_iter().filter(|t| !t.lines.is_empty()).collect(),
        figures,
        reading: reading(dir),
        provenance: provenance(dir),
        configuration: Some(dir.config.clone()),
    }
}
