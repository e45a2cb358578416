//! What a monitor reads, over a real socket: every figure of the Overview is found in `/metrics` and in
//! what `state show --json` prints, and they are the same; `promtool` and a real Prometheus agree where they
//! are installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, clippy::print_stderr, reason = "counts are whole, and a test that is left out says so")]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::command::{Actor, RouterCommand};
use banditop::domain::engine::{CommandRequest, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::ids::CommandId;
use banditop::domain::observer::RecordPrompts;
use banditop::domain::record::Origin;
use banditop::domain::slo::{Indicator, SloSpec};
use banditop::engine::{Engine, EngineParts};
use banditop::gateway::observe::{ObserveDoor, ObserveError};
use banditop::store::MemoryStore;
use banditop::telemetry::{Sinks, Telemetry, TelemetryParts};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use common::scripted::{Troupe, parts};

const ARMS: [&str; 3] = ["swift", "penny", "broken"];

/// An engine with telemetry and an open door.
struct Watched {
    engine: Engine,
    telemetry: Arc<Telemetry>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Watched {
    async fn start() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let slo = SloSpec {
            name: "p95".into(),
            indicator: Indicator::Percentile(95),
            limit: 5.0,
            window: Duration::from_mins(10),
            alarm_burn: 2.0,
        };
        let telemetry = Telemetry::start(TelemetryParts {
            clock: clock.clone(),
            slos: vec![slo],
            prompts: RecordPrompts::Off,
            log: None,
            sinks: Sinks::default(),
            otel: None,
            webhook: None,
        });
        // The third one has no script: it cannot be reached.
        let troupe = Troupe::answering(&["swift", "penny"]);
        let parts = parts(&ARMS, &troupe, Arc::new(MemoryStore::new()));
        let engine = Engine::start(EngineParts { observer: telemetry.clone(), ..parts }).await.unwrap();
        telemetry.watch(&engine.handle());
        let door = ObserveDoor::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop, mut tasks) = (door.address(), CancellationToken::new(), JoinSet::new());
        tasks.spawn(door.serve(telemetry.clone(), engine.handle(), stop.clone()));
        Self { engine, telemetry, address, stop, tasks }
    }

    async fn ask(&self, prompt: &str) {
        let request = RunRequest { request: ChatRequest::from_prompt(prompt), origin: Origin::Traffic, session: None };
        let mut run = self.engine.handle().submit(request).await.unwrap();
        while let Some(event) = run.next().await {
            if let RunEvent::Finished { .. } = event {
                break;
            }
        }
    }

    /// The picture that shows that many runs.
    async fn shows(&self, runs: u64) -> Arc<banditop::domain::snapshot::EngineSnapshot> {
        let handle = self.engine.handle();
        loop {
            let picture = handle.snapshot();
            if picture.totals.runs >= runs {
                return picture;
            }
            handle.changed(picture.revision).await;
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (address, path) = (self.address, path.to_owned());
        tokio::task::spawn_blocking(move || get(address, &path)).await.unwrap()
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.engine.stop().await;
        self.telemetry.stop();
    }
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Samples by name and labels, as they are written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, v)| (name.to_owned(), v.parse().unwrap())).collect()
}

fn sum(samples: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
    let is_it = |key: &str| key.split('{').next() == Some(name) && key.contains(label);
    samples.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_metrics_and_state_show_agree() {
    let watched = Watched::start().await;
    for n in 0..12 {
        watched.ask(&format!("question {n}")).await;
    }
    let picture = watched.shows(12).await;
    let (status, text) = watched.get("/metrics").await;
    assert_eq!(status, 200, "{text}");
    let found = samples(&text);
    // What `state show --json` prints is this picture's totals and arms.
    let json = serde_json::to_value(&picture.totals).unwrap();
    let same = |metric: &str, labels: &str, field: &str| {
        let (metric, shown) = (sum(&found, metric, labels), json[field].as_f64().unwrap());
        assert!((metric - shown).abs() < 1e-9, "{field}: {metric} in metrics, {shown} in the picture");
    };
    same("banditop_runs_total", "", "runs");
    same("banditop_runs_total", "outcome=\"served\"", "served");
    same("banditop_runs_total", "outcome=\"failed\"", "failed");
    same("banditop_resolved_runs", "", "resolved");
    same("banditop_run_cost_usd_total", "", "usd_total");
    same("banditop_cost_usd_per_resolved_run", "", "usd_per_resolved_run");
    same("banditop_window_runs", "", "window_runs");
    same("banditop_window_first_try_ratio", "", "first_try");
    same("banditop_window_fallback_ratio", "", "fallback_rate");
    same("banditop_window_run_duration_seconds", "q=\"0.95\"", "p95_s");
    same("banditop_clamped_total", "", "clamped");
    assert_eq!(found["banditop_run_duration_seconds_count"], 12.0);
    // The window holds all runs here, so its rates are those of the counters.
    let first_try = found["banditop_runs_first_try_total"] / found["banditop_window_runs"];
    assert!((first_try - json["first_try"].as_f64().unwrap()).abs() < 1e-9);
    let by_phase = sum(&found, "banditop_cost_usd_total", "");
    assert!((by_phase - picture.totals.usd_total).abs() < 1e-6, "{by_phase} {}", picture.totals.usd_total);
    for row in &picture.arms {
        let label = format!("arm=\"{}\"", row.arm);
        let share = sum(&found, "banditop_arm_served_total", &label) / found["banditop_window_runs"];
        let shown = row.share.map_or(0.0, banditop::domain::ratio::Ratio::get) * picture.totals.served as f64 / 12.0;
        assert!((share - shown).abs() < 1e-9, "{label}: {share} {shown}");
        let trials = found[&format!("banditop_arm_trials{{{label}}}")];
        assert_eq!(trials, row.trials as f64);
        let state = format!("banditop_arm_state{{{label},state=\"{}\"}}", row.state.name());
        assert_eq!(found[&state], 1.0);
    }
    assert!(sum(&found, "banditop_call_failures_total", "class=\"transient\"") >= 1.0);
    assert!(sum(&found, "banditop_tokens_total", "phase=\"preview\"") > 0.0);
    assert_eq!(found["banditop_slo_value{slo=\"p95\"}"], 1.0);
    // No prompt, and no label that grows with what is asked.
    assert!(!text.contains("question"));
    let series = found.len();
    for n in 0..20 {
        watched.ask(&format!("another {n} entirely")).await;
    }
    watched.shows(32).await;
    let more = samples(&watched.get("/metrics").await.1).len();
    assert!(more <= series + 40, "{series} series became {more}");
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_say_what_is() {
    let watched = Watched::start().await;
    assert_eq!(watched.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(watched.get("/readyz").await.0, 200);
    assert_eq!(watched.get("/nothing").await.0, 404);
    assert_eq!(watched.get("/metrics?name=x").await.0, 200);
    let handle = watched.engine.handle();
    let off = |arms: &[&str]| RouterCommand::Deactivate { arms: arms.iter().map(|arm| (*arm).into()).collect() };
    for (n, arms) in [["swift"], ["penny"]].iter().enumerate() {
        let id = CommandId::new(handle.now(), n as u64);
        handle.command(CommandRequest { id, actor: Actor::Person("ann".into()), command: off(arms) }).await.unwrap();
    }
    // Whoever talks nonsense, or nothing, disturbs nobody.
    let mut silent = TcpStream::connect(watched.address).unwrap();
    silent.write_all(b"\x16\x03\x01 nonsense").unwrap();
    assert_eq!(watched.get("/healthz").await.0, 200);
    drop(silent);
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_and_the_race_goes_on() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let fault = ObserveDoor::bind(address).await.unwrap_err();
    assert!(matches!(fault, ObserveError::Taken(at) if at == address));
    let text = fault.to_string();
    assert!(text.contains("is taken") && text.contains("--telemetry-listen"), "{text}");
    let watched = Watched::start().await;
    watched.telemetry.raise("telemetry:listen", text);
    watched.ask("hello").await;
    let handle = watched.engine.handle();
    while handle.snapshot().alarms.iter().all(|alarm| alarm.subject != "telemetry:listen") {
        handle.changed(handle.snapshot().revision).await;
    }
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_mend() {
    let Some(promtool) = installed("promtool") else { return };
    let watched = Watched::start().await;
    for n in 0..5 {
        watched.ask(&format!("question {n}")).await;
    }
    watched.shows(5).await;
    let (_, text) = watched.get("/metrics").await;
    let mut check = Command::new(promtool);
    let check = check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = check.wait_with_output().unwrap();
    let said = (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned());
    assert_eq!(said, (true, String::new()), "{text}");
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_scrapes_it() {
    let Some(prometheus) = installed("prometheus") else { return };
    let watched = Watched::start().await;
    watched.ask("hello").await;
    watched.shows(1).await;
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "global:\n  scrape_interval: 200ms\nscrape_configs:\n  - job_name: banditop\n    static_configs:\n      - targets: ['{}']\n",
        watched.address
    );
    std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
    let server = Command::new(prometheus)
        .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server(server);
    let found = tokio::task::spawn_blocking(move || scraped(port)).await.unwrap();
    drop(server);
    assert!(found.contains("\"1\"") && found.contains("served"), "{found}");
    watched.end().await;
}

/// Ends with the test, whatever becomes of it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Prometheus knows of our runs, as soon as it knows anything.
#[expect(clippy::disallowed_methods, reason = "a test that drives a process waits on the real clock")]
fn scraped(port: u16) -> String {
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let start = Instant::now();
    loop {
        if TcpStream::connect(address).is_ok() {
            let (_, body) = get(address, "/api/v1/query?query=banditop_runs_total");
            if body.contains("banditop_runs_total") {
                return body;
            }
        }
        assert!(start.elapsed() < Duration::from_mins(1), "Prometheus scraped nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where a program is, or a word that its test is left out.
fn installed(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: {program} is not installed (Debian: prometheus)");
    }
    found
}
