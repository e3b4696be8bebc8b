//! Figures per family: learning curves, exact values, gaps, and sensitivity to the step size.

use super::objectives;
use crate::record::suite::{Outcome, Phase, Point, RunRecord};
use crate::record::suite_dir::{FamilyInfo, SuiteDir, setting_name};
use crate::report::comparison::{Cell, Comparison};
use crate::report::curve;
use crate::report::figure::{Axis, Figure, Look, Mark, Series, slug};

const STEPS: (&str, &str) = ("training steps of the environment", "environment_steps");

/// All figures of all families that have runs.
pub fn figures(suite: &SuiteDir, comparison: &Comparison) -> Vec<Figure> {
    let mut figures = Vec::new();
    let recorded = objectives::recorded(suite);
    for family in &suite.info.families {
        let arms = arms(suite, comparison, &family.name);
        let settings: Vec<_> = arms.iter().map(|a| (a.name, a.setting)).collect();
        let differing = objectives::differing(recorded.as_ref(), &family.name, &settings);
        figures.push(learning(family, &arms, suite.info.online));
        figures.push(values(family, &arms, &differing));
        figures.push(gaps(family, &arms, &differing));
        figures.extend(sensitivity(suite, comparison, family));
    }
    figures
}

/// An arm on a family: its index among the arms, and its reporting runs at the chosen setting that ran at all.
struct Arm<'a> {
    index: usize,
    name: &'a str,
    setting: &'a Vec<(String, f64)>,
    runs: Vec<&'a RunRecord>,
}

fn arms<'a>(suite: &'a SuiteDir, comparison: &'a Comparison, family: &str) -> Vec<Arm<'a>> {
    let cells = comparison.cells.iter().filter(|c| c.family == family);
    let arm = |cell: &'a Cell| {
        let setting = setting_name(&cell.setting);
        let chosen = |r: &&RunRecord| setting_name(&r.setting) == setting && r.outcome != Outcome::Failed;
        let mut runs: Vec<&RunRecord> = suite.of(&cell.family, &cell.arm, Phase::Reporting).filter(chosen).collect();
        runs.sort_by_key(|r| r.seed);
        let index = comparison.arms.iter().position(|a| *a == cell.arm).unwrap_or(0);
        Arm { index, name: &cell.arm, setting: &cell.setting, runs }
    };
    cells.map(arm).collect()
}

/// Mean over runs of one number of their points.
fn series(arm: &Arm<'_>, f: impl Fn(&Point) -> Option<f64>) -> Series {
    let run = |r: &&RunRecord| -> Vec<(f64, f64)> {
        let point = |p: &Point| Some((p.environment_steps as f64, f(p).filter(|y| y.is_finite())?));
        r.points.iter().filter_map(point).collect()
    };
    let marks = curve::across(&arm.runs.iter().map(run).collect::<Vec<_>>());
    Series { label: arm.name.to_string(), style: arm.index, look: Look::Line, marks }
}

/// `n = 5 seeds per arm`, or the number of each arm; and who diverged.
fn seeds(arms: &[Arm<'_>]) -> String {
    let counts: Vec<usize> = arms.iter().map(|a| a.runs.len()).collect();
    let mut text = match counts.first() {
        Some(n) if counts.iter().all(|c| c == n) => format!("n = {n} reporting seeds per arm"),
        _ => {
            let each = arms.iter().map(|a| format!("{} for {}", a.runs.len(), a.name));
            format!("n = {} reporting seeds", each.collect::<Vec<_>>().join(", "))
        }
    };
    for arm in arms {
        let diverged = arm.runs.iter().filter(|r| r.outcome == Outcome::Diverged).count();
        if diverged > 0 {
            text += &format!("; {diverged} of {} diverged: the mean goes on without them", arm.name);
        }
    }
    text
}

fn learning(family: &FamilyInfo, arms: &[Arm<'_>], online: bool) -> Figure {
    let (what, axis) = match online {
        true => (
            "Mean undiscounted return: of whole episodes before and after training, between them of the run's own episodes",
            "return",
        ),
        false => {
            ("Mean undiscounted return after adaptation, over evaluation tasks and seeds", "return after adaptation")
        }
    };
    Figure {
        name: format!("learning-{}", slug(&family.name)),
        title: format!("Learning curves: {}", family.name),
        caption: format!(
            "{what}; {}. Bands: 95 % t-intervals over seeds. \
             Arms share seeds and tasks, so bands may overlap although arms differ: the paired differences say so.",
            seeds(arms)
        ),
        x: Axis::linear(STEPS.0, STEPS.1),
        y: Axis::linear(&format!("{axis} (reward)"), "return_after"),
        counted: "seeds",
        series: arms.iter().map(|a| series(a, |p| Some(p.after))).collect(),
    }
}

fn values(family: &FamilyInfo, arms: &[Arm<'_>], differing: &str) -> Figure {
    Figure {
        name: format!("value-{}", slug(&family.name)),
        title: format!("Exact objective: {}", family.name),
        caption: format!(
            "V_ζ of the initialisation, enumerated: the discounted return after sampled adaptation, without sampling noise; {}. \
             Bands: 95 % t-intervals over seeds.{differing}",
            seeds(arms)
        ),
        x: Axis::linear(STEPS.0, STEPS.1),
        y: Axis::linear("V_ζ (discounted reward)", "value"),
        counted: "seeds",
        series: arms.iter().map(|a| series(a, |p| p.value)).collect(),
    }
}

fn gaps(family: &FamilyInfo, arms: &[Arm<'_>], differing: &str) -> Figure {
    let gap = |arm: &Arm<'_>| {
        let mut line = series(arm, |p| p.gap.map(|g| g.gap_squared));
        // one run: its own intervals; several: the mean is resolved where its interval over seeds is above zero
        if let [run] = arm.runs.as_slice() {
            let measured = run.points.iter().filter_map(|p| p.gap);
            for (mark, gap) in line.marks.iter_mut().zip(measured) {
                mark.interval = Some(gap.gap_squared_interval);
                mark.resolved = gap.gap.is_some();
            }
        } else if arm.runs.iter().flat_map(|r| &r.points).any(|p| p.gap.is_some_and(|g| g.groups > 0)) {
            line.marks.iter_mut().for_each(|m| m.resolved = m.interval.is_some_and(|i| i[0] > 0.0));
        }
        line
    };
    Figure {
        name: format!("gap-{}", slug(&family.name)),
        title: format!("Stationarity gap: {}", family.name),
        caption: format!(
            "Squared norm of the gradient of V_ζ, mean over seeds; {}. Bands: 95 % intervals. Open triangles, below resolution: the interval contains \
             zero, its upper end is shown.{differing}",
            seeds(arms)
        ),
        x: Axis::linear(STEPS.0, STEPS.1),
        y: Axis::log("squared gap ‖∇V_ζ‖² (reward²)", "gap_squared"),
        counted: "seeds",
        series: arms.iter().map(gap).collect(),
    }
}

/// One figure per grid key: final return on the tuning seeds against the value, other keys as chosen.
fn sensitivity(suite: &SuiteDir, comparison: &Comparison, family: &FamilyInfo) -> Vec<Figure> {
    let tuning = || suite.records.iter().filter(|r| r.family == family.name && r.phase == Phase::Tuning);
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in tuning().flat_map(|r| &r.setting) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    let when = comparison.when();
    let figure = |key: &String| {
        let of_arm = |(index, arm): (usize, &String)| {
            let chosen =
                suite.info.chosen.iter().find(|c| c.family == family.name && c.arm == *arm).map(|c| &c.setting);
            let marks = grid(&tuning().filter(|r| r.arm == *arm).collect::<Vec<_>>(), key, chosen);
            Series { label: arm.clone(), style: index, look: Look::Line, marks }
        };
        let series: Vec<Series> =
            comparison.arms.iter().enumerate().map(of_arm).filter(|s| !s.marks.is_empty()).collect();
        let n = series.iter().flat_map(|s| &s.marks).map(|m| m.n).max().unwrap_or(0);
        let positive = series.iter().flat_map(|s| &s.marks).all(|m| m.x > 0.0);
        Figure {
            name: format!("sensitivity-{}-{}", slug(&family.name), slug(key)),
            title: format!("Sensitivity to {key}: {}", family.name),
            caption: format!(
                "Final return {when} on the tuning seeds (at most n = {n} per value), mean over those that finished, with \
                 95 % t-intervals over seeds; where an arm has further grid keys they are as chosen. The CSV counts finished runs."
            ),
            x: if positive { Axis::log(key, key) } else { Axis::linear(key, key) },
            y: Axis::linear(&format!("return {when} (reward)"), "return_after"),
            counted: "seeds",
            series,
        }
    };
    keys.iter().map(figure).collect()
}

/// Mean over finished runs at each value of `key`, among the records whose other keys are as in `chosen` (or in the first record).
fn grid(records: &[&RunRecord], key: &str, chosen: Option<&Vec<(String, f64)>>) -> Vec<Mark> {
    let Some(first) = records.first() else { return Vec::new() };
    let reference = chosen.unwrap_or(&first.setting);
    let others = |s: &[(String, f64)]| s.iter().filter(|(k, _)| k != key).cloned().collect::<Vec<_>>();
    let wanted = others(reference);
    let value = |r: &RunRecord| r.setting.iter().find(|(k, _)| k == key).map(|(_, x)| *x);
    let same: Vec<&&RunRecord> =
        records.iter().filter(|r| others(&r.setting) == wanted && value(r).is_some()).collect();
    let mut places: Vec<f64> = same.iter().filter_map(|r| value(r)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mark = |x: f64| {
        let at = same.iter().filter(|r| value(r) == Some(x) && r.outcome == Outcome::Finished);
        let finals: Vec<f64> = at.filter_map(|r| Some(r.points.last()?.after)).filter(|y| y.is_finite()).collect();
        (!finals.is_empty()).then(|| curve::mark(x, &finals))
    };
    places.into_iter().filter_map(mark).collect()
}
