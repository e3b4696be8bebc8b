//! What `lola` prints in the end: a table, or one JSON object.

use crate::app::failure::Failure;
use crate::config::lola::Plan;
use crate::learn::lola::{Defects, Row, Split, Standing};
use crate::math::summary::Estimate;
use crate::record::online;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use tasks::games::{STATE_NAMES, STATES};

/// The closing report on the run in `dir`.
pub(super) fn report(plan: &Plan, dir: &Path, is_json: bool) -> Result<String, Failure> {
    let rows: Vec<Row> =
        online::last::<Row>(dir, plan.average as usize)?.into_iter().map(|logged| logged.row).collect();
    let Some(last) = rows.last() else {
        return Err(Failure::Internal(format!("{}: no rows", dir.display())));
    };
    Ok(if is_json { format!("{}\n", object(plan, &rows, last, dir)) } else { text(plan, &rows, last, dir) })
}

/// Mean over rows of what they have.
fn mean(rows: &[Row], of: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
    let all: Vec<f64> = rows.iter().filter_map(of).filter(|x| x.is_finite()).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// P(action 0) of both players, mean over seeds.
fn defect(standing: &Standing) -> Defects {
    let n = standing.defect.len() as f64;
    std::array::from_fn(|p| std::array::from_fn(|s| standing.defect.iter().map(|d| d[p][s]).sum::<f64>() / n))
}

/// A seed's mean over players.
fn by_seed(standing: &Standing) -> Vec<f64> {
    standing.rewards.iter().map(|[a, b]| 0.5 * (a + b)).collect()
}

fn by_player(standing: &Standing) -> [f64; 2] {
    [0, 1].map(|p| standing.rewards.iter().map(|r| r[p]).sum::<f64>() / standing.rewards.len() as f64)
}

fn interval(estimate: &Estimate) -> Value {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => json!([low, high]),
        _ => Value::Null,
    }
}

fn standing(standing: &Standing, rows: &[Row], of: fn(&Row) -> Option<&Standing>) -> Value {
    json!({
        "reward_per_step": standing.reward_per_step.mean,
        "interval": interval(&standing.reward_per_step),
        "by_seed": by_seed(standing),
        "by_player": by_player(standing),
        "reward_per_step_average": mean(rows, |row| of(row).map(|s| s.reward_per_step.mean)),
        "defect": defect(standing),
        "defect_by_seed": standing.defect,
    })
}

/// Squared bias and variance relative to the squared norm of the exact meta-gradient, with intervals over updates.
fn relative(rows: &[Row], of: fn(&Row) -> Option<Split>) -> Option<[Estimate; 2]> {
    let size = mean(rows, |row| row.probe.map(|p| p.exact_squared.mean))?;
    let part = |part: fn(&Split) -> f64| {
        Estimate::of(&rows.iter().filter_map(of).map(|s| part(&s) / size).collect::<Vec<f64>>())
    };
    Some([part(|s| s.bias_squared.mean), part(|s| s.variance.mean)])
}

fn used(row: &Row) -> Option<Split> {
    row.probe.map(|p| p.used)
}

fn outer_exact(row: &Row) -> Option<Split> {
    row.probe.map(|p| p.outer_exact)
}

fn object(plan: &Plan, rows: &[Row], last: &Row, dir: &Path) -> Value {
    let mut all = standing(&last.standing, rows, |row| Some(&row.standing));
    let split = |of| {
        relative(rows, of).map(|[bias, variance]| {
            json!({
                "bias_squared": bias.mean,
                "bias_squared_interval": interval(&bias),
                "variance": variance.mean,
                "variance_interval": interval(&variance),
            })
        })
    };
    let rest = json!({
        "name": plan.name,
        "game": plan.options.game.name,
        "updates": last.update,
        "seed": plan.seed,
        "seeds": plan.options.seeds,
        "average_over": rows.len(),
        "correlation": mean(rows, |row| row.correlation.map(|c| c.mean)),
        "correlation_outer_exact": mean(rows, |row| row.correlation_outer_exact.map(|c| c.mean)),
        "relative_error": split(used),
        "relative_error_outer_exact": split(outer_exact),
        "episodes": last.episodes,
        "run": dir.display().to_string(),
        "control": last.control.as_ref().map(|c| standing(c, rows, |row| row.control.as_ref())),
    });
    if let (Value::Object(all), Value::Object(rest)) = (&mut all, rest) {
        all.extend(rest);
    }
    all
}

fn text(plan: &Plan, rows: &[Row], last: &Row, dir: &Path) -> String {
    let options = &plan.options;
    let mut text = String::new();
    let count = if options.seeds == 1 { "1 seed".to_string() } else { format!("{} seeds", options.seeds) };
    let _ = writeln!(text, "{}: {}, {} updates, {count}, {}", plan.name, options.game.name, last.update, dir.display());
    let brackets = |e: &Estimate| match (e.low, e.high) {
        (Some(low), Some(high)) => format!(" [{low:.3}, {high:.3}]"),
        _ => String::new(),
    };
    let kind = if options.inner.steps == 0 { "naive learners" } else { "reward per step" };
    let mut line = |label: &str, s: &Standing| {
        let [first, second] = by_player(s);
        let all = by_seed(s);
        let [low, high] = [f64::min, f64::max].map(|f| all.iter().copied().reduce(f).unwrap_or(f64::NAN));
        let range = if all.len() > 1 { format!(", seeds {low:.3} to {high:.3}") } else { String::new() };
        let (mean, brackets) = (s.reward_per_step.mean, brackets(&s.reward_per_step));
        let _ = writeln!(text, "  {label:22} {mean:.3}{brackets}{range}, players {first:.3} {second:.3}");
    };
    line(kind, &last.standing);
    last.control.iter().for_each(|c| line("control, naive", c));
    let _ = writeln!(
        text,
        "  {:22} {}",
        "P(action 0)",
        (0..STATES).map(|s| format!("{:>6}", STATE_NAMES[s])).collect::<String>()
    );
    for (p, row) in defect(&last.standing).iter().enumerate() {
        let cells: String = row.iter().map(|x| format!(" {x:.3}")).collect();
        let _ = writeln!(text, "  {:22} {cells}", format!("  player {}", p + 1));
    }
    let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.3}"));
    let _ = writeln!(text, "mean of the last {} updates, meta-gradient beside the exact one:", rows.len());
    let mut line = |label: &str, correlation: Option<f64>, split: Option<[Estimate; 2]>| {
        let split = split.map_or_else(String::new, |[bias, variance]| {
            let (b, v) = (brackets(&bias), brackets(&variance));
            format!(", bias^2 {:.3}{b} and variance {:.3}{v} of |exact|^2", bias.mean, variance.mean)
        });
        let _ = writeln!(text, "  {label:22} correlation {}{split}", number(correlation));
    };
    line("as used", mean(rows, |row| row.correlation.map(|c| c.mean)), relative(rows, used));
    let correlation = mean(rows, |row| row.correlation_outer_exact.map(|c| c.mean));
    line("outer part exact", correlation, relative(rows, outer_exact));
    text
}
