//! What a change would do beside what is now, over recent contexts: share by arm, expected reward,
//! dollars a run, p95.

use super::super::model::Model;
use super::super::model::dialog::{Dialog, Forecasting};
use super::super::widgets::number::{dollars, or_dashes, percent, seconds, small, unit};
use super::super::widgets::wrap::wrap;
use super::super::widgets::{Canvas, figure};
use crate::domain::engine::{Forecast, WhatIf};
use crate::domain::ids::ArmId;

/// Rows that the table wants.
pub(super) fn rows(model: &Model) -> u16 {
    small(model.live.arms.len()).saturating_add(5)
}

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, dialog: &Dialog) {
    let theme = canvas.theme;
    let width = canvas.width();
    let Some(known) = dialog.shown_forecast() else {
        if let Forecasting::Refused(reason) = &dialog.forecast {
            canvas.put_within(0, 0, &format!("{} it would be rejected:", theme.glyphs.outcome[1]), theme.bad(), width);
            for (y, line) in (2..canvas.height()).zip(wrap(reason, width)) {
                canvas.put(0, y, &line, theme.text());
            }
        } else {
            canvas.put_within(0, 0, "computing what it would do …", theme.dim(), width);
        }
        return;
    };
    if known.contexts == 0 {
        canvas.put_within(0, 0, "no history yet: nothing to compute it over", theme.dim(), width);
        return;
    }
    let waiting = matches!(dialog.forecast, Forecasting::Waiting);
    let mark = if waiting { format!(" {}", theme.glyphs.outcome[2]) } else { String::new() };
    let ends = ends(width);
    let (long, short) = (format!("over {} contexts{mark}", known.contexts), format!("{} runs{mark}", known.contexts));
    let room = ends[0].saturating_sub(4);
    canvas.put_within(0, 0, if long.chars().count() > usize::from(room) { &short } else { &long }, theme.dim(), room);
    for (end, title) in ends.iter().zip(["now", "then", theme.glyphs.change]) {
        canvas.put_right(*end, 0, 6, title, theme.dim());
    }
    let mut y = draw_shares(canvas, model, known);
    let spent = |usd| model.spent(usd, |_| true);
    let figures = |forecast: &Forecast| {
        [
            or_dashes(forecast.reward, unit),
            or_dashes(forecast.usd_per_run.and_then(spent), dollars),
            or_dashes(forecast.p95_s, seconds),
        ]
    };
    y += 1;
    // The header's p95 is that of whole runs.
    let p95 = if ends[0] >= 19 { "preview p95" } else { "prev p95" };
    for (name, (now, then)) in
        ["reward", "$/run", p95].into_iter().zip(figures(&known.now).iter().zip(figures(&known.then)))
    {
        canvas.put_within(0, y, name, theme.text(), width);
        canvas.put_right(ends[0], y, 7, now, theme.text());
        canvas.put_right(ends[1], y, 7, &then, theme.strong());
        y += 1;
    }
}

/// The columns where `now`, `then` and the change end.
fn ends(width: u16) -> [u16; 3] {
    let gap = if width >= 34 { 7 } else { 5 };
    [width.saturating_sub(2 * gap), width.saturating_sub(gap), width]
}

fn draw_shares(canvas: &mut Canvas<'_>, model: &Model, known: &WhatIf) -> u16 {
    let theme = canvas.theme;
    let width = canvas.width();
    let ends = ends(width);
    let share = |forecast: &Forecast, arm: &ArmId| forecast.share.iter().find(|(a, _)| a == arm).map(|(_, s)| *s);
    let mut y = 1;
    for (index, row) in model.live.arms.iter().enumerate() {
        let (now, then) = (share(&known.now, &row.arm), share(&known.then, &row.arm));
        if now.is_none() && then.is_none() {
            continue;
        }
        canvas.put(0, y, theme.arm_glyph(index), theme.arm(index));
        canvas.put_within(2, y, row.arm.as_str(), theme.text(), ends[0].saturating_sub(7).min(10));
        let bar = ends[0].saturating_sub(5 + 13);
        figure::bar(canvas, 13, y, bar, then.unwrap_or(0.0), theme.arm(index));
        canvas.put_right(ends[0], y, 6, &or_dashes(now, percent), theme.text());
        canvas.put_right(ends[1], y, 6, &or_dashes(then, percent), theme.strong());
        let points = (then.unwrap_or(0.0) - now.unwrap_or(0.0)) * 100.0;
        if points.abs() >= 0.5 {
            let glyph = theme.glyphs.delta[usize::from(points < 0.0)];
            canvas.put_right(ends[2], y, 6, &format!("{glyph}{:.0}", points.abs()), theme.key());
        }
        y += 1;
    }
    y
}
