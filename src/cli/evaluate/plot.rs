//! Curves in a terminal: braille dots, eight to a cell, or letters where only ASCII may be written. Every
//! curve is named at its right end, beside where it ends, so that it can be told without colour too.
//!
//! ```text
//!  131 ┤                       ⣀⡠⠤⠒ baseline    131.2
//!      │             ⣀⡠⠤⠒⠒⠉⠉
//!    0 ┼⣀⣀⡠⠤⠤⠒⠒⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ LinTS        12.9
//!      └┬───────────┬───────────┬
//!       0          300         600  requests
//! ```

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// Rows of the drawing.
const ROWS: usize = 16;
/// A drawing narrower than this shows nothing.
const LEAST_COLUMNS: usize = 16;
/// Of the axis, with its tick.
const MARGIN: usize = 8;
/// Foreground colours that are told apart on dark and light: blue, orange, green, magenta, cyan, red, yellow, grey.
const COLORS: [u8; 8] = [33, 208, 70, 170, 37, 160, 136, 244];

/// A line to draw.
pub(super) struct Curve {
    /// What it is.
    pub(super) name: String,
    /// Ascending x; finite.
    pub(super) points: Vec<(f64, f64)>,
}

/// How it may be drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    /// Columns of the whole.
    pub(super) width: usize,
    /// Nothing but ASCII.
    pub(super) ascii: bool,
    /// With colours.
    pub(super) color: bool,
}

/// The curves under a title, without a newline at the end.
pub(super) fn draw(title: &str, along: &str, curves: &[Curve], pen: Pen) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let right = points().map(|(x, _)| x).fold(0.0, f64::max);
    let top = points().map(|(_, y)| y).fold(0.0, f64::max);
    let names = curves.iter().map(|curve| curve.name.width()).max().unwrap_or(0);
    let columns = pen.width.saturating_sub(MARGIN + names + if pen.ascii { 12 } else { 10 }).max(LEAST_COLUMNS);
    if right <= 0.0 {
        return format!("{title}: nothing to draw");
    }
    let top = if top > 0.0 { top } else { 1.0 };
    let mut sheet = Sheet::new(columns, pen.ascii);
    for (which, curve) in curves.iter().enumerate() {
        sheet.trace(which, curve, right, top);
    }
    let labels = labels(curves, top);
    let mut text = format!("{title}\n");
    let [axis, tick, corner, floor] = if pen.ascii { ["|", "+", "+", "-"] } else { ["│", "┤", "└", "─"] };
    for (row, label) in labels.into_iter().enumerate() {
        let value = match row {
            0 => Some(top),
            _ if row == ROWS - 1 => Some(0.0),
            _ if row == ROWS / 2 => Some(top * (1.0 - (row as f64 + 0.5) / ROWS as f64)),
            _ => None,
        };
        let scale = value.map_or_else(String::new, short);
        let mark = if value.is_some() { tick } else { axis };
        _ = write!(text, "{scale:>6} {mark}{}", sheet.row(row, pen.color));
        if let Some(which) = label {
            let curve = &curves[which];
            let end = curve.points.last().map_or(0.0, |(_, y)| *y);
            let letter = if pen.ascii { format!("{} ", letter(which)) } else { String::new() };
            let pad = " ".repeat(names - curve.name.width());
            _ = write!(
                text,
                " {}",
                painted(which, &format!("{letter}{}{pad} {:>7}", curve.name, short(end)), pen.color)
            );
        }
        while text.ends_with(' ') {
            text.pop();
        }
        text.push('\n');
    }
    let middle = short(right / 2.0);
    let half = columns / 2;
    _ = writeln!(text, "{}{corner}{}", " ".repeat(MARGIN - 1), floor.repeat(columns));
    let end = short(right);
    let gap = (columns - half).saturating_sub(end.len() + middle.len() - middle.len() / 2);
    let start = half.saturating_sub(middle.len() / 2 + 1);
    _ = write!(text, "{}0{}{middle}{}{end} {along}", " ".repeat(MARGIN), " ".repeat(start), " ".repeat(gap));
    text
}

/// Which curve is named on which row: where it ends, or as near as there is room, in the order of their ends.
fn labels(curves: &[Curve], top: f64) -> [Option<usize>; ROWS] {
    let mut ends: Vec<(usize, f64)> =
        curves.iter().enumerate().filter_map(|(at, curve)| Some((at, curve.points.last()?.1))).collect();
    ends.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut rows = [None; ROWS];
    let mut next = 0;
    for (place, (which, y)) in ends.iter().enumerate() {
        let wanted = index((1.0 - y / top) * (ROWS as f64 - 1.0), ROWS - 1);
        // Room is left for all that come below.
        let last = (ROWS + place).saturating_sub(ends.len());
        let row = wanted.max(next).min(last);
        if let Some(slot) = rows.get_mut(row) {
            *slot = Some(*which);
        }
        next = row + 1;
    }
    rows
}

/// Cells to draw on: by cell the dots and whose they are.
struct Sheet {
    columns: usize,
    ascii: bool,
    cells: Vec<(u8, Option<usize>)>,
}

impl Sheet {
    fn new(columns: usize, ascii: bool) -> Self {
        Self { columns, ascii, cells: vec![(0, None); columns * ROWS] }
    }

    fn trace(&mut self, which: usize, curve: &Curve, right: f64, top: f64) {
        let (across, down) = if self.ascii { (self.columns, ROWS) } else { (2 * self.columns, 4 * ROWS) };
        let mut last: Option<usize> = None;
        let start = std::iter::once((0.0, 0.0));
        let points: Vec<(f64, f64)> = start.chain(curve.points.iter().copied()).collect();
        for column in 0..across {
            let x = right * (column as f64 + 0.5) / across as f64;
            let Some(y) = at(&points, x) else { break };
            let row = down - 1 - index(y / top * (down as f64 - 1.0) + 0.5, down - 1);
            // A steep curve leaves no gap.
            let from = last
                .map_or(row, |last| if last > row { last - 1 } else { last.min(row) })
                .max(row.min(last.unwrap_or(row)));
            for dot in row.min(from)..=row.max(from) {
                self.dot(which, column, dot);
            }
            last = Some(row);
        }
    }

    fn dot(&mut self, which: usize, column: usize, row: usize) {
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (cell, bits) = if self.ascii {
            (row * self.columns + column, 1)
        } else {
            (row / 4 * self.columns + column / 2, DOTS[row % 4][column % 2])
        };
        if let Some((dots, owner)) = self.cells.get_mut(cell) {
            *dots |= bits;
            *owner = Some(which);
        }
    }

    fn row(&self, row: usize, color: bool) -> String {
        let cells = &self.cells[row * self.columns..(row + 1) * self.columns];
        let mut text = String::new();
        for run in cells.chunk_by(|a, b| a.1 == b.1) {
            let plain: String = run
                .iter()
                .map(|(dots, owner)| match owner {
                    None => ' ',
                    Some(which) if self.ascii => letter(*which),
                    Some(_) => char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' '),
                })
                .collect();
            match run[0].1 {
                Some(which) => text.push_str(&painted(which, &plain, color)),
                None => text.push_str(&plain),
            }
        }
        text
    }
}

/// The value at `x`, between points on a straight line; `None` beyond the last.
fn at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let next = points.iter().position(|(px, _)| *px >= x)?;
    let (x1, y1) = points[next];
    let (x0, y0) = points[next.saturating_sub(1)];
    Some(if x1 > x0 { y0 + (y1 - y0) * (x - x0) / (x1 - x0) } else { y1 })
}

fn letter(which: usize) -> char {
    char::from(b'a' + u8::try_from(which % 26).unwrap_or(0))
}

fn painted(which: usize, text: &str, color: bool) -> String {
    if color { format!("\x1b[38;5;{}m{text}\x1b[39m", COLORS[which % COLORS.len()]) } else { text.to_owned() }
}

/// A number in at most six characters.
fn short(value: f64) -> String {
    match value.abs() {
        v if v < 1e-9 => "0".to_owned(),
        v if v < 0.1 => format!("{value:.3}"),
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        v if v < 100_000.0 => format!("{value:.0}"),
        _ => format!("{:.0}k", value / 1000.0),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=last before")]
fn index(at: f64, last: usize) -> usize {
    at.clamp(0.0, last as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves() -> Vec<Curve> {
        let line = |name: &str, slope: f64| Curve {
            name: name.to_owned(),
            points: (1..=10).map(|i| (60.0 * f64::from(i), slope * f64::from(i))).collect(),
        };
        vec![line("baseline", 10.0), line("ε-greedy", 5.0), line("LinTS", 4.9)]
    }

    #[test]
    fn it_fits_its_width_and_names_every_curve() {
        for width in [40, 80, 120] {
            for ascii in [false, true] {
                let text = draw("regret", "requests", &curves(), Pen { width, ascii, color: false });
                assert!(text.lines().all(|line| line.width() <= width.max(60)), "{width}:\n{text}");
                assert!(["baseline", "ε-greedy", "LinTS"].iter().all(|name| text.contains(name)), "{text}");
                assert!(text.contains("600 requests") && !text.contains('\x1b'), "{text}");
                assert!(!ascii || text.replace('ε', "e").is_ascii(), "{text}");
            }
        }
    }

    #[test]
    fn ends_stand_in_the_order_of_their_values() {
        let text = draw("regret", "requests", &curves(), Pen { width: 80, ascii: false, color: false });
        let line = |name: &str| text.lines().position(|line| line.contains(name)).unwrap();
        assert!(line("baseline") < line("ε-greedy") && line("ε-greedy") < line("LinTS"), "{text}");
        let many: Vec<Curve> = (0..40).map(|i| Curve { name: format!("c{i}"), points: vec![(1.0, 1.0)] }).collect();
        assert!(draw("many", "x", &many, Pen { width: 80, ascii: false, color: true }).contains("\x1b[38;5;33m"));
        assert!(draw("none", "x", &[], Pen { width: 80, ascii: false, color: true }).contains("nothing to draw"));
    }
}
