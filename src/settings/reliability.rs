//! How long to wait, how often to ask again, and when an arm is taken out: `[timeouts]`, `[retry]` and
//! `[health]`.

use std::time::Duration;

/// `[timeouts]`; what is absent follows each arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeoutSettings {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the first token.
    pub first_token: Option<Duration>,
    /// Between two tokens.
    pub between_tokens: Option<Duration>,
    /// One preview.
    pub preview: Option<Duration>,
    /// The judge.
    pub judge: Option<Duration>,
    /// One full answer.
    pub full: Option<Duration>,
    /// What an arm's p99 is multiplied by.
    pub multiplier: f64,
    /// A token is waited for at least so long.
    pub floor: Duration,
    /// A token is waited for at most so long.
    pub ceiling: Duration,
    /// Calls of an arm before its deadlines follow it.
    pub least_calls: usize,
}

/// `[retry]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetrySettings {
    /// Times that a call is made, the first included.
    pub attempts: u32,
    /// The longest wait before the first retry.
    pub base: Duration,
    /// The longest wait that is chosen here.
    pub longest: Duration,
    /// The longest wait that an endpoint may ask for, all waits of a call together.
    pub patience: Duration,
    /// The longest wait of a preview, all of it together.
    pub preview_patience: Duration,
    /// Retries per call of one endpoint.
    pub share: f64,
    /// Retries and hedges per call of any.
    pub extra_share: f64,
    /// Extras per second whatever the traffic.
    pub trickle_per_s: f64,
}

/// `[health]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthSettings {
    /// Failures in a row that eject.
    pub consecutive: u32,
    /// Share of the calls of a minute that ejects.
    pub share: f64,
    /// Calls in that minute before it does.
    pub volume: u32,
    /// The first ejection.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
    /// A rate limit without a time.
    pub cooling: Duration,
}
