//! Figures of one row: a share bar, an interval on a shared axis, a sparkline with gaps.
//!
//! ```text
//! ████████▎        ···········├──●──┤···        ▂▃▅ ▆▅▆▇
//! ```

use ratatui::style::Style;

use super::Canvas;
use super::number::{cells, small};
use crate::domain::ratio::Ratio;

/// A bar of `value` (in [0, 1]) in eighths of a cell.
pub(crate) fn bar(canvas: &mut Canvas<'_>, x: u16, y: u16, width: u16, value: f64, style: Style) {
    let eighths = cells(value, width.saturating_mul(8));
    let glyphs = canvas.theme.glyphs.bar;
    // What is above zero is never drawn as nothing.
    let eighths = if value > 0.0 { eighths.max(1) } else { eighths };
    for i in 0..width {
        let filled = usize::from(eighths.saturating_sub(i * 8).min(8));
        if filled > 0 {
            let glyph = if canvas.theme.glyphs.ascii && i == 0 { "#" } else { glyphs[filled] };
            canvas.put(x + i, y, glyph, style);
        }
    }
}

/// `mean ± uncertainty` on the axis from 0 to 1. Ends that lie outside are drawn at the edge.
pub(crate) fn interval(canvas: &mut Canvas<'_>, at: (u16, u16), width: u16, mean: f64, uncertainty: f64, style: Style) {
    let (x, y) = at;
    if width < 5 || !mean.is_finite() || !uncertainty.is_finite() {
        return;
    }
    let [left, line, centre, right, outside] = canvas.theme.glyphs.interval;
    // Drawn symmetric around the mean: rounding three places by themselves would tilt a narrow interval.
    let (middle, half) = (cells(mean, width - 1), cells(uncertainty, width - 1));
    let (from, to) = (middle.saturating_sub(half), middle.saturating_add(half).min(width - 1));
    let dim = canvas.theme.dim();
    for i in 0..width {
        let (glyph, style) = match i {
            i if i == middle => (centre, style),
            i if i == from => (left, style),
            i if i == to => (right, style),
            i if from < i && i < to => (line, style),
            _ => (outside, dim),
        };
        canvas.put(x + i, y, glyph, style);
    }
}

/// The newest `width` values against `range`, right-aligned; gaps stay blank.
pub(crate) fn sparkline(
    canvas: &mut Canvas<'_>,
    at: (u16, u16),
    width: u16,
    values: &[Option<Ratio>],
    range: (f64, f64),
    style: Style,
) {
    let (x, y) = at;
    let newest = &values[values.len().saturating_sub(usize::from(width))..];
    let start = width.saturating_sub(small(newest.len()));
    for (i, value) in newest.iter().enumerate() {
        if let Some(value) = value {
            let glyph = canvas.theme.glyphs.level[level(value.get(), range)];
            canvas.put(x + start + small(i), y, glyph, style);
        }
    }
}

/// The height of `value` within `range` in eighths, at least one.
fn level(value: f64, (low, high): (f64, f64)) -> usize {
    let span = (high - low).max(f64::EPSILON);
    usize::from(cells((value - low) / span, 8)).max(1)
}

/// A gauge of `value` with its empty cells drawn too.
pub(crate) fn gauge(canvas: &mut Canvas<'_>, x: u16, y: u16, width: u16, value: f64, style: Style) {
    let filled = cells(value, width);
    let (full, empty) = (canvas.theme.glyphs.bar[8], canvas.theme.glyphs.empty);
    let dim = canvas.theme.dim();
    for i in 0..width {
        let (glyph, style) = if i < filled { (full, style) } else { (empty, dim) };
        canvas.put(x + i, y, glyph, style);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::super::super::settings::{Background, ColorDepth};
    use super::super::super::theme::Theme;
    use super::*;

    fn row(width: u16, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
        let theme = Theme::new(ColorDepth::None, Background::Dark, false);
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
        draw(&mut Canvas::new(&mut buf, &theme));
        buf.content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_bar_shows_eighths_and_never_hides_a_little() {
        let at = |value| row(4, |c| bar(c, 0, 0, 4, value, Style::new()));
        assert_eq!(at(1.0), "████");
        assert_eq!(at(0.5), "██  ");
        assert_eq!(at(0.001), "▏   ");
        assert_eq!(at(0.0), "    ");
        assert_eq!(at(f64::NAN), "    ");
    }

    #[test]
    fn an_interval_lies_on_the_axis_and_is_cut_at_its_ends() {
        let at = |mean, u| row(11, |c| interval(c, (0, 0), 11, mean, u, Style::new()));
        assert_eq!(at(0.5, 0.2), "···├─●─┤···");
        assert_eq!(at(0.95, 0.3), "·······├──●");
        assert_eq!(at(0.5, 0.0), "·····●·····");
        assert_eq!(at(f64::NAN, 0.1), "           ");
    }

    #[test]
    fn a_sparkline_keeps_its_gaps() {
        let values = [Ratio::new(0.0), None, Ratio::new(1.0)];
        assert_eq!(row(4, |c| sparkline(c, (0, 0), 4, &values, (0.0, 1.0), Style::new())), " ▁ █");
    }
}
