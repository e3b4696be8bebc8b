//! Tables of a study: where each run ended, the bound and its slack, and the constants.

use super::StudyDir;
use crate::record::stationarity::{EstimatorRuns, SeedRun};
use crate::report::comparison::verdict::digits;
use crate::report::curve;
use crate::report::page::{Column, Entry, Table};
use serde_json::Value;

/// An interval that is more than a point.
pub fn wide(ends: [f64; 2]) -> Option<[f64; 2]> {
    (ends[0] < ends[1]).then_some(ends)
}

/// Where each run ended.
pub fn ends(dir: &StudyDir) -> Table {
    let line = |runs: &EstimatorRuns, s: &SeedRun| {
        let last = &s.r#final;
        let gap = last.gap.map_or_else(|| Entry { shown: "below resolution".into(), ..Entry::none(1) }, Entry::number);
        let average = &s.average_gap_squared;
        vec![
            Entry::text(&runs.estimator),
            Entry::text(s.seed.to_string()),
            Entry::text(&s.outcome),
            Entry::text(s.iterations.to_string()),
            Entry::number(last.value),
            gap,
            Entry::interval(last.gap_squared, wide(last.gap_squared_interval)),
            Entry::interval(average.mean, curve::ends(average).and_then(wide)),
            Entry::text(runs.method.name()),
            Entry::text(s.environment_steps.to_string()),
        ]
    };
    let seeds = |runs: &'_ EstimatorRuns| runs.seeds.iter().map(|s| line(runs, s)).collect::<Vec<_>>();
    Table {
        name: "table-gap".into(),
        title: "Where each run ended".into(),
        caption: "V_ζ in discounted reward, gap in reward, squared gaps in reward² with 95 % intervals where they are sampled; the mean \
                  is over all iterations before the last, linear between measurements, and its interval is what they leave open of \
                  that run's own mean."
            .into(),
        columns: vec![
            Column::plain("estimator", "estimator"),
            Column::plain("seed", "seed"),
            Column::plain("outcome", "outcome"),
            Column::plain("iterations", "iterations"),
            Column::plain("V_ζ", "value"),
            Column::plain("gap", "gap"),
            Column::interval("squared gap", "gap_squared"),
            Column::interval("mean squared gap", "average_gap_squared"),
            Column::plain("measured by", "method"),
            Column::plain("environment steps", "environment_steps"),
        ],
        lines: dir.runs().iter().flat_map(seeds).collect(),
    }
}

/// The theorem beside the measurement.
pub fn bounds(dir: &StudyDir) -> Table {
    let line = |runs: &EstimatorRuns| {
        let b = runs.bound.as_ref()?;
        let verdict = match (&b.remark, b.slack) {
            (Some(why), _) => format!("does not apply: {why}"),
            (None, Some(slack)) => format!("holds with {} times the mean", digits(slack)),
            (None, None) if b.measured.low.is_none() => "one run gives no interval".into(),
            (None, None) => "the mean is below resolution".into(),
        };
        Some(vec![
            Entry::text(&runs.estimator),
            Entry::interval(b.measured.mean, curve::ends(&b.measured).and_then(wide)),
            Entry::number(b.bound.start),
            Entry::number(b.bound.noise),
            Entry::number(b.bound.total),
            Entry::number(b.slack.unwrap_or(f64::NAN)),
            Entry::number(b.bound.largest_beta),
            Entry::text(verdict),
        ])
    };
    Table {
        name: "table-bound".into(),
        title: "The bound on the mean squared gap".into(),
        caption: "Right-hand side 2Δ/(βK) + L_V β G_V²/B at the run's step size β, batch B and K (reward²); under expected dynamics \
                  without the second term. Slack is bound over mean; one sampled run has no interval and \
                  none. Where the theorem does not apply the numbers bound nothing."
            .into(),
        columns: vec![
            Column::plain("estimator", "estimator"),
            Column::interval("mean squared gap", "average_gap_squared"),
            Column::plain("start", "bound_start"),
            Column::plain("noise", "bound_noise"),
            Column::plain("bound", "bound"),
            Column::plain("slack", "slack"),
            Column::plain("largest β", "largest_beta"),
            Column::plain("verdict", "verdict"),
        ],
        lines: dir.runs().iter().filter_map(line).collect(),
    }
}

/// The theory's constants.
pub fn constants(dir: &StudyDir) -> Table {
    let entries = dir.study.as_ref().and_then(|s| s.constants.as_ref()?.as_object());
    let entry = |value: &Value| match value {
        Value::Number(n) if n.is_u64() => Entry::text(n.to_string()),
        Value::Number(n) => Entry::number(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Entry::text(text),
        Value::Null => Entry::none(1),
        other => Entry::text(other.to_string()),
    };
    Table {
        name: "table-constants".into(),
        title: "Constants of the theory".into(),
        caption: "For this family, policy and adaptation; the bound is made of them.".into(),
        columns: vec![Column::plain("constant", "constant"), Column::plain("value", "value")],
        lines: entries.into_iter().flatten().map(|(k, v)| vec![Entry::text(k), entry(v)]).collect(),
    }
}
