//! What the race itself remembers of recent runs, in bounded memory and beside the router's state: where
//! prompts pointed, for the novelty gate, and what previews and answers cost, for the automatic one. It is
//! made anew from stored records at a start, and nothing is lost with it but a little of either gate's
//! experience.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cached::Direction;
use crate::domain::record::{Origin, RunOutcome, RunRecord};
use crate::features::{Novelty, RecentPrompts};

/// Runs that the automatic gate looks at.
const RUNS: usize = 128;
/// Runs before it decides anything.
const LEAST: usize = 20;

/// What recent runs cost and how they went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RecentCosts {
    /// Dollars of previews and judge as a share of all dollars, over the runs that raced; 0 where all was free.
    pub(super) preview_share: f64,
    /// Share of runs with a fallback.
    pub(super) fallback_rate: f64,
    /// Runs looked at.
    pub(super) runs: usize,
}

/// See above.
#[derive(Default)]
pub(super) struct Recollection(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Directions by the run's embedding, and by the built-in encoder.
    embedded: RecentPrompts,
    worded: RecentPrompts,
    runs: VecDeque<Cost>,
}

/// One run.
#[derive(Clone, Copy)]
struct Cost {
    /// Dollars before the answer, and of all; absent where it did not race.
    raced: Option<(f64, f64)>,
    fell_back: bool,
}

impl Recollection {
    /// How new a prompt is; it is remembered from here on.
    pub(super) fn meet(&self, direction: &Direction) -> Option<Novelty> {
        let mut kept = self.locked();
        let recent = if direction.is_embedded() { &mut kept.embedded } else { &mut kept.worded };
        recent.meet(direction.at.clone())
    }

    /// Takes in how a run went. Prompts are taken in when they come, so only those of a stored record are new.
    pub(super) fn absorb(&self, record: &RunRecord) {
        if record.outcome == RunOutcome::Cancelled {
            return;
        }
        let answers: f64 = record.attempts.iter().filter_map(|attempt| attempt.cost_usd).sum();
        let has_raced = record.previews.iter().any(|preview| !preview.cached);
        let raced = has_raced.then_some((record.cost_usd - answers, record.cost_usd));
        let mut kept = self.locked();
        if kept.runs.len() >= RUNS {
            kept.runs.pop_front();
        }
        kept.runs.push_back(Cost { raced, fell_back: record.fallbacks > 0 });
    }

    /// Takes in a stored record, prompt and all.
    pub(super) fn recall(&self, record: &RunRecord) {
        if record.origin != Origin::Traffic {
            self.meet(&Direction::of(&record.request, None));
        }
        self.absorb(record);
    }

    /// What recent runs cost, once there are enough.
    pub(super) fn costs(&self) -> Option<RecentCosts> {
        let kept = self.locked();
        let runs = kept.runs.len();
        let raced: Vec<(f64, f64)> = kept.runs.iter().filter_map(|run| run.raced).collect();
        if runs < LEAST || raced.is_empty() {
            return None;
        }
        let (before, all) = raced.iter().fold((0.0, 0.0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
        let fallbacks = kept.runs.iter().filter(|run| run.fell_back).count();
        let preview_share = if all > 0.0 { (before / all).clamp(0.0, 1.0) } else { 0.0 };
        Some(RecentCosts { preview_share, fallback_rate: fallbacks as f64 / runs as f64, runs })
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
