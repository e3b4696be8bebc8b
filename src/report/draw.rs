//! Figures as SVG: colour-blind safe colours, and a dash and a marker per series, so that greyscale is enough.

use super::axis::{self, Ticked};
use super::figure::{Figure, Look, Mark, Scale, Series};
use plotters::element::DashedPathElement;
use plotters::prelude::*;

/// Okabe and Ito (2008), "Color Universal Design": told apart by all common kinds of colour vision.
pub const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Dash and gap of each series' line in pixels; 0: solid.
const DASHES: [(i32, i32); 5] = [(0, 0), (14, 7), (4, 6), (24, 6), (8, 12)];

/// Drawing pixels per pixel shown: the backend knows whole pixels only.
const FINE: i32 = 2;
/// Width shown, pixels.
const WIDTH: i32 = 540;
/// Height shown without heading and key.
const HEIGHT: i32 = 370;
const LINE: i32 = 24;
/// Size that the backend writes as 0.8 times as many pixels.
const FONT: i32 = 17;
/// Opacity of a pale line.
const PALE: f64 = 0.45;
/// Most marks drawn of one line; the CSV has all.
pub const DRAWN: usize = 400;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Ticked, Ticked>>;
type Pixel = (i32, i32);
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn colour(style: usize) -> RGBColor {
    COLOURS[style % COLOURS.len()]
}

/// Every how many-th mark of a series with `count` marks is drawn.
pub fn stride(count: usize) -> usize {
    count.div_ceil(DRAWN).max(1)
}

/// Rough width of text in shown pixels.
fn width(text: &str) -> i32 {
    text.chars().count() as i32 * FONT * 7 / 16
}

/// Lines of the key: entries (index of the series, left edge) that fit side by side.
fn key_lines(figure: &Figure) -> Vec<Vec<(usize, i32)>> {
    let mut lines: Vec<Vec<(usize, i32)>> = vec![Vec::new()];
    let mut left = 12;
    for (i, series) in figure.series.iter().enumerate() {
        let entry = 58 + width(&series.label);
        if left + entry > WIDTH && !lines.last().is_some_and(Vec::is_empty) {
            lines.push(Vec::new());
            left = 12;
        }
        lines.last_mut().expect("never empty").push((i, left));
        left += entry;
    }
    lines
}

/// Draws a figure; heading and key stand above the frame.
///
/// # Errors
/// The drawing library's own, in words.
pub fn svg(figure: &Figure) -> Result<String, String> {
    let lines = key_lines(figure);
    let head = 30 + LINE * lines.len() as i32;
    let (wide, high) = (WIDTH, HEIGHT + head);
    let mut text = String::new();
    let size = ((wide * FINE) as u32, (high * FINE) as u32);
    draw(&mut text, size, figure, &lines, head).map_err(|e| e.to_string())?;
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let shown = format!("width=\"{wide}\" height=\"{high}\" font-family=\"sans-serif\"");
    Ok(text.replacen(&drawn, &shown, 1))
}

fn draw(text: &mut String, size: (u32, u32), figure: &Figure, lines: &[Vec<(usize, i32)>], head: i32) -> Drawn {
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&WHITE)?;
    let heading = ("sans-serif", (FONT + 2) * FINE).into_font().style(FontStyle::Bold);
    root.draw(&Text::new(figure.title.clone(), (12 * FINE, 8 * FINE), heading))?;
    for (row, line) in lines.iter().enumerate() {
        for &(index, left) in line {
            key(&root, &figure.series[index], left * FINE, (30 + LINE * row as i32 + LINE / 2) * FINE)?;
        }
    }
    let (x, y) = (axis::horizontal(figure), axis::vertical(figure));
    let body = root.margin(head * FINE, 0, 0, 0);
    let mut chart = ChartBuilder::on(&body)
        .margin_right(18 * FINE)
        .margin_top(8 * FINE)
        .margin_bottom(6 * FINE)
        .x_label_area_size(52 * FINE)
        .y_label_area_size(84 * FINE)
        .build_cartesian_2d(x.clone(), y.clone())?;
    mesh(&mut chart, figure, &x, &y)?;
    let places = Places { chart: &chart, figure, x: &x, y: &y };
    for series in figure.series.iter().filter(|s| matches!(s.look, Look::Line | Look::Steps)) {
        if axis::is_flooded(figure, &y, series) {
            continue;
        }
        band(&root, &places, series)?;
    }
    let bars: Vec<&Series> = figure.series.iter().filter(|s| s.look == Look::Bars).collect();
    for (k, series) in bars.iter().enumerate() {
        self::bars(&root, &places, series, (k, bars.len()))?;
    }
    for series in figure.series.iter().filter(|s| s.look != Look::Bars) {
        line(&root, &places, series)?;
        markers(&root, &places, series)?;
    }
    root.present()?;
    Ok(())
}

fn mesh(chart: &mut Chart<'_, '_>, figure: &Figure, x: &Ticked, y: &Ticked) -> Drawn {
    let font = ("sans-serif", FONT * FINE).into_font();
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(&figure.x.label).y_desc(figure.y_label()).axis_desc_style(font.clone()).label_style(font);
    mesh.x_labels(x.ticks.len().max(1)).y_labels(y.ticks.len().max(1));
    mesh.light_line_style(TRANSPARENT).bold_line_style(RGBColor(225, 225, 225).stroke_width(FINE as u32));
    mesh.axis_style(BLACK.stroke_width(FINE as u32));
    if matches!(figure.x.scale, Scale::Names(_)) {
        mesh.disable_x_mesh();
    }
    mesh.draw()?;
    Ok(())
}

/// Where numbers lie in drawing pixels.
struct Places<'a, 'b, 'c> {
    chart: &'a Chart<'b, 'c>,
    figure: &'a Figure,
    x: &'a Ticked,
    y: &'a Ticked,
}

impl Places<'_, '_, '_> {
    /// Pixel of (x, y); y is held at the frame. `None` where a number has no place.
    fn at(&self, x: f64, y: f64) -> Option<Pixel> {
        let x = axis::place(&self.figure.x.scale, x)?;
        let y = if y > 0.0 || self.figure.y.scale != Scale::Log {
            axis::place(&self.figure.y.scale, y)?
        } else {
            self.y.low
        };
        Some(self.chart.backend_coord(&(self.x.hold(x), self.y.hold(y))))
    }

    /// Pixel of a mark; `None` for what a logarithmic axis shows as an upper limit, or not at all.
    fn value(&self, m: &Mark) -> Option<Pixel> {
        let log = self.figure.y.scale == Scale::Log;
        (!log || (m.resolved && m.y > 0.0)).then(|| self.at(m.x, m.y)).flatten()
    }
}

fn thinned(series: &Series) -> impl Iterator<Item = &Mark> {
    let (count, every) = (series.marks.len(), stride(series.marks.len()));
    series.marks.iter().enumerate().filter(move |(i, _)| i % every == 0 || i + 1 == count).map(|(_, m)| m)
}

/// The corner points of a step function that keeps each value until the next mark.
fn stepped(points: Vec<Pixel>) -> Vec<Pixel> {
    let corners = points.windows(2).flat_map(|w| [w[0], (w[1].0, w[0].1)]);
    let last = points.last().copied();
    corners.chain(last).collect()
}

/// Whether there are so many lines that bands which reach down to the frame, as those of upper limits do, would only fill it.
pub fn is_crowded(figure: &Figure) -> bool {
    figure.series.iter().filter(|s| s.look == Look::Line).count() > 3
}

fn band(root: &Area<'_>, places: &Places<'_, '_, '_>, series: &Series) -> Drawn {
    let marks: Vec<&Mark> = thinned(series).collect();
    let is_crowded = places.figure.y.scale == Scale::Log && is_crowded(places.figure);
    for run in marks.split(|m| m.interval.is_none() || (is_crowded && !m.resolved)) {
        let side = |end: usize| -> Vec<Pixel> {
            let edge = run.iter().filter_map(|m| places.at(m.x, m.interval?[end])).collect();
            if series.look == Look::Steps { stepped(edge) } else { edge }
        };
        let mut outline = side(1);
        outline.extend(side(0).into_iter().rev());
        if outline.len() > 3 {
            root.draw(&Polygon::new(outline, colour(series.style).mix(0.14).filled()))?;
        }
    }
    Ok(())
}

fn stroke(root: &Area<'_>, points: Vec<Pixel>, style: usize, look: Look) -> Drawn {
    if points.len() < 2 {
        return Ok(());
    }
    let thick = if look.is_thin() { 1 } else { 2 } * FINE as u32;
    let pen = colour(style).mix(if look == Look::Faint { PALE } else { 1.0 }).stroke_width(thick);
    match DASHES[style % DASHES.len()] {
        (0, _) => root.draw(&PathElement::new(points, pen))?,
        (dash, gap) => root.draw(&DashedPathElement::new(points, dash * FINE, gap * FINE, pen))?,
    }
    Ok(())
}

/// Part of the distance between two names that their bars take together.
const GROUP: f64 = 0.8;

/// The bars of the k-th of `count` series beside each other.
fn bars(root: &Area<'_>, places: &Places<'_, '_, '_>, series: &Series, (k, count): (usize, usize)) -> Drawn {
    let width = GROUP / count as f64;
    let base = if places.figure.y.scale == Scale::Log { f64::MIN_POSITIVE } else { 0.0 };
    let (ink, thin) = (colour(series.style), FINE as u32);
    for m in &series.marks {
        let left = m.x - GROUP / 2.0 + width * k as f64;
        let corners = [(left + 0.06 * width, base), (left + 0.94 * width, m.y)].map(|(x, y)| places.at(x, y));
        let ([Some(a), Some(b)], Some(at)) = (corners, places.at(left + 0.5 * width, m.y)) else { continue };
        if m.resolved {
            root.draw(&Rectangle::new([a, b], ink.mix(PALE).filled()))?;
        }
        root.draw(&Rectangle::new([a, b], ink.stroke_width(thin)))?;
        if let Some([low, high]) = m.interval
            && let (Some(a), Some(b)) = (places.at(left + 0.5 * width, low), places.at(left + 0.5 * width, high))
        {
            root.draw(&PathElement::new(vec![a, b], ink.stroke_width(thin)))?;
        }
        marker(root, at, series.style)?;
    }
    Ok(())
}

fn line(root: &Area<'_>, places: &Places<'_, '_, '_>, series: &Series) -> Drawn {
    if matches!(series.look, Look::Points | Look::Above) {
        return Ok(());
    }
    let pixels: Vec<Option<Pixel>> = thinned(series).map(|m| places.value(m)).collect();
    for run in pixels.split(Option::is_none) {
        let points: Vec<Pixel> = run.iter().flatten().copied().collect();
        let points = if series.look == Look::Steps { stepped(points) } else { points };
        stroke(root, points, series.style, series.look)?;
    }
    Ok(())
}

/// Markers at a dozen marks of a line, at all of a cloud, and an open triangle at every upper limit.
fn markers(root: &Area<'_>, places: &Places<'_, '_, '_>, series: &Series) -> Drawn {
    let drawn: Vec<&Mark> = thinned(series).collect();
    let every = match series.look {
        Look::Points | Look::Above => 1,
        Look::Reference | Look::Faint | Look::Steps => usize::MAX,
        Look::Line | Look::Bars => drawn.len().div_ceil(12).max(1),
    };
    let log = places.figure.y.scale == Scale::Log;
    let shown = |i: Option<usize>| i.and_then(|i| places.value(drawn.get(i)?)).is_some();
    for (i, m) in drawn.iter().enumerate() {
        let limit = m.interval.map_or(m.y, |ends| ends[1]);
        if series.look == Look::Above {
            if let Some(at) = places.at(m.x, m.y) {
                triangle(root, at, colour(series.style), -1)?;
            }
            continue;
        }
        if log && (!m.resolved || m.y <= 0.0) {
            if !series.look.is_thin()
                && i % every.min(drawn.len().div_ceil(40).max(1)) == 0
                && let Some(at) = places.at(m.x, limit)
            {
                triangle(root, at, colour(series.style), 1)?;
            }
            continue;
        }
        // markers of different series are shifted against each other, so that they stay visible on one line
        let alone = series.look == Look::Line && !shown(i.checked_sub(1)) && !shown(Some(i + 1));
        if !alone && (every == usize::MAX || !(i + series.style * every / 4).is_multiple_of(every)) {
            continue;
        }
        let Some(at) = places.value(m) else { continue };
        if let (Look::Points, Some([low, high])) = (series.look, m.interval)
            && let (Some(a), Some(b)) = (places.at(m.x, low), places.at(m.x, high))
        {
            root.draw(&PathElement::new(vec![a, b], colour(series.style).stroke_width(2 * FINE as u32)))?;
        }
        marker(root, at, series.style)?;
    }
    Ok(())
}

/// An open triangle that points down (`way` = 1: at most so much) or up (-1: more than that).
fn triangle(root: &Area<'_>, (x, y): Pixel, colour: RGBColor, way: i32) -> Drawn {
    let r = 4 * FINE;
    let base = y - way * r;
    let corners = vec![(x - r, base), (x + r, base), (x, y + way * r), (x - r, base)];
    root.draw(&PathElement::new(corners, colour.stroke_width(FINE as u32)))?;
    Ok(())
}

fn marker(root: &Area<'_>, (x, y): Pixel, style: usize) -> Drawn {
    let (r, fill) = (4 * FINE, colour(style).filled());
    match style % 6 {
        0 => root.draw(&Circle::new((x, y), r, fill))?,
        1 => root.draw(&Rectangle::new([(x - r, y - r), (x + r, y + r)], fill))?,
        2 => root.draw(&Polygon::new(vec![(x - r, y + r), (x + r, y + r), (x, y - r)], fill))?,
        3 => root.draw(&Polygon::new(vec![(x - r, y), (x, y + r), (x + r, y), (x, y - r)], fill))?,
        4 => root.draw(&Cross::new((x, y), r, colour(style).stroke_width(2 * FINE as u32)))?,
        _ => root.draw(&Circle::new((x, y), r, colour(style).stroke_width(2 * FINE as u32)))?,
    }
    Ok(())
}

fn key(root: &Area<'_>, series: &Series, left: i32, middle: i32) -> Drawn {
    if !matches!(series.look, Look::Points | Look::Above | Look::Bars) {
        stroke(root, vec![(left, middle), (left + 36 * FINE, middle)], series.style, series.look)?;
    }
    let centre = (left + 18 * FINE, middle);
    match series.look {
        Look::Line | Look::Points | Look::Bars => marker(root, centre, series.style)?,
        Look::Above => triangle(root, centre, colour(series.style), -1)?,
        Look::Steps | Look::Reference | Look::Faint => {}
    }
    let font = ("sans-serif", FONT * FINE).into_font();
    let at = (left + 42 * FINE, middle - FONT * FINE * 2 / 5);
    root.draw(&Text::new(series.label.clone(), at, font))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::figure::Axis;
    use super::*;

    fn figure(scale: Scale, ys: &[f64]) -> Figure {
        let mark = |(i, y): (usize, &f64)| Mark {
            x: i as f64,
            y: *y,
            interval: Some([y - 1.0, y + 1.0]),
            resolved: *y > 1.0,
            n: 3,
        };
        let marks: Vec<Mark> = ys.iter().enumerate().map(mark).collect();
        let series = |style| Series { label: format!("arm {style}"), style, look: Look::Line, marks: marks.clone() };
        Figure {
            name: "f".into(),
            title: "A title".into(),
            caption: String::new(),
            x: Axis::linear("iterations", "iteration"),
            y: Axis { label: "gap (reward)".into(), column: "gap".into(), scale },
            counted: "runs",
            series: (0..9).map(series).collect(),
        }
    }

    #[test]
    fn axes_key_and_title_are_written() {
        let text = svg(&figure(Scale::Linear, &[1.0, 2.0, 5.0])).expect("drawn");
        for word in ["A title", "iterations", "gap (reward)", "arm 0", "arm 8", "viewBox"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn numbers_without_a_place_stop_nothing() {
        for scale in [Scale::Linear, Scale::Log] {
            for ys in [&[][..], &[0.0], &[-1.0, f64::NAN, f64::INFINITY, 1e-300], &[5.0, 5.0], &[1e300, -1e300]] {
                let text = svg(&figure(scale.clone(), ys)).expect("drawn");
                assert!(!text.contains("NaN") && !text.contains("inf"), "{scale:?} {ys:?}");
            }
        }
    }

    #[test]
    fn long_lines_are_thinned_in_the_drawing_only() {
        let long: Vec<f64> = (0..5000).map(|i| f64::from(i % 7)).collect();
        let figure = figure(Scale::Linear, &long);
        assert!(thinned(&figure.series[0]).count() <= DRAWN + 1);
        assert_eq!(figure.csv().lines().count(), 1 + 9 * 5000);
    }
}
