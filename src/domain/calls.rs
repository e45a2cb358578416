//! What the calls of a run took, one record a kind: previews, the judge, full answers. Parts of a
//! [`RunRecord`](super::record::RunRecord); their JSON is part of what `ask --json` prints, so fields may be
//! added, none renamed. What they led to is in `record.rs`.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::flag::Flag;
use super::handling::Handling;
use super::ids::ArmId;

/// One preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewRecord {
    /// The arm.
    pub arm: ArmId,
    /// Seconds from start to the last token wanted.
    pub latency_s: f64,
    /// Seconds to the first token; absent where none came.
    pub ttft_s: Option<f64>,
    /// Tokens of the preview.
    pub tokens: u32,
    /// Tokens of the prompt.
    #[serde(default)]
    pub tokens_in: u32,
    /// True where tokens are estimated.
    #[serde(default)]
    pub estimated: bool,
    /// Dollars of the preview; absent where the price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Whether it came from the cache.
    pub cached: bool,
    /// What is wrong with its text; see `domain/flag.rs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The text, cut to a bounded length.
    pub text: String,
    /// Why it failed.
    pub error: Option<Failure>,
    /// How the call was dealt with: retries, deadlines.
    #[serde(default, skip_serializing_if = "Handling::is_plain")]
    pub handling: Handling,
}

/// What asking the judge took, the second asking included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgingRecord {
    /// Who was asked; empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judge: String,
    /// Calls made.
    pub calls: u32,
    /// Tokens of the tasks.
    pub tokens_in: u32,
    /// Tokens of the replies.
    pub tokens_out: u32,
    /// Dollars; unknown prices count as 0.
    pub cost_usd: f64,
    /// Seconds to the first token of the first reply; absent where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_s: Option<f64>,
    /// Why the last call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// How the calls were dealt with: retries, deadlines.
    #[serde(default, skip_serializing_if = "Handling::is_plain")]
    pub handling: Handling,
}

/// One full answer that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, as in the JSON")]
pub struct AttemptRecord {
    /// The arm.
    pub arm: ArmId,
    /// Whether its answer could be served.
    pub ok: bool,
    /// Why not.
    pub error: Option<Failure>,
    /// Seconds from the start of the full answers to its own; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_s: Option<f64>,
    /// Seconds from start to end.
    pub latency_s: f64,
    /// Seconds to the first token.
    pub ttft_s: Option<f64>,
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// Tokens of the answer.
    pub tokens_out: u32,
    /// True where tokens are estimated.
    #[serde(default)]
    pub estimated: bool,
    /// Dollars; absent where the price is unknown.
    pub cost_usd: Option<f64>,
    /// True where it ran beside another and was cancelled as the loser: what it took is wasted, and it is
    /// neither a failure nor a fallback.
    #[serde(default)]
    pub lost: bool,
    /// True where it was started beside another (speculatively), and not because that one had failed.
    #[serde(default)]
    pub hedge: bool,
    /// What is wrong with its text; see `domain/flag.rs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// How the call was dealt with: retries, deadlines.
    #[serde(default, skip_serializing_if = "Handling::is_plain")]
    pub handling: Handling,
}

impl AttemptRecord {
    /// Whether how it ended says something about its endpoint: not that of a mere loser, which nobody waited for.
    #[must_use]
    pub fn says_of_health(&self) -> bool {
        !self.lost || self.error.as_ref().is_some_and(|failure| failure.class.is_health())
    }
}
