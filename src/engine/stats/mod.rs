//! What the console shows about traffic: a pure fold over run records. Time comes from the records
//! (and, for charts and the rate of the last seconds, as an argument); no clock is read here. A run
//! costs O(arms in it), a picture a few microseconds, memory is bounded by the windows. What is kept
//! over a restart are the entries of the two windows and the counts: everything else follows from them.

mod entry;
mod names;
mod quantiles;
mod series;
mod tally;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::ratio::Ratio;
use crate::domain::record::{PreviewRecord, RunRecord, is_bad};
use crate::domain::snapshot::{Mark, Series, Totals};
use crate::domain::tally::{Histogram, Places, Tally};

use entry::{DOLLAR_UNITS, End, Entry, whole};
use names::Names;
use series::Charts;
use tally::Counting;
use window::Windows;

/// The last runs that were taken in, so that a restart takes none in twice.
const REMEMBERED: usize = 1_024;
/// Over which `runs_per_s` is.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// Counts since the state began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    runs: u64,
    served: u64,
    failed: u64,
    cancelled: u64,
    #[serde(default)]
    resolved: u64,
    clamped: u64,
    cost_nano: u64,
    /// The day, counted from the epoch in UTC, that `day_cost_nano` is of.
    day: u64,
    day_cost_nano: u64,
}

impl Counts {
    fn spend(&mut self, nano: u64, at: Timestamp) {
        self.cost_nano += nano;
        let day = at.day();
        if day > self.day {
            self.day = day;
            self.day_cost_nano = 0;
        }
        if day == self.day {
            self.day_cost_nano += nano;
        }
    }
}

/// What is kept over a restart.
#[derive(Serialize, Deserialize)]
struct Saved {
    names: Names,
    counts: Counts,
    #[serde(default)]
    tally: Tally,
    remembered: VecDeque<RunId>,
    entries: Vec<Entry>,
}

/// One arm over the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ArmFigures {
    pub share: Option<Ratio>,
    pub share_delta: Option<f64>,
    pub preview_share: Option<Ratio>,
    pub mean_reward: Option<f64>,
    pub usd_per_run: Option<f64>,
    pub served_by_intent: [u64; 5],
}

/// The fold.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveStats {
    names: Names,
    counts: Counts,
    tally: Counting,
    windows: Windows,
    charts: Charts,
    /// In the order in which they were taken in, and the same for look-ups.
    remembered: VecDeque<RunId>,
    known: BTreeSet<RunId>,
    /// Grows with every change; tells whether `drawn` is still true.
    revision: u64,
    drawn: Option<(u64, u64, Vec<ArmId>, Arc<Series>)>,
}

impl LiveStats {
    /// Takes in a finished run; one that was taken in before changes nothing.
    pub(crate) fn absorb(&mut self, record: &RunRecord) {
        if !self.remember(record.run_id) {
            return;
        }
        self.revision += 1;
        let mut entry = Entry::of(record, &mut self.names);
        self.count(&entry);
        self.counts.resolved += u64::from(record.is_resolved());
        self.counts.clamped += u64::from(record.clamped);
        self.tally.absorb(record);
        if entry.end != End::Cancelled {
            self.set_back(entry.at);
            // Runs end in the order in which they come here, but for the rounding of their clocks.
            entry.at = entry.at.max(self.windows.newest());
            self.charts.push(&entry);
            self.windows.push(entry);
        }
    }

    /// Counts the call of a probe, which is of no run.
    pub(crate) fn probed(&mut self, preview: &PreviewRecord) {
        self.tally.probed(preview);
    }

    /// Counts dollars that were spent at `at` beside the runs; those of a probe are in no run's mean.
    pub(crate) fn spent(&mut self, dollars: f64, at: Timestamp) {
        self.counts.spend(whole(dollars, DOLLAR_UNITS), at);
    }

    /// Takes in the late verdict of a run that was taken in before: the judge's calls, and the `dollars` of them
    /// in the window's means. What they are in all is for [`Self::spent`].
    pub(crate) fn judged(&mut self, record: &RunRecord, dollars: f64) {
        self.revision += 1;
        self.tally.judged(record);
        if let Some(winner) = record.winner.as_ref().and_then(|arm| self.names.find(arm)) {
            self.windows.charge(winner, whole(dollars, DOLLAR_UNITS));
        }
        let entry = Entry::of(record, &mut self.names);
        if let Some(reward) = entry.served_reward() {
            self.windows.regrade(&entry, reward);
        }
    }

    /// Where a run ends long before the newest one, the clock was set back: what came before goes back with it, or
    /// every run from now on would seem to end at that one moment of the future.
    fn set_back(&mut self, now: u64) {
        let by = self.windows.newest().saturating_sub(now);
        if Duration::from_millis(by) > RATE_SPAN {
            self.windows.set_back(by);
            self.charts = Charts::default();
            self.windows.entries().for_each(|entry| self.charts.push(entry));
        }
    }

    /// Counts that a person gave a rating.
    pub(crate) fn rated(&mut self, rating: f64) {
        self.tally.rated(rating);
    }

    /// Takes in that the rating of `record`, which was taken in with the one that it has, is another one now.
    pub(crate) fn amended(&mut self, record: &RunRecord, now: Option<f64>) {
        let is_bad = |rating: Option<f64>| i64::from(rating.is_some_and(is_bad));
        // What has a flag was never among the resolved, and no rating brings it there.
        if record.is_clean() {
            let moved = is_bad(record.rating) - is_bad(now);
            self.counts.resolved = self.counts.resolved.saturating_add_signed(moved);
            self.revision += 1;
        }
    }

    /// Counts that health took an arm out.
    pub(crate) fn ejected(&mut self, arm: &ArmId) {
        self.tally.ejected(arm);
    }

    /// Counts a write to the store.
    pub(crate) fn wrote(&mut self, is_synced: bool, took: Duration) {
        self.tally.wrote(is_synced, took);
    }

    /// Everything that only grows.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.tally.picture()
    }

    /// Where `arm` came in, in judged races.
    pub(crate) fn places(&self, arm: &ArmId) -> Places {
        self.tally.places(arm)
    }

    /// Takes in a mark for the time axis.
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.revision += 1;
        self.charts.mark(mark);
    }

    /// Whether the run was taken in, as far as it is remembered.
    pub(crate) fn knows(&self, run: RunId) -> bool {
        self.known.contains(&run)
    }

    /// Runs completed since the state began.
    pub(crate) fn runs(&self) -> u64 {
        self.counts.runs
    }

    /// Runs in the window, and the share of them that had a fallback.
    pub(crate) fn fallback_rate(&self) -> (u64, Option<Ratio>) {
        let window = &self.windows.current;
        (window.runs, Ratio::of(window.with_fallback, window.runs))
    }

    /// One arm's figures over the window.
    pub(crate) fn arm(&self, arm: &ArmId) -> ArmFigures {
        let Windows { current, before, .. } = &self.windows;
        let (now, then) = self.names.find(arm).map_or_else(Default::default, |at| (current.arm(at), before.arm(at)));
        let share = Ratio::of(now.served, current.served);
        let share_before = Ratio::of(then.served, before.served);
        ArmFigures {
            share,
            share_delta: share.zip(share_before).map(|(now, before)| now.get() - before.get()),
            preview_share: Ratio::of(now.previews, current.previews),
            mean_reward: now.mean_reward(),
            usd_per_run: now.usd_per_run(),
            served_by_intent: now.by_intent,
        }
    }

    /// Runs that began after `since`, as far as the windows reach, and those of them that `arm` was chosen for.
    pub(crate) fn chosen_since(&self, arm: &ArmId, since: Timestamp) -> (u64, u64) {
        self.windows.chosen_since(self.names.find(arm), since.millis())
    }

    /// The whole at `now`; what the engine alone knows (runs in flight, dropped events) is left at 0.
    pub(crate) fn totals(&self, now: Timestamp) -> Totals {
        let Counts { runs, served, failed, cancelled, resolved, clamped, cost_nano, day, day_cost_nano } = self.counts;
        let window = &self.windows.current;
        let recent = self.windows.ended_since(now.minus(RATE_SPAN).millis());
        Totals {
            runs,
            served,
            failed,
            cancelled,
            resolved,
            in_flight: 0,
            runs_per_s: (runs > 0).then(|| recent as f64 / RATE_SPAN.as_secs_f64()),
            first_try: Ratio::of(window.first_try, window.runs),
            fallback_rate: Ratio::of(window.with_fallback, window.runs),
            explore_rate: Ratio::of(window.explored, window.runs),
            p50_s: window.seconds.seconds(0.5),
            p95_s: window.seconds.seconds(0.95),
            p99_s: window.seconds.seconds(0.99),
            usd_per_run: window.usd_per_run(),
            // After a clock was set back the later day stays the day, as it does for the day's ceiling.
            usd_today: if day >= now.day() { day_cost_nano as f64 / DOLLAR_UNITS } else { 0.0 },
            usd_total: cost_nano as f64 / DOLLAR_UNITS,
            usd_per_resolved_run: (resolved > 0).then(|| cost_nano as f64 / DOLLAR_UNITS / resolved as f64),
            window_runs: window.runs,
            window_s: self.windows.span_s(),
            dropped_events: 0,
            clamped,
        }
    }

    /// The charts at `now`; the same `Arc` as before where nothing changed.
    pub(crate) fn series(&mut self, arms: &[ArmId], now: Timestamp) -> Arc<Series> {
        let last = self.charts.last_step(now);
        if let Some((revision, step, drawn_arms, series)) = &self.drawn
            && (*revision, *step) == (self.revision, last)
            && drawn_arms == arms
        {
            return Arc::clone(series);
        }
        let series = Arc::new(self.charts.picture(arms, &self.names, now));
        self.drawn = Some((self.revision, last, arms.to_vec(), Arc::clone(&series)));
        series
    }

    /// Whether the picture at `now` differs from the last one for the passing of time alone.
    pub(crate) fn moves_by_itself(&self, now: Timestamp) -> bool {
        let drawn_step = self.drawn.as_ref().map(|(_, step, _, _)| *step);
        let last = self.charts.last_step(now);
        let has_charts = last.saturating_sub(self.windows.newest() / series::STEP_MS) <= series::STEPS as u64;
        let has_rate = self.windows.ended_since(now.minus(RATE_SPAN + Duration::from_secs(2)).millis()) > 0;
        has_rate || (has_charts && drawn_step != Some(last))
    }

    /// What must be kept over a restart.
    pub(crate) fn save(&self) -> Vec<u8> {
        let saved = Saved {
            names: self.names.clone(),
            counts: self.counts.clone(),
            // How the disk was is of no use to another process.
            tally: Tally { writes: <[Histogram; 2]>::default(), ..Tally::clone(&self.tally.picture()) },
            remembered: self.remembered.clone(),
            entries: self.windows.entries().cloned().collect(),
        };
        // Nothing in it can fail to be written; an empty text reads back as nothing, and is rebuilt from records.
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    /// The fold as it was saved; `None` where the bytes are not of this form.
    pub(crate) fn restore(bytes: &[u8]) -> Option<Self> {
        let Saved { names, counts, tally, remembered, entries } = serde_json::from_slice(bytes).ok()?;
        let known = remembered.iter().copied().collect();
        let tally = Counting::from(tally);
        let mut stats = Self { names, counts, tally, remembered, known, ..Self::default() };
        for entry in entries {
            stats.charts.push(&entry);
            stats.windows.push(entry);
        }
        Some(stats)
    }

    fn remember(&mut self, run: RunId) -> bool {
        if !self.known.insert(run) {
            return false;
        }
        self.remembered.push_back(run);
        if self.remembered.len() > REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    fn count(&mut self, entry: &Entry) {
        let counts = &mut self.counts;
        counts.runs += 1;
        match entry.end {
            End::Served => counts.served += 1,
            End::Failed => counts.failed += 1,
            End::Cancelled => counts.cancelled += 1,
        }
        counts.spend(entry.cost_nano, Timestamp::from_millis(entry.at));
    }
}
