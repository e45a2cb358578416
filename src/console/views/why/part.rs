//! What the reasons are made of: parts of one or more rows that shorten, and then leave, where there is no room
//! for all of them, the least important first. Nothing is cut in silence: whoever draws them is told.

use ratatui::style::Style;

use super::super::super::widgets::number::{small, unit};
use super::super::super::widgets::segments::choose;
use super::super::super::widgets::wrap::wrap;
use super::super::super::widgets::{Canvas, figure};

/// One row on screen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    /// Words.
    Text(String, Style),
    /// What was expected of an arm: words, mean and uncertainty on an axis in that style, words on the right.
    Expected { text: String, mean: f64, uncertainty: f64, arm: Style, right: String, style: Style },
    /// A line of the reward's table; `None` in a heading.
    Term { name: String, numbers: [Option<f64>; 3], style: Style },
}

/// What is worth less is only there where the rest is whole.
const EXTRA: u8 = 45;
/// The headings of the reward's table.
const HEADINGS: [&str; 3] = ["value", "weight", "gives"];

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// In order of preference, each shorter than the one before.
    forms: Vec<Vec<Row>>,
    /// Lower shortens and goes first.
    keep: u8,
}

impl Part {
    /// A part of these forms.
    pub(super) fn new(forms: Vec<Vec<Row>>, keep: u8) -> Self {
        Self { forms, keep }
    }

    /// A text of as many lines as it takes, or of fewer, cut at the end of the last.
    pub(super) fn text(text: &str, width: u16, style: Style, keep: u8) -> Self {
        let lines = wrap(text, width);
        let form = |rows: usize| {
            let rest = lines[rows - 1..].join(" ");
            let whole = lines[..rows - 1].iter().cloned();
            whole.chain([rest]).map(|line| Row::Text(line, style)).collect()
        };
        Self { forms: (1..=lines.len()).rev().map(form).collect(), keep }
    }

    /// With this row where there is no room for the whole of it: instead of its beginning.
    pub(super) fn or(mut self, row: Row) -> Self {
        if self.forms.len() > 1 {
            self.forms.truncate(1);
            self.forms.push(vec![row]);
        }
        self
    }

    /// At most so many rows, where they are not all shown on purpose.
    pub(super) fn at_most(mut self, rows: usize) -> Self {
        let longer = self.forms.iter().take_while(|form| form.len() > rows).count();
        let last = self.forms.len().saturating_sub(1);
        self.forms.drain(..longer.min(last));
        self
    }
}

/// The rows of as much of `parts` as there is room for.
pub(super) fn fitted(parts: &[Part], room: u16) -> Vec<&Row> {
    let sizes: Vec<(Vec<usize>, u8)> =
        parts.iter().map(|part| (part.forms.iter().map(Vec::len).collect(), part.keep)).collect();
    let chosen = choose(&sizes, usize::from(room), 0, EXTRA);
    parts.iter().zip(chosen).filter_map(|(part, form)| part.forms.get(form)).flatten().collect()
}

/// The rows of all of `parts`.
pub(super) fn whole(parts: &[Part]) -> Vec<&Row> {
    parts.iter().filter_map(|part| part.forms.first()).flatten().collect()
}

/// Draws rows from above.
pub(super) fn draw(canvas: &mut Canvas<'_>, rows: &[&Row]) {
    for (y, row) in (0..canvas.height()).zip(rows) {
        draw_row(canvas, y, row);
    }
}

fn draw_row(canvas: &mut Canvas<'_>, y: u16, row: &Row) {
    let (theme, width) = (canvas.theme, canvas.width());
    match row {
        Row::Text(text, style) => drop(canvas.put_within(0, y, text, *style, width)),
        Row::Expected { text, mean, uncertainty, arm, right, style } => {
            let x = canvas.put_within(0, y, text, *style, width);
            let room = width.saturating_sub(x).saturating_sub(small(right.len()));
            figure::interval(canvas, (x, y), room.min(24), *mean, *uncertainty, *arm);
            if room > 0 {
                canvas.put_right(width, y, small(right.len()), right, theme.dim());
            }
        }
        Row::Term { name, numbers, style } => {
            let end = width.min(40);
            let columns = [end.saturating_sub(14), end.saturating_sub(7), end];
            canvas.put_within(0, y, name, *style, columns[0].saturating_sub(6));
            let is_heading = numbers.iter().all(Option::is_none);
            for ((end, number), heading) in columns.iter().zip(numbers).zip(HEADINGS) {
                match number {
                    Some(number) => canvas.put_right(*end, y, 7, &unit(*number), *style),
                    None if is_heading => canvas.put_right(*end, y, 6, heading, *style),
                    None => {}
                }
            }
        }
    }
}
