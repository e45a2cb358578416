//! An engine that only answers: enough of the contract of `EngineHandle` to hold doors against it.
//! It answers a prompt word by word, remembers what was asked of it, and counts runs that were dropped.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use banditop::domain::BoxFuture;
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::Timestamp;
use banditop::domain::command::{Acknowledgement, Actor, Durability, JournalEntry, RouterCommand};
use banditop::domain::engine::{
    CommandRequest, EngineError, EngineHandle, Forecast, JournalQuery, RunRequest, RunStream, WhatIf,
};
use banditop::domain::event::RunEvent;
use banditop::domain::ids::{ArmId, RunId, TimeId};
use banditop::domain::record::{
    ContextRecord, Gate, GateDecision, Origin, Policies, RewardRecord, RunOutcome, RunRecord, Timings,
};
use banditop::domain::snapshot::{EngineSnapshot, RunSummary, Series, StoreStatus, Totals};
use banditop::domain::spec::{Mode, RouterKind, Strategy};
use banditop::domain::terms::{TermValue, Weights};
use tokio::sync::watch;

/// When everything happens.
pub(crate) const AT: Timestamp = Timestamp::from_millis(1_795_305_600_000);

/// See the module.
pub(crate) struct FakeEngine {
    snapshot: watch::Sender<Arc<EngineSnapshot>>,
    journal: Mutex<Vec<JournalEntry>>,
    runs: Mutex<Vec<Arc<RunRecord>>>,
    started: AtomicU64,
    cancelled: Arc<AtomicUsize>,
}

impl FakeEngine {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            snapshot: watch::channel(Arc::new(snapshot(1))).0,
            journal: Mutex::default(),
            runs: Mutex::default(),
            started: AtomicU64::new(0),
            cancelled: Arc::default(),
        })
    }

    /// Runs that were dropped before their end.
    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Holds such a run, as if it had been.
    pub(crate) fn hold(&self, run: RunId, answer: String) {
        let request = ChatRequest::from_prompt("long ago");
        let request = RunRequest { request, origin: Origin::Person, session: None };
        let mut record = RunRecord { answer: Some(answer), ..record(run, &request) };
        record.context.feature_version.clone_from(&self.snapshot.borrow().feature_version);
        let quality = TermValue { value: 0.5, weight: 1.0, contribution: 0.5 };
        let terms = std::iter::once(("quality".to_owned(), quality)).collect();
        record.rewards.insert(ArmId::new("echo"), RewardRecord { total: 0.5, terms, penalty: 0.0 });
        self.runs.lock().unwrap().insert(0, Arc::new(record));
    }

    /// Publishes the next picture.
    pub(crate) fn publish(&self) {
        let revision = self.snapshot.borrow().revision + 1;
        self.snapshot.send_replace(Arc::new(snapshot(revision)));
    }

    fn applied(&self, request: CommandRequest) -> Acknowledgement {
        let mut journal = self.journal.lock().unwrap();
        if let Some(known) = journal.iter().find(|entry| entry.id == request.id) {
            return Acknowledgement::Duplicate { sequence: known.sequence };
        }
        if let RouterCommand::Deactivate { .. } = request.command {
            return Acknowledgement::Rejected { reason: "it is the last active arm".to_owned() };
        }
        let entry = JournalEntry {
            sequence: journal.len() as u64 + 1,
            id: request.id,
            at: AT,
            actor: request.actor,
            command: request.command,
            before: "before".to_owned(),
            after: "after".to_owned(),
            undone_by: None,
        };
        journal.insert(0, entry.clone());
        Acknowledgement::Applied { entry: Box::new(entry), durability: Durability::Durable }
    }
}

/// A picture of nothing yet.
pub(crate) fn snapshot(revision: u64) -> EngineSnapshot {
    EngineSnapshot {
        revision,
        at: AT,
        sequence: 7,
        version: 1,
        feature_version: "0123456789abcdef".to_owned(),
        d: 8,
        features: "length".to_owned(),
        router: RouterKind::Linucb,
        strategy: Strategy::Race,
        mode: Mode::default(),
        k: 3,
        alpha: 0.5,
        explore_share: 0.01,
        window: 0,
        weights: Weights::default(),
        budget_per_request_usd: None,
        budget_per_day_usd: None,
        account: None,
        arms: Vec::new(),
        totals: Totals::default(),
        tally: Arc::default(),
        objectives: Vec::new(),
        helpers: std::collections::BTreeMap::new(),
        series: Arc::new(Series::default()),
        alarms: Vec::new(),
        store: StoreStatus { kind: "memory".to_owned(), durability: Durability::Durable, notice: None },
        recent_runs: Vec::new(),
        journal: Vec::new(),
    }
}

fn record(run: RunId, request: &RunRequest) -> RunRecord {
    RunRecord {
        run_id: run,
        at: AT,
        origin: request.origin,
        request: request.request.clone(),
        strategy: Strategy::Direct,
        gate: Gate::new(GateDecision::Baseline, "a fake".to_owned()),
        context: ContextRecord::default(),
        arms: Vec::new(),
        previews: Vec::new(),
        verdict: None,
        judging: None,
        order: vec![ArmId::new("echo")],
        ordering: None,
        attempts: Vec::new(),
        rewards: std::collections::BTreeMap::new(),
        winner: Some(ArmId::new("echo")),
        answer: Some(request.request.prompt()),
        fallbacks: 0,
        cost_usd: 0.0,
        timings_s: Timings::default(),
        outcome: RunOutcome::Served,
        rating: None,
        clamped: 0,
        policies: Policies::default(),
    }
}

struct FakeRun {
    run: RunId,
    events: std::vec::IntoIter<RunEvent>,
    /// The prompt `wait` is never answered.
    waits: bool,
    ended: bool,
    cancelled: Arc<AtomicUsize>,
}

impl RunStream for FakeRun {
    fn run(&self) -> RunId {
        self.run
    }

    fn next(&mut self) -> BoxFuture<'_, Option<RunEvent>> {
        Box::pin(async move {
            if self.waits {
                std::future::pending::<()>().await;
            }
            let event = self.events.next();
            self.ended = self.events.len() == 0;
            event
        })
    }
}

impl Drop for FakeRun {
    fn drop(&mut self) {
        if !self.ended {
            self.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl EngineHandle for FakeEngine {
    fn snapshot(&self) -> Arc<EngineSnapshot> {
        self.snapshot.borrow().clone()
    }

    fn changed(&self, seen: u64) -> BoxFuture<'_, ()> {
        let mut newest = self.snapshot.subscribe();
        Box::pin(async move {
            _ = newest.wait_for(|snapshot| snapshot.revision > seen).await;
        })
    }

    fn submit(&self, request: RunRequest) -> BoxFuture<'_, Result<Box<dyn RunStream>, EngineError>> {
        Box::pin(async move {
            let prompt = request.request.prompt();
            if prompt.trim().is_empty() {
                return Err(EngineError::Refused("the prompt is empty".to_owned()));
            }
            if prompt == "busy" {
                return Err(EngineError::Busy { in_flight: 3, limit: 3 });
            }
            let run = TimeId::new(AT, self.started.fetch_add(1, Ordering::SeqCst));
            let record = Arc::new(record(run, &request));
            self.runs.lock().unwrap().insert(0, record.clone());
            if prompt != "wait" {
                self.snapshot.send_modify(|picture| {
                    let mut next = EngineSnapshot::clone(picture);
                    next.revision += 1;
                    next.recent_runs = vec![RunSummary::of(&record)];
                    *picture = Arc::new(next);
                });
            }
            let arm = ArmId::new("echo");
            let mut events = vec![RunEvent::AttemptStarted { arm: arm.clone(), index: 0 }];
            let words = prompt.split_inclusive(' ').map(str::to_owned);
            events.extend(words.map(|text| RunEvent::AnswerText { arm: arm.clone(), text }));
            events.push(RunEvent::Finished { record });
            let waits = prompt == "wait";
            let events = events.into_iter();
            let run = FakeRun { run, events, waits, ended: false, cancelled: self.cancelled.clone() };
            Ok(Box::new(run) as Box<dyn RunStream>)
        })
    }

    fn command(&self, request: CommandRequest) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move { Ok(self.applied(request)) })
    }

    fn what_if(&self, command: RouterCommand) -> BoxFuture<'_, Result<WhatIf, EngineError>> {
        Box::pin(async move {
            let RouterCommand::Decay { arms, .. } = command else {
                return Err(EngineError::Refused("only decay".to_owned()));
            };
            let then = Forecast { reward: Some(0.1 + 0.2), ..Forecast::default() };
            Ok(WhatIf { contexts: 500, then, victims: arms, ..WhatIf::default() })
        })
    }

    fn rate(&self, run: RunId, rating: f64, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move {
            if !self.runs.lock().unwrap().iter().any(|record| record.run_id == run) {
                return Err(EngineError::Refused(format!("no run {run}")));
            }
            let command = RouterCommand::Decay { factor: rating, arms: Vec::new() };
            Ok(self.applied(CommandRequest { id: run, actor, command }))
        })
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<Arc<RunRecord>>, EngineError>> {
        Box::pin(async move { Ok(self.runs.lock().unwrap().iter().find(|record| record.run_id == run).cloned()) })
    }

    fn runs_before(
        &self,
        before: Option<RunId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>> {
        Box::pin(async move {
            let mut runs = self.runs.lock().unwrap().clone();
            runs.sort_by_key(|run| std::cmp::Reverse(run.run_id));
            runs.retain(|run| before.is_none_or(|before| run.run_id < before));
            runs.truncate(limit);
            Ok(runs)
        })
    }

    fn journal(&self, query: JournalQuery) -> BoxFuture<'_, Result<Vec<JournalEntry>, EngineError>> {
        Box::pin(async move { Ok(self.journal.lock().unwrap().iter().take(query.limit).cloned().collect()) })
    }

    fn export(&self) -> BoxFuture<'_, Result<String, EngineError>> {
        Box::pin(async move { Ok("line 1\nline \"2\"\n".repeat(50_000)) })
    }

    fn import(&self, text: String, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move {
            if !text.starts_with("line 1\n") {
                return Err(EngineError::Store(format!("no export: {} bytes", text.len())));
            }
            let command = RouterCommand::Import { sequence: 7, exported: AT };
            Ok(self.applied(CommandRequest { id: TimeId::new(AT, 99), actor, command }))
        })
    }

    fn now(&self) -> Timestamp {
        AT
    }
}
