//! One arm on one family: its reporting runs, their scores and what they cost.

use super::{RESAMPLES, Scored, estimate, score};
use crate::math::stratified;
use crate::math::summary::Estimate;
use crate::math::{aggregate, returns};
use crate::record::suite::{Outcome, RunRecord};
use crate::record::suite_dir::FamilyInfo;
use crate::rng::{Address, Purpose};

/// A mean with its t-interval, and an interquartile mean with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Mean over seeds with Student's 95 % interval.
    pub mean: Estimate,
    /// Interquartile mean over seeds.
    pub iqm: f64,
    /// Its 95 % percentile bootstrap interval; `None` with one seed.
    pub iqm_interval: Option<[f64; 2]>,
}

/// Means over the runs of what they spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Environment steps of training.
    pub environment_steps: f64,
    /// Gradients of a batch surrogate.
    pub gradients: f64,
    /// Hessian-vector products of a batch surrogate.
    pub hvps: f64,
    /// Outer iterations.
    pub iterations: f64,
    /// Wall time, seconds.
    pub seconds: f64,
    /// CPU time, seconds.
    pub cpu_seconds: f64,
}

/// Mean difference to another arm, paired by seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The other arm.
    pub against: String,
    /// Pairs of runs with the same seed.
    pub pairs: usize,
    /// This arm minus the other, final value, with Student's 95 % interval over pairs.
    pub last: Estimate,
    /// The same of the area.
    pub area: Estimate,
}

/// One arm on one family.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Family.
    pub family: String,
    /// Arm.
    pub arm: String,
    /// Chosen grid keys and values.
    pub setting: Vec<(String, f64)>,
    /// Scores of the runs that have one, by seed.
    pub runs: Vec<Scored>,
    /// Of these, how many diverged.
    pub diverged: usize,
    /// Runs without a score.
    pub failed: usize,
    /// Final return after adaptation.
    pub last: Summary,
    /// Mean return after adaptation over the budget.
    pub area: Summary,
    /// What a run cost, on average.
    pub cost: Cost,
    /// Against the first arm of the family; `None` for that arm itself and without common seeds.
    pub difference: Option<Difference>,
}

fn summary(runs: &[Scored], f: fn(&Scored) -> f64) -> Summary {
    let scores = vec![runs.iter().map(f).collect::<Vec<f64>>()];
    let mut rng = Address::new(0, Purpose::Statistics).stream();
    let iqm_interval = stratified::interval(&scores, &|s| aggregate::iqm(s), RESAMPLES, &mut rng);
    Summary { mean: estimate(runs, f), iqm: aggregate::iqm(&scores), iqm_interval }
}

impl Cell {
    /// Scores `records`; a run that diverged gets `worst`, the lowest (final, area) of the family. A run without a score that did
    /// not diverge is no result at all and counts as failed.
    pub(super) fn of(
        family: &FamilyInfo,
        arm: &str,
        setting: Vec<(String, f64)>,
        records: &[&RunRecord],
        worst: (f64, f64),
    ) -> Cell {
        let mut runs = Vec::new();
        let (mut diverged, mut failed) = (0, 0);
        for record in records {
            match (record.outcome, score(record, family.budget)) {
                (Outcome::Finished, Some(scored)) => runs.push(scored),
                (Outcome::Diverged, _) if worst.0.is_finite() => {
                    diverged += 1;
                    runs.push(Scored { seed: record.seed, last: worst.0, area: worst.1 });
                }
                _ => failed += 1,
            }
        }
        let spent: Vec<&&RunRecord> = records.iter().filter(|r| r.outcome != Outcome::Failed).collect();
        let average = |f: fn(&RunRecord) -> f64| returns::mean(&spent.iter().map(|r| f(r)).collect::<Vec<_>>());
        Cell {
            family: family.name.clone(),
            arm: arm.to_string(),
            setting,
            diverged,
            failed,
            last: summary(&runs, |s| s.last),
            area: summary(&runs, |s| s.area),
            runs,
            cost: Cost {
                environment_steps: average(|r| r.budget.environment_steps as f64),
                gradients: average(|r| r.budget.gradients as f64),
                hvps: average(|r| r.budget.hvps as f64),
                iterations: average(|r| r.iterations as f64),
                seconds: average(|r| r.seconds),
                cpu_seconds: average(|r| r.cpu_seconds),
            },
            difference: None,
        }
    }

    /// Scores of two cells at the seeds they share, this one first.
    pub fn pairs<'a>(&'a self, other: &'a Cell) -> impl Iterator<Item = (Scored, Scored)> + 'a {
        self.runs.iter().filter_map(|a| Some((*a, *other.runs.iter().find(|b| b.seed == a.seed)?)))
    }
}

/// Fills in the differences of the cells of one family against its first.
pub(super) fn differences(cells: &mut [Cell]) {
    let Some((first, others)) = cells.split_first_mut() else { return };
    for cell in others {
        let pairs: Vec<(Scored, Scored)> = cell.pairs(first).collect();
        let of = |f: fn(&Scored) -> f64| Estimate::of(&pairs.iter().map(|(a, b)| f(a) - f(b)).collect::<Vec<_>>());
        let (last, area) = (of(|s| s.last), of(|s| s.area));
        cell.difference =
            (!pairs.is_empty()).then(|| Difference { against: first.arm.clone(), pairs: pairs.len(), last, area });
    }
}
