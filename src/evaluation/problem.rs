//! Recorded outcomes as a policy meets them: contexts, terms, rewards and dollars in flat arrays, by row
//! and arm. The reward is the weighted sum of the terms that the records can give:
//!
//! ```text
//! reward = ω_quality·quality + ω_latency·latency + ω_cost·cost        (the reward room's scales)
//! ```
//!
//! A weight on something that was not recorded is refused: a term that is the same for every arm would
//! look like a measurement. Built once, then replayed as often as one likes.

use std::sync::Arc;

use super::chances::{Chances, Lost};
pub use super::contexts::ContextSource;
use super::contexts::{computed, recorded};
use super::records::{Records, Row};
use super::statistics::quantile;
use crate::domain::command::PreviewTerms;
use crate::domain::context::FeatureSchema;
use crate::domain::ids::ArmId;
use crate::domain::terms::{Term, Weights};
use crate::reward::{CandidateStats, References};

/// What counts as reward.
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    /// How the terms are weighted.
    pub weights: Weights,
    /// What counts as slow or dear.
    pub references: References,
}

impl Counting {
    /// Quality alone.
    #[must_use]
    pub fn quality_alone() -> Self {
        let weights = Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap_or_default();
        Self { weights, references: References::default() }
    }

    /// These weights; dollars on a logarithmic scale between the 1 % and 99 % quantiles of what the records
    /// cost, so that the term tells the arms of this very file apart.
    #[must_use]
    pub fn scaled_to(records: &Records, weights: Weights) -> Self {
        let dollars = records.rows().iter().flat_map(|row| row.cost_usd.iter().flatten().copied());
        let mut dollars: Vec<f64> = dollars.filter(|dollars| *dollars > 0.0).collect();
        dollars.sort_by(f64::total_cmp);
        let mut references = References::default();
        if let (Some(floor), Some(ceiling)) = (quantile(&dollars, 0.01), quantile(&dollars, 0.99)) {
            references.cost_floor_usd = floor;
            references.cost_ceiling_usd = ceiling.max(floor * (1.0 + 1e-9));
        }
        Self { weights, references }
    }
}

/// Why records cannot be replayed that way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemFault {
    /// No `x` in the file.
    #[error("the records hold no `x`: leave `--x` out to make contexts of the prompts")]
    NoRecordedContext,
    /// A prompt is missing.
    #[error("row {id:?} holds no prompt to make a context of: use `--x` to take the recorded one")]
    NoPrompt {
        /// The row.
        id: String,
    },
    /// A weight on what is not there.
    #[error("the weight of {term} is above 0, but {missing}: give it weight 0")]
    NotRecorded {
        /// The term.
        term: &'static str,
        /// What is missing, and where.
        missing: String,
    },
    /// Two files that must agree do not.
    #[error("the contexts of the two files differ: {found} dimensions against {expected}")]
    OtherDimensions {
        /// Of the second file.
        found: usize,
        /// Of the first.
        expected: usize,
    },
}

/// One arm on one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) quality: f64,
    pub(super) terms: Option<PreviewTerms>,
    pub(super) reward: f64,
    pub(super) dollars: Option<f64>,
}

/// Records made ready for replay.
#[derive(Clone, Debug)]
pub struct Problem {
    arms: Vec<ArmId>,
    schema: Arc<FeatureSchema>,
    counting: Counting,
    contexts: Vec<f64>,
    outcomes: Vec<Option<Outcome>>,
    /// Positions of the arms that a row has, by row.
    open: Vec<Box<[usize]>>,
    /// Of records that are a log of runs: the probability with which each arm was seen, by row.
    chances: Chances,
    ids: Vec<String>,
    /// After how many rows they come again, where they do.
    repeats: Option<usize>,
}

impl Problem {
    /// The records under these contexts and rewards.
    ///
    /// # Errors
    /// [`ProblemFault`] where the records lack what was asked for.
    pub fn new(records: &Records, source: ContextSource<'_>, counting: Counting) -> Result<Self, ProblemFault> {
        Self::with_arms(records, records.arms(), source, counting)
    }

    /// As [`Problem::new`] for records that are learnt from before `self` is replayed: the same contexts,
    /// rewards and arms; arms that `self` does not have are left out.
    ///
    /// # Errors
    /// As [`Problem::new`], and where the recorded contexts have another length.
    pub fn warm_up(&self, records: &Records, source: ContextSource<'_>) -> Result<Self, ProblemFault> {
        let warm = Self::with_arms(records, &self.arms, source, self.counting)?;
        if warm.dimensions() == self.dimensions() {
            Ok(warm)
        } else {
            Err(ProblemFault::OtherDimensions { found: warm.dimensions(), expected: self.dimensions() })
        }
    }

    fn with_arms(
        records: &Records,
        arms: &[ArmId],
        source: ContextSource<'_>,
        counting: Counting,
    ) -> Result<Self, ProblemFault> {
        check_weights(records, &counting.weights)?;
        let (schema, contexts) = match source {
            ContextSource::Features(extractor) => computed(records, extractor)?,
            ContextSource::Recorded => recorded(records)?,
        };
        let places: Vec<Option<usize>> =
            arms.iter().map(|arm| records.arms().iter().position(|known| known == arm)).collect();
        let mut outcomes = Vec::with_capacity(records.rows().len() * arms.len());
        let mut open = Vec::with_capacity(records.rows().len());
        for row in records.rows() {
            let first = outcomes.len();
            outcomes.extend(places.iter().map(|place| outcome(row, (*place)?, &counting)));
            open.push((0..arms.len()).filter(|at| outcomes[first + at].is_some()).collect());
        }
        let chances = Chances::of(records, &places);
        let ids = records.rows().iter().map(|row| row.id.clone()).collect();
        Ok(Self { arms: arms.to_vec(), schema, counting, contexts, outcomes, open, chances, ids, repeats: None })
    }

    /// The same, where the prompts come again after `every` of them: both rows are one prompt for statistics.
    #[must_use]
    pub fn repeating(self, every: usize) -> Self {
        Self { repeats: Some(every.max(1)), ..self }
    }

    /// The first row with the prompt of `row`.
    #[must_use]
    pub fn first_alike(&self, row: usize) -> usize {
        self.repeats.map_or(row, |every| row % every)
    }

    /// Whether the records are a log of runs: only some arms were seen on a row, each with a known probability.
    #[must_use]
    pub fn is_log(&self) -> bool {
        !self.chances.is_empty()
    }

    /// In a log: by arm the probability with which it was seen on that row; `None` where it was no candidate.
    pub(super) fn propensities(&self, row: usize) -> &[Option<f64>] {
        self.chances.row(row)
    }

    /// In a log: how often each arm was selected, and lost.
    pub(super) const fn chances(&self) -> &Chances {
        &self.chances
    }

    /// In a log: arms that were selected where nothing came of it that could be judged.
    #[must_use]
    pub fn lost(&self) -> Vec<Lost> {
        let by_arm = self.arms.iter().zip(self.chances.selections()).filter(|(_, each)| each.lost > 0);
        by_arm.map(|(arm, each)| Lost { arm: arm.clone(), selected: each.selected, lost: each.lost }).collect()
    }

    /// In a log: rows that are left out, as their propensities sum to no number of arms and so are not those of a choice.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.chances.uneven().len()
    }

    /// What the record calls a row.
    pub(super) fn id(&self, row: usize) -> &str {
        self.ids.get(row).map_or("", String::as_str)
    }

    /// The arms.
    #[must_use]
    pub fn arms(&self) -> &[ArmId] {
        &self.arms
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.open.len()
    }

    /// Values in a context.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.schema.len()
    }

    /// What the contexts mean.
    #[must_use]
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// What counts as reward.
    #[must_use]
    pub const fn counting(&self) -> &Counting {
        &self.counting
    }

    /// The context of a row.
    pub(super) fn context(&self, row: usize) -> &[f64] {
        let d = self.schema.len();
        &self.contexts[row * d..(row + 1) * d]
    }

    /// The arms that a row has.
    pub(super) fn open(&self, row: usize) -> &[usize] {
        &self.open[row]
    }

    /// What an arm was worth on a row that has it.
    pub(super) fn outcome(&self, row: usize, arm: usize) -> Option<&Outcome> {
        self.outcomes[row * self.arms.len() + arm].as_ref()
    }

    /// All outcomes of a row, by arm.
    pub(super) fn outcomes(&self, row: usize) -> &[Option<Outcome>] {
        &self.outcomes[row * self.arms.len()..(row + 1) * self.arms.len()]
    }

    /// Whether dollars are known for every outcome.
    #[must_use]
    pub fn has_dollars(&self) -> bool {
        self.outcomes.iter().flatten().all(|outcome| outcome.dollars.is_some())
    }
}

fn check_weights(records: &Records, weights: &Weights) -> Result<(), ProblemFault> {
    let lacks = |name: &str, values: fn(&Row) -> &[Option<f64>]| {
        let (row, arm) = records.first_without(values)?;
        Some(format!("the records lack `{name}` of {arm} on row {row:?}"))
    };
    for term in Term::ALL {
        let missing = match term {
            Term::Quality => None,
            Term::Cost => lacks("cost_usd", |row| &row.cost_usd),
            Term::Latency => lacks("latency_s", |row| &row.latency_s),
            Term::Speed | Term::TokenEfficiency | Term::Stability => {
                Some("recorded outcomes do not hold it".to_owned())
            }
        };
        if let Some(missing) = missing.filter(|_| weights.get(term) > 0.0) {
            return Err(ProblemFault::NotRecorded { term: term.name(), missing });
        }
    }
    Ok(())
}

fn outcome(row: &Row, arm: usize, counting: &Counting) -> Option<Outcome> {
    let quality = row.judged(arm)?;
    let dollars = row.cost_usd.get(arm).copied().flatten();
    let latency = row.latency_s.get(arm).copied().flatten();
    Some(graded(quality, dollars, latency, counting))
}

/// Terms carry no more than what has weight, so that quality alone stays quality alone.
pub(super) fn graded(quality: f64, dollars: Option<f64>, latency: Option<f64>, counting: &Counting) -> Outcome {
    let terms = (counting.weights.get(Term::Quality) < 1.0).then(|| {
        let stats = CandidateStats {
            cost_usd: dollars,
            latency_s: latency.unwrap_or(0.0),
            p95_s: latency,
            ..CandidateStats::default()
        };
        counting.references.grade(&stats).terms
    });
    Outcome { quality, terms, reward: reward(quality, terms.as_ref(), &counting.weights), dollars }
}

/// The cost term of these dollars.
pub(super) fn cost_term(dollars: f64, counting: &Counting) -> f64 {
    let stats = CandidateStats { cost_usd: Some(dollars), ..CandidateStats::default() };
    counting.references.grade(&stats).terms.cost
}

/// The reward of a quality with its terms.
pub(super) fn reward(quality: f64, terms: Option<&PreviewTerms>, weights: &Weights) -> f64 {
    let rest =
        terms.map_or(0.0, |terms| weights.get(Term::Latency) * terms.latency + weights.get(Term::Cost) * terms.cost);
    (weights.get(Term::Quality) * quality + rest).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::context::FeatureBlock;
    use crate::features::LengthFeatures;

    const TEXT: &str = r#"{"id":"1","prompt":"hello","quality":{"a":1,"b":0.5},"cost_usd":{"a":0.01,"b":0.0001},"x":[3,1]}
{"id":"2","prompt":"write code","quality":{"b":0.25},"cost_usd":{"b":0.001},"x":[4,1]}"#;

    fn records() -> Records {
        Records::parse(TEXT.as_bytes()).unwrap()
    }

    #[test]
    fn the_constant_column_is_the_intercept() {
        let problem = Problem::new(&records(), ContextSource::Recorded, Counting::quality_alone()).unwrap();
        assert_eq!((problem.rows(), problem.dimensions()), (2, 2));
        assert_eq!(problem.context(1), [1.0, 4.0]);
        assert_eq!(problem.schema().blocks, [FeatureBlock::Intercept, FeatureBlock::Embedding]);
        assert_eq!((problem.open(0), problem.open(1)), ([0, 1].as_slice(), [1].as_slice()));
        assert_eq!(problem.outcome(1, 0), None);
        assert_eq!(problem.outcome(0, 1).map(|o| (o.reward, o.terms)), Some((0.5, None)));
    }

    #[test]
    fn dollars_are_scaled_to_the_file() {
        let weights = Weights::new([0.5, 0.0, 0.5, 0.0, 0.0, 0.0], 0.0).unwrap();
        let counting = Counting::scaled_to(&records(), weights);
        let features = LengthFeatures::new(4_000);
        let problem = Problem::new(&records(), ContextSource::Features(&features), counting).unwrap();
        let reward = |row, arm| problem.outcome(row, arm).unwrap().reward;
        assert!((reward(0, 0) - 0.5).abs() < 0.01, "good and dear: {}", reward(0, 0));
        assert!((reward(0, 1) - 0.75).abs() < 0.01, "half as good and cheap: {}", reward(0, 1));
        assert!(problem.has_dollars());
    }

    #[test]
    fn what_was_not_recorded_cannot_count() {
        let latency = Counting { weights: Weights::default(), ..Counting::quality_alone() };
        let fault = Problem::new(&records(), ContextSource::Recorded, latency).unwrap_err();
        let missing = "the records lack `latency_s` of a on row \"1\"".to_owned();
        assert_eq!(fault, ProblemFault::NotRecorded { term: "latency", missing });
        let bare = Records::parse(br#"{"prompt":"p","quality":{"a":1,"b":0}}"#).unwrap();
        let fault = Problem::new(&bare, ContextSource::Recorded, Counting::quality_alone()).unwrap_err();
        assert_eq!(fault, ProblemFault::NoRecordedContext);
    }

    #[test]
    fn what_is_learnt_beforehand_follows_the_arms_of_the_replayed_file() {
        let problem = Problem::new(&records(), ContextSource::Recorded, Counting::quality_alone()).unwrap();
        let other = Records::parse(br#"{"prompt":"p","quality":{"c":1,"b":0.1},"x":[9,1]}"#).unwrap();
        let warm = problem.warm_up(&other, ContextSource::Recorded).unwrap();
        assert_eq!((warm.arms(), warm.open(0)), (problem.arms(), [1].as_slice()));
        let longer = Records::parse(br#"{"prompt":"p","quality":{"c":1,"b":0.1},"x":[9,1,2]}"#).unwrap();
        let fault = problem.warm_up(&longer, ContextSource::Recorded).unwrap_err();
        assert_eq!(fault, ProblemFault::OtherDimensions { found: 3, expected: 2 });
    }
}
