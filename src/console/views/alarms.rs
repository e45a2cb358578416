//! Open alarms, newest first, each with its remedy on the right or below.
//!
//! ```text
//! ┌ Alarms ───────────────────────────────────────────────── A acknowledges ┐
//! │ ! 12:04:31 orbit ejected: 503 ×9 in 20 s; probe in 40 s  → x deactivate │
//! └─────────────────────────────────────────────────────────────────────────┘
//! ```

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use super::super::widgets::wrap::wrap;
use crate::domain::action::{Action, KeyBindings};
use crate::domain::alarm::{Alarm, Severity};

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let open = model.alarms().count();
    let key = model.identity.keys.keys(Action::AcknowledgeAlarm).first().map_or_else(String::new, ToString::to_string);
    let hint = if open > 0 { format!("{key} acknowledges") } else { String::new() };
    let mut inner = canvas.framed("Alarms", &hint, false);
    if open == 0 {
        let seen = model.shown().alarms.len();
        let text = if seen > 0 { format!("none open, {seen} acknowledged") } else { "none".to_owned() };
        let line = format!("{} {text}", inner.theme.glyphs.outcome[0]);
        let style = inner.theme.dim();
        inner.put_within(1, 0, &line, style, inner.width());
        return;
    }
    let mut y = 0;
    for (i, alarm) in model.alarms().enumerate() {
        let left = small(open - i);
        // Every alarm gets its first line before any gets a second.
        let rows = inner.height().saturating_sub(y).saturating_sub(left.saturating_sub(1)).clamp(1, 3);
        y += draw_alarm(&mut inner.part(0, y, u16::MAX, rows), &model.identity.keys, alarm);
        if y >= inner.height() {
            break;
        }
    }
}

/// Draws one alarm; gives the rows it took.
fn draw_alarm(canvas: &mut Canvas<'_>, keys: &KeyBindings, alarm: &Alarm) -> u16 {
    let theme = canvas.theme;
    let (glyph, style) = match alarm.severity {
        Severity::Notice => (theme.glyphs.severity[0], theme.text()),
        Severity::Warning => (theme.glyphs.severity[1], theme.warn()),
        Severity::Critical => (theme.glyphs.severity[2], theme.bad()),
    };
    let mut x = canvas.put(1, 0, glyph, style) + 1;
    x = canvas.put(x, 0, &alarm.at.clock_text(), theme.dim()) + 1;
    let remedy = alarm.remedy.as_ref().map(|remedy| {
        let keys = Action::from_name(remedy).map(|action| keys.keys(action)).unwrap_or_default();
        let key = keys.first().map_or_else(String::new, |key| format!("{key} "));
        format!("{} {key}{remedy}", theme.glyphs.arrow)
    });
    let needed = remedy.as_ref().map_or(0, |r| small(r.chars().count()) + 2);
    let width = canvas.width();
    let room = width.saturating_sub(x);
    let message = small(alarm.message.chars().count());
    if message.saturating_add(needed) <= room || canvas.height() == 1 {
        let for_message = room.saturating_sub(needed).max(room * 2 / 3);
        let after = canvas.put_within(x, 0, &alarm.message, style, for_message);
        if let Some(remedy) = remedy {
            canvas.put_within(after + 2, 0, &remedy, theme.key(), width.saturating_sub(after + 3));
        }
        return 1;
    }
    let lines = wrap(&alarm.message, room);
    let for_message = canvas.height().saturating_sub(u16::from(remedy.is_some())).max(1);
    let mut y = 0;
    for line in lines.iter().take(usize::from(for_message)) {
        canvas.put_within(x, y, line, style, room);
        y += 1;
    }
    if let Some(remedy) = remedy.filter(|_| y < canvas.height()) {
        canvas.put_within(x, y, &remedy, theme.key(), room);
        y += 1;
    }
    y
}
