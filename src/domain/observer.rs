//! The port to whoever looks on: logs, traces, objectives. The engine tells it what happened and asks it
//! what a person should see; it changes nothing, and nothing waits for it.

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarm::Severity;
use super::event::RunEvent;
use super::failure::Failure;
use super::ids::ArmId;
use super::record::RunRecord;

/// What of a prompt goes into the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordPrompts {
    /// Nothing.
    #[default]
    Off,
    /// A digest: equal prompts can be told to be equal.
    Hash,
    /// The text.
    Full,
}

impl RecordPrompts {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Off, "off"), (Self::Hash, "hash"), (Self::Full, "full")];
}

/// How one service level objective stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Its name in the configuration.
    pub name: String,
    /// In words, with its limit: `p95 ≤ 5 s`.
    pub wanted: String,
    /// What was measured over the window, in the unit of the limit; absent without runs.
    pub found: Option<f64>,
    /// The same in words: `97.2% within`.
    #[serde(default)]
    pub found_words: Option<String>,
    /// The limit; of a percentile the share of runs that must be within it.
    pub limit: f64,
    /// Seconds of the long and the short window.
    pub windows_s: [f64; 2],
    /// How many times faster than allowed the error budget goes, over the long and the short window; at 1
    /// it is just used up. Absent without runs.
    pub burn: [Option<f64>; 2],
    /// What is left of the error budget over the long window, in [0, 1]; below 0 it is overdrawn.
    pub budget_left: Option<f64>,
    /// Whether both windows burn fast enough for an alarm.
    pub is_burning: bool,
}

/// Something that holds and that a person should know: it is shown as an alarm for as long as it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// One alarm a subject.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// In one line.
    pub message: String,
    /// The name of an action in the registry that helps.
    pub remedy: Option<&'static str>,
}

/// Whoever looks on. Every method returns at once: what takes time is done elsewhere, and what cannot be
/// kept up with is dropped and counted.
pub trait Observer: Send + Sync + Debug {
    /// Arms were chosen: called with [`RunEvent::Selected`], before the first model is asked.
    fn decided(&self, _selected: &RunEvent) {}

    /// A preview or an answer of `arm` has ended, well or with that failure; while its run goes on.
    fn called(&self, _arm: &ArmId, _failure: Option<&Failure>) {}

    /// A run has ended and was taken in; called once a run, in the order of the log.
    fn finished(&self, _record: &Arc<RunRecord>) {}

    /// A run that an earlier process took in, as far as they are retained; oldest first, before anything else.
    fn remembered(&self, _record: &RunRecord) {}

    /// A person rated an answer, or an undo took a rating back; the record has what holds now, `before` is what
    /// held until then.
    fn rated(&self, _record: &Arc<RunRecord>, _before: Option<f64>) {}

    /// An answer was judged after it had been served; the record has the verdict and what it cost.
    fn judged(&self, _record: &Arc<RunRecord>) {}

    /// How the objectives stand now.
    fn objectives(&self) -> Vec<Objective> {
        Vec::new()
    }

    /// What holds now.
    fn conditions(&self) -> Vec<Condition> {
        Vec::new()
    }
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
