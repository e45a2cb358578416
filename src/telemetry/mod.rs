//! What other tools read: Prometheus, OpenTelemetry, logs, objectives. Everything here is a fold over what
//! the engine says: it looks on and changes nothing. What takes time (a collector, a webhook, a disk) is
//! done by threads of its own behind bounded queues; what they cannot keep up with is dropped and counted.
//!
//! Not here: the counts themselves. The engine folds them once and every picture carries them, so that
//! `/metrics`, `state show --json` and the screen cannot disagree. Nor the door to them, which is the
//! gateway's.

mod exposition;
mod families;
mod hub;
mod log;
mod otel;
mod queue;
mod slo;
#[cfg(test)]
mod tests;
mod webhook;

pub use exposition::{CONTENT_TYPE, render};
pub use hub::{Telemetry, TelemetryParts};
pub use log::{RotatingFile, digest};
pub use otel::{OtelConfig, OtelFault};
pub use queue::{Counters, SinkFigures, Sinks};
pub use webhook::WebhookConfig;
