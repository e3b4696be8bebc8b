//! The section of a file that `gradient --json` printed: bias and noise of each estimator against the exact gradient.

use super::figure::{Axis, Figure, Look, Mark, Scale, Series};
use super::page::{Column, Entry, Section, Table};
use serde_json::Value;

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Root of the summed squared standard errors: what the norm of a difference is expected to be without any bias, at least.
fn noise(finding: &Value) -> f64 {
    let errors = finding.get("stderr").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    errors.iter().filter_map(Value::as_f64).map(|e| e * e).sum::<f64>().sqrt()
}

/// The section of `value`, which lies at `path`.
pub fn section(path: &str, value: &Value) -> Section {
    let empty = serde_json::Map::new();
    let findings = value.get("estimators").and_then(Value::as_object).unwrap_or(&empty);
    let names: Vec<String> = findings.keys().cloned().collect();
    let marks = |f: &dyn Fn(&Value) -> f64| {
        let marks = findings.values().enumerate().map(|(i, v)| Mark::bare(i as f64, f(v)));
        marks.filter(|m| m.y.is_finite()).collect::<Vec<_>>()
    };
    let mut series =
        vec![Series { label: "bias".into(), style: 1, look: Look::Points, marks: marks(&|v| number(v, "bias_norm")) }];
    let noisy = marks(&noise);
    if noisy.iter().any(|m| m.y > 0.0) {
        series.push(Series { label: "its standard error".into(), style: 5, look: Look::Points, marks: noisy });
    }
    let mode = value.get("mode").and_then(Value::as_str).unwrap_or("?").to_string();
    let samples =
        value.get("samples").filter(|s| !s.is_null()).map_or_else(String::new, |s| format!(", n = {s} samples"));
    let count = if samples.is_empty() { ", exact" } else { samples.as_str() };
    let figure = Figure {
        name: "bias".into(),
        title: "Gradient bias per estimator".into(),
        caption: format!(
            "Norm of the estimator's mean minus the gradient of V_ζ, by mode {mode}{samples}; under sampling a norm near its standard \
             error is no sign of bias."
        ),
        x: Axis { label: "estimator".into(), column: "estimator".into(), scale: Scale::Names(names) },
        y: Axis::linear(&format!("norm of the bias (reward){count}"), "bias_norm"),
        counted: "",
        series,
    };
    let line = |(name, f): (&String, &Value)| {
        let verdict = f.get("verdict").and_then(Value::as_str).unwrap_or("–");
        let numbers = ["bias_norm", "relative_bias", "cosine", "variance_trace"].map(|k| Entry::number(number(f, k)));
        let ends = [Entry::number(noise(f)), Entry::text(verdict)];
        [Entry::text(name)].into_iter().chain(numbers).chain(ends).collect::<Vec<_>>()
    };
    let table = Table {
        name: "table-bias".into(),
        title: "Each estimator".into(),
        caption: "Bias against the gradient of V_ζ (reward), relative to its norm, cosine with it, and variance of one task's estimate."
            .into(),
        columns: [
            ("estimator", "estimator"),
            ("bias", "bias_norm"),
            ("relative", "relative_bias"),
            ("cosine", "cosine"),
            ("variance", "variance_trace"),
            ("standard error", "standard_error"),
            ("verdict", "verdict"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines: findings.iter().map(line).collect(),
    };
    let verdict = |(name, f): (&String, &Value)| Some(format!("`{name}` {}.", f.get("verdict")?.as_str()?));
    let keys = ["alpha", "inner_steps", "inner_batch", "outer_batch", "mode", "seed"];
    let mut provenance = vec![("file".to_string(), path.to_string())];
    provenance.extend(keys.iter().filter_map(|k| Some((k.to_string(), value.get(*k)?.to_string()))));
    Section {
        title: "Gradient estimators against the exact gradient".into(),
        name: "gradient".into(),
        sentences: findings.iter().filter_map(verdict).collect(),
        tables: vec![table],
        figures: vec![figure],
        provenance,
        ..Section::default()
    }
}
