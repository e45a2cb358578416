//! The full answer: the first arm in order streams it, and where that fails the next one starts over. An
//! answer that was cut off is never passed for a whole one: it is void as soon as the next attempt starts.
//! What fails for the request's own fault is still tried elsewhere, since limits differ between arms.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::{CallReport, Limits};
use super::config::RaceConfig;
use super::events::Wire;
use super::extra::Endpoint;
use super::flags::{Extent, inspect};
use super::models::ModelRegistry;
use super::outlet::Lane;
use super::reading::input_tokens;
use super::retry::{Retry, Whom};
use super::signals::Signals;
use super::timeouts::Timers;
use crate::domain::answer::ModelCall;
use crate::domain::chat::ChatRequest;
use crate::domain::event::RunEvent;
use crate::domain::failure::Failure;
use crate::domain::flag::Flag;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::AttemptRecord;
use crate::domain::tally::Phase;

/// What full answers are made from.
pub(crate) struct FullStage<'a> {
    /// Timers and bounds.
    pub(crate) config: &'a RaceConfig,
    /// The adapters.
    pub(crate) models: &'a ModelRegistry,
    /// The run.
    pub(crate) run: RunId,
    /// What to answer.
    pub(crate) request: &'a Arc<ChatRequest>,
    /// How long they may take.
    pub(crate) timers: Timers<'a>,
    /// How calls are made again.
    pub(crate) retry: &'a Retry,
    /// How fast arms have been.
    pub(crate) signals: &'a Signals,
    /// When the stage began.
    pub(crate) began: Instant,
}

/// One answer that was read to its end.
pub(super) struct Ended {
    /// Seconds from the start of the stage to that of the call.
    pub(super) started_s: f64,
    /// What came.
    pub(super) report: CallReport,
    /// What is wrong with it.
    pub(super) flags: Vec<Flag>,
}

/// One attempt, with its text.
pub(super) struct Tried {
    /// On record.
    pub(super) attempt: AttemptRecord,
    /// What came.
    pub(super) text: String,
}

/// What came of the full stage.
#[derive(Default)]
pub(crate) struct FullOutcome {
    /// Every attempt, in order.
    pub(crate) attempts: Vec<AttemptRecord>,
    /// Who answered what.
    pub(crate) answer: Option<(ArmId, String)>,
}

impl FullOutcome {
    /// Attempts that were made.
    fn made(&self) -> u32 {
        u32::try_from(self.attempts.iter().filter(|attempt| !attempt.handling.unmade).count()).unwrap_or(u32::MAX)
    }
}

impl FullStage<'_> {
    /// The answer of the first arm in `order` that gives one, within the limit of fallbacks. The first two may
    /// answer beside each other: see `hedge.rs`.
    pub(crate) async fn answer(&self, order: &[ArmId], wire: Wire<'_>) -> FullOutcome {
        let mut outcome = FullOutcome::default();
        let mut left = order;
        // An arm that could not be asked is no attempt that is used up.
        while outcome.made() <= self.config.max_fallbacks && !wire.stop.is_cancelled() {
            let index = u32::try_from(outcome.attempts.len()).unwrap_or(u32::MAX);
            let tried = match (left, self.hedge_after(order)) {
                ([first, second, rest @ ..], Some(delay)) if index == 0 => {
                    let tried = Box::pin(self.pair([first, second], delay, wire)).await;
                    left = if tried.len() == 2 { rest } else { &left[1..] };
                    tried
                }
                ([arm, rest @ ..], _) => {
                    left = rest;
                    vec![self.alone(arm, index, wire).await]
                }
                ([], _) => break,
            };
            for Tried { attempt, text } in tried {
                if attempt.ok {
                    outcome.answer = Some((attempt.arm.clone(), text));
                }
                outcome.attempts.push(attempt);
            }
            // A cheaper arm may still fit under a ceiling that is not reached yet.
            if outcome.answer.is_some() || wire.purse.is_over(Phase::Answer) {
                break;
            }
        }
        outcome
    }

    /// After how long the second arm answers beside the first; `None`: not at all.
    fn hedge_after(&self, order: &[ArmId]) -> Option<Duration> {
        let usual = self.signals.p95_first_token(order.first()?);
        let chars: usize = self.request.messages.iter().map(|message| message.text().chars().count()).sum();
        self.config.hedge.delay(chars, usual, self.config.timeouts.first_token)
    }

    async fn alone(&self, arm: &ArmId, index: u32, wire: Wire<'_>) -> Tried {
        wire.say(|| RunEvent::AttemptStarted { arm: arm.clone(), index }).await;
        let ended = self.read(arm, index, Lane::Answer(arm), wire).await;
        let tried = self.tried(arm, ended, false, wire);
        wire.say(|| RunEvent::AttemptDone { attempt: tried.attempt.clone() }).await;
        tried
    }

    /// Makes the call, reads the answer and looks at it.
    pub(super) async fn read(&self, arm: &ArmId, index: u32, lane: Lane<'_>, wire: Wire<'_>) -> Ended {
        let started_s = self.began.elapsed().as_secs_f64();
        let mut report = match self.models.model(arm) {
            Ok(model) => {
                let beside = index > 0 && matches!(lane, Lane::Beside(..));
                let endpoint = Endpoint::Arm(arm.clone());
                let (name, nth) = (arm.as_str(), index as usize);
                let whom = Whom { name, endpoint: &endpoint, phase: Phase::Answer, nth, beside };
                self.retry.read(whom, &model, self.call(index), self.limits(arm), lane, wire).await
            }
            Err(failure) => CallReport::not_made(failure),
        };
        let flags = inspect(self.request, &mut report, Extent::Whole);
        Ended { started_s, report, flags }
    }

    /// What records say about it. Of one that lost to another nothing is told, unless it was worse than slow.
    pub(super) fn tried(&self, arm: &ArmId, ended: Ended, is_lost: bool, wire: Wire<'_>) -> Tried {
        let attempt = self.record(arm, &ended);
        if !is_lost || attempt.error.as_ref().is_some_and(|failure| failure.class.is_health()) {
            wire.events.called(arm, attempt.error.as_ref());
        }
        if let Some(failure) = &attempt.error {
            tracing::debug!(%arm, class = %failure.class, kind = %failure.kind, "an answer failed");
        }
        Tried { attempt, text: ended.report.text }
    }

    /// Whether the prompt can be paid for at that arm's price.
    ///
    /// # Errors
    /// The ceiling that it would exceed.
    pub(super) fn affords(&self, arm: &ArmId, wire: Wire<'_>) -> Result<(), Failure> {
        wire.purse.check(Phase::Answer, self.models.price(arm), input_tokens(self.request))
    }

    fn record(&self, arm: &ArmId, ended: &Ended) -> AttemptRecord {
        let report = &ended.report;
        AttemptRecord {
            arm: arm.clone(),
            ok: report.failure.is_none(),
            error: report.failure.clone(),
            started_s: Some(ended.started_s),
            latency_s: report.latency_s,
            ttft_s: report.ttft_s,
            tokens_in: report.usage.input_tokens,
            tokens_out: report.usage.output_tokens,
            estimated: report.usage.estimated,
            cost_usd: self.models.price(arm).map(|p| p.cost(&report.usage)),
            lost: false,
            hedge: false,
            flags: ended.flags.clone(),
            handling: report.handling.clone(),
        }
    }

    fn call(&self, index: u32) -> ModelCall {
        ModelCall {
            request: Arc::clone(self.request),
            max_tokens: self.config.answer_max_tokens,
            json: false,
            temperature: None,
            trace: self.config.trace_of(self.run, Phase::Answer, index as usize),
        }
    }

    fn limits(&self, arm: &ArmId) -> Limits {
        let times = self.timers.answer(arm);
        Limits {
            first_token: times.first_token,
            between_tokens: times.between_tokens,
            whole: times.whole,
            spent: Duration::ZERO,
            learned: times.learned,
            phase: Phase::Answer,
            price: self.models.price(arm),
            max_bytes: self.config.max_answer_bytes,
        }
    }
}
