//! The runs so far, one line each, the newest first; an open one looks as one's own does on the Race screen.
//!
//! ```text
//! ┌ Runs · 2 of 214+ ───────────────── reward ── s ───── $ ──── o opens ┐
//! │   12:04:31    coding    ● atlas-70b  .82  1.2  .0021 write a fun…   │
//! │ ▌ 12:04:29    reasoning ■ swift-8b   .71  0.8  .0004 how many we…   │
//! └─────────────────────────────────────────────────────────────────────┘
//! ```

use super::super::model::Model;
use super::super::model::race::OwnRun;
use super::super::model::runs::{MOST, Older};
use super::super::widgets::Canvas;
use super::super::widgets::number::{count, moment};
use super::super::widgets::wrap::wrap;
use super::{race, runs, why};
use crate::domain::action::Action;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    match &model.runs.opened {
        Some(own) => draw_opened(canvas, model, own),
        None => draw_list(canvas, model),
    }
}

fn key(model: &Model, action: Action) -> String {
    model.identity.keys.keys(action).first().map_or_else(String::new, ToString::to_string)
}

fn draw_list(canvas: &mut Canvas<'_>, model: &Model) {
    let held = &model.runs;
    let dot = canvas.theme.glyphs.dot;
    let right = match held.opening {
        Some(_) => "reading the run …".to_owned(),
        None => format!("{} opens", key(model, Action::OpenRun)),
    };
    let title = match held.len() {
        0 => "Runs".to_owned(),
        // Older ones that were not read yet are runs too.
        n => {
            let more = if held.older == Older::End && n < MOST { "" } else { "+" };
            format!("Runs {dot} {} of {}{more}", held.position() + 1, count(n as u64))
        }
    };
    let mut inner = canvas.framed(&title, &right, true);
    let theme = inner.theme;
    if held.len() == 0 {
        inner.put_within(1, 0, "none yet", theme.dim(), inner.width());
        return;
    }
    let (width, height) = (inner.width(), usize::from(inner.height()));
    let at = held.position();
    // The last row says what is known of older ones, once they are in view.
    let first = at.saturating_sub(height.saturating_sub(2));
    for (y, (place, run)) in (0..inner.height()).zip(held.rows().enumerate().skip(first)) {
        if place == at {
            inner.put(0, y, theme.glyphs.selected, theme.key());
        }
        runs::draw_run(&mut inner.part(1, y, width, 1), model, run);
        if place == at {
            inner.style(1, y, width, 1, theme.selected());
        }
    }
    let below = held.len().saturating_sub(first);
    if let Ok(y) = u16::try_from(below)
        && below < height
    {
        let text = match &held.older {
            Older::Unknown | Older::Asked => "reading older ones …".to_owned(),
            Older::End if held.len() >= MOST => {
                format!("only {MOST} are listed: `banditop export` has all that are kept")
            }
            Older::End => "no older one is kept".to_owned(),
            Older::Failed(reason) => format!("older ones could not be read: {reason}"),
        };
        inner.put_within(2, y, &text, theme.dim(), width.saturating_sub(2));
    }
    runs::headings(canvas, 2, width.saturating_sub(1));
}

fn draw_opened(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    if let Some(rows) = own.zoom {
        why::draw_zoomed(canvas, model, own, rows);
        return;
    }
    let (width, height) = (canvas.width(), canvas.height());
    let title = own
        .record
        .as_ref()
        .map_or_else(|| "Run".to_owned(), |record| format!("Run at {}", moment(record.at, model.now)));
    let mut part = canvas.part(0, 0, width, PROMPT_ROWS);
    let mut inner = part.framed(&title, &format!("{} goes back", key(model, Action::CloseRun)), false);
    let theme = inner.theme;
    let prompt = format!("{} {}", theme.glyphs.prompt, own.prompt);
    let line = wrap(&prompt, u16::MAX).join(" ");
    inner.put_within(1, 0, &line, theme.text(), width.saturating_sub(4));
    race::draw_run(&mut canvas.part(0, PROMPT_ROWS, width, height.saturating_sub(PROMPT_ROWS)), model, own);
}

/// Rows of the frame around the prompt of an open run.
pub(super) const PROMPT_ROWS: u16 = 3;
