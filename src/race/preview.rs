//! The first tokens of an answer from every selected arm, all at once. Each arm is measured by itself;
//! none waits for another, and the phase ends when the last one is in or its time is up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::cached::Remembered;
use super::call::{CallReport, Limits};
use super::config::RaceConfig;
use super::events::Wire;
use super::extra::Endpoint;
use super::flags::{Extent, inspect};
use super::models::ModelRegistry;
use super::outlet::Lane;
use super::retry::{Retry, Whom};
use super::timeouts::Timers;
use crate::domain::answer::ModelCall;
use crate::domain::chat::ChatRequest;
use crate::domain::event::RunEvent;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::PreviewRecord;
use crate::domain::tally::Phase;

/// What previews are made from.
pub(crate) struct PreviewStage<'a> {
    /// Timers and bounds.
    pub(crate) config: &'a RaceConfig,
    /// The adapters.
    pub(crate) models: &'a ModelRegistry,
    /// What to answer.
    pub(crate) request: &'a Arc<ChatRequest>,
    /// The run.
    pub(crate) run: RunId,
    /// Tokens wanted of each.
    pub(crate) target: u32,
    /// How long they may take.
    pub(crate) timers: Timers<'a>,
    /// How calls are made again.
    pub(crate) retry: &'a Retry,
    /// Previews that were made before, where they may be used.
    pub(crate) cache: Option<&'a Remembered<'a>>,
}

impl PreviewStage<'_> {
    /// One record per arm, in the order of `arms`; each is announced when it is in.
    pub(crate) async fn take_all(&self, arms: &[ArmId], wire: Wire<'_>) -> Vec<PreviewRecord> {
        let mut running: FuturesUnordered<_> =
            arms.iter().enumerate().map(|(i, arm)| async move { (i, self.take(i, arm, wire).await) }).collect();
        let mut previews = Vec::with_capacity(arms.len());
        while let Some(preview) = running.next().await {
            previews.push(preview);
        }
        previews.sort_by_key(|(i, _)| *i);
        previews.into_iter().map(|(_, preview)| preview).collect()
    }

    async fn take(&self, nth: usize, arm: &ArmId, wire: Wire<'_>) -> PreviewRecord {
        let kept = match self.cache {
            Some(cache) => cache.find(arm).await,
            None => None,
        };
        let preview = if let Some(preview) = kept {
            preview
        } else {
            let preview = self.ask(nth, arm, wire).await;
            wire.events.called(arm, preview.error.as_ref());
            preview
        };
        wire.say(|| RunEvent::PreviewDone { preview: preview.clone() }).await;
        preview
    }

    /// One preview of one arm, from the endpoint and told to nobody.
    pub(super) async fn ask(&self, nth: usize, arm: &ArmId, wire: Wire<'_>) -> PreviewRecord {
        let mut report = match self.models.model(arm) {
            Ok(model) => {
                let endpoint = Endpoint::Arm(arm.clone());
                let (name, phase) = (arm.as_str(), Phase::Preview);
                let whom = Whom { name, endpoint: &endpoint, phase, nth, beside: false };
                self.retry.read(whom, &model, self.call(nth), self.limits(arm), Lane::Preview(arm), wire).await
            }
            Err(failure) => CallReport::not_made(failure),
        };
        let flags = inspect(self.request, &mut report, Extent::Beginning);
        let price = self.models.price(arm);
        PreviewRecord {
            arm: arm.clone(),
            latency_s: report.latency_s,
            ttft_s: report.ttft_s,
            tokens: report.usage.output_tokens,
            tokens_in: report.usage.input_tokens,
            estimated: report.usage.estimated,
            cost_usd: price.map(|p| p.cost(&report.usage)),
            cached: false,
            flags,
            text: report.text,
            error: report.failure,
            handling: report.handling,
        }
    }

    fn call(&self, nth: usize) -> ModelCall {
        let (request, max_tokens) = (Arc::clone(self.request), Some(self.target));
        let trace = self.config.trace_of(self.run, Phase::Preview, nth);
        ModelCall { request, max_tokens, json: false, temperature: None, trace }
    }

    fn limits(&self, arm: &ArmId) -> Limits {
        let times = self.timers.preview(arm);
        Limits {
            first_token: times.first_token,
            between_tokens: times.between_tokens,
            whole: times.whole,
            spent: Duration::ZERO,
            learned: times.learned,
            phase: Phase::Preview,
            price: self.models.price(arm),
            max_bytes: RaceConfig::preview_bytes(self.target),
        }
    }
}
