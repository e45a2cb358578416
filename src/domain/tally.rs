//! Counts since the state began, by the few things that a metric may be labelled with: strategy, outcome,
//! arm, phase, class, intent. The engine folds them over the same run records as its windows, every picture
//! carries them, and whoever exports metrics reads them off a picture: nothing is counted twice. They only
//! grow, but for what a person's rating takes back. Plain data; the fold is the engine's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::Intent;
use super::failure::FailureClass;
use super::flag::Flag;
use super::ids::ArmId;
use super::ratio::Ratio;
use super::record::GateDecision;
use super::spec::Strategy;
use super::terms::Term;

/// Upper bounds of buckets for seconds of a call or a run: from a hundredth to a minute and a half, each the
/// double of the one before (the bounds of the `GenAI` conventions).
pub const SECONDS: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Upper bounds of buckets for seconds of a write.
pub const WRITES: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// Upper bounds of buckets for a number in [0, 1].
pub const UNIT: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// A distribution over the buckets of `bounds`, which the field says; the last bucket is what is above them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Values by bucket, not cumulated; empty where there was none.
    #[serde(default)]
    pub counts: Vec<u64>,
    /// The sum of all values.
    #[serde(default)]
    pub sum: f64,
}

impl Histogram {
    /// Takes in `value`; what is no finite number is left out.
    pub fn add(&mut self, value: f64, bounds: &[f64]) {
        if !value.is_finite() {
            return;
        }
        if self.counts.len() <= bounds.len() {
            self.counts.resize(bounds.len() + 1, 0);
        }
        let bucket = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
            self.sum += value;
        }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The beginning of an answer, to be judged.
    Preview,
    /// The verdict.
    Judge,
    /// A full answer.
    Answer,
}

impl Phase {
    /// Every phase, in the order of a run.
    pub const ALL: [Self; 3] = [Self::Preview, Self::Judge, Self::Answer];

    /// The name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Judge => "judge",
            Self::Answer => "answer",
        }
    }
}

/// How a run ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer was served.
    Served,
    /// No arm could answer.
    Failed,
    /// A person or the caller stopped it.
    Cancelled,
}

impl Outcome {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Calls of one phase: how many, what went wrong, what they took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// Calls made.
    #[serde(default)]
    pub made: u64,
    /// Those that failed, by class; a cancelled one is none.
    #[serde(default)]
    pub failed: BTreeMap<FailureClass, u64>,
    /// Tokens of prompts.
    #[serde(default)]
    pub tokens_in: u64,
    /// Tokens of what came back.
    #[serde(default)]
    pub tokens_out: u64,
    /// Billionths of a dollar; what has no known price counts as 0.
    #[serde(default)]
    pub cost_nano: u64,
    /// Seconds of those that did not fail.
    #[serde(default)]
    pub seconds: Histogram,
    /// Seconds to the first token.
    #[serde(default)]
    pub first_token: Histogram,
}

impl Calls {
    /// Dollars.
    #[must_use]
    pub fn usd(&self) -> f64 {
        self.cost_nano as f64 / 1e9
    }
}

/// Where an arm came in, of the judged races that it took part in; where the local judge stood in for one
/// that failed, there was none. Arms with the same verdict share the better place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Judged races that it took part in.
    #[serde(default)]
    pub races: u64,
    /// Those in which it came first, second, third.
    #[serde(default)]
    pub first_three: [u64; 3],
    /// Those in which it was among the best: within the tie margin of the best verdict.
    #[serde(default)]
    pub among_best: u64,
}

impl Places {
    /// Takes in that it came in at `place`, from 0.
    pub fn add(&mut self, place: usize, is_among_best: bool) {
        self.races += 1;
        if let Some(count) = self.first_three.get_mut(place) {
            *count += 1;
        }
        self.among_best += u64::from(is_among_best);
    }

    /// The share of races in which it was among the best.
    #[must_use]
    pub fn best_share(&self) -> Option<Ratio> {
        Ratio::of(self.among_best, self.races)
    }
}

/// What concerns one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmTally {
    /// Times it was selected for a run.
    #[serde(default)]
    pub selected: u64,
    /// Answers of it that were served.
    #[serde(default)]
    pub served: u64,
    /// Previews of it.
    #[serde(default)]
    pub preview: Calls,
    /// Full answers of it.
    #[serde(default)]
    pub answer: Calls,
    /// Previews of it that came from the cache.
    #[serde(default)]
    pub cache_hits: u64,
    /// Previews of it that the cache was asked for and did not have.
    #[serde(default)]
    pub cache_misses: u64,
    /// Times that health took it out.
    #[serde(default)]
    pub ejections: u64,
    /// Calls that were made again because they had failed in passing.
    #[serde(default)]
    pub retries: u64,
    /// Guardrail signals of its previews and answers.
    #[serde(default)]
    pub flags: BTreeMap<Flag, u64>,
    /// Answers of it that were started beside another's.
    #[serde(default)]
    pub hedges: u64,
    /// Those of them that were served.
    #[serde(default)]
    pub hedges_won: u64,
    /// Tokens of its answers that were cancelled as the loser of two, in and out.
    #[serde(default)]
    pub wasted_tokens: u64,
    /// Billionths of a dollar of those.
    #[serde(default)]
    pub wasted_nano: u64,
    /// Rewards, in [0, 1].
    #[serde(default)]
    pub reward: Histogram,
    /// Rewards of its answers that were served, in [0, 1]; those above are of everything that taught.
    #[serde(default)]
    pub served_reward: Histogram,
    /// Values of the terms of its rewards, in [0, 1].
    #[serde(default)]
    pub terms: BTreeMap<Term, Histogram>,
    /// Probabilities with which it was selected, of the runs in which it was.
    #[serde(default)]
    pub propensity: Histogram,
    /// Where it came in.
    #[serde(default)]
    pub places: Places,
}

/// Runs that belong to a conversation, by what became of its arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversations {
    /// The first one of a conversation, or the first after it was forgotten.
    #[serde(default)]
    pub begun: u64,
    /// The same arm answered again.
    #[serde(default)]
    pub kept: u64,
    /// Another arm answered, or none.
    #[serde(default)]
    pub left: u64,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs by strategy and outcome.
    #[serde(default)]
    pub runs: Vec<(Strategy, Outcome, u64)>,
    /// Runs by intent, in the order of [`Intent::ALL`].
    #[serde(default)]
    pub intents: [u64; Intent::ALL.len()],
    /// Runs by who chose the arms.
    #[serde(default)]
    pub gates: Vec<(GateDecision, u64)>,
    /// Runs that were served by the first arm in order.
    #[serde(default)]
    pub first_try: u64,
    /// Runs of conversations.
    #[serde(default)]
    pub conversations: Conversations,
    /// Attempts after the first.
    #[serde(default)]
    pub fallbacks: u64,
    /// Calls that were made again.
    #[serde(default)]
    pub retries: u64,
    /// Ratings that took a run out of, or back into, those that are resolved: good and bad ones.
    #[serde(default)]
    pub ratings: [u64; 2],
    /// The judge, by name.
    #[serde(default)]
    pub judges: BTreeMap<String, Calls>,
    /// Web searches, by who was asked; they have no tokens.
    #[serde(default)]
    pub searches: BTreeMap<String, Calls>,
    /// Embeddings of prompts that had to be asked for.
    #[serde(default)]
    pub embeddings: Calls,
    /// Verdicts that the local judge had to give.
    #[serde(default)]
    pub local_verdicts: u64,
    /// Seconds of runs that were not cancelled, start to end.
    #[serde(default)]
    pub end_to_end: Histogram,
    /// By arm.
    #[serde(default)]
    pub arms: BTreeMap<ArmId, ArmTally>,
    /// Seconds of writes to the store; first those that nobody waited for, then the synced ones. Of this
    /// process alone.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub writes: [Histogram; 2],
}

fn is_empty(writes: &[Histogram; 2]) -> bool {
    writes.iter().all(|writes| writes.counts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_below_it_and_none_is_lost() {
        let mut histogram = Histogram::default();
        for value in [0.0, 0.1, 0.100_1, 1.0, 7.0, f64::NAN, f64::INFINITY] {
            histogram.add(value, UNIT);
        }
        assert_eq!(histogram.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum - 8.2001).abs() < 1e-12);
    }
}
