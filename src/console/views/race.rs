//! Prompting with the race in view.
//!
//! ```text
//! ┌ Prompt ───────────────────────────────────────────────┐
//! └───────────────────────────────────────────────────────┘
//! ┌ ● atlas  ★ ─────┐┌ ■ swift ────────┐┌ ▲ scribe ───────┐
//! │ lanes fill live ││                 ││                 │
//! └─────────────────┘└─────────────────┘└─────────────────┘
//! ┌ Answer: atlas ──────────────────┐┌ Why ───────────────┐
//! │ the full answer streams         ││ mean, gate, terms  │
//! └─────────────────────────────────┘└────────────────────┘
//! ```
//!
//! Without an own run the newest runs of anyone are listed instead.

use super::super::model::race::{OwnRun, Standing};
use super::super::model::{Model, Screen};
use super::super::widgets::Canvas;
use super::super::widgets::number::{money, or_dashes, seconds, small, span};
use super::super::widgets::wrap::{tail, wrap};
use super::{lanes, prompt, runs, why};
use crate::domain::action::Action;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let (width, height) = (canvas.width(), canvas.height());
    let lines = small(model.prompt.area().lines().len());
    let most = (height / 4).max(3) - 2;
    let box_height = lines.clamp(if height >= 26 { 2 } else { 1 }, most.max(1)) + 2;
    draw_prompt(&mut canvas.part(0, 0, width, box_height), model);
    let mut rest = canvas.part(0, box_height, width, height);
    match &model.conversation.own {
        None => draw_idle(&mut rest, model),
        Some(own) => draw_run(&mut rest, model, own),
    }
}

fn draw_prompt(canvas: &mut Canvas<'_>, model: &Model) {
    let dot = canvas.theme.glyphs.dot;
    let keys = &model.identity.keys;
    let key = |action| keys.keys(action).first().map_or_else(String::new, ToString::to_string);
    let answered = model.conversation.answered();
    let title = if answered > 0 { format!("Prompt {dot} turn {}", answered + 1) } else { "Prompt".to_owned() };
    let right = match &model.conversation.own {
        Some(own) if own.standing.is_going() => {
            format!(
                "{} {}, {} cancels",
                own.standing.name(),
                span(model.now.since(own.sent_at)),
                key(Action::CancelRun)
            )
        }
        _ if answered > 0 => format!("{} starts over", key(Action::NewConversation)),
        _ => String::new(),
    };
    let mut inner = canvas.framed(&title, &right, model.typing);
    let theme = inner.theme;
    let idle = model.prompt.is_empty() && !model.typing;
    if idle {
        let text = match &model.conversation.own {
            Some(own) => format!("{} {}", theme.glyphs.prompt, own.prompt),
            None => format!("{} `{}` types a prompt, Enter sends it", theme.glyphs.prompt, key(Action::Prompt)),
        };
        let (width, rows) = (inner.width().saturating_sub(1), inner.height());
        for (y, line) in (0..rows).zip(wrap(&text, width.saturating_sub(1))) {
            inner.put_within(1, y, &line, theme.dim(), width);
        }
    } else {
        prompt::area(&mut inner.part(1, 0, u16::MAX, u16::MAX), model);
    }
}

/// No own run: what others do meanwhile.
fn draw_idle(canvas: &mut Canvas<'_>, model: &Model) {
    debug_assert_eq!(model.screen, Screen::Race);
    let mut inner = canvas.framed("Latest runs", "reward  seconds  $", false);
    runs::list(&mut inner, model);
}

fn draw_run(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    let (width, height) = (canvas.width(), canvas.height());
    let lanes_height = if own.lanes.is_empty() { 0 } else { lanes::height(width, height, own) };
    lanes::draw(&mut canvas.part(0, 0, width, lanes_height), model, own);
    let rest = height.saturating_sub(lanes_height);
    if width >= 100 {
        let reasons = (width * 2 / 5).clamp(40, 64);
        draw_answer(&mut canvas.part(0, lanes_height, width - reasons, rest), model, own);
        why::draw(&mut canvas.part(width - reasons, lanes_height, reasons, rest), model, own);
    } else if rest >= 14 {
        let reasons = 8;
        draw_answer(&mut canvas.part(0, lanes_height, width, rest - reasons), model, own);
        why::draw(&mut canvas.part(0, height - reasons, width, reasons), model, own);
    } else {
        let reasons = (width * 2 / 5).clamp(24, 40);
        draw_answer(&mut canvas.part(0, lanes_height, width - reasons, rest), model, own);
        why::draw(&mut canvas.part(width - reasons, lanes_height, reasons, rest), model, own);
    }
}

fn draw_answer(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    if let Standing::Failed(message) = &own.standing {
        draw_failure(canvas, model, message);
        return;
    }
    let theme = canvas.theme;
    let title = match own.leader() {
        Some(arm) if !own.answer.is_empty() || own.answering.is_some() => match &own.beside {
            Some(beside) => format!("Answer: {arm}, beside it {beside}"),
            None => format!("Answer: {arm}"),
        },
        _ => "Answer".to_owned(),
    };
    let (width, height) = (canvas.width().saturating_sub(4), canvas.height().saturating_sub(2));
    // Scrolled beyond the beginning is the beginning.
    let wanted = model.conversation.scroll;
    let lines = transcript(model, own, width, height.saturating_add(wanted));
    let scrolled = small(lines.len()).saturating_sub(height).min(wanted);
    let mut inner = canvas.framed(&title, &answer_state(model, own, scrolled), false);
    let waiting = match own.standing {
        Standing::Sent => "sent; features, then the gate …",
        Standing::Previews => "previews are running; the judge reads them when they are in",
        Standing::Judging => "the judge compares the previews …",
        Standing::Answering => "the first words are on their way …",
        Standing::Cancelled => "cancelled before an answer came",
        Standing::Served | Standing::Failed(_) => "the answer is empty",
    };
    if own.answer.is_empty() {
        inner.put_within(1, 0, waiting, theme.dim(), width);
        return;
    }
    let first = lines.len().saturating_sub(usize::from(height) + usize::from(scrolled));
    for (y, (line, is_prompt)) in (0..height).zip(&lines[first..]) {
        let style = if *is_prompt { theme.key() } else { theme.text() };
        inner.put(1, y, line, style);
    }
}

/// The last `rows` lines of the conversation: the answer, and before it what fits of earlier turns.
fn transcript(model: &Model, own: &OwnRun, width: u16, rows: u16) -> Vec<(String, bool)> {
    let mut lines: Vec<(String, bool)> = tail(&own.answer, width, rows).into_iter().map(|line| (line, false)).collect();
    let recorded = own.standing == Standing::Served;
    // A served run is the last pair of turns already.
    let earlier = model.conversation.turns.len().saturating_sub(if recorded { 2 } else { 0 });
    let mut above: Vec<(String, bool)> = Vec::new();
    let glyph = if model.conversation.turns.is_empty() { "" } else { "> " };
    if earlier > 0 {
        above.extend(wrap(&format!("{glyph}{}", own.prompt), width).into_iter().rev().map(|line| (line, true)));
    }
    for turn in model.conversation.turns[..earlier].iter().rev() {
        if lines.len() + above.len() >= usize::from(rows) {
            break;
        }
        let is_prompt = turn.role == "user";
        let text = if is_prompt { format!("{glyph}{}", turn.text()) } else { turn.text() };
        above.push((String::new(), false));
        above.extend(tail(&text, width, rows).into_iter().rev().map(|line| (line, is_prompt)));
    }
    above.reverse();
    above.append(&mut lines);
    above
}

fn answer_state(model: &Model, own: &OwnRun, scrolled: u16) -> String {
    let mut parts = Vec::new();
    if scrolled > 0 {
        parts.push(format!("{scrolled} lines below"));
    }
    if let Some(record) = &own.record {
        parts.push(format!("{} s", seconds(record.timings_s.total)));
        if let Some(attempt) = record.attempts.iter().rev().find(|attempt| attempt.ok) {
            let about = if attempt.estimated { "~" } else { "" };
            parts.push(format!("{about}{} tok", attempt.tokens_out));
        }
        let winner = record.winner.as_ref();
        parts.push(or_dashes(model.spent(record.cost_usd, |row| Some(&row.arm) == winner), money));
    }
    match own.rating {
        Some(rating) if rating > 0.5 => parts.push("rated good".to_owned()),
        Some(_) => parts.push("rated bad".to_owned()),
        None if own.standing == Standing::Served => parts.push("+ good, - bad".to_owned()),
        None => parts.push(own.standing.name().to_owned()),
    }
    parts.join("  ")
}

/// A failed run: what went wrong, and what to do.
fn draw_failure(canvas: &mut Canvas<'_>, model: &Model, message: &str) {
    let keys = &model.identity.keys;
    let key = |action| keys.keys(action).first().map_or_else(String::new, ToString::to_string);
    let mut inner = canvas.framed("No answer", "failed", false);
    let theme = inner.theme;
    let width = inner.width().saturating_sub(2);
    let advice = format!(
        "`{}` then the up arrow brings your prompt back; `{}` shows the log; `{}` shows which arms are in the pool.",
        key(Action::Prompt),
        key(Action::Logs),
        key(Action::Overview),
    );
    let headline = format!("{} no arm could answer", theme.glyphs.outcome[1]);
    let mut y = 0;
    for (text, style) in
        [(headline.as_str(), theme.bad()), (message, theme.text()), ("", theme.text()), (&advice, theme.dim())]
    {
        for line in wrap(text, width) {
            inner.put(1, y, &line, style);
            y = y.saturating_add(1);
        }
    }
}
