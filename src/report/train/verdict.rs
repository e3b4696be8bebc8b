//! What is said on top of training runs: how a group moved, and which of several groups ends highest.

use super::{Group, after, before, estimate, gain, windows};
use crate::math::summary::Estimate;
use crate::report::comparison::interval::mean_over_groups;
use crate::report::comparison::verdict::{brackets, digits, list};
use crate::report::curve::ends;

fn shown(e: &Estimate) -> String {
    format!("{}{}", digits(e.mean), brackets(ends(e)))
}

/// Three sentences about one group, and one about its gap if it was measured.
pub fn sentences(group: &Group) -> Vec<String> {
    let run = &group.runs[0];
    let [start, end, first, gained] = [
        estimate(group, false, after),
        estimate(group, true, after),
        estimate(group, true, before),
        estimate(group, true, gain),
    ];
    if !end.mean.is_finite() {
        return vec!["No iteration is recorded yet.".into()];
    }
    let (family, estimator) = (run.text(&["family", "name"]), run.text(&["outer", "estimator"]));
    let moved = format!(
        "`{estimator}` on `{family}`: the return after adaptation went from {} in the first iterations to {} in the last.",
        shown(&start),
        shown(&end)
    );
    let helps = match ends(&gained) {
        Some([low, _]) if low > 0.0 => "adaptation helps on the training tasks",
        Some([_, high]) if high < 0.0 => "adaptation hurts on the training tasks",
        Some(_) => "whether adaptation helps on the training tasks cannot be told",
        None => "one number has no interval",
    };
    let sure = match group.ends().len() {
        1 => "This is one run: its intervals are over its last iterations, and nothing is known of other seeds."
            .to_string(),
        n => {
            format!("The intervals are over n = {n} runs that differ by their seed, on the tasks they were trained on.")
        }
    };
    let changed =
        format!("At the end adaptation changes the return from {} by {}: {helps}.", digits(first.mean), shown(&gained));
    [moved, changed, sure].into_iter().chain(gap(group)).collect()
}

/// Where the gap stood when it was measured last.
fn gap(group: &Group) -> Option<String> {
    let last: Vec<_> = group.ends().into_iter().filter_map(|r| r.gaps.last()).collect();
    match last.as_slice() {
        [] => None,
        [only] => {
            let g = &only.gap;
            let wide = g.gap_squared_interval.map(|x| x.max(0.0).sqrt());
            Some(match g.gap {
                Some(gap) => {
                    let ends = (g.groups > 0).then_some(wide);
                    format!(
                        "The stationarity gap after iteration {} is {}{}.",
                        only.iteration,
                        digits(gap),
                        brackets(ends)
                    )
                }
                None => format!(
                    "The stationarity gap after iteration {} is below resolution, under {}.",
                    only.iteration,
                    digits(g.upper())
                ),
            })
        }
        all => {
            let squared = Estimate::of(&all.iter().map(|r| r.gap.gap_squared).collect::<Vec<_>>());
            let below = all.iter().filter(|r| r.gap.gap.is_none()).count();
            let n = all.len();
            Some(format!(
                "The squared stationarity gap at the end is {} over {n} runs; it is below resolution in {below} of them.",
                shown(&squared)
            ))
        }
    }
}

/// Mean difference of two independent samples with Welch's interval; none with fewer than two values on a side.
fn difference(a: &[f64], b: &[f64], level: f64) -> (f64, Option<[f64; 2]>) {
    // the mean of the means of a and -b is half of the difference
    let opposite: Vec<f64> = b.iter().map(|x| -x).collect();
    let (half, interval) = mean_over_groups(&[a.to_vec(), opposite], level);
    (2.0 * half, interval.map(|i| i.map(|x| 2.0 * x)))
}

/// The three sentences on several groups.
pub fn compared(groups: &[Group]) -> Vec<String> {
    let ended: Vec<(&Group, Vec<f64>)> =
        groups.iter().map(|g| (g, windows(g, true, after))).filter(|(_, x)| !x.is_empty()).collect();
    let mean = |x: &[f64]| crate::math::returns::mean(x);
    let Some(best) = (0..ended.len()).max_by(|a, b| mean(&ended[*a].1).total_cmp(&mean(&ended[*b].1))) else {
        return vec!["No iteration is recorded yet, so nothing can be said about which runs are best.".into()];
    };
    if ended.len() < 2 {
        return vec![format!(
            "Only `{}` has iterations yet, so there is nothing to compare it with.",
            ended[0].0.label
        )];
    }
    let pairs = ended.len() * (ended.len() - 1) / 2;
    let rivals: Vec<(&Group, f64, Option<[f64; 2]>)> = (0..ended.len())
        .filter(|i| *i != best)
        .map(|i| {
            let (mean, interval) = difference(&ended[best].1, &ended[i].1, 0.05 / pairs as f64);
            (ended[i].0, mean, interval)
        })
        .collect();
    let (beaten, open): (Vec<_>, Vec<_>) = rivals.iter().partition(|(_, _, i)| i.is_some_and(|[low, _]| low > 0.0));
    let names = |r: &[&(&Group, f64, Option<[f64; 2]>)]| list(&r.iter().map(|r| r.0.label.clone()).collect::<Vec<_>>());
    let leader = &ended[best].0.label;
    let who = match (open.is_empty(), beaten.is_empty()) {
        (true, _) => format!("`{leader}` ended with a higher return after adaptation than {}.", names(&beaten)),
        (_, true) => format!(
            "`{leader}` ended with the highest return after adaptation but cannot be told apart from {}.",
            names(&open)
        ),
        _ => format!(
            "`{leader}` ended with a higher return after adaptation than {}, but cannot be told apart from {}.",
            names(&beaten),
            names(&open)
        ),
    };
    let Some((next, by, interval)) = rivals.iter().min_by(|a, b| a.1.total_cmp(&b.1)) else { return vec![who] };
    let together = if pairs > 1 { format!("95 % for all {pairs} pairs together") } else { "95 %".into() };
    let interval = match interval {
        Some(ends) => format!("{} ({together})", brackets(Some(*ends))),
        None => " (no interval: that needs two runs of each)".into(),
    };
    let runs: Vec<String> = ended.iter().map(|(g, x)| format!("{} of `{}`", x.len(), g.label)).collect();
    vec![
        who,
        format!("It is ahead of the next best, `{}`, by {}{interval} in return.", next.label, digits(*by)),
        format!(
            "Runs: {}; the intervals are over runs, taken as independent. Unlike the arms of a suite these need not have equal \
             budgets, tuned settings or common tasks.",
            runs.join(", ")
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Welch's example by hand: means 2 and 5, variances 1 and 4, three values each.
    #[test]
    fn the_difference_is_that_of_welch() {
        let (mean, interval) = difference(&[1.0, 2.0, 3.0], &[3.0, 5.0, 7.0], 0.05);
        let [low, high] = interval.expect("enough values");
        let error = (1.0f64 / 3.0 + 4.0 / 3.0).sqrt();
        assert!((mean + 3.0).abs() < 1e-12);
        // (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 2.941 degrees of freedom, t975 = 3.214
        assert!(((high - low) / 2.0 / error - 3.218).abs() < 0.02, "{}", (high - low) / 2.0 / error);
        assert_eq!(difference(&[1.0], &[2.0, 3.0], 0.05).1, None);
    }
}
