//! The selected arms side by side (below one another where that is too narrow), filling while their
//! previews stream; when the verdict lands, its scores and the winner's star.
//!
//! ```text
//! ┌ ● atlas-70b ──────────── ★ 1st ┐
//! │ ████████░░░░  42/64 tok        │
//! │ 0.81 s, first 0.21 s, .82 ± .04│
//! │ Sure: the idea is to …         │
//! │ ★ overall .86 risk .14         │
//! │ rel .90 cov .80 fai .88        │
//! └────────────────────────────────┘
//! ```

use super::super::model::Model;
use super::super::model::race::{Lane, OwnRun, Standing};
use super::super::theme::Theme;
use super::super::widgets::number::{seconds, small, spread, unit};
use super::super::widgets::wrap::{tail, wrap};
use super::super::widgets::{Canvas, figure};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::judging::Scores;
use crate::domain::tally::Phase;

/// A lane beside others has at least so many columns.
const NARROWEST: u16 = 26;

/// Rows that the lanes take of `height`.
pub(super) fn height(width: u16, height: u16, own: &OwnRun) -> u16 {
    let n = small(own.lanes.len());
    if side_by_side(width, n) {
        let most = if height >= 24 { 13 } else { 8 };
        (height * 9 / 20).clamp(5, most).min(height)
    } else {
        let two_rows = n.saturating_mul(2).saturating_add(2);
        if two_rows <= height / 2 { two_rows } else { n.saturating_add(2).min(height.saturating_sub(4)) }
    }
}

fn side_by_side(width: u16, lanes: u16) -> bool {
    lanes > 0 && width / lanes >= NARROWEST
}

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    let (width, height) = (canvas.width(), canvas.height());
    let n = small(own.lanes.len());
    if n == 0 || height == 0 {
        return;
    }
    if side_by_side(width, n) {
        for (i, lane) in (0..n).zip(&own.lanes) {
            // Whole columns for all; the last takes what division left.
            let from = width / n * i;
            let to = if i + 1 == n { width } else { width / n * (i + 1) };
            draw_lane(&mut canvas.part(from, 0, to - from, height), model, own, lane);
        }
    } else {
        let mut inner = canvas.framed("Race", "", false);
        let each = if inner.height() >= n.saturating_mul(2) { 2 } else { 1 };
        for (i, lane) in (0..n).zip(&own.lanes) {
            draw_row(&mut inner.part(0, i * each, u16::MAX, each), model, own, lane);
        }
    }
}

fn index(model: &Model, lane: &Lane) -> usize {
    model.live.arms.iter().position(|row| row.arm == lane.arm).unwrap_or(0)
}

fn scores<'a>(own: &'a OwnRun, lane: &Lane) -> Option<&'a Scores> {
    own.verdict.as_ref().and_then(|verdict| verdict.scores.get(&lane.arm))
}

fn is_winner(own: &OwnRun, lane: &Lane) -> bool {
    own.verdict.as_ref().and_then(|verdict| verdict.best()) == Some(&lane.arm)
}

fn error(lane: &Lane) -> Option<&Failure> {
    lane.done.as_ref().and_then(|done| done.error.as_ref())
}

/// Whether it stands still because somebody stopped the run: that is no failure of the arm.
fn is_cancelled(own: &OwnRun, lane: &Lane) -> bool {
    let was_stopped = lane.done.is_none() && own.standing == Standing::Cancelled;
    was_stopped || error(lane).is_some_and(|error| error.class == FailureClass::Cancelled)
}

/// What stands on the right of a lane's title.
fn place(theme: &Theme, own: &OwnRun, lane: &Lane) -> String {
    let rank = own.order.iter().position(|arm| *arm == lane.arm);
    let rank = rank.map(|i| format!("{}{}", i + 1, ["st", "nd", "rd"].get(i).unwrap_or(&"th")));
    let star = if is_winner(own, lane) { Some(theme.glyphs.star.to_owned()) } else { None };
    let failed = error(lane).filter(|_| !is_cancelled(own, lane)).map(|_| "failed".to_owned());
    [star, rank, failed].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn draw_lane(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun, lane: &Lane) {
    let theme = canvas.theme;
    let index = index(model, lane);
    let title = format!("{} {}", theme.arm_glyph(index), lane.arm);
    let mut inner = canvas.framed(&title, &place(theme, own, lane), is_winner(own, lane));
    let (width, height) = (inner.width().saturating_sub(2), inner.height());
    let mut body = inner.part(1, 0, width, height);
    draw_progress(&mut body, own, lane, theme.arm(index));
    body.put_within(0, 1, &figures(theme, own, lane, width), theme.dim(), width);
    let scored = draw_scores(&mut body, own, lane);
    let mut y = 2;
    if let Some(flags) = flags(lane) {
        body.put_within(0, y, &flags, theme.warn(), width);
        y += 1;
    }
    let rows = height.saturating_sub(y).saturating_sub(scored);
    draw_text(&mut body.part(0, y, width, rows), own, lane);
}

fn draw_progress(canvas: &mut Canvas<'_>, own: &OwnRun, lane: &Lane, style: ratatui::style::Style) {
    let width = canvas.width();
    // Until its end is known nobody has counted what came.
    let estimated = lane.done.as_ref().map_or(lane.tokens > 0, |done| done.estimated);
    let about = if estimated { "~" } else { "" };
    // Of a run that was not followed only what came is known, and all of that is there.
    let (tokens, part) = match own.target {
        0 => (format!("{about}{} tok", lane.tokens), if lane.tokens > 0 { 1.0 } else { 0.0 }),
        target => (format!("{about}{}/{target} tok", lane.tokens), f64::from(lane.tokens) / f64::from(target)),
    };
    let gauge = width.saturating_sub(small(tokens.len()) + 1);
    figure::gauge(canvas, 0, 0, gauge, part, style);
    let text = canvas.theme.text();
    canvas.put_right(width, 0, small(tokens.len()), &tokens, text);
}

/// What is wrong with a preview's text.
fn flags(lane: &Lane) -> Option<String> {
    let names: Vec<&str> = lane.done.as_ref()?.flags.iter().map(|flag| flag.name()).collect();
    (!names.is_empty()).then(|| format!("flagged {}", names.join(" ")))
}

fn figures(theme: &Theme, own: &OwnRun, lane: &Lane, width: u16) -> String {
    // One from the cache took no time that would say anything.
    let is_cached = lane.done.as_ref().is_some_and(|done| done.cached);
    let mut parts = vec![if is_cached { "cached".to_owned() } else { format!("{} s", seconds(lane.elapsed_s)) }];
    if let Some(first) = lane.first_s.filter(|_| !is_cached) {
        parts.push(format!("first {}", seconds(first)));
    }
    if let Some(score) = own.score(&lane.arm) {
        parts.push(format!("{} {} {}", unit(score.mean), theme.glyphs.plus_minus, spread(score.uncertainty)));
    }
    if is_cancelled(own, lane) {
        parts.insert(0, "cancelled".to_owned());
    }
    // What was expected goes before what was measured.
    while parts.len() > 1 && parts.join("  ").chars().count() > usize::from(width) {
        parts.pop();
    }
    parts.join("  ")
}

/// The verdict on the last rows; gives how many it took.
fn draw_scores(canvas: &mut Canvas<'_>, own: &OwnRun, lane: &Lane) -> u16 {
    let theme = canvas.theme;
    let (width, height) = (canvas.width(), canvas.height());
    let Some(scores) = scores(own, lane) else { return 0 };
    let gap = if width >= 23 { " " } else { "" };
    let [relevance, coverage, faithfulness] = [scores.relevance, scores.coverage, scores.faithfulness].map(unit);
    let details = format!("rel{gap}{relevance} cov{gap}{coverage} fai{gap}{faithfulness}");
    let star = if is_winner(own, lane) { theme.glyphs.star } else { " " };
    let overall = format!("{star} overall {} risk {}", unit(scores.overall), unit(scores.hallucination_risk));
    let style = if is_winner(own, lane) { theme.good().patch(theme.strong()) } else { theme.text() };
    let one_line = small(overall.chars().count() + 2 + details.len()) <= width;
    if one_line && height >= 4 {
        let x = canvas.put(0, height - 1, &overall, style);
        canvas.put(x + 2, height - 1, &details, theme.dim());
        1
    } else if height >= 5 {
        canvas.put(0, height - 2, &overall, style);
        canvas.put_within(0, height - 1, &details, theme.dim(), width);
        2
    } else if height >= 4 {
        canvas.put_within(0, height - 1, &overall, style, width);
        1
    } else {
        0
    }
}

/// The preview: its end while it grows, its beginning when it is in.
fn draw_text(canvas: &mut Canvas<'_>, own: &OwnRun, lane: &Lane) {
    let theme = canvas.theme;
    let (width, rows) = (canvas.width(), canvas.height());
    if let Some(error) = error(lane).filter(|_| !is_cancelled(own, lane)) {
        for (y, line) in (0..rows).zip(wrap(&error.to_string(), width)) {
            canvas.put(0, y, &line, theme.bad());
        }
        return;
    }
    let lines = if lane.done.is_some() { wrap(&lane.text, width) } else { tail(&lane.text, width, rows) };
    if lines.iter().all(String::is_empty) {
        canvas.put_within(0, 0, &waiting(own, lane), theme.dim(), width);
    }
    for (y, line) in (0..rows).zip(lines) {
        canvas.put(0, y, &line, theme.text());
    }
}

/// What a lane without text waits for.
fn waiting(own: &OwnRun, lane: &Lane) -> String {
    if is_cancelled(own, lane) {
        return "nothing had come".to_owned();
    }
    let is_ours = |phase: &Phase, name: &str| *phase == Phase::Preview && name == lane.arm.as_str();
    let last = own.retries.iter().rev().find(|(phase, name, _)| is_ours(phase, name));
    last.map_or_else(
        || "waiting for the first token …".to_owned(),
        |(_, _, retried)| format!("{}, again after {} s …", retried.kind, seconds(retried.waited_s)),
    )
}

/// A lane in two rows, where there is no room beside the others.
fn draw_row(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun, lane: &Lane) {
    let theme = canvas.theme;
    let index = index(model, lane);
    let width = canvas.width();
    canvas.put(0, 0, theme.arm_glyph(index), theme.arm(index));
    canvas.put_within(2, 0, lane.arm.as_str(), theme.strong(), 12);
    draw_progress(&mut canvas.part(15, 0, 22, 1), own, lane, theme.arm(index));
    let overall = scores(own, lane).map_or_else(String::new, |s| format!("  overall {}", unit(s.overall)));
    let flags = flags(lane).map_or_else(String::new, |flags| format!("  {flags}"));
    let text =
        format!("{}{overall}{flags}  {}", figures(theme, own, lane, width.saturating_sub(60)), place(theme, own, lane));
    canvas.put_within(38, 0, &text, theme.dim(), width.saturating_sub(38));
    draw_text(&mut canvas.part(2, 1, width.saturating_sub(2), 1), own, lane);
}
