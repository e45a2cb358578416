//! The two lines that every run leaves: what was decided and why, before the first model is asked; and what
//! came of it, when the reward is known. Each is one sentence with the run's id in it, since a screen shows
//! little else. No line repeats what a model or an endpoint said, for that may hold the prompt.

use std::fmt::Write;

use ring::digest::{SHA256, digest as hashed};

use crate::domain::event::RunEvent;
use crate::domain::observer::RecordPrompts;
use crate::domain::record::{RunOutcome, RunRecord};
use crate::domain::text::one_line;

/// Where decisions are logged: a target of its own, to be switched.
const DECISION: &str = "banditop::decision";
/// Where rewards are.
const REWARD: &str = "banditop::reward";

/// Arms were chosen.
pub(crate) fn decided(selected: &RunEvent) {
    if !tracing::enabled!(target: DECISION, tracing::Level::INFO) {
        return;
    }
    let RunEvent::Selected { run, strategy, gate, context, arms, .. } = selected else { return };
    let mut text = String::with_capacity(512);
    _ = write!(text, "run {run}: {} by {} ({})", strategy.name(), gate.decision.name(), gate.reason);
    for (is_chosen, word) in [(true, "; chosen"), (false, "; not")] {
        for (n, arm) in arms.iter().filter(|arm| arm.selected == is_chosen).enumerate() {
            let lead = if n == 0 { word } else { "," };
            let (name, mean, uncertainty, p) = (&arm.arm, arm.mean, arm.uncertainty, arm.propensity);
            _ = write!(text, "{lead} {name} {mean:.4}±{uncertainty:.4} p={p:.4}");
        }
    }
    text.push_str("; x");
    for (name, value) in context.names.iter().zip(&context.x) {
        _ = write!(text, " {name}={value}");
    }
    let (intent, decision) = (context.intent.name(), gate.decision.name());
    tracing::info!(target: DECISION, %run, intent, decision, "{text}");
}

/// The reward is known.
pub(crate) fn finished(record: &RunRecord, prompts: RecordPrompts) {
    if !tracing::enabled!(target: REWARD, tracing::Level::INFO) {
        return;
    }
    let text = outcome(record);
    let run = record.run_id;
    match prompts {
        RecordPrompts::Off => tracing::info!(target: REWARD, %run, "{text}"),
        RecordPrompts::Hash => {
            tracing::info!(target: REWARD, %run, prompt_sha256 = digest(&record.request.prompt()), "{text}");
        }
        RecordPrompts::Full => {
            tracing::info!(target: REWARD, %run, prompt = one_line(&record.request.prompt()), "{text}");
        }
    }
}

/// An answer was judged after it had been served.
pub(crate) fn judged(record: &RunRecord) {
    let (run, winner) = (record.run_id, record.winner.as_ref());
    let scores = record.verdict.as_ref().zip(winner).and_then(|(verdict, arm)| verdict.scores.get(arm));
    if let (Some(scores), Some(arm)) = (scores, winner) {
        let mut text = format!("run {run}: judged afterwards, {arm} {:.3}", scores.overall);
        rewards(&mut text, record);
        tracing::info!(target: REWARD, %run, "{text}");
    } else {
        tracing::info!(target: REWARD, %run, "run {run}: could not be judged afterwards");
    }
}

fn outcome(record: &RunRecord) -> String {
    let mut text = String::with_capacity(256);
    _ = write!(text, "run {}: ", record.run_id);
    let took = record.timings_s.total;
    match (&record.outcome, &record.winner) {
        (RunOutcome::Served, Some(winner)) => {
            _ = write!(text, "served by {winner} in {took:.2} s, fallbacks {}", record.fallbacks);
        }
        (RunOutcome::Cancelled, _) => _ = write!(text, "cancelled after {took:.2} s"),
        _ => _ = write!(text, "failed after {took:.2} s"),
    }
    for (n, attempt) in record.attempts.iter().enumerate() {
        if let Some(failure) = &attempt.error {
            _ = write!(text, ", attempt {n} of {} {} ({})", attempt.arm, failure.class, failure.kind);
        }
    }
    _ = write!(text, ", ${:.6}", record.cost_usd);
    rewards(&mut text, record);
    text
}

fn rewards(text: &mut String, record: &RunRecord) {
    for (arm, reward) in &record.rewards {
        _ = write!(text, "; reward {arm} {:.4}", reward.total);
        for (name, term) in reward.terms.iter().filter(|(_, term)| term.weight > 0.0) {
            _ = write!(text, " {name}={:.3}x{:.2}", term.value, term.weight);
        }
    }
}

/// SHA-256 in hex.
#[must_use]
pub fn digest(text: &str) -> String {
    hashed(&SHA256, text.as_bytes()).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_is_sha_256() {
        assert_eq!(super::digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
