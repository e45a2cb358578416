//! Embeddings that are known: bounded, in memory, and those that are read stay longest. Texts are kept as digests
//! alone.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::EmbeddingSample;

/// The newest embeddings in two generations: what is read moves to the younger one, and the older one goes
/// when the younger is full.
pub(super) struct Cache {
    young: HashMap<u128, Arc<EmbeddingSample>>,
    old: HashMap<u128, Arc<EmbeddingSample>>,
    /// Half of what is kept.
    half: usize,
    /// Numbers of every embedding, once one was seen.
    pub(super) inputs: Option<u32>,
}

impl Cache {
    pub(super) fn new(kept: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: kept / 2, inputs: None }
    }

    /// From now on every embedding has so many numbers: what has others goes.
    pub(super) fn expect(&mut self, inputs: u32) {
        if self.inputs.replace(inputs) != Some(inputs) {
            (self.young, self.old) = (HashMap::new(), HashMap::new());
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn get(&mut self, key: u128) -> Option<Arc<EmbeddingSample>> {
        if let Some(found) = self.young.get(&key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(&key)?;
        self.put(key, Arc::clone(&found));
        Some(found)
    }

    pub(super) fn put(&mut self, key: u128, sample: Arc<EmbeddingSample>) {
        if self.half == 0 {
            return;
        }
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, sample);
    }
}

/// 128 bits of a text: no two prompts of one process share them.
pub(super) fn key(text: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
