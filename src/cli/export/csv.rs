//! Runs as comma-separated values (RFC 4180): one line a run, one column a number, arms and features in the
//! order of the pool and of the schema. What a run has no number for is an empty field.

use std::fmt::Write as _;
use std::path::Path;

use super::pages::Pages;
use crate::cli::failure::Outcome;
use crate::cli::output::say;
use crate::cli::state::{Desk, Writer};
use crate::domain::ids::ArmId;
use crate::domain::record::{RunOutcome, RunRecord};

/// Of every arm.
const OF_ARM: [&str; 6] = ["mean", "uncertainty", "propensity", "quality", "reward", "cost_usd"];

/// Writes up to `limit` of the newest runs, oldest first.
pub(super) async fn export(desk: &Desk<'_>, file: Option<&Path>, limit: usize) -> Outcome {
    let picture = desk.engine().snapshot();
    let arms: Vec<ArmId> = picture.arms.iter().map(|row| row.arm.clone()).collect();
    let known = |run: &RunRecord| run.context.feature_version == picture.feature_version;
    let mut names = None;
    let mut look = |run: &RunRecord| {
        if known(run) && names.is_none() {
            names = Some(run.context.names.clone());
        }
    };
    let pages = Pages::of(desk.engine(), limit, &mut look).await?;
    let mut out = Writer::to(desk, file)?;
    out.write(&head(&arms, &names.unwrap_or_default()))?;
    let (mut written, mut left_out) = (0, 0);
    pages
        .visit(&mut |run| {
            if !known(run) {
                left_out += 1;
                return Ok(());
            }
            let mut text = String::new();
            line(&mut text, run, &arms);
            written += 1;
            out.write(&text)
        })
        .await?;
    out.done()?;
    let left_out = if left_out > 0 { format!("; left out: {left_out} under other features") } else { String::new() };
    say(&format!("exported {written} runs{left_out}"));
    Ok(())
}

fn head(arms: &[ArmId], names: &[String]) -> String {
    let first = ["id", "at", "origin", "intent", "strategy", "gate", "outcome", "winner", "fallbacks", "seconds"];
    let mut columns: Vec<String> = first.into_iter().map(str::to_owned).collect();
    columns.extend(["cost_usd", "rating", "prompt", "variant", "variant_share", "resolved"].map(str::to_owned));
    columns.extend(names.iter().map(|name| format!("x:{name}")));
    columns.extend(arms.iter().flat_map(|arm| OF_ARM.map(|figure| format!("{figure}:{arm}"))));
    let mut text = columns.iter().map(|column| field(column)).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    text
}

fn line(text: &mut String, run: &RunRecord, arms: &[ArmId]) {
    let outcome = match run.outcome {
        RunOutcome::Served => "served",
        RunOutcome::Failed { .. } => "failed",
        RunOutcome::Cancelled => "cancelled",
    };
    let origin = serde_json::to_value(run.origin).ok();
    let origin = origin.as_ref().and_then(|origin| origin.as_str()).unwrap_or_default();
    _ = write!(text, "{},{},{origin},{}", run.run_id, run.at.rfc3339(), run.context.intent.name());
    let winner = run.winner.as_ref().map_or("", ArmId::as_str);
    _ = write!(text, ",{},{},{outcome},{}", run.strategy.name(), run.gate.decision.name(), field(winner));
    _ = write!(text, ",{},{},{}", run.fallbacks, run.timings_s.total, run.cost_usd);
    _ = write!(text, ",{},{}", number(run.rating), field(&run.request.prompt()));
    let assigned = run.policies.experiment;
    let variant = assigned.map_or("", |assigned| assigned.strategy.name());
    _ = write!(text, ",{variant},{},{}", number(assigned.map(|assigned| assigned.share)), run.is_resolved());
    for x in &run.context.x {
        _ = write!(text, ",{x}");
    }
    for arm in arms {
        let score = run.arms.iter().find(|score| score.arm == *arm);
        let reward = run.rewards.get(arm);
        let quality = reward.and_then(|reward| reward.terms.get("quality")).map(|term| term.value);
        let cost = run.attempts.iter().find(|attempt| attempt.arm == *arm && attempt.ok).and_then(|a| a.cost_usd);
        let figures = [
            score.map(|score| score.mean),
            score.map(|score| score.uncertainty),
            score.map(|score| score.propensity),
            quality,
            reward.map(|reward| reward.total),
            cost,
        ];
        for figure in figures {
            _ = write!(text, ",{}", number(figure));
        }
    }
    text.push_str("\r\n");
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn what_would_break_a_line_is_quoted() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a, \"b\"\nc"), "\"a, \"\"b\"\"\nc\"");
    }
}
