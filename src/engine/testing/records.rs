//! Run records, as short as a test wants them.

use std::collections::BTreeMap;

use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::context::Intent;
use crate::domain::failure::Failure;
use crate::domain::handling::Handling;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::{
    AttemptRecord, ContextRecord, Gate, GateDecision, Origin, Policies, RewardRecord, RunOutcome, RunRecord, Timings,
};
use crate::domain::spec::Strategy;

/// A record under construction.
pub(crate) struct RecordBuilder(RunRecord);

/// A cancelled run that started at `at`, of the given number; ends at once.
pub(crate) fn record(at: Timestamp, number: u64) -> RecordBuilder {
    let gate = Gate::new(GateDecision::Bandit, "learned scores".into());
    RecordBuilder(RunRecord {
        run_id: RunId::new(at, number),
        at,
        origin: Origin::Traffic,
        request: ChatRequest::from_prompt("why is the sky blue"),
        strategy: Strategy::Race,
        gate,
        context: ContextRecord {
            names: vec!["bias".into()],
            x: vec![1.0],
            intent: Intent::Reasoning,
            feature_version: String::new(),
            signals: BTreeMap::new(),
            degraded: None,
        },
        arms: Vec::new(),
        previews: Vec::new(),
        verdict: None,
        judging: None,
        order: Vec::new(),
        ordering: None,
        attempts: Vec::new(),
        rewards: BTreeMap::new(),
        winner: None,
        answer: None,
        fallbacks: 0,
        cost_usd: 0.0,
        timings_s: Timings::default(),
        outcome: RunOutcome::Cancelled,
        rating: None,
        clamped: 0,
        policies: Policies::default(),
    })
}

impl RecordBuilder {
    /// Served by `arm` with a reward of 0.8.
    pub(crate) fn served_by(mut self, arm: &str) -> Self {
        self.0.winner = Some(ArmId::from(arm));
        self.0.answer = Some("because".into());
        self.0.outcome = RunOutcome::Served;
        self.reward(arm, 0.8)
    }

    pub(crate) fn reward(mut self, arm: &str, total: f64) -> Self {
        let reward = RewardRecord { total, terms: BTreeMap::new(), penalty: 0.0 };
        self.0.rewards.insert(ArmId::from(arm), reward);
        self
    }

    pub(crate) fn failed(mut self, message: &str) -> Self {
        self.0.outcome = RunOutcome::Failed { message: message.into() };
        self
    }

    pub(crate) fn cancelled(mut self) -> Self {
        self.0.outcome = RunOutcome::Cancelled;
        self
    }

    pub(crate) fn fallbacks(mut self, count: u32) -> Self {
        self.0.fallbacks = count;
        self
    }

    pub(crate) fn cost(mut self, dollars: f64) -> Self {
        self.0.cost_usd = dollars;
        self
    }

    /// A full answer that was tried, and how it failed.
    pub(crate) fn attempt(mut self, arm: &str, error: Option<Failure>) -> Self {
        self.0.attempts.push(AttemptRecord {
            arm: ArmId::from(arm),
            ok: error.is_none(),
            error,
            started_s: None,
            latency_s: 0.1,
            ttft_s: None,
            tokens_in: 1,
            tokens_out: 1,
            estimated: false,
            cost_usd: None,
            lost: false,
            hedge: false,
            flags: Vec::new(),
            handling: Handling::default(),
        });
        self
    }

    pub(crate) fn build(self) -> RunRecord {
        self.0
    }
}
