//! The one classification of everything that goes wrong with an endpoint, used by retry, health,
//! reward, telemetry and the screen. A class says what to do about it; a kind says what it was.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// It may work again soon: connection, timeout, 408, 409, 425, 429, 5xx, stall, truncated stream.
    Transient,
    /// Money or quota is used up: 402, `insufficient_quota`.
    Quota,
    /// The arm answered, badly: refusal, filter, empty, malformed. Quality 0, no retry on the same arm.
    Content,
    /// The request is at fault: 400, 413, 422, context too long.
    Caller,
    /// A setting is at fault: 401, 403, unknown model, certificate, redirect.
    Configuration,
    /// A ceiling of ours was reached.
    Budget,
    /// Stopped by a person, a caller or as a loser; not a failure.
    Cancelled,
}

impl FailureClass {
    /// The name in logs, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Quota => "quota",
            Self::Content => "content",
            Self::Caller => "caller",
            Self::Configuration => "configuration",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the endpoint's health is in question (and never what was learned about its quality).
    #[must_use]
    pub const fn is_health(self) -> bool {
        matches!(self, Self::Transient | Self::Quota | Self::Configuration)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One failure of one call. Never holds a secret: messages of endpoints are cut and scrubbed first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{class} ({kind}): {message}")]
pub struct Failure {
    /// What to do about it.
    pub class: FailureClass,
    /// What it was, of low cardinality: `connect`, `http_503`, `first_token_timeout`, `empty`, …
    pub kind: Cow<'static, str>,
    /// For a person: what happened and, where it is known, which setting to mend.
    pub message: String,
    /// How long the endpoint asked us to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// What the endpoint said about asking again at all (`x-should-retry`), where it said something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_retry: Option<bool>,
}

impl Failure {
    /// Whether the endpoint is well and only wants fewer calls.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        self.class == FailureClass::Transient && self.kind == "http_429"
    }

    /// A failure without a wish about when to come back.
    #[must_use]
    pub fn new(class: FailureClass, kind: &'static str, message: impl Into<String>) -> Self {
        Self { class, kind: Cow::Borrowed(kind), message: message.into(), retry_after: None, should_retry: None }
    }
}
