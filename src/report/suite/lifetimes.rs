//! What suites of runs of `online` show besides: scores by what is learned (the rows of Xu et al. 2018, Table 1), and how gamma and
//! lambda moved.

use super::objectives;
use crate::config::online::Choice;
use crate::estimator::online::Tunable;
use crate::math::aggregate::optimality_gap;
use crate::record::suite::{Phase, RunRecord};
use crate::record::suite_dir::{FamilyInfo, SuiteDir, run_path, setting_name};
use crate::report::comparison::pooled::{Pooled, PooledArm, Statistic, statistic};
use crate::report::comparison::{Cell, Comparison};
use crate::report::curve::{across, ends};
use crate::report::figure::{Axis, Figure, Look, Series, slug};
use crate::report::online::OnlineRun;
use crate::report::page::{Column, Entry, Table};

/// Why the paper's other columns are empty.
const HUMAN_STARTS: &str = "cannot be reproduced";

/// What an arm learns, and judged by which discount.
#[derive(Clone, Debug, PartialEq)]
struct Learns {
    arm: String,
    learned: Vec<Tunable>,
    /// gamma'.
    reference: f64,
}

impl Learns {
    /// `{}`, `{λ}`, `{γ, λ}`, ...
    fn set(&self) -> String {
        let name = |t: &Tunable| match t {
            Tunable::Gamma => "γ".to_string(),
            Tunable::Lambda => "λ".to_string(),
            other => other.name().to_string(),
        };
        format!("{{{}}}", self.learned.iter().map(name).collect::<Vec<_>>().join(", "))
    }
}

/// What the pooled arms learn with their chosen settings, as the recorded suite says; without those that differ between tasks, and empty
/// if this version cannot read it.
fn learns(suite: &SuiteDir, comparison: &Comparison, pooled: &Pooled) -> Vec<Learns> {
    let Some(recorded) = objectives::recorded(suite) else { return Vec::new() };
    let on = |cell: &Cell| {
        let place = recorded.families.iter().position(|f| f.name == cell.family);
        let (family, arm) = place.zip(recorded.arms.iter().position(|a| a.name == cell.arm))?;
        let plan = recorded.online_plan(family, arm, &cell.setting, 0).ok()?;
        let Choice::ActorCritic(control) = &plan.learner else { return None };
        Some((control.options.tunables.learned(), control.options.outer.eta.gamma))
    };
    let of = |arm: &PooledArm| {
        let cells = comparison.cells.iter().filter(|c| c.arm == arm.arm && pooled.families.contains(&c.family));
        let all: Vec<Option<(Vec<Tunable>, f64)>> = cells.map(on).collect();
        let (learned, reference) = all.first()?.clone()?;
        let is_one = all.iter().flatten().count() == all.len() && all.windows(2).all(|pair| pair[0] == pair[1]);
        is_one.then(|| Learns { arm: arm.arm.clone(), learned, reference })
    };
    pooled.arms.iter().filter_map(of).collect()
}

/// Whether every family's scale is that of random play and humans.
fn is_human(comparison: &Comparison, pooled: &Pooled) -> bool {
    let known = |family: &String| {
        let scale = comparison.scales.iter().find(|s| s.family == *family)?;
        let mut games = tasks::atari::games::benchmark().filter_map(|g| Some(g.benchmark.as_ref()?.noop));
        games.find(|r| [r.random, r.human] == [scale.low, scale.high])
    };
    pooled.families.iter().all(|f| known(f).is_some())
}

fn percent(s: &Statistic) -> Entry {
    Entry::interval(100.0 * s.value, s.interval.map(|i| i.map(|x| 100.0 * x)))
}

/// Tables by what is learned, where arms can be compared.
pub fn tables(suite: &SuiteDir, comparison: &Comparison) -> Vec<Table> {
    let Some(pooled) = &comparison.pooled else { return Vec::new() };
    let learns = learns(suite, comparison, pooled);
    let mut tables: Vec<Table> = rows(comparison, pooled, &learns).into_iter().collect();
    tables.push(arms(comparison, pooled, &learns));
    tables.push(games(comparison, pooled));
    tables
}

/// One line per learned set and a column per gamma', where each pair has one arm.
fn rows(comparison: &Comparison, pooled: &Pooled, learns: &[Learns]) -> Option<Table> {
    let sets: Vec<String> = learns.iter().map(Learns::set).collect();
    let mut references: Vec<f64> = learns.iter().map(|l| l.reference).collect();
    let sets: Vec<String> =
        sets.iter().enumerate().filter(|(i, s)| !sets[..*i].contains(s)).map(|(_, s)| s.clone()).collect();
    references.sort_by(f64::total_cmp);
    references.dedup();
    let of = |set: &String, reference: f64| {
        let mut found = learns.iter().filter(|l| l.set() == *set && l.reference == reference);
        (found.next(), found.next().is_some())
    };
    let is_ambiguous = sets.iter().any(|s| references.iter().any(|r| of(s, *r).1));
    if sets.len() < 2 || is_ambiguous || learns.len() < pooled.arms.len() {
        return None;
    }
    let human = is_human(comparison, pooled);
    let line = |set: &String| {
        let score = |r: &f64| {
            let arm = of(set, *r).0.and_then(|l| pooled.arms.iter().find(|a| a.arm == l.arm));
            arm.map_or_else(|| Entry::none(3), |a| percent(&a.median))
        };
        let starts = references.iter().filter(|_| human).map(|_| Entry::text(HUMAN_STARTS));
        std::iter::once(Entry::text(set.clone())).chain(starts).chain(references.iter().map(score)).collect()
    };
    let head = if human { "no-op starts, " } else { "" };
    let column = |r: &f64| Column::interval(&format!("{head}γ′ = {r}"), &format!("median_{r}"));
    let starts = references.iter().filter(|_| human);
    let starts = starts.map(|r| Column::plain(&format!("human starts, γ′ = {r}"), &format!("human_starts_{r}")));
    let what = if human { "human-normalised score (per cent)" } else { "normalised score (per cent)" };
    let why = if human {
        " Human starts: the start states (Nair et al. 2015) were never published, so nobody can repeat these columns. The paper's \
         own table is over 57 games after 200 million frames: its numbers are not comparable with those of other games or budgets."
    } else {
        ""
    };
    Some(Table {
        name: "table-learned".into(),
        title: "By what is learned".into(),
        caption: format!(
            "Rows as in Xu, van Hasselt and Silver 2018, Table 1: the set of learned meta-parameters. Median over {} of the {what} \
             after training, mean over runs, with 95 % stratified bootstrap intervals over seeds.{}{why}",
            pooled.families.join(", "),
            comparison.narrow()
        ),
        columns: std::iter::once(Column::plain("learned", "learned"))
            .chain(starts)
            .chain(references.iter().map(column))
            .collect(),
        lines: sets.iter().map(line).collect(),
    })
}

/// Every arm with median, interquartile mean and optimality gap.
fn arms(comparison: &Comparison, pooled: &Pooled, learns: &[Learns]) -> Table {
    let line = |a: &PooledArm| {
        let learned = learns.iter().find(|l| l.arm == a.arm);
        vec![
            Entry::text(&a.arm),
            learned.map_or_else(|| Entry::none(1), |l| Entry::text(l.set())),
            learned.map_or_else(|| Entry::none(1), |l| Entry::text(l.reference.to_string())),
            Entry::count(a.scores.iter().map(Vec::len).sum()),
            percent(&a.median),
            percent(&a.iqm),
            percent(&statistic(&a.scores, |scores| optimality_gap(scores, 1.0))),
        ]
    };
    Table {
        name: "table-scores".into(),
        title: "Scores of each arm".into(),
        caption: format!(
            "Normalised scores after training in per cent, over {}: median, interquartile mean, and optimality gap (how far runs fall \
             short of 100 %), with 95 % stratified bootstrap intervals over seeds.{}",
            pooled.families.join(", "),
            comparison.narrow()
        ),
        columns: vec![
            Column::plain("arm", "arm"),
            Column::plain("learned", "learned"),
            Column::plain("γ′", "reference"),
            Column::plain("runs", "runs"),
            Column::interval("median", "median"),
            Column::interval("IQM", "iqm"),
            Column::interval("optimality gap", "optimality_gap"),
        ],
        lines: pooled.arms.iter().map(line).collect(),
    }
}

/// Normalised score of every arm on every family.
fn games(comparison: &Comparison, pooled: &Pooled) -> Table {
    let line = |c: &Cell| {
        let scale = comparison.scales.iter().find(|s| s.family == c.family)?;
        let interval = ends(&c.last.mean).map(|e| e.map(|x| 100.0 * scale.score(x)));
        Some(vec![
            Entry::text(&c.family),
            Entry::text(&c.arm),
            Entry::count(c.runs.len()),
            Entry::interval(100.0 * scale.score(c.last.mean.mean), interval),
            Entry::text(scale.low.to_string()),
            Entry::text(scale.high.to_string()),
        ])
    };
    let kind = if is_human(comparison, pooled) { "random play and of humans" } else { "0 and 100 %" };
    Table {
        name: "table-games".into(),
        title: "Normalised score of each task".into(),
        caption: format!(
            "100 (score - low) / (high - low) after training, low and high the scores of {kind}; means over runs with 95 % t-intervals."
        ),
        columns: vec![
            Column::plain("task", "family"),
            Column::plain("arm", "arm"),
            Column::plain("n", "runs"),
            Column::interval("per cent", "normalised"),
            Column::plain("low", "low"),
            Column::plain("high", "high"),
        ],
        lines: comparison.cells.iter().filter_map(line).collect(),
    }
}

/// gamma and lambda of every task, by arm, as far as the run directories are there; and what could not be read.
pub fn traces(suite: &SuiteDir, comparison: &Comparison) -> (Vec<Figure>, Vec<String>) {
    let (mut figures, mut missing) = (Vec::new(), Vec::new());
    for family in &suite.info.families {
        let arms: Vec<(usize, &str, Vec<OnlineRun>)> = (comparison.cells.iter())
            .filter(|c| c.family == family.name)
            .map(|cell| {
                let index = comparison.arms.iter().position(|a| *a == cell.arm).unwrap_or(0);
                let setting = setting_name(&cell.setting);
                let records = suite.of(&cell.family, &cell.arm, Phase::Reporting);
                let runs = records
                    .filter(|r| setting_name(&r.setting) == setting)
                    .filter_map(|r| read(suite, r, &mut missing));
                (index, cell.arm.as_str(), runs.collect())
            })
            .collect();
        figures.extend([Tunable::Gamma, Tunable::Lambda].into_iter().filter_map(|t| trace(family, &arms, t)));
    }
    (figures, missing)
}

fn read(suite: &SuiteDir, record: &RunRecord, missing: &mut Vec<String>) -> Option<OnlineRun> {
    let path = suite.dir.join(run_path(&record.family, &record.arm, &record.setting, record.seed));
    match OnlineRun::read(&path) {
        Ok(run) => Some(run),
        Err(fault) => {
            missing.push(format!("No traces of one run: {fault}."));
            None
        }
    }
}

/// One meta-parameter against the steps; arms where it is fixed are left out.
fn trace(family: &FamilyInfo, arms: &[(usize, &str, Vec<OnlineRun>)], tunable: Tunable) -> Option<Figure> {
    let name = tunable.name();
    let one = |(index, arm, runs): &(usize, &str, Vec<OnlineRun>)| {
        let learned = runs.first()?.learned().contains(&tunable);
        let curves: Vec<Vec<(f64, f64)>> = runs.iter().map(|r| r.trace.curve(|bin| bin.eta(tunable))).collect();
        learned.then(|| Series { label: (*arm).to_string(), style: *index, look: Look::Line, marks: across(&curves) })
    };
    let series: Vec<Series> = arms.iter().filter_map(one).filter(|s| !s.marks.is_empty()).collect();
    let frames = arms.iter().flat_map(|a| &a.2).any(|r| r.trace.has_frames());
    let [label, column] = if frames { ["frames of the simulator", "frames"] } else { ["updates", "update"] };
    (!series.is_empty()).then(|| Figure {
        name: format!("{}-{}", slug(name), slug(&family.name)),
        title: format!("{name}: {}", family.name),
        caption: format!(
            "`{name}` that the updates were made with, mean over the runs of each arm that learns it, with 95 % t-intervals over runs."
        ),
        x: Axis::linear(label, column),
        y: Axis::linear(name, name),
        counted: "runs",
        series,
    })
}
