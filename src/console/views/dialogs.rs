//! What lies on top: the change on the left, what it would do on the right, the keys below.
//!
//! ```text
//! ┌ Weights ─────────────────────────────────────────────────────────────────┐
//! │ ▸ quality   ██████▎    .63  │ over 500 contexts      now    then      Δ  │
//! │   latency   ███▏       .32  │ ● atlas-70b            41%     52%   ▲11   │
//! │   …                         │ reward                 .72     .74         │
//! │ Enter applies  ←→ turn  ↑↓ choose  Esc leaves                            │
//! └──────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::text::Span;

use super::super::model::Model;
use super::super::model::dialog::{Dialog, Forecasting, Subject, budget_text, names, weights_of};
use super::super::widgets::number::{moment, percent, rate, small, unit};
use super::super::widgets::segments::{Segment, fit};
use super::super::widgets::wrap::wrap;
use super::super::widgets::{Canvas, figure};
use super::forecast;
use crate::domain::clock::Timestamp;
use crate::domain::terms::Term;

/// Columns of the change.
const LEFT: u16 = 38;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let Some(dialog) = &model.dialog else { return };
    let (width, height) = (canvas.width(), canvas.height());
    let wide = if dialog.is_change() { 86 } else { 56 }.min(width.saturating_sub(2));
    let rows = match &dialog.subject {
        Subject::Quit { .. } => 5,
        Subject::Traffic { .. } => 8,
        _ => forecast::rows(model).max(9) + 4,
    };
    let high = rows.min(height);
    let mut part = canvas.part((width - wide) / 2, (height - high) / 2, wide, high);
    part.clear();
    let mut inner = part.framed(title(dialog), "", true);
    let (width, height) = (inner.width(), inner.height());
    let body = height.saturating_sub(2);
    if let Some(question) = question(&dialog.subject) {
        let style = inner.theme.text();
        for (y, line) in (0..body).zip(wrap(&question, width.saturating_sub(2))) {
            inner.put(1, y, &line, style);
        }
    } else {
        let left = LEFT.min(width / 2);
        draw_subject(&mut inner.part(1, 0, left.saturating_sub(2), body), dialog, model.now);
        let bar = inner.theme.glyphs.frame[1];
        let dim = inner.theme.dim();
        for y in 0..body {
            inner.put(left, y, bar, dim);
        }
        forecast::draw(&mut inner.part(left + 2, 0, width.saturating_sub(left + 3), body), model, dialog);
    }
    draw_foot(&mut inner, model, dialog);
}

/// The words of a question that changes nothing that is learned.
fn question(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Quit { what } => Some(what.clone()),
        Subject::Traffic { rate_per_s } => Some(format!(
            "Models outside this process would answer {} runs a second, each with previews and a judge. That may cost money.",
            rate(*rate_per_s)
        )),
        _ => None,
    }
}

fn title(dialog: &Dialog) -> &'static str {
    match &dialog.subject {
        Subject::Decay { .. } => "Decay",
        Subject::Prune { .. } => "Prune",
        Subject::Deactivate { .. } => "Switch off",
        Subject::Reactivate { .. } => "Bring back",
        Subject::Weights { .. } => "Reward weights",
        Subject::Budget { .. } => "Ceiling",
        Subject::Undo { redo: false, .. } => "Undo",
        Subject::Undo { redo: true, .. } => "Redo",
        Subject::Traffic { .. } => "Start traffic?",
        Subject::Quit { .. } => "Leave?",
    }
}

fn draw_subject(canvas: &mut Canvas<'_>, dialog: &Dialog, now: Timestamp) {
    match &dialog.subject {
        Subject::Decay { arms, factor } => {
            value(canvas, 0, "keep", &percent(*factor), *factor, true);
            let text = format!("of what was learned about {}. Estimates stay, uncertainty grows.", names(arms));
            paragraph(canvas, 2, &text);
        }
        Subject::Prune { min_trials, min_win_rate, field } => {
            value(canvas, 0, "min trials", &min_trials.to_string(), *min_trials as f64 / 500.0, *field == 0);
            value(canvas, 1, "min win rate", &percent(*min_win_rate), *min_win_rate, *field == 1);
            draw_victims(canvas, dialog);
        }
        Subject::Deactivate { arms } => {
            paragraph(canvas, 0, &format!("{} will get no more traffic. What was learned is kept.", names(arms)));
            list(canvas, 3, arms.iter().map(ToString::to_string));
        }
        Subject::Reactivate { arms } => {
            let text = format!("{} will come back on probation: history decayed, a bounded share.", names(arms));
            paragraph(canvas, 0, &text);
            list(canvas, 4, arms.iter().map(ToString::to_string));
        }
        Subject::Weights { draft, field } => draw_weights(canvas, draft, *field),
        Subject::Budget { dollars } => {
            paragraph(canvas, 0, &budget_text(*dollars));
            let held = "Mean dollars of a run, previews and judge included, are held under it from now on.";
            let lifted = "Arms are chosen by their reward alone.";
            paragraph(canvas, 2, if dollars.is_some() { held } else { lifted });
        }
        Subject::Undo { entry, what, redo } => {
            let number = entry.sequence;
            let text = if *redo {
                format!("redo what #{number} undid: {what}")
            } else {
                format!("undo what #{number} did: {what}")
            };
            paragraph(canvas, 0, &text);
            let who = format!("by {} at {} UTC", entry.actor.name(), moment(entry.at, now));
            paragraph(canvas, 4, &format!("{who}. Later observations are kept."));
        }
        Subject::Traffic { .. } | Subject::Quit { .. } => {}
    }
}

/// `▸ quality   ██████▎    .63`.
fn value(canvas: &mut Canvas<'_>, y: u16, name: &str, text: &str, part: f64, chosen: bool) {
    let theme = canvas.theme;
    let width = canvas.width();
    let (glyph, style) = if chosen { (theme.glyphs.prompt, theme.reversed()) } else { (" ", theme.text()) };
    canvas.put(0, y, glyph, theme.key());
    // Names are whole; the bar takes what they and the number leave.
    let bar_at = 19;
    canvas.put_within(2, y, name, theme.text(), bar_at - 3);
    figure::bar(canvas, bar_at, y, width.saturating_sub(bar_at + 6), part, theme.good());
    let text = format!(" {text} ");
    canvas.put_right(width, y, small(text.chars().count()), &text, style);
}

fn draw_weights(canvas: &mut Canvas<'_>, draft: &[f64; 7], field: usize) {
    let theme = canvas.theme;
    match weights_of(draft) {
        Ok(weights) => {
            for (y, term) in (0..).zip(Term::ALL) {
                let weight = weights.get(term);
                value(canvas, y, &term.name().replace('_', " "), &unit(weight), weight, field == usize::from(y));
            }
        }
        Err(fault) => {
            for (y, term) in (0..).zip(Term::ALL) {
                value(canvas, y, &term.name().replace('_', " "), "0", 0.0, field == usize::from(y));
            }
            for (y, line) in (8..).zip(wrap(&fault.to_string(), canvas.width())) {
                canvas.put(0, y, &line, theme.bad());
            }
        }
    }
    value(canvas, 6, "fallback loss", &unit(draft[6]), draft[6], field == 6);
    if weights_of(draft).is_ok() {
        canvas.put_within(0, 8, "at once, on all history", theme.dim(), canvas.width());
    }
}

fn draw_victims(canvas: &mut Canvas<'_>, dialog: &Dialog) {
    let theme = canvas.theme;
    let Some(known) = dialog.shown_forecast() else {
        // Where it would be rejected, the reason is on the right.
        if matches!(dialog.forecast, Forecasting::Waiting) {
            canvas.put_within(0, 3, "who would go …", theme.dim(), canvas.width());
        }
        return;
    };
    if known.victims.is_empty() {
        canvas.put_within(0, 3, "nobody would go", theme.dim(), canvas.width());
    } else {
        canvas.put_within(0, 3, "would go:", theme.warn(), canvas.width());
        list(canvas, 4, known.victims.iter().map(ToString::to_string));
    }
}

fn paragraph(canvas: &mut Canvas<'_>, y: u16, text: &str) {
    let style = canvas.theme.text();
    for (y, line) in (y..canvas.height()).zip(wrap(text, canvas.width())) {
        canvas.put(0, y, &line, style);
    }
}

fn list(canvas: &mut Canvas<'_>, y: u16, items: impl Iterator<Item = String>) {
    let style = canvas.theme.strong();
    let width = canvas.width();
    for (y, item) in (y..canvas.height()).zip(items) {
        canvas.put_within(2, y, &item, style, width.saturating_sub(2));
    }
}

fn draw_foot(canvas: &mut Canvas<'_>, model: &Model, dialog: &Dialog) {
    let theme = canvas.theme;
    let (width, y) = (canvas.width(), canvas.height().saturating_sub(1));
    let objection = dialog.objection(&model.live);
    if let (Subject::Quit { .. }, _) = (&dialog.subject, &objection) {
        canvas.put_within(1, y, "Enter or q leaves, Esc stays", theme.key(), width);
        return;
    }
    if let Subject::Traffic { .. } = &dialog.subject {
        canvas.put_within(1, y, "Enter starts it, Esc leaves it off", theme.key(), width);
        return;
    }
    if dialog.is_blind() {
        canvas.put_within(1, y, "computing who would go …   Esc leaves it", theme.dim(), width);
        return;
    }
    // Where there is little room, what turns a value goes first: the arrows are guessed, `Esc` is not.
    let keys = |parts: &[(&str, &str)]| {
        let segment = |(i, (key, text)): (usize, &(&str, &str))| {
            let keep = if i == 0 || i + 1 == parts.len() { 9 } else { 1 };
            let spans =
                vec![Span::styled((*key).to_owned(), theme.key()), Span::styled(format!(" {text}"), theme.dim())];
            Segment::spans(spans, keep)
        };
        let segments: Vec<Segment> = parts.iter().enumerate().map(segment).collect();
        fit(&segments, width.saturating_sub(2), "   ")
    };
    if let Some(objection) = objection {
        let again = if dialog.armed { "Enter again does it, Esc leaves it" } else { "Enter, and Enter again" };
        let style = if dialog.armed { theme.banner() } else { theme.warn() };
        canvas.put_within(
            1,
            y,
            &format!("{} {objection}: {again}", theme.glyphs.severity[1]),
            style,
            width.saturating_sub(2),
        );
        return;
    }
    let turns: &[(&str, &str)] = match &dialog.subject {
        Subject::Budget { .. } => &[("Left Right", "turn"), ("Up Down", "on or off")],
        Subject::Decay { .. } => &[("Left Right", "turn")],
        Subject::Prune { .. } | Subject::Weights { .. } => &[("Left Right", "turn"), ("Up Down", "choose")],
        _ => &[],
    };
    let leaves = ("Esc", "leaves it");
    let line = match (&dialog.forecast, turns.is_empty()) {
        (Forecasting::Refused(_), _) => keys(&[turns, &[leaves]].concat()),
        (_, true) => keys(&[("Enter", "does it"), leaves]),
        (_, false) => keys(&[&[("Enter", "applies")], turns, &[leaves]].concat()),
    };
    canvas.put_line(1, y, &line);
}
