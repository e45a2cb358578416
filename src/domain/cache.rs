//! The port to previews that were made before: what a preview is kept under, when it may stand for another
//! one, and how long. A cache is a convenience: one that fails is a cache that has nothing, and what it lost
//! is asked again. Contract tests run against every adapter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::clock::Timestamp;
use super::ids::ArmId;

/// What a preview is kept under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewKey {
    /// Whose it is.
    pub arm: ArmId,
    /// A digest of everything that has to be the same: features, endpoint, system prompt, earlier turns, parameters.
    pub scope: String,
    /// Tokens that were wanted of it.
    pub tokens: u32,
    /// Where the prompt points, of length 1; zeros are like nothing.
    pub direction: Vec<f32>,
}

/// How far the wanted length of two previews may be apart, as a share of the shorter one.
const LENGTH_SLACK: f64 = 0.25;

impl PreviewKey {
    /// The cosine to `other` where a preview of that key can stand for one of this: same arm and scope, about
    /// as many tokens, and at least `threshold`.
    #[must_use]
    pub fn likeness(&self, other: &Self, threshold: f64) -> Option<f64> {
        if self.arm != other.arm || self.scope != other.scope {
            return None;
        }
        let (short, long) = (self.tokens.min(other.tokens), self.tokens.max(other.tokens));
        if f64::from(long) > f64::from(short) * (1.0 + LENGTH_SLACK) {
            return None;
        }
        cosine(&self.direction, &other.direction).filter(|cosine| *cosine >= threshold)
    }
}

/// The cosine of the angle between two directions of length 1, in [−1, 1] and to about 1e-6; `None` where one
/// is none (zeros) or they are of different spaces.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let is_of = |direction: &[f32]| direction.iter().any(|value| *value != 0.0);
    let cosine = f64::from(dot(a, b));
    (a.len() == b.len() && cosine.is_finite() && is_of(a) && is_of(b)).then(|| cosine.clamp(-1.0, 1.0))
}

/// In eight sums side by side: every run is compared with hundreds of others.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// A preview that was made and judged before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedPreview {
    /// What it is kept under.
    pub key: PreviewKey,
    /// Its text.
    pub text: String,
    /// Tokens of the preview.
    pub tokens: u32,
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// True where tokens are estimated.
    pub estimated: bool,
    /// When it was made.
    pub at: Timestamp,
}

/// How much is kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheBounds {
    /// What is this old is gone.
    pub ttl: Duration,
    /// Previews kept; of more, those that were used longest ago go.
    pub max: usize,
}

impl CacheBounds {
    /// Whether a preview made at `at` may still be used. One from the future, after a clock was set back, may not.
    #[must_use]
    pub fn is_fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        at <= now && now.since(at) < self.ttl
    }
}

/// Why a cache could not be asked, for a log line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CacheFault(pub String);

/// Keeps previews under a key that similar prompts share.
pub trait PreviewCache: Send + Sync {
    /// `memory`, `sled`, `redis`.
    fn kind(&self) -> &'static str;

    /// Of the fresh previews that may stand for `key`, the most alike; equal ones: the newest. What is found
    /// counts as used.
    ///
    /// # Errors
    /// Where the cache cannot be asked.
    fn find<'a>(
        &'a self,
        key: &'a PreviewKey,
        threshold: f64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<CachedPreview>, CacheFault>>;

    /// Keeps a preview, for which others may have to go.
    ///
    /// # Errors
    /// Where it could not be kept.
    fn keep(&self, preview: CachedPreview) -> BoxFuture<'_, Result<(), CacheFault>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_arm_scope_and_length_in_a_similar_direction_is_alike() {
        let key = |arm: &str, scope: &str, tokens, direction: [f32; 2]| PreviewKey {
            arm: ArmId::new(arm),
            scope: scope.to_owned(),
            tokens,
            direction: direction.to_vec(),
        };
        let own = key("a", "s", 100, [1.0, 0.0]);
        assert_eq!(own.likeness(&key("a", "s", 125, [1.0, 0.0]), 0.99), Some(1.0));
        for other in [
            key("b", "s", 100, [1.0, 0.0]),
            key("a", "t", 100, [1.0, 0.0]),
            key("a", "s", 126, [1.0, 0.0]),
            key("a", "s", 79, [1.0, 0.0]),
            key("a", "s", 100, [0.8, 0.6]),
            key("a", "s", 100, [0.0, 0.0]),
        ] {
            assert_eq!(own.likeness(&other, 0.99), None, "{other:?}");
        }
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), None);
    }

    #[test]
    fn a_preview_is_fresh_up_to_its_time_and_not_before_it_was_made() {
        let bounds = CacheBounds { ttl: Duration::from_secs(10), max: 1 };
        let at = Timestamp::from_millis(50_000);
        for (now, fresh) in [(49_999, false), (50_000, true), (59_999, true), (60_000, false)] {
            assert_eq!(bounds.is_fresh(at, Timestamp::from_millis(now)), fresh, "{now}");
        }
    }
}
