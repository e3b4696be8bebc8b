//! Rows to the points of a chart: running means, thinned to what a screen can show, and axes that hold them.

use super::model::{Measured, Point};
use crate::math::returns::mean;
use crate::math::summary::Estimate;

/// Rows from which an interval over rows is taken; with fewer, Student's t is too wide to be of use.
const UNITS: usize = 5;

/// A curve with its band, as many points as asked for or fewer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Means.
    pub mean: Vec<(f64, f64)>,
    /// Lower and upper ends of the intervals, where there are any.
    pub band: Vec<(f64, f64)>,
}

/// The last `span` of `points`, or all.
pub fn visible(points: &[Point], span: Option<usize>) -> std::ops::Range<usize> {
    points.len() - span.unwrap_or(usize::MAX).min(points.len())..points.len()
}

/// `column` over the rows `visible`, in at most `bins` points. Each is the mean over the rows it stands for and the rows before
/// them, `smooth` rows at least.
///
/// Its band is the 95 % t-interval of that mean over the rows, which draw fresh tasks and so are independent units as long as
/// the parameters move slowly. A point of fewer than [`UNITS`] rows has the mean of the rows' own intervals if no smoothing was
/// asked for, and no band otherwise.
pub fn curve(
    points: &[Point],
    visible: std::ops::Range<usize>,
    smooth: usize,
    bins: usize,
    column: fn(&Point) -> Estimate,
) -> Curve {
    let (n, mut curve) = (visible.len(), Curve::default());
    for b in 0..bins.min(n) {
        let (start, end) = (visible.start + b * n / bins.min(n), visible.start + (b + 1) * n / bins.min(n));
        let rows = points[start.min(end.saturating_sub(smooth))..end].iter().map(column);
        let rows: Vec<Estimate> = rows.filter(|e| e.mean.is_finite()).collect(); // no episode may have ended in an update
        if rows.is_empty() {
            continue;
        }
        let own = |part: fn(&Estimate) -> Option<f64>| {
            let ends: Vec<f64> = rows.iter().filter_map(part).collect();
            (!ends.is_empty()).then(|| mean(&ends))
        };
        let over_rows = Estimate::of(&rows.iter().map(|e| e.mean).collect::<Vec<f64>>());
        let (low, high) = match rows.len() {
            UNITS.. => (over_rows.low, over_rows.high),
            _ if smooth == 1 => (own(|e| e.low), own(|e| e.high)),
            _ => (None, None),
        };
        let x = points[end - 1].iteration as f64;
        let finite = |y: &f64| y.is_finite();
        curve.mean.extend(Some(over_rows.mean).filter(finite).map(|y| (x, y)));
        curve.band.extend([low, high].into_iter().flatten().filter(finite).map(|y| (x, y)));
    }
    curve
}

/// The gap as marks of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Estimates whose interval excludes zero.
    pub resolved: Vec<(f64, f64)>,
    /// Upper limits of those whose interval contains zero: below resolution.
    pub below: Vec<(f64, f64)>,
    /// Ends of the intervals.
    pub ends: Vec<(f64, f64)>,
}

/// Measurements from iteration `from` on, at most the last `most`; squared, or their roots (negative numbers at 0).
pub fn marks(gaps: &[Measured], from: u64, most: usize, squared: bool) -> Marks {
    let shown = |x: f64| if squared { x } else { x.max(0.0).sqrt() };
    let kept: Vec<&Measured> = gaps.iter().filter(|m| m.iteration >= from).collect();
    let step = kept.len().div_ceil(most.max(1)).max(1);
    let mut marks = Marks::default();
    for m in kept.iter().rev().step_by(step).rev() {
        let x = m.iteration as f64;
        let [low, high] = m.gap.gap_squared_interval.map(shown);
        match m.gap.gap {
            Some(_) => marks.resolved.push((x, shown(m.gap.gap_squared))),
            None => marks.below.push((x, high)),
        }
        marks.ends.extend([(x, low), (x, high)]);
    }
    let finite = |v: &mut Vec<(f64, f64)>| v.retain(|(_, y)| y.is_finite());
    finite(&mut marks.resolved);
    finite(&mut marks.below);
    finite(&mut marks.ends);
    marks
}

/// Bounds that hold all `y` with a margin, never empty, never infinite.
pub fn bounds<'a>(series: impl IntoIterator<Item = &'a Vec<(f64, f64)>>) -> [f64; 2] {
    const MOST: f64 = 1e300; // far enough from overflow that differences are finite
    let ys = series.into_iter().flatten().map(|(_, y)| y.clamp(-MOST, MOST)).filter(|y| y.is_finite());
    let (low, high) = ys.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
    if low > high {
        return [0.0, 1.0];
    }
    let width = high - low;
    let margin = if width > 1e-9 * high.abs().max(low.abs()) { width / 20.0 } else { 0.1 * high.abs().max(1e-3) };
    [low - margin, high + margin]
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::model;
    use super::*;

    #[test]
    fn a_point_is_the_mean_over_its_rows_and_those_before() {
        let m = model(10, false);
        let all = visible(&m.points, None);
        let raw = curve(&m.points, all.clone(), 1, 100, |p| p.after);
        assert_eq!(raw.mean.len(), 10);
        assert_eq!(raw.mean[4], (5.0, m.points[4].after.mean));
        assert_eq!((raw.band[8].1, raw.band[9].1), (raw.mean[4].1 - 1.0, raw.mean[4].1 + 1.0));
        let over =
            |r: std::ops::Range<usize>| m.points[r.clone()].iter().map(|p| p.after.mean).sum::<f64>() / r.len() as f64;
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        let smooth = curve(&m.points, all.clone(), 3, 100, |p| p.after).mean;
        close(smooth[0].1, over(0..1));
        close(smooth[5].1, over(3..6));
        assert_eq!(curve(&m.points, all.clone(), 3, 100, |p| p.after).band, [], "three rows have no useful interval");
        let wide = curve(&m.points, all.clone(), 6, 100, |p| p.after);
        let last = Estimate::of(&m.points[4..].iter().map(|p| p.after.mean).collect::<Vec<_>>());
        assert_eq!(wide.band.last().map(|e| e.1), last.high);
        assert_eq!(wide.band.len(), 2 * 6, "from the fifth row on");
        let thin = curve(&m.points, all, 1, 5, |p| p.after).mean;
        assert_eq!(thin.iter().map(|p| p.0).collect::<Vec<_>>(), [2.0, 4.0, 6.0, 8.0, 10.0]);
        close(thin[1].1, over(2..4));
        let last = curve(&m.points, visible(&m.points, Some(2)), 4, 5, |p| p.after).mean;
        close(last[0].1, over(5..9)); // smoothing reaches back behind the visible rows
        assert_eq!(visible(&m.points, Some(99)), 0..10);
    }

    #[test]
    fn what_is_below_resolution_is_marked_by_its_upper_limit() {
        let m = model(100, true);
        let all = marks(&m.gaps, 0, 100, false);
        assert_eq!(all.resolved.len() + all.below.len(), m.gaps.len());
        assert_eq!(all.below.len(), m.unresolved());
        assert!(m.unresolved() > 3 && all.resolved.len() > 1);
        assert_eq!(all.resolved[0], (0.0, m.gaps[0].gap.gap.expect("large")));
        let upper = m.gaps[10].gap.gap_squared_interval[1];
        assert!(upper > 0.0 || all.below.last().expect("some").1 == 0.0);
        let squared = marks(&m.gaps, 50, 100, true);
        assert!(squared.ends.iter().any(|(_, y)| *y < 0.0), "never clamped when squared");
        assert!(squared.ends.iter().all(|(x, _)| *x >= 50.0));
        let few = marks(&m.gaps, 0, 3, false);
        assert!(few.ends.len() <= 6 && few.ends.last().expect("some").0 == 100.0);
    }

    #[test]
    fn bounds_are_usable_whatever_the_numbers() {
        for ys in
            [vec![], vec![0.0], vec![5.0, 5.0], vec![-1e308, 1e308], vec![1e-320], vec![f64::NAN, 2.0], vec![-3.0]]
        {
            let series = vec![ys.iter().map(|y| (0.0, *y)).collect::<Vec<_>>()];
            let [low, high] = bounds(&series);
            assert!(low < high && (high - low).is_finite(), "{ys:?}: {low} {high}");
        }
        assert_eq!(bounds(&[vec![(0.0, 0.0), (1.0, 20.0)]]), [-1.0, 21.0]);
    }
}
