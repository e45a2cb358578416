//! The shipped dashboard and alert rules name only metrics that are served: each name in them is held to a
//! full exposition, and `promtool` checks the rules where it is installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "counts are whole, and a test that is left out says so")]

mod common;

use std::collections::BTreeSet;
use std::process::Command;

use banditop::domain::clock::Timestamp;
use banditop::domain::failure::FailureClass;
use banditop::domain::flag::Flag;
use banditop::domain::handling::{ExtraCount, Helper};
use banditop::domain::ids::ArmId;
use banditop::domain::observer::Objective;
use banditop::domain::ratio::Ratio;
use banditop::domain::record::GateDecision;
use banditop::domain::snapshot::{ArmLimits, ArmRow, EngineSnapshot, SpendAccount, Totals};
use banditop::domain::spec::{ArmSpec, Lifecycle, Provider, ShareLimits, Strategy};
use banditop::domain::tally::{ArmTally, Calls, Histogram, Outcome, Places, SECONDS, Tally, UNIT, WRITES};
use banditop::domain::terms::Term;
use banditop::telemetry::{SinkFigures, render};

fn histogram(bounds: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    histogram.add(0.5, bounds);
    histogram
}

fn calls() -> Calls {
    Calls {
        made: 2,
        failed: [(FailureClass::Transient, 1)].into(),
        tokens_in: 8,
        tokens_out: 9,
        cost_nano: 7,
        seconds: histogram(SECONDS),
        first_token: histogram(SECONDS),
    }
}

fn arm_row(arm: &ArmId) -> ArmRow {
    let spec = ArmSpec {
        name: arm.clone(),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: String::new(),
        api_key_env: None,
        price: None,
        enabled: true,
    };
    ArmRow {
        arm: arm.clone(),
        spec,
        state: Lifecycle::Active,
        state_reason: None,
        until: None,
        share: Ratio::new(0.5),
        share_delta: Some(0.1),
        preview_share: Ratio::new(0.5),
        mean: Some(0.5),
        uncertainty: Some(0.1),
        p95_preview_s: Some(1.0),
        mean_reward: Some(0.5),
        reward_history: Vec::new(),
        error_rate: Ratio::new(0.1),
        cost_usd_per_run: Some(0.1),
        trials: 3,
        wins: 1,
        places: Places::default(),
        effective_n: 3.0,
        served_by_intent: [1; 5],
        limits: Some(ArmLimits {
            set: ShareLimits { min: 0.1, max: 0.4, ramp_s: 60.0 },
            since: Timestamp::default(),
            now: (0.1, 0.2),
            taken: Ratio::new(0.15),
            runs: 20,
        }),
        extras: Some(ExtraCount { left: 3.0, calls: 4, retries: 1, hedges: 1, denied: 1 }),
    }
}

/// A picture in which everything has a value.
fn full() -> EngineSnapshot {
    let arm = ArmId::new("swift");
    let counted = ArmTally {
        selected: 1,
        served: 1,
        preview: calls(),
        cache_hits: 1,
        cache_misses: 2,
        answer: calls(),
        ejections: 1,
        retries: 2,
        flags: [(Flag::Refusal, 1)].into(),
        hedges: 1,
        hedges_won: 1,
        wasted_tokens: 1,
        wasted_nano: 1,
        reward: histogram(UNIT),
        served_reward: histogram(UNIT),
        terms: [(Term::Quality, histogram(UNIT))].into(),
        propensity: histogram(UNIT),
        places: Places::default(),
    };
    let tally = Tally {
        runs: vec![(Strategy::Race, Outcome::Served, 1)],
        gates: vec![(GateDecision::Bandit, 1)],
        judges: [("sage".to_owned(), calls())].into(),
        searches: [("searxng".to_owned(), calls())].into(),
        embeddings: calls(),
        end_to_end: histogram(SECONDS),
        arms: [(arm.clone(), counted)].into(),
        writes: [histogram(WRITES), histogram(WRITES)],
        ..Tally::default()
    };
    let some = Some(0.5);
    let ratio = Ratio::new(0.5);
    let slo = Objective {
        name: "p95".to_owned(),
        wanted: "p95 <= 5 s".to_owned(),
        found: some,
        found_words: None,
        limit: 0.95,
        windows_s: [3600.0, 300.0],
        burn: [some, some],
        budget_left: some,
        is_burning: false,
    };
    EngineSnapshot {
        arms: vec![arm_row(&arm)],
        tally: tally.into(),
        objectives: vec![slo],
        helpers: Helper::ALL.map(|helper| (helper, ExtraCount { left: 2.0, calls: 1, ..ExtraCount::default() })).into(),
        budget_per_request_usd: some,
        budget_per_day_usd: some,
        account: Some(SpendAccount { requests: 1, spent_usd: 0.5, allowed_usd: 0.5, utilisation: some, lambda: 0.5 }),
        totals: Totals {
            first_try: ratio,
            fallback_rate: ratio,
            explore_rate: ratio,
            runs_per_s: some,
            p50_s: some,
            p95_s: some,
            p99_s: some,
            usd_per_run: some,
            usd_per_resolved_run: some,
            ..Totals::default()
        },
        ..common::fake_engine::snapshot(1)
    }
}

/// Every metric that is served, as Prometheus names its series.
fn served() -> BTreeSet<String> {
    let sinks = [SinkFigures { name: "otlp", sent: 1, dropped: 0 }];
    let text = render(&full(), &sinks).unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// Every name of ours in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with("banditop_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_that_is_named_is_served() {
    let served = served();
    for file in ["assets/grafana/banditop.json", "assets/prometheus/alerts.yml"] {
        let names = named(&std::fs::read_to_string(common::root().join(file)).unwrap());
        assert!(names.len() > 8, "{file} names {}", names.len());
        let missing: Vec<&String> = names.iter().filter(|name| !served.contains(*name)).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}; served are {served:#?}");
    }
}

#[test]
fn the_dashboard_is_json_and_shows_all_five_parts() {
    let text = std::fs::read_to_string(common::root().join("assets/grafana/banditop.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<&str> = panels.iter().filter(|p| p["type"] == "row").map(|p| p["title"].as_str().unwrap()).collect();
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(panels.iter().filter(|p| p["type"] != "row").all(|p| !p["targets"].as_array().unwrap().is_empty()));
}

/// The expression of the panel whose title begins so, with a fixed interval.
fn panel(title: &str) -> String {
    let text = std::fs::read_to_string(common::root().join("assets/grafana/banditop.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let found = panels.iter().find(|panel| panel["title"].as_str().is_some_and(|name| name.starts_with(title)));
    found.unwrap()["targets"][0]["expr"].as_str().unwrap().replace("$__rate_interval", "5m")
}

/// What `promtool test rules` says of a file; nothing where it is not installed.
fn promtool_test(file: &std::path::Path) {
    match Command::new("promtool").args(["test", "rules"]).arg(file).output() {
        Ok(said) => assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout)),
        Err(_) => eprintln!("skipped: promtool is not installed (Debian: prometheus)"),
    }
}

#[test]
fn every_rule_is_raised_by_what_it_is_about() {
    let rules = std::fs::read_to_string(common::root().join("assets/prometheus/alerts.yml")).unwrap();
    let file = common::root().join("tests/fixtures/alerts.test.yml");
    let test = std::fs::read_to_string(&file).unwrap();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(test.contains(&format!("alertname: {alert}\n")), "{alert} is raised by no test");
    }
    promtool_test(&file);
}

#[test]
fn regret_is_of_what_was_served_against_an_arm_that_may_be_chosen() {
    let series = [
        ("banditop_arm_expected_reward{arm=\"a\"}", "0.75x60"),
        ("banditop_arm_expected_reward{arm=\"gone\"}", "0.99x60"),
        ("banditop_arm_selectable{arm=\"a\"}", "1x60"),
        ("banditop_arm_selectable{arm=\"gone\"}", "0x60"),
        ("banditop_served_reward_sum{arm=\"a\"}", "0+5x60"),
        ("banditop_served_reward_count{arm=\"a\"}", "0+10x60"),
        // Judged previews that were not served: many, and bad.
        ("banditop_reward_sum{arm=\"a\"}", "0+6x60"),
        ("banditop_reward_count{arm=\"a\"}", "0+90x60"),
    ];
    let input: Vec<_> = series.map(|(series, values)| serde_json::json!({"series": series, "values": values})).into();
    let wanted = |title, labels: &str, value: f64| {
        let samples = [serde_json::json!({"labels": labels, "value": value})];
        serde_json::json!({"expr": panel(title), "eval_time": "20m", "exp_samples": samples})
    };
    let tests = [wanted("Regret", "{}", 0.25), wanted("Mean reward", "{arm=\"a\"}", 0.5)];
    // JSON is YAML.
    let text = serde_json::json!({"tests": [{"interval": "30s", "input_series": input, "promql_expr_test": tests}]});
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("panels.test.yml");
    std::fs::write(&file, text.to_string()).unwrap();
    promtool_test(&file);
}

#[test]
fn promtool_accepts_the_rules() {
    let rules = common::root().join("assets/prometheus/alerts.yml");
    match Command::new("promtool").args(["check", "rules"]).arg(&rules).output() {
        Ok(said) => assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr)),
        Err(_) => eprintln!("skipped: promtool is not installed (Debian: prometheus)"),
    }
}
