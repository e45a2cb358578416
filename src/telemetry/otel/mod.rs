//! OpenTelemetry over OTLP (HTTP, protobuf). A thread of its own takes records from a bounded queue, makes
//! spans and metrics of them and sends them with a blocking client; nothing waits for it. A collector that
//! is away, refuses or hangs costs what does not fit into the queue, which is counted, and is told as a
//! condition until it takes something again. Ending is bounded in time.
//!
//! Off unless an endpoint is configured or a standard `OTEL_…` variable names one; headers, timeouts and
//! resource attributes are read from those variables by the OpenTelemetry crates themselves.

mod calls;
mod export;
mod meters;
mod names;
mod spans;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use export::{Exporter, Sending};

use super::hub::locked;
use super::queue::{Counters, Room, Worker};
use crate::domain::engine::EngineHandle;
use crate::domain::record::RunRecord;
use crate::domain::spec::ArmSpec;

/// Records that may wait for the collector.
const ROOM: Room = Room { items: 1_024, bytes: 16 << 20 };

/// Why the variables cannot be obeyed; a note, not an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtelFault {
    /// Another protocol is asked for.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL asks for {0}, and only http/protobuf is spoken here: that is used")]
    Protocol(String),
}

/// What is sent where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtelConfig {
    /// The configured collector, up to and without `/v1/traces`; `None` leaves it to the variables.
    pub endpoint: Option<String>,
    /// Whether traces are sent.
    pub traces: bool,
    /// Whether metrics are.
    pub metrics: bool,
    /// Whether messages are told: prompts and answers.
    pub content: bool,
    /// Between two sendings of metrics; the variable or a minute where absent.
    pub interval: Option<Duration>,
}

impl OtelConfig {
    /// What configuration and environment ask for; `None` where that is nothing.
    ///
    /// # Errors
    /// Never fatal: what of the environment cannot be obeyed, beside what is done instead.
    #[must_use]
    pub fn wanted(
        endpoint: Option<&str>,
        content: bool,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> (Option<Self>, Option<OtelFault>) {
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
        let is =
            |name: &str, wanted: &str| variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted));
        let everywhere = endpoint.is_some() || is_set("OTEL_EXPORTER_OTLP_ENDPOINT");
        // A list; `otlp` is what there is here.
        let is_exported = |exporter: &str| {
            variable(exporter).is_none_or(|names| {
                names.trim().is_empty() || names.split(',').any(|name| name.trim().eq_ignore_ascii_case("otlp"))
            })
        };
        let signal = |own: &str, exporter: &str| (everywhere || is_set(own)) && is_exported(exporter);
        let traces = signal("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
            && !is("OTEL_TRACES_SAMPLER", "always_off");
        let metrics = signal("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER");
        if is("OTEL_SDK_DISABLED", "true") || !(traces || metrics) {
            return (None, None);
        }
        let protocols = [
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
        ];
        let protocol = protocols
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !matches!(value.trim(), "" | "http/protobuf")));
        let config = Self { endpoint: endpoint.map(str::to_owned), traces, metrics, content, interval: None };
        (Some(config), protocol.map(OtelFault::Protocol))
    }
}

/// What the thread is given later.
#[derive(Default)]
pub(super) struct Link {
    /// Whose pictures name models.
    pub engine: Mutex<Option<Arc<dyn EngineHandle>>>,
    /// Why nothing gets through now, if so.
    pub faults: Mutex<Faults>,
}

/// Why nothing gets through, by what it is: each is taken back by its own next success.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Nothing is sent at all.
    pub setup: Option<String>,
    pub traces: Option<String>,
    pub metrics: Option<String>,
}

/// Where what was delivered is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct OtelCounters {
    /// Records: delivered as traces; dropped also where the queue had no room.
    pub records: Arc<Counters>,
    /// Sendings of all the metrics.
    pub metrics: Arc<Counters>,
}

/// The sending end.
pub(super) struct Traces {
    worker: Worker<Arc<RunRecord>>,
    link: Arc<Link>,
}

impl Traces {
    /// Starts the thread; connects to nothing yet. `judge`: the model that judges, where one does.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(config: OtelConfig, judge: Option<ArmSpec>, counters: OtelCounters) -> io::Result<Self> {
        let link = Arc::new(Link::default());
        let (told, queued) = (Arc::clone(&link), Arc::clone(&counters.records));
        let worker = Worker::start("otlp", ROOM, queued, move |records| {
            Exporter::serve(&Sending { config, judge, link: told, counters }, &records);
        })?;
        Ok(Self { worker, link })
    }

    pub(super) fn watch(&self, engine: Arc<dyn EngineHandle>) {
        *locked(&self.link.engine) = Some(engine);
    }

    pub(super) fn push(&self, record: Arc<RunRecord>) {
        let size = record.bytes();
        self.worker.push(record, size);
    }

    /// Why nothing gets through now, if so.
    pub(super) fn fault(&self) -> Option<String> {
        let faults = locked(&self.link.faults);
        faults.setup.as_ref().or(faults.traces.as_ref()).or(faults.metrics.as_ref()).cloned()
    }

    /// Sends what waits, for no longer than `patience`; whether all of it went.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        let is_done = self.worker.stop(patience);
        *locked(&self.link.engine) = None;
        is_done
    }
}
