//! Tables of runs of `lola`.

use super::LolaRun;
use crate::learn::lola::{Probed, Row, Split, Standing};
use crate::math::summary::Estimate;
use crate::report::curve::ends;
use crate::report::page::{Column, Entry, Table};
use tasks::games::{STATE_NAMES, STATES};

/// Updates that correlations and errors are averaged over: the first so many, as in the specification's table.
const FIRST: usize = 100;

fn cell(e: &Estimate) -> Entry {
    Entry::interval(e.mean, ends(e))
}

fn average(rows: &[Row], of: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
    let all: Vec<f64> = rows.iter().take(FIRST).filter_map(of).filter(|x| x.is_finite()).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

fn number(x: Option<f64>) -> Entry {
    x.map_or_else(|| Entry::none(1), Entry::number)
}

/// Rewards at a few places, and correlations.
pub(super) fn rewards(runs: &[LolaRun]) -> Table {
    let line = |run: &LolaRun| {
        let at = |update: usize| match run.rows.get(update - 1) {
            Some(row) => cell(&row.standing.reward_per_step),
            None => Entry::none(3),
        };
        let last = run.rows.last();
        let spread = |s: &Standing| {
            let all: Vec<f64> = s.rewards.iter().map(|[a, b]| 0.5 * (a + b)).collect();
            [f64::max, f64::min].map(|f| all.iter().copied().reduce(f).unwrap_or(f64::NAN))
        };
        let [best, worst] = last.map_or([f64::NAN; 2], |row| spread(&row.standing));
        vec![
            Entry::text(run.name()),
            Entry::count(last.map_or(0, |row| row.standing.rewards.len())),
            Entry::count(run.rows.len()),
            at(100),
            at(200),
            last.map_or_else(|| Entry::none(3), |row| cell(&row.standing.reward_per_step)),
            Entry::number(best),
            Entry::number(worst),
            last.and_then(|row| row.control.as_ref()).map_or_else(|| Entry::none(3), |c| cell(&c.reward_per_step)),
            number(average(&run.rows, |row| row.correlation.map(|c| c.mean))),
            number(average(&run.rows, |row| row.correlation_outer_exact.map(|c| c.mean))),
        ]
    };
    Table {
        name: "table-rewards".into(),
        title: "Reward per step".into(),
        caption: format!(
            "Mean undiscounted reward per round over both players after so many updates, with 95 % t-intervals over seeds; best and \
             worst seed at the end; correlations with the exact meta-gradient over the first {FIRST} updates."
        ),
        columns: vec![
            Column::plain("run", "run"),
            Column::plain("seeds", "seeds"),
            Column::plain("updates", "updates"),
            Column::interval("after 100", "reward_100"),
            Column::interval("after 200", "reward_200"),
            Column::interval("at the end", "reward"),
            Column::plain("best", "best"),
            Column::plain("worst", "worst"),
            Column::interval("control, naive", "control"),
            Column::plain("correlation", "correlation"),
            Column::plain("outer exact", "correlation_outer_exact"),
        ],
        lines: runs.iter().map(line).collect(),
    }
}

/// Last updates that rewards of two runs are compared over.
const LAST: usize = 20;

/// Every seed's reward per step over the last updates up to `end`.
fn late(run: &LolaRun, end: usize) -> Vec<f64> {
    let rows = &run.rows[end.saturating_sub(LAST)..end];
    let seeds = rows.first().map_or(0, |row| row.standing.rewards.len());
    let paid = |k: usize| rows.iter().map(|row| row.standing.rewards[k]).map(|[a, b]| 0.5 * (a + b)).sum::<f64>();
    (0..seeds).map(|k| paid(k) / rows.len() as f64).collect()
}

/// What an interval of a difference says of the run beside the first.
fn verdict(difference: &Estimate) -> &'static str {
    match ends(difference) {
        None => "one seed: no interval",
        Some([low, _]) if low > 0.0 => "better than the first",
        Some([_, high]) if high < 0.0 => "worse than the first",
        Some(_) => "not resolved",
    }
}

/// Every other run beside the first, paired by seed, after 100 and 200 updates and at the last update that both have.
pub(super) fn differences(runs: &[LolaRun]) -> Option<Table> {
    let (first, others) = runs.split_first()?;
    let line = |run: &LolaRun, end: usize| {
        let (a, b) = (late(first, end), late(run, end));
        let same = first.key(&["seed"]) == run.key(&["seed"]) && a.len() == b.len() && !a.is_empty();
        same.then(|| {
            let difference = Estimate::of(&b.iter().zip(&a).map(|(b, a)| b - a).collect::<Vec<f64>>());
            vec![
                Entry::text(run.name()),
                Entry::count(a.len()),
                Entry::count(end),
                cell(&Estimate::of(&a)),
                cell(&Estimate::of(&b)),
                cell(&difference),
                Entry::text(verdict(&difference)),
            ]
        })
    };
    let places = |run: &LolaRun| {
        let both = first.rows.len().min(run.rows.len());
        [100, 200].into_iter().filter(move |end| *end < both).chain([both])
    };
    let lines: Vec<Vec<Entry>> =
        others.iter().flat_map(|run| places(run).filter_map(move |end| line(run, end))).collect();
    (!lines.is_empty()).then(|| Table {
        name: "table-differences".into(),
        title: format!("Beside {}", first.name()),
        caption: format!(
            "Reward per step, mean over players and the {LAST} updates before the one named: difference to the first run, paired by seed,              with its 95 % t-interval over seeds, not corrected for the number of runs. Not resolved: it contains zero."
        ),
        columns: vec![
            Column::plain("run", "run"),
            Column::plain("seeds", "seeds"),
            Column::plain("after update", "updates"),
            Column::interval("first run", "first"),
            Column::interval("this run", "reward"),
            Column::interval("difference", "difference"),
            Column::plain("verdict", "verdict"),
        ],
        lines,
    })
}

/// P(action 0) at the end.
pub(super) fn policies(run: &LolaRun) -> Table {
    let line = |label: &str, standing: &Standing, player: usize| {
        let of = |s: usize| Estimate::of(&standing.defect.iter().map(|d| d[player][s]).collect::<Vec<f64>>());
        let mut line = vec![Entry::text(label), Entry::count(player + 1)];
        line.extend((0..STATES).map(|s| cell(&of(s))));
        line
    };
    let mut lines = Vec::new();
    if let Some(last) = run.rows.last() {
        lines.extend([0, 1].map(|p| line("learners", &last.standing, p)));
        lines.extend(last.control.iter().flat_map(|c| [0, 1].map(|p| line("control, naive", c, p))));
    }
    let mut columns = vec![Column::plain("who", "who"), Column::plain("player", "player")];
    columns.extend(STATE_NAMES.map(|name| Column::interval(name, &format!("defect_{}", name.to_lowercase()))));
    Table {
        name: "table-policies".into(),
        title: "What is played in the end".into(),
        caption:
            "P(action 0) by state in the player's own view (own action first), mean over seeds with 95 % t-intervals."
                .into(),
        columns,
        lines,
    }
}

/// Bias and variance over the first updates, relative to the exact meta-gradient.
pub(super) fn errors(run: &LolaRun) -> Option<Table> {
    let size = average(&run.rows, |row| row.probe.map(|p| p.exact_squared.mean))?;
    let line = |label: &str, of: fn(&Probed) -> Split| {
        let part = |part: fn(&Split) -> f64| {
            let rows = run.rows.iter().take(FIRST).filter_map(|row| row.probe.as_ref());
            Estimate::of(&rows.map(|p| part(&of(p)) / size).collect::<Vec<f64>>())
        };
        let bias = part(|s| s.bias_squared.mean);
        let verdict = if ends(&bias).is_some_and(|[low, _]| low > 0.0) { "resolved" } else { "not resolved" };
        vec![Entry::text(label), cell(&bias), Entry::text(verdict), cell(&part(|s| s.variance.mean))]
    };
    Some(Table {
        name: "table-error".into(),
        title: "Bias and variance".into(),
        caption: format!(
            "Of a single estimate of the meta-gradient over the first {FIRST} updates, mean over seeds, as fractions of the mean squared exact \
             meta-gradient over the same updates, with 95 % t-intervals over updates, whose repetitions are independent. The squared bias \
             is debiased, so it may be negative; resolved: its interval is above zero."
        ),
        columns: vec![
            Column::plain("estimate", "estimate"),
            Column::interval("squared bias", "bias_squared"),
            Column::plain("verdict", "verdict"),
            Column::interval("variance", "variance"),
        ],
        lines: vec![line("as used", |p| p.used), line("outer part exact", |p| p.outer_exact)],
    })
}
