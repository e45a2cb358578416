//! Service level objectives as they are configured: what is wanted of runs, over which time. What an
//! objective costs and whether it burns is the telemetry's business.

use std::time::Duration;

use super::tally::Phase;

/// What an objective is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Indicator {
    /// The share of runs served by the first arm in order, at least.
    FirstTryRate,
    /// The share of runs with a fallback, at most.
    FallbackRate,
    /// Seconds from start to end within which that many percent of runs stay.
    Percentile(u8),
    /// Calls that were made again, a run, at most.
    RetriesPerRun,
    /// Tokens of a phase, prompt and answer, a run, at most.
    TokensPerRun(Phase),
    /// Dollars for each run that was resolved, at most.
    UsdPerResolvedRun,
}

impl Indicator {
    /// Every indicator with its name in the configuration.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::FirstTryRate, "first_try_rate"),
        (Self::FallbackRate, "fallback_rate"),
        (Self::Percentile(50), "p50_s"),
        (Self::Percentile(95), "p95_s"),
        (Self::Percentile(99), "p99_s"),
        (Self::RetriesPerRun, "retries_per_run"),
        (Self::TokensPerRun(Phase::Preview), "preview_tokens_per_run"),
        (Self::TokensPerRun(Phase::Judge), "judge_tokens_per_run"),
        (Self::TokensPerRun(Phase::Answer), "answer_tokens_per_run"),
        (Self::UsdPerResolvedRun, "usd_per_resolved_run"),
    ];

    /// The names, for the table of keys.
    pub const NAMES: [&'static str; 10] = {
        let mut names = [""; 10];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].1;
            at += 1;
        }
        names
    };

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(indicator, _)| *indicator == self).map_or("", |(_, name)| name)
    }

    /// Whether its limit is a share, strictly between 0 and 1.
    #[must_use]
    pub const fn is_share(self) -> bool {
        matches!(self, Self::FirstTryRate | Self::FallbackRate)
    }
}

/// One objective.
#[derive(Clone, Debug, PartialEq)]
pub struct SloSpec {
    /// Its name on screen, in metrics and alarms.
    pub name: String,
    /// What it is about.
    pub indicator: Indicator,
    /// How much is wanted: a share, seconds, a count or dollars, as the indicator says.
    pub limit: f64,
    /// The time that the error budget is for; the short window is a twelfth of it.
    pub window: Duration,
    /// An alarm is raised where both windows burn at least so many times faster than allowed.
    pub alarm_burn: f64,
}
