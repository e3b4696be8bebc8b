//! Places along an axis: the range that holds the marks, round ticks and their labels.

use super::figure::{Figure, Look, Mark, Scale, Series};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// A range in drawing units (log10 on a logarithmic axis) with labelled ticks inside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticked {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Places of the ticks.
    pub ticks: Vec<f64>,
    labels: Vec<String>,
}

impl Ticked {
    /// Label of the tick at `place`.
    pub fn label(&self, place: f64) -> String {
        let near = |t: &&f64| (**t - place).abs() <= 1e-9 * (self.high - self.low);
        let index = self.ticks.iter().position(|t| near(&t));
        index.map_or_else(String::new, |i| self.labels[i].clone())
    }

    /// `place` held inside the range.
    pub fn hold(&self, place: f64) -> f64 {
        place.clamp(self.low, self.high)
    }
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let fraction = (value - self.low) / (self.high - self.low);
        first + (fraction * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// Drawing unit of a number: itself, or its log10; `None` where it has no place.
pub fn place(scale: &Scale, x: f64) -> Option<f64> {
    let at = if *scale == Scale::Log { x.log10() } else { x };
    at.is_finite().then_some(at)
}

/// A number as on an axis: SI thousands and millions, no trailing zeros.
pub fn short(x: f64) -> String {
    let plain = |x: f64| {
        let text = format!("{:.6}", x);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "-0" { "0".to_string() } else { text.replace('-', "\u{2212}") }
    };
    match x.abs() {
        0.0 => "0".into(),
        a if !(1e-5..1e12).contains(&a) => power(x),
        a if a >= 1e9 => format!("{}G", plain(x / 1e9)),
        a if a >= 1e6 => format!("{}M", plain(x / 1e6)),
        a if a >= 1e4 => format!("{}k", plain(x / 1e3)),
        _ => plain(x),
    }
}

/// `m·10^k` with a raised exponent.
fn power(x: f64) -> String {
    let exponent = x.abs().log10().floor() as i32;
    let mantissa = x / 10f64.powi(exponent);
    let raised: String = exponent
        .to_string()
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(d) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][d as usize],
            None => '⁻',
        })
        .collect();
    if (mantissa - 1.0).abs() < 1e-6 { format!("10{raised}") } else { format!("{}·10{raised}", short(mantissa)) }
}

/// Steps of 1, 2 or 5 times a power of ten, about `count` of them.
fn linear(low: f64, high: f64, count: usize) -> Ticked {
    let rough = (high - low) / count.max(1) as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|k| k * magnitude).into_iter().find(|s| *s >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let ticks: Vec<f64> = (first..=(high / step).floor() as i64).map(|k| k as f64 * step).collect();
    let labels = ticks.iter().map(|t| short((t / step).round() * step)).collect();
    Ticked { low, high, ticks, labels }
}

/// Powers of ten, with 2 and 5 times them where there are few.
fn logarithmic(low: f64, high: f64, count: usize) -> Ticked {
    let decades = high - low;
    let mut ticks = Vec::new();
    if decades <= 2.5 {
        let factors: &[f64] = if decades <= 1.2 { &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
        for k in low.floor() as i32..=high.ceil() as i32 {
            ticks.extend(factors.iter().map(|f| f.log10() + f64::from(k)));
        }
    } else {
        let every = (decades / count.max(1) as f64).ceil() as usize;
        ticks.extend((low.ceil() as i32..=high.floor() as i32).rev().step_by(every).map(f64::from));
        ticks.reverse();
    }
    ticks.retain(|t| *t >= low - 1e-9 && *t <= high + 1e-9);
    let labels = ticks.iter().map(|t| short(10f64.powf(*t))).collect();
    Ticked { low, high, ticks, labels }
}

/// The range of `values` (in drawing units) widened by `margin` of itself, with about `count` ticks.
fn ticked(scale: &Scale, values: impl Iterator<Item = f64>, margin: f64, count: usize) -> Ticked {
    if let Scale::Names(names) = scale {
        let ticks = (0..names.len()).map(|i| i as f64).collect();
        return Ticked { low: -0.6, high: names.len() as f64 - 0.4, ticks, labels: names.clone() };
    }
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let width = if high - low > 1e-12 * high.abs().max(1e-300) {
        high - low
    } else if *scale == Scale::Log {
        1.0
    } else {
        high.abs().max(1e-6)
    };
    let flat = high - low < width;
    let pad = if flat { 0.5 } else { margin } * width;
    let (low, high) = (low - pad, high + pad);
    if *scale == Scale::Log { logarithmic(low, high, count) } else { linear(low, high, count) }
}

/// The horizontal axis of a figure.
pub fn horizontal(figure: &Figure) -> Ticked {
    let marks = figure.series.iter().flat_map(|s| &s.marks);
    let clouds = figure.series.iter().any(|s| matches!(s.look, Look::Points | Look::Above));
    let margin = if clouds { 0.05 } else { 0.02 };
    ticked(&figure.x.scale, marks.filter_map(|m| place(&figure.x.scale, m.x)), margin, 6)
}

/// How far the intervals may widen the vertical axis on either side, as a multiple of the range of the values.
const ROOM: f64 = 1.5;

/// Whether every interval of a line begins below the frame and ends above it, so that a band would only fill the frame.
pub fn is_flooded(figure: &Figure, y: &Ticked, series: &Series) -> bool {
    let low = |x: f64| place(&figure.y.scale, x).is_none_or(|x| x <= y.low);
    let covers = |[a, b]: [f64; 2]| low(a) && place(&figure.y.scale, b).is_some_and(|b| b >= y.high);
    let mut ends = series.marks.iter().filter_map(|m| m.interval).peekable();
    series.look == Look::Line && ends.peek().is_some() && ends.all(covers)
}

/// ` The intervals of a and b are wider than the frame ...`, where a figure leaves out bands.
pub fn remark(figure: &Figure) -> String {
    let y = vertical(figure);
    let wide = figure.series.iter().filter(|s| is_flooded(figure, &y, s)).map(|s| s.label.clone());
    match wide.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        names => format!(
            " Not drawn, because they are wider than the frame on both sides throughout: the intervals of {}.",
            super::comparison::verdict::list(names)
        ),
    }
}

/// The vertical axis: it holds every value, and of the intervals as much as fits without hiding the values.
pub fn vertical(figure: &Figure) -> Ticked {
    let scale = &figure.y.scale;
    let marks: Vec<&Mark> = figure.series.iter().flat_map(|s| &s.marks).collect();
    let shown = |m: &&Mark| if m.resolved || *scale != Scale::Log { Some(m.y) } else { m.interval.map(|i| i[1]) };
    let core: Vec<f64> = marks.iter().filter_map(shown).filter_map(|y| place(scale, y)).collect();
    let ends: Vec<f64> = marks.iter().filter_map(|m| m.interval).flatten().filter_map(|y| place(scale, y)).collect();
    let extent = |v: &[f64]| v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    let base = figure.series.iter().any(|s| s.look == Look::Bars).then_some(0.0).and_then(|y| place(scale, y));
    let core: Vec<f64> = core.into_iter().chain(base).collect();
    let (low, high) = extent(&core);
    let (wide_low, wide_high) = extent(&ends);
    let room = if high > low { ROOM * (high - low) } else { f64::INFINITY };
    let ends = [wide_low.max(low - room), wide_high.min(high + room)].into_iter().filter(|x| x.is_finite());
    ticked(scale, core.into_iter().chain(ends), 0.05, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_round() {
        let labels: Vec<String> =
            [0.0, 0.25, -1.5, 20_000.0, 1.5e6, 1e-7, 3e-9, 9999.0].iter().map(|x| short(*x)).collect();
        assert_eq!(labels, ["0", "0.25", "−1.5", "20k", "1.5M", "10⁻⁷", "3·10⁻⁹", "9999"]);
    }

    #[test]
    fn bands_that_only_fill_the_frame_are_named() {
        let series = |label: &str, half: f64| Series {
            label: label.into(),
            style: 0,
            look: Look::Line,
            marks: (0..3)
                .map(f64::from)
                .map(|x| Mark { interval: Some([x - half, x + half]), ..Mark::bare(x, x) })
                .collect(),
        };
        let figure = |series| Figure {
            name: "f".into(),
            title: "t".into(),
            caption: "c".into(),
            x: super::super::figure::Axis::linear("x", "x"),
            y: super::super::figure::Axis::linear("y", "y"),
            counted: "runs",
            series,
        };
        assert_eq!(remark(&figure(vec![series("a", 1.0), series("b", 2.0)])), "");
        let text = remark(&figure(vec![series("a", 1.0), series("b", 1e3)]));
        assert!(text.contains("`b`") && !text.contains("`a`"), "{text}");
    }

    #[test]
    fn ticks_lie_inside_and_are_not_too_many() {
        for (low, high) in [(0.0, 1.0), (-3.7, 12.1), (1e-9, 2e-9), (0.0, 123_456.0), (-1e5, -9.9e4)] {
            let t = linear(low, high, 6);
            assert!((2..=8).contains(&t.ticks.len()), "{low} {high}: {:?}", t.ticks);
            assert!(t.ticks.iter().all(|x| *x >= low - 1e-9 * high.abs() && *x <= high + 1e-9 * high.abs()));
        }
        for (low, high) in [(-3.0, 0.0), (-30.0, 2.0), (-1.1, -0.6), (0.1, 0.3)] {
            let t = logarithmic(low, high, 6);
            assert!((1..=9).contains(&t.ticks.len()), "{low} {high}: {:?}", t.ticks);
        }
        assert_eq!(logarithmic(-2.1, 1.1, 6).label(-2.0), "0.01");
    }
}
