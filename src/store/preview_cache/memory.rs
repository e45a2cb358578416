//! Previews in memory, ordered by when they were last used. A few thousand at most, so the best match is
//! looked for among all of them: the arm and the digest tell nearly all apart before any direction is compared.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::BoxFuture;
use crate::domain::cache::{CacheBounds, CacheFault, CachedPreview, PreviewCache, PreviewKey};
use crate::domain::clock::Timestamp;

/// Previews in memory.
pub struct MemoryPreviewCache {
    bounds: CacheBounds,
    /// Newest use last.
    kept: Mutex<VecDeque<Kept>>,
}

/// One preview, with the number that an adapter below knows it by.
pub(super) struct Kept {
    pub(super) number: u64,
    pub(super) preview: CachedPreview,
}

impl MemoryPreviewCache {
    /// An empty cache.
    #[must_use]
    pub const fn new(bounds: CacheBounds) -> Self {
        Self { bounds, kept: Mutex::new(VecDeque::new()) }
    }

    /// The best match; it counts as used from here on.
    pub(super) fn look_up(&self, key: &PreviewKey, threshold: f64, now: Timestamp) -> Option<CachedPreview> {
        let mut kept = self.locked();
        let alike = |kept: &Kept| {
            let fresh = self.bounds.is_fresh(kept.preview.at, now);
            let cosine = fresh.then(|| key.likeness(&kept.preview.key, threshold)).flatten()?;
            Some((cosine, kept.preview.at))
        };
        let found = kept.iter().enumerate().filter_map(|(at, kept)| Some((at, alike(kept)?)));
        let (at, _) = found.max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
        let used = kept.remove(at)?;
        let preview = used.preview.clone();
        kept.push_back(used);
        Some(preview)
    }

    /// Takes a preview in; the numbers of those that had to go: too old, too many, or the same prompt's before.
    pub(super) fn put(&self, number: u64, preview: CachedPreview) -> Vec<u64> {
        let mut kept = self.locked();
        let mut gone = Vec::new();
        kept.retain(|old| {
            let is_old = preview.at > old.preview.at && !self.bounds.is_fresh(old.preview.at, preview.at);
            let stays = !is_old && old.preview.key != preview.key;
            if !stays {
                gone.push(old.number);
            }
            stays
        });
        kept.push_back(Kept { number, preview });
        while kept.len() > self.bounds.max {
            gone.extend(kept.pop_front().map(|old| old.number));
        }
        gone
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PreviewCache for MemoryPreviewCache {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn find<'a>(
        &'a self,
        key: &'a PreviewKey,
        threshold: f64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<CachedPreview>, CacheFault>> {
        Box::pin(std::future::ready(Ok(self.look_up(key, threshold, now))))
    }

    fn keep(&self, preview: CachedPreview) -> BoxFuture<'_, Result<(), CacheFault>> {
        self.put(0, preview);
        Box::pin(std::future::ready(Ok(())))
    }
}
