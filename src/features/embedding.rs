//! The `embedding` schema: that of `length`, with the slots of a projected embedding between what is about
//! the prompt's form and its intent.
//!
//! | name | value |
//! |---|---|
//! | `bias` … `numbers` | as in `length` |
//! | `embedding_0` … | projected, z-scored; 16 to 32 of them |
//! | `intent_reasoning` … | as in `length` |
//!
//! The built-in encoder's slots are computed here. Those of an endpoint come from elsewhere: here they are
//! 0, which is their mean, and who has the embedding fills them in.

use std::ops::Range;
use std::sync::Arc;

use super::hashed::{self, ENCODER_VERSION};
use super::projection::{MOST_SLOTS, SEED};
use super::schema::version_digest;
use super::text::{Excerpt, prompt_text};
use super::{FeatureExtractor, LengthFeatures};
use crate::domain::chat::ChatRequest;
use crate::domain::context::{Context, FeatureBlock, FeatureSchema};

/// Where an embedding comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// The built-in one.
    Hashed,
    /// An endpoint's, of that model.
    Endpoint {
        /// The model's name: another model means other numbers.
        model: String,
    },
}

/// The `embedding` schema.
#[derive(Clone, Debug)]
pub struct EmbeddingFeatures {
    base: LengthFeatures,
    encoder: Encoder,
    slots: Range<usize>,
    schema: Arc<FeatureSchema>,
}

impl EmbeddingFeatures {
    /// On top of `base`, with `dimensions` slots (1 to 32).
    #[must_use]
    pub fn new(base: LengthFeatures, encoder: Encoder, dimensions: usize) -> Self {
        let dimensions = dimensions.clamp(1, MOST_SLOTS);
        let schema = Arc::clone(base.schema());
        let is_intent = |name: &String| name.starts_with("intent_");
        let start = schema.names.iter().position(is_intent).unwrap_or(schema.names.len());
        let slots = start..start + dimensions;
        let mut features: Vec<(String, FeatureBlock)> =
            schema.names.iter().cloned().zip(schema.blocks.iter().copied()).collect();
        let own = (0..dimensions).map(|i| (format!("embedding_{i}"), FeatureBlock::Embedding));
        features.splice(start..start, own);
        let source = match &encoder {
            Encoder::Hashed => format!("hashed {ENCODER_VERSION}"),
            Encoder::Endpoint { model } => format!("endpoint {model}"),
        };
        let parameters = [("base", schema.version.clone()), ("encoder", source), ("projection", SEED.to_string())];
        let version = version_digest("embedding", &features, &parameters);
        let (names, blocks) = features.into_iter().unzip();
        Self { base, encoder, slots, schema: Arc::new(FeatureSchema { version, names, blocks }) }
    }
}

impl FeatureExtractor for EmbeddingFeatures {
    fn schema(&self) -> &Arc<FeatureSchema> {
        &self.schema
    }

    fn compute(&self, request: &ChatRequest) -> Context {
        let Context { mut x, intent, .. } = self.base.compute(request);
        let own = match self.encoder {
            Encoder::Hashed => hashed::slots(Excerpt::of(&prompt_text(request)).as_str(), self.slots.len()),
            Encoder::Endpoint { .. } => vec![0.0; self.slots.len()],
        };
        x.splice(self.slots.start..self.slots.start, own);
        Context { schema: Arc::clone(&self.schema), x, intent, degraded: None }
    }

    fn kind(&self) -> &'static str {
        "embedding"
    }

    fn slots(&self) -> Option<Range<usize>> {
        matches!(self.encoder, Encoder::Endpoint { .. }).then(|| self.slots.clone())
    }
}
