//! What every preview cache must keep, as one function that each adapter is run through.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::cache::{CacheBounds, CachedPreview, PreviewCache, PreviewKey};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;

use super::MemoryPreviewCache;

/// The bounds under which the contract is checked.
pub(super) const BOUNDS: CacheBounds = CacheBounds { ttl: Duration::from_mins(1), max: 4 };
/// A moment to count from; adapters that let a server count may not be far from the wall clock.
const START: u64 = 1_900_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1000)
}

pub(super) fn key(arm: &str, scope: &str, angle: f64) -> PreviewKey {
    let direction = [angle.cos(), angle.sin(), 0.0];
    #[expect(clippy::cast_possible_truncation, reason = "a test's numbers")]
    let direction = direction.iter().map(|v| *v as f32).collect();
    PreviewKey { arm: ArmId::new(arm), scope: scope.to_owned(), tokens: 64, direction }
}

pub(super) fn preview(key: PreviewKey, text: &str, seconds: u64) -> CachedPreview {
    let (tokens, tokens_in, estimated) = (17, 5, true);
    CachedPreview { key, text: text.to_owned(), tokens, tokens_in, estimated, at: at(seconds) }
}

/// The text that `cache` has, `None` where it has nothing.
pub(super) async fn text(cache: &dyn PreviewCache, key: &PreviewKey, seconds: u64) -> Option<String> {
    cache.find(key, 0.99, at(seconds)).await.unwrap().map(|found| found.text)
}

/// Every clause, each on a fresh cache of [`BOUNDS`].
pub(super) async fn keeps_the_contract(open: impl Fn() -> Arc<dyn PreviewCache>) {
    what_is_kept_comes_back_whole(open().as_ref()).await;
    only_what_is_alike_is_found(open().as_ref()).await;
    the_most_alike_is_found_and_of_equals_the_newest(open().as_ref()).await;
    what_is_old_is_gone(open().as_ref()).await;
    what_was_used_longest_ago_goes_first(open().as_ref()).await;
    odd_content_does_no_harm(open().as_ref()).await;
}

async fn what_is_kept_comes_back_whole(cache: &dyn PreviewCache) {
    let kept = preview(key("a", "s", 0.25), "a text\nwith “quotes” and \u{1F600}", 0);
    assert_eq!(cache.find(&kept.key, 0.99, at(0)).await, Ok(None));
    cache.keep(kept.clone()).await.unwrap();
    let found = cache.find(&kept.key, 0.99, at(1)).await.unwrap().expect("it is there");
    assert_eq!((found.text, found.tokens, found.tokens_in, found.estimated), (kept.text, 17, 5, true));
    assert_eq!((found.key.arm, found.key.scope, found.at), (kept.key.arm, kept.key.scope, at(0)));
}

async fn only_what_is_alike_is_found(cache: &dyn PreviewCache) {
    cache.keep(preview(key("a", "s", 0.0), "x", 0)).await.unwrap();
    assert_eq!(text(cache, &key("a", "s", 0.1), 1).await.as_deref(), Some("x"));
    let longer = PreviewKey { tokens: 96, ..key("a", "s", 0.0) };
    let empty = PreviewKey { direction: vec![0.0; 3], ..key("a", "s", 0.0) };
    for other in [key("a", "s", 0.2), key("b", "s", 0.0), key("a", "t", 0.0), longer, empty] {
        assert_eq!(text(cache, &other, 1).await, None, "{other:?}");
    }
}

async fn the_most_alike_is_found_and_of_equals_the_newest(cache: &dyn PreviewCache) {
    for (angle, words, seconds) in [(0.0, "far", 2), (0.05, "near", 1), (0.1, "further", 3)] {
        cache.keep(preview(key("a", "s", angle), words, seconds)).await.unwrap();
    }
    assert_eq!(text(cache, &key("a", "s", 0.04), 4).await.as_deref(), Some("near"));
    cache.keep(preview(key("a", "s", 0.05), "newer", 4)).await.unwrap();
    assert_eq!(text(cache, &key("a", "s", 0.05), 5).await.as_deref(), Some("newer"));
}

async fn what_is_old_is_gone(cache: &dyn PreviewCache) {
    cache.keep(preview(key("a", "s", 0.0), "x", 0)).await.unwrap();
    assert_eq!(text(cache, &key("a", "s", 0.0), 59).await.as_deref(), Some("x"));
    assert_eq!(text(cache, &key("a", "s", 0.0), 60).await, None, "a use does not make it younger");
    cache.keep(preview(key("a", "s", 0.0), "y", 100)).await.unwrap();
    assert_eq!(text(cache, &key("a", "s", 0.0), 99).await, None, "it is from the future");
}

async fn what_was_used_longest_ago_goes_first(cache: &dyn PreviewCache) {
    for n in 0..4_u32 {
        cache.keep(preview(key("a", "s", f64::from(n)), &n.to_string(), u64::from(n))).await.unwrap();
    }
    assert_eq!(text(cache, &key("a", "s", 0.0), 5).await.as_deref(), Some("0"));
    cache.keep(preview(key("b", "s", 0.0), "4", 6)).await.unwrap();
    let left = [("a", 0.0, Some("0")), ("a", 1.0, None), ("a", 2.0, Some("2")), ("b", 0.0, Some("4"))];
    for (arm, angle, expected) in left {
        assert_eq!(text(cache, &key(arm, "s", angle), 7).await.as_deref(), expected, "{arm} {angle}");
    }
}

async fn odd_content_does_no_harm(cache: &dyn PreviewCache) {
    let long = "é".repeat(50_000);
    cache.keep(preview(key("an arm", "a:b c", 0.0), &long, 0)).await.unwrap();
    assert_eq!(text(cache, &key("an arm", "a:b c", 0.0), 1).await, Some(long));
    let broken = PreviewKey { direction: vec![f32::NAN, 1.0, 0.0], ..key("a", "s", 0.0) };
    let _ = cache.keep(preview(broken.clone(), "x", 0)).await;
    assert_eq!(text(cache, &broken, 1).await, None);
}

#[tokio::test]
async fn in_memory() {
    keeps_the_contract(|| Arc::new(MemoryPreviewCache::new(BOUNDS))).await;
}
