//! What the engine starts from: the newest stored snapshot, the log after it, and the newest run records
//! for everything that is folded beside the router's state. A state that was learned under another
//! feature schema is kept under its own key and never read; the engine then starts fresh and says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::bandit::{RouterConfig, RouterState, StateFault, exclusions, refold};
use crate::domain::alarm::Severity;
use crate::domain::command::{Actor, LogEntry, RouterCommand};
use crate::domain::ids::{ArmId, CommandId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::snapshot::RunSummary;
use crate::domain::spec::{ArmSpec, ConfigFacts};
use crate::domain::store::{StoreError, StoredSnapshot, StoredState};
use crate::race::SignalFold;

use super::alarms::{Alarms, Notice};
use super::conversations;
use super::facts::reconcile;
use super::folds::{Folds, SHOWN, blank, split};
use super::health::Health;
use super::history::{earliest_left_out, since};
use super::idempotency::{REMEMBERED, RecentIds};
use super::ledger::Ledger;
use super::lifecycle::StartError;
use super::overlay::{OVERLAY, Overlay};
use super::owner::Owner;
use super::parts::EngineParts;
use super::periodic::{LOOKED, Periodic};
use super::ratings::SCALE;
use super::recent::Recent;
use super::stats::LiveStats;
use super::transfer::{features_of, kept_aside};

/// The stored value that holds the configuration's facts of the last start.
const FACTS: &str = "config.facts";
/// The stored value that holds how arms were called at the last start.
const ADAPTERS: &str = "adapters";

/// By arm, what a factory says of how it is called.
pub(super) type Fingerprints = BTreeMap<ArmId, u32>;

/// Run records that are read at every start: contexts and the health of arms are known from them.
const RUNS: usize = 500;
/// Run records that are read where the stored figures do not reach to these: after a crash under heavy
/// traffic, or without a snapshot.
const MORE_RUNS: usize = 2_000;

/// What was stored, folded.
pub(super) struct Loaded {
    pub folds: Folds,
    pub recent: Recent,
    pub ledger: Ledger,
    /// What is still to be done when the owner stands.
    pub rest: Rest,
}

/// See above.
pub(super) struct Rest {
    facts_then: Option<ConfigFacts>,
    facts_now: ConfigFacts,
    flags_then: Overlay,
    adapters_then: Fingerprints,
    session: ConfigFacts,
    /// A state that could not be read, to be stored under its own key.
    kept: Vec<(String, Vec<u8>)>,
    notices: Vec<Notice>,
    /// The features of the state that is carried over, where they were others.
    features_before: Option<String>,
}

struct Folded {
    state: RouterState,
    end: Sequence,
    stats: Option<LiveStats>,
    tail: Vec<LogEntry>,
}

/// Reads everything that is stored.
///
/// # Errors
/// [`StartError`] where the store cannot be read, or its state was written by a newer program.
pub(super) async fn load(parts: &EngineParts) -> Result<Loaded, StartError> {
    let ledger = Ledger::new(Arc::clone(&parts.store));
    let mut rest = Rest {
        facts_then: stored(parts, FACTS).await?,
        facts_now: parts.facts.clone(),
        flags_then: stored(parts, OVERLAY).await?.unwrap_or_default(),
        adapters_then: stored(parts, ADAPTERS).await?.unwrap_or_default(),
        session: parts.session.clone().unwrap_or_else(|| parts.facts.clone()),
        kept: Vec::new(),
        notices: Vec::new(),
        features_before: None,
    };
    let kept = parts.store.load().await?;
    let Folded { state, end, stats, tail } = fold(&ledger, kept, &parts.router_config, &mut rest).await?;
    let runs = newest_runs(parts, stats.as_ref()).await?;
    let config = &parts.race.parts().config;
    let mut folds = Folds {
        state,
        end,
        stats: stats.unwrap_or_default(),
        signals: SignalFold::new(config.preview_tokens),
        alarms: Alarms::default(),
        health: Health::new(parts.health.clone()),
        periodic: Periodic::new(parts.periodic.clone(), stored(parts, LOOKED).await?.unwrap_or_default()),
        ids: RecentIds::default(),
        journal: VecDeque::new(),
        summaries: VecDeque::new(),
        scale: stored(parts, SCALE).await?.unwrap_or_default(),
        equipped: BTreeSet::new(),
        unavailable: BTreeMap::new(),
    };
    for entry in &tail {
        if !matches!(entry.command, RouterCommand::Observe(_)) {
            folds.ids.insert(entry.id, entry.sequence);
        }
        folds.count(entry);
        // A record that is still to be taken in has what its late verdict cost; the rest is in the log alone.
        if let RouterCommand::Spend { run, dollars, beside: true } = &entry.command
            && (folds.stats.knows(*run) || runs.iter().all(|record| record.run_id != *run))
        {
            folds.stats.spent(*dollars, entry.at);
        }
    }
    for line in parts.store.journal(REMEMBERED).await?.into_iter().rev() {
        folds.note(&line);
    }
    for record in runs.iter().rev() {
        parts.race.recall(record);
    }
    Box::pin(conversations::recall(parts, &runs)).await?;
    let recent = remember(runs, &mut folds, parts);
    Ok(Loaded { folds, recent, ledger, rest })
}

async fn stored<T: DeserializeOwned>(parts: &EngineParts, name: &str) -> Result<Option<T>, StoreError> {
    let bytes = parts.store.value(name).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

async fn newest_runs(parts: &EngineParts, stats: Option<&LiveStats>) -> Result<Vec<RunRecord>, StoreError> {
    let runs = parts.store.runs(RUNS).await?;
    let is_enough = |oldest: &RunRecord| runs.len() < RUNS || stats.is_some_and(|stats| stats.knows(oldest.run_id));
    if runs.last().is_none_or(is_enough) { Ok(runs) } else { parts.store.runs(MORE_RUNS).await }
}

async fn fold(
    ledger: &Ledger,
    stored: StoredState,
    config: &RouterConfig,
    rest: &mut Rest,
) -> Result<Folded, StartError> {
    let StoredState { snapshot, tail } = stored;
    let end = tail.last().map_or(0, |entry| entry.sequence).max(snapshot.as_ref().map_or(0, |s| s.sequence));
    let (base, stats) = match snapshot {
        None => (blank(config), None),
        Some(snapshot) => {
            let (snapshot, stats) = split(snapshot);
            match RouterState::from_snapshot(&snapshot, config) {
                Ok(base) => (base, stats),
                Err(fault @ StateFault::Newer { .. }) => return Err(StartError::State(fault)),
                Err(fault @ StateFault::OtherFeatures { .. }) => {
                    if let Ok(base) = RouterState::carried_over(&snapshot, config) {
                        rest.set_aside(&snapshot, &fault, "weights, mode, arms and their lifecycles stay");
                        rest.features_before = Some(features_of(&snapshot));
                        return Ok(Folded { state: without_runs(&base, &tail), end, stats, tail });
                    }
                    rest.set_aside(&snapshot, &fault, "nothing else could be read either");
                    return Ok(Folded { state: blank(config), end, stats, tail: Vec::new() });
                }
                Err(fault) => {
                    rest.set_aside(&snapshot, &fault, "so do weights and mode");
                    // What the log says is about the state that was set aside.
                    return Ok(Folded { state: blank(config), end, stats, tail: Vec::new() });
                }
            }
        }
    };
    let (base, tail) = before_undone(ledger, base, tail, config, rest).await;
    let folded = refold(&base, &tail, &exclusions(&tail));
    Ok(Folded { state: folded, end, stats, tail })
}

/// What operators did after a snapshot of other features: runs, their feedback and scales are of those
/// features and stay out.
fn without_runs(base: &RouterState, tail: &[LogEntry]) -> RouterState {
    let is_of_features =
        |entry: &&LogEntry| matches!(entry.command, RouterCommand::Observe(_) | RouterCommand::Amend { .. });
    let mut without = exclusions(tail);
    without.extend(tail.iter().filter(is_of_features).map(|entry| entry.sequence));
    refold(base, tail, &without)
}

/// An undo is stored with a snapshot; where that one was lost, its target may be in the older snapshot,
/// and a still older one is needed.
async fn before_undone(
    ledger: &Ledger,
    mut base: RouterState,
    mut tail: Vec<LogEntry>,
    config: &RouterConfig,
    rest: &mut Rest,
) -> (RouterState, Vec<LogEntry>) {
    let end = tail.last().map_or(0, |entry| entry.sequence);
    while let Some(first) = earliest_left_out(&tail, &exclusions(&tail)).filter(|first| *first <= base.sequence()) {
        match since(ledger, config, first, end).await {
            Ok((older, entries)) => (base, tail) = (older, entries),
            Err(reason) => {
                let message = format!("an undo could not be applied again: {reason}");
                rest.notices.push(Notice::new("state", Severity::Warning, message));
                break;
            }
        }
    }
    (base, tail)
}

impl Rest {
    fn set_aside(&mut self, snapshot: &StoredSnapshot, fault: &StateFault, rest: &str) {
        let (key, values) = kept_aside(snapshot);
        tracing::error!(%fault, key, "starting from priors; the stored state is kept");
        let message = format!("{fault}; it is kept as `{key}`, and learning starts afresh; {rest}");
        self.notices.push(Notice::new("features", Severity::Critical, message));
        self.kept = values;
    }
}

/// Folds run records, given newest first.
fn remember(runs: Vec<RunRecord>, folds: &mut Folds, parts: &EngineParts) -> Recent {
    let config = &parts.router_config;
    let mut recent = Recent::default();
    let count = runs.len();
    for (n, record) in runs.into_iter().rev().map(Arc::new).enumerate() {
        folds.stats.absorb(&record);
        parts.observer.remembered(&record);
        if n + RUNS >= count {
            folds.signals.absorb(&record);
        }
        if n + SHOWN >= count {
            folds.summaries.push_front(RunSummary::of(&record));
        }
        let is_current = record.context.feature_version == config.feature_version && record.context.x.len() == config.d;
        recent.push(&record, is_current);
    }
    recent
}

impl Owner {
    /// Brings the pool in step with the configuration and the adapters, and stores what follows.
    pub(super) async fn settle(&mut self, rest: Rest) {
        let Rest { facts_then, facts_now, flags_then, adapters_then, session, kept, notices, features_before } = rest;
        let now = self.shared.now();
        for notice in notices {
            self.folds.alarms.raise(now, notice);
        }
        if let Some(from) = features_before {
            self.tell_of_features(&from);
        }
        self.equip();
        // A fresh pool knows nothing of what the configuration said before.
        let is_fresh = self.folds.state.sequence() == 0;
        let last = facts_then.as_ref().filter(|_| !is_fresh);
        for command in flags_then.taken_back(&facts_now, &session, &self.folds.state) {
            self.by_config(command);
        }
        let pool: Vec<_> = self.folds.state.arms().map(|arm| (arm.spec.name.clone(), arm.lifecycle)).collect();
        let mut applied = facts_now.clone();
        for command in reconcile(last, &facts_now, &pool) {
            if !self.by_config(command.clone()) {
                not_applied(&mut applied, last, &command);
            }
        }
        let flags = Overlay::of(&flags_then, &facts_now, &session, &self.folds.state);
        for command in flags.commands(&self.folds.state) {
            self.by_config(command);
        }
        let called = |spec: &ArmSpec| (spec.name.clone(), self.factory.fingerprint(spec));
        // One without an adapter is not called at all.
        let equipped = self.folds.state.arms().filter(|arm| !self.folds.unavailable.contains_key(&arm.spec.name));
        let adapters: Fingerprints = equipped.map(|arm| called(arm.spec)).collect();
        self.reinstate_mended(&adapters_then, &adapters);
        self.eject_unavailable();
        if flags != flags_then
            && let Ok(bytes) = serde_json::to_vec(&flags)
        {
            self.pending.batch.values.push((OVERLAY.to_owned(), bytes));
        }
        if adapters != adapters_then
            && let Ok(bytes) = serde_json::to_vec(&adapters)
        {
            self.pending.batch.values.push((ADAPTERS.to_owned(), bytes));
        }
        if facts_then.as_ref() != Some(&applied)
            && let Ok(bytes) = serde_json::to_vec(&applied)
        {
            self.pending.batch.values.push((FACTS.to_owned(), bytes));
        }
        self.pending.batch.values.extend(kept);
        if !self.pending.batch.entries.is_empty() || !self.pending.batch.values.is_empty() {
            self.pending.batch.snapshot = Some(self.folds.to_snapshot());
            self.pending.sync = true;
        }
        self.commit().await;
    }

    /// Whether it was applied.
    /// The place in the log at which prompts became other numbers.
    fn tell_of_features(&mut self, from: &str) {
        let to = self.folds.state.config().feature_version.clone();
        let command = RouterCommand::NewFeatures { from: from.to_owned(), to: to.clone() };
        let id = self.own_id();
        let entry = self.entry(id, Actor::Config, command);
        self.folds.state.apply(&entry);
        self.log(entry, format!("features {from}"), format!("features {to}, statistics afresh"));
    }

    fn by_config(&mut self, command: RouterCommand) -> bool {
        let (name, id): (_, CommandId) = (command.name(), self.own_id());
        match self.execute(id, Actor::Config, command) {
            Ok(line) => {
                self.follow(&line);
                true
            }
            Err(rejection) => {
                let message = format!("the configuration's `{name}` was not applied: {rejection}");
                self.folds.alarms.raise(self.shared.now(), Notice::new("config", Severity::Warning, message));
                false
            }
        }
    }
}

/// Of the arms of a refused command, the facts of the last start stay: the next start tries it again.
fn not_applied(applied: &mut ConfigFacts, last: Option<&ConfigFacts>, command: &RouterCommand) {
    let arms: &[ArmId] = match command {
        RouterCommand::AddArm { spec } => std::slice::from_ref(&spec.name),
        RouterCommand::Deactivate { arms } | RouterCommand::Reactivate { arms } => arms,
        _ => &[],
    };
    for arm in arms {
        let at = applied.arms.iter().position(|spec| spec.name == *arm);
        let before = last.and_then(|last| last.arms.iter().find(|spec| spec.name == *arm)).cloned();
        match (at, before) {
            (Some(at), Some(before)) => applied.arms[at] = before,
            (Some(at), None) => drop(applied.arms.remove(at)),
            (None, Some(before)) => applied.arms.push(before),
            (None, None) => {}
        }
    }
}
