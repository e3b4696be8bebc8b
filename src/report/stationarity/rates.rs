//! How the mean squared gap falls with the iterations and with the batch, as log-log slopes beside the theorem's orders.

use crate::math::summary::Estimate;
use crate::report::curve::ends;
use crate::report::figure::{Axis, Figure, Look, Mark, Series, reference};
use crate::report::page::{Column, Entry, Table};
use serde::Deserialize;
use serde_json::Value;

/// One size.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Point {
    /// Iterations.
    #[serde(rename = "K")]
    pub iterations: f64,
    /// Tasks per iteration.
    #[serde(rename = "B")]
    pub tasks: f64,
    /// Outer step size.
    pub beta: f64,
    /// Mean over seeds of the mean squared gap.
    pub average_gap_squared: Estimate,
}

/// One way of growing K and B.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sweep {
    /// What grows and what is fixed.
    pub regime: String,
    /// `K` or `B`: what the slope is against.
    pub versus: String,
    /// Log-log slope over seeds.
    pub slope: Estimate,
    /// Exponent of the bound.
    pub theorem_order: f64,
    /// Seeds.
    pub seeds: usize,
    /// Sizes, growing.
    pub points: Vec<Point>,
}

impl Sweep {
    fn x(&self, point: &Point) -> f64 {
        if self.versus == "K" { point.iterations } else { point.tasks }
    }

    fn name(&self) -> &str {
        self.regime.split(':').next().unwrap_or(&self.regime)
    }
}

/// The sweeps of a study's `rates`.
///
/// # Errors
/// They are not such sweeps.
pub fn read(value: &Value) -> Result<Vec<Sweep>, String> {
    Vec::<Sweep>::deserialize(value).map_err(|e| e.to_string())
}

fn measured(sweep: &Sweep, style: usize) -> Series {
    let mark = |p: &Point| Mark {
        x: sweep.x(p),
        y: p.average_gap_squared.mean,
        interval: ends(&p.average_gap_squared),
        resolved: true,
        n: sweep.seeds,
    };
    Series { label: sweep.name().into(), style, look: Look::Line, marks: sweep.points.iter().map(mark).collect() }
}

/// A number with a minus sign, not a hyphen.
fn minus(x: f64) -> String {
    x.to_string().replace('-', "\u{2212}")
}

/// The bound's power law through the first measured point.
fn order(sweep: &Sweep, style: usize) -> Option<Series> {
    let (first, last) = (sweep.points.first()?, sweep.points.last()?);
    let y = first.average_gap_squared.mean;
    let end = y * (sweep.x(last) / sweep.x(first)).powf(sweep.theorem_order);
    let marks = vec![Mark::bare(sweep.x(first), y), Mark::bare(sweep.x(last), end)];
    let label = format!("order of its bound, {}", minus(sweep.theorem_order));
    Some(Series { label, style, look: Look::Reference, marks })
}

/// One figure against K and one against B.
pub fn figures(sweeps: &[Sweep]) -> Vec<Figure> {
    let figure = |versus: &str, title: &str, label: &str| {
        let own = || sweeps.iter().filter(|s| s.versus == versus).enumerate();
        let series = own().flat_map(|(i, s)| [Some(measured(s, i)), order(s, reference(i))]).flatten().collect();
        let sentence = |(_, s): (usize, &Sweep)| {
            let slope = Entry::interval(s.slope.mean, ends(&s.slope)).shown;
            format!(" {}: slope {slope}, order of the bound {}.", s.regime, minus(s.theorem_order))
        };
        Figure {
            name: format!("rates-{}", versus.to_lowercase()),
            title: title.into(),
            caption: format!(
                "Mean over iterations of the squared gap of plain SG-MRL, mean over seeds with 95 % t-intervals over seeds. Thin \
                 lines: the order of the bound through the first point.{}",
                own().map(sentence).collect::<String>()
            ),
            x: Axis::log(label, versus),
            y: Axis::log("mean squared gap (reward²)", "average_gap_squared"),
            counted: "seeds",
            series,
        }
    };
    vec![
        figure("K", "Rate over iterations", "outer iterations K"),
        figure("B", "Rate over the batch", "tasks per iteration B"),
    ]
}

/// Slopes with their intervals.
pub fn table(sweeps: &[Sweep]) -> Table {
    let line = |s: &Sweep| {
        vec![
            Entry::text(&s.regime),
            Entry::text(&s.versus),
            Entry::interval(s.slope.mean, ends(&s.slope)),
            Entry::number(s.theorem_order),
            Entry::count(s.seeds),
        ]
    };
    Table {
        name: "table-rates".into(),
        title: "Rates".into(),
        caption:
            "Log–log slopes of the mean squared gap with 95 % t-intervals over seeds, and the exponent of the bound."
                .into(),
        columns: vec![
            Column::plain("regime", "regime"),
            Column::plain("against", "versus"),
            Column::interval("slope", "slope"),
            Column::plain("bound", "theorem_order"),
            Column::plain("seeds", "seeds"),
        ],
        lines: sweeps.iter().map(line).collect(),
    }
}
