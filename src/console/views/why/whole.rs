//! What only the whole of the reasons has: every candidate's numbers, every attempt, the context and the
//! numbers of the gate by name.

use std::fmt::Write as _;

use super::super::super::widgets::number::{money, percent, seconds, unit};
use super::Scene;
use super::part::Part;
use crate::domain::record::{AttemptRecord, RunRecord};

impl Scene<'_> {
    /// All of it.
    pub(super) fn details(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let numbers = self.own.gate.iter().flat_map(|gate| &gate.numbers);
        let numbers: Vec<String> = numbers.map(|(name, value)| format!("{name} {}", short(*value))).collect();
        self.section(&mut parts, "gate", &numbers, "  ");
        let candidates: Vec<String> = self.own.scores.iter().map(|score| self.candidate(score)).collect();
        self.section(&mut parts, "candidates: mean, score, chance", &candidates, "\n");
        if let Some(record) = &self.own.record {
            let attempts: Vec<String> = record.attempts.iter().map(attempt).collect();
            self.section(&mut parts, "full answers", &attempts, "\n");
            let context = record.context.names.iter().zip(&record.context.x);
            let context: Vec<String> = context.map(|(name, value)| format!("{name} {}", short(*value))).collect();
            self.section(&mut parts, "context", &context, "  ");
            self.section(&mut parts, "run", &[about(record)], "  ");
        }
        parts
    }

    fn section(&self, parts: &mut Vec<Part>, title: &str, items: &[String], between: &str) {
        if !items.is_empty() {
            parts.push(Part::text(title, self.width, self.theme.strong(), 1));
            parts.push(Part::text(&items.join(between), self.width, self.theme.text(), 1));
        }
    }

    fn candidate(&self, score: &crate::domain::record::ArmScore) -> String {
        let mark = if score.selected { self.theme.glyphs.selected } else { " " };
        let plus = self.theme.glyphs.plus_minus;
        let (mean, uncertainty) = (unit(score.mean), unit(score.uncertainty));
        let chance = percent(score.propensity);
        format!("{mark} {:<14} {mean} {plus} {uncertainty}  {:>6.3}  {chance}", score.arm.as_str(), score.score)
    }
}

/// One attempt in one line.
fn attempt(attempt: &AttemptRecord) -> String {
    let end = match (&attempt.error, attempt.lost) {
        (_, true) => "lost".to_owned(),
        (Some(error), _) if attempt.handling.unmade => format!("not called: {}", error.kind),
        (Some(error), _) => format!("failed: {}", error.kind),
        (None, _) => "served".to_owned(),
    };
    let beside = if attempt.hedge { " beside the first" } else { "" };
    let first = attempt.ttft_s.map_or_else(String::new, |first| format!(", first {}", seconds(first)));
    let dollars = attempt.cost_usd.map_or_else(|| "--".to_owned(), money);
    let about = if attempt.estimated { "~" } else { "" };
    let deadline = attempt.handling.deadlines.map_or_else(String::new, |deadlines| {
        let learned = if deadlines.learned { " learned" } else { "" };
        format!(", first token within {} s{learned}", seconds(deadlines.first_token_s))
    });
    format!(
        "  {:<14} {end}{beside}, {} s{first}, {about}{} + {} tok, {dollars}{deadline}",
        attempt.arm.as_str(),
        seconds(attempt.latency_s),
        attempt.tokens_in,
        attempt.tokens_out,
    )
}

/// What names the run, and what it was a part of.
fn about(record: &RunRecord) -> String {
    let mut text = format!("{} at {}, {}", record.run_id, record.at.rfc3339(), record.context.intent.name());
    if let Some(session) = &record.policies.session {
        _ = write!(text, ", conversation {}", session.id);
    }
    if let Some(experiment) = record.policies.experiment {
        _ = write!(text, ", assigned to {} at {}", experiment.strategy.name(), percent(experiment.share));
    }
    if let Some(cache) = record.policies.cache {
        _ = write!(text, ", previews from the cache {} of {}", cache.hits, cache.hits + cache.misses);
    }
    text
}

/// A number of whatever size, in at most four digits after the point.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}
