//! The narrow waist of the room: sorted keys and values, written in atomic batches. What is above it
//! knows of logs and runs and of no database; what is below it, the other way round. Tests put a
//! backend that fails or hangs here.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{PoisonError, RwLock};

use super::codec::Op;

/// What goes wrong at or below this level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The disk or the database failed; trying again later may work.
    #[error("{0}")]
    Io(String),
    /// What is on disk is damaged.
    #[error("{0}")]
    Corrupt(String),
    /// Another process holds it.
    #[error("held by another process")]
    Locked,
    /// Written by a newer program, in this form.
    #[error("written by a newer program, in form {0}")]
    Newer(u32),
    /// A batch that must not be written as it is.
    #[error("{0}")]
    Refused(String),
}

/// Receives keys and values in order, until it breaks.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Fault>;

/// The reading half.
pub(super) trait Read {
    /// Visits every key in `from..to`, in order, or from the last to the first.
    fn scan(&self, from: &[u8], to: &[u8], newest_first: bool, visit: Visit<'_>) -> Result<(), Fault>;
}

/// Something that keeps keys and values.
pub(super) trait Backend: Read + Send + Sync {
    /// Applies all of `ops` or none; not on disk before [`Self::sync`].
    fn write(&self, ops: &[Op]) -> Result<(), Fault>;
    /// Returns when everything written is on disk.
    fn sync(&self) -> Result<(), Fault>;
}

/// Keys and values in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryBackend(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Read for MemoryBackend {
    fn scan(&self, from: &[u8], to: &[u8], newest_first: bool, visit: Visit<'_>) -> Result<(), Fault> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut range = map.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        while let Some((key, value)) = if newest_first { range.next_back() } else { range.next() } {
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Backend for MemoryBackend {
    fn write(&self, ops: &[Op]) -> Result<(), Fault> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for Op { key, value } in ops {
            match value {
                Some(value) => map.insert(key.clone(), value.clone()),
                None => map.remove(key),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Fault> {
        Ok(())
    }
}
