//! Previews on disk, in a database of their own beside the state's: one that is damaged is made anew, and what
//! a crash loses is asked again, so nothing of the care that state needs is needed here. All of it is in
//! memory too, which is where previews are found; a thread of its own writes, and a disk that falls behind
//! makes the cache forget, not wait.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::memory::MemoryPreviewCache;
use crate::domain::BoxFuture;
use crate::domain::cache::{CacheBounds, CacheFault, CachedPreview, PreviewCache, PreviewKey};
use crate::domain::clock::Timestamp;
use crate::store::backend::{Backend, Fault, Read};
use crate::store::codec::Op;
use crate::store::sled_backend::SledBackend;

/// Changes that may wait for the disk.
const QUEUE: usize = 256;
/// Changes after which they are synced; at the end they are anyhow.
const SYNC_EVERY: u32 = 64;

/// Previews on disk.
pub struct SledPreviewCache {
    memory: MemoryPreviewCache,
    next: AtomicU64,
    writer: Option<(SyncSender<Vec<Op>>, JoinHandle<()>)>,
}

impl SledPreviewCache {
    /// Opens or creates the database in `dir`.
    ///
    /// # Errors
    /// Where another process holds it, or the disk fails.
    pub fn open(dir: &Path, bounds: CacheBounds) -> Result<Self, CacheFault> {
        let backend = open(dir).map_err(|error| fault(&error))?;
        let memory = MemoryPreviewCache::new(bounds);
        let next = fill(&backend, &memory).map_err(|error| fault(&error))?;
        let (sender, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("previews".to_owned()).spawn(move || write(&backend, &queue));
        let thread = thread.map_err(|error| CacheFault(format!("no thread for the preview cache: {error}")))?;
        Ok(Self { memory, next: AtomicU64::new(next), writer: Some((sender, thread)) })
    }
}

/// Nothing in a cache is worth keeping a damaged database for.
fn open(dir: &Path) -> Result<SledBackend, Fault> {
    match SledBackend::open(dir) {
        Err(Fault::Corrupt(reason)) => {
            tracing::warn!(reason, dir = %dir.display(), "the preview cache is damaged and begins anew");
            std::fs::remove_dir_all(dir).map_err(|error| Fault::Io(error.to_string()))?;
            SledBackend::open(dir)
        }
        outcome => outcome,
    }
}

/// Reads everything, oldest first; the next free number. What does not fit, or cannot be read, goes.
fn fill(backend: &SledBackend, memory: &MemoryPreviewCache) -> Result<u64, Fault> {
    let mut found: Vec<(u64, CachedPreview)> = Vec::new();
    let mut gone = Vec::new();
    let mut next = 0;
    backend.scan(&[], &[0xff; 9], false, &mut |key, value| {
        match (number_of(key), serde_json::from_slice(value)) {
            (Some(number), Ok(preview)) => {
                next = next.max(number + 1);
                found.push((number, preview));
            }
            _ => gone.push(Op { key: key.to_vec(), value: None }),
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    found.sort_by_key(|(number, preview)| (preview.at, *number));
    for (number, preview) in found {
        gone.extend(memory.put(number, preview).into_iter().map(removal));
    }
    if !gone.is_empty() {
        backend.write(&gone)?;
    }
    Ok(next)
}

fn write(backend: &SledBackend, queue: &Receiver<Vec<Op>>) {
    let mut unsynced = 0;
    while let Ok(ops) = queue.recv() {
        unsynced += 1;
        let written = backend.write(&ops).and_then(|()| if unsynced >= SYNC_EVERY { backend.sync() } else { Ok(()) });
        if unsynced >= SYNC_EVERY {
            unsynced = 0;
        }
        if let Err(fault) = written {
            tracing::debug!(%fault, "previews could not be written");
        }
    }
    if let Err(fault) = backend.sync() {
        tracing::debug!(%fault, "previews could not be written");
    }
}

fn number_of(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes).filter(|number| *number < u64::MAX)
}

fn removal(number: u64) -> Op {
    Op { key: number.to_be_bytes().to_vec(), value: None }
}

fn fault(fault: &Fault) -> CacheFault {
    CacheFault(fault.to_string())
}

impl PreviewCache for SledPreviewCache {
    fn kind(&self) -> &'static str {
        "sled"
    }

    fn find<'a>(
        &'a self,
        key: &'a PreviewKey,
        threshold: f64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<CachedPreview>, CacheFault>> {
        self.memory.find(key, threshold, now)
    }

    fn keep(&self, preview: CachedPreview) -> BoxFuture<'_, Result<(), CacheFault>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let value = serde_json::to_vec(&preview);
        let mut ops: Vec<Op> = self.memory.put(number, preview).into_iter().map(removal).collect();
        let kept = value.map_err(|error| CacheFault(error.to_string())).and_then(|value| {
            ops.push(Op { key: number.to_be_bytes().to_vec(), value: Some(value) });
            let Some((queue, _)) = &self.writer else { return Ok(()) };
            queue.try_send(ops).map_err(|error| match error {
                TrySendError::Full(_) => CacheFault("the disk falls behind".to_owned()),
                TrySendError::Disconnected(_) => CacheFault("the preview cache has ended".to_owned()),
            })
        });
        Box::pin(std::future::ready(kept))
    }
}

impl Drop for SledPreviewCache {
    fn drop(&mut self) {
        if let Some((queue, thread)) = self.writer.take() {
            drop(queue);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::store::preview_cache::contract::{BOUNDS, keeps_the_contract, key, preview, text};

    #[tokio::test]
    async fn on_disk() {
        let home = tempfile::tempdir().unwrap();
        let turn = AtomicU32::new(0);
        keeps_the_contract(|| {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            Arc::new(SledPreviewCache::open(&home.path().join(turn.to_string()), BOUNDS).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart_within_the_bounds() {
        let home = tempfile::tempdir().unwrap();
        let open = |bounds| SledPreviewCache::open(&home.path().join("c"), bounds).unwrap();
        let cache = open(BOUNDS);
        for n in 0..6_u32 {
            cache.keep(preview(key("a", "s", f64::from(n)), &n.to_string(), u64::from(n))).await.unwrap();
        }
        drop(cache);
        let cache = open(BOUNDS);
        for (n, expected) in [(0, None), (1, None), (2, Some("2")), (5, Some("5"))] {
            assert_eq!(text(&cache, &key("a", "s", f64::from(n)), 7).await.as_deref(), expected, "{n}");
        }
        drop(cache);
        let cache = open(CacheBounds { max: 1, ..BOUNDS });
        assert_eq!(text(&cache, &key("a", "s", 4.0), 7).await, None);
        assert_eq!(text(&cache, &key("a", "s", 5.0), 7).await.as_deref(), Some("5"));
        drop(cache);
        let database = home.path().join("c/db");
        std::fs::write(&database, vec![7; 4096]).unwrap();
        let cache = open(BOUNDS);
        assert_eq!(text(&cache, &key("a", "s", 5.0), 7).await, None, "a damaged one begins anew");
    }
}
