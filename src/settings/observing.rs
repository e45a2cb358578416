//! The settings of what other tools read: the log, telemetry, alarms. Typed and checked like the rest
//! (`model.rs`); what is done with them is said by the rooms that get them.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::domain::observer::RecordPrompts;

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Option<String>,
    /// Where the log is written while the console runs.
    pub file: LogFile,
    /// One JSON object a line; else as on the Logs screen.
    pub json: bool,
    /// Bytes of one file.
    pub max_bytes: u64,
    /// Files, the newest included.
    pub keep: u32,
    /// What of a prompt is logged.
    pub prompts: RecordPrompts,
}

/// Where the log is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFile {
    /// In the data directory.
    #[default]
    InDataDir,
    /// There.
    At(PathBuf),
    /// Nowhere.
    Off,
}

/// `[telemetry]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Where `/metrics` is served while the console runs; nowhere where absent.
    pub listen: Option<SocketAddr>,
    /// The OTLP collector, up to and without `/v1/traces`; the `OTEL_…` variables decide where absent.
    pub otlp_endpoint: Option<String>,
    /// Whether spans hold prompts and answers.
    pub otlp_content: bool,
    /// Whether endpoints are told the trace of a call (`traceparent`).
    pub propagate: bool,
}

/// `[alarms]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmSettings {
    /// Whether the terminal's bell rings for a new alarm.
    pub bell: bool,
    /// Where alarms are posted.
    pub webhook: Option<String>,
    /// The environment variable that holds that address.
    pub webhook_env: Option<String>,
}
