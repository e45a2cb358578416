//! What a collector receives, decoded; and that one which is away, refuses or hangs disturbs nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as Pair};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::calls::{Times, calls};
use super::*;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::flag::Flag;
use crate::domain::handling::{Handling, Retried};
use crate::domain::record::{AfterwardsRecord, AttemptRecord};
use crate::domain::spec::Provider;
use crate::domain::tally::Phase;
use crate::domain::trace::{CallPlace, root_span, trace_id};
use crate::telemetry::tests::{SECRET_PROMPT, fallen_back, record};

mod search;

/// How long anything may take to arrive; generous, because the machine may be busy.
const ARRIVES: Duration = Duration::from_secs(30);

/// A collector on loopback that answers `status` to everything and passes on what it got.
struct Collector {
    address: SocketAddr,
    received: Receiver<(String, Vec<u8>)>,
    /// The status of every answer.
    says: Arc<Mutex<&'static str>>,
}

impl Collector {
    fn answering(status: &'static str) -> Self {
        let says = Arc::new(Mutex::new(status));
        let said = Arc::clone(&says);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let status = *said.lock().unwrap();
                if take(stream.unwrap(), status, &sender).is_none() {
                    break;
                }
            }
        });
        Self { address, received, says }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request to that path.
    fn next(&self, path: &str) -> Vec<u8> {
        loop {
            let (to, body) = self.received.recv_timeout(ARRIVES).expect("a request arrives");
            if to == path {
                return body;
            }
        }
    }
}

/// One request of one connection; `None` where nobody wants it any more.
fn take(mut stream: TcpStream, status: &str, sender: &Sender<(String, Vec<u8>)>) -> Option<()> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let head = loop {
        let count = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if count == 0 {
            return Some(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    assert!(text.contains("content-type: application/x-protobuf"), "{text}");
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let length: usize = length.unwrap().parse().unwrap();
    while bytes.len() < head + length {
        let count = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    let path = text.split(' ').nth(1).unwrap().to_owned();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    sender.send((path, bytes[head..].to_vec())).ok()
}

fn config(endpoint: String) -> OtelConfig {
    let interval = Some(Duration::from_millis(100));
    OtelConfig { endpoint: Some(endpoint), traces: true, metrics: true, content: false, interval }
}

/// With a judge of its own, `sage`.
fn started(config: OtelConfig, records: Arc<Counters>) -> Traces {
    let judge = ArmSpec {
        name: "sage".into(),
        provider: Provider::Openai,
        base_url: "https://api.mistral.ai/v1".into(),
        model: "wise-1".into(),
        api_key_env: None,
        price: None,
        enabled: true,
    };
    Traces::start(config, Some(judge), OtelCounters { records, ..OtelCounters::default() }).unwrap()
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resource = request.resource_spans[0].resource.clone().unwrap();
    assert_eq!(text(&resource.attributes, "service.name").as_deref(), Some("banditop"));
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn value<'a>(attributes: &'a [Pair], key: &str) -> Option<&'a Any> {
    attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}

fn text(attributes: &[Pair], key: &str) -> Option<String> {
    match value(attributes, key)? {
        Any::StringValue(text) => Some(text.clone()),
        other => panic!("{key} is {other:?}"),
    }
}

fn numbers(attributes: &[Pair], key: &str) -> Vec<f64> {
    let Some(Any::ArrayValue(array)) = value(attributes, key) else { panic!("{key} is no array") };
    let number = |value: &AnyValue| match value.value {
        Some(Any::DoubleValue(number)) => number,
        ref other => panic!("{other:?}"),
    };
    array.values.iter().map(number).collect()
}

#[test]
fn one_trace_a_run_with_the_decision_the_calls_and_the_scores() {
    let collector = Collector::answering("200 OK");
    let traces = started(config(collector.endpoint()), Arc::default());
    let run = record(1);
    traces.push(Arc::new(run.clone()));
    let body = collector.next("/v1/traces");
    assert!(!contains(&body, SECRET_PROMPT), "content is opt-in");
    let spans = spans(&body);
    let id = trace_id(run.run_id).to_be_bytes();
    assert!(spans.iter().all(|span| span.trace_id == id));
    let (root, calls): (Vec<&Span>, Vec<&Span>) = spans.iter().partition(|span| span.parent_span_id.is_empty());
    let [root] = root.as_slice() else { panic!("{} roots", root.len()) };
    assert_eq!(root.name, "invoke_workflow banditop");
    assert_eq!(root.span_id, root_span(run.run_id).to_be_bytes());
    assert_eq!(root.end_time_unix_nano - root.start_time_unix_nano, 2_000_000_000);
    assert_within(root, &calls);
    let at = &root.attributes;
    assert_eq!(text(at, "banditop.winner").as_deref(), Some("swift"));
    assert_eq!(text(at, "banditop.run.id"), Some(run.run_id.to_string()));
    assert_eq!(numbers(at, "banditop.context.x"), [1.0, 0.25]);
    assert_eq!(numbers(at, "banditop.arms.mean"), [0.7, 0.6]);
    assert_eq!(numbers(at, "banditop.arms.propensity"), [0.75, 0.75]);
    assert_eq!(value(at, "banditop.reward.quality"), Some(&Any::DoubleValue(0.75)));
    let names: Vec<&str> = calls.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["chat swift", "chat penny", "chat wise-1", "chat swift"]);
    for call in &calls {
        assert_eq!(call.parent_span_id, root.span_id);
        assert_eq!(text(&call.attributes, "gen_ai.operation.name").as_deref(), Some("chat"));
        assert!(call.status.as_ref().is_none_or(|status| status.code == 0));
    }
    let judge = calls[2];
    assert_eq!(text(&judge.attributes, "gen_ai.provider.name").as_deref(), Some("mistral_ai"));
    assert_eq!(text(&judge.attributes, "server.address").as_deref(), Some("api.mistral.ai"));
    assert_eq!(value(&judge.attributes, "banditop.judge.calls"), Some(&Any::IntValue(2)));
    let scores: Vec<_> = judge.events.iter().filter(|event| event.name == "gen_ai.evaluation.result").collect();
    assert_eq!(scores.len(), 10);
    assert_eq!(value(&judge.attributes, "banditop.cost_usd"), Some(&Any::DoubleValue(0.0005)));
    let overall = |arm: &str| {
        let event = scores.iter().find(|event| {
            text(&event.attributes, "gen_ai.evaluation.name").as_deref() == Some("overall")
                && text(&event.attributes, "banditop.arm").as_deref() == Some(arm)
        });
        value(&event.unwrap().attributes, "gen_ai.evaluation.score.value").cloned()
    };
    assert_eq!((overall("swift"), overall("penny")), (Some(Any::DoubleValue(0.75)), Some(Any::DoubleValue(0.5))));
    let answer = calls[3];
    let place = CallPlace { run: run.run_id, phase: Phase::Answer, nth: 0 };
    assert_eq!(answer.span_id, place.span_id().to_be_bytes());
    assert_eq!(value(&answer.attributes, "gen_ai.usage.output_tokens"), Some(&Any::IntValue(50)));
    assert!(traces.stop(ARRIVES));
}

/// Every call began and ended within its run.
fn assert_within(root: &Span, calls: &[&Span]) {
    for call in calls {
        let is_within = call.start_time_unix_nano >= root.start_time_unix_nano
            && call.end_time_unix_nano <= root.end_time_unix_nano;
        assert!(is_within, "{}", call.name);
    }
}

#[test]
fn fallbacks_show_and_losers_are_no_errors() {
    let collector = Collector::answering("200 OK");
    let traces = started(OtelConfig { content: true, ..config(collector.endpoint()) }, Arc::default());
    let mut run = fallen_back(1);
    run.attempts[1].handling.retries = vec![Retried { kind: "http_429".into(), waited_s: 0.25 }];
    run.attempts[1].flags = vec![Flag::CutOff];
    run.judging.as_mut().unwrap().cost_usd = 0.0;
    run.attempts.push(AttemptRecord {
        ok: false,
        lost: true,
        hedge: true,
        latency_s: 0.75,
        flags: Vec::new(),
        handling: Handling::default(),
        error: Some(crate::domain::failure::Failure::new(
            crate::domain::failure::FailureClass::Cancelled,
            "cancelled",
            "lost",
        )),
        ..run.attempts[1].clone()
    });
    traces.push(Arc::new(run));
    let body = collector.next("/v1/traces");
    assert!(contains(&body, SECRET_PROMPT), "content was asked for");
    let spans = spans(&body);
    let attempts: Vec<&Span> =
        spans.iter().filter(|span| value(&span.attributes, "banditop.attempt").is_some()).collect();
    let codes: Vec<i32> = attempts.iter().map(|span| span.status.as_ref().map_or(0, |status| status.code)).collect();
    assert_eq!(codes, [2, 0, 0]);
    assert_eq!(text(&attempts[0].attributes, "error.type").as_deref(), Some("http_503"));
    assert!(!contains(attempts[0].status.as_ref().unwrap().message.as_bytes(), SECRET_PROMPT));
    assert_eq!(text(&attempts[2].attributes, "banditop.outcome").as_deref(), Some("cancelled"));
    // The second attempt starts where the first one ended; the loser, listed after it, ran beside it.
    assert_eq!(attempts[1].start_time_unix_nano, attempts[0].end_time_unix_nano);
    assert_eq!(attempts[2].end_time_unix_nano, attempts[1].end_time_unix_nano);
    assert!(attempts[2].start_time_unix_nano > attempts[1].start_time_unix_nano);
    let (root, calls): (Vec<&Span>, Vec<&Span>) = spans.iter().partition(|span| span.parent_span_id.is_empty());
    assert_within(root[0], &calls);
    let of = |nth: usize, key: &str| value(&attempts[nth].attributes, key).cloned();
    assert_eq!((of(1, "banditop.hedge"), of(2, "banditop.hedge")), (None, Some(Any::BoolValue(true))));
    assert_eq!((of(1, "banditop.retries"), of(2, "banditop.retries")), (Some(Any::IntValue(1)), None));
    assert!(matches!(of(1, "banditop.flags"), Some(Any::ArrayValue(flags)) if flags.values.len() == 1));
    let retry = attempts[1].events.iter().find(|event| event.name == "banditop.retry").unwrap();
    assert_eq!(text(&retry.attributes, "error.type").as_deref(), Some("http_429"));
    // A judge without a price costs nobody knows what, and not nothing.
    let judge = calls.iter().find(|span| span.name == "chat wise-1").unwrap();
    assert_eq!(value(&judge.attributes, "banditop.cost_usd"), None);
    assert!(traces.stop(ARRIVES));
}

#[test]
fn attempts_start_when_the_record_says() {
    let mut run = fallen_back(1);
    let beaten = AttemptRecord { lost: true, hedge: true, latency_s: 0.25, ..run.attempts[1].clone() };
    run.attempts.push(beaten);
    for (attempt, started_s) in run.attempts.iter_mut().zip([0.0, 0.125, 0.5]) {
        attempt.started_s = Some(started_s);
    }
    run.timings_s.total += 2.0;
    let times = Times::of(&run);
    let starts: Vec<f64> = calls(&run, &times)
        .iter()
        .filter(|call| call.place.phase == Phase::Answer)
        .map(|call| call.start.duration_since(times.full).unwrap().as_secs_f64())
        .collect();
    assert_eq!(starts, [0.0, 0.125, 0.5], "and the beaten one ends before the phase does");
}

/// What came before was told when the run ended: nothing of it is told twice.
#[test]
fn a_late_verdict_is_the_judge_alone() {
    let collector = Collector::answering("200 OK");
    let traces = started(config(collector.endpoint()), Arc::default());
    let mut run = record(1);
    let (total, judge) = (run.timings_s.total, run.judging.clone().unwrap());
    run.policies.afterwards = Some(AfterwardsRecord { share: 0.1, seconds: 0.5, taught: true });
    traces.push(Arc::new(run.clone()));
    let spans = spans(&collector.next("/v1/traces"));
    assert_eq!(spans.len(), 1, "{spans:?}");
    let span = &spans[0];
    assert_eq!(text(&span.attributes, "banditop.phase").as_deref(), Some("judge"));
    assert_eq!(span.parent_span_id, root_span(run.run_id).to_be_bytes());
    let end = run.at.millis() as f64 / 1e3 + total;
    assert!((span.start_time_unix_nano as f64 / 1e9 - end).abs() < 1e-3, "it begins where the run ended");
    assert!((span.end_time_unix_nano - span.start_time_unix_nano).abs_diff(500_000_000) < 1_000);
    assert!(span.events.iter().any(|event| event.name == names::EVALUATION));
    assert!(value(&span.attributes, names::REWARD).is_some());
    let found = loop {
        let request = ExportMetricsServiceRequest::decode(collector.next("/v1/metrics").as_slice()).unwrap();
        let all: Vec<_> = request.resource_metrics.into_iter().flat_map(|r| r.scope_metrics).collect();
        let metrics: Vec<_> = all.into_iter().flat_map(|scope| scope.metrics).collect();
        if metrics.iter().any(|metric| metric.name == names::COST) {
            break metrics;
        }
    };
    let cost = found.iter().find(|metric| metric.name == names::COST).unwrap();
    assert!(format!("{cost:?}").contains(&format!("AsDouble({:?})", judge.cost_usd)), "{cost:?}");
    assert!(!found.iter().any(|metric| metric.name == names::WORKFLOW_DURATION), "the run itself is not told again");
    assert!(traces.stop(ARRIVES));
}

#[test]
fn the_metrics_of_the_conventions_arrive() {
    let collector = Collector::answering("200 OK");
    let traces = started(config(collector.endpoint()), Arc::default());
    traces.push(Arc::new(record(1)));
    let found = loop {
        let request = ExportMetricsServiceRequest::decode(collector.next("/v1/metrics").as_slice()).unwrap();
        let scopes = request.resource_metrics.into_iter().flat_map(|r| r.scope_metrics);
        let names: Vec<(String, String)> = scopes.flat_map(|s| s.metrics).map(|m| (m.name, m.unit)).collect();
        if !names.is_empty() {
            break names;
        }
    };
    for (name, unit) in [
        ("gen_ai.client.operation.duration", "s"),
        ("gen_ai.client.token.usage", "{token}"),
        ("gen_ai.client.operation.time_to_first_chunk", "s"),
        ("gen_ai.workflow.duration", "s"),
        ("banditop.reward", "1"),
    ] {
        assert!(found.contains(&(name.to_owned(), unit.to_owned())), "{name} is not in {found:?}");
    }
    assert!(traces.stop(ARRIVES));
}

#[test]
fn a_collector_that_refuses_is_told_and_counted() {
    let collector = Collector::answering("500 Internal Server Error");
    let counters = Arc::new(Counters::default());
    let traces = started(config(collector.endpoint()), Arc::clone(&counters));
    traces.push(Arc::new(record(1)));
    collector.next("/v1/traces");
    assert!(traces.stop(ARRIVES));
    assert_eq!(counters.figures(), (0, 1));
    assert!(traces.fault().unwrap().contains("telemetry.otlp_endpoint"));
}

#[test]
fn metrics_alone_that_are_refused_are_told_and_counted_and_taken_back() {
    let collector = Collector::answering("500 Internal Server Error");
    let (records, metrics) = (Arc::new(Counters::default()), Arc::new(Counters::default()));
    let counters = OtelCounters { records: Arc::clone(&records), metrics: Arc::clone(&metrics) };
    let alone = OtelConfig { traces: false, ..config(collector.endpoint()) };
    let sending = Traces::start(alone, None, counters).unwrap();
    sending.push(Arc::new(record(1)));
    eventually(|| sending.fault().is_some_and(|fault| fault.contains("does not take metrics")));
    let (sent, refused) = metrics.figures();
    assert!(sent == 0 && refused > 0, "{sent} {refused}");
    assert_eq!(records.figures(), (0, 0), "no record was delivered as anything");
    *collector.says.lock().unwrap() = "200 OK";
    eventually(|| sending.fault().is_none() && metrics.figures().0 >= 1);
    assert!(sending.stop(ARRIVES));
}

#[test]
fn a_collector_that_is_back_is_noticed_without_a_run() {
    let collector = Collector::answering("503 Service Unavailable");
    let traces = started(OtelConfig { metrics: false, ..config(collector.endpoint()) }, Arc::default());
    traces.push(Arc::new(record(1)));
    eventually(|| traces.fault().is_some());
    *collector.says.lock().unwrap() = "200 OK";
    eventually(|| traces.fault().is_none());
    assert!(traces.stop(ARRIVES));
}

/// Looks until it holds.
fn eventually(holds: impl Fn() -> bool) {
    let clock = SystemClock::new();
    let began = clock.monotonic();
    while !holds() {
        assert!(clock.monotonic().saturating_sub(began) < ARRIVES, "it never came true");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_collector_that_is_away_is_told_and_counted() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let counters = Arc::new(Counters::default());
    let traces = started(config(format!("http://{away}")), Arc::clone(&counters));
    traces.push(Arc::new(record(1)));
    assert!(traces.stop(ARRIVES));
    assert_eq!(counters.figures(), (0, 1));
    assert!(traces.fault().is_some());
}

#[test]
fn a_collector_that_hangs_costs_what_does_not_fit_and_no_time() {
    // Accepts in the backlog, reads and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::default());
    let traces = started(config(format!("http://{}", silent.local_addr().unwrap())), Arc::clone(&counters));
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let run = Arc::new(record(1));
    for _ in 0..3_000 {
        traces.push(Arc::clone(&run));
    }
    assert!(counters.figures().1 >= 3_000 - (ROOM.items as u64) - 64 - 1, "{:?}", counters.figures());
    assert!(!traces.stop(Duration::from_millis(200)), "the thread is still waiting for the collector");
    assert!(clock.monotonic().saturating_sub(began) < Duration::from_secs(5));
}

#[test]
fn it_is_off_unless_somebody_asks_for_it() {
    let with = |pairs: &'static [(&'static str, &'static str)]| {
        move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    assert_eq!(OtelConfig::wanted(None, false, &with(&[])), (None, None));
    assert_eq!(OtelConfig::wanted(None, false, &with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")])).0, None);
    let (config, note) = OtelConfig::wanted(None, false, &with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")]));
    assert_eq!(config.map(|c| (c.endpoint, c.traces, c.metrics)), Some((None, true, true)));
    assert_eq!(note, None);
    let (config, _) = OtelConfig::wanted(None, false, &with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/t")]));
    assert_eq!(config.map(|c| (c.traces, c.metrics)), Some((true, false)));
    let off = with(&[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(OtelConfig::wanted(Some("http://c"), false, &off).0, None);
    let rows: [(&'static [(&'static str, &'static str)], bool); 4] = [
        (&[("OTEL_TRACES_EXPORTER", "console")], false),
        (&[("OTEL_TRACES_EXPORTER", "console, otlp")], true),
        (&[("OTEL_TRACES_EXPORTER", "none")], false),
        (&[("OTEL_TRACES_SAMPLER", "always_off")], false),
    ];
    for (set, traces) in rows {
        let (config, _) = OtelConfig::wanted(Some("http://c"), false, &with(set));
        assert_eq!(config.map(|config| (config.traces, config.metrics)), Some((traces, true)), "{set:?}");
    }
    let own = with(&[("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")]);
    assert!(OtelConfig::wanted(Some("http://c"), false, &own).1.is_some());
    let (_, note) = OtelConfig::wanted(Some("http://c"), false, &with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]));
    assert!(note.unwrap().to_string().contains("grpc"));
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
