//! Why that arm answered: who decided, what was expected of it, in which order arms were to answer,
//! what the reward is made of, where the time went.
//!
//! ```text
//! ┌ Why ──────────────────────────────────┐
//! │ bandit: 3 of 5 by score, α 0.60       │
//! │ conversation 1f3a92 kept atlas-70b: … │
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
//!
//! Where there is no room for all of it, what matters least shortens and goes, and the frame names the key that
//! shows the whole: with every candidate, every attempt and every number that decided.

mod calls;
mod part;
mod whole;

use super::super::model::Model;
use super::super::model::race::OwnRun;
use super::super::settings::{Background, ColorDepth};
use super::super::theme::Theme;
use super::super::widgets::Canvas;
use super::super::widgets::number::{percent, seconds, small, spread, unit};
use crate::domain::action::{Action, KeyName};
use crate::domain::ids::ArmId;
use crate::domain::record::{ContextRecord, OrderRecord, RewardRecord, Timings};
use crate::domain::search::SearchResult;
use crate::domain::terms::Term;
use part::{Part, Row};

/// What mends a judge that is out, as its alarm names it.
const ASK_JUDGE: &str = "judge";

/// What everything is drawn from.
struct Scene<'a> {
    model: &'a Model,
    own: &'a OwnRun,
    theme: &'a Theme,
    width: u16,
}

/// Draws as much of it as there is room for.
pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun) {
    let strategy = own.strategy.map_or("", |strategy| strategy.name());
    let (width, height) = (canvas.width().saturating_sub(4), canvas.height().saturating_sub(2));
    let scene = Scene { model, own, theme: canvas.theme, width };
    let whole = scene.parts(usize::MAX, true);
    let is_whole = part::whole(&whole).len() <= usize::from(height);
    let parts = if is_whole { whole } else { scene.parts(if height > 9 { 3 } else { 2 }, false) };
    let rows = part::fitted(&parts, height);
    let right = match (is_whole, zoom_key(model)) {
        (false, key) => format!("{strategy} {} {key} all", canvas.theme.glyphs.dot),
        (true, _) => strategy.to_owned(),
    };
    let mut inner = canvas.framed("Why", &right, false);
    part::draw(&mut inner.part(1, 0, width, height), &rows);
}

/// Draws all of it, scrolled down by so many rows, with what only this view has.
pub(super) fn draw_zoomed(canvas: &mut Canvas<'_>, model: &Model, own: &OwnRun, scroll: u16) {
    let (width, height) = (canvas.width().saturating_sub(4), canvas.height().saturating_sub(2));
    let parts = Scene { model, own, theme: canvas.theme, width }.everything();
    let rows = part::whole(&parts);
    let first = usize::from(scroll).min(rows.len().saturating_sub(usize::from(height)));
    let below = rows.len().saturating_sub(first + usize::from(height));
    let more = if below > 0 { format!("{below} more below  ") } else { String::new() };
    let right = format!("{more}{} goes back", zoom_key(model));
    let mut inner = canvas.framed("Why, all of it", &right, true);
    part::draw(&mut inner.part(1, 0, width, height), &rows[first..]);
}

/// The farthest that the zoomed view can be scrolled in so many columns and rows.
pub(in super::super) fn farthest(model: &Model, own: &OwnRun, (width, height): (u16, u16)) -> u16 {
    // Colours take no room.
    let theme = Theme::new(ColorDepth::None, Background::Dark, false);
    let parts = Scene { model, own, theme: &theme, width: width.saturating_sub(4) }.everything();
    small(part::whole(&parts).len()).saturating_sub(height.saturating_sub(2))
}

fn zoom_key(model: &Model) -> String {
    model.identity.keys.keys(Action::Zoom).first().map_or_else(String::new, ToString::to_string)
}

impl Scene<'_> {
    fn everything(&self) -> Vec<Part> {
        let mut parts = self.parts(usize::MAX, true);
        parts.extend(self.details());
        parts
    }

    /// What to show, from above; the gate in at most so many rows, terms without weight where all are wanted.
    fn parts(&self, gate_rows: usize, all_terms: bool) -> Vec<Part> {
        let mut parts = vec![self.gate().at_most(gate_rows)];
        parts.extend(self.session());
        parts.extend(self.expectation());
        parts.extend(self.order());
        parts.extend(self.worth());
        parts.extend(self.retries());
        parts.extend(self.failures());
        parts.extend(self.reward(all_terms));
        parts.extend(self.rating());
        parts.extend(self.afterwards());
        parts.extend(self.search());
        parts.extend(self.own.record.as_ref().map(|record| self.timings(&record.timings_s)));
        parts
    }

    fn gate(&self) -> Part {
        let Some(gate) = &self.own.gate else {
            let is_refused = !self.own.standing.is_going();
            let text = if is_refused { "nothing was decided" } else { "the gate has not decided yet" };
            return Part::text(text, self.width, self.theme.dim(), 60);
        };
        let degraded = self.own.record.as_ref().and_then(|record| record.context.degraded.as_ref());
        let note = degraded.map_or_else(String::new, |reason| format!("; embedding left out: {reason}"));
        Part::text(&format!("{}: {}{note}", gate.decision.name(), gate.reason), self.width, self.theme.text(), 60)
    }

    fn session(&self) -> Option<Part> {
        let session = self.own.record.as_ref()?.policies.session.as_ref()?;
        // That one begins is news to nobody.
        session.before.as_ref()?;
        let style = if session.kept { self.theme.text() } else { self.theme.warn() };
        Some(Part::text(&session.summary(), self.width, style, 75))
    }

    fn expectation(&self) -> Vec<Part> {
        let (own, theme) = (self.own, self.theme);
        let Some((arm, score)) = own.leader().and_then(|arm| own.score(arm).map(|score| (arm, score))) else {
            return Vec::new();
        };
        let index = self.model.live.arms.iter().position(|row| row.arm == *arm).unwrap_or(0);
        let row = Row::Expected {
            text: format!("{arm} {} {} {} ", unit(score.mean), theme.glyphs.plus_minus, spread(score.uncertainty)),
            mean: score.mean,
            uncertainty: score.uncertainty,
            arm: theme.arm(index),
            right: format!(" chosen {}", percent(score.propensity)),
            style: theme.strong(),
        };
        let context = own.record.as_ref().map(|record| &record.context);
        let signals = context.and_then(|context| signals_line(context, arm));
        let signals = signals.map(|line| Part::text(&line, self.width, theme.dim(), 15));
        [Part::new(vec![vec![row]], 50)].into_iter().chain(signals).collect()
    }

    fn order(&self) -> Vec<Part> {
        let (own, theme) = (self.own, self.theme);
        if own.order.is_empty() {
            return Vec::new();
        }
        let arrow = format!(" {} ", theme.glyphs.arrow);
        let order = own.order.iter().map(ToString::to_string).collect::<Vec<_>>().join(&arrow);
        let order = Part::text(&format!("order {order}"), self.width, theme.text(), 55);
        let judge = own.verdict.as_ref().filter(|verdict| verdict.local_fallback).map(|verdict| {
            let reason = verdict.reason.as_deref().unwrap_or("the judge failed");
            let remedy = self.judge_remedy().map_or_else(String::new, |key| format!(" ({key} asks it again)"));
            Part::text(&format!("judged locally{remedy}: {reason}"), self.width, theme.warn(), 80)
        });
        [order].into_iter().chain(judge).collect()
    }

    /// The key by which the judge is asked again, while it is out.
    fn judge_remedy(&self) -> Option<&KeyName> {
        let is_out = self.model.live.alarms.iter().any(|alarm| alarm.remedy.as_deref() == Some(ASK_JUDGE));
        self.model.identity.keys.key_of(ASK_JUDGE).filter(|_| is_out)
    }

    /// Where verdicts did not decide the order: what the first two arms that it put in order were worth.
    fn worth(&self) -> Option<Part> {
        let lines = worth_lines(self.own.record.as_ref()?.ordering.as_ref()?)?;
        let [.., shortest] = &lines;
        let line = lines.iter().find(|line| small(line.chars().count()) <= self.width).unwrap_or(shortest);
        Some(Part::text(line, self.width, self.theme.dim(), 20))
    }

    fn reward(&self, all_terms: bool) -> Option<Part> {
        let record = self.own.record.as_ref()?;
        let winner = record.winner.as_ref()?;
        if let Some(reward) = record.rewards.get(winner) {
            return Some(self.terms(reward, all_terms));
        }
        let is_cached = record.previews.iter().any(|preview| preview.cached && preview.arm == *winner);
        let text = "no reward: its preview taught before";
        is_cached.then(|| Part::text(text, self.width, self.theme.dim(), 64))
    }

    /// The reward's table with every term, or with those that have weight; or the sum alone.
    fn terms(&self, reward: &RewardRecord, is_all: bool) -> Part {
        let theme = self.theme;
        let heading = Row::Term { name: "term".to_owned(), numbers: [None; 3], style: theme.dim() };
        let last = |name: &str, value: f64, style| Row::Term {
            name: name.to_owned(),
            numbers: [None, None, Some(value)],
            style,
        };
        let penalty = (reward.penalty > 0.0).then(|| last("fallbacks", -reward.penalty, theme.warn()));
        let known = Term::ALL.iter().filter_map(|term| reward.terms.get(term.name()).map(|value| (term, value)));
        let rows = known.filter(|(_, value)| is_all || value.weight > 0.0).map(|(term, value)| Row::Term {
            name: term.name().to_owned(),
            numbers: [Some(value.value), Some(value.weight), Some(value.contribution)],
            style: if value.weight > 0.0 { theme.text() } else { theme.dim() },
        });
        let sum = last("reward", reward.total, theme.strong());
        let table = [heading].into_iter().chain(rows).chain(penalty).chain([sum]).collect();
        let known = Term::ALL.iter().filter_map(|term| Some((term.name(), reward.terms.get(term.name())?)));
        let weighted = known.filter(|(_, term)| term.weight > 0.0);
        let in_short: Vec<String> =
            weighted.map(|(name, term)| format!("{}{}", &name[..1], unit(term.contribution))).collect();
        let line = format!("reward {}: {}", unit(reward.total), in_short.join(" "));
        Part::new(vec![table, vec![Row::Text(line, theme.strong())]], 65)
    }

    /// What a person thought of the answer: that is what it taught, in the judge's place.
    fn rating(&self) -> Option<Part> {
        let rating = self.own.rating?;
        let line = format!("rated {}: taught as quality {}", if rating > 0.5 { "good" } else { "bad" }, unit(rating));
        Some(Part::text(&line, self.width, self.theme.text(), 76))
    }

    /// What the judge said after the answer was served, where it was asked then.
    fn afterwards(&self) -> Option<Part> {
        let run = self.own.run?;
        let record = self.own.record.as_ref();
        let late = record.and_then(|record| record.policies.afterwards.map(|late| (late, record)));
        let line = if let Some((late, record)) = late {
            let scores = record.verdict.as_ref().zip(record.winner.as_ref()).and_then(|(v, arm)| v.scores.get(arm));
            let said =
                scores.map_or_else(|| "nothing".to_owned(), |scores| format!("quality {}", unit(scores.overall)));
            let taught = if late.taught { "" } else { ", taught nothing" };
            format!("judged afterwards: {said}{taught} ({} s, share {})", seconds(late.seconds), percent(late.share))
        } else {
            // The picture is sooner there than the record.
            let shown = self.model.shown().recent_runs.iter().find(|shown| shown.run == run)?;
            format!("judged afterwards: quality {}", unit(shown.afterwards?.get()))
        };
        Some(Part::text(&line, self.width, self.theme.text(), 74))
    }

    /// What was looked up on the web, and the pages that the answer cites.
    fn search(&self) -> Vec<Part> {
        let Some(search) = self.own.record.as_ref().and_then(|record| record.policies.search.as_ref()) else {
            return Vec::new();
        };
        let (theme, width) = (self.theme, self.width);
        let style = if search.error.is_some() { theme.warn() } else { theme.dim() };
        let source = |(number, source): (usize, &SearchResult)| {
            let address = source.url.split_once("://").map_or(source.url.as_str(), |(_, rest)| rest);
            let host = address.split('/').next().unwrap_or(address);
            let whole = Part::text(&format!("[{number}] {} {}", source.url, source.title), width, theme.text(), 45);
            whole.or(Row::Text(format!("[{number}] {host}: {}", source.title), theme.text()))
        };
        let found = format!("web: {} found, {} cited", search.results.len(), search.cited.len());
        let summary = Part::text(&search.summary(), width, style, 58);
        let summary = if search.error.is_some() { summary } else { summary.or(Row::Text(found, style)) };
        [summary].into_iter().chain(search.sources().map(source)).collect()
    }

    fn timings(&self, timings: &Timings) -> Part {
        let phases = [
            ("search", timings.search),
            ("previews", timings.previews),
            ("judge", timings.judge),
            ("full", timings.full),
        ];
        let parts: Vec<String> = phases
            .iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .map(|(name, value)| format!("{name} {} s", seconds(*value)))
            .collect();
        let text = format!("{}  total {} s", parts.join("  "), seconds(timings.total));
        Part::text(&text, self.width, self.theme.dim(), 40)
    }
}

/// What the context said about the arm itself, where it says anything.
fn signals_line(context: &ContextRecord, arm: &ArmId) -> Option<String> {
    let own = context.signals.get(arm)?;
    let names = context.names.iter().skip(context.names.len().saturating_sub(own.len()));
    let parts = names.zip(own).map(|(name, value)| format!("{} {}", name.trim_start_matches("signal_"), unit(*value)));
    Some(format!("signals {}", parts.collect::<Vec<_>>().join("  ")))
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
