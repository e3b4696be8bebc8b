//! Figures over families: performance profile and paired differences to the reference.

use crate::math::aggregate::profile;
use crate::math::stratified::profile_bands;
use crate::report::comparison::{Comparison, Pooled, RESAMPLES};
use crate::report::curve::ends;
use crate::report::figure::{Axis, Figure, Look, Mark, Scale, Series};
use crate::rng::{Address, Purpose};

/// Thresholds of a performance profile.
const THRESHOLDS: usize = 101;

/// The figures, where arms can be compared.
pub fn figures(comparison: &Comparison) -> Vec<Figure> {
    let profile = comparison.pooled.as_ref().map(|pooled| performance(comparison, pooled));
    profile.into_iter().chain([differences(comparison)]).collect()
}

fn style(comparison: &Comparison, arm: &str) -> usize {
    comparison.arms.iter().position(|a| a == arm).unwrap_or(0)
}

fn performance(comparison: &Comparison, pooled: &Pooled) -> Figure {
    let all = || pooled.arms.iter().flat_map(|a| a.scores.iter().flatten().copied());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = (low - 0.02 * (high - low).max(1e-9), high + 0.02 * (high - low).max(1e-9));
    let thresholds: Vec<f64> =
        (0..THRESHOLDS).map(|k| low + (high - low) * k as f64 / (THRESHOLDS - 1) as f64).collect();
    let series = pooled.arms.iter().map(|arm| {
        let mut rng = Address::new(0, Purpose::Statistics).stream();
        let bands = profile_bands(&arm.scores, &thresholds, RESAMPLES, &mut rng);
        let fractions = profile(&arm.scores, &thresholds);
        let n = arm.scores.iter().map(Vec::len).sum();
        let mark = |(k, y): (usize, f64)| {
            let interval = bands.as_ref().map(|b| b[k]);
            Mark { x: thresholds[k], y, interval, resolved: true, n }
        };
        let marks = fractions.into_iter().enumerate().map(mark).collect();
        Series { label: arm.arm.clone(), style: style(comparison, &arm.arm), look: Look::Steps, marks }
    });
    let families = pooled.families.len();
    Figure {
        name: "profile".into(),
        title: "Performance profile".into(),
        caption: format!(
            "Fraction of reporting runs whose normalised final score exceeds τ, over {families} {}; higher is better. Bands: \
             pointwise 95 % stratified bootstrap intervals. n in the CSV counts runs.{}",
            if families == 1 { "family" } else { "families" },
            comparison.narrow()
        ),
        x: Axis::linear("normalised final score τ", "threshold"),
        y: Axis::linear("fraction of runs above τ", "fraction"),
        counted: "runs",
        series: series.collect(),
    }
}

/// Per family, every arm minus the reference, with intervals; in normalised score, so that one axis holds all families.
fn differences(comparison: &Comparison) -> Figure {
    let families: Vec<String> = comparison.scales.iter().map(|s| s.family.clone()).collect();
    let arms: Vec<&String> = comparison
        .arms
        .iter()
        .filter(|a| comparison.cells.iter().any(|c| c.arm == **a && c.difference.is_some()))
        .collect();
    let place = |family: usize, arm: usize| {
        family as f64 + (arm as f64 + 0.5 - arms.len() as f64 / 2.0) * 0.7 / arms.len() as f64
    };
    let series = arms.iter().enumerate().map(|(i, arm)| {
        let mark = |(f, family): (usize, &String)| {
            let cell = comparison.cells.iter().find(|c| c.family == *family && c.arm == **arm)?;
            let difference = cell.difference.as_ref()?;
            let scale = &comparison.scales[f];
            let width = if scale.high > scale.low { scale.high - scale.low } else { 1.0 };
            let interval = ends(&difference.last).map(|e| e.map(|x| x / width));
            let y = difference.last.mean / width;
            Some(Mark { x: place(f, i), y, interval, resolved: true, n: difference.pairs })
        };
        let marks = families.iter().enumerate().filter_map(mark).collect();
        let against = comparison.cells.iter().find_map(|c| c.difference.as_ref().filter(|_| c.arm == **arm));
        let label = against.map_or_else(|| (*arm).clone(), |d| format!("{arm} − {}", d.against));
        Series { label, style: style(comparison, arm), look: Look::Points, marks }
    });
    Figure {
        name: "differences".into(),
        title: "Paired differences to the first arm".into(),
        caption: "Normalised final score of each arm minus that of the first arm at the same seed, mean over the common seeds (n in \
                  the CSV) with 95 % t-intervals over pairs; an interval that contains zero shows no difference."
            .into(),
        x: Axis { label: "family".into(), column: "family".into(), scale: Scale::Names(families.clone()) },
        y: Axis::linear("difference of normalised score", "difference"),
        counted: "seeds",
        series: series.collect(),
    }
}
