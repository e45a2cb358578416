//! The default features: they need nothing but the prompt's text.
//!
//! | name | value |
//! |---|---|
//! | `bias` | 1 |
//! | `length` | min(1, characters ÷ threshold) |
//! | `words` | min(1, words ÷ 100) |
//! | `choices` | 1 where answers are offered to choose from (`A.`, `(b)`, `Option 2:`), else 0 |
//! | `numbers` | min(1, quantities in digits ÷ 10) |
//! | `intent_reasoning` … `intent_other` | 1 for the recognised intent, else 0 |
//!
//! `choices` and `numbers` are about the form of a prompt: on recorded outcomes they tell more about cost and
//! quality than any other two numbers read from the text, intents included.

use std::sync::Arc;

use super::FeatureExtractor;
use super::form::{choices, numbers};
use super::intent::{CLASSIFIER_VERSION, classify};
use super::schema::version_digest;
use super::text::{Excerpt, count_words, prompt_text};
use crate::domain::chat::ChatRequest;
use crate::domain::context::{Context, FeatureBlock, FeatureSchema, Intent};

/// Words at which `words` is 1.
const WORDS: usize = 100;
/// Quantities at which `numbers` is 1.
const NUMBERS: usize = 10;

/// The `length` schema.
#[derive(Clone, Debug)]
pub struct LengthFeatures {
    threshold: usize,
    schema: Arc<FeatureSchema>,
}

impl LengthFeatures {
    /// With the characters at which `length` is 1; at least 1.
    #[must_use]
    pub fn new(length_threshold_chars: usize) -> Self {
        let threshold = length_threshold_chars.max(1);
        let fixed = [
            ("bias", FeatureBlock::Intercept),
            ("length", FeatureBlock::Length),
            ("words", FeatureBlock::Length),
            ("choices", FeatureBlock::Length),
            ("numbers", FeatureBlock::Length),
        ];
        let intents = Intent::ALL.into_iter().map(|i| (format!("intent_{}", i.name()), FeatureBlock::Intent));
        let features: Vec<(String, FeatureBlock)> =
            fixed.into_iter().map(|(name, block)| (name.to_owned(), block)).chain(intents).collect();
        let parameters = [
            ("length_threshold_chars", threshold.to_string()),
            ("words", WORDS.to_string()),
            ("numbers", NUMBERS.to_string()),
            ("intent_classifier", CLASSIFIER_VERSION.to_string()),
        ];
        let version = version_digest("length", &features, &parameters);
        let (names, blocks) = features.into_iter().unzip();
        Self { threshold, schema: Arc::new(FeatureSchema { version, names, blocks }) }
    }
}

impl FeatureExtractor for LengthFeatures {
    fn schema(&self) -> &Arc<FeatureSchema> {
        &self.schema
    }

    fn compute(&self, request: &ChatRequest) -> Context {
        let text = prompt_text(request);
        let excerpt = Excerpt::of(&text);
        let intent = classify(excerpt.as_str());
        let characters = text.chars().take(self.threshold).count();
        let mut x = Vec::with_capacity(self.schema.len());
        x.push(1.0);
        x.push(characters as f64 / self.threshold as f64);
        x.push(count_words(&text, WORDS) as f64 / WORDS as f64);
        x.push(f64::from(choices(excerpt.as_str()) > 0));
        x.push(numbers(excerpt.as_str(), NUMBERS) as f64 / NUMBERS as f64);
        x.extend(Intent::ALL.into_iter().map(|other| f64::from(other == intent)));
        Context { schema: Arc::clone(&self.schema), x, intent, degraded: None }
    }

    fn kind(&self) -> &'static str {
        "length"
    }
}
