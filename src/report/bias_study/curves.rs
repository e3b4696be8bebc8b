//! Relative bias, correlation and variance against each quantity that a study varies.

use super::points::{self, Line, MOST, Quantity, WIDE};
use crate::record::bias::Row;
use crate::report::draw;
use crate::report::figure::{Axis, Figure, Look, Mark, Series, slug};

/// What is drawn of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Bias,
    Correlation,
    Variance,
}

impl Shown {
    const ALL: [Shown; 3] = [Shown::Bias, Shown::Correlation, Shown::Variance];

    fn name(self) -> &'static str {
        match self {
            Shown::Bias => "bias",
            Shown::Correlation => "corr",
            Shown::Variance => "variance",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Shown::Bias => "Relative bias",
            Shown::Correlation => "Correlation with the exact meta-gradient",
            Shown::Variance => "Variance of an estimate",
        }
    }

    fn axis(self) -> Axis {
        match self {
            Shown::Bias => Axis::log("relative bias (parts of ‖g*‖)", "rel_bias"),
            Shown::Correlation => Axis::linear("correlation", "corr"),
            Shown::Variance => Axis::log("variance of an entry", "entry_variance"),
        }
    }

    fn mark(self, x: f64, row: &Row) -> Mark {
        let around = |y: f64, error: f64| Some([y - WIDE * error, y + WIDE * error]);
        let n = row.mdps.len();
        match self {
            Shown::Bias if points::is_resolved(row) => {
                Mark { x, y: row.rel_bias, interval: around(row.rel_bias, row.rel_bias_error), resolved: true, n }
            }
            Shown::Bias => Mark { x, y: row.rel_bias, interval: Some([0.0, points::upper(row)]), resolved: false, n },
            Shown::Correlation => {
                Mark { x, y: row.corr, interval: around(row.corr, row.corr_error), resolved: true, n }
            }
            Shown::Variance => Mark { x, y: row.entry_variance, interval: None, resolved: true, n },
        }
    }

    fn caption(self, rows: &[&Row]) -> String {
        let open = rows.iter().filter(|r| !points::is_resolved(r)).count();
        match self {
            Shown::Bias => {
                let triangles = match open {
                    0 => String::new(),
                    n => format!(
                        " Open triangles: not resolved ({n} of the {} points drawn); they stand at the 95 % upper limit of the root mean \
                         square over MDPs.",
                        rows.len()
                    ),
                };
                format!(
                    "Root of the debiased squared bias over the norm of the exact meta-gradient, mean over MDPs; bands are ± 1.96 \
                     standard errors of sampling.{triangles}"
                )
            }
            Shown::Correlation => "Mean over estimates and MDPs of the correlation between the entries of an estimate and of the exact \
                                   meta-gradient; bands are ± 1.96 standard errors of sampling."
                .into(),
            Shown::Variance => "Mean over entries and MDPs of the variance of one estimate; no standard errors are recorded for it. The \
                                reference's `var`, a sum of standard deviations, is in the table."
                .into(),
        }
    }
}

fn series(shown: Shown, q: Quantity, style: usize, line: &Line<'_>) -> Series {
    let marks = line.rows.iter().filter_map(|r| Some(shown.mark(q.of(r)?, r))).collect();
    Series { label: line.label.clone(), style, look: Look::Line, marks }
}

/// Lines that lie on each other, in words.
fn hidden(lines: &[Line<'_>]) -> String {
    let same = super::verdict::same(lines);
    let texts = same.iter().map(|names| {
        let names = crate::report::comparison::verdict::list(names);
        format!(" {names} lie on each other.")
    });
    texts.collect()
}

fn figure(shown: Shown, q: Quantity, facet: Option<&str>, rows: &[&Row], exact: bool) -> Figure {
    let found = points::lines(rows, points::arm(rows), Some(q), MOST);
    let drawn: Vec<&Row> = found.lines.iter().flat_map(|l| l.rows.clone()).collect();
    let series = found.lines.iter().enumerate().map(|(k, line)| series(shown, q, k, line)).collect();
    let of = facet.map_or_else(String::new, |name| format!(", {name}"));
    let mut caption = shown.caption(&drawn) + &found.remark + &hidden(&found.lines);
    if exact {
        caption += " The point with every part exact is not drawn: it is the exact gradient.";
    }
    let mut figure = Figure {
        name: slug(&format!("{} {} {}", shown.name(), q.key(), facet.unwrap_or(""))),
        title: format!("{} against {}{of}", shown.title(), q.letter()),
        caption,
        x: q.axis(),
        y: shown.axis(),
        counted: "MDPs",
        series,
    };
    if drawn.iter().any(|r| !points::is_resolved(r)) && shown == Shown::Bias && draw::is_crowded(&figure) {
        figure.caption += " Among so many lines bands end at the triangles.";
    }
    figure
}

/// One figure per quantity that varies, thing shown, and estimator where one figure cannot hold all lines.
pub fn figures(rows: &[&Row], exact: bool) -> Vec<Figure> {
    let facets = points::facets(rows);
    let mut figures = Vec::new();
    for q in points::varying(rows) {
        for shown in Shown::ALL {
            for (name, rows) in &facets {
                figures.push(figure(shown, q, name.as_deref(), rows, exact));
            }
        }
    }
    figures
}
