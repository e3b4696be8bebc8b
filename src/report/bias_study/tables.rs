//! Every point of a study in a table, and every MDP of every point in a file.

use super::BiasDir;
use super::bars::share;
use super::points::{self, is_resolved, with_error};
use crate::record::bias::Row;
use crate::report::figure::number;
use crate::report::page::{Column, Entry, Table};

/// A number that is shown with its standard error.
fn pair(x: f64, error: f64) -> Entry {
    Entry { shown: with_error(x, error), full: vec![number(x), number(error)] }
}

fn paired(shown: &str, name: &str) -> Column {
    Column { shown: shown.into(), names: vec![name.into(), format!("{name}_error")] }
}

fn maybe(x: Option<f64>) -> Entry {
    x.map_or_else(|| Entry::none(1), |x| Entry { shown: points::plain(x), full: vec![number(x)] })
}

fn bias(row: &Row) -> Entry {
    let shown = match is_resolved(row) {
        true => with_error(row.rel_bias, row.rel_bias_error),
        false => "not resolved".into(),
    };
    let numbers = [row.rel_bias, row.rel_bias_error, row.rel_bias_squared, row.rel_bias_squared_error].map(number);
    Entry { shown, full: numbers.into_iter().chain([row.resolved.to_string()]).collect() }
}

/// What was asked at a point.
fn asked(row: &Row) -> Vec<Entry> {
    let parts = [&row.inner, &row.jacobian, &row.outer].map(String::clone).to_vec();
    vec![
        Entry::text(row.point.to_string()),
        Entry::text(&row.tag),
        Entry { shown: points::estimator(row), full: parts },
        maybe(Some(row.alpha)),
        Entry::text(row.steps.to_string()),
        maybe(row.trajectories.map(|n| n as f64)),
        maybe(row.hessian_error),
    ]
}

fn asked_columns() -> Vec<Column> {
    vec![
        Column::plain("point", "point"),
        Column::plain("tag", "tag"),
        Column { shown: "estimator".into(), names: ["inner", "jacobian", "outer"].map(String::from).to_vec() },
        Column::plain("α", "alpha"),
        Column::plain("K", "steps"),
        Column::plain("n", "trajectories"),
        Column::plain("c", "hessian_error"),
    ]
}

/// All points.
pub fn points(dir: &BiasDir) -> Table {
    let line = |row: &Row| {
        let part = dir.entries().and_then(|d| share(row, d));
        let found = vec![
            pair(row.corr, row.corr_error),
            bias(row),
            pair(row.bias_squared, row.bias_squared_error),
            part.map_or_else(|| Entry::none(1), |(share, _)| Entry::number(share)),
            Entry::number(row.var),
            Entry::number(row.entry_variance),
            Entry::number(row.grad_mse),
            row.inner_error.last().map_or_else(|| Entry::none(1), |e| Entry::number(*e)),
        ];
        asked(row).into_iter().chain(found).collect::<Vec<Entry>>()
    };
    let names = ["rel_bias", "rel_bias_error", "rel_bias_squared", "rel_bias_squared_error", "resolved"];
    let found = vec![
        paired("correlation", "corr"),
        Column { shown: "relative bias".into(), names: names.map(String::from).to_vec() },
        paired("squared bias", "bias_squared"),
        Column::plain("share of bias", "bias_share"),
        Column::plain("var", "var"),
        Column::plain("variance of an entry", "entry_variance"),
        Column::plain("grad_mse", "grad_mse"),
        Column::plain("inner_error", "inner_error"),
    ];
    let repeats = dir.rows.first().map_or(0, |r| r.repeats);
    let mdps = dir.rows.first().map_or(0, |r| r.mdps.len());
    let mut table = Table {
        name: "table-points".into(),
        title: "Every point".into(),
        caption: format!(
            "Means over {mdps} MDPs with {repeats} estimates each, ± one standard error of sampling. Squared bias is debiased, the share is \
             its part of the mean squared error of one estimate, inner_error is that after the last inner step. corr, var, grad_mse and \
             inner_error are the reference's metrics: var is a sum of standard deviations, grad_mse holds noise."
        ),
        columns: asked_columns().into_iter().chain(found).collect(),
        lines: dir.rows.iter().map(line).collect(),
    };
    if dir.rows.iter().all(|r| r.hessian_error.is_none()) {
        table.without(&["hessian_error"]);
    }
    table
}

/// Each MDP of each point.
pub fn mdps(dir: &BiasDir) -> Table {
    let lines = |row: &Row| {
        let one = |(i, m): (usize, &crate::measure::bias::OnMdp)| {
            let b = &m.bias;
            let numbers = [
                b.corr,
                b.corr_error,
                b.var,
                b.entry_variance,
                b.grad_mse,
                b.bias_squared,
                b.bias_squared_error,
                b.norm_squared,
                m.inner_error.last().copied().unwrap_or(f64::NAN),
            ];
            let found = numbers.into_iter().map(Entry::number);
            asked(row).into_iter().chain([Entry::count(i + 1)]).chain(found).collect::<Vec<Entry>>()
        };
        row.mdps.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let names = [
        "mdp",
        "corr",
        "corr_error",
        "var",
        "entry_variance",
        "grad_mse",
        "bias_squared",
        "bias_squared_error",
        "norm_squared",
        "inner_error",
    ];
    Table {
        name: "mdps".into(),
        title: "Every MDP".into(),
        caption: "The same numbers for each MDP of each point, with the squared norm of its exact meta-gradient."
            .into(),
        columns: asked_columns().into_iter().chain(names.map(|n| Column::plain(n, n))).collect(),
        lines: dir.rows.iter().flat_map(lines).collect(),
    }
}
