//! A served answer that is judged afterwards. A `direct` run asks no judge, so that nobody waits for one; of a
//! sampled share of them the judge is asked once the answer is served, and what it says of the answer comes to
//! the router as a rating does: late, with the run's own context.
//!
//! Whether a run is drawn follows from its seed and from nothing that happened in it, so what is judged is a fair
//! sample of what was served. Only a run that taught something is judged: to another nothing could be added. What
//! the judge takes counts under the same ceilings as the run itself. A judge that fails teaches nothing.

use std::sync::Arc;

use fastrand::Rng;
use tokio_util::sync::CancellationToken;

use super::answers::length;
use super::budget::{Purse, Reservation};
use super::events::{EventSink, Wire};
use super::judge::JudgeStage;
use super::retry::Retry;
use super::run::{Knowledge, Race};
use super::timeouts::Timers;
use crate::domain::handling::Handling;
use crate::domain::judging::Verdict;
use crate::domain::record::{AttemptRecord, JudgingRecord, PreviewRecord, RewardRecord, RunRecord};
use crate::domain::spec::Strategy;

/// Sets this draw apart from every other one of the run.
const SALT: u64 = 0x6a75_6467_6564_2121;

/// That a run is to be judged afterwards.
#[derive(Clone)]
pub struct Afterwards {
    /// The probability with which it was drawn, in (0, 1].
    pub share: f64,
    seed: u64,
    target: u32,
    /// What was known when the run was planned: the weights in force, and how long verdicts take.
    knowledge: Arc<Knowledge>,
}

/// What came of judging a run afterwards.
#[derive(Clone, Debug)]
pub struct LateVerdict {
    /// The probability with which it was drawn.
    pub share: f64,
    /// Seconds that it took.
    pub seconds: f64,
    /// The verdict; absent where the judge failed and its stand-in does not teach.
    pub verdict: Option<Verdict>,
    /// What the judge's calls took.
    pub judging: Option<JudgingRecord>,
    /// The quality of the served answer, and the reward that it has with it.
    pub taught: Option<(f64, RewardRecord)>,
}

/// Whether the run of that seed is one of the `share` that is judged afterwards.
fn is_drawn(share: f64, seed: u64) -> bool {
    Rng::with_seed(seed ^ SALT).f64() < share
}

impl std::fmt::Debug for Afterwards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Afterwards").field("share", &self.share).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Race {
    /// What is to be done of a run of that seed, should it serve an answer that nobody judged.
    pub(super) fn afterwards(&self, seed: u64, target: u32, knowledge: &Arc<Knowledge>) -> Option<Afterwards> {
        let share = self.parts.config.policies.afterwards;
        is_drawn(share, seed).then(|| Afterwards { share, seed, target, knowledge: Arc::clone(knowledge) })
    }

    /// Asks the judge about the answer that `record` served; `None` where that was stopped before its end.
    pub async fn judge_afterwards(
        &self,
        record: &RunRecord,
        what: &Afterwards,
        reservation: Option<Reservation>,
        stop: &CancellationToken,
    ) -> Option<LateVerdict> {
        let (winner, answer) = (record.winner.as_ref()?, record.answer.as_deref()?);
        let config = &self.parts.config;
        let stage = JudgeStage {
            config,
            choice: self.parts.judge.as_ref(),
            models: &self.parts.models,
            run: record.run_id,
            request: &record.request,
            // The answer was written with them.
            found: record.policies.search.as_ref().map_or(&[], |search| search.results.as_slice()),
            target: what.target,
            retry: &Retry::new(config.retry, Arc::clone(&self.extras), what.seed ^ SALT),
            timers: Timers {
                rules: &config.timeouts,
                signals: &what.knowledge.signals,
                length: length(&record.context.names, &record.context.x),
            },
            health: &self.judge_health,
        };
        let events = EventSink::none();
        // What the run itself took is gone from its purse.
        let purse = Purse::with_spent(config.budget, reservation, record.cost_usd);
        let candidate = candidate(record.served()?, answer);
        let started = tokio::time::Instant::now();
        let mut rng = Rng::with_seed(what.seed ^ SALT);
        let judgement = stage.judge(&[&candidate], &mut rng, Wire { events: &events, stop, purse: &purse }).await?;
        let verdict = Some(judgement.verdict).filter(|_| judgement.teaches);
        let quality = verdict.as_ref().and_then(|verdict| Some(verdict.scores.get(winner)?.overall));
        let taught = quality.map(|quality| {
            let terms = record.rewards.get(winner).and_then(RewardRecord::preview_terms);
            (quality, self.parts.reward.compose(Some(quality), terms.as_ref(), 0, what.knowledge.state.weights()))
        });
        let seconds = started.elapsed().as_secs_f64();
        Some(LateVerdict { share: what.share, seconds, verdict, judging: judgement.asked, taught })
    }
}

/// Whether what `record` says can be added to: an answer of a `direct` run that nobody judged.
pub(super) fn can_be_judged(record: &RunRecord) -> bool {
    record.strategy == Strategy::Direct && record.answer.is_some() && record.verdict.is_none()
}

/// The answer as a candidate of the judge's.
fn candidate(served: &AttemptRecord, answer: &str) -> PreviewRecord {
    PreviewRecord {
        arm: served.arm.clone(),
        latency_s: served.latency_s,
        ttft_s: served.ttft_s,
        tokens: served.tokens_out,
        tokens_in: served.tokens_in,
        estimated: served.estimated,
        cost_usd: None,
        cached: false,
        flags: served.flags.clone(),
        text: answer.to_owned(),
        error: None,
        handling: Handling::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_drawn_from_the_seed_alone() {
        let drawn = |share: f64| (0..10_000).filter(|seed| is_drawn(share, *seed)).count();
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 10_000));
        let tenth = drawn(0.1);
        assert!((900..1_100).contains(&tenth), "{tenth} of 10000");
        assert!(
            (0..10_000).all(|seed| !is_drawn(0.1, seed) || is_drawn(0.2, seed)),
            "a larger share holds the smaller"
        );
    }
}
