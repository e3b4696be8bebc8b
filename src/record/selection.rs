//! The choice of a step size: a pure function of tuning records, which never sees a reporting seed.

use super::suite::{Outcome, Phase, RunRecord};
use crate::config::suite::Select;

impl Select {
    /// Score of a run, `None` if it did not finish. Points at the same step count have no width in the area.
    pub fn score(self, record: &RunRecord) -> Option<f64> {
        let last = record.points.last().filter(|_| record.outcome == Outcome::Finished)?;
        if self == Select::Final {
            return Some(last.after);
        }
        let width = |a: u64, b: u64| (b - a) as f64;
        let total = width(record.points[0].environment_steps, last.environment_steps);
        if total == 0.0 {
            return Some(last.after);
        }
        let area: f64 = (record.points.windows(2))
            .map(|p| width(p[0].environment_steps, p[1].environment_steps) * 0.5 * (p[0].after + p[1].after))
            .sum();
        Some(area / total)
    }
}

/// Index of the best setting. `tuning[i]` holds the records of setting i, all of [`Phase::Tuning`].
///
/// Best is: fewest runs that diverged or failed (such a run counts as worse than any that finished), then the highest mean
/// score of the others; the first of equals. `None` without settings.
///
/// # Panics
/// If a record is not of the tuning phase: what is reported must not have been looked at.
pub fn best(tuning: &[Vec<&RunRecord>], select: Select) -> Option<usize> {
    assert!(tuning.iter().flatten().all(|r| r.phase == Phase::Tuning), "settings are chosen on tuning seeds alone");
    let rank = |records: &Vec<&RunRecord>| {
        let scores: Vec<f64> = records.iter().filter_map(|r| select.score(r)).collect();
        let mean = if scores.is_empty() { f64::NEG_INFINITY } else { crate::math::returns::mean(&scores) };
        (records.len() - scores.len(), mean)
    };
    let ranks: Vec<(usize, f64)> = tuning.iter().map(rank).collect();
    let better = |a: &(usize, f64), b: &(usize, f64)| a.0 < b.0 || (a.0 == b.0 && a.1 > b.1);
    (0..ranks.len()).reduce(|best, i| if better(&ranks[i], &ranks[best]) { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::suite_dir::tests::run;

    #[test]
    fn the_highest_mean_wins_and_divergence_is_worst() {
        let good = [run("a", 0.1, 1, Phase::Tuning, 1.0), run("a", 0.1, 2, Phase::Tuning, 2.0)];
        let better = [run("a", 0.2, 1, Phase::Tuning, 9.0), run("a", 0.2, 2, Phase::Tuning, -2.0)];
        let mut broken = [run("a", 0.3, 1, Phase::Tuning, 50.0), run("a", 0.3, 2, Phase::Tuning, 50.0)];
        broken[1].outcome = Outcome::Diverged;
        let cells: Vec<Vec<&RunRecord>> = [&good, &better, &broken].iter().map(|c| c.iter().collect()).collect();
        assert_eq!(best(&cells, Select::Final), Some(1));
        assert_eq!(best(&cells[2..], Select::Final), Some(0), "something is chosen even so");
        assert_eq!(best(&[cells[0].clone(), cells[0].clone()], Select::Area), Some(0), "the first of equals");
        assert_eq!(best(&[], Select::Final), None);
    }

    #[test]
    fn the_area_is_a_mean_over_steps() {
        let mut record = run("a", 0.1, 1, Phase::Tuning, 4.0);
        assert_eq!(Select::Area.score(&record), Some(2.0));
        record.points[1].environment_steps = 300;
        record.points.insert(1, crate::record::suite::Point { environment_steps: 100, ..record.points[1].clone() });
        assert_eq!(Select::Area.score(&record), Some((100.0 * 2.0 + 200.0 * 4.0) / 300.0));
        assert_eq!(Select::Final.score(&record), Some(4.0));
    }

    #[test]
    #[should_panic(expected = "tuning seeds alone")]
    fn reporting_records_are_not_looked_at() {
        let record = run("a", 0.1, 1, Phase::Reporting, 1.0);
        best(&[vec![&record]], Select::Final);
    }
}
