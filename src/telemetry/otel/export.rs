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
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SpanExporter as _;

use super::super::hub::locked;
use super::super::queue::{Counters, Told};
use super::meters::Meters;
use super::spans::Tracing;
use super::{Link, OtelConfig};
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;
use crate::domain::spec::ArmSpec;
use crate::domain::text::{cut, one_line};

/// Records that make one request.
const BATCH: usize = 64;
/// How long a request may take, where no variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long records are gathered.
const GATHER: Duration = Duration::from_millis(500);
/// Bytes of a fault that are shown.
const SHOWN: usize = 160;

/// What is sent with.
pub(super) struct Exporter<'a> {
    spans: Option<SpanExporter>,
    meters: Option<(SdkMeterProvider, Meters)>,
    scope: InstrumentationScope,
    config: &'a OtelConfig,
    link: &'a Link,
    counters: &'a Counters,
}

impl<'a> Exporter<'a> {
    /// Serves the queue until it is told to stop.
    pub(super) fn serve(
        config: &'a OtelConfig,
        records: &Receiver<Told<Arc<RunRecord>>>,
        link: &'a Link,
        counters: &'a Counters,
    ) {
        match Self::new(config, link, counters) {
            Ok(exporter) => exporter.run(records),
            Err(reason) => {
                *locked(&link.fault) = Some(format!("OTLP cannot be set up: {}", shown(&reason)));
                while let Ok(Told::Item(_)) = records.recv() {
                    counters.dropped(1);
                }
            }
        }
    }

    fn new(config: &'a OtelConfig, link: &'a Link, counters: &'a Counters) -> Result<Self, String> {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resource = Resource::builder().with_attribute(service_version());
        let has_name = std::env::var_os("OTEL_SERVICE_NAME").is_some()
            || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| all.contains("service.name"));
        let resource = if has_name { resource } else { resource.with_service_name("banditop") }.build();
        let spans = config.traces.then(|| span_exporter(config, &resource)).transpose()?;
        let meters = config.metrics.then(|| meter_provider(config, resource)).transpose()?;
        let scope = InstrumentationScope::builder("banditop").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { spans, meters, scope, config, link, counters })
    }

    fn run(&self, records: &Receiver<Told<Arc<RunRecord>>>) {
        let mut waiting: Vec<Arc<RunRecord>> = Vec::with_capacity(BATCH);
        loop {
            let told = if waiting.is_empty() {
                records.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                records.recv_timeout(GATHER)
            };
            match told {
                Ok(Told::Item(record)) => {
                    waiting.push(record);
                    if waiting.len() < BATCH {
                        continue;
                    }
                }
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

    fn send(&self, records: &[Arc<RunRecord>]) {
        if records.is_empty() {
            return;
        }
        let picture = locked(&self.link.engine).as_ref().map(|engine| engine.snapshot());
        let specs = |arm: &ArmId| -> Option<ArmSpec> {
            let row = picture.as_ref()?.arms.iter().find(|row| row.arm == *arm)?;
            Some(row.spec.clone())
        };
        if let Some((_, meters)) = &self.meters {
            for record in records {
                meters.record(record, &specs);
            }
        }
        let Some(exporter) = &self.spans else { return self.counters.sent(records.len() as u64) };
        let tracing = Tracing { specs: &specs, content: self.config.content, scope: &self.scope };
        let spans = records.iter().flat_map(|record| tracing.spans(record)).collect();
        let sent = wait(exporter.export(spans));
        match &sent {
            Ok(()) => self.counters.sent(records.len() as u64),
            Err(_) => self.counters.dropped(records.len() as u64),
        }
        let fault = sent.err().map(|error| {
            format!("the collector does not take traces ({}): runs go on; check telemetry.otlp_endpoint", shown(&error))
        });
        *locked(&self.link.fault) = fault;
    }
}

fn service_version() -> opentelemetry::KeyValue {
    opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))
}

/// A client of its own: no redirects (a header may hold a key), bounded in time.
fn client() -> Result<reqwest::blocking::Client, String> {
    let from_variable =
        |name| std::env::var(name).ok().and_then(|ms: String| ms.parse().ok()).map(Duration::from_millis);
    let timeout = from_variable("OTEL_EXPORTER_OTLP_TIMEOUT").unwrap_or(TIMEOUT);
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
    let mut builder =
        SpanExporter::builder().with_http().with_http_client(client()?).with_protocol(Protocol::HttpBinary);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(format!("{endpoint}/v1/traces"));
    }
    let mut exporter = builder.build().map_err(|error| error.to_string())?;
    exporter.set_resource(resource);
    Ok(exporter)
}

fn meter_provider(config: &OtelConfig, resource: Resource) -> Result<(SdkMeterProvider, Meters), String> {
    let mut builder =
        MetricExporter::builder().with_http().with_http_client(client()?).with_protocol(Protocol::HttpBinary);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(format!("{endpoint}/v1/metrics"));
    }
    let exporter = builder.build().map_err(|error| error.to_string())?;
    let mut reader = PeriodicReader::builder(exporter);
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
