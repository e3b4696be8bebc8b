//! The three sentences on top of a study: which estimator ended closest to a stationary point, by how much, how sure.

use super::StudyDir;
use crate::math::gap::upper_squared;
use crate::record::stationarity::{EstimatorRuns, SeedRun};
use crate::report::comparison::interval::mean_over_groups;
use crate::report::comparison::verdict::{brackets, digits, list};

/// Gaps below this are zero up to rounding.
const ROUNDING: f64 = 1e-10;

/// What the ends can be compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ground {
    /// Expected dynamics with exact gaps: no noise at all.
    Exact,
    /// Pairs of runs with the same seed.
    Seeds,
    /// One seed: nothing can be said about others.
    One,
}

/// How far another estimator's squared gap is above the leader's.
struct Rival<'a> {
    runs: &'a EstimatorRuns,
    /// Mean difference of squared gaps, over common seeds.
    difference: f64,
    /// Its interval, valid for all pairs together.
    interval: Option<[f64; 2]>,
    pairs: usize,
}

impl Rival<'_> {
    fn is_beaten(&self) -> bool {
        self.interval.is_some_and(|[low, _]| low > 0.0)
    }
}

/// Mean over seeds of the squared gap at the end.
fn mean(runs: &EstimatorRuns) -> f64 {
    crate::math::returns::mean(&runs.seeds.iter().map(|s| s.r#final.gap_squared).collect::<Vec<_>>())
}

fn rival<'a>(leader: &EstimatorRuns, runs: &'a EstimatorRuns, ground: Ground, comparisons: usize) -> Rival<'a> {
    let other = |seed: u64| leader.seeds.iter().find(|s| s.seed == seed);
    let difference = |s: &SeedRun| Some(s.r#final.gap_squared - other(s.seed)?.r#final.gap_squared);
    let differences: Vec<f64> = runs.seeds.iter().filter_map(difference).collect();
    let (difference, joint) = mean_over_groups(std::slice::from_ref(&differences), 0.05 / comparisons as f64);
    let interval = match ground {
        Ground::One => None,
        Ground::Seeds => joint,
        Ground::Exact => {
            let gap = |r: &EstimatorRuns| r.r#final.gap.unwrap_or(f64::NAN);
            let (a, b) = (gap(leader), gap(runs));
            let equal = a.max(b) < ROUNDING || (a - b).abs() <= 1e-6 * a.max(b);
            Some(if equal { [0.0; 2] } else { [difference; 2] })
        }
    };
    Rival { runs, difference, interval, pairs: differences.len() }
}

/// `family, 5 seeds per estimator, 400 iterations`.
fn grounds(dir: &StudyDir, runs: &[&EstimatorRuns], ground: Ground) -> String {
    let counts = runs.iter().map(|r| r.seeds.len());
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let seeds = match (ground, least, most) {
        (Ground::Exact, ..) => "expected dynamics".to_string(),
        (_, 1, 1) => "1 seed".into(),
        _ if least == most => format!("{least} seeds per estimator"),
        _ => format!("{least} to {most} seeds per estimator"),
    };
    let ends = runs.iter().flat_map(|r| &r.seeds).map(|s| s.iterations);
    let (first, last) = (ends.clone().min().unwrap_or(0), ends.max().unwrap_or(0));
    let iterations = if first == last { format!("{last}") } else { format!("{first} to {last}") };
    let family = dir.setting("family").map_or_else(String::new, |f| format!("`{f}`, "));
    format!("{family}{seeds}, {iterations} iterations")
}

/// Where one estimator ended.
fn end(runs: &EstimatorRuns) -> String {
    if let [only] = runs.seeds.as_slice() {
        let last = &only.r#final;
        return match last.gap {
            Some(gap) => {
                let ends = super::tables::wide(last.gap_squared_interval);
                format!("a gap of {}{}", digits(gap), brackets(ends.map(|i| i.map(|x| x.max(0.0).sqrt()))))
            }
            None => {
                format!("a gap below resolution, under {}", digits(upper_squared(last.gap_squared_interval).sqrt()))
            }
        };
    }
    let below = runs.seeds.iter().filter(|s| s.r#final.gap.is_none()).count();
    let remark = match below {
        0 => String::new(),
        n => format!(" (below resolution in {n} of {} runs)", runs.seeds.len()),
    };
    format!("a mean squared gap of {}{remark}", digits(mean(runs)))
}

/// The beginning of a sentence about the only estimator with complete runs.
fn only(dir: &StudyDir, runs: &EstimatorRuns) -> String {
    let what = if dir.runs().len() == 1 { "was followed" } else { "came to its end in every run" };
    format!("Only `{}` {what}:", runs.estimator)
}

/// Sentences about one estimator alone.
fn alone(dir: &StudyDir, runs: &EstimatorRuns, ground: Ground) -> [String; 3] {
    let bound = match runs.bound.as_ref().map(|b| (b, b.slack)) {
        Some((b, Some(slack))) => format!(
            "The theorem's bound on the mean squared gap, {}, is {} times what is measured, {}.",
            digits(b.bound.total),
            digits(slack),
            digits(b.measured.mean)
        ),
        Some((b, None)) => {
            let what = if b.measured.low.is_none() {
                "one sampled run gives no interval of the mean squared gap"
            } else {
                "the mean squared gap is below resolution"
            };
            let why = b.remark.clone().unwrap_or_else(|| what.into());
            format!("It is not held against the theorem's bound: {why}.")
        }
        None => "There is no bound to hold it against.".into(),
    };
    [
        format!("{} it ended at {} ({}).", only(dir, runs), end(runs), grounds(dir, &[runs], ground)),
        bound,
        "There is no other estimator to compare it with; how sure these numbers are is in their intervals below."
            .into(),
    ]
}

/// The runs of an estimator that went to their end; `None` where one diverged, or none ended: what is left would flatter it.
fn ended(runs: &EstimatorRuns) -> Option<EstimatorRuns> {
    let seeds: Vec<SeedRun> = runs.seeds.iter().filter(|s| s.outcome == "finished").cloned().collect();
    let first = seeds.first()?.r#final.clone();
    let diverged = runs.seeds.iter().any(|s| s.outcome == "diverged");
    (!diverged).then(|| EstimatorRuns { r#final: first, seeds, ..runs.clone() })
}

/// The three sentences. An estimator that diverged is left out, which the section says where it says what is missing.
pub fn sentences(dir: &StudyDir) -> Vec<String> {
    let ended: Vec<EstimatorRuns> = dir.runs().iter().filter_map(ended).collect();
    let runs: Vec<&EstimatorRuns> = ended.iter().collect();
    let Some(leader) = runs.iter().copied().min_by(|a, b| mean(a).total_cmp(&mean(b))) else {
        return [
            "No estimator has a complete run, so nothing can be said about which of them comes closest to a stationary point.",
            "By how much: unknown.",
            "How sure: not at all.",
        ]
        .map(String::from)
        .to_vec();
    };
    let expected = dir.study.as_ref().is_some_and(|s| s.dynamics == "expected");
    let ground = match runs.iter().map(|r| r.seeds.len()).min() {
        _ if expected => Ground::Exact,
        Some(n) if n > 1 => Ground::Seeds,
        _ => Ground::One,
    };
    let comparisons = runs.len() * (runs.len() - 1) / 2;
    let others = runs.iter().copied().filter(|r| r.estimator != leader.estimator);
    let rivals: Vec<Rival<'_>> = others.map(|r| rival(leader, r, ground, comparisons)).collect();
    let Some(next) = rivals.iter().min_by(|a, b| a.difference.total_cmp(&b.difference)) else {
        return alone(dir, leader, ground).to_vec();
    };
    let finished = dir.study.as_ref().is_some_and(|s| s.status == "finished");
    let first = who(leader, &rivals, &grounds(dir, &runs, ground));
    let first = if finished { first } else { format!("So far, the study being unfinished: {first}") };
    vec![first, how_much(leader, next, ground, comparisons), how_sure(dir, next, ground)]
}

fn who(leader: &EstimatorRuns, rivals: &[Rival<'_>], grounds: &str) -> String {
    let (beaten, open): (Vec<&Rival<'_>>, Vec<&Rival<'_>>) = rivals.iter().partition(|r| r.is_beaten());
    let names = |r: &[&Rival<'_>]| list(&r.iter().map(|r| r.runs.estimator.clone()).collect::<Vec<_>>());
    let best = &leader.estimator;
    if open.is_empty() {
        return format!(
            "`{best}` won: it ended closer to a stationary point of V_ζ than {} ({grounds}).",
            names(&beaten)
        );
    }
    if beaten.is_empty() {
        return format!(
            "No estimator won: `{best}` ended with the smallest squared gap but cannot be told apart from {} ({grounds}).",
            names(&open)
        );
    }
    format!(
        "No single estimator won: `{best}` ended with the smallest squared gap, closer to a stationary point of V_ζ than {}, but it \
         cannot be told apart from {} ({grounds}).",
        names(&beaten),
        names(&open)
    )
}

fn how_much(leader: &EstimatorRuns, next: &Rival<'_>, ground: Ground, comparisons: usize) -> String {
    let (best, other) = (&leader.estimator, &next.runs.estimator);
    let text = format!("`{best}` ended at {}, the next best, `{other}`, at {}", end(leader), end(next.runs));
    let together = match comparisons {
        1 => "95 %".to_string(),
        n => format!("95 % for all {n} pairs of estimators together"),
    };
    match (ground, next.interval) {
        (Ground::Seeds, Some(ends)) => format!(
            "{text}; paired by seed, the squared gap of `{other}` is {}{} larger ({together}).",
            digits(next.difference),
            brackets(Some(ends))
        ),
        _ => format!("{text}."),
    }
}

fn how_sure(dir: &StudyDir, next: &Rival<'_>, ground: Ground) -> String {
    match (ground, next.is_beaten()) {
        (Ground::Exact, true) => {
            "Under expected dynamics nothing is sampled, so this is exact for this family, start and step size; it says nothing of \
             the noise of sampled runs."
                .into()
        }
        (Ground::Exact, false) => "Under expected dynamics nothing is sampled: they end alike up to rounding.".into(),
        (Ground::Seeds, true) => format!(
            "The interval over {} pairs of seeds excludes zero, on this family at this step size and number of iterations.",
            next.pairs
        ),
        (Ground::Seeds, false) => format!(
            "The interval over {} pairs of seeds contains zero, so these runs do not show which of the two ends closer.",
            next.pairs
        ),
        (Ground::One, _) if dir.is_exact() => {
            "With one seed who is ahead may be chance: the gaps are exact, but nothing is known of other seeds.".into()
        }
        (Ground::One, _) => "With one seed who is ahead may be chance: nothing is known of other seeds.".into(),
    }
}
