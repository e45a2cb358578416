//! Previews that were made before, for a prompt that is nearly the same. What must be the same to the letter
//! goes into a digest: the arm's endpoint and model, the feature version, the system prompt and every earlier
//! turn, tools and parameters, what is no text in the last turn. Of the last turn's text the digest holds what no
//! direction tells apart: with an embedding its `exact_parts`, and the rest only has to point in the same direction;
//! without one all of its `wording`, as the built-in encoder understands nothing, and its direction decides nothing.
//!
//! Only previews that were judged by a judge who teaches are kept, so whatever comes from here has taught its
//! lesson once already, and teaches nothing again (see `teach.rs`). It costs nothing and says nothing about
//! latency. A cache that fails or dawdles is a cache that has nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::embedding::EmbeddingSample;
use super::models::ModelRegistry;
use crate::domain::cache::{CachedPreview, PreviewCache, PreviewKey};
use crate::domain::chat::{ChatRequest, Content, Message};
use crate::domain::clock::Timestamp;
use crate::domain::handling::Handling;
use crate::domain::ids::ArmId;
use crate::domain::record::{CacheRecord, PreviewRecord};
use crate::domain::spec::ArmSpec;
use crate::features::{embedded_text, exact_parts, text_direction, wording};

/// How long a cache is waited for; then the preview is asked for.
const PATIENCE: Duration = Duration::from_millis(50);
/// Fields of a request that say who asks, not what.
const NOT_ASKED: [&str; 6] = ["user", "metadata", "store", "session_id", "safety_identifier", "prompt_cache_key"];

/// Where a prompt points.
pub(super) struct Direction {
    /// The space: directions of two spaces are never compared.
    space: &'static str,
    /// The direction.
    pub(super) at: Vec<f32>,
}

impl Direction {
    /// Whether it is that of the run's embedding.
    pub(super) fn is_embedded(&self) -> bool {
        self.space == "embedding"
    }

    /// By the run's embedding where there is one, else by the built-in encoder.
    pub(super) fn of(request: &ChatRequest, found: Option<&Result<Arc<EmbeddingSample>, String>>) -> Self {
        match found {
            Some(Ok(sample)) => Self { space: "embedding", at: sample.direction.clone() },
            _ => Self { space: "words", at: text_direction(&embedded_text(request)) },
        }
    }

    /// The digest of everything in `request` that this direction cannot speak for.
    pub(super) fn asked(&self, request: &ChatRequest) -> String {
        let mut digest = Digest::default();
        let last = request.messages.iter().rposition(|message| message.role == "user");
        for (at, message) in request.messages.iter().enumerate() {
            if Some(at) == last { digest.last_turn(message, request, self) } else { digest.json(message) }
        }
        digest.json(&request.tools);
        for (name, value) in request.extra.iter().filter(|(name, _)| !NOT_ASKED.contains(&name.as_str())) {
            digest.part(name);
            digest.json(value);
        }
        digest.hex()
    }

    /// What keys are compared by. Where the digest says all, one is like any other.
    fn compared(&self) -> Vec<f32> {
        if self.is_embedded() { self.at.clone() } else { vec![1.0] }
    }
}

/// The cache as one run uses it.
pub(super) struct Remembered<'a> {
    pub(super) cache: &'a dyn PreviewCache,
    pub(super) models: &'a ModelRegistry,
    pub(super) threshold: f64,
    pub(super) direction: &'a Direction,
    /// The digest of what is asked: [`Direction::asked`].
    pub(super) asked: String,
    /// The feature version.
    pub(super) features: &'a str,
    /// Tokens wanted.
    pub(super) target: u32,
    pub(super) now: Timestamp,
}

impl Remembered<'_> {
    /// The preview of `arm` for a prompt like this one.
    pub(super) async fn find(&self, arm: &ArmId) -> Option<PreviewRecord> {
        let key = self.key(&self.models.get(arm)?.spec);
        let started = Instant::now();
        let asked = timeout(PATIENCE, self.cache.find(&key, self.threshold, self.now)).await;
        let found = match asked {
            Ok(Ok(found)) => found?,
            Ok(Err(fault)) => return unused(&fault.to_string()),
            Err(_) => return unused("it took too long"),
        };
        let latency_s = started.elapsed().as_secs_f64();
        Some(PreviewRecord {
            arm: arm.clone(),
            latency_s,
            ttft_s: Some(latency_s),
            tokens: found.tokens,
            tokens_in: found.tokens_in,
            estimated: found.estimated,
            cost_usd: Some(0.0),
            cached: true,
            flags: Vec::new(),
            handling: Handling::default(),
            text: found.text,
            error: None,
        })
    }

    /// Keeps those that are new, whole and without a flag.
    pub(super) async fn keep(&self, previews: &[PreviewRecord]) {
        for preview in previews.iter().filter(|p| !p.cached && p.error.is_none() && p.flags.is_empty()) {
            let Some(arm) = self.models.get(&preview.arm) else { continue };
            let kept = CachedPreview {
                key: self.key(&arm.spec),
                text: preview.text.clone(),
                tokens: preview.tokens,
                tokens_in: preview.tokens_in,
                estimated: preview.estimated,
                at: self.now,
            };
            let fault = match timeout(PATIENCE, self.cache.keep(kept)).await {
                Ok(Ok(())) => continue,
                Ok(Err(fault)) => fault.to_string(),
                Err(_) => "it took too long".to_owned(),
            };
            tracing::debug!(fault, cache = self.cache.kind(), "a preview was not kept");
        }
    }

    fn key(&self, spec: &ArmSpec) -> PreviewKey {
        PreviewKey {
            arm: spec.name.clone(),
            scope: self.scope(spec),
            tokens: self.target,
            direction: self.direction.compared(),
        }
    }

    fn scope(&self, spec: &ArmSpec) -> String {
        let mut digest = Digest::default();
        digest.part(self.direction.space);
        digest.part(self.features);
        digest.part(&spec.base_url);
        digest.part(&spec.model);
        digest.part(&format!("{:?}", spec.provider));
        digest.part(&self.asked);
        digest.hex()
    }
}

/// What was asked of the cache and what it had.
pub(super) fn tally(previews: &[PreviewRecord]) -> CacheRecord {
    let count = |cached: bool| {
        u32::try_from(previews.iter().filter(|preview| preview.cached == cached).count()).unwrap_or(u32::MAX)
    };
    CacheRecord { hits: count(true), misses: count(false) }
}

fn unused(fault: &str) -> Option<PreviewRecord> {
    tracing::debug!(fault, "the preview cache is not used");
    None
}

/// 128 bits over parts with their lengths (FNV-1a twice, with different beginnings): the same in every process.
struct Digest(u64, u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325, 0x6c62_272e_07bb_0142)
    }
}

impl Digest {
    fn part(&mut self, part: &str) {
        for byte in (part.len() as u64).to_le_bytes().into_iter().chain(part.bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            self.1 = (self.1.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        self.part(&serde_json::to_string(value).unwrap_or_default());
    }

    /// Of the turn to be answered: files and where they stand, and of its text what `direction` cannot speak for.
    /// One that is too long to be looked at whole must be the same.
    fn last_turn(&mut self, message: &Message, request: &ChatRequest, direction: &Direction) {
        if let Some(Content::Parts(parts)) = &message.content {
            let is_file = |part: &Value| part.get("text").and_then(Value::as_str).is_none();
            for (at, part) in parts.iter().enumerate().filter(|(_, part)| is_file(part)) {
                self.part(&at.to_string());
                self.json(part);
            }
        }
        self.json(&message.extra);
        let text = message.text();
        if text.len() > embedded_text(request).len() + 1 {
            self.part(text.trim());
        } else if direction.is_embedded() {
            for part in exact_parts(&text) {
                self.part(&part);
            }
        } else {
            self.part(&wording(&text));
        }
    }

    fn hex(&self) -> String {
        format!("{:016x}{:016x}", self.0, self.1)
    }
}
