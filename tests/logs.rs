//! What the log's file holds after runs over HTTP, with endpoints that repeat the key and the prompt in
//! their errors: a line a decision and a line a reward, the run's id on every line about a run; no key ever,
//! and no prompt unless that is asked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use banditop::domain::answer::{ChatModel, ModelFactory};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::engine::RunRequest;
use banditop::domain::event::RunEvent;
use banditop::domain::observer::{Observer, RecordPrompts};
use banditop::domain::record::{Origin, RunRecord};
use banditop::domain::spec::ArmSpec;
use banditop::engine::{Engine, EngineParts};
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel, Secret};
use banditop::store::MemoryStore;
use banditop::telemetry::{RotatingFile, Sinks, Telemetry, TelemetryParts, digest};
use common::scripted::{Troupe, parts};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const KEY: &str = "sk-canary-0123456789";
const PROMPT: &str = "Why does the canary sing at noon?";

/// Answers `swift`, and says back to `penny` what it was told, key and prompt.
fn parrot() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = vec![0; 64 << 10];
            let mut count = 0;
            loop {
                let read = stream.read(&mut bytes[count..]).unwrap_or(0);
                count += read;
                let text = String::from_utf8_lossy(&bytes[..count]);
                if read == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.trim_end().ends_with('}')) {
                    break;
                }
            }
            let body = format!(r#"{{"error": {{"message": "Bearer {KEY} asked: {PROMPT}", "code": "overloaded"}}}}"#);
            let events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Because it can.\"}}]}\n\n\
                          data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            let is_penny = String::from_utf8_lossy(&bytes[..count]).contains("\"penny\"");
            let (status, kind, body) = if is_penny {
                ("500 Internal Server Error", "application/json", body)
            } else {
                ("200 OK", "text/event-stream", events.to_owned())
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    address
}

struct Factory {
    http: HttpClient,
    address: SocketAddr,
}

impl ModelFactory for Factory {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        let config = OpenAiConfig {
            http: self.http.clone(),
            base_url: format!("http://{}/v1", self.address),
            model: spec.name.as_str().to_owned(),
            api_key: Some(Secret::new(KEY)),
            extra: serde_json::Map::new(),
        };
        Ok(Arc::new(OpenAiModel::new(config).map_err(|fault| fault.to_string())?))
    }
}

fn hub(prompts: RecordPrompts, log: &RotatingFile) -> Arc<Telemetry> {
    Telemetry::start(TelemetryParts {
        clock: Arc::new(SystemClock::new()),
        slos: Vec::new(),
        prompts,
        log: Some(log.clone()),
        sinks: Sinks::default(),
        otel: None,
        judge: None,
        webhook: None,
    })
}

async fn runs(hub: &Arc<Telemetry>, count: usize) -> Vec<Arc<RunRecord>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let http = HttpClient::new(Duration::from_secs(5), clock).unwrap();
    let factory = Arc::new(Factory { http, address: parrot() });
    let parts = parts(&["swift", "penny"], &Troupe::answering(&[]), Arc::new(MemoryStore::new()));
    let engine = Engine::start(EngineParts { observer: hub.clone(), factory, ..parts }).await.unwrap();
    let mut records = Vec::new();
    for _ in 0..count {
        let request = RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None };
        let mut run = engine.handle().submit(request).await.unwrap();
        while let Some(event) = run.next().await {
            if let RunEvent::Finished { record } = event {
                records.push(record);
            }
        }
    }
    engine.stop().await;
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_rewards_are_told_and_secrets_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("banditop.log");
    let log = RotatingFile::open(&path, 100 << 20, 2, Arc::default()).unwrap();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    // More than the console ever writes: everything of ours, and what libraries warn of.
    let targets = tracing_subscriber::filter::Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("banditop", tracing::Level::TRACE);
    tracing_subscriber::registry().with(targets).with(layer.with_writer(move || writer.clone())).init();

    let records = runs(&hub(RecordPrompts::Off, &log), 8).await;
    let hashed = records[0].clone();
    hub(RecordPrompts::Hash, &log).finished(&hashed);
    log.stop();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(KEY), "the key is in the log");
    assert!(!text.contains("canary sing"), "the prompt is in the log");
    assert!(text.contains(&digest(PROMPT)));

    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |target: &str, run: &str| -> Vec<String> {
        let is_it = |line: &&Value| line["target"] == target && line["run"] == run;
        lines.iter().filter(is_it).map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    for record in &records {
        let id = record.run_id.to_string();
        let decision = of("banditop::decision", &id);
        assert_eq!(decision.len(), 1, "{id}");
        let first = record.arms.iter().find(|arm| arm.selected).unwrap();
        let shown = format!("{} {:.4}±{:.4} p={:.4}", first.arm, first.mean, first.uncertainty, first.propensity);
        assert!(decision[0].contains(&shown), "{} has no {shown}", decision[0]);
        for (name, value) in record.context.names.iter().zip(&record.context.x) {
            assert!(decision[0].contains(&format!(" {name}={value}")), "{}", decision[0]);
        }
        let reward = &of("banditop::reward", &id)[0];
        for (arm, reward_of) in &record.rewards {
            assert!(reward.contains(&format!("reward {arm} {:.4}", reward_of.total)), "{reward}");
        }
    }
    // Whatever is said by the race has its run, from the span around it.
    let of_race = lines.iter().filter(|line| line["target"].as_str().is_some_and(|t| t.starts_with("banditop::race")));
    for line in of_race {
        assert!(line["span"]["run"].is_string(), "{line}");
    }
    // Penny failed until health took it out, which is told without the endpoint's words.
    assert!(lines.iter().any(|line| line["subject"] == "ejected:penny"), "no ejection");
    assert!(!lines.is_empty() && records.iter().any(|record| record.previews.iter().any(|p| p.error.is_some())));
}
