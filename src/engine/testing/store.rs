//! A store in memory that passes for a durable one and can be told to fail or to hang.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::BoxFuture;
use crate::domain::command::{Durability, JournalEntry, LogEntry};
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot, StoredState};

#[derive(Default)]
struct Held {
    log: Vec<LogEntry>,
    snapshots: Vec<StoredSnapshot>,
    journal: BTreeMap<Sequence, JournalEntry>,
    runs: BTreeMap<RunId, RunRecord>,
    values: BTreeMap<String, Vec<u8>>,
}

/// See above.
#[derive(Default)]
pub(crate) struct FakeStore {
    held: Mutex<Held>,
    fails: AtomicBool,
    hangs: AtomicBool,
    syncs: AtomicU64,
}

impl FakeStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// From now on every call fails, or works again.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// From now on no call returns, or calls return again.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// Every entry.
    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.held().log.clone()
    }

    /// Where snapshots lie.
    pub(crate) fn snapshots(&self) -> Vec<Sequence> {
        self.held().snapshots.iter().map(|snapshot| snapshot.sequence).collect()
    }

    /// Synced appends.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    /// As if the log and the snapshots before `sequence` had been trimmed.
    pub(crate) fn trim(&self, sequence: Sequence) {
        let mut held = self.held();
        held.log.retain(|entry| entry.sequence >= sequence);
        held.snapshots.retain(|snapshot| snapshot.sequence >= sequence);
    }

    /// The named values.
    pub(crate) fn values(&self) -> BTreeMap<String, Vec<u8>> {
        self.held().values.clone()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Held) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                pending::<()>().await;
            }
            if self.fails.load(Ordering::SeqCst) {
                return Err(StoreError::Io("disk full".into()));
            }
            Ok(work(&mut self.held()))
        })
    }
}

impl StateStore for FakeStore {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn notice(&self) -> Option<String> {
        None
    }

    fn load(&self) -> BoxFuture<'_, Result<StoredState, StoreError>> {
        self.call(|held| {
            let snapshot = held.snapshots.last().cloned();
            let after = snapshot.as_ref().map_or(0, |s| s.sequence);
            StoredState { snapshot, tail: held.log.iter().filter(|e| e.sequence > after).cloned().collect() }
        })
    }

    fn append(&self, batch: LogBatch, sync: bool) -> BoxFuture<'_, Result<Durability, StoreError>> {
        self.syncs.fetch_add(u64::from(sync), Ordering::SeqCst);
        self.call(move |held| {
            held.log.extend(batch.entries);
            held.journal.extend(batch.journal.into_iter().map(|line| (line.sequence, line)));
            held.runs.extend(batch.runs.into_iter().map(|run| (run.run_id, RunRecord::clone(&run))));
            held.snapshots.extend(batch.snapshot);
            held.values.extend(batch.values);
            Durability::Durable
        })
    }

    fn snapshot_before(&self, sequence: Sequence) -> BoxFuture<'_, Result<Option<StoredSnapshot>, StoreError>> {
        self.call(move |held| held.snapshots.iter().rev().find(|s| s.sequence <= sequence).cloned())
    }

    fn entries(&self, from: Sequence, to: Sequence) -> BoxFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.call(move |held| held.log.iter().filter(|e| (from..=to).contains(&e.sequence)).cloned().collect())
    }

    fn journal(&self, limit: usize) -> BoxFuture<'_, Result<Vec<JournalEntry>, StoreError>> {
        self.call(move |held| held.journal.values().rev().take(limit).cloned().collect())
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, StoreError>> {
        self.call(move |held| held.runs.get(&run).cloned())
    }

    fn runs_before(&self, before: Option<RunId>, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>> {
        self.call(move |held| {
            let older = held.runs.values().rev().filter(|run| before.is_none_or(|before| run.run_id < before));
            older.take(limit).cloned().collect()
        })
    }

    fn value(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        let name = name.to_owned();
        self.call(move |held| held.values.get(&name).cloned())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.call(|_| ())
    }
}
