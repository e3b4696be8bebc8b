//! Curves of a study over iterations: squared gap, its running mean beside the bound, and the objective.

use super::StudyDir;
use crate::math::gap::{Gap, running_average};
use crate::record::stationarity::Row;
use crate::report::curve::{self, ends};
use crate::report::figure::{Axis, Figure, Look, Mark, Series, reference};

/// What a curve shows of a row: a number with its interval, if it has one.
type Shown = fn(&Row) -> Option<(f64, Option<[f64; 2]>)>;

/// One number per row and estimator: a single seed with its own interval, several as mean with t-interval over seeds.
fn line(dir: &StudyDir, estimator: &str, own: Shown) -> Vec<Mark> {
    let seeds = dir.seeds(estimator);
    if let [_] = seeds.as_slice() {
        let mark = |r: &Row| {
            let (y, interval) = own(r)?;
            Some(Mark { x: r.iteration as f64, y, interval, resolved: true, n: 1 })
        };
        return dir.of(estimator).filter_map(mark).collect();
    }
    let run = |seed: &u64| {
        let rows = dir.of(estimator).filter(|r| r.seed == *seed);
        rows.filter_map(|r| Some((r.iteration as f64, own(r)?.0))).collect::<Vec<_>>()
    };
    curve::across(&seeds.iter().map(run).collect::<Vec<_>>())
}

/// Series per estimator, without those that have no mark.
fn lines(dir: &StudyDir, own: Shown) -> Vec<Series> {
    let series = |(style, name): (usize, &String)| {
        let marks = line(dir, name, own);
        Series { label: name.clone(), style, look: Look::Line, marks }
    };
    dir.estimators().iter().enumerate().map(series).filter(|s| !s.marks.is_empty()).collect()
}

/// `sgmrl by enumeration`: how the gaps were measured.
fn methods(dir: &StudyDir) -> String {
    let mut names: Vec<&str> = dir.rows.iter().map(|r| r.gap.method.name()).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "?".into() } else { names.join(", ") }
}

/// What the bands are.
fn bands(dir: &StudyDir) -> &'static str {
    let several = dir.estimators().iter().any(|e| dir.seeds(e).len() > 1);
    match (several, dir.is_exact()) {
        (true, _) => "mean over seeds, bands are 95 % t-intervals over seeds",
        (false, true) => "one run, exact, so there are no bands",
        (false, false) => "one run, bands are the 95 % intervals of the measurements",
    }
}

/// Fraction of the bias that an estimator's own expectation may have where it is said to rest.
const REST: f64 = 0.01;

/// Squared bias of the biased estimators at their ends: where they rest, the floor at which their gap stops.
fn floors(dir: &StudyDir) -> Vec<Series> {
    let floor = |(k, runs): (usize, &crate::record::stationarity::EstimatorRuns)| {
        let bias = runs.bias.as_ref()?;
        let last = dir.of(&runs.estimator).map(|r| r.iteration).max()?;
        let marks = [0.0, last as f64].map(|x| Mark::bare(x, bias.bias.powi(2))).to_vec();
        let what = if bias.drift <= REST * bias.bias { "floor: bias²" } else { "bias²" };
        Some(Series {
            label: format!("{what} of {} at its end", runs.estimator),
            style: reference(k),
            look: Look::Reference,
            marks,
        })
    };
    dir.runs().iter().filter(|r| r.bias.is_some()).enumerate().filter_map(floor).collect()
}

/// What the thin line is, and from where on which estimator is below it (expected dynamics only: others go up and down).
fn passing(dir: &StudyDir, series: &[Series], floors: &[Series]) -> String {
    let Some(floor) = floors.first() else { return String::new() };
    let mut text = if floor.label.starts_with("floor") {
        " The thin line is the floor: a biased estimator rests where its own expectation is zero, and there its gap is its bias."
    } else {
        " The thin line is the squared bias at the end of the run; the estimator has not come to rest, where its gap would be its bias."
    }
    .to_string();
    let biased = |name: &str| dir.runs().iter().any(|r| r.estimator == name && r.bias.is_some());
    let expected = dir.study.as_ref().is_some_and(|s| s.dynamics == "expected");
    for line in series.iter().filter(|s| expected && !biased(&s.label) && s.marks.len() > 1) {
        let above = line.marks.iter().rposition(|m| m.y >= floor.marks[0].y);
        if let Some(mark) = line.marks.get(above.map_or(0, |i| i + 1)) {
            text += &format!(" `{}` is below it from iteration {} on.", line.label, mark.x);
        }
    }
    text
}

/// Squared gap along the run, with the floor of the biased estimators.
pub fn gap(dir: &StudyDir) -> Figure {
    let mut series = lines(dir, |r| {
        let ends = r.gap.gap_squared_interval;
        Some((r.gap.gap_squared, (ends[0] < ends[1]).then_some(ends)))
    });
    if !dir.is_exact() {
        series.iter_mut().flat_map(|s| &mut s.marks).for_each(|m| m.resolved = m.interval.is_none_or(|i| i[0] > 0.0));
    }
    let floors = floors(dir);
    let below = match dir.is_exact() {
        true => "",
        false => " Open triangles, below resolution: the interval contains zero, its upper end is shown.",
    };
    let caption = format!(
        "Squared norm of the gradient of V_ζ at the parameters of each iteration, measured by method {}; {}.{below}{}",
        methods(dir),
        bands(dir),
        passing(dir, &series, &floors)
    );
    Figure {
        name: "gap".into(),
        title: "Stationarity gap along the run".into(),
        caption,
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("squared gap ‖∇V_ζ‖² (reward²)", "gap_squared"),
        counted: "seeds",
        series: series.into_iter().chain(floors).collect(),
    }
}

/// Intervals of a running mean of sampled gaps along one run, from those of the measurements.
fn errors_of_one(dir: &StudyDir, line: &mut Series) {
    if dir.seeds(&line.label).len() > 1 {
        return; // these have intervals over seeds
    }
    let (at, gaps): (Vec<u64>, Vec<Gap>) = dir.of(&line.label).map(|r| (r.iteration, r.gap)).unzip();
    for (k, mark) in line.marks.iter_mut().enumerate() {
        mark.interval = ends(&running_average(&at[..=k], &gaps[..=k]));
    }
}

/// The running mean of the squared gap, which is what the theorem bounds, beside the bound.
pub fn bound(dir: &StudyDir) -> Figure {
    let mut series = lines(dir, |r| Some((r.average_gap_squared, None)));
    if !dir.is_exact() {
        for line in &mut series {
            errors_of_one(dir, line);
            line.marks.iter_mut().for_each(|m| m.resolved = m.interval.is_none_or(|i| i[0] > 0.0));
        }
    }
    for name in &dir.estimators() {
        let style = reference(series.iter().filter(|s| s.look == Look::Reference).count());
        let marks = line(dir, name, |r| Some((r.bound?, None)));
        let marks: Vec<Mark> = marks.into_iter().map(|m| Mark { interval: None, ..m }).collect();
        if !marks.is_empty() {
            series.push(Series { label: format!("bound for {name}"), style, look: Look::Reference, marks });
        }
    }
    let several = dir.estimators().iter().any(|e| dir.seeds(e).len() > 1);
    let mut caption = format!(
        "Mean of the squared gap over the iterations so far, linear between measurements{}.",
        match (several, dir.is_exact()) {
            (true, _) => ", mean over seeds with 95 % t-intervals over seeds",
            (false, true) => "; one run",
            (false, false) =>
                "; one run, with the 95 % interval that its measurements leave open of its own mean, which is not one of the mean over runs",
        }
    );
    if !dir.is_exact() {
        caption += " Open triangles, below resolution: the interval contains zero, its upper end is shown.";
    }
    caption += match series.iter().any(|s| s.look == Look::Reference) {
        true => {
            " The thin line is the theorem's right-hand side after as many iterations: the distance to it is the slack."
        }
        false => " The theorem bounds none of these runs.",
    };
    for runs in dir.runs() {
        if let Some(why) = runs.bound.as_ref().and_then(|b| b.remark.as_ref()) {
            caption += &format!(" No bound for `{}`: {why}.", runs.estimator);
        }
    }
    if let Some(why) = dir.study.as_ref().and_then(|s| s.assumption.as_ref()) {
        caption += &format!(" No bound: {why}.");
    }
    Figure {
        name: "bound".into(),
        title: "Mean squared gap and its bound".into(),
        caption,
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::log("mean squared gap so far (reward²)", "average_gap_squared"),
        counted: "seeds",
        series,
    }
}

/// V_zeta along the run.
pub fn value(dir: &StudyDir) -> Figure {
    let exact = if dir.is_exact() { "exact" } else { "estimated without bias on the samples of the gap" };
    let several = dir.estimators().iter().any(|e| dir.seeds(e).len() > 1);
    let over = if several { ", mean over seeds with 95 % t-intervals over seeds" } else { "; one run" };
    Figure {
        name: "value".into(),
        title: "Objective along the run".into(),
        caption: format!("V_ζ of the initialisation, the discounted return after sampled adaptation, {exact}{over}."),
        x: Axis::linear("outer iterations", "iteration"),
        y: Axis::linear("V_ζ (discounted reward)", "value"),
        counted: "seeds",
        series: lines(dir, |r| Some((r.value, None))),
    }
}
