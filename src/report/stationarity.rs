//! The section of a stationarity study: the gap of each estimator beside the bound, and when it first falls below each epsilon.

use super::comparison::verdict::{brackets, digits};
use super::curve;
use super::figure::{Axis, Figure, Look, Mark, Series, slug};
use super::input;
use super::page::{Column, Entry, Section, Table};
use crate::record::Fault;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Name of the summary in the directory of a study.
pub const SUMMARY: &str = "stationarity.json";
/// Name of its rows.
pub const ROWS: &str = "stationarity.jsonl";

/// A number with its 95 % interval, if it has one.
type Interval = (f64, Option<[f64; 2]>);

/// One measurement along a run of a study.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Row {
    /// Estimator that drives the run.
    pub estimator: String,
    /// Seed of the run.
    #[serde(default)]
    pub seed: u64,
    /// Outer iterations done.
    pub iteration: u64,
    /// V_zeta.
    #[serde(default)]
    pub value: Option<f64>,
    /// How the gap was obtained.
    #[serde(default)]
    pub method: Option<String>,
    /// Unbiased squared gap.
    pub gap_squared: Option<f64>,
    /// Its 95 % interval.
    #[serde(default)]
    pub gap_squared_interval: Option<[Option<f64>; 2]>,
    /// Its root; `null` below resolution.
    #[serde(default)]
    pub gap: Option<f64>,
    /// Mean of the squared gaps so far: a number, or mean, low and high.
    #[serde(default)]
    pub average_gap_squared: Value,
    /// Right-hand side of the theorem after as many iterations: a number or `null`.
    #[serde(default)]
    pub bound: Value,
}

/// A study as far as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Its directory, as given.
    pub path: String,
    /// The summary; `null` if it is not written yet.
    pub summary: Value,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Study {
    /// Reads the study in `dir`.
    ///
    /// # Errors
    /// A file is unreadable or not what its name says.
    pub fn read(dir: &Path) -> Result<Study, Fault> {
        let path = dir.join(SUMMARY);
        let summary = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| Fault::Unusable(format!("{}: is not the summary of a study: {e}", path.display())))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(e) => return Err(Fault::Io(format!("{}: cannot be read: {e}", path.display()))),
        };
        Ok(Study { path: dir.display().to_string(), summary, rows: input::lines(&dir.join(ROWS))? })
    }

    fn runs(&self) -> &[Value] {
        self.summary.get("runs").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Estimators in order of appearance.
    pub fn estimators(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let of_runs = self.runs().iter().filter_map(|r| r.get("estimator")?.as_str());
        for name in of_runs.chain(self.rows.iter().map(|r| r.estimator.as_str())) {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
        }
        names
    }

    /// Seeds of an estimator's rows, sorted.
    fn seeds(&self, estimator: &str) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.rows.iter().filter(|r| r.estimator == estimator).map(|r| r.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    fn text(&self, key: &str) -> String {
        match self.summary.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "?".into(),
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            Some(other) => other.to_string(),
        }
    }
}

/// A number with its interval from `x`, or from an object with `mean`, `low` and `high`.
fn estimate(value: &Value) -> Option<Interval> {
    if let Some(x) = value.as_f64() {
        return Some((x, None));
    }
    let end = |key: &str| value.get(key)?.as_f64();
    Some((end("mean")?, end("low").zip(end("high")).map(|(low, high)| [low, high])))
}

/// One number per row and estimator: a single seed with its own interval, several as mean with t-interval over seeds.
fn line(study: &Study, estimator: &str, own: fn(&Row) -> Option<Interval>) -> Vec<Mark> {
    let seeds = study.seeds(estimator);
    let rows = |seed: u64| study.rows.iter().filter(move |r| r.estimator == estimator && r.seed == seed);
    if let [seed] = seeds.as_slice() {
        let mark = |r: &Row| {
            let (y, interval) = own(r)?;
            Some(Mark { x: r.iteration as f64, y, interval, resolved: true, n: 1 })
        };
        return rows(*seed).filter_map(mark).collect();
    }
    let run = |seed: &u64| rows(*seed).filter_map(|r| Some((r.iteration as f64, own(r)?.0))).collect::<Vec<_>>();
    curve::across(&seeds.iter().map(run).collect::<Vec<_>>())
}

/// Series per estimator, without those that have no mark.
fn lines(study: &Study, own: fn(&Row) -> Option<Interval>) -> Vec<Series> {
    let series = |(style, name): (usize, &String)| {
        let marks = line(study, name, own);
        Series { label: name.clone(), style, look: Look::Line, marks }
    };
    study.estimators().iter().enumerate().map(series).filter(|s| !s.marks.is_empty()).collect()
}

fn squared(row: &Row) -> Option<Interval> {
    let interval = row.gap_squared_interval.and_then(|[low, high]| Some([low?, high?]));
    Some((row.gap_squared?, interval))
}

fn seeds(study: &Study) -> String {
    let counts: Vec<String> = study.estimators().iter().map(|e| format!("{} for {e}", study.seeds(e).len())).collect();
    format!("seeds: {}", counts.join(", "))
}

fn gap(study: &Study) -> Figure {
    let exact = study.rows.iter().all(|r| r.method.as_deref() == Some("enumerated"));
    let mut series = lines(study, squared);
    for line in series.iter_mut().filter(|_| !exact) {
        line.marks.iter_mut().for_each(|m| m.resolved = m.interval.is_none_or(|i| i[0] > 0.0));
    }
    Figure {
        name: "gap".into(),
        title: "Stationarity gap along the run".into(),
        caption: format!(
            "Squared norm of the gradient of V_ζ at the parameters of each iteration; {}. Bands: 95 % intervals, over seeds where \
             there are several. Open triangles: the interval contains zero, its upper end is shown.",
            seeds(study)
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("squared gap ‖∇V_ζ‖² (reward²)", "gap_squared"),
        series,
    }
}

/// The running average of the squared gap, which is what the theorem bounds, beside the bound.
fn bound(study: &Study) -> Figure {
    let mut series = lines(study, |r| estimate(&r.average_gap_squared));
    for (style, name) in study.estimators().iter().enumerate() {
        let marks = line(study, name, |r| estimate(&r.bound).map(|(x, _)| (x, None)));
        let marks: Vec<Mark> = marks.into_iter().map(|m| Mark { interval: None, ..m }).collect();
        if !marks.is_empty() {
            series.push(Series { label: format!("bound, {name}"), style: style + 6, look: Look::Reference, marks });
        }
    }
    Figure {
        name: "bound".into(),
        title: "Average squared gap and its bound".into(),
        caption: format!(
            "Average of the squared gap over the iterations so far, with 95 % intervals, and the right-hand side of the theorem for \
             the step size, batch and iterations of the run (thin lines); {}. A bound may lie far above: it holds for the worst case.",
            seeds(study)
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("average squared gap (reward²)", "average_gap_squared"),
        series,
    }
}

fn value(study: &Study) -> Figure {
    Figure {
        name: "value".into(),
        title: "Objective along the run".into(),
        caption: format!(
            "V_ζ of the initialisation: the discounted return after sampled adaptation; {}. Bands: 95 % t-intervals over seeds.",
            seeds(study)
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::linear("V_ζ (discounted reward)", "value"),
        series: lines(study, |r| Some((r.value?, None))),
    }
}

/// (epsilon, iteration or none) of every run of an estimator.
fn hits(study: &Study, estimator: &str) -> Vec<(f64, Option<f64>)> {
    let own = study.runs().iter().filter(|r| r.get("estimator").and_then(Value::as_str) == Some(estimator));
    let entries = own.filter_map(|r| r.get("hitting")?.as_array()).flatten();
    entries.filter_map(|h| Some((h.get("epsilon")?.as_f64()?, h.get("iteration").and_then(Value::as_f64)))).collect()
}

fn hitting(study: &Study) -> Figure {
    let series = |(style, name): (usize, &String)| {
        let mut marks: Vec<Mark> = hits(study, name).into_iter().filter_map(|(e, k)| Some(Mark::bare(e, k?))).collect();
        marks.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { label: name.clone(), style, look: Look::Points, marks }
    };
    Figure {
        name: "hitting".into(),
        title: "Hitting times".into(),
        caption: "First iteration at which the gap is at most ε (exactly, or by the upper end of its 95 % interval), one mark per run; \
                  runs that never got there have no mark and are counted in the table."
            .into(),
        x: Axis::log("ε (reward)", "epsilon"),
        y: Axis::linear("first outer iteration with gap ≤ ε", "iteration"),
        series: study.estimators().iter().enumerate().map(series).filter(|s| !s.marks.is_empty()).collect(),
    }
}

fn hitting_table(study: &Study) -> Table {
    let mut lines = Vec::new();
    for name in study.estimators() {
        let all = hits(study, &name);
        let mut levels: Vec<f64> = all.iter().map(|h| h.0).collect();
        levels.sort_by(|a, b| b.total_cmp(a));
        levels.dedup();
        for epsilon in levels {
            let times: Vec<Option<f64>> = all.iter().filter(|h| h.0 == epsilon).map(|h| h.1).collect();
            let mut order: Vec<f64> = times.iter().map(|t| t.unwrap_or(f64::INFINITY)).collect();
            order.sort_by(f64::total_cmp);
            let median = 0.5 * (order[(order.len() - 1) / 2] + order[order.len() / 2]);
            let median = if median.is_finite() { Entry::number(median) } else { Entry::text("never") };
            let (hit, all) = (times.iter().flatten().count(), times.len());
            lines.push(vec![Entry::text(&name), Entry::number(epsilon), Entry::count(hit), Entry::count(all), median]);
        }
    }
    Table {
        name: "table-hitting".into(),
        title: "Hitting times".into(),
        caption: "First iteration with gap ≤ ε; the median counts runs that never got there as later than all others."
            .into(),
        columns: [
            ("estimator", "estimator"),
            ("ε", "epsilon"),
            ("runs that got there", "hit"),
            ("runs", "runs"),
            ("median iteration", "median_iteration"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines,
    }
}

fn ends(value: Option<&Value>) -> Option<[f64; 2]> {
    let ends = value?.as_array()?;
    Some([ends.first()?.as_f64()?, ends.get(1)?.as_f64()?])
}

fn runs_table(study: &Study) -> Table {
    let line = |run: &Value| {
        let last = run.get("final").unwrap_or(&Value::Null);
        let number = |v: &Value, key: &str| v.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let average = run.get("average_gap_squared").and_then(estimate);
        let bound = run.get("bound").unwrap_or(&Value::Null);
        let side = number(bound, "right_hand_side");
        let verdict = match (bound.get("applies").and_then(Value::as_bool), average) {
            (Some(false), _) => "does not apply".to_string(),
            (_, Some((average, _))) if side.is_finite() && average > 0.0 => {
                format!("{} times the average", digits(side / average))
            }
            _ => "–".to_string(),
        };
        let resolved = last.get("gap").is_some_and(|g| !g.is_null());
        let gap = number(last, "gap");
        let shown = if resolved { digits(gap) } else { "below resolution".into() };
        vec![
            Entry::text(run.get("estimator").and_then(Value::as_str).unwrap_or("?")),
            Entry::text(run.get("seed").map_or_else(|| "?".into(), ToString::to_string)),
            Entry::number(number(last, "value")),
            Entry { shown, ..Entry::number(gap) },
            Entry::interval(number(last, "gap_squared"), ends(last.get("gap_squared_interval"))),
            average.map_or_else(|| Entry::none(3), |(y, interval)| Entry::interval(y, interval)),
            Entry::number(side),
            Entry::text(verdict),
        ]
    };
    Table {
        name: "table-gap".into(),
        title: "Where each run ended".into(),
        caption: "V_ζ in discounted reward, gap in reward, squared gaps in reward², with 95 % intervals. The bound is on the average \
                  squared gap; how many times the average it is says how loose it is."
            .into(),
        columns: vec![
            Column::plain("estimator", "estimator"),
            Column::plain("seed", "seed"),
            Column::plain("V_ζ", "value"),
            Column::plain("gap", "gap"),
            Column::interval("squared gap", "gap_squared"),
            Column::interval("average squared gap", "average_gap_squared"),
            Column::plain("bound", "bound"),
            Column::plain("slack", "slack"),
        ],
        lines: study.runs().iter().map(line).collect(),
    }
}

fn constants(study: &Study) -> Table {
    let entries = study.summary.get("constants").and_then(Value::as_object);
    let entry = |value: &Value| match value {
        Value::Number(n) => Entry::number(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Entry::text(text),
        other => Entry::text(other.to_string()),
    };
    Table {
        name: "table-constants".into(),
        title: "Constants of the theory".into(),
        caption: "For this family, policy and step size; the bound is made of them.".into(),
        columns: vec![Column::plain("constant", "constant"), Column::plain("value", "value")],
        lines: entries.into_iter().flatten().map(|(k, v)| vec![Entry::text(k), entry(v)]).collect(),
    }
}

/// One sentence per estimator: where it ended.
fn sentences(study: &Study) -> Vec<String> {
    let ended = |name: &String| {
        let own = study.runs().iter().filter(|r| r.get("estimator").and_then(Value::as_str) == Some(name.as_str()));
        let finals: Vec<&Value> = own.filter_map(|r| r.get("final")).collect();
        let gaps: Vec<f64> = finals.iter().filter_map(|f| f.get("gap")?.as_f64()).collect();
        let below = finals.len() - gaps.len();
        let (low, high) = gaps.iter().fold((f64::INFINITY, 0.0f64), |(l, h), g| (l.min(*g), h.max(*g)));
        match (finals.as_slice(), gaps.len()) {
            ([], _) => format!("`{name}` has not ended yet."),
            ([only], 1) => {
                let interval = ends(only.get("gap_squared_interval")).filter(|[low, high]| low < high);
                let interval = brackets(interval.map(|i| i.map(|x| x.max(0.0).sqrt())));
                format!("`{name}` ended at a gap of {}{interval}.", digits(gaps[0]))
            }
            (all, 0) => format!("`{name}` ended below resolution in all of its {} runs.", all.len()),
            (all, n) if below > 0 => {
                let (low, high) = (digits(low), digits(high));
                format!(
                    "`{name}` ended below resolution in {below} of {} runs and between {low} and {high} in {n}.",
                    all.len()
                )
            }
            (all, _) => {
                format!("`{name}` ended at gaps between {} and {} in {} runs.", digits(low), digits(high), all.len())
            }
        }
    };
    study.estimators().iter().map(ended).collect()
}

/// The section of a study.
pub fn section(study: &Study) -> Section {
    let mut missing = Vec::new();
    if study.summary.is_null() {
        missing.push(format!("Partial report: {SUMMARY} is not written yet, the study is running or was killed."));
    }
    if study.rows.is_empty() {
        missing.push(format!("{ROWS} has no rows, so there are no curves."));
    }
    let tables = [runs_table(study), hitting_table(study), constants(study)];
    let setting = study.summary.get("setting").map_or_else(|| "?".into(), ToString::to_string);
    let provenance = [
        ("directory", study.path.clone()),
        ("command", study.text("command")),
        ("dynamics", study.text("dynamics")),
        ("setting", setting),
        ("made by", format!("{} {}", study.text("program"), study.text("version"))),
    ];
    let family = match study.summary.get("family") {
        Some(Value::Object(family)) => family.get("name").and_then(Value::as_str).unwrap_or("?").to_string(),
        _ => study.text("family"),
    };
    Section {
        title: format!("Stationarity on {family}"),
        name: slug(&format!("stationarity {family}")),
        missing,
        sentences: sentences(study),
        tables: tables.into_iter().filter(|t| !t.lines.is_empty()).collect(),
        figures: vec![gap(study), bound(study), hitting(study), value(study)],
        reading: Vec::new(),
        provenance: provenance.map(|(k, v)| (k.to_string(), v)).to_vec(),
        configuration: None,
    }
}
