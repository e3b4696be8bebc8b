//! Why a biased estimator stops: its gap, its bias and its own expectation where it ended.

use super::StudyDir;
use crate::record::stationarity::{BiasReport, EstimatorRuns};
use crate::report::figure::{Axis, Figure, Look, Mark, Scale, Series};
use crate::report::page::{Column, Entry, Table};

/// Gap, bias, expectation and bound at the end of each estimator's first seed.
pub fn figure(dir: &StudyDir) -> Figure {
    let names: Vec<String> = dir.runs().iter().map(|r| r.estimator.clone()).collect();
    let series = |label: &str, style: usize, f: &dyn Fn(&EstimatorRuns) -> Option<f64>| {
        let marks = dir.runs().iter().enumerate().filter_map(|(i, r)| Some(Mark::bare(i as f64, f(r)?))).collect();
        Series { label: label.into(), style, look: Look::Points, marks }
    };
    let of = |f: fn(&BiasReport) -> Option<f64>| move |r: &EstimatorRuns| f(r.bias.as_ref()?);
    let mut all = vec![
        series("gap ‖∇V_ζ‖", 0, &|r| r.r#final.gap),
        series("bias ‖∇V_ζ − E[estimator]‖", 1, &of(|b| Some(b.bias))),
        series("‖E[estimator]‖", 2, &of(|b| Some(b.drift))),
        series("bound of the bias", 3, &of(|b| b.bound)),
    ];
    all.retain(|s| !s.marks.is_empty());
    if dir.runs().iter().all(|r| r.bias.is_none()) {
        all.clear();
    }
    Figure {
        name: "bias".into(),
        title: "Gradient bias where each estimator ended".into(),
        caption: "Enumerated, at the last parameters of the first seed (n = 1). An estimator rests where its own expectation is zero; \
                  there the gap equals the bias. Estimators without a mark for the bias are unbiased by construction; a gap without a mark is below resolution. The bound of \
                  MAML's bias is α η_g² √(T v_op)."
            .into(),
        x: Axis { label: "estimator".into(), column: "estimator".into(), scale: Scale::Names(names) },
        y: Axis::log("norm (reward)", "norm"),
        counted: "seeds",
        series: all,
    }
}

/// The same as a table.
pub fn table(dir: &StudyDir) -> Table {
    let line = |r: &EstimatorRuns| {
        let bias = r.bias.as_ref()?;
        let numbers = [r.r#final.gap.unwrap_or(f64::NAN), bias.bias, bias.drift, bias.bound.unwrap_or(f64::NAN)];
        Some([Entry::text(&r.estimator)].into_iter().chain(numbers.map(Entry::number)).collect::<Vec<_>>())
    };
    Table {
        name: "table-bias".into(),
        title: "Bias where an estimator ended".into(),
        caption: "Norms (reward) at the last parameters of the first seed, enumerated.".into(),
        columns: [
            ("estimator", "estimator"),
            ("gap", "gap"),
            ("bias", "bias"),
            ("norm of its expectation", "drift"),
            ("bound of the bias", "bias_bound"),
        ]
        .map(|(shown, name)| Column::plain(shown, name))
        .to_vec(),
        lines: dir.runs().iter().filter_map(line).collect(),
    }
}
