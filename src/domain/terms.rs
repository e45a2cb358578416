//! Reward terms, their weights, and the response columns that the router learns. A term is one
//! component of the reward in [0, 1], 1 is best. The router keeps one response column per term and
//! applies the weights when it scores, so a change of weights re-reads all history at once.

use serde::{Deserialize, Serialize};

/// A component of the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The judge's overall score, or a person's rating.
    Quality,
    /// Rolling preview p95 against the reference.
    Latency,
    /// Dollars against floor and ceiling.
    Cost,
    /// Time to first token against the reference.
    Speed,
    /// Tokens against the target.
    TokenEfficiency,
    /// One minus the recent error rate.
    Stability,
}

impl Term {
    /// All terms, in the order of [`Weights`] and of the response columns.
    pub const ALL: [Self; 6] =
        [Self::Quality, Self::Latency, Self::Cost, Self::Speed, Self::TokenEfficiency, Self::Stability];

    /// The name in files, JSON, metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::Speed => "speed",
            Self::TokenEfficiency => "token_efficiency",
            Self::Stability => "stability",
        }
    }

    /// The term of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|term| term.name() == name)
    }

    /// The position in [`Weights`] and in arrays by term.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Non-negative weights of the terms, summing to 1, and the fallback penalty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "WeightsFile", try_from = "WeightsFile")]
pub struct Weights {
    by_term: [f64; 6],
    fallback_penalty: f64,
}

/// Why weights are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeightsFault {
    /// Negative, infinite or not a number.
    #[error("weight `{term}` is {found}: expected a finite number of at least 0")]
    OutOfRange {
        /// The term's name, or `fallback_penalty`.
        term: &'static str,
        /// What was given.
        found: f64,
    },
    /// Nothing to reward.
    #[error("all weights are 0: expected at least one above 0")]
    AllZero,
    /// No such term.
    #[error(
        "unknown reward term `{found}`: expected one of quality, latency, cost, speed, token_efficiency, stability, fallback_penalty"
    )]
    UnknownTerm {
        /// What was given.
        found: String,
    },
}

impl Weights {
    /// Weights by term in the order of [`Term::ALL`], normalised to sum 1; the penalty is not normalised.
    ///
    /// # Errors
    /// Every fault found, where a weight is negative or not finite, or all are 0.
    pub fn new(by_term: [f64; 6], fallback_penalty: f64) -> Result<Self, Vec<WeightsFault>> {
        let named = Term::ALL.iter().map(|t| (t.name(), by_term[t.index()]));
        let all = named.chain([("fallback_penalty", fallback_penalty)]);
        let mut faults: Vec<WeightsFault> = all
            .filter(|(_, value)| !value.is_finite() || *value < 0.0)
            .map(|(term, found)| WeightsFault::OutOfRange { term, found })
            .collect();
        // Scaled by the largest first, so that huge weights do not overflow their sum.
        let largest = by_term.iter().copied().fold(0.0, f64::max);
        if faults.is_empty() && largest == 0.0 {
            faults.push(WeightsFault::AllZero);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Weights that sum to 1 stay as they were written: 0.1 must not become 0.10000000000000002.
        if (by_term.iter().sum::<f64>() - 1.0).abs() < 1e-12 {
            return Ok(Self { by_term, fallback_penalty });
        }
        let sum: f64 = by_term.iter().map(|w| w / largest).sum();
        Ok(Self { by_term: by_term.map(|w| w / largest / sum), fallback_penalty })
    }

    /// The weight of `term`, in [0, 1].
    #[must_use]
    pub const fn get(&self, term: Term) -> f64 {
        self.by_term[term.index()]
    }

    /// All weights in the order of [`Term::ALL`].
    #[must_use]
    pub const fn by_term(&self) -> [f64; 6] {
        self.by_term
    }

    /// What one fallback takes off the reward.
    #[must_use]
    pub const fn fallback_penalty(&self) -> f64 {
        self.fallback_penalty
    }

    /// These weights with some replaced by name (`quality`, …, `fallback_penalty`), normalised again.
    ///
    /// # Errors
    /// As [`Weights::new`], and for a name that is no term.
    pub fn with(&self, changes: &[(String, f64)]) -> Result<Self, Vec<WeightsFault>> {
        let mut by_term = self.by_term;
        let mut penalty = self.fallback_penalty;
        let mut faults = Vec::new();
        for (name, value) in changes {
            match Term::from_name(name) {
                Some(term) => by_term[term.index()] = *value,
                None if name == "fallback_penalty" => penalty = *value,
                None => faults.push(WeightsFault::UnknownTerm { found: name.clone() }),
            }
        }
        match Self::new(by_term, penalty) {
            Ok(weights) if faults.is_empty() => Ok(weights),
            Ok(_) => Err(faults),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { by_term: [0.7, 0.2, 0.1, 0.0, 0.0, 0.0], fallback_penalty: 0.05 }
    }
}

/// Weights by name, as files and JSON hold them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightsFile {
    quality: f64,
    latency: f64,
    cost: f64,
    #[serde(default)]
    speed: f64,
    #[serde(default)]
    token_efficiency: f64,
    #[serde(default)]
    stability: f64,
    #[serde(default)]
    fallback_penalty: f64,
}

impl From<Weights> for WeightsFile {
    fn from(weights: Weights) -> Self {
        let [quality, latency, cost, speed, token_efficiency, stability] = weights.by_term;
        let fallback_penalty = weights.fallback_penalty;
        Self { quality, latency, cost, speed, token_efficiency, stability, fallback_penalty }
    }
}

impl TryFrom<WeightsFile> for Weights {
    type Error = WeightsFault;

    /// Weights that already sum to 1 are kept to the bit, so that a stored command reads back unchanged.
    fn try_from(file: WeightsFile) -> Result<Self, WeightsFault> {
        let by_term = [file.quality, file.latency, file.cost, file.speed, file.token_efficiency, file.stability];
        Self::new(by_term, file.fallback_penalty).map_err(|mut faults| faults.remove(0))
    }
}

/// One number of one term of one arm in one run, with what it gave to the reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermValue {
    /// In [0, 1], 1 is best.
    pub value: f64,
    /// Its weight, in [0, 1].
    pub weight: f64,
    /// `value × weight`.
    pub contribution: f64,
}

/// A column of responses that the router learns for an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// [`Term::Quality`], in the group *judged*.
    Quality,
    /// [`Term::Latency`], in the group *preview*.
    Latency,
    /// [`Term::Cost`], in the group *preview*.
    Cost,
    /// [`Term::Speed`], in the group *preview*.
    Speed,
    /// [`Term::TokenEfficiency`], in the group *preview*.
    TokenEfficiency,
    /// [`Term::Stability`], in the group *preview*.
    Stability,
    /// Dollars of a full answer, in the group *answer*; no part of the reward.
    Dollars,
    /// 1 where the arm's content failed and another had to answer, in the group *answer*.
    Fallback,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_normalised_and_named() {
        let weights = Weights::new([7.0, 2.0, 1.0, 0.0, 0.0, 0.0], 0.05).unwrap();
        assert!((weights.get(Term::Quality) - 0.7).abs() < 1e-12);
        let written = [0.7, 0.2, 0.1, 0.0, 0.0, 0.0];
        assert_eq!(Weights::new(written, 0.0).map(|w| w.by_term()), Ok(written));
        let changed = weights.with(&[("cost".to_owned(), 0.0), ("latency".to_owned(), 0.7)]).unwrap();
        assert!((changed.get(Term::Latency) - 0.5).abs() < 1e-12);
        let json = serde_json::to_string(&changed).unwrap();
        assert_eq!(serde_json::from_str::<Weights>(&json).unwrap(), changed);
    }

    #[test]
    fn every_fault_is_reported() {
        let faults = Weights::new([-1.0, f64::NAN, 0.0, 0.0, 0.0, 0.0], f64::INFINITY).unwrap_err();
        assert_eq!(faults.len(), 3);
        assert_eq!(Weights::new([0.0; 6], 0.0), Err(vec![WeightsFault::AllZero]));
        let huge = Weights::new([f64::MAX, f64::MAX, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap();
        assert!((huge.get(Term::Quality) - 0.5).abs() < 1e-12);
        let unknown = Weights::default().with(&[("speeed".to_owned(), 1.0)]).unwrap_err();
        assert!(matches!(unknown[0], WeightsFault::UnknownTerm { .. }));
    }
}
