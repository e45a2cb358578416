//! One run in one line, made of its record: the same for the engine's picture of the newest runs and for whoever
//! reads older ones from the store. No wording is decided here.

use super::ratio::Ratio;
use super::record::{RunOutcome, RunRecord};
use super::snapshot::RunSummary;
use super::text;

/// Characters of a prompt in a summary.
const PROMPT_CHARS: usize = 120;

impl RunSummary {
    /// What `record` comes to.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let winner_reward = record.winner.as_ref().and_then(|arm| record.rewards.get(arm));
        Self {
            run: record.run_id,
            at: record.at,
            origin: record.origin,
            prompt: first_line(&record.request.prompt()),
            intent: record.context.intent,
            decision: record.gate.decision,
            winner: record.winner.clone(),
            reward: winner_reward.and_then(|reward| Ratio::new(reward.total)),
            fallbacks: record.fallbacks,
            total_s: record.timings_s.total,
            cost_usd: record.cost_usd,
            afterwards: record
                .policies
                .afterwards
                .and_then(|_| Ratio::new(record.verdict.as_ref()?.scores.get(record.winner.as_ref()?)?.overall)),
            failure: match &record.outcome {
                RunOutcome::Failed { message } => Some(message.clone()),
                RunOutcome::Served | RunOutcome::Cancelled => None,
            },
        }
    }
}

fn first_line(prompt: &str) -> String {
    let (head, _) = text::cut(prompt, 4 * PROMPT_CHARS);
    let line = text::one_line(head);
    line.char_indices().nth(PROMPT_CHARS).map_or_else(|| line.clone(), |(end, _)| format!("{}…", &line[..end]))
}
