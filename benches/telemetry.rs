//! What it costs to be watched. An engine over scripted models (no network, so nothing hides behind it) runs
//! the same races twice: unobserved, and with everything on: the log of every decision as JSON into a
//! rotated file, traces and metrics to a collector on loopback that takes everything, objectives, counts.
//! Printed: microseconds a run, the difference, what the caller of the observer pays, a reading of `/metrics`,
//! and resident memory over many runs, which must not grow.
//!
//! Decisions outside a race (`replay`, `compare`, a what-if) call no observer at all.
//!
//! `cargo bench --bench telemetry [-- RUNS]`; a million runs for memory by `-- 2000 1000000`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for a person to read")]

#[path = "../tests/common/scripted.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod scripted;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::engine::{EngineHandle, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::ids::RunId;
use banditop::domain::observer::{Observer, RecordPrompts, Unobserved};
use banditop::domain::record::{Origin, RunRecord};
use banditop::domain::slo::{Indicator, SloSpec};
use banditop::engine::{Engine, EngineParts};
use banditop::store::MemoryStore;
use banditop::telemetry::{OtelConfig, RotatingFile, Sinks, Telemetry, TelemetryParts};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use scripted::{Troupe, parts};

const ARMS: [&str; 6] = ["swift", "sage", "smith", "penny", "flaky", "orbit"];

/// Resident megabytes: the second field of `statm`, in pages of 4 KiB.
fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1e6
}

/// Takes everything, on a thread that ends with the process.
fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                let mut open = 0_usize;
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    // Bodies are counted off the heads; a head comes in one piece from this client.
                    if open == 0 {
                        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                        let head = text.find("\r\n\r\n").map_or(count, |at| at + 4);
                        let length = text.split("content-length: ").nth(1).and_then(|t| t.split("\r\n").next());
                        open = length.and_then(|t| t.parse().ok()).unwrap_or(0_usize) + head;
                    }
                    open = open.saturating_sub(count);
                    if open == 0 {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

fn telemetry(log: RotatingFile, sinks: Sinks, clock: Arc<dyn Clock>) -> Arc<Telemetry> {
    let slo = |name: &str, indicator, limit| SloSpec {
        name: name.to_owned(),
        indicator,
        limit,
        window: Duration::from_hours(1),
        alarm_burn: 2.0,
    };
    let slos = vec![
        slo("p95", Indicator::Percentile(95), 5.0),
        slo("first", Indicator::FirstTryRate, 0.95),
        slo("usd", Indicator::UsdPerResolvedRun, 0.01),
    ];
    let endpoint = Some(collector());
    let otel = OtelConfig { endpoint, traces: true, metrics: true, content: false, interval: None };
    Telemetry::start(TelemetryParts {
        clock,
        slos,
        prompts: RecordPrompts::Hash,
        log: Some(log),
        sinks,
        otel: Some(otel),
        judge: None,
        webhook: None,
    })
}

async fn ask(engine: &Arc<dyn EngineHandle>, n: usize) -> Arc<RunRecord> {
    let kind = ["Write a function that parses", "Explain step by step why", "Draft a letter about", "Summarise"][n % 4];
    let request = RunRequest {
        request: ChatRequest::from_prompt(&format!("{kind} {n}")),
        origin: Origin::Traffic,
        session: None,
    };
    let mut run = engine.submit(request).await.unwrap();
    loop {
        match run.next().await {
            Some(RunEvent::Finished { record }) => return record,
            Some(_) => {}
            None => panic!("the engine went away"),
        }
    }
}

/// What the observer was told when that run's arms were chosen.
fn selected(record: &RunRecord) -> RunEvent {
    RunEvent::Selected {
        run: record.run_id,
        strategy: record.strategy,
        gate: record.gate.clone(),
        context: record.context.clone(),
        arms: record.arms.clone(),
        preview_tokens: 64,
    }
}

/// Microseconds a run, the smallest mean of a few rounds: what else the machine does only adds.
async fn measure(observer: Arc<dyn Observer>, runs: usize, clock: &SystemClock) -> (f64, Engine, Arc<RunRecord>) {
    let troupe = Troupe::answering(&ARMS);
    let parts = parts(&ARMS, &troupe, Arc::new(MemoryStore::new()));
    let engine = Engine::start(EngineParts { observer, ..parts }).await.unwrap();
    let handle = engine.handle();
    let mut last = ask(&handle, 0).await;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let began = clock.monotonic();
        for n in 0..runs {
            last = ask(&handle, n).await;
        }
        best = best.min(clock.monotonic().saturating_sub(began).as_secs_f64() * 1e6 / runs as f64);
    }
    (best, engine, last)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let number = |i: usize, or: usize| {
        std::env::args().filter(|a| a != "--bench").nth(i).and_then(|a| a.parse().ok()).unwrap_or(or)
    };
    let (runs, many) = (number(1, 2_000), number(2, 1_000_000));
    let clock = SystemClock::new();
    let dir = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::default();
    let counters = sinks.add("log");
    let log = RotatingFile::open(&dir.path().join("banditop.log"), 10_000_000, 4, counters).unwrap();

    let (alone, engine, _) = measure(Arc::new(Unobserved), runs, &clock).await;
    engine.stop().await;
    let writer = log.clone();
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
    let targets = tracing_subscriber::filter::Targets::new().with_target("banditop", tracing::Level::INFO);
    tracing_subscriber::registry().with(targets).with(layer).init();
    let hub = telemetry(log.clone(), sinks, Arc::new(clock));
    let (watched, engine, record) = measure(hub.clone(), runs, &clock).await;
    hub.watch(&engine.handle());
    println!("a race without network, unobserved   {alone:>8.1} µs");
    println!("the same with everything on          {watched:>8.1} µs   ({:+.1} µs)", watched - alone);
    println!("  (one race after the other: the threads that deliver are in that difference, on the same cores)");

    let began = clock.monotonic();
    for _ in 0..runs {
        hub.finished(&record);
    }
    let finished = clock.monotonic().saturating_sub(began).as_secs_f64() * 1e6 / runs as f64;
    println!("what the engine waits for at the end {finished:>8.2} µs a run");
    let selected = selected(&record);
    let began = clock.monotonic();
    for _ in 0..runs {
        hub.decided(&selected);
    }
    let decided = clock.monotonic().saturating_sub(began).as_secs_f64() * 1e6 / runs as f64;
    println!("what a race waits for at its start   {decided:>8.2} µs a run");
    let began = clock.monotonic();
    let bytes = (0..100).map(|_| hub.metrics().unwrap().len()).max().unwrap();
    let reading = clock.monotonic().saturating_sub(began).as_secs_f64() * 1e4;
    println!("a reading of /metrics                {reading:>8.1} µs   ({bytes} bytes)");

    // Queues are bounded, and full after this: what comes then must not grow.
    let feed = |from: u64, to: u64| {
        let mut run = RunRecord::clone(&record);
        for n in from..to {
            run.run_id = RunId::new(run.at, n);
            hub.finished(&Arc::new(run.clone()));
        }
    };
    feed(0, 20_000);
    let before = resident_mb();
    feed(20_000, 20_000 + many as u64);
    let after = resident_mb();
    println!("memory over {many} runs          {before:>8.1} MB → {after:.1} MB");
    println!("sinks: {hub:?}");
    engine.stop().await;
    hub.stop();
    log.stop();
    assert!(after - before < 8.0, "memory grew by {:.1} MB", after - before);
}
