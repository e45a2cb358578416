//! A store in memory that shows what it was given, and that can fail in each way in which one may while it is
//! in use.

use std::sync::{Arc, Mutex};

use banditop::domain::BoxFuture;
use banditop::domain::command::{Durability, JournalEntry, LogEntry};
use banditop::domain::ids::{RunId, Sequence};
use banditop::domain::record::RunRecord;
use banditop::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot, StoredState};
use banditop::store::MemoryStore;

/// How an append fails.
#[derive(Clone, Debug)]
pub(crate) enum Breaks {
    With(StoreError),
    /// It is never answered.
    Hanging,
    Panicking,
}

pub(crate) struct Watched {
    inner: MemoryStore,
    log: Mutex<Vec<LogEntry>>,
    fault: Mutex<Option<Breaks>>,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryStore::new(), log: Mutex::default(), fault: Mutex::default() })
    }

    /// Every entry that was appended.
    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.log.lock().unwrap().clone()
    }

    /// From now on it is so, or nothing is wrong any more.
    pub(crate) fn breaks(&self, how: Option<Breaks>) {
        *self.fault.lock().unwrap() = how;
    }
}

impl StateStore for Watched {
    fn kind(&self) -> &'static str {
        "watched"
    }

    fn notice(&self) -> Option<String> {
        None
    }

    fn load(&self) -> BoxFuture<'_, Result<StoredState, StoreError>> {
        self.inner.load()
    }

    fn append(&self, batch: LogBatch, sync: bool) -> BoxFuture<'_, Result<Durability, StoreError>> {
        match self.fault.lock().unwrap().clone() {
            Some(Breaks::With(error)) => return Box::pin(std::future::ready(Err(error))),
            Some(Breaks::Hanging) => return Box::pin(std::future::pending()),
            Some(Breaks::Panicking) => return Box::pin(async { panic!("a store with a fault") }),
            None => {}
        }
        self.log.lock().unwrap().extend(batch.entries.iter().cloned());
        self.inner.append(batch, sync)
    }

    fn snapshot_before(&self, sequence: Sequence) -> BoxFuture<'_, Result<Option<StoredSnapshot>, StoreError>> {
        self.inner.snapshot_before(sequence)
    }

    fn entries(&self, from: Sequence, to: Sequence) -> BoxFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.inner.entries(from, to)
    }

    fn journal(&self, limit: usize) -> BoxFuture<'_, Result<Vec<JournalEntry>, StoreError>> {
        self.inner.journal(limit)
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, StoreError>> {
        self.inner.run(run)
    }

    fn runs_before(&self, before: Option<RunId>, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>> {
        self.inner.runs_before(before, limit)
    }

    fn value(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.inner.value(name)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}
