//! Alarms reach whoever is to be told, by POST: that an arm was taken out, that an objective burns; and an
//! address that answers 500 or nothing is said in an alarm of its own while races go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use banditop::domain::action::KeyBindings;
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::engine::RunRequest;
use banditop::domain::observer::RecordPrompts;
use banditop::domain::record::Origin;
use banditop::domain::slo::{Indicator, SloSpec};
use banditop::engine::{Engine, EngineParts};
use banditop::store::MemoryStore;
use banditop::telemetry::{Sinks, Telemetry, TelemetryParts, WebhookConfig};
use common::scripted::{Troupe, parts};
use serde_json::Value;

/// How long anything may take to arrive; generous, because the machine may be busy.
const ARRIVES: Duration = Duration::from_secs(30);

/// Answers `status` and passes on what was posted.
fn listener(status: &'static str) -> (String, Receiver<Value>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/secret-part", server.local_addr().unwrap());
    let (sender, posted) = channel();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            let body = loop {
                let count = stream.read(&mut chunk).unwrap_or(0);
                bytes.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&bytes);
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                if count == 0 || body.is_some() {
                    break body;
                }
            };
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if let Some(body) = body
                && sender.send(body).is_err()
            {
                break;
            }
        }
    });
    (url, posted)
}

async fn engine(url: String) -> (Engine, Arc<Telemetry>) {
    let slo = SloSpec {
        name: "instant".into(),
        indicator: Indicator::Percentile(50),
        limit: 1e-9,
        window: Duration::from_mins(10),
        alarm_burn: 1.5,
    };
    let telemetry = Telemetry::start(TelemetryParts {
        clock: Arc::new(SystemClock::new()),
        slos: vec![slo],
        prompts: RecordPrompts::Off,
        log: None,
        sinks: Sinks::default(),
        otel: None,
        judge: None,
        webhook: Some(WebhookConfig { url, keys: KeyBindings::default() }),
    });
    // The last one has no script: it cannot be reached.
    let troupe = Troupe::answering(&["swift", "penny"]);
    let parts = parts(&["swift", "penny", "broken"], &troupe, Arc::new(MemoryStore::new()));
    let engine = Engine::start(EngineParts { observer: telemetry.clone(), ..parts }).await.unwrap();
    telemetry.watch(&engine.handle());
    for n in 0..25 {
        let request = RunRequest {
            request: ChatRequest::from_prompt(&format!("question {n}")),
            origin: Origin::Traffic,
            session: None,
        };
        let mut run = engine.handle().submit(request).await.unwrap();
        while run.next().await.is_some() {}
    }
    (engine, telemetry)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_is_posted_with_its_remedy() {
    let (url, posted) = listener("204 No Content");
    let (engine, telemetry) = engine(url).await;
    let found = tokio::task::spawn_blocking(move || {
        let mut found: Vec<Value> = Vec::new();
        let has = |found: &[Value], subject: &str| found.iter().any(|letter| letter["subject"] == subject);
        while !(has(&found, "ejected:broken") && has(&found, "slo:instant")) {
            found.push(posted.recv_timeout(ARRIVES).expect("a letter arrives"));
        }
        found
    });
    let found = found.await.unwrap();
    let letter = |subject: &str| found.iter().find(|letter| letter["subject"] == subject).unwrap();
    assert_eq!(
        (&letter("ejected:broken")["event"], &letter("ejected:broken")["arm"]),
        (&"raised".into(), &"broken".into())
    );
    let ejected = letter("ejected:broken").to_string();
    assert!(ejected.contains("(connect)") && !ejected.contains("nobody there"), "no endpoint's own words: {ejected}");
    assert_eq!((&letter("slo:instant")["remedy"], &letter("slo:instant")["key"]), (&"deactivate".into(), &"x".into()));
    assert!(letter("slo:instant")["text"].as_str().unwrap().ends_with(" \u{2192} x deactivate"));
    assert!(letter("slo:instant")["text"].as_str().unwrap().contains("p50 <= 0.000000001 s"));
    engine.stop().await;
    tokio::task::spawn_blocking(move || telemetry.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_answers_500_is_told_without_being_repeated() {
    let (url, posted) = listener("500 Internal Server Error");
    let (engine, telemetry) = engine(url).await;
    tokio::task::spawn_blocking(move || posted.recv_timeout(ARRIVES).unwrap()).await.unwrap();
    let handle = engine.handle();
    let alarm = loop {
        let picture = handle.snapshot();
        if let Some(alarm) = picture.alarms.iter().find(|alarm| alarm.subject == "telemetry:webhook") {
            break alarm.message.clone();
        }
        handle.changed(picture.revision).await;
    };
    assert!(alarm.contains("500") && alarm.contains("alarms.webhook") && !alarm.contains("secret-part"), "{alarm}");
    engine.stop().await;
    tokio::task::spawn_blocking(move || telemetry.stop()).await.unwrap();
}
