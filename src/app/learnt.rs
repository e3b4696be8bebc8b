//! The end of `train`: what was learnt, from the rows, and what to try next.

use super::failure::Failure;
use crate::config::plan::Plan;
use crate::math::summary::Estimate;
use crate::record::{self, rows::Logged};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Iterations that are averaged at either end.
const WINDOW: usize = 10;

/// `mean [low, high]`, or the mean alone where there is no interval.
pub fn shown(x: &Estimate) -> String {
    match (x.low, x.high) {
        (Some(low), Some(high)) => format!("{:.3} [{low:.3}, {high:.3}]", x.mean),
        _ => format!("{:.3}", x.mean),
    }
}

/// Seconds as `12.3 s`, `3 min 20 s` or `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

fn window(rows: &[Logged]) -> [Estimate; 3] {
    // Iterations draw fresh tasks, so their means are independent units as long as the parameters move slowly.
    let column = |f: fn(&Logged) -> f64| Estimate::of(&rows.iter().map(f).collect::<Vec<_>>());
    [
        column(|r| r.row.returns.first().map_or(f64::NAN, |x| x.mean)),
        column(|r| r.row.returns.last().map_or(f64::NAN, |x| x.mean)),
        column(|r| r.row.gain.mean),
    ]
}

fn table(rows: &[Logged]) -> String {
    let n = rows.len();
    let width = WINDOW.min((n / 2).max(1));
    let mut text =
        format!("{:<22} {:<30} {:<30} {}\n", "undiscounted return", "before adaptation", "after adaptation", "gain");
    let ends = [Some(0..width), (n > width).then(|| n - width..n)];
    for span in ends.into_iter().flatten() {
        let label = match span.len() {
            1 => format!("iteration {}", span.end),
            _ => format!("iterations {} to {}", span.start + 1, span.end),
        };
        let [before, after, gain] = window(&rows[span]);
        let _ = writeln!(text, "{label:<22} {:<30} {:<30} {}", shown(&before), shown(&after), shown(&gain));
    }
    text
}

fn report(dir: &Path, plan: &Plan, tabular: bool, rows: &[Logged]) -> String {
    let steps = rows.last().map_or(0, |r| r.row.budget.environment_steps);
    let time = duration(rows.last().map_or(0.0, |r| r.seconds("seconds_since_start")));
    let name = &plan.options.outer.estimator.name;
    let mut text = format!(
        "{} with {name}, seed {}: {} iterations, {steps} environment steps, {time}\n\n",
        plan.family.name,
        plan.seed,
        rows.len()
    );
    if !rows.is_empty() {
        text += &table(rows);
        text += "means over iterations with 95 % intervals\n\n";
    }
    let run = dir.display();
    text += &format!("run directory {run}\n\ntry next\n");
    let mut hint = |what: &str, command: String| {
        let _ = writeln!(text, "  {what:<46} {command}");
    };
    hint("does adaptation help on fresh tasks?", format!("stillpoint evaluate {run}"));
    hint("go on", format!("stillpoint train --resume --out {run} --iterations {}", 2 * plan.iterations.max(1)));
    if tabular {
        let command = format!("stillpoint gradient {run}/config.toml --estimators {name},maml");
        hint("is the gradient that of the objective?", command);
    } else {
        let command = "stillpoint gradient --mdps FILE.json --estimators sgmrl,maml".to_string();
        hint("whose gradient is it, on an MDP of your own?", command);
    }
    hint("curves", format!("tensorboard --logdir {run}"));
    text
}

/// Prints the report of the run in `dir` on stdout.
///
/// # Errors
/// The rows cannot be read back, or stdout is closed.
pub fn print(dir: &Path, plan: &Plan, tabular: bool) -> Result<(), Failure> {
    let rows = record::read_rows(dir)?;
    Ok(std::io::stdout().lock().write_all(report(dir, plan, tabular, &rows).as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(3.24), "3.2 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7500.0), "2 h 05 min");
    }
}
