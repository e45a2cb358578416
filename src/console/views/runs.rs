//! The newest runs of anyone, one line each, under the names of their figures in the frame's upper edge. A run of
//! another day has its date.
//!
//! ```text
//! ┌ Latest runs ───────────────── reward ── s ───── $ ─────────────────────┐
//! │  12:04:31    coding    ● atlas-70b  .82  1.2  .0021 write a function … │
//! │  11-21 23:58 other     ■ swift-8b   .79  1.1  .0004 how many weighings…│
//! └────────────────────────────────────────────────────────────────────────┘
//! ```

use std::cmp::Reverse;

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::{dollars, moment, or_dashes, seconds, unit};
use crate::domain::ratio::Ratio;
use crate::domain::record::{GateDecision, Origin};
use crate::domain::snapshot::RunSummary;

/// Rows of so many columns have room for more than the newest need.
const WIDE: u16 = 60;
/// Where the figures end, from where they begin.
const REWARD: u16 = 3;
const SECONDS: u16 = 8;
const DOLLARS: u16 = 15;
/// Columns of who answered, reward, seconds and dollars.
const FIGURES: u16 = 29;
/// Columns beside them in which the reason of a failure can begin to be read.
const LEAST_REASON: u16 = 30;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let mut inner = canvas.framed("Latest runs", "", false);
    let width = inner.width();
    list(&mut inner, model);
    headings(canvas, 1, width);
}

/// Where the parts of a row of `width` columns begin: the kind of prompt, who answered, the figures.
fn columns(width: u16) -> (Option<u16>, u16, u16) {
    // Wide ones have room for a date and the kind.
    let (kind, who) = if width >= WIDE { (Some(14), 24) } else { (None, 11) };
    (kind, who, who + 13)
}

/// Names the figures in the upper edge of the frame, over their columns; the rows begin in column `from` of it.
pub(super) fn headings(canvas: &mut Canvas<'_>, from: u16, width: u16) {
    let style = canvas.theme.dim();
    let (_, _, figures) = columns(width);
    for (name, end) in [("reward", REWARD), ("s", SECONDS), ("$", DOLLARS)] {
        let end = from + figures + end + 1;
        if end < width {
            canvas.put_right(end, 0, 8, &format!(" {name} "), style);
        }
    }
}

/// The list without its frame.
pub(super) fn list(canvas: &mut Canvas<'_>, model: &Model) {
    let theme = canvas.theme;
    let runs = &model.shown().recent_runs;
    if runs.is_empty() {
        canvas.put_within(1, 0, "none yet", theme.dim(), canvas.width());
        return;
    }
    // They come in the order in which they ended; a run has one time on all screens, and that is when it began.
    let mut newest: Vec<&RunSummary> = runs.iter().collect();
    newest.sort_by_key(|run| Reverse((run.at, run.run)));
    for (y, run) in (0..canvas.height()).zip(newest) {
        draw_run(&mut canvas.part(0, y, u16::MAX, 1), model, run);
    }
}

/// One run in one row, at the moment when it began.
pub(super) fn draw_run(canvas: &mut Canvas<'_>, model: &Model, run: &RunSummary) {
    let theme = canvas.theme;
    let origin = match run.origin {
        Origin::Person => theme.glyphs.prompt,
        Origin::Traffic | Origin::Gateway => " ",
    };
    canvas.put(0, 0, origin, theme.key());
    let (kind, mut x, figures) = columns(canvas.width());
    let time = moment(run.at, model.now);
    match kind {
        Some(kind) => {
            canvas.put(2, 0, time.get(..11).unwrap_or(&time), theme.dim());
            canvas.put_within(kind, 0, run.intent.name(), theme.dim(), 9);
        }
        // Of another day its date is what is read first.
        None => drop(canvas.put_within(2, 0, time.split(' ').next().unwrap_or_default(), theme.dim(), 8)),
    }
    let winner = run.winner.as_ref();
    let index = winner.and_then(|arm| model.shown().arms.iter().position(|row| row.arm == *arm));
    match (winner, index) {
        (Some(arm), Some(index)) => {
            canvas.put(x, 0, theme.arm_glyph(index), theme.arm(index));
            canvas.put_within(x + 2, 0, arm.as_str(), theme.text(), 10);
        }
        (Some(arm), None) => drop(canvas.put_within(x + 2, 0, arm.as_str(), theme.dim(), 10)),
        // Nobody answered and nothing failed: somebody stopped it.
        (None, _) if run.failure.is_none() => drop(canvas.put_within(x, 0, "- cancelled", theme.dim(), 12)),
        (None, _) => {
            let failed = theme.glyphs.outcome[1];
            // Why it failed matters more than what it took.
            let is_narrow = canvas.width().saturating_sub(x + FIGURES) < LEAST_REASON;
            if let Some(reason) = run.failure.as_ref().filter(|_| is_narrow) {
                x = canvas.put(x, 0, failed, theme.bad()) + 1;
                canvas.put_within(x, 0, reason, theme.bad(), canvas.width().saturating_sub(x));
                return;
            }
            canvas.put_within(x, 0, &format!("{failed} failed"), theme.bad(), 12);
        }
    }
    x = figures;
    let cost = model.spent(run.cost_usd, |row| winner.is_none_or(|arm| *arm == row.arm));
    canvas.put_right(x + REWARD, 0, 3, &or_dashes(run.reward.map(Ratio::get), unit), theme.text());
    canvas.put_right(x + SECONDS, 0, 4, &seconds(run.total_s), theme.text());
    canvas.put_right(x + DOLLARS, 0, 6, &or_dashes(cost, dollars), theme.text());
    x += 16;
    if run.fallbacks > 0 {
        x = canvas.put(x, 0, &format!("+{} ", run.fallbacks), theme.warn());
    }
    if run.decision == GateDecision::Explore {
        x = canvas.put(x, 0, "explore ", theme.good());
    }
    let (text, style) = match &run.failure {
        Some(failure) => (failure, theme.bad()),
        None => (&run.prompt, theme.dim()),
    };
    canvas.put_within(x, 0, text, style, canvas.width().saturating_sub(x));
}
