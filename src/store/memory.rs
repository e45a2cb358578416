//! A store in memory: for tests, and for a machine whose disk is out of order. It keeps the same records
//! in the same form under the same rules as the one on disk, and says of everything that it is lost
//! with the process.

use std::sync::{Mutex, PoisonError};

use crate::domain::BoxFuture;
use crate::domain::command::{Durability, JournalEntry, LogEntry};
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot, StoredState};

use super::backend::{Backend, Fault, MemoryBackend, Read};
use super::ledger::{Ledger, Retention};
use super::records;

/// Runs are the bulk of what is kept; memory holds fewer of them than a disk does.
const MOST_RUNS: usize = 2_000;

/// State in memory.
#[derive(Debug)]
pub struct MemoryStore {
    notice: Option<String>,
    /// Absent once closed.
    inner: Mutex<Option<(Ledger, MemoryBackend)>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        let inner = (Ledger::new(Retention { runs: MOST_RUNS }), MemoryBackend::default());
        Self { notice: None, inner: Mutex::new(Some(inner)) }
    }

    /// An empty store that stands in for another, for the reason given.
    #[must_use]
    pub fn with_notice(notice: String) -> Self {
        Self { notice: Some(notice), ..Self::new() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Ledger, &MemoryBackend) -> Result<T, Fault>) -> Result<T, StoreError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (ledger, backend) = inner.as_mut().ok_or(StoreError::Closed)?;
        act(ledger, backend).map_err(|fault| StoreError::Io(fault.to_string()))
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, Fault>,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let outcome = self.with(|_, backend| read(backend));
        Box::pin(std::future::ready(outcome))
    }
}

impl StateStore for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    fn load(&self) -> BoxFuture<'_, Result<StoredState, StoreError>> {
        self.read(records::load)
    }

    fn append(&self, batch: LogBatch, _sync: bool) -> BoxFuture<'_, Result<Durability, StoreError>> {
        let outcome = self.with(|ledger, backend| backend.write(&ledger.post(&batch)?));
        Box::pin(std::future::ready(outcome.map(|()| Durability::MemoryOnly)))
    }

    fn snapshot_before(&self, sequence: Sequence) -> BoxFuture<'_, Result<Option<StoredSnapshot>, StoreError>> {
        self.read(move |read| records::snapshot_before(read, sequence))
    }

    fn entries(&self, from: Sequence, to: Sequence) -> BoxFuture<'_, Result<Vec<LogEntry>, StoreError>> {
        self.read(move |read| records::entries(read, from, to))
    }

    fn journal(&self, limit: usize) -> BoxFuture<'_, Result<Vec<JournalEntry>, StoreError>> {
        self.read(move |read| records::journal(read, limit))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, StoreError>> {
        self.read(move |read| records::run(read, run))
    }

    fn runs_before(&self, before: Option<RunId>, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>> {
        self.read(move |read| records::runs(read, before, limit))
    }

    fn value(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        let name = name.to_owned();
        self.read(move |read| records::value(read, &name))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Box::pin(std::future::ready(Ok(())))
    }
}
