//! A store in memory that shows what it was given, and whose disk can be full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use banditop::domain::BoxFuture;
use banditop::domain::command::{Durability, JournalEntry, LogEntry};
use banditop::domain::ids::{RunId, Sequence};
use banditop::domain::record::RunRecord;
use banditop::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot, StoredState};
use banditop::store::MemoryStore;

pub(crate) struct Watched {
    inner: MemoryStore,
    log: Mutex<Vec<LogEntry>>,
    full: AtomicBool,
}

impl Watched {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryStore::new(), log: Mutex::default(), full: AtomicBool::new(false) })
    }

    /// Every entry that was appended.
    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.log.lock().unwrap().clone()
    }

    /// From now on nothing can be written.
    pub(crate) fn fill_up(&self) {
        self.full.store(true, Ordering::SeqCst);
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
        if self.full.load(Ordering::SeqCst) {
            let full = StoreError::Io("No space left on device (os error 28)".to_owned());
            return Box::pin(std::future::ready(Err(full)));
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
