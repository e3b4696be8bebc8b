//! The end of `compare`: one plain table per family, of the numbers that the report gives (see [`crate::report::comparison`]).

use crate::app::learnt::shown;
use crate::math::summary::Estimate;
use crate::record::suite::{Outcome, Phase};
use crate::record::suite_dir::{FamilyInfo, SuiteDir, setting_name};
use crate::report::comparison::{self, Cell, Comparison};
use std::fmt::Write as _;

const HEAD: [&str; 10] = [
    "arm",
    "chosen setting",
    "runs",
    "final return",
    "minus first arm",
    "diverged",
    "failed",
    "env steps",
    "HVPs",
    "CPU s",
];

/// Column of the Hessian-vector products, which runs of `online` do not have.
const HVPS: usize = 8;

/// The suite's result as text: arms of each family with 95 % t-intervals over seeds, differences paired by seed.
pub(super) fn text(suite: &SuiteDir) -> String {
    let info = &suite.info;
    let comparison = comparison::compare(suite);
    let mut text = format!(
        "{}: {} arms, {} families, {} reporting seeds\n",
        info.name,
        info.arms.len(),
        info.families.len(),
        info.seeds.len()
    );
    for family in &info.families {
        let _ = writeln!(text, "\n{}, {} environment steps of training per run", family.name, family.budget);
        of_family(&mut text, suite, &comparison, family);
    }
    let what = if info.online { "of whole episodes after training" } else { "after adaptation" };
    text += &format!(
        "\nfinal return: undiscounted, {what}, mean over runs with its 95 % t-interval; a run that diverged counts as\n\
         the family's worst finished run, one that failed not at all; minus first arm: paired by seed; what is spent: means over\n\
         runs that did not fail\n"
    );
    text
}

fn of_family(text: &mut String, suite: &SuiteDir, comparison: &Comparison, family: &FamilyInfo) {
    let cells: Vec<&Cell> = comparison.cells.iter().filter(|c| c.family == family.name).collect();
    let rows = cells.iter().map(|cell| row(cell));
    let mut rows: Vec<Vec<String>> = std::iter::once(HEAD.map(String::from)).chain(rows).map(Vec::from).collect();
    if suite.info.online {
        rows.iter_mut().for_each(|row| drop(row.remove(HVPS)));
    }
    let values: Vec<Option<Estimate>> = cells.iter().map(|cell| value(suite, cell)).collect();
    let exact = values.iter().any(Option::is_some);
    let values: Vec<String> = std::iter::once("final exact V (finished runs)".to_string())
        .chain(values.iter().map(|v| v.as_ref().map_or("-".into(), shown)))
        .filter(|_| exact)
        .collect();
    align(text, &rows, &values);
}

/// Exact V at the end of the finished runs of a cell, where it is known.
fn value(suite: &SuiteDir, cell: &Cell) -> Option<Estimate> {
    let setting = setting_name(&cell.setting);
    let mut finished: Vec<_> = (suite.of(&cell.family, &cell.arm, Phase::Reporting))
        .filter(|r| r.outcome == Outcome::Finished && setting_name(&r.setting) == setting)
        .collect();
    finished.sort_by_key(|r| r.seed); // sums must not depend on who came first
    let values: Vec<f64> = finished.iter().filter_map(|r| r.points.last()?.value).collect();
    (!values.is_empty()).then(|| Estimate::of(&values))
}

fn row(cell: &Cell) -> [String; 10] {
    let scored = !cell.runs.is_empty();
    [
        cell.arm.clone(),
        setting_name(&cell.setting),
        cell.runs.len().to_string(),
        if scored { shown(&cell.last.mean) } else { "-".into() },
        cell.difference.as_ref().map_or("-".into(), |d| shown(&d.last)),
        cell.diverged.to_string(),
        cell.failed.to_string(),
        number(cell.cost.environment_steps, 0),
        number(cell.cost.hvps, 0),
        number(cell.cost.cpu_seconds, 2),
    ]
}

fn number(x: f64, decimals: usize) -> String {
    if x.is_finite() { format!("{x:.decimals$}") } else { "-".into() }
}

/// Appends rows with columns as wide as they need to be; `last` is one more column, or empty.
fn align(text: &mut String, rows: &[Vec<String>], last: &[String]) {
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.chain(last.get(i).cloned()).collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "  {}", line.trim_end());
    }
}
