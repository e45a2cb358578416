//! What only the whole of the reasons has: every candidate's numbers, every attempt, the context and the
//! numbers of the gate by name.

use std::fmt::Write as _;

use super::super::super::widgets::number::{money, percent, seconds, spread, unit};
use super::Scene;
use super::part::Part;
use crate::domain::handling::Deadlines;
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
            let besides: Vec<String> = judging(record).into_iter().chain(embedding(record)).collect();
            self.section(&mut parts, "asked besides", &besides, "\n");
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
        let (mean, uncertainty) = (unit(score.mean), spread(score.uncertainty));
        let chance = percent(score.propensity);
        format!("{mark} {:<14} {mean} {plus} {uncertainty:<4} {:>6.3}  {chance}", score.arm.as_str(), score.score)
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
    let deadline = deadline(attempt.handling.deadlines.as_ref());
    format!(
        "  {:<14} {end}{beside}, {} s{first}, {about}{} + {} tok, {dollars}{deadline}",
        attempt.arm.as_str(),
        seconds(attempt.latency_s),
        attempt.tokens_in,
        attempt.tokens_out,
    )
}

/// What asking the judge took.
fn judging(record: &RunRecord) -> Option<String> {
    let judging = record.judging.as_ref()?;
    let end = judging.error.as_ref().map_or_else(String::new, |error| format!(" failed: {}", error.kind));
    let name = record.asked_judge();
    let calls = if judging.calls == 1 { "1 call".to_owned() } else { format!("{} calls", judging.calls) };
    let took = record.policies.afterwards.map_or(record.timings_s.judge, |afterwards| afterwards.seconds);
    let first = judging.ttft_s.map_or_else(String::new, |first| format!(", first {}", seconds(first)));
    let dollars = if judging.cost_usd > 0.0 { money(judging.cost_usd) } else { "--".to_owned() };
    Some(format!(
        "  {name:<14}{end} {calls}, {} s{first}, {} + {} tok, {dollars}{}",
        seconds(took),
        judging.tokens_in,
        judging.tokens_out,
        deadline(judging.handling.deadlines.as_ref()),
    ))
}

/// What asking for the embedding of the prompt took.
fn embedding(record: &RunRecord) -> Option<String> {
    let asked = record.policies.embedding.as_ref()?;
    let end = asked.error.as_ref().map_or_else(String::new, |error| format!(" failed: {}", error.kind));
    let about = if asked.estimated { "~" } else { "" };
    let dollars = asked.cost_usd.map_or_else(|| "--".to_owned(), money);
    Some(format!("  {:<14}{end} {} s, {about}{} tok, {dollars}", "embedding", seconds(asked.seconds), asked.tokens))
}

/// How long a first token was waited for.
fn deadline(deadlines: Option<&Deadlines>) -> String {
    deadlines.map_or_else(String::new, |deadlines| {
        let learned = if deadlines.learned { " learned" } else { "" };
        format!(", first token within {} s{learned}", seconds(deadlines.first_token_s))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::record as finished;
    use crate::domain::embedding::EmbeddingRecord;
    use crate::domain::failure::{Failure, FailureClass};
    use crate::domain::handling::Handling;
    use crate::domain::record::JudgingRecord;

    #[test]
    fn what_the_judge_and_the_embedding_took_is_one_line_each() {
        let mut record = finished();
        (record.judging, record.timings_s.judge) = (None, 0.9);
        assert_eq!((judging(&record), embedding(&record)), (None, None));
        let deadlines = Deadlines { first_token_s: 2.5, between_tokens_s: 2.0, whole_s: 10.0, learned: true };
        record.judging = Some(JudgingRecord {
            judge: "sage".to_owned(),
            calls: 2,
            tokens_in: 120,
            tokens_out: 40,
            cost_usd: 0.0012,
            ttft_s: Some(0.3),
            error: Some(Failure::new(FailureClass::Content, "no_verdict", "")),
            handling: Handling { deadlines: Some(deadlines), ..Handling::default() },
        });
        let asked = EmbeddingRecord { seconds: 0.15, tokens: 12, estimated: true, cost_usd: None, error: None };
        record.policies.embedding = Some(asked);
        let lines = [judging(&record).unwrap(), embedding(&record).unwrap()];
        assert_eq!(
            lines,
            [
                "  sage           failed: no_verdict 2 calls, 0.90 s, first 0.30, 120 + 40 tok, $0.0012, first token within 2.5 s learned",
                "  embedding      0.15 s, ~12 tok, --",
            ]
        );
    }
}
