//! The trace of one pass: who was served, what that earned, what the best arm would have. It draws no
//! conclusions beyond means: those are `report.rs`. What a row of a log weighs is said by `replay.rs`.

use super::ground::Course;
use super::policy::Seen;
use super::problem::{Outcome, Problem};

/// Requests whose majority decides which arm is the most used one.
const RECENT: usize = 50;

/// One pass, by request. Rows on which no arm was recorded are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// The row that was asked.
    pub row: Vec<usize>,
    /// The arm that was served.
    pub served: Vec<usize>,
    /// What it earned, in [0, 1].
    pub reward: Vec<f64>,
    /// What the best arm would have earned.
    pub oracle: Vec<f64>,
    /// Dollars of the served answer; empty where the records lack dollars.
    pub dollars: Vec<f64>,
    /// Dollars of all k answers; empty where the records lack dollars.
    pub raced_dollars: Vec<f64>,
    /// How often each arm raced.
    pub raced: Vec<u64>,
    /// What each arm would have earned alone: sum of rewards and number of rows that have it.
    pub alone: Vec<(f64, u64)>,
    /// Rows of a log on which some candidate could not have been seen: they say nothing.
    pub unsupported: usize,
    /// Of a log what each request weighs; empty where all weigh the same.
    pub weight: Vec<f64>,
    /// What changed on the way; `None` where nothing did.
    pub course: Option<Course>,
}

impl Pass {
    pub(super) fn for_problem(problem: &Problem) -> Self {
        let (arms, rows) = (problem.arms().len(), problem.rows());
        Self {
            row: Vec::with_capacity(rows),
            served: Vec::with_capacity(rows),
            reward: Vec::with_capacity(rows),
            oracle: Vec::with_capacity(rows),
            raced: vec![0; arms],
            alone: vec![(0.0, 0); arms],
            ..Self::default()
        }
    }

    pub(super) fn note(
        &mut self,
        row: usize,
        served: usize,
        seen: &[Seen],
        open: &[usize],
        outcome: &dyn Fn(usize) -> Option<Outcome>,
    ) {
        let mut oracle: f64 = 0.0;
        for &arm in open {
            let Some(outcome) = outcome(arm) else { continue };
            oracle = oracle.max(outcome.reward);
            self.alone[arm].0 += outcome.reward;
            self.alone[arm].1 += 1;
            if arm == served {
                self.reward.push(outcome.reward);
                self.dollars.extend(outcome.dollars);
            }
        }
        for seen in seen {
            self.raced[seen.arm] += 1;
        }
        let together: Option<f64> = seen.iter().map(|seen| outcome(seen.arm)?.dollars).sum();
        self.raced_dollars.extend(together);
        self.row.push(row);
        self.served.push(served);
        self.oracle.push(oracle);
    }

    pub(super) fn most_used(&self) -> Option<usize> {
        let recent = &self.served[self.served.len().saturating_sub(RECENT)..];
        let count = |arm: &usize| recent.iter().filter(|served| *served == arm).count();
        (0..self.raced.len()).max_by_key(|arm| (count(arm), usize::MAX - arm))
    }

    /// Requests that were answered.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.row.len()
    }

    /// As many requests of equal weight as these are worth: `(Σ w)² ÷ Σ w²`.
    #[must_use]
    pub fn effective(&self) -> f64 {
        if self.weight.is_empty() {
            return self.requests() as f64;
        }
        let sum: f64 = self.weight.iter().sum();
        sum * sum / self.weight.iter().map(|w| w * w).sum::<f64>()
    }

    /// The mean of `value`, a number a request from the one at `from` on, as the requests weigh.
    pub(super) fn mean_from(&self, from: usize, value: impl Iterator<Item = f64>) -> Option<f64> {
        if self.weight.is_empty() {
            let (sum, n) = value.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
            return (n > 0.0).then(|| sum / n);
        }
        let weights = self.weight.get(from..).unwrap_or_default();
        let (sum, n) = value.zip(weights).fold((0.0, 0.0), |(sum, n), (v, w)| (sum + w * v, n + w));
        (n > 0.0).then(|| sum / n)
    }

    /// The mean reward; 0 without requests.
    #[must_use]
    pub fn mean_reward(&self) -> f64 {
        self.mean_from(0, self.reward.iter().copied()).unwrap_or(0.0)
    }

    /// Mean dollars of a served answer; `None` where the records lack dollars.
    #[must_use]
    pub fn mean_dollars(&self) -> Option<f64> {
        (self.dollars.len() == self.row.len()).then(|| self.mean_from(0, self.dollars.iter().copied())).flatten()
    }

    /// Mean dollars of all answers of a race; `None` where the records lack dollars.
    #[must_use]
    pub fn mean_raced_dollars(&self) -> Option<f64> {
        (self.raced_dollars.len() == self.row.len())
            .then(|| self.mean_from(0, self.raced_dollars.iter().copied()))
            .flatten()
    }
}
