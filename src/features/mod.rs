//! A prompt as numbers. A [`FeatureExtractor`] turns a chat request into a context under a named,
//! versioned schema; nothing is sent anywhere and nothing is remembered between calls. Work is bounded:
//! of a huge prompt only its beginning and its end are looked at.

mod complexity;
mod cues;
mod cues_abroad;
mod embedding;
mod form;
mod hashed;
pub mod intent;
mod length;
mod likeness;
mod novelty;
mod projection;
mod scale;
mod schema;
mod signals;
mod text;
mod wording;

#[cfg(test)]
pub(crate) mod contract;
#[cfg(test)]
mod tests;

pub use complexity::complexity;
pub use embedding::{EmbeddingFeatures, Encoder};
pub use length::LengthFeatures;
pub use likeness::{embedding_direction, text_direction};
pub use novelty::{Novelty, RecentPrompts};
pub use projection::project_embedding;
pub use schema::version_digest;
pub use signals::{WithSignals, signal_values};
pub use wording::{exact_parts, wording};

use std::ops::Range;
use std::sync::Arc;

use crate::domain::chat::ChatRequest;
use crate::domain::context::{Context, FeatureSchema};

/// Turns a chat request into a context.
///
/// Every implementation gives `schema().len()` finite numbers for any request, the intercept first and
/// always 1, the same numbers for the same request, in time that does not grow with the prompt beyond
/// a bound; and a schema whose version changes whenever a name or a parameter's meaning does.
pub trait FeatureExtractor: Send + Sync {
    /// Names, blocks and version of the numbers.
    fn schema(&self) -> &Arc<FeatureSchema>;

    /// The context of `request`. Dimensions of the blocks *intercept*, *length* and *intent* lie in [0, 1], those of
    /// *embedding* in [-4, 4].
    fn compute(&self, request: &ChatRequest) -> Context;

    /// `length`, `embedding`.
    fn kind(&self) -> &'static str;

    /// The slots of an embedding that comes from elsewhere, where the schema has any: `compute` leaves them at
    /// their mean, 0.
    fn slots(&self) -> Option<Range<usize>> {
        None
    }
}

/// What of a prompt is embedded: its last user turn, of a huge one the beginning and the end.
#[must_use]
pub fn embedded_text(request: &ChatRequest) -> String {
    text::Excerpt::of(&text::prompt_text(request)).as_str().to_owned()
}
