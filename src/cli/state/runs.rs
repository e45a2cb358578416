//! `state export --runs`: what was seen, run by run, in the form of recorded outcomes. Only arms that were
//! judged have a quality, so a row is a part of the truth; beside it stands the probability with which each
//! candidate was selected, which is what `off-policy` and `replay` need to make something of it.

use std::path::Path;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Desk, Writer};
use crate::cli::export::Pages;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::output::say;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::{EXPECTED_RACED, GateDecision, PreviewRecord, RunRecord};
use crate::domain::spec::Strategy;
use crate::evaluation::variants::Assigned;

/// One run as a recorded outcome.
#[derive(serde::Serialize)]
struct Row<'a> {
    id: RunId,
    at: Timestamp,
    /// The recognised intent: a label, for a router computes its own.
    task: &'static str,
    prompt: String,
    /// As judged, of the arms that were; a person's rating where there is one.
    quality: ByArm<'a>,
    /// Dollars of full answers.
    #[serde(skip_serializing_if = "ByArm::is_empty")]
    cost_usd: ByArm<'a>,
    /// Seconds of full answers.
    #[serde(skip_serializing_if = "ByArm::is_empty")]
    latency_s: ByArm<'a>,
    x: &'a [f64],
    /// Of every candidate; absent where nothing was judged, and so nothing can be told of the selection.
    #[serde(skip_serializing_if = "ByArm::is_empty")]
    propensity: ByArm<'a>,
    /// What the propensities sum to, where limits of shares decided by chance how many race.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_raced: Option<f64>,
    /// Who raced; one without a quality was lost, for its call failed in passing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selected: Vec<&'a ArmId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    served: Option<&'a ArmId>,
    strategy: Strategy,
    gate: GateDecision,
    /// What the run was assigned to at random, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<Assigned>,
}

/// Numbers by arm, in the order of the pool: a sorted map would lose it.
struct ByArm<'a>(Vec<(&'a ArmId, f64)>);

impl ByArm<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ByArm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (arm, value) in &self.0 {
            map.serialize_entry(arm.as_str(), value)?;
        }
        map.end()
    }
}

/// Writes up to `limit` of the newest runs, oldest first.
pub(in crate::cli) async fn export(desk: &Desk<'_>, file: Option<&Path>, limit: usize) -> Outcome {
    let snapshot = desk.engine.snapshot();
    let pool: Vec<ArmId> = snapshot.arms.iter().map(|row| row.arm.clone()).collect();
    let pages = Pages::of(desk.engine, limit, &mut |_| {}).await?;
    let mut out = Writer::to(desk, file)?;
    let (mut written, mut unjudged, mut other) = (0, 0, 0);
    pages
        .visit(&mut |run| {
            if run.context.feature_version != snapshot.feature_version {
                other += 1;
                return Ok(());
            }
            let Some(row) = row(run, &pool) else {
                unjudged += 1;
                return Ok(());
            };
            written += 1;
            out.write(&(serde_json::to_string(&row).map_err(CliError::failed)? + "\n"))
        })
        .await?;
    out.done()?;
    let place =
        file.filter(|path| *path != Path::new("-")).map_or_else(String::new, |path| format!(" to {}", path.display()));
    let mut left_out = Vec::new();
    if unjudged > 0 {
        left_out.push(format!("{unjudged} in which nothing was judged"));
    }
    if other > 0 {
        left_out.push(format!("{other} under other features"));
    }
    let left_out = if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
    say(&format!("exported {written} runs{place}{left_out}"));
    Ok(())
}

/// What the run was assigned to. A reward without the quality of the answer is none.
pub(in crate::cli) fn assigned(run: &RunRecord) -> Option<Assigned> {
    let assigned = run.policies.experiment?;
    let earned = run.winner.as_ref().and_then(|winner| run.rewards.get(winner));
    Some(Assigned {
        variant: assigned.strategy.name().to_owned(),
        share: assigned.share,
        reward: earned.filter(|earned| earned.terms.contains_key("quality")).map(|earned| earned.total),
        resolved: run.is_resolved(),
        usd: run.cost_usd,
        seconds: run.timings_s.total,
    })
}

/// `None` where nothing was judged and nothing was assigned.
fn row<'a>(run: &'a RunRecord, pool: &[ArmId]) -> Option<Row<'a>> {
    let judged = |(arm, reward): (&'a ArmId, &crate::domain::record::RewardRecord)| {
        let value = reward.terms.get("quality")?.value;
        let rated = run.rating.filter(|_| run.winner.as_ref() == Some(arm));
        Some((arm, rated.unwrap_or(value)))
    };
    // A preview from the cache teaches nothing again, but was an outcome.
    let counts = run.ordering.as_ref().is_some_and(|ordering| ordering.counts);
    let again = |preview: &'a PreviewRecord| {
        let score = run.verdict.as_ref().filter(|_| counts && preview.cached)?.scores.get(&preview.arm)?;
        Some((&preview.arm, score.overall))
    };
    let quality = run.rewards.iter().filter_map(judged).chain(run.previews.iter().filter_map(again));
    let quality = ordered(quality.collect(), pool);
    let all_lost = !run.previews.is_empty() && run.previews.iter().all(|preview| preview.error.is_some());
    let experiment = assigned(run);
    let is_judged = !quality.is_empty() || all_lost;
    if !is_judged && experiment.is_none() {
        return None;
    }
    let scores = || run.arms.iter().filter(|_| is_judged);
    let answered = || run.attempts.iter().filter(|attempt| attempt.ok);
    let served = run.winner.as_ref().filter(|winner| quality.0.iter().any(|(arm, _)| arm == winner));
    Some(Row {
        id: run.run_id,
        at: run.at,
        task: run.context.intent.name(),
        prompt: run.request.prompt(),
        cost_usd: ordered(answered().filter_map(|a| Some((&a.arm, a.cost_usd?))).collect(), pool),
        latency_s: ordered(answered().map(|a| (&a.arm, a.latency_s)).collect(), pool),
        x: &run.context.x,
        propensity: ordered(scores().map(|score| (&score.arm, score.propensity)).collect(), pool),
        expected_raced: run.gate.numbers.get(EXPECTED_RACED).copied().filter(|_| is_judged),
        selected: scores().filter(|score| score.selected).map(|score| &score.arm).collect(),
        served,
        strategy: run.strategy,
        gate: run.gate.decision,
        experiment,
        quality,
    })
}

fn ordered<'a>(mut values: Vec<(&'a ArmId, f64)>, pool: &[ArmId]) -> ByArm<'a> {
    let place = |arm: &ArmId| pool.iter().position(|known| known == arm).unwrap_or(pool.len());
    values.sort_by_key(|(arm, _)| place(arm));
    ByArm(values)
}
