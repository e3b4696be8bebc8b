//! Figures of a training run, or of several that differ by their seed: returns, gap, gradient and budget.

use super::{Group, TrainRun};
use crate::math::summary::Estimate;
use crate::record::gap::GapRow;
use crate::record::rows::Logged;
use crate::report::curve::{across, ends};
use crate::report::figure::{Axis, Figure, Look, Mark, Series};

/// All figures of a group.
pub fn figures(group: &Group) -> Vec<Figure> {
    vec![returns(group), gap(group), gradient(group), budget(group)]
}

fn steps(row: &Logged) -> f64 {
    row.row.budget.environment_steps as f64
}

fn iteration(row: &Logged) -> f64 {
    row.row.iteration as f64
}

/// Mean over runs of a number of each row; rows without it are left out.
fn over(group: &Group, x: fn(&Logged) -> f64, y: impl Fn(&Logged) -> Option<f64>) -> Vec<Mark> {
    let run = |r: &TrainRun| r.rows.iter().filter_map(|l| Some((x(l), y(l).filter(|y| y.is_finite())?))).collect();
    across(&group.runs.iter().map(run).collect::<Vec<Vec<(f64, f64)>>>())
}

/// The same of an estimate: a single run shows the estimate's own interval.
fn estimated(group: &Group, x: fn(&Logged) -> f64, y: impl Fn(&Logged) -> Option<Estimate>) -> Vec<Mark> {
    match group.runs.as_slice() {
        [run] => {
            let mark = |l: &Logged| {
                let e = y(l)?;
                Some(Mark { x: x(l), y: e.mean, interval: ends(&e), resolved: true, n: 1 })
            };
            run.rows.iter().filter_map(mark).collect()
        }
        _ => over(group, x, |l| Some(y(l)?.mean)),
    }
}

/// What the bands are.
fn bands(group: &Group, alone: &str) -> String {
    match group.runs.len() {
        1 => format!("n = 1 run; {alone}"),
        n => format!("mean over n = {n} runs, bands are 95 % t-intervals over runs"),
    }
}

/// Remark on drawings that leave out rows.
fn thinned(group: &Group) -> String {
    let rows = group.runs.iter().map(|r| r.rows.len()).max().unwrap_or(0);
    match crate::report::draw::stride(rows) {
        1 => String::new(),
        every => format!(" Every {every}th row is drawn; the CSV has all."),
    }
}

fn returns(group: &Group) -> Figure {
    let last = group.runs.iter().flat_map(|r| r.rows.first()).map(|l| l.row.returns.len()).max().unwrap_or(0);
    let label = |k: usize| match k {
        0 => "before adaptation".to_string(),
        1 => "after 1 step".to_string(),
        k => format!("after {k} steps"),
    };
    let series = |k: usize| Series {
        label: label(k),
        style: k,
        look: Look::Line,
        marks: estimated(group, steps, |l| l.row.returns.get(k).copied()),
    };
    Figure {
        name: "returns".into(),
        title: "Returns before and after adaptation".into(),
        caption: format!(
            "Mean undiscounted return over the training tasks of each iteration; {}.{}",
            bands(group, "bands are 95 % t-intervals over tasks"),
            thinned(group)
        ),
        x: Axis::linear("training steps of the environment", "environment_steps"),
        y: Axis::linear("undiscounted return (reward)", "return"),
        counted: "runs",
        series: (0..last).map(series).collect(),
    }
}

fn gap(group: &Group) -> Figure {
    let marks = match group.runs.as_slice() {
        [run] => {
            let mark = |r: &GapRow| Mark {
                x: r.iteration as f64,
                y: r.gap.gap_squared,
                interval: Some(r.gap.gap_squared_interval),
                resolved: r.gap.gap.is_some(),
                n: 1,
            };
            run.gaps.iter().map(mark).collect()
        }
        runs => {
            let run = |r: &TrainRun| r.gaps.iter().map(|g| (g.iteration as f64, g.gap.gap_squared)).collect::<Vec<_>>();
            let mut marks = across(&runs.iter().map(run).collect::<Vec<_>>());
            if runs.iter().flat_map(|r| &r.gaps).any(|g| g.gap.groups > 0) {
                marks.iter_mut().for_each(|m| m.resolved = m.interval.is_some_and(|i| i[0] > 0.0));
            }
            marks
        }
    };
    let method = group.runs.iter().flat_map(|r| r.gaps.first()).map(|g| g.gap.method.name()).next().unwrap_or("?");
    Figure {
        name: "gap".into(),
        title: "Stationarity gap".into(),
        caption: format!(
            "Squared norm of the gradient of V_ζ, method {method}; {}. Open triangles, below resolution: the interval contains zero, its upper end is \
             shown.",
            bands(group, "bands are its 95 % intervals")
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("squared gap ‖∇V_ζ‖² (reward²)", "gap_squared"),
        counted: "runs",
        series: vec![Series { label: "‖∇V_ζ‖²".into(), style: 0, look: Look::Line, marks }],
    }
}

fn gradient(group: &Group) -> Figure {
    let line = |label: &str, style, marks| Series { label: label.into(), style, look: Look::Line, marks };
    Figure {
        name: "gradient".into(),
        title: "Meta-gradient and its noise".into(),
        caption: format!(
            "Norm of the mean meta-gradient before clipping, its noise (root of the trace of the covariance of that mean), and the \
             norm of the update; {}. Where norm and noise are alike, the norm is mostly noise: it is no measure of the gap.{}",
            bands(group, "no bands"),
            thinned(group)
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("norm (reward; update: parameters)", "norm"),
        counted: "runs",
        series: vec![
            line("gradient", 0, over(group, iteration, |l| Some(l.row.gradient_norm))),
            line("noise", 1, over(group, iteration, |l| l.row.gradient_noise)),
            line("update", 2, over(group, iteration, |l| Some(l.row.update_norm))),
        ],
    }
}

fn budget(group: &Group) -> Figure {
    let line = |label: &str, style, f: fn(&Logged) -> f64| Series {
        label: label.into(),
        style,
        look: Look::Line,
        marks: over(group, iteration, |l| Some(f(l))),
    };
    Figure {
        name: "budget".into(),
        title: "Spent so far".into(),
        caption: format!(
            "Cumulated counts of the training run, re-simulated steps included, and wall time; {}.{}",
            bands(group, "no bands"),
            thinned(group)
        ),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("count; time in seconds", "count"),
        counted: "runs",
        series: vec![
            line("environment steps", 0, steps),
            line("gradients", 1, |l| l.row.budget.gradients as f64),
            line("Hessian-vector products", 2, |l| l.row.budget.hvps as f64),
            line("seconds", 3, |l| l.seconds("seconds_since_start")),
        ],
    }
}
