//! The section of a suite: who won, per family and pooled, with curves and sensitivity, and what is not there yet.

pub mod curves;
pub mod lifetimes;
pub mod objectives;
pub mod pooled;
pub mod tables;

use super::comparison::{self, verdict};
use super::page::Section;
use crate::record::suite::{Outcome, Phase};
use crate::record::suite_dir::{Status, SuiteDir};
use toml::Table as Toml;

/// The section of `suite`.
pub fn section(suite: &SuiteDir) -> Section {
    let comparison = comparison::compare(suite);
    let mut figures: Vec<_> = pooled::figures(&comparison).into_iter().collect();
    figures.extend(curves::figures(suite, &comparison));
    let mut missing = missing(suite);
    let mut tables = tables::tables(suite, &comparison);
    if suite.info.online {
        tables.splice(0..0, lifetimes::tables(suite, &comparison));
        let (traces, unread) = lifetimes::traces(suite, &comparison);
        figures.extend(traces);
        missing.extend(unread);
    }
    let mut sentences = verdict::sentences(&comparison).to_vec();
    if is_partial(suite) && comparison.pooled.is_some() {
        sentences[0] = format!("So far, with part of the runs: {}", sentences[0]);
    }
    for alone in comparison.apart().iter().filter(|c| c.pooled.is_some()) {
        let [who, how_much, _] = verdict::sentences(alone);
        sentences.push(format!("With the arms that are not pooled: {who} {how_much}"));
    }
    missing.extend(comparison.notes.iter().cloned());
    Section {
        title: format!("Suite {}", suite.info.name),
        name: super::figure::slug(&suite.info.name),
        missing,
        sentences,
        tables,
        figures,
        reading: reading(&comparison),
        provenance: provenance(suite),
        data: Vec::new(),
        configuration: Some(suite.config.clone()),
    }
}

fn is_partial(suite: &SuiteDir) -> bool {
    (suite.records.len() as u64) < suite.planned || suite.status != Status::Finished
}

/// What a complete suite would have and this one has not.
fn missing(suite: &SuiteDir) -> Vec<String> {
    let mut missing = Vec::new();
    let done = suite.records.len() as u64;
    if is_partial(suite) {
        let state = match suite.status {
            Status::Running => "is still running, or was killed",
            Status::Interrupted => "was interrupted",
            Status::Finished => "is marked as finished",
        };
        missing.push(format!("Partial report: {done} of {} runs are done; the suite {state}.", suite.planned));
    }
    if !suite.info.earlier.is_empty() {
        let earlier = suite.info.earlier.join(" and ");
        missing.push(format!(
            "Mixed versions: some runs were made by version {earlier}, the others by {}; versions may differ in results.",
            suite.info.version
        ));
    }
    for path in &suite.unreadable {
        missing.push(format!("Not readable and left out: {path}."));
    }
    for arm in &suite.info.arms {
        let lacking: Vec<String> = suite.info.families.iter().filter_map(|f| lacking(suite, arm, &f.name)).collect();
        if !lacking.is_empty() {
            missing.push(format!("Reporting seeds of arm `{arm}`: {}.", lacking.join(", ")));
        }
    }
    let failed: Vec<_> = suite.records.iter().filter(|r| r.outcome == Outcome::Failed).collect();
    if let Some(first) = failed.first() {
        let why = first.reason.clone().unwrap_or_else(|| "no reason was recorded".into());
        missing.push(format!(
            "{} failed and {} no score; the first is arm `{}` on {}: {why}.",
            comparison::runs_text(failed.len()),
            if failed.len() == 1 { "has" } else { "have" },
            first.arm,
            first.family
        ));
    }
    missing
}

/// `FAMILY 3 of 10` where an arm has fewer reporting runs than seeds; `None` if it is complete or does not run there.
fn lacking(suite: &SuiteDir, arm: &str, family: &str) -> Option<String> {
    let settings: Toml = suite.config.parse().unwrap_or_default();
    let arms = settings.get("arms").and_then(|a| a.as_array());
    let own = arms.and_then(|a| a.iter().find(|t| t.get("name").and_then(|n| n.as_str()) == Some(arm)));
    if let Some(only) = own.and_then(|a| a.get("families")?.as_array())
        && !only.iter().any(|f| f.as_str() == Some(family))
    {
        return None;
    }
    let mut seeds: Vec<u64> = suite.of(family, arm, Phase::Reporting).map(|r| r.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let (done, all) = (seeds.len(), suite.info.seeds.len());
    (done < all)
        .then(|| if done == 0 { format!("none of {all} on {family}") } else { format!("{done} of {all} on {family}") })
}

fn reading(comparison: &comparison::Comparison) -> Vec<String> {
    let score = match comparison.online {
        true => {
            "The score of a run is the mean undiscounted return of whole episodes with sampled actions after training (final), or \
             the mean height of its curve over the budget (area under the curve): whole episodes before and after training, and \
             between them the mean return of the run's own episodes, whose parameters change while they last, in the middle of equal \
             parts of the budget."
        }
        false => {
            "The score of a run is its mean undiscounted return after adaptation on evaluation tasks that all arms share: at the \
             end of the budget (final) or averaged over it (area under the curve)."
        }
    };
    let mut reading = vec![
        format!("{score} A run that diverged scores as the worst finished reporting run of its family."),
        "Settings were chosen on tuning seeds; everything but the sensitivity figures shows held-out reporting seeds. Arms have \
         equal budgets of environment steps, not of time."
            .to_string(),
        format!(
            "Means over seeds and paired differences have Student's t-intervals over seeds. Over several families a paired difference \
             is first averaged over families at each seed that all of them have, because runs of one seed share initial weights and \
             tasks on every family. Interquartile means, medians, probabilities and profiles have percentile intervals of 2000 \
             bootstrap resamples stratified by family, as rliable's: they take families as independent although these share seeds, \
             and are too narrow where what a seed does is alike on several families.{} All are 95 % intervals over seeds on these \
             families; they say nothing of other families.",
            comparison.narrow()
        ),
    ];
    if let Some(pooled) = &comparison.pooled {
        let scale = |f: &String| {
            let scale = comparison.scales.iter().find(|s| s.family == *f)?;
            let origin = if scale.stated {
                "stated by the suite"
            } else {
                "least and greatest final return of its finished reporting runs"
            };
            let (low, high) = (verdict::digits(scale.low), verdict::digits(scale.high));
            Some(format!("{f}: {low} is 0 and {high} is 1 ({origin})"))
        };
        let scales: Vec<String> = pooled.families.iter().filter_map(scale).collect();
        reading.push(format!("Normalised scores: {}.", scales.join("; ")));
    }
    reading
}

fn provenance(suite: &SuiteDir) -> Vec<(String, String)> {
    let info = &suite.info;
    let seeds: Vec<String> = info.seeds.iter().map(ToString::to_string).collect();
    let status = match info.status {
        Status::Running => "running",
        Status::Interrupted => "interrupted",
        Status::Finished => "finished",
    };
    let seconds: f64 = suite.records.iter().map(|r| r.cpu_seconds).sum();
    [
        ("directory", suite.dir.display().to_string()),
        ("suite", info.name.clone()),
        ("status", format!("{status}, {} of {} runs", suite.records.len(), suite.planned)),
        ("reporting seeds", seeds.join(", ")),
        ("settings chosen by", info.select.clone()),
        ("made by", format!("{} {}", info.program, info.version)),
        ("machine", info.machine.clone()),
        ("processor time", format!("{:.0} s over all runs", seconds)),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .to_vec()
}
