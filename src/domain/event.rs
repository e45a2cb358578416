//! What a run says while it goes: the live lanes of the Race screen, the streamed answer of `ask` and
//! of the gateway. Exactly one `Finished` ends every run. Events carry facts, no wording.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::handling::Retried;
use super::ids::{ArmId, RunId};
use super::judging::Verdict;
use super::record::{ArmScore, AttemptRecord, ContextRecord, Gate, PreviewRecord, RunRecord};
use super::spec::Strategy;
use super::tally::Phase;

/// One step of one run, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum RunEvent {
    /// Features are computed, arms are chosen.
    Selected {
        /// The run.
        run: RunId,
        /// How it will go.
        strategy: Strategy,
        /// Who decided, and why.
        gate: Gate,
        /// The context by name.
        context: ContextRecord,
        /// Every candidate.
        arms: Vec<ArmScore>,
        /// Tokens wanted of each preview; 0 where there are none.
        preview_tokens: u32,
    },
    /// A preview goes on.
    PreviewText {
        /// The arm.
        arm: ArmId,
        /// What came.
        text: String,
        /// Tokens so far (estimated while streaming).
        tokens: u32,
        /// Seconds since its start.
        elapsed_s: f64,
    },
    /// A preview is in, or failed.
    PreviewDone {
        /// What it was.
        preview: PreviewRecord,
    },
    /// A call failed in passing and will be made again. A reader without room is not told.
    Retrying {
        /// What the call is for.
        phase: Phase,
        /// The arm, or the judge.
        name: String,
        /// 1 for the first retry.
        nth: u32,
        /// Why, and the wait before it.
        retried: Retried,
    },
    /// The web is searched.
    Searching {
        /// Who is asked.
        provider: String,
    },
    /// The search has ended; the run goes on either way.
    Searched {
        /// Pages that were found.
        found: usize,
        /// Seconds that it took.
        seconds: f64,
        /// Why nothing was found out.
        error: Option<Failure>,
    },
    /// The judge is asked.
    Judging {
        /// Who.
        judge: String,
    },
    /// The judge has spoken.
    Judged {
        /// What.
        verdict: Verdict,
    },
    /// In which order arms answer.
    Ordered {
        /// Best first.
        order: Vec<ArmId>,
    },
    /// A full answer is started; text of an earlier attempt that was shown is void.
    AttemptStarted {
        /// The arm.
        arm: ArmId,
        /// 0 for the first try.
        index: u32,
    },
    /// A second full answer is started beside the one that is going on. Its text is not shown unless a later
    /// `AttemptStarted` with the same index says so, which voids the other's.
    HedgeStarted {
        /// The arm.
        arm: ArmId,
        /// Its place among the attempts.
        index: u32,
    },
    /// The answer goes on.
    AnswerText {
        /// Whose.
        arm: ArmId,
        /// What came.
        text: String,
    },
    /// A full answer is complete, or failed.
    AttemptDone {
        /// What it was.
        attempt: AttemptRecord,
    },
    /// The end, with the whole record.
    Finished {
        /// The record.
        record: Arc<RunRecord>,
    },
}
