//! Aggregates over a suite's score matrix: interquartile mean, optimality gap, probability of improvement, profiles.
//!
//! A score matrix is `scores[task][run]`: the tasks are the families of a suite and may have different numbers of runs.
//! With as many runs in every task these are the definitions of rliable (Agarwal et al. 2021, "Deep RL at the edge of the
//! statistical precipice"); where run counts differ, statistics of the pooled scores weigh a task by its runs.
//! Scores are finite: what a run that diverged is worth is the caller's decision. A score that is NaN makes the result NaN
//! (it is never trimmed away or taken for a good one), and so does a matrix without tasks or a task without runs.

pub use super::stratified::{interval, interval_of_two, profile_bands};
use std::cmp::Ordering;

/// Arithmetic mean; NaN of nothing.
fn average(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// Mean over the runs of each task.
fn task_means(scores: &[Vec<f64>]) -> Vec<f64> {
    scores.iter().map(|runs| average(runs.iter().copied())).collect()
}

/// Scores of all runs of all tasks; NaN alone if a task has no run, so that no statistic overlooks it.
fn pool(scores: &[Vec<f64>]) -> Vec<f64> {
    if scores.iter().any(Vec::is_empty) { vec![f64::NAN] } else { scores.concat() }
}

/// Mean over tasks of the task's mean over runs: `1/T sum_t 1/n_t sum_j s_tj`.
pub fn mean(scores: &[Vec<f64>]) -> f64 {
    average(task_means(scores).into_iter())
}

/// Median over tasks of the task's mean over runs; between the middle two for an even number of tasks.
pub fn median(scores: &[Vec<f64>]) -> f64 {
    let mut means = task_means(scores);
    if means.is_empty() || means.iter().any(|m| m.is_nan()) {
        return f64::NAN;
    }
    means.sort_by(f64::total_cmp);
    let half = means.len() / 2;
    if means.len() % 2 == 1 { means[half] } else { (means[half - 1] + means[half]) / 2.0 }
}

/// Interquartile mean: mean of all `n` pooled scores without the `floor(n/4)` smallest and as many largest.
///
/// As `scipy.stats.trim_mean(scores, 0.25, axis=None)`; with fewer than four scores nothing is dropped.
pub fn iqm(scores: &[Vec<f64>]) -> f64 {
    let mut all = pool(scores);
    if all.iter().any(|s| s.is_nan()) {
        return f64::NAN;
    }
    all.sort_by(f64::total_cmp);
    let cut = all.len() / 4;
    average(all[cut..all.len() - cut].iter().copied())
}

/// Optimality gap `g - 1/n sum min(s, g)` over all pooled scores: how far runs fall short of `g`; scores above `g` earn nothing.
pub fn optimality_gap(scores: &[Vec<f64>], g: f64) -> f64 {
    g - average(pool(scores).into_iter().map(|s| if s > g { g } else { s })) // `f64::min` would turn NaN into g
}

/// 1 for a win, 1/2 for a tie, 0 for a loss of `x` against `y`.
fn win(x: f64, y: f64) -> f64 {
    match x.partial_cmp(&y) {
        Some(Ordering::Greater) => 1.0,
        Some(Ordering::Equal) => 0.5,
        Some(Ordering::Less) => 0.0,
        None => f64::NAN,
    }
}

/// Mean over tasks of `P(X_t > Y_t) + P(X_t = Y_t) / 2` for a run drawn from each: Mann–Whitney `U / (n_x n_y)`.
///
/// The numbers of runs may differ between `x` and `y`; the tasks are the same, in the same order (panics if their numbers differ).
pub fn probability_of_improvement(x: &[Vec<f64>], y: &[Vec<f64>]) -> f64 {
    assert_eq!(x.len(), y.len(), "x and y have the same tasks");
    average(x.iter().zip(y).map(|(x, y)| {
        let wins: f64 = x.iter().flat_map(|a| y.iter().map(|b| win(*a, *b))).sum();
        wins / (x.len() * y.len()) as f64
    }))
}

/// Performance profile (run-score distribution): for each threshold the fraction of all pooled scores strictly above it.
pub fn profile(scores: &[Vec<f64>], thresholds: &[f64]) -> Vec<f64> {
    let all = pool(scores);
    let above = |threshold: f64| {
        average(all.iter().map(|s| if s.is_nan() { f64::NAN } else { f64::from(u8::from(*s > threshold)) }))
    };
    thresholds.iter().map(|threshold| above(*threshold)).collect()
}

/// Mean height of the curve `(environment steps, value)` from its first point to `end`: score per budget.
///
/// `1/(end - b_0) int value db` by trapezoids between points in ascending order of steps. Points past `end` only serve to
/// interpolate the value at `end`; a curve that stops before `end` is **held at its last value** to `end`, so a run that
/// spent its budget early (or diverged, if the caller left it so) is credited with what it last reached. Curves that start
/// at different steps are averaged over different spans: let them start at the same step to compare them. The first value
/// if `end` is not after the first point; NaN without points.
pub fn area_under_curve(points: &[(f64, f64)], end: f64) -> f64 {
    let (Some(&(start, first)), Some(&(stop, last))) = (points.first(), points.last()) else {
        return f64::NAN;
    };
    if end <= start {
        return first;
    }
    let trapezoids = points.windows(2).map(|pair| {
        let ((a, u), (b, v)) = (pair[0], pair[1]);
        let cut = b.min(end);
        if cut <= a {
            return 0.0; // past the end, or two values at the same step
        }
        let w = u + (v - u) * (cut - a) / (b - a);
        (cut - a) * (u + w) / 2.0
    });
    let held = (end - stop).max(0.0) * last;
    (trapezoids.sum::<f64>() + held) / (end - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_matrices_by_hand() {
        let scores = [vec![1.0, 3.0], vec![10.0], vec![0.0, 0.0, 6.0]];
        assert_eq!(mean(&scores), (2.0 + 10.0 + 2.0) / 3.0);
        assert_eq!(median(&scores), 2.0);
        assert_eq!(iqm(&scores), (0.0 + 1.0 + 3.0 + 6.0) / 4.0); // 0 0 1 3 6 10 without one at each end
        assert_eq!(optimality_gap(&scores, 2.0), 2.0 - (1.0 + 2.0 + 2.0 + 2.0) / 6.0);
        assert_eq!(profile(&scores, &[-1.0, 0.0, 3.0, 10.0]), [1.0, 4.0 / 6.0, 2.0 / 6.0, 0.0]);
        assert_eq!(median(&scores[..2]), 6.0);
        assert_eq!(iqm(&scores[..1]), 2.0);
        let other = [vec![3.0], vec![10.0], vec![7.0, 8.0]];
        assert_eq!(probability_of_improvement(&scores, &other), (0.25 + 0.5 + 0.0) / 3.0);
    }

    #[test]
    fn a_score_that_is_no_number_is_never_hidden() {
        for bad in [f64::NAN, -f64::NAN] {
            let scores = [vec![1.0, bad, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]];
            let fine = [vec![1.0, 2.0]];
            let found = [
                mean(&scores),
                median(&scores),
                iqm(&scores),
                optimality_gap(&scores, 1.0),
                profile(&scores, &[0.0])[0],
                probability_of_improvement(&scores, &fine),
                probability_of_improvement(&fine, &scores),
            ];
            assert!(found.iter().all(|f| f.is_nan()), "{found:?}");
        }
        for empty in [vec![], vec![vec![], vec![1.0]]] {
            let found =
                [mean(&empty), median(&empty), iqm(&empty), optimality_gap(&empty, 1.0), profile(&empty, &[0.0])[0]];
            assert!(found.iter().all(|f| f.is_nan()), "{empty:?}: {found:?}");
        }
    }

    #[test]
    fn area_is_the_mean_height_up_to_the_end() {
        let curve = [(100.0, 0.0), (200.0, 2.0), (400.0, 2.0), (400.0, 4.0)];
        assert_eq!(area_under_curve(&curve, 400.0), (100.0 + 400.0) / 300.0);
        assert_eq!(area_under_curve(&curve, 150.0), 0.5, "cut: 0 to 1 over 50 steps");
        assert_eq!(area_under_curve(&curve, 600.0), (100.0 + 400.0 + 800.0) / 500.0, "the last value is held");
        assert_eq!(area_under_curve(&curve[..1], 900.0), 0.0);
        assert_eq!(area_under_curve(&curve[1..], 200.0), 2.0, "no span");
        assert!(area_under_curve(&[], 1.0).is_nan());
    }
}
