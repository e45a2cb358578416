//! How a call was dealt with beyond being made: how often and why it was made again, why it was not, and
//! which deadlines it had. Facts for records; what they mean for an arm is said elsewhere.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How one call was dealt with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Handling {
    /// One entry per time that it was made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<Retried>,
    /// Why a failure in passing was not tried again, where it was not for the number of tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unretried: Option<Cow<'static, str>>,
    /// Why no second answer was started beside it, where one was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhedged: Option<Cow<'static, str>>,
    /// Seconds between two parts with content, at most; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_s: Option<f64>,
    /// The deadlines that applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlines: Option<Deadlines>,
    /// Tokens of the prompt that the endpoint had in its cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u32,
    /// Whether the call was never made: nothing could pay for it, or there was no way to make it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unmade: bool,
    /// Whether the endpoint counted more tokens than can be, so that an estimate stands instead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub miscounted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// One time that a call was made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    /// The kind of the failure before it.
    pub kind: Cow<'static, str>,
    /// Seconds that were waited in between.
    pub waited_s: f64,
}

/// The deadlines of one call, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deadlines {
    /// To the first token.
    pub first_token_s: f64,
    /// Between two tokens.
    pub between_tokens_s: f64,
    /// Of the whole call, made again or not.
    pub whole_s: f64,
    /// Whether any of them follows what was seen of the arm, rather than a setting.
    #[serde(default)]
    pub learned: bool,
}

/// What one endpoint was granted and refused of calls that nobody asked for, since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtraCount {
    /// Retries that are left now.
    pub left: f64,
    /// Calls that somebody asked for.
    pub calls: u64,
    /// Retries granted.
    pub retries: u64,
    /// Hedges granted.
    pub hedges: u64,
    /// Extras refused.
    pub denied: u64,
}

/// An endpoint that is no arm: its budget of extra calls is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Helper {
    /// A judge that is a model of its own; one that is an arm has the arm's.
    Judge,
    /// The endpoint of embeddings.
    Embedding,
}

impl Helper {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Judge, Self::Embedding];

    /// The name in metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Embedding => "embedding",
        }
    }
}

impl Handling {
    /// Whether there is nothing to say.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.retries.is_empty()
            && self.unretried.is_none()
            && self.unhedged.is_none()
            && self.deadlines.is_none()
            && self.longest_gap_s.is_none()
            && self.cached_tokens == 0
            && !self.unmade
            && !self.miscounted
    }

    /// How often the call was made again.
    #[must_use]
    pub fn times(&self) -> u32 {
        u32::try_from(self.retries.len()).unwrap_or(u32::MAX)
    }
}
