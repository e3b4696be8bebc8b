//! Decomposition: which sampled part costs how much, as bars per tag.

use super::BiasDir;
use super::points::{self, Lines, MOST, WIDE};
use crate::record::bias::Row;
use crate::report::figure::{Axis, Figure, Look, Mark, Scale, Series};

/// Share of the squared bias in the mean squared error of one estimate of `entries` numbers, with its ends at ± 1.96 standard errors
/// of the squared bias.
pub fn share(row: &Row, entries: usize) -> Option<(f64, [f64; 2])> {
    let variance = entries as f64 * row.entry_variance;
    let least = -variance / row.repeats.max(2) as f64; // what a debiased square cannot be below
    let part = |bias: f64| bias.max(least) / (bias.max(least) + variance);
    let at = |k: f64| part(row.bias_squared + k * WIDE * row.bias_squared_error);
    let share = part(row.bias_squared);
    share.is_finite().then(|| (share, [at(-1.0), at(1.0)]))
}

fn series(found: &Lines<'_>, tags: &[String], mark: &dyn Fn(f64, &Row) -> Option<Mark>) -> Vec<Series> {
    let place = |row: &Row| tags.iter().position(|t| *t == row.tag).map(|i| i as f64);
    let one = |(style, line): (usize, &points::Line<'_>)| {
        let mut marks: Vec<Mark> = line.rows.iter().filter_map(|r| mark(place(r)?, r)).collect();
        marks.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { label: line.label.clone(), style, look: Look::Bars, marks }
    };
    found.lines.iter().enumerate().map(one).collect()
}

/// Bars of correlation and of the share of the bias, if there are several tags.
pub fn figures(dir: &BiasDir, rows: &[&Row]) -> Vec<Figure> {
    let tags = points::distinct(rows, |r| r.tag.clone());
    if tags.len() < 2 {
        return Vec::new();
    }
    let found = points::lines(rows, points::estimator, None, MOST);
    let x = Axis {
        label: "parts sampled (inner, Jacobian, outer)".into(),
        column: "tag".into(),
        scale: Scale::Names(tags.clone()),
    };
    let fixed: Vec<String> = (points::Quantity::ALL.into_iter())
        .filter_map(|q| match points::values(rows, q).as_slice() {
            [one] => Some(q.at(*one)),
            _ => None,
        })
        .collect();
    let fixed = if fixed.is_empty() { String::new() } else { format!(" {}.", fixed.join(", ")) };
    let about = format!("{fixed}{}", found.remark);
    let correlation = |x: f64, r: &Row| {
        let half = WIDE * r.corr_error;
        Some(Mark { x, y: r.corr, interval: Some([r.corr - half, r.corr + half]), resolved: true, n: r.mdps.len() })
    };
    let mut figures = vec![Figure {
        name: "decomposition-corr".into(),
        title: "Which sampled part costs correlation".into(),
        caption: format!(
            "Correlation of an estimate with the exact meta-gradient where only some parts are sampled (`l`) and the others exact (`e`); \
             whiskers are ± 1.96 standard errors of sampling.{about}"
        ),
        x: x.clone(),
        y: Axis::linear("correlation", "corr"),
        counted: "MDPs",
        series: series(&found, &tags, &correlation),
    }];
    if let Some(entries) = dir.entries() {
        let part = |x: f64, r: &Row| {
            let (y, ends) = share(r, entries)?;
            let resolved = r.bias_squared > WIDE * r.bias_squared_error;
            Some(Mark { x, y, interval: Some(ends), resolved, n: r.mdps.len() })
        };
        figures.push(Figure {
            name: "decomposition-share".into(),
            title: "Bias or variance".into(),
            caption: format!(
                "Share of the debiased squared bias in the mean squared error of one estimate; the rest is variance. Whiskers: ± 1.96 \
                 standard errors of the squared bias. Hollow bars: not resolved.{about}"
            ),
            x,
            y: Axis::linear("share of squared bias", "bias_share"),
            counted: "MDPs",
            series: series(&found, &tags, &part),
        });
    }
    figures
}
