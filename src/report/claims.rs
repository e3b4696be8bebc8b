//! The section of a table of claims (`bias --claims --out DIR`): every claim with its verdict, and how far each is from the other one.

use super::figure::{Axis, Figure, Look, Mark, Scale, Series};
use super::page::{Column, Entry, Section, Table};
use super::rows::Rows;
use crate::config::claims::{self as config, CLAIMS, Plan};
use crate::math::judgement::Verdict;
use crate::record::claims::Row;
use crate::record::run::Status;
use crate::record::{self as records, Fault};
use std::path::Path;

/// Verdicts in the order of the key.
const VERDICTS: [Verdict; 3] = [Verdict::Holds, Verdict::DoesNotHold, Verdict::NotResolved];

/// Largest margin drawn, in distances to its lower end; what is beyond stands there as a triangle.
const FAR: f64 = 6.0;

/// The directory of a table of claims as far as it is there, its rows by number.
pub type ClaimsDir = Rows<Plan, Row>;

/// Whether the run directory `dir` is that of a table of claims; no if its configuration cannot be read.
pub fn is_table(dir: &Path) -> bool {
    records::open(dir).is_ok_and(|opened| config::is_claims(&opened.config))
}

impl ClaimsDir {
    /// Reads the table in `dir`, without a torn last row.
    ///
    /// # Errors
    /// It is half a directory, or a row that is not the last is damaged.
    pub fn read(dir: &Path) -> Result<ClaimsDir, Fault> {
        let mut read = Rows::of(dir, config::parse)?;
        read.rows.sort_by_key(|row: &Row| row.number);
        Ok(read)
    }
}

/// What a whole table would have and this one has not.
fn missing(dir: &ClaimsDir) -> Vec<String> {
    let mut missing = Vec::new();
    let count = dir.rows.len();
    if dir.info.status != Status::Finished || count < CLAIMS {
        let state = match dir.info.status {
            Status::Starting | Status::Running => "is going on or was killed",
            Status::Interrupted | Status::Diverged => "was interrupted",
            Status::Finished => "is said to be finished, but rows are missing",
        };
        missing.push(format!("Partial report: the judging {state}; {count} of {CLAIMS} claims are there."));
    }
    match &dir.plan {
        Ok(plan) if plan.smoke => {
            missing.push(
                "Made with `--smoke`: too few repeats to say much; the verdicts are those of a test of the program."
                    .into(),
            );
        }
        Ok(_) => {}
        Err(why) => missing.push(format!("What the claims were judged by cannot be read any more: {why}.")),
    }
    missing
}

/// `1, 3 and 12`.
fn listed(rows: &[&Row]) -> String {
    let numbers: Vec<String> = rows.iter().map(|row| row.number.to_string()).collect();
    match numbers.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn sentences(dir: &ClaimsDir) -> Vec<String> {
    let Some(first) = dir.rows.first() else {
        return vec!["No claim has been judged, so nothing can be said.".into()];
    };
    let of = |verdict: Verdict| -> Vec<&Row> { dir.rows.iter().filter(|row| row.verdict == verdict).collect() };
    let said = |verdict: Verdict| -> Option<String> {
        let rows = of(verdict);
        let words = match (verdict, rows.len()) {
            (_, 0) => return None,
            (Verdict::Holds, 1) => "holds",
            (Verdict::Holds, _) => "hold",
            (Verdict::DoesNotHold, 1) => "does not hold",
            (Verdict::DoesNotHold, _) => "do not hold",
            (Verdict::NotResolved, 1) => "is not resolved",
            (Verdict::NotResolved, _) => "are not resolved",
        };
        Some(format!("{} {words} ({})", rows.len(), listed(&rows)))
    };
    let counts: Vec<String> = VERDICTS.into_iter().filter_map(said).collect();
    let mut sentences = vec![format!(
        "At {} % confidence, of {} claims on meta-gradients (Liu et al. 2022) {}.",
        100.0 * first.confidence,
        dir.rows.len(),
        counts.join(", ")
    )];
    let open = of(Verdict::NotResolved);
    let needs: Vec<String> = (open.iter())
        .filter_map(|row| Some(format!("claim {} about {} {}", row.number, row.needs_repeats?, row.unit())))
        .collect();
    if !needs.is_empty() {
        sentences.push(format!("To be resolved, if the estimates stay as they are, would need: {}.", needs.join(", ")));
    }
    sentences
}

fn line(row: &Row) -> Vec<Entry> {
    let margin = match row.margin {
        Some(margin) => Entry::interval(margin, row.margin_interval),
        None => Entry::none(3),
    };
    let count = |n: Option<u64>| n.map_or_else(|| Entry::none(1), |n| Entry::text(n.to_string()));
    let repeats = match row.repeats {
        Some(n) => Entry { shown: format!("{n} {}", row.unit()), full: vec![n.to_string(), row.unit().into()] },
        None => Entry::none(2),
    };
    vec![
        Entry::text(row.number.to_string()),
        Entry::text(&row.claim),
        Entry::text(row.verdict.name()),
        margin,
        Entry::text(&row.evidence),
        repeats,
        count(row.needs_repeats),
        Entry::text(row.parts.to_string()),
        Entry { shown: format!("{} %", 100.0 * row.confidence), full: vec![row.confidence.to_string()] },
    ]
}

fn table(dir: &ClaimsDir) -> Table {
    Table {
        name: "table-claims".into(),
        title: "Each claim".into(),
        caption: "Margin: of the inequalities that make up a claim the one that decides, with its interval; above zero speaks for the claim. \
                  Needed: repeats that would resolve it if the estimates stay as they are."
            .into(),
        columns: vec![
            Column::plain("claim", "number"),
            Column::plain("what is claimed", "claim"),
            Column::plain("verdict", "verdict"),
            Column::interval("margin", "margin"),
            Column::plain("evidence", "evidence"),
            Column { shown: "n".into(), names: vec!["repeats".into(), "unit".into()] },
            Column::plain("needed", "needs_repeats"),
            Column::plain("inequalities", "parts"),
            Column::plain("confidence", "confidence"),
        ],
        lines: dir.rows.iter().map(line).collect(),
    }
}

/// Margin and the upper end of its interval in distances to the lower end; infinite where it is exact. Above 1 the claim holds.
fn scaled(row: &Row) -> Option<[f64; 2]> {
    let (margin, [low, high]) = (row.margin?, row.margin_interval?);
    let unit = margin - low;
    let part = |x: f64| if unit > 0.0 { x / unit } else { x.signum() * f64::INFINITY };
    (margin != 0.0 || unit > 0.0).then(|| [part(margin), part(high)])
}

/// How far every claim is from the other verdict.
fn figure(dir: &ClaimsDir) -> Figure {
    let drawn: Vec<(&Row, [f64; 2])> = dir.rows.iter().filter_map(|row| Some((row, scaled(row)?))).collect();
    let left: Vec<&Row> = dir.rows.iter().filter(|row| scaled(row).is_none()).collect();
    let place = |i: usize| i as f64;
    let mut series = Vec::new();
    for (style, verdict) in VERDICTS.into_iter().enumerate() {
        let own = || drawn.iter().enumerate().filter(|(_, (row, _))| row.verdict == verdict);
        let near = own().filter(|(_, (_, [y, _]))| *y < FAR).map(|(i, (_, [y, high]))| {
            let interval = (*y > -FAR).then(|| [(y - 1.0).max(-FAR), high.min(FAR)]);
            Mark { interval, ..Mark::bare(place(i), y.max(-FAR)) }
        });
        let far = own().filter(|(_, (_, [y, _]))| *y >= FAR).map(|(i, _)| Mark::bare(place(i), FAR));
        let one = |label: String, look, marks: Vec<Mark>| Series { label, style, look, marks };
        let name = verdict.name();
        series.push(one(name.into(), Look::Points, near.collect()));
        series.push(one(format!("{name}, beyond {FAR}"), Look::Above, far.collect()));
    }
    series.retain(|s| !s.marks.is_empty());
    if !drawn.is_empty() {
        let ends = [0, drawn.len() - 1].map(|i| Mark::bare(place(i), 1.0));
        series.push(Series { label: "holds above".into(), style: 6, look: Look::Reference, marks: ends.to_vec() });
    }
    let not_drawn = match left.as_slice() {
        [] => String::new(),
        left => format!(" Not drawn, because nothing is sampled or there is no number: {}.", listed(left)),
    };
    Figure {
        name: "claims".into(),
        title: "How far each claim is from failing".into(),
        caption: format!(
            "Margin of the inequality that decides, in distances to the lower end of its interval. A claim holds above 1; it does not hold \
             where the interval ends below 0; else it is not resolved. Triangles: more than {FAR}; \
             points at -{FAR}: less; whiskers are cut at both.{not_drawn}"
        ),
        x: Axis {
            label: "claim".into(),
            column: "number".into(),
            scale: Scale::Names(drawn.iter().map(|(row, _)| row.number.to_string()).collect()),
        },
        y: Axis::linear("margin over distance to its lower end", "scaled_margin"),
        counted: "",
        series,
    }
}

fn reading() -> Vec<String> {
    [
        "A claim is a set of inequalities. It holds if each passes a one-sided test at the stated confidence (no correction is needed for \
         all of them to be true: Berger 1982), and it does not if one fails after Bonferroni's correction for their number.",
        "So the interval of the margin has unequal sides: its lower end is that of the one-sided test, its upper end that of the corrected \
         one. The claim holds just where the lower end is above zero, and does not just where the upper end is below.",
        "The unit of a margin is that of the claim: relative squared bias, correlation, exponent, or reward per step; the evidence has the \
         numbers themselves. That of claim 2 is the distance of the slope below -1/2, with its bootstrap interval over MDPs.",
        "Ten fixed MDPs, and ten seeds of LOLA with value tables fitted to rewards as published; sampling errors are those of the repeats on \
         them. Bias is the root of the debiased square over the gradient's norm.",
    ]
    .map(String::from)
    .to_vec()
}

fn provenance(dir: &ClaimsDir) -> Vec<(String, String)> {
    let mut lines = vec![
        ("directory", dir.path.clone()),
        ("status", format!("{:?}", dir.info.status).to_lowercase()),
        ("made by", format!("{} {}", dir.info.program, dir.info.version)),
    ];
    if let Ok(plan) = &dir.plan {
        lines.extend([("seed", plan.seed.to_string()), ("confidence", plan.confidence.to_string())]);
    }
    lines.push(("wall time", format!("{:.0} s", dir.seconds)));
    lines.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

/// The section of a table of claims.
pub fn section(dir: &ClaimsDir) -> Section {
    let tables = vec![table(dir)];
    Section {
        title: "Claims on meta-gradients".into(),
        name: "claims".into(),
        missing: missing(dir),
        sentences: sentences(dir),
        tables: tables.into_iter().filter(|t| !t.lines.is_empty()).collect(),
        data: Vec::new(),
        figures: vec![figure(dir)],
        reading: reading(),
        provenance: provenance(dir),
        configuration: Some(dir.config.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, verdict: Verdict, margin: Option<f64>, interval: Option<[f64; 2]>) -> Row {
        Row {
            number,
            claim: "c".into(),
            verdict,
            confidence: 0.95,
            margin,
            margin_interval: interval,
            parts: 1,
            repeats: Some(8),
            needs_repeats: None,
            evidence: "e".into(),
        }
    }

    #[test]
    fn what_is_drawn_says_what_the_verdict_says() {
        let holds = row(1, Verdict::Holds, Some(2.0), Some([1.0, 4.0]));
        assert_eq!(scaled(&holds), Some([2.0, 4.0]));
        let fails = row(2, Verdict::DoesNotHold, Some(-4.0), Some([-5.0, -2.0]));
        assert_eq!(scaled(&fails), Some([-4.0, -2.0]));
        assert_eq!(scaled(&row(3, Verdict::Holds, Some(1.0), Some([1.0, 1.0]))), Some([f64::INFINITY; 2]));
        assert_eq!(scaled(&row(4, Verdict::Holds, None, None)), None);
    }
}
