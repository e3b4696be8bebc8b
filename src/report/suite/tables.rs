//! Tables of a suite: pooled statistics, every pair of arms, each family, and every run.

use crate::record::suite::{Outcome, Phase, RunRecord};
use crate::record::suite_dir::{SuiteDir, setting_name};
use crate::report::comparison::pooled::{Pooled, Statistic};
use crate::report::comparison::{Cell, Comparison};
use crate::report::curve::ends;
use crate::report::page::{Column, Entry, Table};

/// Columns that runs of `online` do not count.
const COUNTED: [&str; 2] = ["gradients", "hvps"];

/// All tables that have lines.
pub fn tables(suite: &SuiteDir, comparison: &Comparison) -> Vec<Table> {
    let pooled = comparison.pooled.iter().flat_map(|p| [over_families(comparison, p), pairs(p)]);
    let mut last = [costs(comparison), runs(suite)];
    if suite.info.online {
        last.iter_mut().for_each(|table| table.without(&COUNTED));
    }
    pooled.chain([families(comparison)]).chain(last).filter(|t| !t.lines.is_empty()).collect()
}

fn statistic(s: &Statistic) -> Entry {
    Entry::interval(s.value, s.interval)
}

fn over_families(comparison: &Comparison, pooled: &Pooled) -> Table {
    let line = |a: &crate::report::comparison::pooled::PooledArm| {
        vec![
            Entry::text(&a.arm),
            Entry::count(a.scores.iter().map(Vec::len).sum()),
            statistic(&a.iqm),
            statistic(&a.median),
            statistic(&a.mean),
            statistic(&a.area),
            a.improvement.as_ref().map_or_else(|| Entry::none(3), statistic),
        ]
    };
    Table {
        name: "table-pooled".into(),
        title: "Over all families".into(),
        caption: format!(
            "Normalised scores over {}, with 95 % stratified bootstrap intervals. The last column is the probability that a run \
             beats one of `{}` on the same family.{}",
            pooled.families.join(", "),
            pooled.arms[0].arm,
            comparison.narrow()
        ),
        columns: vec![
            Column::plain("arm", "arm"),
            Column::plain("runs", "runs"),
            Column::interval("IQM, final", "iqm"),
            Column::interval("median, final", "median"),
            Column::interval("mean, final", "mean"),
            Column::interval("IQM, area", "area_iqm"),
            Column::interval("P(improvement)", "probability_of_improvement"),
        ],
        lines: pooled.arms.iter().map(line).collect(),
    }
}

fn pairs(pooled: &Pooled) -> Table {
    let line = |p: &crate::report::comparison::pooled::Pair| {
        let name = |i: usize| &pooled.arms[i].arm;
        let verdict = match (p.joint, p.sign()) {
            (None, _) => "no interval".to_string(),
            (_, 1) => format!("{} is better", name(p.first)),
            (_, -1) => format!("{} is better", name(p.second)),
            _ => "cannot be told apart".to_string(),
        };
        vec![
            Entry::text(format!("{} − {}", name(p.first), name(p.second))),
            Entry::count(p.seeds),
            Entry::interval(p.difference, p.interval),
            p.joint.map_or_else(
                || Entry::none(2),
                |[low, high]| {
                    let shown = crate::report::comparison::verdict::brackets(Some([low, high]));
                    Entry {
                        shown: shown.trim().to_string(),
                        full: [low, high].map(crate::report::figure::number).to_vec(),
                    }
                },
            ),
            statistic(&p.improvement),
            Entry::text(verdict),
        ]
    };
    let joint = Column {
        shown: "interval for all pairs together".into(),
        names: vec!["joint_low".into(), "joint_high".into()],
    };
    Table {
        name: "table-pairs".into(),
        title: "Every pair of arms".into(),
        caption: "Difference of normalised final score, paired by seed and averaged over families at each seed that all families \
                  have, with its 95 % t-interval over seeds and one that holds for all pairs together (Bonferroni); the verdict \
                  goes by the latter."
            .into(),
        columns: vec![
            Column::plain("pair", "pair"),
            Column::plain("seeds", "seeds"),
            Column::interval("difference", "difference"),
            joint,
            Column::interval("P(first beats second)", "probability_of_improvement"),
            Column::plain("verdict", "verdict"),
        ],
        lines: pooled.pairs.iter().map(line).collect(),
    }
}

fn setting(setting: &[(String, f64)]) -> Entry {
    Entry::text(if setting.is_empty() { "–".to_string() } else { setting_name(setting) })
}

fn families(comparison: &Comparison) -> Table {
    let line = |c: &Cell| {
        let (last, area) = (&c.last, &c.area);
        let difference = |f: fn(&crate::report::comparison::cell::Difference) -> crate::math::summary::Estimate| {
            c.difference.as_ref().map(f).map_or_else(|| Entry::none(3), |e| Entry::interval(e.mean, ends(&e)))
        };
        vec![
            Entry::text(&c.family),
            Entry::text(&c.arm),
            setting(&c.setting),
            Entry::count(c.runs.len()),
            Entry::count(c.diverged),
            Entry::count(c.failed),
            Entry::interval(last.mean.mean, ends(&last.mean)),
            Entry::interval(last.iqm, last.iqm_interval),
            Entry::interval(area.mean.mean, ends(&area.mean)),
            difference(|d| d.last),
            difference(|d| d.area),
        ]
    };
    Table {
        name: "table-families".into(),
        title: "Each family".into(),
        caption: format!(
            "Undiscounted return {} (reward) on the reporting seeds at the chosen setting; means and differences with \
             95 % t-intervals, IQM with bootstrap intervals. Differences are paired by seed, against the first arm.{}",
            comparison.when(),
            comparison.narrow()
        ),
        columns: vec![
            Column::plain("family", "family"),
            Column::plain("arm", "arm"),
            Column::plain("setting", "setting"),
            Column::plain("n", "runs"),
            Column::plain("diverged", "diverged"),
            Column::plain("failed", "failed"),
            Column::interval("final, mean", "final_mean"),
            Column::interval("final, IQM", "final_iqm"),
            Column::interval("area, mean", "area_mean"),
            Column::interval("final − first arm", "final_difference"),
            Column::interval("area − first arm", "area_difference"),
        ],
        lines: comparison.cells.iter().map(line).collect(),
    }
}

fn costs(comparison: &Comparison) -> Table {
    let line = |c: &Cell| {
        let k = &c.cost;
        let numbers = [k.environment_steps, k.iterations, k.gradients, k.hvps, k.seconds, k.cpu_seconds];
        let rounded =
            |x: f64| Entry { shown: crate::report::axis::short((x * 10.0).round() / 10.0), ..Entry::number(x) };
        [Entry::text(&c.family), Entry::text(&c.arm)].into_iter().chain(numbers.map(rounded)).collect()
    };
    Table {
        name: "table-budget".into(),
        title: "What a run cost".into(),
        caption: "Means over the reporting runs. Environment steps are training only; gradients and Hessian-vector products are of \
                  one batch surrogate; seconds are wall and processor time of one run on a shared machine."
            .into(),
        columns: [
            ("family", "family"),
            ("arm", "arm"),
            ("environment steps", "environment_steps"),
            ("iterations", "iterations"),
            ("gradients", "gradients"),
            ("HVPs", "hvps"),
            ("seconds", "seconds"),
            ("CPU seconds", "cpu_seconds"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines: comparison.cells.iter().map(line).collect(),
    }
}

fn runs(suite: &SuiteDir) -> Table {
    let line = |r: &RunRecord| {
        let phase = if r.phase == Phase::Tuning { "tuning" } else { "reporting" };
        let outcome = match r.outcome {
            Outcome::Finished => "finished",
            Outcome::Diverged => "diverged",
            Outcome::Failed => "failed",
        };
        let last = r.points.last();
        let before = if suite.info.online { r.points.first() } else { last };
        vec![
            Entry::text(&r.family),
            Entry::text(&r.arm),
            setting(&r.setting),
            Entry::text(r.seed.to_string()),
            Entry::text(phase),
            Entry::text(outcome),
            Entry::number(before.map_or(f64::NAN, |p| p.before)),
            Entry::number(last.map_or(f64::NAN, |p| p.after)),
            Entry::text(r.budget.environment_steps.to_string()),
            Entry::text(r.measure_steps.to_string()),
            Entry::text(r.budget.hvps.to_string()),
            Entry::number(r.seconds),
            Entry::text(r.reason.clone().unwrap_or_default()),
        ]
    };
    Table {
        name: "table-runs".into(),
        title: "Every run, the whole grid included".into(),
        caption:
            "Returns before and after adaptation at the last evaluation, or before and after training (runs of `online`), in reward; \
             environment steps of training and, apart from them, of measuring."
                .into(),
        columns: [
            ("family", "family"),
            ("arm", "arm"),
            ("setting", "setting"),
            ("seed", "seed"),
            ("phase", "phase"),
            ("outcome", "outcome"),
            ("before", "return_before"),
            ("after", "return_after"),
            ("environment steps", "environment_steps"),
            ("measuring steps", "measure_steps"),
            ("HVPs", "hvps"),
            ("seconds", "seconds"),
            ("reason", "reason"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines: suite.records.iter().map(line).collect(),
    }
}
