//! The owner's side of the store. A store that fails or hangs never blocks: what could not be written is
//! kept here, bounded, acknowledged as *memory only*, and written as soon as the store takes it again.
//! Where more was lost than is kept here, a fresh snapshot closes the gap in the log. Reading the log
//! sees what is kept here as if it were stored.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

use crate::domain::command::{Durability, JournalEntry, LogEntry};
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::snapshot::StoreStatus;
use crate::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot};

/// How long an append may take before the store counts as hanging.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after a failure the store is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Entries, and run records, that are kept while the store fails.
const KEPT: usize = 2_000;

/// The store, and what it has not taken.
pub(super) struct Ledger {
    store: Arc<dyn StateStore>,
    durability: Durability,
    fault: Option<Fault>,
    unsaved: LogBatch,
    /// Something is missing from `unsaved`, a snapshot or entries past the bound: only a fresh snapshot makes
    /// what is stored whole.
    owes_snapshot: bool,
}

struct Fault {
    message: String,
    retry_at: Instant,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Self {
        // A store in memory says so before anything is written.
        let durability = if store.kind() == "memory" { Durability::MemoryOnly } else { Durability::Durable };
        Self { store, durability, fault: None, unsaved: LogBatch::default(), owes_snapshot: false }
    }

    pub(super) fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Whether the next append must carry a snapshot.
    pub(super) fn wants_snapshot(&self) -> bool {
        self.owes_snapshot && self.is_due()
    }

    /// Whether something waits for the store to come back, and it is time to try.
    pub(super) fn wants_retry(&self) -> bool {
        self.fault.is_some() && self.is_due()
    }

    /// Whether the store is out of order.
    pub(super) fn is_degraded(&self) -> bool {
        self.fault.is_some() || (self.store.kind() != "memory" && self.durability == Durability::MemoryOnly)
    }

    /// Whether appending `batch` asks the store at all: one that failed a moment ago is left alone for a while,
    /// and one that needs a snapshot waits for it.
    pub(super) fn reaches_the_store(&self, batch: &LogBatch) -> bool {
        self.is_due() && (batch.snapshot.is_some() || !self.owes_snapshot)
    }

    /// The next append asks the store, whenever it failed: there will be no later time to try.
    pub(super) fn try_now(&mut self) {
        if let Some(fault) = &mut self.fault {
            fault.retry_at = Instant::now();
        }
    }

    /// Entries and records of runs that the store has not taken.
    pub(super) fn unsaved(&self) -> (usize, usize) {
        (self.unsaved.entries.len(), self.unsaved.runs.len())
    }

    /// Writes `batch` and what is still unsaved, in order. Never fails: what the store does not take is
    /// kept for later.
    pub(super) async fn append(&mut self, mut batch: LogBatch, sync: bool) -> Durability {
        let is_reached = self.reaches_the_store(&batch);
        let snapshot = batch.snapshot.take();
        let has_snapshot = snapshot.is_some();
        self.keep(batch);
        if !is_reached {
            self.owes_snapshot |= has_snapshot;
            self.stay_bounded();
            return Durability::MemoryOnly;
        }
        match bounded(self.store.append(self.whole(snapshot), sync)).await {
            Ok(durability) => {
                self.recovered(durability);
                durability
            }
            Err(error) => {
                self.owes_snapshot |= has_snapshot;
                self.failed(&error);
                Durability::MemoryOnly
            }
        }
    }

    /// Entries `from..=to`, unsaved ones included.
    pub(super) async fn entries(&self, from: Sequence, to: Sequence) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries = bounded(self.store.entries(from, to)).await?;
        let stored_to = entries.last().map_or(from.saturating_sub(1), |entry| entry.sequence);
        let rest = self.unsaved.entries.iter().filter(|entry| entry.sequence > stored_to && entry.sequence <= to);
        entries.extend(rest.cloned());
        Ok(entries)
    }

    /// The newest snapshot at or before `sequence`.
    pub(super) async fn snapshot_before(&self, sequence: Sequence) -> Result<Option<StoredSnapshot>, StoreError> {
        bounded(self.store.snapshot_before(sequence)).await
    }

    /// The newest lines of the journal, newest first.
    pub(super) async fn journal(&self, limit: usize) -> Result<Vec<JournalEntry>, StoreError> {
        bounded(self.store.journal(limit)).await
    }

    /// The record of one run.
    pub(super) async fn run(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        bounded(self.store.run(run)).await
    }

    /// For the screen.
    pub(super) fn status(&self) -> StoreStatus {
        let fault = self.fault.as_ref().map(|fault| {
            format!("the store fails ({}): new state is kept in memory only and lost with this process", fault.message)
        });
        StoreStatus {
            kind: self.store.kind().to_owned(),
            durability: if self.fault.is_some() { Durability::MemoryOnly } else { self.durability },
            notice: fault.or_else(|| self.store.notice()),
        }
    }

    fn is_due(&self) -> bool {
        self.fault.as_ref().is_none_or(|fault| Instant::now() >= fault.retry_at)
    }

    fn keep(&mut self, batch: LogBatch) {
        let LogBatch { entries, journal, runs, snapshot: _, values } = batch;
        let unsaved = &mut self.unsaved;
        unsaved.entries.extend(entries);
        unsaved.journal.extend(journal);
        unsaved.runs.extend(runs);
        unsaved.values.retain(|(name, _)| values.iter().all(|(newer, _)| newer != name));
        unsaved.values.extend(values);
    }

    fn stay_bounded(&mut self) {
        self.owes_snapshot |= shorten(&mut self.unsaved.entries);
        shorten(&mut self.unsaved.journal);
        shorten(&mut self.unsaved.runs);
    }

    /// Everything unsaved with `snapshot`, which is not kept: it is large, and a fresh one is as good. Where
    /// something is missing, entries up to the snapshot are left out, for they may have a gap.
    fn whole(&self, snapshot: Option<StoredSnapshot>) -> LogBatch {
        let covered = snapshot.as_ref().filter(|_| self.owes_snapshot).map_or(0, |snapshot| snapshot.sequence);
        let LogBatch { entries, journal, runs, values, .. } = &self.unsaved;
        let entries = entries.iter().filter(|entry| entry.sequence > covered).cloned().collect();
        LogBatch { entries, journal: journal.clone(), runs: runs.clone(), snapshot, values: values.clone() }
    }

    fn recovered(&mut self, durability: Durability) {
        if self.fault.take().is_some() {
            tracing::info!(entries = self.unsaved.entries.len(), "the store takes writes again");
        }
        self.durability = durability;
        self.unsaved = LogBatch::default();
        self.owes_snapshot = false;
    }

    fn failed(&mut self, error: &StoreError) {
        if self.fault.is_none() {
            tracing::error!(%error, "the store failed; going on in memory");
        }
        self.stay_bounded();
        self.fault = Some(Fault { message: error.to_string(), retry_at: Instant::now() + RETRY_AFTER });
    }
}

/// Drops the oldest beyond the bound; whether any went.
fn shorten<T>(list: &mut Vec<T>) -> bool {
    let excess = list.len().saturating_sub(KEPT);
    list.drain(..excess);
    excess > 0
}

async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let hangs = || StoreError::Io(format!("no answer for {} s", PATIENCE.as_secs()));
    let fault =
        || StoreError::Io("a fault in banditop itself ended the call: see the log, and please report it".into());
    let call = AssertUnwindSafe(call).catch_unwind();
    timeout(PATIENCE, call).await.map_or_else(|_| Err(hangs()), |ended| ended.unwrap_or_else(|_| Err(fault())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::command::{Actor, RouterCommand};
    use crate::domain::ids::CommandId;
    use crate::engine::testing::FakeStore;

    fn batch(sequences: std::ops::RangeInclusive<Sequence>) -> LogBatch {
        let at = Timestamp::from_millis(1);
        let command = || RouterCommand::Decay { factor: 0.5, arms: vec![] };
        let entry = |sequence| LogEntry {
            sequence,
            id: CommandId::new(at, sequence),
            actor: Actor::Config,
            at,
            command: command(),
        };
        LogBatch { entries: sequences.map(entry).collect(), ..LogBatch::default() }
    }

    fn sequences(entries: &[LogEntry]) -> Vec<Sequence> {
        entries.iter().map(|entry| entry.sequence).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_failing_store_does_not_take_is_written_when_it_does() {
        let store = FakeStore::new();
        let mut ledger = Ledger::new(store.clone());
        assert_eq!(ledger.append(batch(1..=2), true).await, Durability::Durable);
        store.fail(true);
        assert_eq!(ledger.append(batch(3..=3), true).await, Durability::MemoryOnly);
        assert!(ledger.is_degraded() && ledger.status().notice.unwrap().contains("disk full"));
        store.fail(false);
        // Too early to try again: the operator is not kept waiting.
        assert_eq!(ledger.append(batch(4..=4), true).await, Durability::MemoryOnly);
        assert_eq!(sequences(&ledger.entries(2, 4).await.unwrap()), [2, 3, 4]);
        tokio::time::advance(RETRY_AFTER).await;
        assert!(ledger.wants_retry());
        assert_eq!(ledger.append(batch(5..=5), true).await, Durability::Durable);
        assert_eq!(sequences(&store.log()), [1, 2, 3, 4, 5]);
        assert!(!ledger.is_degraded());
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_the_store_is_tried_however_recently_it_failed() {
        let store = FakeStore::new();
        let mut ledger = Ledger::new(store.clone());
        store.fail(true);
        assert_eq!(ledger.append(batch(1..=2), true).await, Durability::MemoryOnly);
        assert_eq!(ledger.unsaved(), (2, 0));
        store.fail(false);
        ledger.try_now();
        assert_eq!(ledger.append(batch(3..=3), true).await, Durability::Durable);
        assert_eq!((sequences(&store.log()), ledger.unsaved()), (vec![1, 2, 3], (0, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_store_is_waited_for_once_and_a_gap_needs_a_snapshot() {
        let store = FakeStore::new();
        let mut ledger = Ledger::new(store.clone());
        store.hang(true);
        let began = Instant::now();
        let many = KEPT as u64 + 10;
        assert_eq!(ledger.append(batch(1..=many), true).await, Durability::MemoryOnly);
        assert_eq!(ledger.append(batch(many + 1..=many + 1), true).await, Durability::MemoryOnly);
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
        store.hang(false);
        tokio::time::advance(RETRY_AFTER).await;
        assert!(ledger.wants_snapshot());
        assert_eq!(ledger.append(LogBatch::default(), true).await, Durability::MemoryOnly);
        let snapshot = StoredSnapshot { sequence: many + 1, parts: vec![] };
        let whole = LogBatch { snapshot: Some(snapshot), ..LogBatch::default() };
        assert_eq!(ledger.append(whole, true).await, Durability::Durable);
        assert!(store.log().is_empty() && !ledger.wants_snapshot());
    }
}
