//! Charts over time: stacked bands, lines and columns on one time axis. The newest step is on the
//! right. While the history is short a step has a column (or half of one) of its own; when it grows,
//! whole steps are averaged into one, grouped by their absolute number, so that the picture does not
//! shimmer as it moves. What has no data stays blank.

use ratatui::style::Style;

use super::Canvas;
use super::number::{cells, small};
use crate::domain::clock::Timestamp;
use crate::domain::ratio::Ratio;

/// A step takes at most so many columns.
const WIDEST_STEP: u64 = 4;

/// How steps become columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TimeAxis {
    /// Columns.
    width: u16,
    /// Steps a column.
    per_column: u64,
    /// Columns that one such group of steps takes: more than one while the history is short.
    stretch: u16,
    /// The absolute number of the newest step.
    newest: u64,
    /// Seconds a step.
    step_s: f64,
    /// The end of the newest step.
    end: Timestamp,
}

impl TimeAxis {
    /// An axis of `width` columns that shows all of `count` steps of `step_s` seconds ending at `end`.
    pub(crate) fn new(width: u16, count: usize, step_s: f64, end: Timestamp) -> Option<Self> {
        if width == 0 || !step_s.is_finite() || step_s <= 0.0 {
            return None;
        }
        let (count, columns) = (u64::try_from(count).unwrap_or(u64::MAX), u64::from(width));
        // Whole steps a column: rather the newest of the history on all columns than all of it on some,
        // unless that would hide more than a quarter.
        let fewer = (count / columns).max(1);
        let hidden = count.saturating_sub(fewer.saturating_mul(columns));
        let per_column = if hidden > count / 4 { count.div_ceil(columns) } else { fewer };
        let newest = end.millis() / whole_millis(step_s);
        let stretch = columns.checked_div(count).unwrap_or(1).clamp(1, WIDEST_STEP);
        let stretch = u16::try_from(stretch).unwrap_or(1);
        Some(Self { width, per_column, stretch, newest, step_s, end })
    }

    /// The same span of time in half columns.
    pub(crate) fn halved(&self) -> Self {
        let width = self.width.saturating_mul(2);
        if self.per_column.is_multiple_of(2) {
            Self { width, per_column: self.per_column / 2, ..*self }
        } else {
            Self { width, stretch: self.stretch.saturating_mul(2), ..*self }
        }
    }

    /// Means by column, oldest first; `None` where no step of a column had data.
    pub(crate) fn resample(&self, values: &[Option<Ratio>]) -> Vec<Option<f64>> {
        let stretch = usize::from(self.stretch);
        let groups = usize::from(self.width) / stretch;
        let mut sums = vec![(0.0, 0_u32); groups];
        let newest_group = self.newest / self.per_column;
        for (age, value) in values.iter().rev().enumerate() {
            let step = self.newest.saturating_sub(u64::try_from(age).unwrap_or(u64::MAX));
            let behind = usize::try_from(newest_group - step / self.per_column).unwrap_or(usize::MAX);
            if behind >= groups {
                break;
            }
            if let Some(value) = value {
                let (sum, n) = &mut sums[groups - 1 - behind];
                *sum += value.get();
                *n += 1;
            }
        }
        let means = sums.into_iter().map(|(sum, n)| (n > 0).then(|| sum / f64::from(n)));
        let blank = usize::from(self.width) - groups * stretch;
        std::iter::repeat_n(None, blank).chain(means.flat_map(|mean| std::iter::repeat_n(mean, stretch))).collect()
    }

    /// The column of a moment, where it is on the axis.
    pub(crate) fn column(&self, at: Timestamp) -> Option<u16> {
        let group = at.millis() / whole_millis(self.step_s) / self.per_column;
        let behind = (self.newest / self.per_column).checked_sub(group)?;
        let columns = u16::try_from(behind).ok()?.checked_mul(self.stretch)?;
        (self.width > columns).then(|| self.width - 1 - columns)
    }

    /// Seconds from the left edge to the right.
    pub(crate) fn span_s(&self) -> f64 {
        f64::from(self.width / self.stretch) * self.per_column as f64 * self.step_s
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and clamped")]
fn whole_millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().clamp(1.0, 1e15) as u64
}

/// How many of the newest steps matter: up to the oldest that has data in any of `series`.
pub(crate) fn extent<'a>(series: impl Iterator<Item = &'a [Option<Ratio>]>) -> usize {
    series
        .map(|values| values.iter().position(Option::is_some).map_or(0, |first| values.len() - first))
        .max()
        .unwrap_or(0)
}

/// One band or line: where the arm stands in the configured order, and its value by column.
pub(crate) struct Trace {
    /// The arm's place, for colour and glyph.
    pub(crate) index: usize,
    /// By column, oldest first.
    pub(crate) values: Vec<Option<f64>>,
}

/// Shares stacked from below, one band per trace. Gives the row range of each band in the last
/// column that has data, for labels beside it.
pub(crate) fn bands(canvas: &mut Canvas<'_>, traces: &[Trace]) -> Vec<(usize, f64, f64)> {
    let (width, height) = (canvas.width(), canvas.height());
    let mut newest = Vec::new();
    for x in 0..width {
        let at = |trace: &Trace| trace.values.get(usize::from(x)).copied().flatten();
        let total: f64 = traces.iter().filter_map(at).sum();
        if total <= 0.0 {
            continue;
        }
        let mut base = 0.0;
        let mut column = Vec::with_capacity(traces.len());
        for trace in traces {
            let share = at(trace).unwrap_or(0.0) / total;
            if share > 0.0 {
                column.push((trace.index, base, base + share));
                base += share;
            }
        }
        for row in 0..height {
            band_cell(canvas, x, row, &column);
        }
        newest = column;
    }
    newest
}

/// One cell of a band chart: the border between two bands is drawn in eighths where there is colour.
fn band_cell(canvas: &mut Canvas<'_>, x: u16, row: u16, column: &[(usize, f64, f64)]) {
    let height = canvas.height();
    let (low, high) = (f64::from(height - 1 - row) / f64::from(height), f64::from(height - row) / f64::from(height));
    let holder = |at: f64| column.iter().find(|(_, from, to)| (*from..*to).contains(&at)).or(column.last());
    let Some(&(lower, _, top)) = holder(low + 1e-9) else { return };
    let Some(&(upper, ..)) = holder(high - 1e-9) else { return };
    let theme = canvas.theme;
    if theme.is_colourless() || theme.glyphs.ascii {
        let Some(&(middle, ..)) = holder(low.midpoint(high)) else { return };
        canvas.put(x, row, theme.arm_glyph(middle), theme.arm(middle));
    } else if lower == upper {
        canvas.put(x, row, theme.glyphs.level[8], theme.arm(lower));
    } else {
        let filled = usize::from(cells((top - low) * f64::from(height), 8));
        let above = theme.arm(upper).fg;
        let style = above.map_or_else(|| theme.arm(lower), |above| theme.arm(lower).bg(above));
        canvas.put(x, row, if filled == 0 { " " } else { theme.glyphs.level[filled] }, style);
    }
}

/// Lines in dots of a half by a quarter cell; `values` of a trace are by half column. The first trace
/// lies on top. Without colour or Unicode a line is a row of the arm's glyphs.
pub(crate) fn lines(canvas: &mut Canvas<'_>, traces: &[Trace], range: (f64, f64)) {
    let dotted = !(canvas.theme.is_colourless() || canvas.theme.glyphs.ascii);
    let (width, height) = (usize::from(canvas.width()), usize::from(canvas.height()));
    if width == 0 || height == 0 {
        return;
    }
    for trace in traces.iter().rev() {
        let style = canvas.theme.arm(trace.index);
        if dotted {
            dots(canvas, trace, range, style);
        } else {
            for (i, value) in trace.values.iter().enumerate() {
                if let Some(value) = value {
                    let row = place(*value, range, height);
                    let glyph = canvas.theme.arm_glyph(trace.index);
                    canvas.put(small(i / 2), small(row), glyph, style);
                }
            }
        }
    }
}

/// The row of `value`, 0 being the highest of `rows`.
fn place(value: f64, (low, high): (f64, f64), rows: usize) -> usize {
    let span = (high - low).max(f64::EPSILON);
    rows - 1 - usize::from(cells((value - low) / span, small(rows - 1)))
}

fn dots(canvas: &mut Canvas<'_>, trace: &Trace, range: (f64, f64), style: Style) {
    // Bits of a braille cell by column and row.
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let (width, height) = (usize::from(canvas.width()), usize::from(canvas.height()));
    let mut grid = vec![0_u8; width * height];
    let mut before: Option<usize> = None;
    for (i, value) in trace.values.iter().take(width * 2).enumerate() {
        let Some(value) = value else {
            before = None;
            continue;
        };
        let row = place(*value, range, height * 4);
        // A steep line is drawn through, so that it stays one line.
        let from = before.unwrap_or(row);
        for dot in from.min(row)..=from.max(row) {
            grid[dot / 4 * width + i / 2] |= BITS[i % 2][dot % 4];
        }
        before = Some(row);
    }
    for (at, bits) in grid.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        let glyph = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ');
        canvas.put(small(at % width), small(at / width), glyph.encode_utf8(&mut [0; 4]), style);
    }
}

/// Columns from below, in eighths, against 0 … `high`.
pub(crate) fn columns(canvas: &mut Canvas<'_>, values: &[Option<f64>], high: f64, style: Style) {
    let height = canvas.height();
    for (x, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let eighths = cells(value / high.max(f64::EPSILON), height.saturating_mul(8)).max(1);
        for row in 0..height {
            let filled = usize::from(eighths.saturating_sub((height - 1 - row) * 8).min(8));
            if filled > 0 {
                canvas.put(small(x), row, canvas.theme.glyphs.level[filled], style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::super::super::settings::{Background, ColorDepth};
    use super::super::super::theme::Theme;
    use super::*;

    fn drawn(width: u16, height: u16, depth: ColorDepth, draw: impl FnOnce(&mut Canvas<'_>)) -> Vec<String> {
        let theme = Theme::new(depth, Background::Dark, false);
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&mut Canvas::new(&mut buf, &theme));
        buf.content()
            .chunks(usize::from(width))
            .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    #[test]
    fn bands_fill_the_whole_and_tell_arms_apart_without_colour() {
        let traces = [Trace { index: 0, values: vec![Some(0.5)] }, Trace { index: 1, values: vec![Some(0.5)] }];
        assert_eq!(drawn(1, 4, ColorDepth::None, |c| drop(bands(c, &traces))), ["■", "■", "●", "●"]);
        let lone = [Trace { index: 0, values: vec![Some(0.2), None] }];
        assert_eq!(drawn(2, 2, ColorDepth::None, |c| drop(bands(c, &lone))), ["● ", "● "]);
    }

    #[test]
    fn a_step_has_its_own_column_until_they_no_longer_fit() {
        let values = |n: u32| (0..n).map(|i| Ratio::new(f64::from(i) / 10.0)).collect::<Vec<_>>();
        let axis = TimeAxis::new(4, 3, 1.0, Timestamp::from_millis(7_000)).unwrap();
        assert_eq!(axis.resample(&values(3)), [None, Some(0.0), Some(0.1), Some(0.2)]);
        // Eight steps in four columns: pairs by absolute number, so the newest may be alone.
        let axis = TimeAxis::new(4, 8, 1.0, Timestamp::from_millis(8_000)).unwrap();
        let found: Vec<f64> = axis.resample(&values(8)).into_iter().flatten().collect();
        let expected = [0.25, 0.45, 0.6, 0.7];
        assert!(found.len() == 4 && (found[3] - expected[3]).abs() < 1e-9, "{found:?}");
        assert_eq!(axis.column(Timestamp::from_millis(8_000)), Some(3));
        assert_eq!(axis.column(Timestamp::from_millis(9_000_000)), None);
        // Two steps in five columns: two columns each, and the same in half columns.
        let axis = TimeAxis::new(5, 2, 1.0, Timestamp::from_millis(7_000)).unwrap();
        assert_eq!(axis.resample(&values(2)), [None, Some(0.0), Some(0.0), Some(0.1), Some(0.1)]);
        assert_eq!(axis.halved().resample(&values(2)).iter().flatten().count(), 8);
        assert_eq!(axis.column(Timestamp::from_millis(6_000)), Some(2));
    }

    #[test]
    fn a_line_breaks_where_there_is_no_data() {
        let traces = [Trace { index: 0, values: vec![Some(0.0), None, Some(1.0), Some(1.0)] }];
        assert_eq!(drawn(2, 1, ColorDepth::Indexed, |c| lines(c, &traces, (0.0, 1.0))), ["⡀⠉"]);
    }

    proptest! {
        #[test]
        fn charts_never_panic(
            width in 0u16..40, height in 0u16..10,
            raw in proptest::collection::vec(proptest::option::of(0.0f64..=1.0), 0..90),
            step in 0.0f64..20.0, end in 0u64..100_000, low in -1.0f64..1.0,
        ) {
            let theme = Theme::new(ColorDepth::True, Background::Dark, false);
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            let mut canvas = Canvas::new(&mut buf, &theme);
            let values: Vec<Option<Ratio>> = raw.iter().map(|v| v.and_then(Ratio::new)).collect();
            if let Some(axis) = TimeAxis::new(width, extent([values.as_slice()].into_iter()), step, Timestamp::from_millis(end)) {
                let column = axis.resample(&values);
                bands(&mut canvas, &[Trace { index: 0, values: column.clone() }, Trace { index: 9, values: column.clone() }]);
                lines(&mut canvas, &[Trace { index: 3, values: column.clone() }], (low, low));
                columns(&mut canvas, &column, low, Style::new());
            }
        }
    }
}
