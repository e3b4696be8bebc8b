//! Where the panels go: which of them a screen of a given size has room for.

use ratatui::layout::Rect;

/// Least width beside which the numbers get a column of their own.
const WIDE: u16 = 100;
/// Width of that column.
const COLUMN: u16 = 47;
/// Least size of a chart with its title and axes.
const CHART: (u16, u16) = (24, 7);
/// Lines of numbers that are kept where there is also a chart.
const FEW: u16 = 4;

/// Panels and their places; what does not fit has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Panels {
    /// What the run is, how it stands, how far it is: two lines, one on a very small screen.
    pub header: Rect,
    /// Chart of returns.
    pub returns: Option<Rect>,
    /// Chart of the gap.
    pub gap: Option<Rect>,
    /// Lines of numbers, most important first.
    pub numbers: Option<Rect>,
    /// Keys, or what went wrong.
    pub footer: Option<Rect>,
}

/// Cuts `height` lines off the top of `area`.
fn take(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let top = Rect { height, ..*area };
    (area.y, area.height) = (area.y + height, area.height - height);
    top
}

/// Places the panels on `area`. `lines` numbers want to be shown; without `gap` there is no chart of the gap.
///
/// With less and less room the gap's chart goes first (its last value stays among the numbers), then the less important
/// numbers, then the chart of returns, then the keys, then the numbers: the header is left.
pub fn panels(area: Rect, lines: u16, gap: bool) -> Panels {
    let mut rest = area;
    let header = take(&mut rest, if area.height >= 4 { 2 } else { 1 });
    let mut panels = Panels { header, ..Panels::default() };
    if area.height >= 6 {
        rest.height -= 1;
        panels.footer = Some(Rect { y: rest.y + rest.height, height: 1, ..rest });
    }
    if rest.height == 0 || rest.width == 0 {
        return panels;
    }
    let (mut charts, mut numbers) = (rest, rest);
    if area.width >= WIDE && rest.height >= CHART.1 {
        charts.width -= COLUMN;
        numbers = Rect { x: rest.x + charts.width + 1, width: COLUMN - 1, ..rest };
    } else {
        let chart_fits = rest.width >= CHART.0 && rest.height >= CHART.1 + FEW;
        let wanted = if gap { 2 * CHART.1 } else { CHART.1 };
        let most = if chart_fits { rest.height.saturating_sub(wanted).max(FEW) } else { rest.height };
        let height = most.min(lines);
        charts.height = if chart_fits { rest.height - height } else { 0 };
        numbers = Rect { y: rest.y + charts.height, height, ..numbers };
    }
    panels.numbers = Some(numbers);
    if charts.height >= CHART.1 {
        let both = gap && charts.height >= 2 * CHART.1;
        let height = if both { charts.height.div_ceil(2) } else { charts.height };
        panels.returns = Some(take(&mut charts, height));
        panels.gap = both.then_some(charts);
    }
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(p: &Panels) -> Vec<Rect> {
        [Some(p.header), p.returns, p.gap, p.numbers, p.footer].into_iter().flatten().collect()
    }

    #[test]
    fn panels_never_overlap_nor_leave_the_screen() {
        for (width, height) in (0..140).flat_map(|w| (0..60).map(move |h| (w, h))) {
            for gap in [false, true] {
                let area = Rect { x: 0, y: 0, width, height };
                let rects = all(&panels(area, 9, gap));
                for (i, a) in rects.iter().enumerate() {
                    assert!(area.intersection(*a) == *a || a.is_empty(), "{width}x{height}: {a:?}");
                    assert!(rects[i + 1..].iter().all(|b| !a.intersects(*b)), "{width}x{height}: {rects:?}");
                }
            }
        }
    }

    #[test]
    fn panels_go_in_order_of_importance() {
        let shown = |width, height| {
            let p = panels(Rect { x: 0, y: 0, width, height }, 9, true);
            (p.returns.is_some(), p.gap.is_some(), p.numbers.map_or(0, |n| n.height), p.footer.is_some())
        };
        assert_eq!(shown(120, 40), (true, true, 37, true), "numbers in a column of their own");
        assert_eq!(shown(80, 40), (true, true, 9, true));
        assert_eq!(shown(80, 24), (true, true, 7, true));
        assert_eq!(shown(80, 20), (true, false, 4, true));
        assert_eq!(shown(80, 13), (false, false, 9, true));
        assert_eq!(shown(20, 40), (false, false, 9, true), "too narrow for a chart");
        assert_eq!(shown(20, 5), (false, false, 3, false));
        assert_eq!(shown(1, 1), (false, false, 0, false));
    }
}
