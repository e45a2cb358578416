//! What every reader sees: one immutable picture of the engine, published by its owner. `None` is "no
//! data" everywhere; 0 is a measured zero. Fractions are [`Ratio`]s, so nothing in here can break a
//! drawing. `state show --json` and every pane are projections of this one struct.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::clock::Timestamp;
use super::command::{Durability, JournalEntry};
use super::context::Intent;
use super::handling::{ExtraCount, Helper};
use super::ids::{ArmId, RunId, Sequence};
use super::observer::Objective;
use super::ratio::Ratio;
use super::record::{GateDecision, Origin};
use super::spec::{ArmSpec, Lifecycle, Mode, RouterKind, ShareLimits, Strategy};
use super::tally::{Places, Tally};
use super::terms::Weights;

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineSnapshot {
    /// Grows by one with every publication.
    pub revision: u64,
    /// When it was published.
    pub at: Timestamp,
    /// The place in the command log that it shows.
    pub sequence: Sequence,
    /// The form of the stored state.
    pub version: u32,
    /// The feature schema's version.
    pub feature_version: String,
    /// Dimensions of the context.
    pub d: usize,
    /// The kind of features: `length`, `embedding`.
    pub features: String,
    /// How arms are chosen.
    pub router: RouterKind,
    /// The strategy in force.
    pub strategy: Strategy,
    /// The mode set at run time.
    pub mode: Mode,
    /// Previews per race.
    pub k: usize,
    /// Exploration in units of uncertainty.
    pub alpha: f64,
    /// The configured share of runs that explore.
    pub explore_share: f64,
    /// Of how many of the last runs observations are kept; 0 keeps all.
    #[serde(default)]
    pub window: u64,
    /// The reward weights in force.
    pub weights: Weights,
    /// The dollar ceiling per run, where there is one.
    pub budget_per_request_usd: Option<f64>,
    /// Dollars of all runs of a day (UTC), where that has a ceiling; what was spent of it is in the totals.
    #[serde(default)]
    pub budget_per_day_usd: Option<f64>,
    /// How the account under it stands; `None` without one.
    #[serde(default)]
    pub account: Option<SpendAccount>,
    /// The pool, in configured order.
    pub arms: Vec<ArmRow>,
    /// Counts and rates of the whole.
    pub totals: Totals,
    /// Counts since the state began, by arm, phase and class: what metrics are made of.
    #[serde(default)]
    pub tally: Arc<Tally>,
    /// How the objectives stand, as configured.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    /// Extra calls of endpoints that are no arms, where they were ever called.
    #[serde(default)]
    pub helpers: BTreeMap<Helper, ExtraCount>,
    /// Charts.
    pub series: Arc<Series>,
    /// Open alarms, newest first.
    pub alarms: Vec<Alarm>,
    /// How the store is.
    pub store: StoreStatus,
    /// The newest runs, newest first, bounded.
    pub recent_runs: Vec<RunSummary>,
    /// The newest operator actions, newest first, bounded.
    pub journal: Vec<JournalEntry>,
}

/// Spending under a ceiling, since it was set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpendAccount {
    /// Runs.
    pub requests: u64,
    /// Dollars spent.
    pub spent_usd: f64,
    /// Dollars that the ceiling allowed.
    pub allowed_usd: f64,
    /// Spent over allowed; `None` before the first run.
    pub utilisation: Option<f64>,
    /// Reward given up for what one request may cost: the price in force.
    pub lambda: f64,
}

/// One arm, as the arms table shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmRow {
    /// The arm.
    pub arm: ArmId,
    /// Its declaration.
    pub spec: ArmSpec,
    /// Where it stands.
    pub state: Lifecycle,
    /// Why, where that needs a word: who switched it off, what ejected it.
    pub state_reason: Option<String>,
    /// When it is probed again, where it is ejected.
    pub until: Option<Timestamp>,
    /// Traffic share over the window.
    pub share: Option<Ratio>,
    /// Change of the share against the window before, in points of a fraction (−1 to 1).
    pub share_delta: Option<f64>,
    /// Share of previews over the window.
    pub preview_share: Option<Ratio>,
    /// Expected reward over recent contexts.
    pub mean: Option<f64>,
    /// Its uncertainty over recent contexts.
    pub uncertainty: Option<f64>,
    /// Rolling p95 of preview seconds.
    pub p95_preview_s: Option<f64>,
    /// Mean realised reward over the window.
    pub mean_reward: Option<f64>,
    /// Mean realised reward by step of the series, oldest first; gaps where it had none.
    pub reward_history: Vec<Option<Ratio>>,
    /// Share of its recent calls that failed; a rate limit is a pause and no failure.
    pub error_rate: Option<Ratio>,
    /// Mean dollars of the runs it answered.
    pub cost_usd_per_run: Option<f64>,
    /// Judged races it took part in.
    pub trials: u64,
    /// Those in which it was judged best.
    pub wins: u64,
    /// Where it came in, in judged races since the state began.
    #[serde(default)]
    pub places: Places,
    /// Weight of its data after forgetting.
    pub effective_n: f64,
    /// Answers served by intent over the window, in the order of [`Intent::ALL`].
    pub served_by_intent: [u64; 5],
    /// Bounds of the share of runs that it takes part in, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ArmLimits>,
    /// Retries and hedges of it; absent where it was not called since the process began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<ExtraCount>,
}

/// Bounds of the share of runs that an arm takes part in, and how near it is to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmLimits {
    /// As they were set.
    pub set: ShareLimits,
    /// When they were.
    pub since: Timestamp,
    /// The share that is allowed now, at least and at most, in [0, 1]: the upper bound may still be rising.
    pub now: (f64, f64),
    /// The share of runs begun since then that it was chosen for, as far as the windows reach; where it answered only
    /// because another had failed or was slow, it was not.
    pub taken: Option<Ratio>,
    /// Of how many runs.
    pub runs: u64,
}

impl ArmLimits {
    /// Whether what it takes is within what is allowed now; true while nothing is known.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.taken.is_none_or(|taken| (self.now.0..=self.now.1).contains(&taken.get()))
    }

    /// When the upper bound is where it was set, if it is not there yet at `now`.
    #[must_use]
    pub fn rises_until(&self, now: Timestamp) -> Option<Timestamp> {
        let ramp = Duration::try_from_secs_f64(self.set.ramp_s).ok().filter(|ramp| !ramp.is_zero())?;
        Some(self.since.plus(ramp)).filter(|end| *end > now)
    }
}

/// Runs in the window that rates and shares are over, at most, however short a time they take.
pub const WINDOW_RUNS: usize = 4_096;

/// Counts since the state began, and rates over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Runs completed.
    pub runs: u64,
    /// Answers served.
    pub served: u64,
    /// Runs that no arm could answer.
    pub failed: u64,
    /// Runs cancelled.
    pub cancelled: u64,
    /// Runs that served an answer without a guardrail flag which nobody rated as bad.
    #[serde(default)]
    pub resolved: u64,
    /// Runs in flight now.
    pub in_flight: u64,
    /// Runs a second, over the last ten seconds.
    pub runs_per_s: Option<f64>,
    /// Served at the first try, over the window.
    pub first_try: Option<Ratio>,
    /// Runs with a fallback, over the window.
    pub fallback_rate: Option<Ratio>,
    /// Runs that explored, over the window.
    pub explore_rate: Option<Ratio>,
    /// End-to-end seconds over the window.
    pub p50_s: Option<f64>,
    /// End-to-end seconds over the window.
    pub p95_s: Option<f64>,
    /// End-to-end seconds over the window.
    pub p99_s: Option<f64>,
    /// Mean dollars of a run, over the window.
    pub usd_per_run: Option<f64>,
    /// Dollars since midnight UTC.
    pub usd_today: f64,
    /// Dollars since the state began.
    pub usd_total: f64,
    /// Dollars since the state began for each run that was resolved.
    #[serde(default)]
    pub usd_per_resolved_run: Option<f64>,
    /// Runs in the window that the rates are over; at most [`WINDOW_RUNS`].
    pub window_runs: u64,
    /// Seconds that the window spans.
    pub window_s: f64,
    /// Events that a slow reader lost.
    pub dropped_events: u64,
    /// Times a term or a reward had to be clamped into [0, 1].
    pub clamped: u64,
}

/// Charts over time, in equal steps; the last bucket is the newest and may be incomplete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Seconds a step.
    pub step_s: f64,
    /// The end of the last bucket.
    pub end: Timestamp,
    /// One entry per arm.
    pub arms: Vec<ArmSeries>,
    /// Runs with a fallback, by step.
    pub fallback_rate: Vec<Option<Ratio>>,
    /// Mean reward of what was served, by step.
    pub reward: Vec<Option<Ratio>>,
    /// Runs completed, by step.
    pub runs: Vec<u32>,
    /// Events to mark on the time axis.
    pub marks: Vec<Mark>,
}

/// One arm's charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSeries {
    /// The arm.
    pub arm: ArmId,
    /// Traffic share by step.
    pub share: Vec<Option<Ratio>>,
    /// Mean realised reward by step.
    pub reward: Vec<Option<Ratio>>,
}

/// Something that happened, on the time axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// In a few words.
    pub label: String,
    /// Operator action, or something that happened by itself.
    pub by_person: bool,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `sled`, `memory`.
    pub kind: String,
    /// How well a command would be kept now.
    pub durability: Durability,
    /// For a banner: disk full, moved aside as …, started from …
    pub notice: Option<String>,
}

/// One run in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// When it started.
    pub at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// What was asked, on one line, cut.
    pub prompt: String,
    /// The recognised intent.
    pub intent: Intent,
    /// Who decided.
    pub decision: GateDecision,
    /// Who answered.
    pub winner: Option<ArmId>,
    /// The reward of who answered.
    pub reward: Option<Ratio>,
    /// Attempts after the first.
    pub fallbacks: u32,
    /// Start to end.
    pub total_s: f64,
    /// Dollars.
    pub cost_usd: f64,
    /// Why it failed, where it did.
    pub failure: Option<String>,
    /// What the judge said of the answer after it was served, where it was asked then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub afterwards: Option<Ratio>,
}
