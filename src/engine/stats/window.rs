//! The window that shares and rates are over, and the one before it: the runs of the last five
//! minutes, or as many as hold the last 200 served answers where five minutes hold fewer. The window
//! ends at the newest run, not at the present moment, so that shares do not fade while nothing
//! happens and are the same after a restart. Running sums make a run cost O(arms in it).

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::snapshot::WINDOW_RUNS;

use super::entry::{DOLLAR_UNITS, End, Entry, REWARD_UNITS};
use super::quantiles::Quantiles;

/// How far windows reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Runs not older than this are in.
    pub span: Duration,
    /// As many served answers are in, however old.
    pub at_least: u64,
    /// No more runs than this are in, however new: the bound on memory.
    pub at_most: usize,
}

impl Default for Reach {
    fn default() -> Self {
        Self { span: Duration::from_mins(5), at_least: 200, at_most: WINDOW_RUNS }
    }
}

/// One arm's sums over a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ArmTally {
    pub served: u64,
    pub previews: u64,
    rewards: u64,
    reward_sum: u64,
    cost_nano: u64,
    pub by_intent: [u64; 5],
}

impl ArmTally {
    /// Mean reward, `None` where it had none.
    pub(super) fn mean_reward(&self) -> Option<f64> {
        (self.rewards > 0).then(|| self.reward_sum as f64 / REWARD_UNITS / self.rewards as f64)
    }

    /// Mean dollars of the runs that it answered.
    pub(super) fn usd_per_run(&self) -> Option<f64> {
        (self.served > 0).then(|| self.cost_nano as f64 / DOLLAR_UNITS / self.served as f64)
    }
}

/// Sums over one window.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub runs: u64,
    pub served: u64,
    pub previews: u64,
    pub first_try: u64,
    pub with_fallback: u64,
    pub explored: u64,
    cost_nano: u64,
    pub seconds: Quantiles,
    arms: Vec<ArmTally>,
}

impl Tally {
    /// The sums of one arm.
    pub(super) fn arm(&self, arm: u16) -> ArmTally {
        self.arms.get(usize::from(arm)).copied().unwrap_or_default()
    }

    /// Mean dollars of a run.
    pub(super) fn usd_per_run(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.cost_nano as f64 / DOLLAR_UNITS / self.runs as f64)
    }

    fn arm_mut(&mut self, arm: u16) -> &mut ArmTally {
        let at = usize::from(arm);
        if self.arms.len() <= at {
            self.arms.resize(at + 1, ArmTally::default());
        }
        &mut self.arms[at]
    }

    fn add(&mut self, entry: &Entry) {
        self.seconds.add(entry.total_ms);
        self.fold(entry, |sum, by| *sum += by);
    }

    fn take(&mut self, entry: &Entry) {
        self.seconds.take(entry.total_ms);
        self.fold(entry, |sum, by| *sum = sum.saturating_sub(by));
    }

    fn fold(&mut self, entry: &Entry, step: fn(&mut u64, u64)) {
        step(&mut self.runs, 1);
        step(&mut self.served, u64::from(entry.end == End::Served));
        step(&mut self.first_try, u64::from(entry.end == End::Served && entry.fallbacks == 0));
        step(&mut self.with_fallback, u64::from(entry.fallbacks > 0));
        step(&mut self.explored, u64::from(entry.explored));
        step(&mut self.cost_nano, entry.cost_nano);
        for part in &entry.parts {
            step(&mut self.previews, u64::from(part.previewed));
            let arm = self.arm_mut(part.arm);
            step(&mut arm.previews, u64::from(part.previewed));
            if let Some(reward) = part.reward {
                step(&mut arm.rewards, 1);
                step(&mut arm.reward_sum, u64::from(reward));
            }
        }
        if let Some(server) = entry.server() {
            let arm = self.arm_mut(server);
            step(&mut arm.served, 1);
            step(&mut arm.cost_nano, entry.cost_nano);
            step(&mut arm.by_intent[usize::from(entry.intent)], 1);
        }
    }
}

/// The window and the one before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    reach: Reach,
    /// Oldest first: `split` runs of the window before, then those of the window.
    entries: VecDeque<Entry>,
    split: usize,
    pub current: Tally,
    pub before: Tally,
}

impl Windows {
    #[cfg(test)]
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, ..Self::default() }
    }

    /// Takes in a run that was not cancelled; runs come in the order in which they ended.
    pub(super) fn push(&mut self, entry: Entry) {
        self.current.add(&entry);
        let now = entry.at;
        self.entries.push_back(entry);
        while self.is_past(self.split, now, 1, &self.current) {
            let Some(entry) = self.entries.get(self.split) else { break };
            self.current.take(entry);
            self.before.add(entry);
            self.split += 1;
        }
        while self.split > 0 && self.is_past(0, now, 2, &self.before) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.before.take(&entry);
            self.split -= 1;
        }
    }

    /// Dollars more of a run that the arm answered: its newest one bears them, so that they leave with it.
    pub(super) fn charge(&mut self, arm: u16, nano: u64) {
        let Some(at) = self.entries.iter().rposition(|entry| entry.server() == Some(arm)) else { return };
        self.entries[at].cost_nano += nano;
        let tally = if at < self.split { &mut self.before } else { &mut self.current };
        tally.cost_nano += nano;
        tally.arm_mut(arm).cost_nano += nano;
    }

    /// The reward of a run's answer is another one now; nothing where the run has left the windows.
    pub(super) fn regrade(&mut self, run: &Entry, reward: u32) {
        // Ends are put into their order by the rounding of clocks.
        let is_it = |entry: &Entry| {
            (entry.winner, entry.total_ms) == (run.winner, run.total_ms) && entry.at.abs_diff(run.at) < 1_000
        };
        let Some(at) = self.entries.iter().rposition(is_it) else { return };
        let entry = &mut self.entries[at];
        let Some(part) = entry.parts.iter_mut().find(|part| Some(part.arm) == run.winner) else { return };
        let before = u64::from(part.reward.replace(reward).unwrap_or_default());
        let arm = part.arm;
        let tally = if at < self.split { &mut self.before } else { &mut self.current };
        let sum = &mut tally.arm_mut(arm).reward_sum;
        *sum = (*sum + u64::from(reward)).saturating_sub(before);
    }

    /// Whether the entry at `at`, the oldest of its window, leaves it.
    fn is_past(&self, at: usize, now: u64, spans: u32, tally: &Tally) -> bool {
        let Some(entry) = self.entries.get(at) else { return false };
        let span = self.reach.span * spans;
        let is_old = u128::from(now.saturating_sub(entry.at)) > span.as_millis();
        let enough_without = tally.served - u64::from(entry.end == End::Served) >= self.reach.at_least;
        tally.runs > self.reach.at_most as u64 || (is_old && enough_without)
    }

    /// Seconds from the first to the last end of a run in the window.
    pub(super) fn span_s(&self) -> f64 {
        let first = self.entries.get(self.split).map_or(0, |entry| entry.at);
        let last = self.entries.back().map_or(0, |entry| entry.at);
        Duration::from_millis(last.saturating_sub(first)).as_secs_f64()
    }

    /// Runs that ended after `since`.
    pub(super) fn ended_since(&self, since: u64) -> u64 {
        self.entries.iter().rev().take_while(|entry| entry.at > since).count() as u64
    }

    /// Runs that began after `since`, and those of them that `arm` was chosen for.
    pub(super) fn chosen_since(&self, arm: Option<u16>, since: u64) -> (u64, u64) {
        let ended = self.entries.iter().rev().take_while(|entry| entry.at > since);
        let began = ended.filter(|entry| entry.began() >= since);
        began.fold((0, 0), |(runs, with), entry| (runs + 1, with + u64::from(arm.is_some_and(|arm| entry.chose(arm)))))
    }

    /// Everything ended so many milliseconds earlier.
    pub(super) fn set_back(&mut self, by: u64) {
        self.entries.iter_mut().for_each(|entry| entry.at = entry.at.saturating_sub(by));
    }

    /// When the newest run ended; 0 where there is none.
    pub(super) fn newest(&self) -> u64 {
        self.entries.back().map_or(0, |entry| entry.at)
    }

    /// Every run in both windows, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stats::entry::Part;
    use proptest::prelude::*;

    fn entry(at: u64, arm: u16, end: End) -> Entry {
        let part = Part { arm, chosen: true, previewed: true, reward: Some(500_000) };
        let winner = (end == End::Served).then_some(arm);
        Entry {
            at,
            end,
            winner,
            intent: 1,
            explored: arm == 0,
            fallbacks: u32::from(arm == 1),
            total_ms: 100 + u32::from(arm),
            cost_nano: 7,
            parts: vec![part].into_boxed_slice(),
        }
    }

    #[test]
    fn a_quiet_window_reaches_back_to_the_last_answers() {
        let reach = Reach { span: Duration::from_secs(10), at_least: 3, at_most: 100 };
        let mut windows = Windows::new(reach);
        for n in 0..5_u64 {
            windows.push(entry(n * 60_000, 0, End::Served));
        }
        assert_eq!((windows.current.served, windows.before.served), (3, 2));
        // Failures do not count as answers.
        windows.push(entry(300_000, 0, End::Failed));
        assert_eq!((windows.current.served, windows.current.runs), (3, 4));
    }

    #[test]
    fn a_busy_window_holds_five_minutes_and_is_bounded() {
        let reach = Reach { span: Duration::from_secs(10), at_least: 3, at_most: 20 };
        let mut windows = Windows::new(reach);
        for n in 0..=15_u64 {
            windows.push(entry(n * 1_000, 0, End::Served));
        }
        assert_eq!((windows.current.served, windows.before.served), (11, 5));
        for n in 0..100_u64 {
            windows.push(entry(15_000 + n, 0, End::Served));
        }
        assert_eq!((windows.current.runs, windows.before.runs), (20, 20));
        assert_eq!(windows.entries.len(), 40);
    }

    proptest! {
        /// The running sums are those of a window counted afresh, also where a run turned out dearer later.
        #[test]
        fn sums_never_drift(steps in proptest::collection::vec((0_u64..9_000, 0_u16..3, 0_u8..4), 1..200)) {
            let reach = Reach { span: Duration::from_secs(20), at_least: 5, at_most: 50 };
            let mut windows = Windows::new(reach);
            let mut at = 0;
            for (gap, arm, end) in steps {
                at += gap;
                windows.push(entry(at, arm, if end == 0 { End::Failed } else { End::Served }));
                if end == 1 {
                    windows.charge(arm, gap);
                }
            }
            for (held, skip, take) in [
                (&windows.before, 0, windows.split),
                (&windows.current, windows.split, usize::MAX),
            ] {
                let mut fresh = Tally::default();
                windows.entries.iter().skip(skip).take(take).for_each(|entry| fresh.add(entry));
                prop_assert_eq!(held.runs, fresh.runs);
                prop_assert_eq!(held.served, fresh.served);
                prop_assert_eq!(held.usd_per_run(), fresh.usd_per_run());
                prop_assert_eq!(held.seconds.seconds(0.95), fresh.seconds.seconds(0.95));
                for arm in 0..3 {
                    prop_assert_eq!(held.arm(arm).served, fresh.arm(arm).served);
                    prop_assert_eq!(held.arm(arm).usd_per_run(), fresh.arm(arm).usd_per_run());
                    prop_assert_eq!(held.arm(arm).mean_reward(), fresh.arm(arm).mean_reward());
                }
            }
        }
    }
}
