//! Charts over time in equal steps that are aligned to the wall clock, so that a restart draws the
//! same picture. A step without data is a gap, never a zero. Old steps are dropped: memory is
//! bounded by steps × arms.

use std::collections::VecDeque;

use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmSeries, Mark, Series};

use super::entry::{End, Entry, REWARD_UNITS};
use super::names::Names;

/// Milliseconds of a step.
pub(super) const STEP_MS: u64 = 5_000;
/// Steps that are kept: ten minutes.
pub(super) const STEPS: usize = 120;
/// Marks that are kept.
const MARKS: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: u64,
    count: u32,
}

impl Mean {
    fn add(&mut self, reward: u32) {
        self.sum += u64::from(reward);
        self.count += 1;
    }

    fn ratio(self) -> Option<Ratio> {
        (self.count > 0).then(|| Ratio::new(self.sum as f64 / REWARD_UNITS / f64::from(self.count))).flatten()
    }
}

#[derive(Clone, Debug, Default)]
struct Step {
    runs: u32,
    served: u32,
    with_fallback: u32,
    reward: Mean,
    arms: Vec<(u32, Mean)>,
}

impl Step {
    fn arm(&mut self, arm: u16) -> &mut (u32, Mean) {
        let at = usize::from(arm);
        if self.arms.len() <= at {
            self.arms.resize(at + 1, (0, Mean::default()));
        }
        &mut self.arms[at]
    }

    fn add(&mut self, entry: &Entry) {
        self.runs += 1;
        self.served += u32::from(entry.end == End::Served);
        self.with_fallback += u32::from(entry.fallbacks > 0);
        if let Some(reward) = entry.served_reward() {
            self.reward.add(reward);
        }
        if let Some(server) = entry.server() {
            self.arm(server).0 += 1;
        }
        for part in &entry.parts {
            if let Some(reward) = part.reward {
                self.arm(part.arm).1.add(reward);
            }
        }
    }
}

/// The steps of the last ten minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Charts {
    /// The number of the first step held, counted from the epoch.
    first: u64,
    steps: VecDeque<Step>,
    marks: VecDeque<Mark>,
}

impl Charts {
    /// Takes in a run that was not cancelled.
    pub(super) fn push(&mut self, entry: &Entry) {
        let number = entry.at / STEP_MS;
        if self.steps.is_empty() || number >= self.first + 2 * STEPS as u64 {
            self.steps.clear();
            self.first = number;
        }
        let Some(offset) = number.checked_sub(self.first).and_then(|offset| usize::try_from(offset).ok()) else {
            return;
        };
        while self.steps.len() <= offset {
            self.steps.push_back(Step::default());
        }
        self.steps[offset].add(entry);
        while self.steps.len() > STEPS {
            self.steps.pop_front();
            self.first += 1;
        }
    }

    /// Takes in a mark; the oldest beyond the bound goes.
    pub(super) fn mark(&mut self, mark: Mark) {
        self.marks.push_back(mark);
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
    }

    /// The number of the step that is the last one at `now`.
    pub(super) fn last_step(&self, now: Timestamp) -> u64 {
        (now.millis() / STEP_MS).max((self.first + self.steps.len() as u64).saturating_sub(1))
    }

    /// The picture at `now`, one entry per arm of `arms`.
    pub(super) fn picture(&self, arms: &[ArmId], names: &Names, now: Timestamp) -> Series {
        let last = self.last_step(now);
        let from = (last + 1).saturating_sub(STEPS as u64);
        let steps: Vec<Option<&Step>> = (from..=last).map(|number| self.step(number)).collect();
        let served = |step: &Step| step.served > 0;
        let arm_series = |arm: &ArmId| {
            let index = names.find(arm).map(usize::from);
            let of = |step: &Step| index.and_then(|at| step.arms.get(at)).copied().unwrap_or_default();
            let share = |step: &Step| Ratio::of(u64::from(of(step).0), u64::from(step.served));
            ArmSeries {
                arm: arm.clone(),
                share: steps.iter().map(|step| step.filter(|s| served(s)).and_then(share)).collect(),
                reward: steps.iter().map(|step| step.and_then(|s| of(s).1.ratio())).collect(),
            }
        };
        Series {
            step_s: STEP_MS as f64 / 1e3,
            end: Timestamp::from_millis((last + 1) * STEP_MS),
            arms: arms.iter().map(arm_series).collect(),
            fallback_rate: steps
                .iter()
                .map(|step| step.and_then(|s| Ratio::of(u64::from(s.with_fallback), u64::from(s.runs))))
                .collect(),
            reward: steps.iter().map(|step| step.and_then(|s| s.reward.ratio())).collect(),
            runs: steps.iter().map(|step| step.map_or(0, |s| s.runs)).collect(),
            marks: self.marks.iter().filter(|mark| mark.at.millis() / STEP_MS >= from).cloned().collect(),
        }
    }

    fn step(&self, number: u64) -> Option<&Step> {
        let offset = number.checked_sub(self.first)?;
        self.steps.get(usize::try_from(offset).ok()?)
    }
}
