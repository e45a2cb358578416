//! The port to the traffic generator and to faults of simulated arms: what the keys `t`, `[` and `]` act on.

use serde::{Deserialize, Serialize};

/// How the generator stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficStatus {
    /// Whether it sends.
    pub on: bool,
    /// Runs a second that it aims at.
    pub rate_per_s: f64,
    /// Runs it has sent.
    pub sent: u64,
    /// Runs it held back because too many were in flight.
    pub held_back: u64,
}

/// A traffic generator. Never blocks.
pub trait TrafficControl: Send + Sync {
    /// How it stands.
    fn status(&self) -> TrafficStatus;
    /// Switches it on or off.
    fn set_on(&self, on: bool);
    /// Sets the rate, clamped into what it can do.
    fn set_rate(&self, rate_per_s: f64);
}
