//! Figures of runs of `lola`.

use super::LolaRun;
use crate::learn::lola::{Row, Split, Standing};
use crate::math::returns::mean;
use crate::math::summary::Estimate;
use crate::report::curve::{ends, mark};
use crate::report::figure::{Axis, Figure, Look, Mark, Series, reference};
use tasks::games::{STATE_NAMES, STATES};

/// Seeds that are drawn each; the CSV has their mean only beyond.
const FAINT: usize = 32;

/// All figures of a run.
pub(super) fn figures(run: &LolaRun) -> Vec<Figure> {
    vec![rewards(run), defects(run, 0), defects(run, 1), correlations(run), errors(run)]
}

fn updates() -> Axis {
    Axis::linear("updates", "update")
}

fn estimated(run: &LolaRun, of: impl Fn(&Row) -> Option<Estimate>) -> Vec<Mark> {
    let seeds = |row: &Row| row.standing.rewards.len();
    let one = |row: &Row| {
        let e = of(row)?;
        Some(Mark { x: row.update as f64, y: e.mean, interval: ends(&e), resolved: true, n: seeds(row) })
    };
    run.rows.iter().filter_map(one).collect()
}

/// Pieces that the updates are cut into where single updates are noise.
const WINDOWS: usize = 20;

/// Means over windows of updates of what rows have, with intervals over the updates of a window.
fn windowed(run: &LolaRun, of: impl Fn(&Row) -> Option<f64>) -> Vec<Mark> {
    let all: Vec<(f64, f64)> = run.rows.iter().filter_map(|row| Some((row.update as f64, of(row)?))).collect();
    let one = |part: &[(f64, f64)]| {
        let (xs, ys): (Vec<f64>, Vec<f64>) = part.iter().copied().unzip();
        mark(mean(&xs), &ys)
    };
    all.chunks(all.len().div_ceil(WINDOWS).max(1)).map(one).collect()
}

fn line(label: &str, style: usize, marks: Vec<Mark>) -> Series {
    Series { label: label.into(), style, look: Look::Line, marks }
}

fn by_seed(run: &LolaRun, k: usize) -> Vec<Mark> {
    let paid = |row: &Row| row.standing.rewards.get(k).map(|[a, b]| 0.5 * (a + b));
    run.rows.iter().filter_map(|row| Some(Mark::bare(row.update as f64, paid(row)?))).collect()
}

fn rewards(run: &LolaRun) -> Figure {
    let seeds = run.rows.last().map_or(0, |row| row.standing.rewards.len());
    let mut series = Vec::new();
    if seeds > 1 {
        let faint = |k: usize| {
            let label = format!("seed {}", k + 1);
            Series { label, style: 0, look: Look::Faint, marks: by_seed(run, k) }
        };
        series.extend((0..seeds.min(FAINT)).map(faint));
    }
    series.push(line("mean over seeds", 0, estimated(run, |row| Some(row.standing.reward_per_step))));
    let control = estimated(run, |row| row.control.as_ref().map(|c| c.reward_per_step));
    if !control.is_empty() {
        series.push(line("control: naive learners", 1, control));
    }
    Figure {
        name: "reward-per-step".into(),
        title: "Reward per step".into(),
        caption: "Mean undiscounted reward per round after each update, mean over both players; thin lines are seeds, bands 95 % \
                  t-intervals over seeds."
            .into(),
        x: updates(),
        y: Axis::linear("reward per step", "reward_per_step"),
        counted: "seeds",
        series,
    }
}

fn defects(run: &LolaRun, player: usize) -> Figure {
    let series = (0..STATES).map(|s| {
        let all = |standing: &Standing| standing.defect.iter().map(|d| d[player][s]).collect::<Vec<f64>>();
        let marks = run.rows.iter().map(|row| mark(row.update as f64, &all(&row.standing))).collect();
        line(STATE_NAMES[s], s, marks)
    });
    let who = ["first", "second"][player];
    Figure {
        name: format!("policy-{}", player + 1),
        title: format!("What the {who} player plays"),
        caption: format!(
            "Probability of action 0 (D) of the {who} player after each outcome, own action first, mean over seeds with 95 % \
             t-intervals. Tit for tat: 0 at the start, after CC and DC, 1 after DD and CD."
        ),
        x: updates(),
        y: Axis::linear("P(action 0)", "defect"),
        counted: "seeds",
        series: series.collect(),
    }
}

fn correlations(run: &LolaRun) -> Figure {
    Figure {
        name: "correlation".into(),
        title: "Meta-gradient beside the exact one".into(),
        caption: "Pearson's correlation over the five logits, mean over players: of the meta-gradient that is used, and of one with the same \
                  look-ahead but an exact outer gradient. Means over seeds and over windows of consecutive updates, n of them; bands are \
                  95 % t-intervals over the updates of a window."
            .into(),
        x: updates(),
        y: Axis::linear("correlation", "correlation"),
        counted: "updates",
        series: vec![
            line("as used", 0, windowed(run, |row| row.correlation.map(|c| c.mean))),
            line("outer part exact", 1, windowed(run, |row| row.correlation_outer_exact.map(|c| c.mean))),
        ],
    }
}

fn errors(run: &LolaRun) -> Figure {
    let part = |of: fn(&Row) -> Option<Split>, part: fn(&Split) -> Estimate| {
        // not resolved from zero: the upper end of the interval, as an open triangle
        let mut marks = windowed(run, |row| of(row).map(|s| part(&s).mean));
        marks.iter_mut().for_each(|m| m.resolved = m.interval.is_none_or(|i| i[0] > 0.0));
        marks
    };
    let used: fn(&Row) -> Option<Split> = |row| row.probe.map(|p| p.used);
    let outer: fn(&Row) -> Option<Split> = |row| row.probe.map(|p| p.outer_exact);
    let exact = windowed(run, |row| row.probe.map(|p| p.exact_squared.mean));
    let series = vec![
        line("squared bias, as used", 0, part(used, |s| s.bias_squared)),
        line("variance, as used", 1, part(used, |s| s.variance)),
        line("squared bias, outer part exact", 2, part(outer, |s| s.bias_squared)),
        line("variance, outer part exact", 3, part(outer, |s| s.variance)),
        Series { label: "exact, squared".into(), style: reference(0), look: Look::Reference, marks: exact },
    ];
    let series = if run.rows.iter().any(|row| row.probe.is_some()) { series } else { Vec::new() };
    Figure {
        name: "error".into(),
        title: "Bias and variance of the meta-gradient".into(),
        caption: "Of a single estimate, summed over logits and players: means over seeds and over windows of consecutive updates, n of \
                  them, with 95 % t-intervals over the updates of a window, whose repetitions are independent. Open triangles, below \
                  resolution: the interval contains zero, its upper end is shown."
            .into(),
        x: updates(),
        y: Axis::log("squared norm (reward²)", "squared"),
        counted: "updates",
        series,
    }
}

/// Rewards of several runs in one frame.
pub(super) fn together(runs: &[LolaRun]) -> Figure {
    let one = |(style, run): (usize, &LolaRun)| {
        line(&run.name(), style, estimated(run, |row| Some(row.standing.reward_per_step)))
    };
    Figure {
        name: "runs".into(),
        title: "Runs compared".into(),
        caption: "Mean undiscounted reward per round, mean over players and seeds with 95 % t-intervals over seeds."
            .into(),
        x: updates(),
        y: Axis::linear("reward per step", "reward_per_step"),
        counted: "seeds",
        series: runs.iter().enumerate().map(one).collect(),
    }
}
