//! What `bias` prints: one line per point, or one JSON object.

use crate::app::failure::Failure;
use crate::config::bias::Plan;
use crate::record::bias::Row;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `0.152 ± 0.004`, or that it cannot be told from zero.
fn bias(row: &Row) -> String {
    match row.resolved {
        true => format!("{:.4} ± {:.4}", row.rel_bias, row.rel_bias_error),
        false => "not resolved".into(),
    }
}

/// One estimator for all estimated parts, else all three.
fn estimator(row: &Row) -> String {
    let mut names: Vec<&str> = [&row.inner, &row.jacobian, &row.outer].map(String::as_str).to_vec();
    names.retain(|name| *name != "exact");
    names.dedup();
    match names.as_slice() {
        [] => "exact".into(),
        [one] => (*one).into(),
        _ => format!("{}/{}/{}", row.inner, row.jacobian, row.outer),
    }
}

/// A point in few words.
pub fn line(row: &Row) -> String {
    format!("{} {}, relative bias {}", row.tag, estimator(row), bias(row))
}

fn count(n: Option<u64>) -> String {
    n.map_or_else(|| "-".into(), |n| n.to_string())
}

/// The table.
pub fn text(plan: &Plan, rows: &[Row]) -> String {
    let mut out = format!(
        "{}: {}, {} MDPs, {} estimates each, seed {}\n\n",
        plan.name,
        plan.problem(),
        plan.mdps.len(),
        plan.repeats,
        plan.seed
    );
    let has_error = rows.iter().any(|r| r.hessian_error.is_some());
    let has_buffer = rows.iter().any(|r| r.buffer.is_some());
    let error = |text: String| match (has_error, has_buffer) {
        (true, _) => format!("{text:>8}"),
        (_, true) => format!("{text:>31}"),
        _ => String::new(),
    };
    let _ = writeln!(
        out,
        "tag  estimator  alpha  K     n{}    corr        var   grad_mse  relative bias    inner_error",
        error(if has_buffer { "buffer drift correction".into() } else { "c".into() })
    );
    for row in rows {
        let c = match (row.hessian_error, row.buffer, row.drift, &row.correction) {
            (Some(c), ..) => c.to_string(),
            (_, Some(size), Some(drift), Some(correction)) => format!("{size} {drift} {correction}"),
            _ => "-".into(),
        };
        let _ = writeln!(
            out,
            "{:<4} {:<9} {:>6} {:>2} {:>5}{}  {:.4} {:>10.4} {:>10.2e}  {:<16} {:>10.2e}",
            row.tag,
            estimator(row),
            row.alpha,
            row.steps,
            count(row.trajectories),
            error(c),
            row.corr,
            row.var,
            row.grad_mse,
            bias(row),
            row.inner_error.last().copied().unwrap_or(0.0)
        );
    }
    out += "\ncorr, var, grad_mse and inner_error are the reference's metrics: var is a sum of standard deviations, grad_mse holds noise.\n\
            relative bias: root of the debiased squared bias over the gradient's norm, mean over MDPs, ± one standard error; not\n\
            resolved: the squared one is within 1.96 standard errors of zero.\n";
    out
}

/// The object.
pub fn json(plan: &Plan, rows: &[Row]) -> Result<String, Failure> {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::to_value(row).map_err(|e| Failure::Internal(e.to_string())))
        .collect::<Result<_, _>>()?;
    let object = json!({
        "program": "stillpoint",
        "version": env!("CARGO_PKG_VERSION"),
        "name": plan.name,
        "problem": plan.problem(),
        "seed": plan.seed,
        "mdps": plan.mdps.len(),
        "repeats": plan.repeats,
        "rows": rows,
    });
    Ok(format!("{object}\n"))
}
