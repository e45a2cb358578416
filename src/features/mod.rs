//! A prompt as numbers. A [`FeatureExtractor`] turns a chat request into a context under a named,
//! versioned schema; nothing is sent anywhere and nothing is remembered between calls. Work is bounded:
//! of a huge prompt only its beginning and its end are looked at.

mod cues;
mod cues_abroad;
mod form;
pub mod intent;
mod length;
mod schema;
mod text;

#[cfg(test)]
mod tests;

pub use length::LengthFeatures;
pub use schema::version_digest;

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

    /// The context of `request`.
    fn compute(&self, request: &ChatRequest) -> Context;

    /// `length`, `embedding`.
    fn kind(&self) -> &'static str;
}
