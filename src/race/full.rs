//! The full answer: the first arm in order streams it, and where that fails the next one starts over. An
//! answer that was cut off is never passed for a whole one: it is void as soon as the next attempt starts.
//! What fails for the request's own fault is still tried elsewhere, since limits differ between arms.

use std::sync::Arc;
use std::time::Duration;

use super::call::{CallReport, Limits};
use super::config::RaceConfig;
use super::events::Wire;
use super::flags::{Extent, inspect};
use super::models::ModelRegistry;
use super::outlet::Lane;
use super::retry::{Retry, Whom};
use crate::domain::answer::ModelCall;
use crate::domain::chat::ChatRequest;
use crate::domain::event::RunEvent;
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
    /// How calls are made again.
    pub(crate) retry: &'a Retry,
}

/// What came of the full stage.
#[derive(Default)]
pub(crate) struct FullOutcome {
    /// Every attempt, in order.
    pub(crate) attempts: Vec<AttemptRecord>,
    /// Who answered what.
    pub(crate) answer: Option<(ArmId, String)>,
}

impl FullStage<'_> {
    /// The answer of the first arm in `order` that gives one, within the limit of fallbacks.
    pub(crate) async fn answer(&self, order: &[ArmId], wire: Wire<'_>) -> FullOutcome {
        let mut outcome = FullOutcome::default();
        for (index, arm) in (0..=self.config.max_fallbacks).zip(order) {
            if wire.stop.is_cancelled() {
                break;
            }
            let (attempt, text) = self.attempt(arm, index, wire).await;
            let is_served = attempt.ok;
            outcome.attempts.push(attempt);
            if is_served {
                outcome.answer = Some((arm.clone(), text));
                break;
            }
            // A cheaper arm may still fit under a ceiling that is not reached yet.
            if wire.purse.is_over(Phase::Answer) {
                break;
            }
        }
        outcome
    }

    async fn attempt(&self, arm: &ArmId, index: u32, wire: Wire<'_>) -> (AttemptRecord, String) {
        wire.say(|| RunEvent::AttemptStarted { arm: arm.clone(), index }).await;
        let mut report = match self.models.model(arm) {
            Ok(model) => {
                let whom = Whom { name: arm.as_str(), phase: Phase::Answer, nth: index as usize };
                self.retry.read(whom, &model, self.call(index), self.limits(arm), Lane::Answer(arm), wire).await
            }
            Err(failure) => CallReport::not_made(failure),
        };
        let flags = inspect(self.request, &mut report, Extent::Whole);
        let attempt = self.record(arm, &report, flags);
        if let Some(failure) = &attempt.error {
            tracing::debug!(%arm, class = %failure.class, kind = %failure.kind, "an answer failed");
        }
        wire.say(|| RunEvent::AttemptDone { attempt: attempt.clone() }).await;
        (attempt, report.text)
    }

    fn record(&self, arm: &ArmId, report: &CallReport, flags: Vec<Flag>) -> AttemptRecord {
        AttemptRecord {
            arm: arm.clone(),
            ok: report.failure.is_none(),
            error: report.failure.clone(),
            latency_s: report.latency_s,
            ttft_s: report.ttft_s,
            tokens_in: report.usage.input_tokens,
            tokens_out: report.usage.output_tokens,
            estimated: report.usage.estimated,
            cost_usd: self.models.price(arm).map(|p| p.cost(&report.usage)),
            lost: false,
            hedge: false,
            flags,
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
        let timeouts = &self.config.timeouts;
        Limits {
            first_token: timeouts.first_token,
            between_tokens: timeouts.between_tokens,
            whole: timeouts.full,
            spent: Duration::ZERO,
            learned: false,
            phase: Phase::Answer,
            price: self.models.price(arm),
            max_bytes: self.config.max_answer_bytes,
        }
    }
}
