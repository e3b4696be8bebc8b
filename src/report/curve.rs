//! Curves of several runs as one: the mean over runs at each point, with its interval.

use super::figure::Mark;
use crate::math::returns::mean;
use crate::math::summary::Estimate;

/// Places of the x axis that runs on different grids are interpolated to.
const GRID: usize = 41;

/// Largest distance of a run's k-th place from the mean k-th place, as a fraction of the span, that counts as the same place.
const SAME: f64 = 0.02;

/// The interval of an estimate, if it has one.
pub fn ends(x: &Estimate) -> Option<[f64; 2]> {
    Some([x.low?, x.high?])
}

/// Mean of `values` with Student's 95 % interval as a mark at `x`.
pub fn mark(x: f64, values: &[f64]) -> Mark {
    let estimate = Estimate::of(values);
    Mark { x, y: estimate.mean, interval: ends(&estimate), resolved: true, n: values.len() }
}

/// Value of a curve at `x` by linear interpolation; `None` outside of it.
fn at(run: &[(f64, f64)], x: f64) -> Option<f64> {
    let next = run.iter().position(|p| p.0 >= x)?;
    let (x1, y1) = run[next];
    if x1 == x {
        return Some(y1);
    }
    let (x0, y0) = run[next.checked_sub(1)?];
    Some(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
}

/// Whether the k-th points of all runs lie at the same place, or nearly.
fn is_aligned(runs: &[Vec<(f64, f64)>], length: usize, span: f64) -> bool {
    (0..length).all(|k| {
        let places: Vec<f64> = runs.iter().filter_map(|r| Some(r.get(k)?.0)).collect();
        let centre = mean(&places);
        places.iter().all(|x| (x - centre).abs() <= SAME * span)
    })
}

/// Mean over runs of curves `(x, y)` by growing x, with Student's 95 % interval over runs.
///
/// Where the k-th points of all runs lie at (nearly) the same x they are averaged point by point, at their mean x; a run that
/// ends early leaves the later means to the others, as their n says. Otherwise every run is interpolated linearly to 41 even places.
pub fn across(runs: &[Vec<(f64, f64)>]) -> Vec<Mark> {
    let runs: Vec<Vec<(f64, f64)>> = runs.iter().filter(|r| !r.is_empty()).cloned().collect();
    let length = runs.iter().map(Vec::len).max().unwrap_or(0);
    let all = || runs.iter().flatten().map(|p| p.0);
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if is_aligned(&runs, length, high - low) {
        let point = |k: usize| {
            let (xs, ys): (Vec<f64>, Vec<f64>) = runs.iter().filter_map(|r| r.get(k)).copied().unzip();
            mark(mean(&xs), &ys)
        };
        return (0..length).map(point).collect();
    }
    let place = |k: usize| low + (high - low) * k as f64 / (GRID - 1) as f64;
    let point = |x: f64| (x, runs.iter().filter_map(|r| at(r, x)).collect::<Vec<f64>>());
    (0..GRID).map(place).map(point).filter(|(_, y)| !y.is_empty()).map(|(x, y)| mark(x, &y)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_runs_are_averaged_point_by_point() {
        let runs = [vec![(0.0, 1.0), (100.0, 2.0)], vec![(0.0, 3.0), (101.0, 6.0)], vec![(0.0, 2.0)]];
        let marks = across(&runs);
        assert_eq!((marks[0].x, marks[0].y, marks[0].n), (0.0, 2.0, 3));
        assert_eq!((marks[1].x, marks[1].y, marks[1].n), (100.5, 4.0, 2));
    }

    #[test]
    fn runs_on_other_grids_are_interpolated_but_not_beyond_their_ends() {
        let runs = [vec![(0.0, 0.0), (100.0, 100.0)], vec![(0.0, 0.0), (25.0, 25.0), (50.0, 50.0)]];
        let marks = across(&runs);
        assert_eq!(marks.len(), GRID);
        assert!(marks.iter().all(|m| (m.y - m.x).abs() < 1e-9));
        assert_eq!((marks[0].n, marks[GRID - 1].n), (2, 1));
        assert!(across(&[]).is_empty());
    }
}
