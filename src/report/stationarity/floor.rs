//! MAML's bias at the start over step size, inner batch and reward offset, beside its bound.

use super::StudyDir;
use crate::report::axis::short;
use crate::report::figure::{Axis, Figure, Look, Mark, Series};
use crate::report::page::{Column, Entry, Table};
use serde::Deserialize;
use serde_json::Value;

/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Cell {
    /// Inner step size.
    pub alpha: f64,
    /// Trajectories per inner batch.
    pub n: u64,
    /// Constant added to every reward.
    pub offset: f64,
    /// |grad V - E\[MAML\]|.
    pub bias: f64,
    /// Its bound, with one inner step.
    pub bound: Option<f64>,
    /// |grad V|.
    pub gap: f64,
    /// |E\[MAML\]|.
    pub drift: f64,
}

/// The cells of a study's `floor`.
///
/// # Errors
/// It is not such a table.
pub fn read(value: &Value) -> Result<Vec<Cell>, String> {
    let cells = value.get("cells").ok_or("it has no cells")?;
    Vec::<Cell>::deserialize(cells).map_err(|e| e.to_string())
}

/// Value of the list nearest to `x`.
fn nearest(values: impl Iterator<Item = f64>, x: f64) -> Option<f64> {
    values.reduce(|best, v| if (v - x).abs() < (best - x).abs() { v } else { best })
}

/// One series per n, and the bound.
fn series(cells: &[&Cell], x: fn(&Cell) -> f64) -> Vec<Series> {
    let mut sizes: Vec<u64> = cells.iter().map(|c| c.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sorted = |mut marks: Vec<Mark>| {
        marks.sort_by(|a, b| a.x.total_cmp(&b.x));
        marks
    };
    let of_size = |(style, n): (usize, &u64)| {
        let marks = cells.iter().filter(|c| c.n == *n).map(|c| Mark::bare(x(c), c.bias)).collect();
        Series {
            label: format!("n = {n} inner trajector{}", if *n == 1 { "y" } else { "ies" }),
            style,
            look: Look::Line,
            marks: sorted(marks),
        }
    };
    let mut all: Vec<Series> = sizes.iter().enumerate().map(of_size).collect();
    let first = sizes.first().copied().unwrap_or(0);
    let bound = cells.iter().filter(|c| c.n == first).filter_map(|c| Some(Mark::bare(x(c), c.bound?))).collect();
    all.push(Series { label: "bound, any n".into(), style: 6, look: Look::Reference, marks: sorted(bound) });
    all.retain(|s| !s.marks.is_empty());
    all
}

/// Bias over the step size without offset, and over the offset at the run's step size.
pub fn figures(cells: &[Cell], dir: &StudyDir) -> Vec<Figure> {
    let wanted = dir.study.as_ref().and_then(|s| s.setting.get("alpha")?.as_f64()).unwrap_or(1.0);
    let alpha = nearest(cells.iter().map(|c| c.alpha), wanted).unwrap_or(wanted);
    let offset = nearest(cells.iter().map(|c| c.offset), 0.0).unwrap_or(0.0);
    let with_offset: Vec<&Cell> = cells.iter().filter(|c| c.offset == offset).collect();
    let with_alpha: Vec<&Cell> = cells.iter().filter(|c| c.alpha == alpha).collect();
    let figure = |name: &str, what: String, x: Axis, series: Vec<Series>| Figure {
        name: name.into(),
        title: format!("Bias of MAML over the {what}"),
        caption: "Norm of the gradient of V_ζ minus the expectation of MAML at the start, enumerated, and its bound \
                  α η_g² √(T v_op), which holds for every inner batch size n."
            .into(),
        x,
        y: Axis::log("bias of MAML (reward), exact", "bias"),
        counted: "",
        series,
    };
    vec![
        figure(
            "floor-alpha",
            format!("inner step size, reward offset {}", short(offset)),
            Axis::log("inner step size α", "alpha"),
            series(&with_offset, |c| c.alpha),
        ),
        figure(
            "floor-offset",
            format!("reward offset, α = {}", short(alpha)),
            Axis::linear("constant added to every reward", "offset"),
            series(&with_alpha, |c| c.offset),
        ),
    ]
}

/// Every cell.
pub fn table(cells: &[Cell]) -> Table {
    let line = |c: &Cell| {
        let numbers = [c.offset, c.bias, c.bound.unwrap_or(f64::NAN), c.gap, c.drift].map(Entry::number);
        [Entry::number(c.alpha), Entry::text(c.n.to_string())].into_iter().chain(numbers).collect()
    };
    Table {
        name: "table-floor".into(),
        title: "Bias of MAML at the start".into(),
        caption: "Norms (reward), enumerated, for the family with a constant added to every reward.".into(),
        columns: [
            ("α", "alpha"),
            ("n", "inner_batch"),
            ("offset", "offset"),
            ("bias", "bias"),
            ("bound", "bound"),
            ("gap", "gap"),
            ("norm of the expectation", "drift"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines: cells.iter().map(line).collect(),
    }
}
