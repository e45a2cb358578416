//! What is believed of an arm before it was ever asked here: sufficient statistics worth a stated number of
//! observations, under one feature schema.
//!
//! ```text
//! n = Σ w      D = Σ w x xᵀ      by response: B = Σ w x t      M = Σ w t²
//! ```
//!
//! They come from recorded outcomes (`banditop priors fit`), from a colleague's file, or from what the
//! configuration expects of an arm. A router adds them to its own prior, not to its data: forgetting takes
//! data back to them and no further.

use serde::{Deserialize, Serialize};

use super::ids::ArmId;

/// What is believed of one arm. Without data (`n` = 0) it takes an earlier belief back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmPrior {
    /// Which.
    pub arm: ArmId,
    /// Observations that it is worth, at least 0.
    pub n: f64,
    /// D, the lower triangle by rows: d(d+1)/2 values; empty where `n` is 0.
    #[serde(default)]
    pub data: Vec<f64>,
    /// Of the quality in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<ResponsePrior>,
    /// Of the latency term in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<ResponsePrior>,
    /// Of the cost term in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<ResponsePrior>,
    /// Of the dollars of a full answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dollars: Option<ResponsePrior>,
}

/// Sums of one response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponsePrior {
    /// B: d values.
    pub sums: Vec<f64>,
    /// M.
    pub squares: f64,
}

impl ArmPrior {
    /// Nothing is believed of `arm`.
    #[must_use]
    pub const fn none(arm: ArmId) -> Self {
        Self { arm, n: 0.0, data: Vec::new(), quality: None, latency: None, cost: None, dollars: None }
    }

    /// The belief of `n` observations of a prompt without features, in a schema of `d` dimensions of which the
    /// first is the intercept: it speaks about the arm's level alone. A `None` is not believed anything of.
    #[must_use]
    pub fn of_level(arm: ArmId, d: usize, n: f64) -> Self {
        let mut data = vec![0.0; d * (d + 1) / 2];
        if let Some(intercept) = data.first_mut() {
            *intercept = n;
        }
        Self { n, data, ..Self::none(arm) }
    }

    /// The responses that are there, by name.
    pub fn responses(&self) -> impl Iterator<Item = (&'static str, &ResponsePrior)> {
        let all =
            [("quality", &self.quality), ("latency", &self.latency), ("cost", &self.cost), ("dollars", &self.dollars)];
        all.into_iter().filter_map(|(name, response)| Some((name, response.as_ref()?)))
    }
}

impl ResponsePrior {
    /// A response of `mean` that scatters by `variance`, seen `n` times without features.
    #[must_use]
    pub fn of_level(d: usize, n: f64, mean: f64, variance: f64) -> Self {
        let mut sums = vec![0.0; d];
        if let Some(intercept) = sums.first_mut() {
            *intercept = n * mean;
        }
        Self { sums, squares: n * (mean * mean + variance) }
    }
}
