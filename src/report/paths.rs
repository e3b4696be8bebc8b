//! Paths in the plane before and after adaptation, as an SVG that still reads in greyscale.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// One path: positions in time order.
pub type Path = Vec<[f64; 2]>;

/// One panel: a task, and how the agent moved in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Heading.
    pub title: String,
    /// Where to go.
    pub goal: [f64; 2],
    /// Paths of the initialisation.
    pub before: Vec<Path>,
    /// Paths after adaptation.
    pub after: Vec<Path>,
}

const SIDE: u32 = 360;
const HEADER: u32 = 64;
const LIGHT: RGBColor = RGBColor(140, 140, 140);
const DARK: RGBColor = RGBColor(20, 60, 130);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Square that holds everything in all panels: lower left corner and side, with a margin.
fn frame(panels: &[Panel]) -> ([f64; 2], f64) {
    let points = panels.iter().flat_map(|p| p.before.iter().chain(&p.after).flatten().chain([&p.goal]));
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for point in points.filter(|p| p.iter().all(|x| x.is_finite())) {
        for i in 0..2 {
            low[i] = low[i].min(point[i]);
            high[i] = high[i].max(point[i]);
        }
    }
    if low[0] > high[0] {
        return ([-1.0; 2], 2.0);
    }
    let side = 1.1 * (high[0] - low[0]).max(high[1] - low[1]).max(1e-3);
    ([0, 1].map(|i| 0.5 * (low[i] + high[i]) - 0.5 * side), side)
}

/// Draws the panels, two in a row, on common axes. `heading` says what is shown.
///
/// # Errors
/// The drawing library's own, in words.
pub fn svg(heading: &str, panels: &[Panel]) -> Result<String, String> {
    let columns = panels.len().clamp(1, 2);
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (SIDE * columns as u32, HEADER + SIDE * rows as u32);
    let mut text = String::new();
    draw(&mut text, size, heading, panels, (rows, columns)).map_err(|e| e.to_string())?;
    Ok(text)
}

fn draw(
    text: &mut String,
    size: (u32, u32),
    heading: &str,
    panels: &[Panel],
    grid: (usize, usize),
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, body) = root.split_vertically(HEADER);
    header(&top, heading)?;
    let (corner, side) = frame(panels);
    for (panel, area) in panels.iter().zip(body.split_evenly(grid)) {
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .caption(&panel.title, ("sans-serif", 14))
            .x_label_area_size(34)
            .y_label_area_size(44)
            .build_cartesian_2d(corner[0]..corner[0] + side, corner[1]..corner[1] + side)?;
        let tick = |x: &f64| format!("{}", (x * 1e6).round() / 1e6 + 0.0); // and never "-0"
        let mut mesh = chart.configure_mesh();
        mesh.x_desc("x").y_desc("y").x_labels(5).y_labels(5).light_line_style(WHITE);
        mesh.x_label_formatter(&tick).y_label_formatter(&tick).draw()?;
        paths(&mut chart, panel, corner, side)?;
    }
    root.present()?;
    Ok(())
}

/// Heading and key: dashed and light before, solid and dark after, a cross at the goal.
fn header(area: &Area<'_>, heading: &str) -> Result<(), Box<dyn std::error::Error>> {
    let style = ("sans-serif", 14).into_font();
    area.draw(&Text::new(heading.to_string(), (12, 10), style.clone()))?;
    for k in 0..3 {
        area.draw(&PathElement::new(vec![(12 + 12 * k, 46), (18 + 12 * k, 46)], LIGHT.stroke_width(2)))?;
    }
    area.draw(&Text::new("before", (54, 38), style.clone()))?;
    area.draw(&PathElement::new(vec![(120, 46), (152, 46)], DARK.stroke_width(2)))?;
    area.draw(&Text::new("after adaptation", (160, 38), style.clone()))?;
    area.draw(&Cross::new((290, 46), 6, BLACK.stroke_width(3)))?;
    area.draw(&Text::new("goal", (302, 38), style))?;
    Ok(())
}

fn paths(
    chart: &mut Chart<'_, '_>,
    panel: &Panel,
    corner: [f64; 2],
    side: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let inside = |p: &[f64; 2]| {
        // A path that left for infinity must not stop the drawing.
        let hold = |x: f64, low: f64| if x.is_finite() { x.clamp(low, low + side) } else { low };
        (hold(p[0], corner[0]), hold(p[1], corner[1]))
    };
    for path in &panel.before {
        chart.draw_series(DashedLineSeries::new(path.iter().map(inside), 5, 4, LIGHT.stroke_width(1)))?;
    }
    for path in &panel.after {
        chart.draw_series(LineSeries::new(path.iter().map(inside), DARK.stroke_width(1)))?;
    }
    let starts: Vec<(f64, f64)> =
        panel.before.iter().chain(&panel.after).filter_map(|p| p.first().map(inside)).collect();
    chart.draw_series(starts.into_iter().map(|s| Circle::new(s, 3, BLACK.filled())))?;
    chart.draw_series([Cross::new(inside(&panel.goal), 6, BLACK.stroke_width(3))])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(goal: [f64; 2]) -> Panel {
        let path = vec![[0.0, 0.0], [0.1, 0.2], goal];
        Panel { title: "task 1".into(), goal, before: vec![path.clone()], after: vec![path] }
    }

    #[test]
    fn the_drawing_names_its_axes_and_lines() {
        let text = svg("paths", &[panel([0.3, -0.4]), panel([0.5, 0.5]), panel([1.0, 0.0])]).expect("drawn");
        for word in ["<svg", "before", "after adaptation", "goal", "task 1", "</svg>"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn paths_that_left_for_infinity_are_held_at_the_border() {
        let mut wild = panel([0.3, 0.4]);
        wild.after[0].push([f64::NAN, f64::INFINITY]);
        let text = svg("paths", &[wild]).expect("drawn");
        assert!(!text.contains("NaN"));
        svg("nothing", &[]).expect("an empty drawing");
    }

    #[test]
    fn the_frame_is_square_and_holds_everything() {
        let (corner, side) = frame(&[panel([2.0, 1.0])]);
        assert!(corner[0] < 0.0 && corner[1] < 0.0 && corner[0] + side > 2.0 && corner[1] + side > 1.0);
    }
}
