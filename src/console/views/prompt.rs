//! The prompt box, on the Race screen and in the Overview's last line. What the text area draws is
//! looked over afterwards: a prompt may hold characters that change direction or hide.

use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::count;
use super::super::widgets::wrap::wrap;
use crate::domain::text::is_showable;

/// The text and its cursor.
pub(super) fn area(canvas: &mut Canvas<'_>, model: &Model) {
    if canvas.width() < 2 || canvas.height() == 0 {
        return;
    }
    let (area, buffer) = canvas.raw();
    model.prompt.area().render(area, buffer);
    scrub(canvas);
}

/// How much there is of a text, for where not all of it is seen: `5000 characters in 87 lines`.
pub(super) fn size(characters: usize, lines: usize) -> String {
    let characters = count(characters as u64);
    if lines > 1 { format!("{characters} characters in {lines} lines") } else { format!("{characters} characters") }
}

/// The size of what is typed, where that is more than so many columns and rows show.
pub(super) fn size_of_draft(model: &Model, width: u16, rows: u16) -> Option<String> {
    let lines = model.prompt.area().lines();
    let needed: usize = lines.iter().map(|line| line.width() / usize::from(width.max(1)) + 1).sum();
    (needed > usize::from(rows)).then(|| size(model.prompt.characters(), lines.len()))
}

/// The first rows of `text`, looking only at as much of it as can matter; the last ends in a sign where there is more.
/// With it, whether there is more.
pub(super) fn head(text: &str, width: u16, rows: u16) -> (Vec<String>, bool) {
    let most = (usize::from(width) + 1) * (usize::from(rows) + 1);
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let mut lines = wrap(&text[..end], width);
    let is_more = end < text.len() || lines.len() > usize::from(rows);
    if is_more && rows > 0 {
        let last = lines.drain((usize::from(rows) - 1).min(lines.len())..).collect::<Vec<_>>().join(" ");
        // Longer than the row, so that it is cut where it is drawn.
        lines.push(last + &" ".repeat(usize::from(width) + 1));
    }
    (lines, is_more)
}

/// Replaces what must not reach a terminal in cells that another crate drew.
pub(super) fn scrub(canvas: &mut Canvas<'_>) {
    let (area, buffer) = canvas.raw();
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y))
                && !cell.symbol().chars().all(is_showable)
            {
                cell.set_symbol("·");
            }
        }
    }
}
