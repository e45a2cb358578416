//! What a monitor reads, over a real socket: every figure of the Overview is found in `/metrics` and in
//! what `state show --json` prints, and they are the same; `promtool` and a real Prometheus agree where they
//! are installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::float_cmp, clippy::print_stderr, reason = "counts are whole, and a test that is left out says so")]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use banditop::domain::answer::ModelFactory;
use banditop::domain::command::{Actor, RouterCommand};
use banditop::domain::engine::CommandRequest;
use banditop::domain::ids::CommandId;
use banditop::domain::spec::{ArmSpec, Provider};
use banditop::gateway::observe::{ObserveDoor, ObserveError};
use banditop::race::JudgeChoice;
use banditop::store::MemoryStore;
use serde_json::Value;

use common::program::Program;
use common::scripted::{Troupe, parts_with};
use common::watched::{ARMS, Watched, get, samples, sum};

/// Figures of the whole: where in `state show --json`, and as what in `/metrics`.
const WHOLE: &[(&str, &str)] = &[
    ("/totals/resolved", "banditop_resolved_runs"),
    ("/totals/in_flight", "banditop_runs_in_flight"),
    ("/totals/runs_per_s", "banditop_runs_per_second"),
    ("/totals/first_try", "banditop_window_first_try_ratio"),
    ("/totals/fallback_rate", "banditop_window_fallback_ratio"),
    ("/totals/explore_rate", "banditop_window_exploration_ratio"),
    ("/totals/p50_s", "banditop_window_run_duration_seconds{q=\"0.5\"}"),
    ("/totals/p95_s", "banditop_window_run_duration_seconds{q=\"0.95\"}"),
    ("/totals/p99_s", "banditop_window_run_duration_seconds{q=\"0.99\"}"),
    ("/totals/usd_per_run", "banditop_window_cost_usd_per_run"),
    ("/totals/usd_today", "banditop_spend_today_usd"),
    ("/totals/usd_total", "banditop_run_cost_usd_total"),
    ("/totals/usd_per_resolved_run", "banditop_cost_usd_per_resolved_run"),
    ("/totals/window_runs", "banditop_window_runs"),
    ("/conversations/begun", "banditop_conversation_runs_total{state=\"begun\"}"),
    ("/conversations/kept", "banditop_conversation_runs_total{state=\"kept\"}"),
    ("/conversations/left", "banditop_conversation_runs_total{state=\"left\"}"),
    ("/totals/dropped_events", "banditop_dropped_events_total"),
    ("/totals/clamped", "banditop_clamped_total"),
    ("/sequence", "banditop_journal_position"),
    ("/alpha", "banditop_router_alpha"),
    ("/explore_share", "banditop_router_explore_share_ratio"),
    ("/weights/quality", "banditop_reward_weight{term=\"quality\"}"),
    ("/weights/latency", "banditop_reward_weight{term=\"latency\"}"),
    ("/weights/cost", "banditop_reward_weight{term=\"cost\"}"),
    ("/budget_per_request_usd", "banditop_router_budget_usd_per_run"),
    ("/account/requests", "banditop_router_budget_requests"),
    ("/account/spent_usd", "banditop_router_budget_spent_usd"),
    ("/account/allowed_usd", "banditop_router_budget_allowed_usd"),
    ("/account/lambda", "banditop_router_budget_lambda"),
    ("/objectives/0/found", "banditop_slo_value{slo=\"p95\"}"),
    ("/objectives/0/limit", "banditop_slo_limit{slo=\"p95\"}"),
    ("/objectives/0/burn/0", "banditop_slo_burn_rate{slo=\"p95\",window=\"long\"}"),
    ("/objectives/0/burn/1", "banditop_slo_burn_rate{slo=\"p95\",window=\"short\"}"),
    ("/objectives/0/budget_left", "banditop_slo_error_budget_remaining_ratio{slo=\"p95\"}"),
];

/// Figures of an arm, the same way; `ARM` stands for its name.
const OF_AN_ARM: &[(&str, &str)] = &[
    ("/share", "banditop_arm_traffic_share_ratio{arm=\"ARM\"}"),
    ("/share_delta", "banditop_arm_traffic_share_change{arm=\"ARM\"}"),
    ("/preview_share", "banditop_arm_preview_share_ratio{arm=\"ARM\"}"),
    ("/mean", "banditop_arm_expected_reward{arm=\"ARM\"}"),
    ("/uncertainty", "banditop_arm_reward_uncertainty{arm=\"ARM\"}"),
    ("/mean_reward", "banditop_arm_mean_reward{arm=\"ARM\"}"),
    ("/p95_preview_s", "banditop_arm_preview_p95_seconds{arm=\"ARM\"}"),
    ("/error_rate", "banditop_arm_error_ratio{arm=\"ARM\"}"),
    ("/cost_usd_per_run", "banditop_arm_cost_usd_per_run{arm=\"ARM\"}"),
    ("/trials", "banditop_arm_trials{arm=\"ARM\"}"),
    ("/wins", "banditop_arm_wins{arm=\"ARM\"}"),
    ("/effective_n", "banditop_arm_effective_observations{arm=\"ARM\"}"),
    ("/places/races", "banditop_arm_races_total{arm=\"ARM\"}"),
    ("/places/first_three/0", "banditop_arm_places_total{arm=\"ARM\",place=\"1\"}"),
    ("/places/first_three/1", "banditop_arm_places_total{arm=\"ARM\",place=\"2\"}"),
    ("/places/first_three/2", "banditop_arm_places_total{arm=\"ARM\",place=\"3\"}"),
    ("/places/among_best", "banditop_arm_among_best_total{arm=\"ARM\"}"),
    ("/limits/now/0", "banditop_arm_share_limit_least{arm=\"ARM\"}"),
    ("/limits/now/1", "banditop_arm_share_limit_most{arm=\"ARM\"}"),
    ("/limits/taken", "banditop_arm_share_limited_ratio{arm=\"ARM\"}"),
    ("/extras/left", "banditop_arm_retries_left{arm=\"ARM\"}"),
    ("/extras/denied", "banditop_arm_extras_denied_total{arm=\"ARM\"}"),
    ("/served_by_intent/0", "banditop_arm_served_runs{arm=\"ARM\",intent=\"coding\"}"),
    ("/served_by_intent/4", "banditop_arm_served_runs{arm=\"ARM\",intent=\"other\"}"),
];

/// What is not known is absent in metrics and null in JSON; what is known is the same number.
fn assert_same(shown: &Value, at: &str, found: &BTreeMap<String, f64>, metric: &str) {
    let (shown, metric_is) = (shown.pointer(at).and_then(Value::as_f64), found.get(metric).copied());
    let is_same = match (shown, metric_is) {
        (Some(shown), Some(metric)) => (shown - metric).abs() <= 1e-9 * shown.abs().max(1.0),
        (shown, metric) => shown.is_none() && metric.is_none(),
    };
    assert!(is_same, "{at} is {shown:?} in `state show --json`, {metric} is {metric_is:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_metrics_and_state_show_agree() {
    let program = Arc::new(Program::fast());
    let watched = Watched::reachable(&program.data_dir()).await;
    for n in 0..12 {
        watched.ask(&format!("question {n}")).await;
    }
    watched.shows(12).await;
    // Twice the same picture, with the metrics in between: rates of the last seconds move by themselves.
    let (shown, text) = loop {
        let show = || {
            let program = Arc::clone(&program);
            tokio::task::spawn_blocking(move || program.json(&["state", "show", "--json"]))
        };
        let before = show().await.unwrap();
        let (status, text) = watched.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        if before == show().await.unwrap() {
            break (before, text);
        }
    };
    let found = samples(&text);
    for (at, metric) in WHOLE {
        assert_same(&shown, at, &found, metric);
    }
    let arms = shown["arms"].as_array().unwrap();
    assert_eq!(arms.len(), ARMS.len());
    for arm in arms {
        let name = arm["arm"].as_str().unwrap();
        for (at, metric) in OF_AN_ARM {
            assert_same(arm, at, &found, &metric.replace("ARM", name));
        }
        let state = format!("banditop_arm_state{{arm=\"{name}\",state=\"{}\"}}", arm["state"].as_str().unwrap());
        assert_eq!(found[&state], 1.0);
        // The window holds all runs here, so its shares are those of the counters.
        let label = format!("arm=\"{name}\"");
        let share = sum(&found, "banditop_arm_served_total", &label) / shown["totals"]["served"].as_f64().unwrap();
        assert!((share - arm["share"].as_f64().unwrap_or(0.0)).abs() < 1e-9, "{name}: {share}");
    }
    // Something is known of everything that can be: the comparison is not one of nothing with nothing.
    let absent = WHOLE.iter().filter(|(_, metric)| !found.contains_key(*metric)).count();
    assert_eq!(absent, 0, "{text}");
    assert!(shown.pointer("/arms/0/mean").is_some_and(Value::is_number), "{shown}");
    let total = |field: &str| shown["totals"][field].as_f64().unwrap();
    let counted = |label: &str| sum(&found, "banditop_runs_total", label);
    assert_eq!(counted(""), total("runs"));
    assert_eq!(counted("outcome=\"served\""), total("served"));
    assert_eq!(counted("outcome=\"failed\""), total("failed"));
    assert_eq!(counted("outcome=\"cancelled\""), total("cancelled"));
    assert_eq!(found["banditop_run_duration_seconds_count"], 12.0);
    let first_try = found["banditop_runs_first_try_total"] / found["banditop_window_runs"];
    assert!((first_try - total("first_try")).abs() < 1e-9);
    let by_phase = sum(&found, "banditop_cost_usd_total", "");
    assert!((by_phase - total("usd_total")).abs() < 1e-6, "{by_phase}");
    let alarms = shown["alarms"].as_array().unwrap().len();
    assert_eq!(sum(&found, "banditop_alarms", ""), alarms as f64);
    assert!(sum(&found, "banditop_call_failures_total", "class=\"transient\"") >= 1.0);
    assert!(sum(&found, "banditop_tokens_total", "phase=\"preview\"") > 0.0);
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
async fn a_judge_has_a_budget_of_retries_of_its_own_whatever_arms_are_called() {
    let arms = ["swift", "judge", "embedding"];
    let troupe = Troupe::answering(&arms);
    let nobody = ArmSpec {
        name: "out of reach".into(),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: "m".to_owned(),
        api_key_env: None,
        price: None,
        enabled: true,
    };
    let model = troupe.build(&nobody).unwrap();
    let store = Arc::new(MemoryStore::new());
    let parts = parts_with(&arms, Arc::new(troupe), store, |race| {
        race.config.extras.trickle_per_s = 0.0;
        race.config.retry.base = Duration::from_millis(1);
        race.judge = Some(JudgeChoice::Model { name: "swift".to_owned(), model, price: None });
    });
    let watched = Box::pin(Watched::made_of(parts)).await;
    watched.ask("why?").await;
    watched.shows(1).await;
    let found = samples(&watched.get("/metrics").await.1);
    // Two retries out of ten; the first call found the bucket full.
    assert_eq!(found["banditop_endpoint_retries_left{endpoint=\"judge\"}"], 8.0);
    assert_eq!(found["banditop_endpoint_extras_denied_total{endpoint=\"judge\"}"], 0.0);
    for arm in arms {
        assert_eq!(found[&format!("banditop_arm_retries_left{{arm=\"{arm}\"}}")], 10.0, "{arm}");
    }
    assert_eq!(sum(&found, "banditop_endpoint_retries_left", "embedding"), 0.0, "nobody asked it");
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_say_what_is() {
    let watched = Watched::start().await;
    assert_eq!(watched.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(watched.get("/readyz").await.0, 200);
    assert_eq!(watched.get("/nothing").await.0, 404);
    assert_eq!(watched.get("/metrics?name=x").await.0, 200);
    // Whoever talks nonsense, or nothing, disturbs nobody.
    let mut silent = TcpStream::connect(watched.address).unwrap();
    silent.write_all(b"\x16\x03\x01 nonsense").unwrap();
    assert_eq!(watched.get("/healthz").await.0, 200);
    drop(silent);
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_no_arm_can_be_asked() {
    let watched = Watched::with(Arc::new(MemoryStore::new()), |facts| {
        facts.arms.iter_mut().for_each(|arm| arm.enabled = false);
    })
    .await;
    let (status, why) = watched.get("/readyz").await;
    assert!(status == 503 && why.contains("state reactivate"), "{status} {why}");
    assert_eq!(watched.get("/healthz").await.0, 200, "the process serves all the same");
    let handle = watched.engine.handle();
    let (id, actor) = (CommandId::new(handle.now(), 1), Actor::Person("ann".into()));
    let command = RouterCommand::Reactivate { arms: vec!["swift".into()] };
    let seen = handle.snapshot().revision;
    handle.command(CommandRequest { id, actor, command }).await.unwrap();
    handle.changed(seen).await;
    assert_eq!(watched.get("/readyz").await.0, 200);
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objectives_go_on_where_the_process_before_left_them() {
    let dir = tempfile::tempdir().unwrap();
    let first = Watched::reachable(dir.path()).await;
    for n in 0..3 {
        first.ask(&format!("question {n}")).await;
    }
    first.end().await;
    let second = Watched::reachable(dir.path()).await;
    assert_eq!(second.engine.handle().snapshot().objectives[0].found, Some(1.0));
    second.end().await;
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
