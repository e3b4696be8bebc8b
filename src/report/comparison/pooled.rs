//! Statistics over families: normalised scores, stratified bootstrap intervals, and every pair of arms held against each other.

use super::interval::mean_over_families;
use super::{Cell, RESAMPLES, Scale};
use crate::math::{aggregate, stratified};
use crate::rng::{Address, Purpose};

/// A statistic with its 95 % stratified bootstrap interval; none where a family has one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistic {
    /// Value.
    pub value: f64,
    /// Interval.
    pub interval: Option<[f64; 2]>,
}

/// One arm over all pooled families.
#[derive(Clone, Debug, PartialEq)]
pub struct PooledArm {
    /// Arm.
    pub arm: String,
    /// Normalised final scores, per family and run.
    pub scores: Vec<Vec<f64>>,
    /// Interquartile mean of the final score.
    pub iqm: Statistic,
    /// Median over families of the mean over runs.
    pub median: Statistic,
    /// Mean over families of the mean over runs.
    pub mean: Statistic,
    /// Interquartile mean of the area.
    pub area: Statistic,
    /// Probability that a run of this arm beats one of the reference; `None` for the reference itself.
    pub improvement: Option<Statistic>,
}

/// Two arms held against each other on the seeds they share.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Index of one arm in [`Pooled::arms`].
    pub first: usize,
    /// Index of the other.
    pub second: usize,
    /// Seeds at which both have a run on every family.
    pub seeds: usize,
    /// Mean over these seeds and the families of the paired difference of normalised final scores, first minus second.
    pub difference: f64,
    /// Its 95 % interval, Student's over seeds (see [`mean_over_families`]).
    pub interval: Option<[f64; 2]>,
    /// The same at a level that holds for all pairs of arms together (Bonferroni).
    pub joint: Option<[f64; 2]>,
    /// Probability that a run of the first beats one of the second on the same family.
    pub improvement: Statistic,
}

impl Pair {
    /// 1 if the first arm is better beyond doubt (5 % for all pairs together), -1 if the second is, 0 if that cannot be told.
    pub fn sign(&self) -> i8 {
        match self.joint {
            Some([low, _]) if low > 0.0 => 1,
            Some([_, high]) if high < 0.0 => -1,
            _ => 0,
        }
    }
}

/// Statistics over families.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// Families that every arm below has runs on.
    pub families: Vec<String>,
    /// Arms, the reference first.
    pub arms: Vec<PooledArm>,
    /// Every pair of them, the earlier first.
    pub pairs: Vec<Pair>,
}

/// A statistic of a score matrix with its interval.
pub fn statistic(scores: &[Vec<f64>], f: fn(&[Vec<f64>]) -> f64) -> Statistic {
    let mut rng = Address::new(0, Purpose::Statistics).stream();
    Statistic { value: f(scores), interval: stratified::interval(scores, &f, RESAMPLES, &mut rng) }
}

fn improvement(x: &[Vec<f64>], y: &[Vec<f64>]) -> Statistic {
    let mut rng = Address::new(0, Purpose::Statistics).stream();
    let f = aggregate::probability_of_improvement;
    Statistic { value: f(x, y), interval: stratified::interval_of_two(x, y, &f, RESAMPLES, &mut rng) }
}

/// The families to pool: those of some arm, such that most runs' worth of (arms with all of them) x families enter; two arms at
/// least. `covered[i]` holds the families of arm i.
fn choose<'a>(covered: &[Vec<&'a Scale>]) -> Option<Vec<&'a Scale>> {
    let holds = |all: &[&Scale], some: &[&Scale]| some.iter().all(|s| all.iter().any(|a| a.family == s.family));
    let arms = |families: &[&Scale]| covered.iter().filter(|c| holds(c, families)).count();
    let candidates = covered.iter().filter(|c| !c.is_empty() && arms(c) >= 2);
    let size = |c: &&Vec<&Scale>| (arms(c) * c.len(), c.len());
    candidates.reduce(|best, c| if size(&c) > size(&best) { c } else { best }).cloned()
}

/// Pools arms over families that all of them have runs on. `None` if no two arms share a family.
pub(super) fn pool(arms: &[String], cells: &[Cell], scales: &[Scale], notes: &mut Vec<String>) -> Option<Pooled> {
    let find =
        |arm: &str, family: &str| cells.iter().find(|c| c.arm == arm && c.family == family && !c.runs.is_empty());
    let covered = |arm: &str| scales.iter().filter(|s| find(arm, &s.family).is_some()).collect::<Vec<_>>();
    let chosen = choose(&arms.iter().map(|a| covered(a)).collect::<Vec<_>>())?;
    let left: Vec<&str> =
        (scales.iter()).filter(|s| !chosen.iter().any(|c| c.family == s.family)).map(|s| s.family.as_str()).collect();
    if !left.is_empty() {
        notes.push(format!("Not pooled, because only some arms have runs there: {}.", left.join(", ")));
    }
    let scales = chosen;
    let mut pooled: Vec<(PooledArm, Vec<&Cell>)> = Vec::new();
    for arm in arms {
        let cells: Vec<&Cell> = scales.iter().filter_map(|s| find(arm, &s.family)).collect();
        if cells.len() < scales.len() {
            if !covered(arm).is_empty() {
                let count = cells.len();
                notes.push(format!("`{arm}` is not pooled: it has runs on {count} of the {} families.", scales.len()));
            }
            continue;
        }
        let normal = |f: fn(&super::Scored) -> f64| -> Vec<Vec<f64>> {
            (cells.iter().zip(&scales)).map(|(c, s)| c.runs.iter().map(|r| s.score(f(r))).collect()).collect()
        };
        let (scores, areas) = (normal(|r| r.last), normal(|r| r.area));
        let improvement = pooled.first().map(|(reference, _)| improvement(&scores, &reference.scores));
        let arm = PooledArm {
            arm: arm.clone(),
            iqm: statistic(&scores, aggregate::iqm),
            median: statistic(&scores, aggregate::median),
            mean: statistic(&scores, aggregate::mean),
            area: statistic(&areas, aggregate::iqm),
            scores,
            improvement,
        };
        pooled.push((arm, cells));
    }
    let pairs = pairs(&pooled, &scales);
    let families = scales.iter().map(|s| s.family.clone()).collect();
    Some(Pooled { families, arms: pooled.into_iter().map(|(arm, _)| arm).collect(), pairs })
}

fn pairs(arms: &[(PooledArm, Vec<&Cell>)], scales: &[&Scale]) -> Vec<Pair> {
    let count = arms.len() * (arms.len() - 1) / 2;
    let mut pairs = Vec::new();
    for (i, (a, a_cells)) in arms.iter().enumerate() {
        for (j, (b, b_cells)) in arms.iter().enumerate().skip(i + 1) {
            let family = |((a, b), s): ((&&Cell, &&Cell), &&Scale)| -> Vec<(u64, f64)> {
                a.pairs(b).map(|(x, y)| (x.seed, s.score(x.last) - s.score(y.last))).collect()
            };
            let differences: Vec<Vec<(u64, f64)>> = a_cells.iter().zip(b_cells).zip(scales).map(family).collect();
            let (difference, interval, seeds) = mean_over_families(&differences, 0.05);
            let (_, joint, _) = mean_over_families(&differences, 0.05 / count as f64);
            let improvement = improvement(&a.scores, &b.scores);
            pairs.push(Pair { first: i, second: j, seeds, difference, interval, joint, improvement });
        }
    }
    pairs
}

impl Pooled {
    /// Index of the arm with the highest mean score; the first of equals.
    pub fn leader(&self) -> usize {
        let better =
            |best: usize, i: usize| if self.arms[i].mean.value > self.arms[best].mean.value { i } else { best };
        (0..self.arms.len()).reduce(better).unwrap_or(0)
    }

    /// How the arm at `first` stands against the one at `second`, whichever way the pair is kept.
    pub fn pair(&self, first: usize, second: usize) -> Option<Pair> {
        let turn = |[low, high]: [f64; 2]| [-high, -low];
        self.pairs.iter().find_map(|p| match (p.first, p.second) {
            (a, b) if (a, b) == (first, second) => Some(p.clone()),
            (b, a) if (a, b) == (first, second) => Some(Pair {
                first,
                second,
                seeds: p.seeds,
                difference: -p.difference,
                interval: p.interval.map(turn),
                joint: p.joint.map(turn),
                improvement: Statistic {
                    value: 1.0 - p.improvement.value,
                    interval: p.improvement.interval.map(|[low, high]| [1.0 - high, 1.0 - low]),
                },
            }),
            _ => None,
        })
    }
}
