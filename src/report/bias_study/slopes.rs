//! Power laws: log-log slopes of the bias norm over trajectories, or over the error in the Hessian.

use super::points::{self, Quantity, is_resolved};
use crate::math::judgement::power_interval;
use crate::record::bias::Row;
use crate::report::page::{Column, Entry, Table};
use crate::rng::{Address, Purpose};

/// Fewest resolved points of a slope.
const FEWEST: usize = 3;
/// Largest share of resamples without a slope.
const LOST: f64 = 0.01;

/// The slope of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// Over what.
    pub along: Quantity,
    /// Tag.
    pub tag: String,
    /// Estimator.
    pub estimator: String,
    /// What else is fixed.
    pub fixed: String,
    /// Values at the ends of the points used.
    pub ends: [f64; 2],
    /// Points used, and all.
    pub points: [usize; 2],
    /// Slope.
    pub slope: f64,
    /// Its 95 % bootstrap interval over MDPs.
    pub interval: Option<[f64; 2]>,
}

impl Slope {
    /// Whether it is the slope of the line that `row` lies on.
    fn is_of(&self, row: &Row) -> bool {
        self.tag == row.tag && self.estimator == points::estimator(row)
    }

    /// The slope among `slopes` over `along` of the line `rows`.
    pub fn find<'a>(slopes: &'a [Slope], along: Quantity, fixed: &str, rows: &[&Row]) -> Option<&'a Slope> {
        let row = rows.first()?;
        slopes.iter().find(|s| s.along == along && s.is_of(row) && s.fixed == fixed)
    }
}

/// What else is fixed, of what varies: `K = 2, α = 3`.
pub fn fixed(varying: &[Quantity], along: Quantity, row: &Row) -> String {
    let others = varying.iter().filter(|q| **q != along);
    let texts: Vec<String> = others.filter_map(|q| Some(q.at(q.of(row)?))).collect();
    texts.join(", ")
}

/// The points with a bias, without the least certain ones while the bootstrap over MDPs finds no bias in them too often.
fn slope(along: Quantity, varying: &[Quantity], rows: &[&Row]) -> Option<Slope> {
    let first = rows.first()?;
    let units = first.mdps.len();
    let fit = |r: &&&Row| {
        let has_place = along.of(r).is_some_and(|x| x > 0.0);
        is_resolved(r) && r.bias_squared > 0.0 && r.mdps.len() == units && has_place
    };
    let mut kept: Vec<&Row> = rows.iter().filter(fit).copied().collect();
    while kept.len() >= FEWEST {
        let x: Vec<f64> = kept.iter().filter_map(|r| along.of(r)).collect();
        let squares: Vec<Vec<f64>> =
            kept.iter().map(|r| r.mdps.iter().map(|m| m.bias.bias_squared).collect()).collect();
        let mut rng = Address::new(0, Purpose::Statistics).stream();
        let (slope, interval, lost) = power_interval(&x, &squares, 0.95, &mut rng);
        if lost < LOST {
            return Some(Slope {
                along,
                tag: first.tag.clone(),
                estimator: points::estimator(first),
                fixed: fixed(varying, along, first),
                ends: [x[0], x[x.len() - 1]],
                points: [x.len(), rows.len()],
                slope,
                interval: (units > 1).then_some(interval),
            });
        }
        let sure = |r: &Row| r.bias_squared / r.bias_squared_error;
        let least = (0..kept.len()).min_by(|a, b| sure(kept[*a]).total_cmp(&sure(kept[*b])))?;
        kept.remove(least);
    }
    None
}

/// Slopes of every line that has enough resolved points.
pub fn slopes(rows: &[&Row]) -> Vec<Slope> {
    let varying = points::varying(rows);
    let mut slopes = Vec::new();
    for along in [Quantity::Trajectories, Quantity::HessianError] {
        if !varying.contains(&along) {
            continue;
        }
        let key = |r: &Row| format!("{} {}", r.tag, points::estimator(r));
        for line in points::lines(rows, key, Some(along), usize::MAX).lines {
            slopes.extend(slope(along, &varying, &line.rows));
        }
    }
    slopes
}

/// Slopes with their intervals.
pub fn table(slopes: &[Slope]) -> Table {
    let line = |s: &Slope| {
        vec![
            Entry::text(s.along.letter()),
            Entry::text(&s.tag),
            Entry::text(&s.estimator),
            Entry::text(&s.fixed),
            Entry::text(points::plain(s.ends[0])),
            Entry::text(points::plain(s.ends[1])),
            Entry {
                shown: format!("{} of {}", s.points[0], s.points[1]),
                full: s.points.map(|n| n.to_string()).to_vec(),
            },
            Entry::interval(s.slope, s.interval),
        ]
    };
    let mut table = Table {
        name: "table-slopes".into(),
        title: "How fast the bias falls or grows".into(),
        caption: format!(
            "Least-squares slope of the logarithm of the bias norm (root of the mean over MDPs of the debiased squared bias) over the \
             logarithm of the quantity, with 95 % percentile bootstrap intervals over MDPs. Resolved points only, {FEWEST} at least, and of \
             them only those whose mean stays positive in 99 % of the resamples; leaving out the others makes a falling slope \
             somewhat too flat."
        ),
        columns: vec![
            Column::plain("over", "along"),
            Column::plain("tag", "tag"),
            Column::plain("estimator", "estimator"),
            Column::plain("fixed", "fixed"),
            Column::plain("from", "from"),
            Column::plain("to", "to"),
            Column { shown: "points".into(), names: vec!["points".into(), "points_of".into()] },
            Column::interval("slope", "slope"),
        ],
        lines: slopes.iter().map(line).collect(),
    };
    if slopes.iter().all(|s| s.fixed.is_empty()) {
        table.without(&["fixed"]);
    }
    table
}
