//! When the gap first fell to epsilon, beside the number of iterations that the theorem asks for.

use super::StudyDir;
use crate::math::theory::Regime;
use crate::record::stationarity::{EstimatorRuns, Hitting};
use crate::report::figure::{self, Axis, Figure, Look, Mark, Series};
use crate::report::page::{Column, Entry, Table};

/// Iterations of a regime as a number; infinite where they do not fit.
fn iterations(regime: Option<Regime>) -> Option<f64> {
    Some(regime?.iterations).map(|k| if k == u64::MAX { f64::INFINITY } else { k as f64 })
}

fn reference(runs: &EstimatorRuns, label: &str, style: usize, of: fn(&Hitting) -> Option<Regime>) -> Option<Series> {
    let mark = |h: &Hitting| Some(Mark::bare(h.epsilon, iterations(of(h)).filter(|k| k.is_finite())?));
    let mut marks: Vec<Mark> = runs.hitting.iter().filter_map(mark).collect();
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    (!marks.is_empty()).then(|| Series { label: label.into(), style, look: Look::Reference, marks })
}

/// Every seed's hitting time over epsilon, with both regimes of the theorem.
pub fn figure(dir: &StudyDir) -> Figure {
    let names = dir.estimators();
    let mut series = Vec::new();
    for runs in dir.runs() {
        let style = names.iter().position(|n| *n == runs.estimator).unwrap_or(0);
        let mut at: Vec<Mark> = Vec::new();
        let mut above: Vec<Mark> = Vec::new();
        for hitting in &runs.hitting {
            for (hit, seed) in hitting.seeds.iter().zip(&runs.seeds) {
                match hit {
                    Some(k) => at.push(Mark::bare(hitting.epsilon, *k as f64)),
                    None => above.push(Mark::bare(hitting.epsilon, seed.iterations as f64)),
                }
            }
        }
        let label = |tail: &str| format!("{}{tail}", runs.estimator);
        series.push(Series { label: label(""), style, look: Look::Points, marks: at });
        series.push(Series { label: label(", not within its run"), style, look: Look::Above, marks: above });
    }
    if let Some(first) = dir.runs().first() {
        series.extend(reference(first, "theorem, large batch (ε⁻²)", figure::reference(1), |h| h.large_batch));
        series.extend(reference(first, "theorem, any batch (ε⁻⁴)", figure::reference(0), |h| h.any_batch));
    }
    series.retain(|s| !s.marks.is_empty());
    for line in &mut series {
        line.marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let seeds = dir.runs().iter().map(|r| r.seeds.len()).max().unwrap_or(0);
    let plural = if seeds == 1 { "" } else { "s" };
    Figure {
        name: "hitting".into(),
        title: "Hitting times and what the theorem asks for".into(),
        caption: format!(
            "First measured iteration whose gap is at most ε (exactly, or by the upper limit of its 95 % interval: errors accumulate over looks, so a sampled gap may \
             be said to hit too early), one mark for each of \
             n = {seeds} seed{} per estimator and ε. Triangles on the lower edge: at the start already. Open triangles that point up: \
             not within that many iterations. Thin lines: iterations after which the theorem promises a gap of ε for its own step \
             sizes, which are not those of this run.",
            plural
        ),
        x: Axis::log("ε (reward)", "epsilon"),
        y: Axis::log(&format!("first iteration with gap ≤ ε, n = {seeds} seed{plural}"), "iteration"),
        counted: "",
        series,
    }
}

/// Median over seeds as the study has it, seeds that got there, and both regimes.
pub fn table(dir: &StudyDir) -> Table {
    let mut lines = Vec::new();
    for runs in dir.runs() {
        for h in &runs.hitting {
            let promised = |k: Option<f64>| k.map_or_else(|| Entry::none(1), Entry::number);
            lines.push(vec![
                Entry::text(&runs.estimator),
                Entry::number(h.epsilon),
                Entry::count(h.seeds.iter().flatten().count()),
                Entry::count(h.seeds.len()),
                h.iteration.map_or_else(|| Entry::text("never"), |k| Entry::text(k.to_string())),
                promised(iterations(h.large_batch)),
                promised(iterations(h.any_batch)),
            ]);
        }
    }
    Table {
        name: "table-hitting".into(),
        title: "Hitting times".into(),
        caption: "First measured iteration with gap ≤ ε; the median counts seeds that never got there as later than all others. Beside \
                  it the iterations that the theorem asks for, with large batches and with the run's own."
            .into(),
        columns: [
            ("estimator", "estimator"),
            ("ε", "epsilon"),
            ("seeds that got there", "hit"),
            ("seeds", "seeds"),
            ("median iteration", "median_iteration"),
            ("theorem, large batch", "large_batch_iterations"),
            ("theorem, any batch", "any_batch_iterations"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines,
    }
}
