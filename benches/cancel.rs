//! From a cancel to a closed connection: a run is left by whoever asked while its endpoint is silent, or in the
//! middle of an answer, and the endpoint itself notes when it sees the connection closed. Through the whole
//! program: engine, race, adapter, HTTP client, sockets of loopback.
//!
//! `cargo bench --bench cancel [-- CANCELS]`. Exits with 1 where the p99 is above 20 ms. Beside other work the
//! tail measures that work.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for a person to read")]

#[path = "../tests/common/scripted.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod scripted;
#[path = "../tests/faults/server.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use banditop::domain::answer::{ChatModel, ModelFactory};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::engine::RunRequest;
use banditop::domain::record::Origin;
use banditop::domain::spec::{ArmSpec, Strategy};
use banditop::engine::Engine;
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel};
use banditop::store::MemoryStore;
use tokio::time::Instant;

use scripted::parts_with;
use server::{Act, Server, says, stream};

const TARGET_P99: Duration = Duration::from_millis(20);

/// One adapter for every arm.
struct One(HttpClient, String);

impl ModelFactory for One {
    fn build(&self, _spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        let (http, base_url, model) = (self.0.clone(), self.1.clone(), "m".to_owned());
        let config = OpenAiConfig { http, base_url, model, api_key: None, extra: serde_json::Map::new() };
        Ok(Arc::new(OpenAiModel::new(config).map_err(|fault| fault.to_string())?))
    }
}

async fn measure(script: Vec<Act>, cancels: usize) -> Vec<Duration> {
    let endpoint = Server::start(vec![script]);
    let http = HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap();
    let factory = Arc::new(One(http, endpoint.base_url()));
    let mut parts = parts_with(&["a"], factory, Arc::new(MemoryStore::new()), |_| {});
    parts.strategy = Strategy::Direct;
    let engine = Engine::start(parts).await.unwrap();
    let handle = engine.handle();
    let mut spans = Vec::with_capacity(cancels);
    for n in 0..cancels {
        let request = RunRequest { request: ChatRequest::from_prompt("hello"), origin: Origin::Traffic, session: None };
        let run = handle.submit(request).await.unwrap();
        assert!(endpoint.sees(|calls| calls.len() > n).await, "the endpoint is called");
        tokio::time::sleep(Duration::from_millis(3)).await;
        let left = Instant::now();
        drop(run);
        assert!(endpoint.sees(|calls| calls[n].over.is_some()).await, "its connection is closed");
        spans.push(endpoint.calls()[n].over.unwrap().saturating_duration_since(left));
    }
    engine.stop().await;
    spans.sort_unstable();
    spans
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let cancels = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(500);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let words = Act::Forever(says("a word ").into_bytes(), Duration::from_millis(1));
    let rows = [("before the headers", vec![Act::Hold]), ("in the middle of an answer", vec![stream(""), words])];
    let mut worst = Duration::ZERO;
    println!("{:<28}{:>10}{:>10}{:>10}   from cancel to closed, {cancels} times each", "", "p50", "p99", "max");
    for (when, script) in rows {
        let spans = runtime.block_on(measure(script, cancels));
        let at = |share: usize| spans[(spans.len() * share / 100).min(spans.len() - 1)];
        println!("{when:<28}{:>10.2?}{:>10.2?}{:>10.2?}", at(50), at(99), at(100));
        worst = worst.max(at(99));
    }
    println!("target: p99 ≤ 20 ms: {}", if worst <= TARGET_P99 { "met" } else { "MISSED" });
    if worst <= TARGET_P99 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
