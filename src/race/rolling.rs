//! A rolling p95 of seconds, over rotating windows: samples go into the newest of [`WINDOWS`] histograms, and
//! when that holds [`WINDOW_SAMPLES`] samples or spans [`WINDOW_SPAN`] the oldest is emptied and becomes the
//! newest. So it covers the last 96 to 128 samples, or 15 to 20 minutes where there are fewer, in bounded
//! memory. Reading never changes anything, and what nothing is heard of keeps its last figures.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::domain::clock::Timestamp;

/// Histograms per arm.
const WINDOWS: usize = 4;
/// Samples in one histogram.
const WINDOW_SAMPLES: u64 = 32;
/// Time that one histogram spans.
const WINDOW_SPAN: Duration = Duration::from_mins(5);
/// Histograms count in units of 100 µs, so that arms on loopback can be told apart.
const UNITS_PER_SECOND: f64 = 10_000.0;
/// Ten minutes: longer previews count as that.
const MOST_UNITS: u64 = 6_000_000;

/// Rotating histograms of seconds.
pub(super) struct RollingLatency {
    windows: Vec<Histogram<u16>>,
    newest: usize,
    newest_since: Option<Timestamp>,
}

impl RollingLatency {
    /// Two significant digits: a p95 is good to 1 %.
    pub(super) fn new() -> Self {
        let windows = (0..WINDOWS).filter_map(|_| Histogram::new_with_bounds(1, MOST_UNITS, 2).ok()).collect();
        Self { windows, newest: 0, newest_since: None }
    }

    pub(super) fn record(&mut self, seconds: f64, at: Timestamp) {
        let since = *self.newest_since.get_or_insert(at);
        let is_full = self.windows.get(self.newest).is_some_and(|w| w.len() >= WINDOW_SAMPLES);
        if is_full || at.since(since) >= WINDOW_SPAN {
            self.newest = (self.newest + 1) % WINDOWS;
            self.newest_since = Some(at);
            if let Some(window) = self.windows.get_mut(self.newest) {
                window.reset();
            }
        }
        if let Some(window) = self.windows.get_mut(self.newest) {
            window.saturating_record(units(seconds));
        }
    }

    /// The smallest value that at least 95 % of the samples do not exceed.
    pub(super) fn p95(&self) -> Option<f64> {
        let mut samples: Vec<(u64, u64)> = Vec::new();
        for window in &self.windows {
            samples.extend(window.iter_recorded().map(|v| (v.value_iterated_to(), v.count_since_last_iteration())));
        }
        samples.sort_unstable();
        let all: u64 = samples.iter().map(|(_, count)| count).sum();
        let rank = (all * 95).div_ceil(100);
        let mut seen = 0;
        let at_rank = samples.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        })?;
        Some(at_rank.0 as f64 / UNITS_PER_SECOND)
    }
}

/// Seconds in the histogram's unit, within its bounds.
fn units(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let units = (seconds * UNITS_PER_SECOND).round() as u64;
    units.clamp(1, MOST_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold_with(latencies: impl IntoIterator<Item = (f64, u64)>) -> RollingLatency {
        let mut rolling = RollingLatency::new();
        for (seconds, at_s) in latencies {
            rolling.record(seconds, Timestamp::from_millis(at_s * 1000));
        }
        rolling
    }

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found / expected - 1.0).abs() < 0.011, "{found} against {expected}");
    }

    #[test]
    fn the_p95_is_of_the_sample() {
        assert_eq!(RollingLatency::new().p95(), None);
        close(fold_with([(0.5, 0)]).p95(), 0.5);
        close(fold_with((1..=100).map(|i| (f64::from(i) / 100.0, 0))).p95(), 0.95);
    }

    #[test]
    fn what_is_old_is_forgotten_by_count() {
        let slow = (0..200).map(|_| (9.0, 0));
        let fast = (0..128).map(|_| (0.1, 0));
        close(fold_with(slow.chain(fast)).p95(), 0.1);
    }

    #[test]
    fn what_is_old_is_forgotten_by_age() {
        let slow = (0..10).map(|_| (9.0, 0));
        let fast = (1..=4).map(|i| (0.1, i * 300));
        close(fold_with(slow.chain(fast)).p95(), 0.1);
    }

    #[test]
    fn odd_durations_do_no_harm() {
        close(fold_with([(f64::NAN, 0), (-1.0, 0)]).p95(), 0.0001);
        close(fold_with([(f64::INFINITY, 0)]).p95(), 600.0);
    }
}
