//! The stationarity gap of online runs: figures, the table of where it ended, and a sentence.

use super::bins::{Bin, KINDS, Measured, readings};
use super::curves::{figure, line, over, thin, without_bands};
use super::{Group, OnlineRun};
use crate::learn::online::actor_critic::Reading;
use crate::math::summary::Estimate;
use crate::report::comparison::verdict::digits;
use crate::report::curve::{across, ends};
use crate::report::figure::{Axis, Figure, Mark};
use crate::report::page::{Column, Entry, Table};

/// How a measured quantity is called and explained, in the order of [`readings`].
struct Kind {
    name: &'static str,
    symbol: &'static str,
    title: &'static str,
    caption: &'static str,
    unit: &'static str,
}

const ALL: [Kind; KINDS] = [
    Kind {
        name: "gap-in",
        symbol: "S_in",
        title: "S_in: inner residual",
        caption: "Squared norm of the expected inner gradient per transition, at theta before the update and the current eta, \
                  before clipping. Half of it is a semi-gradient: this is the residual of a fixed point.",
        unit: "squared norm (loss² per parameter²)",
    },
    Kind {
        name: "gap-preconditioned",
        symbol: "S_in, preconditioned",
        title: "S_in in the optimiser's metric",
        caption: "The same measured by `g' P g`, with the optimiser's scaling P from before the batch entered it.",
        unit: "g' P g",
    },
    Kind {
        name: "gap-out",
        symbol: "S_out",
        title: "S_out: gradient of the fixed objective",
        caption: "Squared norm of the expected gradient of J' (gamma' and lambda' fixed) per transition, after the inner step: \
                  comparable across the run, and with its twin.",
        unit: "squared norm (loss² per parameter²)",
    },
    Kind {
        name: "gap-meta",
        symbol: "S_meta (logits)",
        title: "S_meta: meta-gradient in logits",
        caption: "Squared norm of the expected meta-gradient of J' by the logits of what is learned.",
        unit: "squared norm (loss²)",
    },
    Kind {
        name: "gap-meta-eta",
        symbol: "S_meta (values)",
        title: "S_meta by values",
        caption: "Squared norm of the expected meta-gradient of J' by the values of what is learned.",
        unit: "squared norm (loss² per value²)",
    },
];

/// What line, band, triangles and thin lines are.
fn marks(runs: usize) -> String {
    let band = if runs == 1 { " with its 95 % interval by batch means (no band: none yet)" } else { "" };
    format!(
        "Line: mean over the last blocks of updates{band}. Open triangles, below resolution: the interval contains zero, its upper end \
         is shown. Thin: mean over the whole run so far; noise tr(Sigma) / B of one measurement."
    )
}

fn reading(measured: &Measured, kind: usize) -> Option<&Reading> {
    readings(&measured.row)[kind]
}

fn bounds(r: &Reading) -> Option<[f64; 2]> {
    Some([r.low?, r.high?])
}

/// A number of the measurement in each bin.
fn measured(runs: &[&OnlineRun], y: impl Fn(&Measured) -> Option<f64>) -> Vec<Mark> {
    let one = |run: &&OnlineRun| -> Vec<(f64, f64)> {
        let all = run.trace.bins.iter().filter_map(|bin| bin.gap.as_ref());
        all.filter_map(|m| Some((run.trace.place(m), y(m).filter(|y| y.is_finite())?))).collect()
    };
    across(&runs.iter().map(one).collect::<Vec<_>>())
}

/// Means over the last blocks: of one run with their own intervals, of several with those over runs.
fn means(runs: &[&OnlineRun], kind: usize) -> Vec<Mark> {
    if let [run] = runs {
        let mark = |m: &Measured| {
            let r = reading(m, kind)?;
            let interval = bounds(r);
            if interval.is_none() && r.mean <= 0.0 {
                return None; // neither a place on a logarithmic axis nor an upper limit
            }
            Some(Mark {
                x: run.trace.place(m),
                y: r.mean,
                interval,
                resolved: interval.is_none() || r.gap.is_some(),
                n: 1,
            })
        };
        return run.trace.bins.iter().filter_map(|bin| mark(bin.gap.as_ref()?)).collect();
    }
    let mut marks = measured(runs, |m| Some(reading(m, kind)?.mean));
    marks.iter_mut().for_each(|m| m.resolved = m.interval.is_none_or(|[low, _]| low > 0.0));
    marks
}

/// One figure per measured quantity, and one of the noise scale.
pub fn figures(group: &Group) -> Vec<Figure> {
    let (runs, twins) = (group.all(), group.twins());
    let one = |kind: usize| {
        let about = &ALL[kind];
        let mut series = vec![line(about.symbol, 0, means(&runs, kind))];
        if kind == 2 {
            series.push(line("twin: all fixed", 1, means(&twins, kind)));
        }
        series.push(thin("running mean", 0, measured(&runs, |m| Some(reading(m, kind)?.running))));
        series.push(thin("noise", 3, over(&runs, |bin: &Bin| bin.noise.get(kind)?.mean())));
        let caption = format!("{} {}", about.caption, marks(runs.len()));
        figure(group, about.name, about.title, &caption, Axis::log(about.unit, "squared"), series)
    };
    let mut figures: Vec<Figure> = (0..KINDS).map(one).collect();
    let scale = |label, style, y: fn(&Measured) -> Option<f64>| without_bands(line(label, style, measured(&runs, y)));
    let scales =
        vec![scale("inner gradient", 0, |m| m.row.b_simple), scale("outer gradient", 1, |m| m.row.b_simple_out)];
    let caption = "B_simple = tr(Sigma) / |G|²: the batch, in transitions, from which on more of them bring little (McCandlish et \
                   al. 2018), from averages with decay 0.99. Absent where the averaged squared norm is not positive.";
    figures.push(figure(
        group,
        "noise-scale",
        "Gradient noise scale",
        caption,
        Axis::log("transitions", "b_simple"),
        scales,
    ));
    figures
}

/// A squared norm as text: the number with its interval, or that it is below resolution. Its estimate is unbiased and may be negative.
fn shown(mean: f64, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) if low <= 0.0 => match high.max((high - low) / 2.0) {
            most if most > 0.0 => format!("below resolution (at most {})", digits(most)),
            _ if mean == 0.0 => "0 (every measurement was zero)".into(),
            _ => format!("below resolution (every measurement was {})", digits(mean)),
        },
        Some([low, high]) => format!("{} [{}, {}]", digits(mean), digits(low), digits(high)),
        None if mean > 0.0 => format!("{} (no interval yet)", digits(mean)),
        None => {
            format!("not resolved yet (the unbiased estimate of a squared norm may be negative, here {})", digits(mean))
        }
    }
}

/// Last means of a quantity: with one run its own interval, with several that over runs. `None` if nothing was measured.
fn last(runs: &[&OnlineRun], kind: usize) -> Option<(f64, Option<[f64; 2]>)> {
    let all: Vec<&Reading> = runs.iter().filter_map(|run| reading(run.trace.gap()?, kind)).collect();
    match all.as_slice() {
        [] => None,
        [one] => Some((one.mean, bounds(one))),
        many => {
            let estimate = Estimate::of(&many.iter().map(|r| r.mean).collect::<Vec<_>>());
            Some((estimate.mean, ends(&estimate)))
        }
    }
}

/// Where the gap stood in the end.
pub fn table(group: &Group) -> Option<Table> {
    let runs = group.ends();
    let mean = |kind: usize, f: &dyn Fn(&Reading) -> f64| {
        let all: Vec<f64> = runs.iter().filter_map(|run| Some(f(reading(run.trace.gap()?, kind)?))).collect();
        crate::math::returns::mean(&all)
    };
    let line_of = |kind: usize| {
        let (value, interval) = last(&runs, kind)?;
        let full = Entry::interval(value, interval).full;
        let blocks: Vec<usize> = runs.iter().filter_map(|run| Some(reading(run.trace.gap()?, kind)?.blocks)).collect();
        Some(vec![
            Entry::text(ALL[kind].symbol),
            Entry { shown: shown(value, interval), full },
            Entry::count(blocks.iter().copied().min().unwrap_or(0)),
            Entry::number(mean(kind, &|r| r.running)),
            Entry::number(mean(kind, &|r| r.noise)),
            Entry::count(runs.iter().map(|run| run.trace.measured as usize).sum()),
        ])
    };
    let lines: Vec<Vec<Entry>> = (0..KINDS).filter_map(line_of).collect();
    let intervals = match runs.len() {
        1 => "by batch means over the blocks of the run",
        _ => "over runs (Student's t)",
    };
    (!lines.is_empty()).then(|| Table {
        name: "table-gap".into(),
        title: "Stationarity in the end".into(),
        caption: format!(
            "Squared norms per transition, before clipping. Mean over the last blocks of at least 50 updates with 95 % intervals {intervals}; below \
             resolution: the interval contains zero. Running: mean of all measurements of the run. Noise: tr(Sigma) / B of the last measurement."
        ),
        columns: vec![
            Column::plain("quantity", "quantity"),
            Column::interval("mean over the last blocks", "mean"),
            Column::plain("blocks", "blocks"),
            Column::plain("running mean", "running"),
            Column::plain("noise", "noise"),
            Column::plain("measurements", "measurements"),
        ],
        lines,
    })
}

/// One sentence on where the gap stood in the end.
pub fn sentence(group: &Group) -> Option<String> {
    let runs = group.ends();
    let part = |kind: usize| {
        let (mean, interval) = last(&runs, kind)?;
        Some(format!("{} is {}", ALL[kind].symbol, shown(mean, interval)))
    };
    let parts: Vec<String> = [0, 2, 3].into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| format!("Stationarity over the last blocks of updates: {}.", parts.join("; ")))
}

/// S_out of one run in the end: the mean over its last blocks.
pub(super) fn outer(run: &OnlineRun) -> Option<f64> {
    Some(reading(run.trace.gap()?, 2)?.mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squared_norms_that_are_not_positive_are_explained() {
        assert_eq!(shown(0.5, Some([0.25, 0.75])), "0.500 [0.250, 0.750]");
        assert_eq!(shown(0.5, None), "0.500 (no interval yet)");
        let negative = shown(-0.0759, None);
        assert!(
            negative.starts_with("not resolved yet (") && negative.ends_with("may be negative, here \u{2212}0.0759)")
        );
        assert!(shown(0.0, None).starts_with("not resolved yet ("));
        assert_eq!(shown(-0.1, Some([-0.4, 0.2])), "below resolution (at most 0.300)");
        assert_eq!(shown(1e-9, Some([-1e-9, 3e-9])), "below resolution (at most 3.00e\u{2212}9)");
        assert_eq!(shown(0.0, Some([0.0, 0.0])), "0 (every measurement was zero)");
        assert_eq!(shown(-0.1, Some([-0.1, -0.1])), "below resolution (every measurement was \u{2212}0.100)");
    }
}
