//! Open alarms, newest first, each with its remedy on the right or below; under them how the objectives
//! stand, where there are any: what is wanted, what was found, how fast the error budget burns over both
//! windows, and what is left of it.
//!
//! ```text
//! ┌ Alarms ───────────────────────────────────────────────── A acknowledges ┐
//! │ ! 12:04:31 orbit ejected: 503 ×9 in 20 s; probe in 40 s  → x deactivate │
//! │ ✓ p95 <= 5 s  97.2% within  burn .6/.4  left 44%                         │
//! └─────────────────────────────────────────────────────────────────────────┘
//! ```

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::{moment, small};
use super::super::widgets::wrap::wrap;
use crate::domain::action::Action;
use crate::domain::alarm::{Alarm, Severity};
use crate::domain::observer::Objective;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let open = model.alarms().count();
    let key = model.identity.keys.keys(Action::AcknowledgeAlarm).first().map_or_else(String::new, ToString::to_string);
    let hint = if open > 0 { format!("{key} acknowledges") } else { String::new() };
    let mut inner = canvas.framed("Alarms", &hint, false);
    let slos = &model.shown().objectives;
    let kept = small(slos.len()).min(inner.height() / 2);
    for (y, slo) in (inner.height() - kept..).zip(slos.iter().take(usize::from(kept))) {
        draw_objective(&mut inner.part(0, y, u16::MAX, 1), slo);
    }
    let mut inner = inner.part(0, 0, u16::MAX, inner.height() - kept);
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
        y += draw_alarm(&mut inner.part(0, y, u16::MAX, rows), model, alarm);
        if y >= inner.height() {
            break;
        }
    }
}

fn draw_objective(canvas: &mut Canvas<'_>, slo: &Objective) {
    let theme = canvas.theme;
    let is_overdrawn = slo.budget_left.is_some_and(|left| left < 0.0);
    let (glyph, style) = match (slo.is_burning, is_overdrawn) {
        (true, _) => (theme.glyphs.severity[1], theme.warn()),
        (false, true) => (theme.glyphs.severity[0], theme.text()),
        (false, false) => (theme.glyphs.outcome[0], theme.dim()),
    };
    let rate = |rate: Option<f64>| rate.map_or_else(|| "--".to_owned(), |rate| format!("{rate:.1}"));
    let [long, short] = slo.burn.map(rate);
    let left = slo.budget_left.map_or_else(|| "--".to_owned(), |left| format!("{:.0}%", 100.0 * left));
    let found = slo.found_words.as_deref().unwrap_or("no runs");
    let text = format!("{}  {found}  burn {long}/{short}  left {left}", slo.wanted);
    let x = canvas.put(1, 0, glyph, style) + 1;
    let room = canvas.width().saturating_sub(x);
    canvas.put_within(x, 0, &text, style, room);
}

/// Draws one alarm; gives the rows it took.
fn draw_alarm(canvas: &mut Canvas<'_>, model: &Model, alarm: &Alarm) -> u16 {
    let keys = &model.identity.keys;
    let theme = canvas.theme;
    let (glyph, style) = match alarm.severity {
        Severity::Notice => (theme.glyphs.severity[0], theme.text()),
        Severity::Warning => (theme.glyphs.severity[1], theme.warn()),
        Severity::Critical => (theme.glyphs.severity[2], theme.bad()),
    };
    let mut x = canvas.put(1, 0, glyph, style) + 1;
    x = canvas.put(x, 0, &moment(alarm.at, model.now), theme.dim()) + 1;
    let remedy = alarm.remedy.as_ref().map(|remedy| {
        let key = keys.key_of(remedy).map_or_else(String::new, |key| format!("{key} "));
        format!("{} {key}{remedy}", theme.glyphs.arrow)
    });
    let needed = remedy.as_ref().map_or(0, |r| small(r.chars().count()) + 3);
    let width = canvas.width();
    let room = width.saturating_sub(x);
    let message = small(alarm.message.chars().count());
    if message.saturating_add(needed) <= room || canvas.height() == 1 {
        // Half of a remedy is none: of the message the end goes first.
        let for_message = room.saturating_sub(needed).max(room / 2);
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
