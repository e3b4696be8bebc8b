//! Draws a model: header, charts, numbers and keys, on a screen of any size.

use super::layout::{self, Panels};
use super::model::{Model, Standing};
use super::{series, text};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph, Wrap};

/// Rows a running mean may take.
const SMOOTHING: [usize; 8] = [1, 5, 10, 20, 50, 100, 200, 500];
/// Rows that may be shown; `None` is all.
const SPANS: [Option<usize>; 6] = [None, Some(3000), Some(1000), Some(300), Some(100), Some(30)];

/// What the user has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    smoothing: usize,
    span: usize,
    /// The gap's square instead of the gap.
    pub squared: bool,
    /// Keys are explained.
    pub help: bool,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice { smoothing: 2, span: 0, squared: false, help: false }
    }
}

impl Choice {
    /// Rows of the running mean.
    pub fn smooth(&self) -> usize {
        SMOOTHING[self.smoothing]
    }

    /// Rows shown, `None` for all.
    pub fn span(&self) -> Option<usize> {
        SPANS[self.span]
    }

    /// A longer or shorter running mean.
    pub fn change_smoothing(&mut self, longer: bool) {
        self.smoothing =
            if longer { (self.smoothing + 1).min(SMOOTHING.len() - 1) } else { self.smoothing.saturating_sub(1) };
    }

    /// Fewer or more rows.
    pub fn change_span(&mut self, fewer: bool) {
        self.span = if fewer { (self.span + 1).min(SPANS.len() - 1) } else { self.span.saturating_sub(1) };
    }
}

/// Styles of what is drawn. Every pair that colour tells apart differs in its marks too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    after: Style,
    before: Style,
    gap: Style,
    faint: Style,
    strong: Style,
}

impl Palette {
    /// Blue and orange of middle lightness, readable on light and on dark ground and by the colour-blind; or no colour at all.
    pub fn new(coloured: bool) -> Palette {
        let colour = |i| if coloured { Style::new().fg(Color::Indexed(i)) } else { Style::new() };
        let plain = Style::new();
        Palette {
            after: colour(33),
            before: colour(166),
            gap: colour(133),
            faint: plain.add_modifier(Modifier::DIM),
            strong: plain.add_modifier(Modifier::BOLD),
        }
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model, choice: &Choice, palette: &Palette) {
    let facts = text::facts(model);
    let Panels { header, returns, gap, numbers, footer } =
        layout::panels(frame.area(), facts.len() as u16, !model.gaps.is_empty());
    draw_header(frame, header, model, palette);
    if let Some(area) = returns {
        draw_returns(frame, area, model, choice, palette);
    }
    if let Some(area) = gap {
        draw_gap(frame, area, model, choice, palette);
    }
    if let Some(area) = numbers {
        let lines = facts.into_iter().map(|(name, value)| {
            let style = match name {
                "after" | "last 100" | "return" => palette.after,
                "before" | "update" => palette.before,
                "gap" | "S_out" => palette.gap,
                _ => Style::new(),
            };
            Line::from(vec![Span::styled(format!("{name:<10}"), style.patch(palette.strong)), Span::raw(value)])
        });
        let lines: Vec<Line<'_>> = lines.collect();
        let lines = if area.width >= 40 || lines.is_empty() { lines } else { lines.into_iter().map(narrow).collect() };
        let room = usize::from(area.height) > lines.len();
        let text = Paragraph::new(lines);
        frame.render_widget(if room { text.wrap(Wrap { trim: true }) } else { text }, area);
    }
    if let Some(area) = footer {
        draw_footer(frame, area, model, choice, palette);
    }
}

/// A line of numbers without the padding behind its name.
fn narrow(line: Line<'_>) -> Line<'_> {
    let spans = line.spans.into_iter().enumerate().map(|(i, span)| match i {
        0 => Span::styled(format!("{} ", span.content.trim_end()), span.style),
        _ => span,
    });
    Line::from(spans.collect::<Vec<_>>())
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: &Palette) {
    let standing = format!(" {} ", text::standing(model));
    let title = text::title(model);
    let progress = text::progress(model);
    if area.height < 2 {
        let line = format!("{} {}", standing.trim(), progress);
        return frame.render_widget(Paragraph::new(line).style(palette.strong), area);
    }
    let room = usize::from(area.width).saturating_sub(Line::raw(&standing).width() + 1);
    let title: String = title.chars().take(room.max(8)).collect();
    let mark = match model.standing() {
        Standing::Running | Standing::Waiting | Standing::Finished => Modifier::REVERSED,
        _ => Modifier::REVERSED | Modifier::BOLD,
    };
    let first = vec![
        Span::styled(title, palette.strong),
        Span::raw(" "),
        Span::styled(standing, Style::new().add_modifier(mark)),
    ];
    let mut second = vec![Span::raw(progress)];
    let (done, total) = model.progress();
    let room = usize::from(area.width).saturating_sub(Line::raw(second[0].content.as_ref()).width() + 3).min(40);
    if let Some(total) = total
        && room >= 10
    {
        let filled = (room as f64 * (done as f64 / total.max(1) as f64).clamp(0.0, 1.0)) as usize;
        second.push(Span::raw(format!("  {}{}", "█".repeat(filled), "░".repeat(room - filled))));
    }
    frame.render_widget(Paragraph::new(vec![Line::from(first), Line::from(second)]), area);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, model: &Model, choice: &Choice, palette: &Palette) {
    let (line, style) = match (&model.trouble, model.reading) {
        _ if choice.help => {
            let text =
                "q quit  ↑↓ +- smoothing  ←→ rows shown  s gap or its square  ? close; dots: 95 % interval of the mean";
            (text.to_string(), Style::new())
        }
        (Some(trouble), _) => (format!("! {}", text::clean(trouble)), palette.strong),
        (None, Some(part)) => (format!("reading rows, {:.0} %", 100.0 * part), palette.faint),
        (None, None) => ("q quit  ? keys".to_string(), palette.faint),
    };
    frame.render_widget(Paragraph::new(line).style(style), area);
}

fn draw_returns(frame: &mut Frame<'_>, area: Rect, model: &Model, choice: &Choice, palette: &Palette) {
    let rows = series::visible(&model.points, choice.span());
    let bins = usize::from(area.width.max(8) - 8);
    // as many rows in every mean as the thinnest curve stands for, so that the curves can be compared
    let smooth = choice.smooth().max(rows.len().div_ceil((bins / 2).max(1)));
    let curve = |bins, column| series::curve(&model.points, rows.clone(), smooth, bins, column);
    let (after, before) = (curve(2 * bins, |p| p.after), curve(bins / 2, |p| p.before));
    let (after_band, before_band) = (curve(bins / 2, |p| p.after).band, curve(bins / 2, |p| p.before).band);
    let online = model.is_online();
    // the returns of a lifetime are no independent units, so no interval over rows
    let (after_band, before_band) = if online { Default::default() } else { (after_band, before_band) };
    let lone = before.mean.is_empty();
    let names = match (online, lone) {
        (false, _) => ["── after", "•• before", " adaptation"],
        (true, false) => ["── last 100 episodes", "•• by update", ""],
        (true, true) => ["── by update", "", ""],
    };
    let title = Line::from(vec![
        Span::raw("return "),
        Span::styled(names[0], palette.after),
        Span::raw(if names[1].is_empty() { "" } else { " " }),
        Span::styled(names[1], palette.before),
        Span::raw(format!("{}, mean over {}", names[2], plural(smooth, "row"))),
        Span::raw(if rows.start > 0 { format!(", last {}", rows.len()) } else { String::new() }),
    ]);
    let dots =
        |data, marker, style| Dataset::default().data(data).marker(marker).graph_type(GraphType::Scatter).style(style);
    let sets = vec![
        dots(&before_band, Marker::Custom('·'), palette.before),
        dots(&after_band, Marker::Braille, palette.after),
        dots(&before.mean, Marker::Dot, palette.before),
        dots(&after.mean, Marker::Braille, palette.after).graph_type(GraphType::Line),
    ];
    let y = series::bounds([&before_band, &after_band, &before.mean, &after.mean]);
    draw_chart(frame, area, title, sets, (model.unit(), iterations(model, choice)), y);
}

fn draw_gap(frame: &mut Frame<'_>, area: Rect, model: &Model, choice: &Choice, palette: &Palette) {
    let x = iterations(model, choice);
    let from = if choice.span().is_none() { 0 } else { x[0] as u64 };
    let marks = series::marks(&model.gaps, from, usize::from(area.width.max(8) - 8), choice.squared);
    let what = match (model.is_online(), choice.squared) {
        (false, true) => "squared gap",
        (false, false) => "gap",
        (true, true) => "S_out",
        (true, false) => "root of S_out",
    };
    let mut title = vec![
        Span::raw("stationarity "),
        Span::styled(format!("● {what}"), palette.gap),
        Span::styled(" · interval", palette.gap),
    ];
    if model.unresolved() > 0 {
        let (few, all) = (model.unresolved(), model.gaps.len());
        title.push(Span::styled(format!(" v below resolution, upper limit ({few} of {all})"), palette.gap));
    }
    let dots = |data, mark| {
        Dataset::default().data(data).marker(Marker::Custom(mark)).graph_type(GraphType::Scatter).style(palette.gap)
    };
    let sets = vec![dots(&marks.ends, '·'), dots(&marks.below, 'v'), dots(&marks.resolved, '●')];
    let mut y = series::bounds([&marks.ends, &marks.below, &marks.resolved]);
    if !choice.squared {
        y[0] = y[0].max(0.0);
    }
    draw_chart(frame, area, Line::from(title), sets, (model.unit(), x), y);
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// First and last iteration shown.
fn iterations(model: &Model, choice: &Choice) -> [f64; 2] {
    let rows = &model.points[series::visible(&model.points, choice.span())];
    let first = rows.first().map_or(0, |p| p.iteration);
    let first =
        if choice.span().is_none() { first.min(model.gaps.first().map_or(first, |m| m.iteration)) } else { first };
    let last = rows.last().map_or(1, |p| p.iteration);
    [first as f64, last.max(first + 1) as f64]
}

fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Line<'_>,
    sets: Vec<Dataset<'_>>,
    (unit, x): (&'static str, [f64; 2]),
    y: [f64; 2],
) {
    let block = Block::new().borders(Borders::TOP).title(title);
    if area.height < 5 || area.width < 16 {
        return frame.render_widget(block, area);
    }
    let middle = if area.height >= 9 { vec![(y[0] + y[1]) / 2.0] } else { vec![] };
    let labels = std::iter::once(y[0]).chain(middle).chain([y[1]]).map(|v| format!("{:>8}", text::number(v)));
    let ticks = [text::count(x[0] as u64), text::count(x[1] as u64)];
    let chart = Chart::new(sets)
        .block(block)
        .x_axis(Axis::default().bounds(x).labels(ticks).title(unit))
        .y_axis(Axis::default().bounds(y).labels(labels))
        .legend_position(None);
    frame.render_widget(chart, area);
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::{info, model};
    use super::*;
    use crate::record::run::Status;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(model: &Model, choice: &Choice, coloured: bool, size: (u16, u16)) -> ratatui::buffer::Buffer {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("never fails");
        terminal.draw(|frame| draw(frame, model, choice, &Palette::new(coloured))).expect("never fails");
        terminal.backend().buffer().clone()
    }

    fn screen(model: &Model, choice: &Choice, size: (u16, u16)) -> String {
        let buffer = drawn(model, choice, true, size);
        let row = |y| (0..size.0).map(|x| buffer[(x, y)].symbol().to_string()).collect::<String>();
        (0..size.1).map(|y| row(y) + "\n").collect()
    }

    #[test]
    fn a_large_screen_shows_everything() {
        let text = screen(&model(100, true), &Choice::default(), (130, 40));
        for part in [
            "corner: sgmrl-lgo on navigation/sgmrl, seed 7  running ",
            "iteration 100/200, 50 %, 50.0 s elapsed, 50.0 s left",
            "return ── after •• before adaptation, mean over 10 rows",
            "4.456 [3.456, 5.456]",
            "-0.544 [-1.544, 0.456]",
            "● gap",
            "v below resolution, upper limit",
            "10 000",
            "2.000 iterations/s, 200.0 steps/s",
            "norm 0.3750, noise 0.1250",
            "coefficient 0.06250",
            "q quit",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn choices_change_the_charts() {
        let (m, mut choice) = (model(100, true), Choice::default());
        choice.change_smoothing(false);
        choice.change_smoothing(false);
        choice.change_smoothing(false);
        (0..5).for_each(|_| choice.change_span(true));
        (choice.squared, choice.help) = (true, true);
        let text = screen(&m, &choice, (130, 40));
        for part in ["mean over 1 row, last 30", "● squared gap", "smoothing"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        (0..99).for_each(|_| choice.change_smoothing(true));
        (0..99).for_each(|_| choice.change_span(false));
        assert_eq!((choice.smooth(), choice.span()), (500, None));
        assert!(screen(&m, &choice, (130, 40)).contains("mean over 500 rows"));
        assert!(screen(&m, &Choice { smoothing: 0, ..choice }, (60, 24)).contains("mean over 4 rows"), "thinned");
    }

    #[test]
    fn without_measurements_it_says_how_to_get_them() {
        let text = screen(&model(30, false), &Choice::default(), (80, 24));
        assert!(text.contains("run with --gap-every N") && !text.contains("● gap"), "{text}");
    }

    #[test]
    fn how_it_stands_is_said_in_words() {
        let mut m = Model { points: vec![], ..model(0, false) };
        assert!(screen(&m, &Choice::default(), (80, 24)).contains("waiting for the first row"));
        m = model(30, false);
        m.abandoned = true;
        assert!(screen(&m, &Choice::default(), (80, 24)).contains("killed?"));
        m.info = Some(info(Status::Finished));
        m.trouble = Some("metrics.jsonl: line 3".into());
        let text = screen(&m, &Choice::default(), (80, 24));
        assert!(text.contains(" finished ") && text.contains("! metrics.jsonl: line 3"), "{text}");
    }

    #[test]
    fn no_size_and_no_number_breaks_it() {
        let mut wild = model(40, true);
        for (i, p) in wild.points.iter_mut().enumerate() {
            p.after.mean = [1e308, -1e308, 5e-324, f64::NAN][i % 4];
            p.before.low = [None, Some(f64::NEG_INFINITY)][i % 2];
        }
        wild.gaps[2].gap.gap_squared_interval = [f64::NEG_INFINITY, f64::INFINITY];
        let models = [model(0, false), model(1, true), model(100, true), wild, Model::default()];
        let sizes = (1..=30).flat_map(|w| (1..=12).map(move |h| (w, h)));
        let more =
            [(40, 9), (60, 15), (80, 24), (99, 30), (100, 10), (101, 11), (200, 60), (300, 3), (24, 80), (500, 120)];
        for size in sizes.chain(more) {
            for m in &models {
                drawn(m, &Choice::default(), true, size);
                drawn(m, &Choice { help: true, squared: true, span: 5, ..Choice::default() }, false, size);
            }
        }
    }

    #[test]
    fn without_colour_there_is_none() {
        let coloured = |on| {
            let buffer = drawn(&model(100, true), &Choice::default(), on, (130, 40));
            buffer.content().iter().filter(|c| c.fg != Color::Reset || c.bg != Color::Reset).count()
        };
        assert_eq!(coloured(false), 0);
        assert!(coloured(true) > 100);
    }
}
