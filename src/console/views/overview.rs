//! What a person on call keeps open all day.
//!
//! ```text
//! ┌ Arms ───────────────────────────────────────────────┐
//! └─────────────────────────────────────────────────────┘
//! ┌ Traffic share ──┐┌ Reward ────────┐┌ Fallback rate ─┐
//! └─────────────────┘└────────────────┘└────────────────┘
//! ┌ Alarms ──────────────────┐┌ Latest runs ────────────┐
//! └──────────────────────────┘└─────────────────────────┘
//! ```
//!
//! With less height the charts shrink first, then go; with less width the fallback chart and the runs
//! go, because the header has the one and the Race screen the others.

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use super::{alarms, arms, charts, runs};

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let (width, height) = (canvas.width(), canvas.height());
    let rows = small(model.shown().arms.len()).max(2);
    let wanted = rows.saturating_add(3);
    let (table, bottom) = heights(height, wanted, small(model.alarms().count()));
    let middle = height.saturating_sub(table).saturating_sub(bottom);
    arms::draw(&mut canvas.part(0, 0, width, table), model);
    charts::draw(&mut canvas.part(0, table, width, middle), model);
    let y = table + middle;
    if width >= 110 {
        let left = width * 11 / 20;
        alarms::draw(&mut canvas.part(0, y, left, bottom), model);
        runs::draw(&mut canvas.part(left, y, width - left, bottom), model);
    } else {
        alarms::draw(&mut canvas.part(0, y, width, bottom), model);
    }
}

/// Rows of the table and of what lies below the charts. Charts get the rest, from 6 rows up or none.
fn heights(height: u16, table_wanted: u16, alarms: u16) -> (u16, u16) {
    let bottom = if height >= 26 { (height / 5).clamp(5, 12) } else { alarms.clamp(1, 2) + 2 };
    let bottom = bottom.min(height);
    let rest = height - bottom;
    if rest >= table_wanted + 6 {
        return (table_wanted, bottom);
    }
    // Too little for all: the table keeps what it needs, if need be from the alarms.
    let bottom = if rest < table_wanted { bottom.min(3) } else { bottom };
    let rest = height - bottom;
    let table = table_wanted.min(rest);
    if rest - table >= 6 { (table, bottom) } else { (rest, bottom) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_never_exceed_the_whole_and_charts_have_room_or_are_gone() {
        for height in 0..120 {
            for wanted in 5..40 {
                let (table, bottom) = heights(height, wanted, 3);
                assert!(table + bottom <= height, "{height} {wanted}");
                let middle = height - table - bottom;
                assert!(middle == 0 || middle >= 6, "{height} {wanted} {middle}");
            }
        }
    }
}
