//! The port to durable state. A store keeps three things: the command log, snapshots of the folded
//! state, and run records; plus small named values. It knows nothing of what a state means: a snapshot
//! is named parts of bytes. Contract tests run against every adapter.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::command::{Durability, JournalEntry, LogEntry};
use super::ids::{RunId, Sequence};
use super::record::RunRecord;

/// The folded state at one place in the log, as opaque parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSnapshot {
    /// Where in the log.
    pub sequence: Sequence,
    /// Name and bytes; of any size, the adapter splits what is too large for one value.
    pub parts: Vec<(String, Vec<u8>)>,
}

/// What is appended at once: all of it or nothing of it is there after a crash.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// Commands, in order, without gaps.
    pub entries: Vec<LogEntry>,
    /// Journal lines of the operator actions among them; also changed older lines (`undone_by`).
    pub journal: Vec<JournalEntry>,
    /// Records of the runs among them; a known id is replaced (a rating).
    pub runs: Vec<Arc<RunRecord>>,
    /// A new snapshot, where one is due.
    pub snapshot: Option<StoredSnapshot>,
    /// Small named values to set.
    pub values: Vec<(String, Vec<u8>)>,
}

/// Why a store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Held by another process.
    #[error("{} is held by another process ({holder}): close it, or talk to it (`banditop ask`, `banditop state` do)", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Who, as far as it can be told.
        holder: String,
    },
    /// The directory cannot be used.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The data directory.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The data was written by a newer program.
    #[error("{} was written by a newer banditop (form {found}, this one reads up to {known}): update banditop, or point --data-dir elsewhere", path.display())]
    Newer {
        /// The data directory.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest that this program reads.
        known: u32,
    },
    /// A write or read failed: disk full, I/O error, the writer hangs.
    #[error("{0}")]
    Io(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default)]
pub struct StoredState {
    /// The newest snapshot that is whole.
    pub snapshot: Option<StoredSnapshot>,
    /// Every entry after it, in order, without gaps.
    pub tail: Vec<LogEntry>,
}

/// Durable state. Appends are applied in the order of the calls.
pub trait StateStore: Send + Sync {
    /// `sled`, `memory`, …
    fn kind(&self) -> &'static str;

    /// Something a person should know about how it was opened: moved aside, started from an older export.
    fn notice(&self) -> Option<String>;

    /// The newest whole snapshot and what follows it.
    fn load(&self) -> BoxFuture<'_, Result<StoredState, StoreError>>;

    /// Appends atomically. With `sync`, resolves only when the batch is on disk; without, it is on disk
    /// at most 200 ms later.
    fn append(&self, batch: LogBatch, sync: bool) -> BoxFuture<'_, Result<Durability, StoreError>>;

    /// The newest snapshot at or before `sequence`, for undo and "as of".
    fn snapshot_before(&self, sequence: Sequence) -> BoxFuture<'_, Result<Option<StoredSnapshot>, StoreError>>;

    /// Entries `from..=to`, in order; fewer where the log was trimmed.
    fn entries(&self, from: Sequence, to: Sequence) -> BoxFuture<'_, Result<Vec<LogEntry>, StoreError>>;

    /// Operator actions, newest first.
    fn journal(&self, limit: usize) -> BoxFuture<'_, Result<Vec<JournalEntry>, StoreError>>;

    /// One run's record.
    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, StoreError>>;

    /// The newest runs of before `before` (of all, where that is absent), newest first.
    fn runs_before(&self, before: Option<RunId>, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>>;

    /// The newest runs, newest first.
    fn runs(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunRecord>, StoreError>> {
        self.runs_before(None, limit)
    }

    /// A small named value.
    fn value(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Writes out everything and closes; later calls fail with [`StoreError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
