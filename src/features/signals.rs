//! Signals about the arms themselves, as the last dimensions of a context: they differ from arm to arm, so
//! the extractor names them and leaves them at 0, and who chooses among arms gives each its own.
//!
//! | name | value |
//! |---|---|
//! | … | as in the schema below it |
//! | `signal_latency` | min(1, rolling preview p95 ÷ (3 s + 3 s × `length`)) |
//! | `signal_errors` | share of recent calls that failed |
//! | `signal_hallucination` | rolling mean of the judge's hallucination risk |
//!
//! An arm of which nothing is known has 0 everywhere.

use std::ops::Range;
use std::sync::Arc;

use super::FeatureExtractor;
use super::schema::version_digest;
use crate::domain::chat::ChatRequest;
use crate::domain::context::{Context, FeatureBlock, FeatureSchema};

/// The signals, in their order.
const NAMES: [&str; 3] = ["signal_latency", "signal_errors", "signal_hallucination"];
/// Seconds of preview p95 at which the latency signal of an empty prompt is 1, and what a prompt of full
/// length adds.
const REFERENCE_S: f64 = 3.0;

/// The signals of one arm for a prompt of size `length_norm`, in [0, 1] each.
#[must_use]
pub fn signal_values(p95_s: Option<f64>, error_rate: Option<f64>, risk: Option<f64>, length_norm: f64) -> [f64; 3] {
    let latency = p95_s.map_or(0.0, |p95| p95 / length_norm.clamp(0.0, 1.0).mul_add(REFERENCE_S, REFERENCE_S));
    let sound = |value: f64| if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    [latency, error_rate.unwrap_or(0.0), risk.unwrap_or(0.0)].map(sound)
}

/// Another schema with the signals behind it.
#[derive(Clone)]
pub struct WithSignals {
    inner: Arc<dyn FeatureExtractor>,
    schema: Arc<FeatureSchema>,
}

impl WithSignals {
    /// On top of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn FeatureExtractor>) -> Self {
        let below = Arc::clone(inner.schema());
        let own = NAMES.map(|name| (name.to_owned(), FeatureBlock::Signal));
        let features: Vec<(String, FeatureBlock)> =
            below.names.iter().cloned().zip(below.blocks.iter().copied()).chain(own).collect();
        let parameters = [("below", below.version.clone()), ("reference_s", REFERENCE_S.to_string())];
        let version = version_digest(inner.kind(), &features, &parameters);
        let (names, blocks) = features.into_iter().unzip();
        Self { inner, schema: Arc::new(FeatureSchema { version, names, blocks }) }
    }
}

impl FeatureExtractor for WithSignals {
    fn schema(&self) -> &Arc<FeatureSchema> {
        &self.schema
    }

    fn compute(&self, request: &ChatRequest) -> Context {
        let mut context = self.inner.compute(request);
        context.x.resize(self.schema.len(), 0.0);
        Context { schema: Arc::clone(&self.schema), ..context }
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn slots(&self) -> Option<Range<usize>> {
        self.inner.slots()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_shares_whatever_is_known() {
        assert_eq!(signal_values(None, None, None, 0.5).to_vec(), [0.0; 3]);
        assert_eq!(signal_values(Some(3.0), Some(0.25), Some(0.1), 1.0).to_vec(), [0.5, 0.25, 0.1]);
        assert_eq!(signal_values(Some(f64::NAN), Some(7.0), Some(-1.0), f64::INFINITY).to_vec(), [0.0, 1.0, 0.0]);
    }
}
