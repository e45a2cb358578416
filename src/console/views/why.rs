//! Why that arm answered: who decided, what was expected of it, in which order arms were to answer,
//! what the reward is made of, where the time went.
//!
//! ```text
//! ┌ Why ──────────────────────────────────┐
//! │ bandit: 3 of 5 by score, α 0.60       │
//! │ atlas-70b .82 ± .04  ····├─●─┤··      │
//! │ signals latency .32  errors .00  …    │
//! │ order atlas-70b → swift-8b → scribe   │
//! │ by worth swift-8b 0.9/s before scribe…│
//! │ term        value  weight      gives  │
//! │ quality       .86     .70        .60  │
//! │ reward                           .79  │
//! │ judged afterwards: quality .86        │
//! │ previews 0.9 s  judge 0.3 s  full 1.1 │
//! └───────────────────────────────────────┘
//! ```

use ratatui::style::Style;

use super::super::model::Model;
use super::super::model::race::OwnRun;
use super::super::widgets::number::{money, percent, seconds, small, unit};
use super::super::widgets::wrap::wrap;
use super::super::widgets::{Canvas, figure};
use crate::domain::handling::Retried;
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, ContextRecord, OrderRecord, RewardRecord, Timings};
use crate::domain::tally::Phase;
use crate::domain::terms::Term;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    let strategy = own.strategy.map_or("", |strategy| strategy.name());
    let mut inner = canvas.framed("Why", strategy, false);
    let (width, height) = (inner.width().saturating_sub(2), inner.height());
    let mut body = inner.part(1, 0, width, height);
    let mut y = draw_gate(&mut body, own);
    y = draw_expectation(&mut body, y, model, own);
    y = draw_order(&mut body, y, own);
    y = draw_worth(&mut body, y, own);
    y = draw_retries(&mut body, y, own);
    y = draw_failures(&mut body, y, own);
    let reward = own.record.as_ref().and_then(|record| record.rewards.get(record.winner.as_ref()?));
    if let Some(reward) = reward {
        y = draw_reward(&mut body, y, reward);
    } else if is_from_cache(own) {
        body.put_within(0, y, "no reward: its preview taught before", body.theme.dim(), width);
        y += 1;
    }
    y = draw_afterwards(&mut body, y, model, own);
    y = draw_search(&mut body, y, own);
    if let Some(record) = &own.record {
        draw_timings(&mut body, y, &record.timings_s);
    }
}

fn draw_gate(canvas: &mut Canvas<'_>, own: &OwnRun) -> u16 {
    let theme = canvas.theme;
    let Some(gate) = &own.gate else {
        canvas.put_within(0, 0, "the gate has not decided yet", theme.dim(), canvas.width());
        return 1;
    };
    let degraded = own.record.as_ref().and_then(|record| record.context.degraded.as_ref());
    let note = degraded.map_or_else(String::new, |reason| format!("; embedding left out: {reason}"));
    let text = format!("{}: {}{note}", gate.decision.name(), gate.reason);
    let rows = if canvas.height() > 9 { 3 } else { 1 };
    let lines = wrap(&text, canvas.width());
    for (y, line) in (0..rows).zip(&lines) {
        canvas.put(0, y, line, theme.text());
    }
    rows.min(small(lines.len()))
}

fn draw_expectation(canvas: &mut Canvas<'_>, y: u16, model: &Model, own: &OwnRun) -> u16 {
    let theme = canvas.theme;
    let Some((arm, score)) = own.leader().and_then(|arm| own.score(arm).map(|score| (arm, score))) else { return y };
    let index = model.live.arms.iter().position(|row| row.arm == *arm).unwrap_or(0);
    let text = format!("{arm} {} {} {} ", unit(score.mean), theme.glyphs.plus_minus, unit(score.uncertainty));
    let x = canvas.put(0, y, &text, theme.strong());
    let tail = format!(" chosen {}", percent(score.propensity));
    let room = canvas.width().saturating_sub(x).saturating_sub(small(tail.len()));
    figure::interval(canvas, (x, y), room.min(24), score.mean, score.uncertainty, theme.arm(index));
    if room > 0 {
        canvas.put_right(canvas.width(), y, small(tail.len()), &tail, theme.dim());
    }
    let context = own.record.as_ref().map(|record| &record.context);
    let Some(signals) = context.and_then(|context| signals_line(context, arm)) else { return y + 1 };
    canvas.put_within(0, y + 1, &signals, theme.dim(), canvas.width());
    y + 2
}

/// What the context said about the arm itself, where it says anything.
fn signals_line(context: &ContextRecord, arm: &ArmId) -> Option<String> {
    let own = context.signals.get(arm)?;
    let names = context.names.iter().skip(context.names.len().saturating_sub(own.len()));
    let parts = names.zip(own).map(|(name, value)| format!("{} {}", name.trim_start_matches("signal_"), unit(*value)));
    Some(format!("signals {}", parts.collect::<Vec<_>>().join("  ")))
}

fn draw_order(canvas: &mut Canvas<'_>, y: u16, own: &OwnRun) -> u16 {
    let theme = canvas.theme;
    if own.order.is_empty() {
        return y;
    }
    let arrow = format!(" {} ", theme.glyphs.arrow);
    let order = own.order.iter().map(ToString::to_string).collect::<Vec<_>>().join(&arrow);
    let x = canvas.put(0, y, "order ", theme.dim());
    // The whole order where there is room for a second line, the next to answer where there is not.
    let rows = if canvas.height() > 11 { 2 } else { 1 };
    let lines = wrap(&order, canvas.width().saturating_sub(x));
    let mut y = y;
    if lines.len() > rows {
        canvas.put_within(x, y, &order, theme.text(), canvas.width().saturating_sub(x));
    } else {
        for line in &lines {
            canvas.put(x, y, line, theme.text());
            y += 1;
        }
        y = y.saturating_sub(1);
    }
    let judge = own.verdict.as_ref().filter(|verdict| verdict.local_fallback);
    if let Some(verdict) = judge {
        let reason = verdict.reason.as_deref().unwrap_or("the judge failed");
        let failed = small(failures(own).count());
        return put_whole(canvas, y + 1, &format!("judged locally: {reason}"), theme.warn(), below(own) + failed);
    }
    y + 1
}

/// Where verdicts did not decide the order: what the first two arms that it put in order were worth.
fn draw_worth(canvas: &mut Canvas<'_>, y: u16, own: &OwnRun) -> u16 {
    let ordering = own.record.as_ref().and_then(|record| record.ordering.as_ref());
    let Some(lines) = ordering.and_then(worth_lines) else { return y };
    let width = canvas.width();
    let [.., shortest] = &lines;
    let line = lines.iter().find(|line| small(line.chars().count()) <= width).unwrap_or(shortest);
    canvas.put_within(0, y, line, canvas.theme.dim(), width);
    y + 1
}

/// The same in one line each, the longest first.
fn worth_lines(ordering: &OrderRecord) -> Option<[String; 2]> {
    let [first, second] = ordering.decided.as_slice() else { return None };
    let of = |arm: &ArmId| ordering.worth.iter().find(|each| each.arm == *arm);
    let pair = [of(first)?, of(second)?];
    let long = pair.map(|w| format!("{} {}*{}/{}s", w.arm, unit(w.quality), percent(w.success), seconds(w.seconds)));
    let short = pair.map(|w| format!("{} {:.2}/s", w.arm, w.worth));
    Some([long, short].map(|[first, second]| format!("by worth {first} before {second}")))
}

/// Calls that were made again, in one line.
fn draw_retries(canvas: &mut Canvas<'_>, y: u16, own: &OwnRun) -> u16 {
    if own.retries.is_empty() {
        return y;
    }
    let one = |(phase, name, retried): &(Phase, String, Retried)| format!("{name} {} {}", phase.name(), retried.kind);
    let parts: Vec<String> = own.retries.iter().map(one).collect();
    let line = format!("tried again: {}", parts.join(", "));
    canvas.put_within(0, y, &line, canvas.theme.warn(), canvas.width());
    y + 1
}

/// Full answers that failed.
fn failures(own: &OwnRun) -> impl Iterator<Item = &AttemptRecord> {
    own.attempts.iter().filter(|attempt| !attempt.ok && !attempt.lost)
}

/// Rows of the reward and the times.
fn below(own: &OwnRun) -> u16 {
    let reward = own.record.as_ref().and_then(|record| record.rewards.get(record.winner.as_ref()?));
    let without = u16::from(reward.is_none() && is_from_cache(own));
    1 + without + reward.map_or(0, |reward| small(reward.terms.values().filter(|t| t.weight > 0.0).count()) + 2)
}

/// Whether the preview of what was served was in the cache.
fn is_from_cache(own: &OwnRun) -> bool {
    let Some((record, winner)) = own.record.as_ref().and_then(|record| Some((record, record.winner.as_ref()?))) else {
        return false;
    };
    record.previews.iter().any(|preview| preview.cached && preview.arm == *winner)
}

/// What the judge said after the answer was served, where it was asked then.
fn draw_afterwards(canvas: &mut Canvas<'_>, y: u16, model: &Model, own: &OwnRun) -> u16 {
    let Some(run) = own.run else { return y };
    let shown = model.shown().recent_runs.iter().find(|shown| shown.run == run);
    let Some(quality) = shown.and_then(|shown| shown.afterwards) else { return y };
    let line = format!("judged afterwards: quality {}", unit(quality.get()));
    canvas.put_within(0, y, &line, canvas.theme.text(), canvas.width());
    y + 1
}

/// What was looked up on the web, and the pages that the answer cites.
fn draw_search(canvas: &mut Canvas<'_>, y: u16, own: &OwnRun) -> u16 {
    let Some(search) = own.record.as_ref().and_then(|record| record.policies.search.as_ref()) else { return y };
    let (theme, width) = (canvas.theme, canvas.width());
    let style = if search.error.is_some() { theme.warn() } else { theme.dim() };
    canvas.put_within(0, y, &search.summary(), style, width);
    let mut y = y + 1;
    for (number, source) in search.sources() {
        canvas.put_within(0, y, &format!("[{number}] {} {}", source.url, source.title), theme.text(), width);
        y += 1;
    }
    y
}

fn draw_failures(canvas: &mut Canvas<'_>, mut y: u16, own: &OwnRun) -> u16 {
    let theme = canvas.theme;
    let notes = small(own.attempts.iter().filter(|attempt| note(attempt).is_some()).count());
    let count = notes + small(failures(own).count());
    for (nth, attempt) in (1..).zip(failures(own)) {
        let why = attempt.error.as_ref().map_or_else(|| "failed".to_owned(), ToString::to_string);
        let text = format!("{} {}: {why}", theme.glyphs.outcome[1], attempt.arm);
        y = put_whole(canvas, y, &text, theme.bad(), below(own) + count.saturating_sub(nth));
    }
    for attempt in &own.attempts {
        let Some(note) = note(attempt) else { continue };
        canvas.put_within(0, y, &note, theme.warn(), canvas.width());
        y += 1;
    }
    y
}

/// What an attempt that did not fail has to be said about: what is wrong with its text, or what it wasted.
fn note(attempt: &AttemptRecord) -> Option<String> {
    let arm = &attempt.arm;
    if attempt.lost {
        let about = if attempt.estimated { "~" } else { "" };
        let tokens = u64::from(attempt.tokens_in) + u64::from(attempt.tokens_out);
        let dollars = attempt.cost_usd.map(|dollars| format!(", {}", money(dollars))).unwrap_or_default();
        return Some(format!("{arm} lost beside the winner: {about}{tokens} tok{dollars} wasted"));
    }
    if let Some(reason) = &attempt.handling.unhedged {
        return Some(format!("{arm} had no second answer beside it: {reason}"));
    }
    let names: Vec<&str> = attempt.flags.iter().map(|flag| flag.name()).collect();
    (attempt.ok && !names.is_empty()).then(|| format!("{arm} flagged: {}", names.join(", ")))
}

/// A text from `y` on, whole where `below` rows still fit under it (what to mend stands at the end of a
/// failure's text), else its first line. The row after it.
fn put_whole(canvas: &mut Canvas<'_>, y: u16, text: &str, style: Style, below: u16) -> u16 {
    let lines = wrap(text, canvas.width());
    let room = canvas.height().saturating_sub(y).saturating_sub(below);
    if small(lines.len()) > room {
        canvas.put_within(0, y, text, style, canvas.width());
        return y + 1;
    }
    for (y, line) in (y..).zip(&lines) {
        canvas.put(0, y, line, style);
    }
    y + small(lines.len())
}

fn draw_reward(canvas: &mut Canvas<'_>, y: u16, reward: &RewardRecord) -> u16 {
    let theme = canvas.theme;
    let width = canvas.width();
    let end = width.min(40);
    let columns = [end.saturating_sub(14), end.saturating_sub(7), end];
    let mut y = y;
    canvas.put(0, y, "term", theme.dim());
    for (end, title) in columns.iter().zip(["value", "weight", "gives"]) {
        canvas.put_right(*end, y, 6, title, theme.dim());
    }
    // The heading, the terms, a penalty, the sum, the times.
    let is_roomy = y.saturating_add(small(Term::ALL.len()) + 4) <= canvas.height();
    let known = Term::ALL.iter().filter_map(|term| reward.terms.get(term.name()).map(|value| (term, value)));
    for (term, value) in known {
        // A term without weight gives nothing: shown only where the sum and the times still fit below.
        if value.weight <= 0.0 && !is_roomy {
            continue;
        }
        y += 1;
        let style = if value.weight > 0.0 { theme.text() } else { theme.dim() };
        canvas.put_within(0, y, term.name(), style, columns[0].saturating_sub(6));
        for (end, number) in columns.iter().zip([value.value, value.weight, value.contribution]) {
            canvas.put_right(*end, y, 7, &unit(number), style);
        }
    }
    if reward.penalty > 0.0 {
        y += 1;
        canvas.put(0, y, "fallbacks", theme.warn());
        canvas.put_right(columns[2], y, 7, &format!("-{}", unit(reward.penalty)), theme.warn());
    }
    y += 1;
    canvas.put(0, y, "reward", theme.strong());
    canvas.put_right(columns[2], y, 7, &unit(reward.total), theme.strong());
    y + 1
}

fn draw_timings(canvas: &mut Canvas<'_>, y: u16, timings: &Timings) {
    let theme = canvas.theme;
    let phases =
        [("search", timings.search), ("previews", timings.previews), ("judge", timings.judge), ("full", timings.full)];
    let parts: Vec<String> = phases
        .iter()
        .filter(|(_, seconds)| *seconds > 0.0)
        .map(|(name, value)| format!("{name} {} s", seconds(*value)))
        .collect();
    let text = format!("{}  total {} s", parts.join("  "), seconds(timings.total));
    for (y, line) in (y..canvas.height()).zip(wrap(&text, canvas.width())) {
        canvas.put(0, y, &line, theme.dim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::ArmWorth;

    #[test]
    fn what_is_known_about_an_arm_itself_is_named() {
        let names = ["bias", "length", "signal_latency", "signal_errors", "signal_hallucination"];
        let names = names.map(str::to_owned).to_vec();
        let signals = [(ArmId::new("a"), vec![0.324, 0.0, 0.12])].into();
        let context = ContextRecord { names, signals, ..ContextRecord::default() };
        let line = signals_line(&context, &ArmId::new("a"));
        assert_eq!(line.as_deref(), Some("signals latency .32  errors .00  hallucination .12"));
        assert_eq!(signals_line(&context, &ArmId::new("b")), None);
    }

    #[test]
    fn what_decided_the_order_is_one_line() {
        let worth = |arm: &str, quality: f64, success: f64, seconds: f64| ArmWorth {
            arm: ArmId::new(arm),
            quality,
            success,
            seconds,
            worth: quality * success / seconds,
        };
        let mut ordering = OrderRecord {
            tie_margin: 0.02,
            counts: true,
            worth: vec![worth("a", 0.8, 0.95, 2.0), worth("b", 0.7, 0.9, 0.5)],
            decided: vec![ArmId::new("b"), ArmId::new("a")],
        };
        let lines = worth_lines(&ordering).unwrap();
        assert_eq!(lines[0], "by worth b .70*90%/0.50s before a .80*95%/2.0s");
        assert_eq!(lines[1], "by worth b 1.26/s before a 0.38/s");
        ordering.decided.clear();
        assert_eq!(worth_lines(&ordering), None);
    }
}
