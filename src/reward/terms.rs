//! From measurements to terms, each in [0, 1] and 1 best:
//!
//! ```text
//! latency          1 − min(1, p95 ÷ (reference + per_length·length_norm))
//! cost             1 − clamp01((ln c − ln floor) ÷ (ln ceiling − ln floor))    c dollars of a preview
//! speed            1 − min(1, ttft ÷ reference)
//! token efficiency 1 − min(1, tokens ÷ target)
//! stability        1 − error rate
//! ```
//!
//! What was not measured falls back to the nearest thing that was (this preview's seconds for the p95,
//! tokens for dollars); a number that is none counts as the worst. Where a value lies outside its scale
//! it is clamped, and that is counted: a clamp that bites often means that a reference is badly set.

use serde::{Deserialize, Serialize};

use crate::domain::command::PreviewTerms;

/// What counts as slow, dear or long. Frozen: changing one changes what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct References {
    /// Seconds of a preview p95 at which the latency term is 0, for a prompt of no length.
    pub latency_s: f64,
    /// What a prompt of full length adds to that, in seconds.
    pub latency_per_length_s: f64,
    /// Seconds to the first token at which the speed term is 0.
    pub ttft_s: f64,
    /// Tokens at which token efficiency is 0.
    pub token_target: f64,
    /// Dollars of a preview at and below which the cost term is 1.
    pub cost_floor_usd: f64,
    /// Dollars of a preview at and above which the cost term is 0.
    pub cost_ceiling_usd: f64,
    /// Scale dollars linearly, not by their logarithm.
    pub linear_cost: bool,
}

impl Default for References {
    fn default() -> Self {
        Self {
            latency_s: 3.0,
            latency_per_length_s: 3.0,
            ttft_s: 2.0,
            token_target: 256.0,
            cost_floor_usd: 1e-6,
            cost_ceiling_usd: 1e-2,
            linear_cost: false,
        }
    }
}

/// What was measured of one arm in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CandidateStats {
    /// Rolling preview p95, in seconds; absent while there is too little history.
    pub p95_s: Option<f64>,
    /// Seconds of this preview.
    pub latency_s: f64,
    /// Seconds to the first token.
    pub ttft_s: Option<f64>,
    /// Tokens of the preview.
    pub tokens: u32,
    /// Dollars of the preview; absent where the price is unknown.
    pub cost_usd: Option<f64>,
    /// Share of recent calls that failed, in [0, 1].
    pub error_rate: f64,
    /// The prompt's size against the threshold, in [0, 1].
    pub length_norm: f64,
}

/// The terms of a preview, and how many of them had to be clamped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradedTerms {
    /// Each in [0, 1].
    pub terms: PreviewTerms,
    /// Terms whose value lay outside its scale.
    pub clamped: u32,
}

impl References {
    /// The terms of what was measured.
    #[must_use]
    pub fn grade(&self, stats: &CandidateStats) -> GradedTerms {
        let mut clamped = 0;
        let length = if stats.length_norm.is_nan() { 0.0 } else { stats.length_norm.clamp(0.0, 1.0) };
        let reference = self.latency_s + self.latency_per_length_s * length;
        let tokens = f64::from(stats.tokens) / self.token_target;
        let latency = spare(stats.p95_s.unwrap_or(stats.latency_s) / reference, &mut clamped);
        let speed = spare(stats.ttft_s.unwrap_or(stats.latency_s) / self.ttft_s, &mut clamped);
        let token_efficiency = spare(tokens, &mut clamped);
        // Without a price the cost is the tokens themselves, already counted where they are clamped.
        let cost = stats.cost_usd.map_or(token_efficiency, |dollars| self.cost(dollars, &mut clamped));
        let stability = spare(stats.error_rate, &mut clamped);
        GradedTerms { terms: PreviewTerms { latency, cost, speed, token_efficiency, stability }, clamped }
    }

    fn cost(&self, dollars: f64, clamped: &mut u32) -> f64 {
        let (floor, ceiling) = (self.cost_floor_usd, self.cost_ceiling_usd);
        if dollars <= 0.0 {
            // Free is on every scale.
            return 1.0;
        }
        let used = if self.linear_cost {
            (dollars - floor) / (ceiling - floor)
        } else {
            (dollars.ln() - floor.ln()) / (ceiling.ln() - floor.ln())
        };
        spare(used, clamped)
    }
}

/// What is left of a scale of which `used` is taken.
fn spare(used: f64, clamped: &mut u32) -> f64 {
    let left = 1.0 - used;
    if (0.0..=1.0).contains(&left) {
        return left;
    }
    *clamped += 1;
    if left > 1.0 { 1.0 } else { 0.0 }
}
