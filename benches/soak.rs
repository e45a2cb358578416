//! Five hundred races at once, for minutes, over simulated arms that are slow, refuse, stall and break off as the
//! default scenario has it: real HTTP, previews, judge, answers. Memory must stand still after the first
//! third of the time (histories and queues are bounded) and at the end no task may be left.
//!
//! `cargo bench --bench soak [-- --minutes N] [--races N]`; 0.5 minutes and 500 races where nothing is said. Prints
//! the curve; exits with 1 where memory grows by more than a tenth after the first third, or a task is left.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for a person to read")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small positive numbers of the command line"
)]

#[path = "../tests/common/scripted.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod scripted;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use banditop::domain::answer::{ChatModel, ModelFactory};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::engine::{EngineHandle, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::record::{Origin, RunOutcome};
use banditop::domain::spec::ArmSpec;
use banditop::engine::Engine;
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel};
use banditop::race::JudgeChoice;
use banditop::sim::{Prompt, PromptSuite, ScenarioSpec, SimParts, SimServer, assets};
use banditop::store::MemoryStore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use scripted::parts_with;

const ARMS: [&str; 5] = ["atlas-70b", "coder-32b", "scribe", "orbit", "swift-8b"];
const JUDGE: &str = "referee";
/// Points of the curve.
const POINTS: u32 = 30;
/// Growth of memory after the first third that is still standing still.
const SLACK: f64 = 0.10;

struct Adapters(HttpClient, String);

impl Adapters {
    fn model(&self, name: &str) -> Arc<dyn ChatModel> {
        let (http, base_url, model) = (self.0.clone(), self.1.clone(), name.to_owned());
        let config = OpenAiConfig { http, base_url, model, api_key: None, extra: serde_json::Map::new() };
        Arc::new(OpenAiModel::new(config).unwrap())
    }
}

impl ModelFactory for Adapters {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        Ok(self.model(spec.name.as_str()))
    }
}

/// What all racers share.
struct Shared {
    handle: Arc<dyn EngineHandle>,
    prompts: Vec<Prompt>,
    until: Instant,
    done: AtomicU64,
    served: AtomicU64,
}

/// Resident megabytes: the second field of `statm`, in pages of 4 KiB.
fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1e6
}

fn live_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Races one prompt after the other, until the time is over.
async fn racer(shared: Arc<Shared>, first: usize) {
    let mut prompts = shared.prompts.iter().cycle().skip(first * 7);
    while Instant::now() < shared.until {
        let text = &prompts.next().unwrap().prompt;
        let request = RunRequest { request: ChatRequest::from_prompt(text), origin: Origin::Traffic, session: None };
        let Ok(mut run) = shared.handle.submit(request).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while let Some(event) = run.next().await {
            if let RunEvent::Finished { record } = event {
                shared.done.fetch_add(1, Ordering::Relaxed);
                shared.served.fetch_add(u64::from(record.outcome == RunOutcome::Served), Ordering::Relaxed);
            }
        }
    }
}

/// One point of the curve.
struct Point {
    mb: f64,
    tasks: usize,
}

async fn curve(shared: &Shared, span: Duration) -> Vec<Point> {
    println!("{:>7}  {:>8}  {:>9}  {:>6}  {:>9}", "seconds", "races", "in flight", "tasks", "resident");
    let began = Instant::now();
    let mut points = Vec::new();
    for n in 1..=POINTS {
        tokio::time::sleep_until(began + span * n / POINTS).await;
        let point = Point { mb: resident_mb(), tasks: live_tasks() };
        let bar = "#".repeat((point.mb / 4.0) as usize);
        let (done, flying) = (shared.done.load(Ordering::Relaxed), shared.handle.snapshot().totals.in_flight);
        let seconds = began.elapsed().as_secs_f64();
        println!("{seconds:>7.1}  {done:>8}  {flying:>9}  {:>6}  {:>6.1} MB {bar}", point.tasks, point.mb);
        points.push(point);
    }
    points
}

async fn soak(span: Duration, races: usize) -> bool {
    let prompts = toml::from_str::<PromptSuite>(assets::PROMPTS).unwrap().prompts;
    let scenario: ScenarioSpec = toml::from_str(assets::scenario("default").unwrap()).unwrap();
    let clock = Arc::new(SystemClock::new());
    let world =
        SimServer::start(SimParts { scenario, prompts: prompts.clone(), seed: 7, clock: clock.clone() }).unwrap();
    let before = live_tasks();
    let adapters = Arc::new(Adapters(HttpClient::new(Duration::from_secs(5), clock).unwrap(), world.base_url()));
    let judge = JudgeChoice::Model { name: JUDGE.to_owned(), model: adapters.model(JUDGE), price: world.price(JUDGE) };
    let mut parts = parts_with(&ARMS, adapters, Arc::new(MemoryStore::new()), |race| race.judge = Some(judge));
    parts.limits.max_in_flight = races as u64 + 1;
    let engine = Engine::start(parts).await.unwrap();
    let counts = || AtomicU64::new(0);
    let shared = Arc::new(Shared {
        handle: engine.handle(),
        prompts,
        until: Instant::now() + span,
        done: counts(),
        served: counts(),
    });
    let mut running = JoinSet::new();
    (0..races).for_each(|n| _ = running.spawn(racer(Arc::clone(&shared), n)));
    let points = curve(&shared, span).await;
    running.join_all().await;
    let (all, good) = (shared.done.load(Ordering::Relaxed), shared.served.load(Ordering::Relaxed));
    engine.stop().await;
    drop(shared);
    world.shutdown().await;
    let mut left = live_tasks();
    for _ in 0..100 {
        if left <= before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = live_tasks();
    }
    let third = points.len() / 3;
    let top = |points: &[Point]| points.iter().map(|point| point.mb).fold(0.0, f64::max);
    let growth = top(&points[2 * third..]) / top(&points[third..2 * third]) - 1.0;
    println!("{all} races, {good} served; at most {} tasks", points.iter().map(|p| p.tasks).max().unwrap_or(0));
    println!("memory of the last third against the second: {:+.1} % (at most +10 %)", growth * 100.0);
    println!("tasks before: {before}, after: {left}");
    growth <= SLACK && left <= before && all > 0
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, or: f64| {
        let place = arguments.iter().position(|a| a == name);
        place.and_then(|i| arguments.get(i + 1)?.parse().ok()).unwrap_or(or)
    };
    let (minutes, races) = (number("--minutes", 0.5), number("--races", 500.0));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let is_good = runtime.block_on(soak(Duration::from_secs_f64(minutes * 60.0), races as usize));
    println!("{}", if is_good { "steady" } else { "NOT STEADY" });
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
