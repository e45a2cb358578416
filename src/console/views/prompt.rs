//! The prompt box, on the Race screen and in the Overview's last line. What the text area draws is
//! looked over afterwards: a prompt may hold characters that change direction or hide.

use ratatui::widgets::Widget;

use super::super::model::Model;
use super::super::widgets::Canvas;
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
