//! Composing terms into the reward of a run. The router learns the terms themselves, one column each;
//! the composed number is what people see and what history is drawn from.

use std::collections::BTreeMap;

use super::terms::{CandidateStats, GradedTerms, References};
use crate::domain::command::PreviewTerms;
use crate::domain::record::RewardRecord;
use crate::domain::terms::{Term, TermValue, Weights};

/// How what was observed of an arm becomes its reward.
///
/// Every implementation gives terms and totals in [0, 1] for any input, numbers that are none included;
/// a total that never falls when a term rises or a fallback is taken away; contributions that sum to the
/// total plus the penalty but for the clamp; and the same answer for the same input.
pub trait RewardPolicy: Send + Sync {
    /// The terms of one preview, and how often the clamp bit.
    fn preview_terms(&self, stats: &CandidateStats) -> GradedTerms;

    /// The reward over the terms that were observed: their weights are taken as shares of what was
    /// observed. 0 where nothing with a weight was.
    fn compose(
        &self,
        quality: Option<f64>,
        preview: Option<&PreviewTerms>,
        fallbacks: u32,
        weights: &Weights,
    ) -> RewardRecord;
}

/// The default: quality, latency and cost, with speed, token efficiency and stability where they are
/// given a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QualityLatencyCostPolicy {
    references: References,
}

impl QualityLatencyCostPolicy {
    /// With these references.
    #[must_use]
    pub const fn new(references: References) -> Self {
        Self { references }
    }

    /// The references.
    #[must_use]
    pub const fn references(&self) -> &References {
        &self.references
    }
}

impl RewardPolicy for QualityLatencyCostPolicy {
    fn preview_terms(&self, stats: &CandidateStats) -> GradedTerms {
        self.references.grade(stats)
    }

    fn compose(
        &self,
        quality: Option<f64>,
        preview: Option<&PreviewTerms>,
        fallbacks: u32,
        weights: &Weights,
    ) -> RewardRecord {
        let unit = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let value = |term: Term| match (term, preview) {
            (Term::Quality, _) => quality.map(unit),
            (_, None) => None,
            (Term::Latency, Some(p)) => Some(unit(p.latency)),
            (Term::Cost, Some(p)) => Some(unit(p.cost)),
            (Term::Speed, Some(p)) => Some(unit(p.speed)),
            (Term::TokenEfficiency, Some(p)) => Some(unit(p.token_efficiency)),
            (Term::Stability, Some(p)) => Some(unit(p.stability)),
        };
        let observed: Vec<(Term, f64)> = Term::ALL.into_iter().filter_map(|t| Some((t, value(t)?))).collect();
        let whole: f64 = observed.iter().map(|(term, _)| weights.get(*term)).sum();
        let terms: BTreeMap<String, TermValue> = observed
            .iter()
            .map(|(term, value)| {
                let weight = if whole > 0.0 { weights.get(*term) / whole } else { 0.0 };
                (term.name().to_owned(), TermValue { value: *value, weight, contribution: value * weight })
            })
            .collect();
        let penalty = weights.fallback_penalty() * f64::from(fallbacks);
        // From 0: the sum of nothing is −0 otherwise.
        let sum = terms.values().fold(0.0, |sum: f64, term| sum + term.contribution);
        RewardRecord { total: (sum - penalty).clamp(0.0, 1.0), terms, penalty }
    }
}

/// Whether the total had to be clamped: its contributions less the penalty lie outside [0, 1].
#[must_use]
pub fn clamp_bites(record: &RewardRecord) -> bool {
    let sum: f64 = record.terms.values().map(|term| term.contribution).sum();
    !(-1e-12..=1.0 + 1e-12).contains(&(sum - record.penalty))
}
