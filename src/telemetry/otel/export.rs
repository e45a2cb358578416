//! The exporting thread. Everything that blocks is here; the clients are built here too, since a blocking
//! client must not be made on a thread of the asynchronous runtime.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::super::hub::locked;
use super::super::queue::{Counters, Held, Told};
use super::meters::Meters;
use super::spans::Tracing;
use super::{Link, OtelConfig, OtelCounters};
use crate::domain::ids::ArmId;
use crate::domain::record::{RunRecord, UNNAMED_JUDGE};
use crate::domain::spec::ArmSpec;
use crate::domain::text::{cut, one_line};

/// Records that make one request.
const BATCH: usize = 64;
/// How long a request may take, where no variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long records are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// How long after a failure the collector is asked whether it takes traces again, where no run asks it.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Bytes of a fault that are shown.
const SHOWN: usize = 160;

/// What is to be sent, and who is told how that went.
pub(super) struct Sending {
    pub config: OtelConfig,
    /// The model that judges, where one does.
    pub judge: Option<ArmSpec>,
    pub link: Arc<Link>,
    pub counters: OtelCounters,
}

/// What is sent with.
pub(super) struct Exporter<'a> {
    spans: Option<SpanExporter>,
    meters: Option<(SdkMeterProvider, Meters)>,
    scope: InstrumentationScope,
    sending: &'a Sending,
}

/// Records that wait for the collector.
type Waiting = Held<Arc<RunRecord>>;

impl<'a> Exporter<'a> {
    /// Serves the queue until it is told to stop.
    pub(super) fn serve(sending: &'a Sending, records: &Receiver<Told<Arc<RunRecord>>>) {
        match Self::new(sending) {
            Ok(exporter) => exporter.run(records),
            Err(reason) => {
                locked(&sending.link.faults).setup = Some(format!("OTLP cannot be set up: {}", shown(&reason)));
                while let Ok(Told::Item(_)) = records.recv() {
                    sending.counters.records.dropped(1);
                }
            }
        }
    }

    fn new(sending: &'a Sending) -> Result<Self, String> {
        let config = &sending.config;
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resource = Resource::builder().with_attribute(service_version());
        let has_name = std::env::var_os("OTEL_SERVICE_NAME").is_some()
            || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| all.contains("service.name"));
        let resource = if has_name { resource } else { resource.with_service_name("banditop") }.build();
        let spans = config.traces.then(|| span_exporter(config, &resource)).transpose()?;
        let meters = config.metrics.then(|| meter_provider(sending, resource)).transpose()?;
        let scope = InstrumentationScope::builder("banditop").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { spans, meters, scope, sending })
    }

    fn run(&self, records: &Receiver<Told<Arc<RunRecord>>>) {
        let mut waiting: Vec<Waiting> = Vec::with_capacity(BATCH);
        loop {
            let told = match self.patience(&waiting) {
                None => records.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => records.recv_timeout(patience),
            };
            match told {
                Ok(Told::Item(record)) => {
                    waiting.push(record);
                    if waiting.len() < BATCH {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) if waiting.is_empty() => self.ask_again(),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.send(&waiting);
                    break;
                }
            }
            self.send(&waiting);
            waiting.clear();
        }
        if let Some((provider, _)) = &self.meters {
            // A collector that is away is no fault of the end.
            let _ = provider.shutdown();
        }
    }

    /// How long to wait for the next record; `None` for as long as it takes.
    fn patience(&self, waiting: &[Waiting]) -> Option<Duration> {
        if !waiting.is_empty() {
            return Some(GATHER);
        }
        let again = self.sending.config.interval.map_or(ASK_AGAIN, |interval| interval.min(ASK_AGAIN));
        locked(&self.sending.link.faults).traces.is_some().then_some(again)
    }

    fn send(&self, records: &[Waiting]) {
        if records.is_empty() {
            return;
        }
        let Sending { config, judge, link, counters } = self.sending;
        let picture = locked(&link.engine).as_ref().map(|engine| engine.snapshot());
        let specs = |name: &ArmId| -> Option<ArmSpec> {
            let row = picture.as_ref().and_then(|picture| picture.arms.iter().find(|row| row.arm == *name));
            let is_judge = |judge: &&ArmSpec| judge.name == *name || name.as_str() == UNNAMED_JUDGE;
            row.map(|row| &row.spec).or_else(|| judge.as_ref().filter(is_judge)).cloned()
        };
        if let Some((_, meters)) = &self.meters {
            for record in records {
                meters.record(record, &specs);
            }
        }
        let Some(exporter) = &self.spans else { return };
        let tracing = Tracing { specs: &specs, content: config.content, scope: &self.scope };
        let spans = records.iter().flat_map(|record| tracing.spans(record)).collect();
        let count = records.len() as u64;
        if self.export(exporter, spans) { counters.records.sent(count) } else { counters.records.dropped(count) }
    }

    /// An empty request: a collector that takes it is back, and the word about it is taken back.
    fn ask_again(&self) {
        if let Some(exporter) = &self.spans {
            self.export(exporter, Vec::new());
        }
    }

    /// Whether the collector took them; if not, that is said until it does.
    fn export(&self, exporter: &SpanExporter, spans: Vec<SpanData>) -> bool {
        let sent = wait(exporter.export(spans));
        locked(&self.sending.link.faults).traces = refusal("traces", &sent);
        sent.is_ok()
    }
}

/// What is said where the collector did not take something.
fn refusal(what: &str, sent: &OTelSdkResult) -> Option<String> {
    let fault = shown(sent.as_ref().err()?);
    Some(format!("the collector does not take {what} ({fault}): runs go on; check telemetry.otlp_endpoint"))
}

/// A metric exporter that counts and tells how its sendings went: the SDK's reader only logs that.
struct Watched {
    exporter: MetricExporter,
    link: Arc<Link>,
    counters: Arc<Counters>,
}

impl PushMetricExporter for Watched {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let sent = self.exporter.export(metrics).await;
        if sent.is_ok() {
            self.counters.sent(1);
        } else {
            self.counters.dropped(1);
        }
        locked(&self.link.faults).metrics = refusal("metrics", &sent);
        sent
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

fn service_version() -> opentelemetry::KeyValue {
    opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))
}

/// A client of its own: no redirects (a header may hold a key), bounded in time by the signal's own variable or
/// that of all.
fn client(own: &str) -> Result<reqwest::blocking::Client, String> {
    let from_variable =
        |name: &str| std::env::var(name).ok().and_then(|ms: String| ms.parse().ok()).map(Duration::from_millis);
    let timeout = from_variable(own).or_else(|| from_variable("OTEL_EXPORTER_OTLP_TIMEOUT")).unwrap_or(TIMEOUT);
    let builder = || {
        reqwest::blocking::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("banditop/", env!("CARGO_PKG_VERSION")))
    };
    // A machine without system roots still has collectors on plain HTTP.
    builder().build().or_else(|_| builder().tls_certs_only([]).build()).map_err(|fault| fault.to_string())
}

fn span_exporter(config: &OtelConfig, resource: &Resource) -> Result<SpanExporter, String> {
    let mut builder = SpanExporter::builder()
        .with_http()
        .with_http_client(client("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")?)
        .with_protocol(Protocol::HttpBinary);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(format!("{endpoint}/v1/traces"));
    }
    let mut exporter = builder.build().map_err(|error| error.to_string())?;
    exporter.set_resource(resource);
    Ok(exporter)
}

fn meter_provider(sending: &Sending, resource: Resource) -> Result<(SdkMeterProvider, Meters), String> {
    let Sending { config, link, counters, .. } = sending;
    let mut builder = MetricExporter::builder()
        .with_http()
        .with_http_client(client("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT")?)
        .with_protocol(Protocol::HttpBinary);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(format!("{endpoint}/v1/metrics"));
    }
    let exporter = builder.build().map_err(|error| error.to_string())?;
    let watched = Watched { exporter, link: Arc::clone(link), counters: Arc::clone(&counters.metrics) };
    let mut reader = PeriodicReader::builder(watched);
    if let Some(interval) = config.interval {
        reader = reader.with_interval(interval);
    }
    let provider = SdkMeterProvider::builder().with_reader(reader.build()).with_resource(resource).build();
    let meters = Meters::new(&provider.meter("banditop"));
    Ok((provider, meters))
}

/// What a fault says, on one line and short; an address in it has no credentials, which the settings refuse.
fn shown(error: &impl ToString) -> String {
    let text = one_line(&error.to_string());
    cut(&text, SHOWN).0.to_owned()
}

/// Waits for a future on this thread; with a blocking client it is ready at once.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
