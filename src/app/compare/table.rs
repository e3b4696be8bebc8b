//! The end of `compare`: one plain table per family, from the records of the chosen settings.

use crate::app::learnt::shown;
use crate::config::suite::{Cell, Suite};
use crate::math::summary::Estimate;
use crate::record::suite::{Outcome, Phase, RunRecord};
use crate::record::suite_dir::{Choice, setting_name};
use std::fmt::Write as _;

const HEAD: [&str; 9] =
    ["arm", "chosen setting", "seeds", "final return", "minus first arm", "stopped", "env steps", "HVPs", "CPU s"];

/// Return after adaptation at the end of a run that has one.
fn last(record: &RunRecord) -> Option<f64> {
    record.points.last().filter(|_| record.outcome == Outcome::Finished).map(|p| p.after)
}

/// The suite's result as text: arms of each family with 95 % t-intervals over seeds, differences paired by seed.
pub(super) fn text(suite: &Suite, records: &[RunRecord], choices: &[Choice]) -> String {
    let mut text = format!(
        "{}: {} arms, {} families, {} reporting seeds\n",
        suite.name,
        suite.arms.len(),
        suite.families.len(),
        suite.reporting.len()
    );
    for (f, family) in suite.families.iter().enumerate() {
        let _ = writeln!(text, "\n{}, {} environment steps of training per run", family.name, family.budget);
        let cells: Vec<&Cell> = suite.cells.iter().filter(|c| c.family == f).collect();
        let first = cells.first().map(|c| reported(suite, c, records, choices)).unwrap_or_default();
        let rows = cells.iter().enumerate().map(|(i, cell)| {
            let of = reported(suite, cell, records, choices);
            row(suite, cell, &of, (i > 0).then_some(first.as_slice()), choices)
        });
        let mut rows: Vec<[String; 9]> = std::iter::once(HEAD.map(String::from)).chain(rows).collect();
        let exact = cells.iter().any(|c| value(&reported(suite, c, records, choices)).is_some());
        let values = cells.iter().map(|c| value(&reported(suite, c, records, choices)));
        let values: Vec<String> = std::iter::once("final exact V".to_string())
            .chain(values.map(|v| v.map_or("-".into(), |v| shown(&v))))
            .filter(|_| exact)
            .collect();
        align(&mut text, &mut rows, &values);
    }
    text += "\nfinal return: undiscounted, after adaptation, mean over finished seeds with its 95 % t-interval; minus first arm:\n\
             paired by seed; stopped: runs that diverged or failed; env steps, HVPs and CPU s: means over runs\n";
    text
}

fn choice<'a>(suite: &Suite, cell: &Cell, choices: &'a [Choice]) -> Option<&'a Choice> {
    let (family, arm) = (&suite.families[cell.family].name, &suite.arms[cell.arm].name);
    choices.iter().find(|c| c.family == *family && c.arm == *arm)
}

/// Reporting records of the chosen setting, in order of the seeds.
fn reported<'a>(suite: &Suite, cell: &Cell, records: &'a [RunRecord], choices: &[Choice]) -> Vec<&'a RunRecord> {
    let Some(choice) = choice(suite, cell, choices) else { return Vec::new() };
    let of = |r: &&RunRecord| {
        r.phase == Phase::Reporting && (&r.family, &r.arm, &r.setting) == (&choice.family, &choice.arm, &choice.setting)
    };
    let mut list: Vec<&RunRecord> = records.iter().filter(of).collect();
    list.sort_by_key(|r| r.seed);
    list
}

fn value(records: &[&RunRecord]) -> Option<Estimate> {
    let finished = records.iter().filter(|r| r.outcome == Outcome::Finished);
    let values: Vec<f64> = finished.filter_map(|r| r.points.last()?.value).collect();
    (!values.is_empty()).then(|| Estimate::of(&values))
}

fn row(
    suite: &Suite,
    cell: &Cell,
    records: &[&RunRecord],
    first: Option<&[&RunRecord]>,
    choices: &[Choice],
) -> [String; 9] {
    let finals: Vec<f64> = records.iter().filter_map(|r| last(r)).collect();
    let estimate = |values: &[f64]| if values.is_empty() { "-".into() } else { shown(&Estimate::of(values)) };
    let difference = first.map(|first| {
        let same = |r: &&RunRecord| first.iter().find(|f| f.seed == r.seed).and_then(|f| Some(last(r)? - last(f)?));
        estimate(&records.iter().filter_map(same).collect::<Vec<_>>())
    });
    let mean = |f: fn(&RunRecord) -> f64| crate::math::returns::mean(&records.iter().map(|r| f(r)).collect::<Vec<_>>());
    let setting = choice(suite, cell, choices).map_or("-".into(), |c| setting_name(&c.setting));
    [
        suite.arms[cell.arm].name.clone(),
        setting,
        finals.len().to_string(),
        estimate(&finals),
        difference.unwrap_or("-".into()),
        (records.len() - finals.len()).to_string(),
        format!("{:.0}", mean(|r| r.budget.environment_steps as f64)),
        format!("{:.0}", mean(|r| r.budget.hvps as f64)),
        format!("{:.2}", mean(|r| r.cpu_seconds)),
    ]
}

/// Appends rows with columns as wide as they need to be; `last` is one more column, or empty.
fn align(text: &mut String, rows: &mut [[String; 9]], last: &[String]) {
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.chain(last.get(i).cloned()).collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "  {}", line.trim_end());
    }
}
