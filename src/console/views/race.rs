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
//! Without an own run the newest runs of anyone are listed instead. A run that is shown, one's own here or an
//! older one on the Runs screen, looks the same; the whole of its reasons takes all of the place.

use super::super::model::race::{OwnRun, Standing};
use super::super::model::{Model, Screen};
use super::super::widgets::Canvas;
use super::super::widgets::number::{money, or_dashes, seconds, small, span};
use super::super::widgets::wrap::{tail, wrap};
use super::{lanes, prompt, runs, why};
use crate::domain::action::Action;
use crate::domain::chat::Message;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    if let Some((own, rows)) = model.conversation.own.as_ref().and_then(|own| Some((own, own.zoom?))) {
        why::draw_zoomed(canvas, model, own, rows);
        return;
    }
    let (width, height) = (canvas.width(), canvas.height());
    let box_height = prompt_rows(model, height);
    draw_prompt(&mut canvas.part(0, 0, width, box_height), model);
    let mut rest = canvas.part(0, box_height, width, height);
    match &model.conversation.own {
        None => draw_idle(&mut rest, model),
        Some(own) => draw_run(&mut rest, model, own),
    }
}

/// Rows of the frame around the prompt, of so many in all.
pub(super) fn prompt_rows(model: &Model, height: u16) -> u16 {
    let lines = small(model.prompt.area().lines().len());
    let most = (height / 4).max(3) - 2;
    lines.clamp(if height >= 26 { 2 } else { 1 }, most.max(1)) + 2
}

fn draw_prompt(canvas: &mut Canvas<'_>, model: &Model) {
    let dot = canvas.theme.glyphs.dot;
    let keys = &model.identity.keys;
    let key = |action| keys.keys(action).first().map_or_else(String::new, ToString::to_string);
    let answered = model.conversation.answered();
    let (width, rows) = (canvas.width().saturating_sub(4), canvas.height().saturating_sub(2));
    let (is_draft, own) = (!model.prompt.is_empty() || model.typing, model.conversation.own.as_ref());
    let asked = own.map(|own| prompt::head(&format!("{} {}", canvas.theme.glyphs.prompt, own.prompt), width, rows));
    let mut title = vec!["Prompt".to_owned()];
    title.extend((answered > 0).then(|| format!("turn {}", answered + 1)));
    title.extend((is_draft && !model.typing).then(|| format!("not sent, {} goes on", key(Action::Prompt))));
    if is_draft {
        title.extend(prompt::size_of_draft(model, width, rows));
    } else if let (Some(own), Some((_, true))) = (own, &asked) {
        title.push(prompt::size(own.prompt.chars().count(), own.prompt.lines().count()));
    }
    let title = title.join(&format!(" {dot} "));
    let right = match own {
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
    if is_draft {
        prompt::area(&mut inner.part(1, 0, u16::MAX, u16::MAX), model);
        return;
    }
    let invites = || vec![format!("{} `{}` types a prompt, Enter sends it", theme.glyphs.prompt, key(Action::Prompt))];
    for (y, line) in (0..rows).zip(asked.map_or_else(invites, |(lines, _)| lines)) {
        inner.put_within(1, y, &line, theme.dim(), width);
    }
}

/// No own run: what others do meanwhile.
fn draw_idle(canvas: &mut Canvas<'_>, model: &Model) {
    debug_assert_eq!(model.screen, Screen::Race);
    runs::draw(canvas, model);
}

/// Where the parts of a run are in so many columns and rows: rows of the lanes, then of the answer and of the
/// reasons, each as (x, y, width, height).
fn places(width: u16, height: u16, own: &OwnRun) -> (u16, [(u16, u16, u16, u16); 2]) {
    let lanes = if own.lanes.is_empty() { 0 } else { lanes::height(width, height, own) };
    let rest = height.saturating_sub(lanes);
    if width < 100 && rest >= 14 {
        let reasons = (rest / 2).clamp(8, 12);
        return (lanes, [(0, lanes, width, rest - reasons), (0, height - reasons, width, reasons)]);
    }
    let reasons = if width >= 100 { (width * 2 / 5).clamp(40, 64) } else { (width * 2 / 5).clamp(24, 40) };
    (lanes, [(0, lanes, width - reasons, rest), (width - reasons, lanes, reasons, rest)])
}

/// A run: its lanes, its answer, its reasons.
pub(super) fn draw_run(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    let (width, height) = (canvas.width(), canvas.height());
    let (lanes_height, [answer, reasons]) = places(width, height, own);
    lanes::draw(&mut canvas.part(0, 0, width, lanes_height), model, own);
    let part = |canvas: &mut Canvas<'_>, (x, y, width, height): (u16, u16, u16, u16), draw: Drawing| {
        draw(&mut canvas.part(x, y, width, height), model, own);
    };
    part(canvas, answer, draw_answer);
    part(canvas, reasons, why::draw);
}

type Drawing = fn(&mut Canvas<'_>, &Model, &OwnRun);

/// The farthest that the answer of `own` can be scrolled up, in a place of so many columns and rows.
pub(super) fn farthest(model: &Model, own: &OwnRun, (width, height): (u16, u16)) -> u16 {
    let (_, [(.., width, height), _]) = places(width, height, own);
    let (width, height) = (width.saturating_sub(4), height.saturating_sub(2));
    small(transcript(model, own, width, u16::MAX).len()).saturating_sub(height)
}

fn draw_answer(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    if let Standing::Failed(message) = &own.standing {
        draw_failure(canvas, model, own, message);
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
    let wanted = own.scroll;
    let lines = transcript(model, own, width, height.saturating_add(wanted));
    let scrolled = small(lines.len()).saturating_sub(height).min(wanted);
    let mut inner = canvas.framed(&title, &answer_state(model, own, scrolled), false);
    let waiting = match own.standing {
        Standing::Sent => "sent; features, then the gate …",
        Standing::Previews => "previews are running; the judge reads them when they are in",
        Standing::Judging => "the judge compares the previews …",
        Standing::Searching => "the web is searched …",
        Standing::Answering if own.search_failed => "the web search failed; the first words come without it …",
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
    // A run of the history stands alone.
    let turns: &[Message] = if model.screen == Screen::Runs { &[] } else { &model.conversation.turns };
    // A served run is the last pair of turns already.
    let earlier = turns.len().saturating_sub(if recorded { 2 } else { 0 });
    let mut above: Vec<(String, bool)> = Vec::new();
    let glyph = if turns.is_empty() { "" } else { "> " };
    if earlier > 0 {
        above.extend(wrap(&format!("{glyph}{}", own.prompt), width).into_iter().rev().map(|line| (line, true)));
    }
    for turn in turns[..earlier].iter().rev() {
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
        None if own.standing == Standing::Served && model.screen == Screen::Race => {
            parts.push("+ good, - bad".to_owned());
        }
        None => parts.push(own.standing.name().to_owned()),
    }
    parts.join("  ")
}

/// A failed run: what went wrong, and what to do.
fn draw_failure(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun, message: &str) {
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
    // One that was refused has asked nobody; of the others the message begins with what became of all.
    let headline = if own.run.is_none() { "the run was not started\n" } else { "" };
    let message = format!("{} {headline}{message}", theme.glyphs.outcome[1]);
    let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
    // A run of the history has no prompt to bring back.
    let advice = if model.screen == Screen::Runs { "" } else { &advice };
    let mut y = 0;
    for (text, style) in [(first, theme.bad()), (rest, theme.text()), ("", theme.text()), (advice, theme.dim())] {
        for line in wrap(text, width) {
            inner.put(1, y, &line, style);
            y = y.saturating_add(1);
        }
    }
}
