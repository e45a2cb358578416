//! Resident memory with 10,000 runs of history: the whole process, an engine with six arms on a store
//! on disk, every run a real race through scripted models with prompts and answers of usual sizes.
//! Printed: resident megabytes before anything, with an engine, while the history grows, and after a
//! restart on that history, in a process of its own. The bound is 60 MB. Besides, what a what-if takes.
//!
//! `cargo bench --bench memory`; `-- 1000` for another number of runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a program for a person to read")]

#[path = "../tests/common/scripted.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod scripted;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::command::RouterCommand;
use banditop::domain::engine::{EngineHandle, RunRequest};
use banditop::domain::record::Origin;
use banditop::engine::{Engine, EngineParts};
use banditop::store::{OpenOptions, SledStore};
use tempfile::TempDir;

use scripted::{Said, Troupe, parts};

const ARMS: [&str; 6] = ["swift", "sage", "smith", "penny", "flaky", "orbit"];
const LIMIT_MB: f64 = 60.0;
/// Runs in flight at once.
const ABREAST: usize = 8;
/// Time between two such groups: 250 runs a second, well above what the engine is promised to take. As
/// fast as it goes (thousands a second) one would measure what waits for the disk, not what is kept.
const PACE: Duration = Duration::from_millis(32);

/// Resident megabytes: the second field of `statm`, in pages of 4 KiB.
fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1e6
}

fn engine_parts(dir: &Path) -> EngineParts {
    let troupe = Troupe::answering(&ARMS);
    for (n, arm) in ARMS.iter().enumerate() {
        let sentence = format!("{arm} explains at length why the answer has to be what it is. ");
        troupe.says(arm, Said::Text(sentence.repeat(12 + 4 * n)));
    }
    let store = SledStore::open(dir, OpenOptions::new("a benchmark", Arc::new(SystemClock::new()))).unwrap();
    parts(&ARMS, &troupe, Arc::new(store))
}

async fn ask(engine: &Arc<dyn EngineHandle>, n: usize) {
    let kind = ["Write a function that parses", "Explain step by step why", "Draft a letter about", "Summarise"][n % 4];
    let text = format!("{kind} the matter number {n}. {}", "Some more words of context follow. ".repeat(n % 30));
    let request = RunRequest { request: ChatRequest::from_prompt(&text), origin: Origin::Traffic, session: None };
    let mut run = engine.submit(request).await.unwrap();
    while run.next().await.is_some() {}
}

async fn history(engine: &Arc<dyn EngineHandle>, runs: usize) {
    let mut pace = tokio::time::interval(PACE);
    for from in (0..runs).step_by(ABREAST) {
        pace.tick().await;
        let batch = (from..(from + ABREAST).min(runs)).map(|n| ask(engine, n));
        futures_util::future::join_all(batch).await;
        if from > 0 && from % 2_000 == 0 {
            println!("{from:>7} runs        {:>6.1} MB", resident_mb());
        }
    }
}

async fn measure(runs: usize) -> (TempDir, f64) {
    let dir = tempfile::tempdir().unwrap();
    let clock = SystemClock::new();
    let since = |began: Duration| clock.monotonic().saturating_sub(began);
    println!("before anything      {:>6.1} MB", resident_mb());
    let engine = Engine::start(engine_parts(dir.path())).await.unwrap();
    println!("an empty engine      {:>6.1} MB", resident_mb());
    let began = clock.monotonic();
    history(&engine.handle(), runs).await;
    let spent = since(began);
    let grown = resident_mb();
    println!("{runs:>7} runs        {grown:>6.1} MB   ({:.0} runs a second)", runs as f64 / spent.as_secs_f64());
    let began = clock.monotonic();
    let forecast = engine.handle().what_if(RouterCommand::Decay { factor: 0.5, arms: vec![] }).await.unwrap();
    println!("a what-if over {} contexts takes {:.1} ms", forecast.contexts, since(began).as_secs_f64() * 1e3);
    engine.stop().await;
    (dir, grown)
}

/// In a process of its own: what the first one has let go of is not counted.
async fn restart(dir: &Path, runs: usize) -> f64 {
    let clock = SystemClock::new();
    let engine = Engine::start(engine_parts(dir)).await.unwrap();
    let resident = resident_mb();
    println!("restarted on them    {resident:>6.1} MB   (in {:.2} s)", clock.monotonic().as_secs_f64());
    assert_eq!(engine.handle().snapshot().totals.runs, runs as u64);
    engine.stop().await;
    resident
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = arguments.first().and_then(|runs| runs.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let resident = if let Some(dir) = arguments.get(1) {
        runtime.block_on(restart(Path::new(dir), runs))
    } else {
        let (dir, grown) = runtime.block_on(measure(runs));
        let mut again = Command::new(std::env::current_exe().unwrap());
        let restarted = again.arg(runs.to_string()).arg(dir.path()).status().unwrap();
        assert!(restarted.success(), "the restart failed");
        grown
    };
    assert!(resident <= LIMIT_MB, "{resident:.1} MB resident; the limit is {LIMIT_MB} MB");
}
