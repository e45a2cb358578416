//! `export runs` as a user runs it: the same rows as `state export --runs`, a table, and an offline run that
//! the `wandb` package itself reads, where that package is installed (`pip install "wandb<0.20"`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use banditop::client::SocketEngine;
use banditop::domain::clock::{ManualClock, Timestamp};
use banditop::domain::control::SOCKET_NAME;
use banditop::domain::engine::EngineHandle as _;
use banditop::domain::ids::TimeId;
use banditop::gateway::socket::ControlSocket;
use banditop::store::{OpenOptions, SledStore};
use common::fake_engine::{AT, FakeEngine};
use common::program::Program;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn with_runs(count: usize) -> Program {
    let program = Program::fast();
    for n in 0..count {
        program.ok(&["ask", &format!("Say something, number {n}, \"quoted\"")]);
    }
    program
}

/// What comes out; that it says how much it wrote goes to standard error.
fn exported(program: &Program, args: &[&str]) -> String {
    let ran = program.run(args);
    assert!(ran.code == Some(0) && ran.err.starts_with("exported "), "{args:?}: {}", ran.err);
    ran.out
}

#[test]
fn lines_are_those_of_the_state_and_tables_have_a_column_a_number() {
    let program = with_runs(2);
    let lines = exported(&program, &["export", "runs"]);
    assert_eq!(lines, exported(&program, &["state", "export", "--runs"]));
    let path = program.home().join("runs.csv");
    exported(&program, &["export", "runs", "--format", "csv", path.to_str().unwrap()]);
    let table = std::fs::read_to_string(&path).unwrap();
    let mut rows = table.lines();
    let head: Vec<&str> = rows.next().unwrap().split(',').collect();
    assert!(head.contains(&"x:bias") && head.iter().any(|name| name.starts_with("propensity:")), "{head:?}");
    let first = rows.next().unwrap();
    assert!(first.contains("\"Say something, number 0, \"\"quoted\"\"\""), "{first}");
    // The prompt has two commas of its own.
    assert_eq!(first.split(',').count(), head.len() + 2, "{first}");
    assert_eq!(rows.count(), 1);
}

const READ: &str = r"
import sys, wandb
wandb._assert_is_internal_process = True
from wandb.sdk.internal.datastore import DataStore
from wandb.proto import wandb_internal_pb2 as pb
store = DataStore(); store.open_for_scan(sys.argv[1])
kinds, keys = [], set()
while (data := store.scan_data()) is not None:
    record = pb.Record(); record.ParseFromString(data)
    kinds.append(record.WhichOneof('record_type'))
    if kinds[-1] == 'run':
        config = {item.key: item.value_json for item in record.run.config.update}
        print(record.run.project, record.run.run_id, config['k'])
    if kinds[-1] == 'history':
        keys |= {item.key for item in record.history.item}
print(','.join(kinds)); print('reward' in keys, '_step' in keys, any(k.startswith('propensity/') for k in keys))
";

#[test]
fn an_offline_run_is_read_by_the_package_itself() {
    let program = with_runs(2);
    let dir = program.home().join("wandb");
    exported(&program, &["export", "runs", "--wandb", dir.to_str().unwrap()]);
    let folder = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let id = name.rsplit('-').next().unwrap();
    let log = folder.join(format!("run-{id}.wandb"));
    assert!(name.starts_with("offline-run-2") && log.is_file(), "{name}");
    let bytes = std::fs::read(&log).unwrap();
    assert!(!bytes.windows(13).any(|w| w == b"Say something"), "no prompt goes along");
    // Another interpreter may have the package: WANDB_TEST_PYTHON names it.
    let python = std::env::var_os("WANDB_TEST_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let has = Command::new(&python).args(["-c", "import wandb.sdk.internal.datastore"]).output();
    if !has.is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: this Python has no wandb package with a reader (pip install \"wandb<0.20\")");
        return;
    }
    let read = Command::new(&python).args(["-c", READ]).arg(&log).output().unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert_eq!(said, format!("banditop {id} 3\nrun,history,history,summary,exit\nTrue True True\n"), "{complaint}");
}

/// More runs than a line of the control socket holds, and more than a page has, come through it, oldest first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_runs_comes_through_the_socket_of_a_running_engine() {
    let program = Program::fast();
    // Who holds the store is asked through the socket.
    let clock = Arc::new(ManualClock::at(AT));
    let _held = SledStore::open(&program.data_dir(), OpenOptions::new("a console", clock.clone())).unwrap();
    let fake = FakeEngine::new();
    let id = |n: u64| TimeId::new(Timestamp::from_millis(AT.millis() + n), n);
    for n in 0..1_300 {
        // Twelve answers of six megabytes are more than the 64 that a line may have.
        let long = if n % 100 == 7 { 6 << 20 } else { 10 };
        fake.hold(id(n), "x".repeat(long));
    }
    let path = program.data_dir().join(SOCKET_NAME);
    let stop = CancellationToken::new();
    let mut served = JoinSet::new();
    served.spawn(ControlSocket::bind(&path).await.unwrap().serve(fake.clone(), stop.clone()));
    let engine = SocketEngine::connect(&path, clock).await.unwrap();
    let all: Vec<TimeId> = engine.runs(usize::MAX).await.unwrap().iter().map(|run| run.run_id).collect();
    assert!(all.len() == 1_300 && all.is_sorted_by(|newer, older| newer > older));
    let page = engine.runs_before(Some(id(1_000)), usize::MAX).await.unwrap();
    assert_eq!((page[0].run_id, page.len() < 1_000), (id(999), true), "a page is bounded by bytes too");

    for (limit, first) in [(None, 0), (Some("3"), 1_297)] {
        let mut args = vec!["export", "runs", "out.jsonl"];
        args.extend(limit.into_iter().flat_map(|limit| ["--limit", limit]));
        let mut command = program.command(&args);
        let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success() && said.contains(&format!("exported {} runs", 1_300 - first)), "{said}");
        let text = std::fs::read_to_string(program.home().join("out.jsonl")).unwrap();
        let ids = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone());
        assert!(ids.eq((first..1_300).map(|n| serde_json::json!(id(n)))), "{limit:?}");
    }
    stop.cancel();
    served.join_all().await;
}

#[test]
fn an_experiment_is_exported_and_its_variants_are_compared() {
    let config = std::fs::read_to_string(common::root().join("tests/fixtures/fast/config.toml")).unwrap();
    let scenario = common::root().join("tests/fixtures/fast/scenario.toml").display().to_string();
    let config = config.replace("\"scenario.toml\"", &format!("{scenario:?}"));
    let program = Program::with_text(&format!("{config}\n[experiment]\nrace = 1\ndirect = 1\n"));
    for number in 0..16 {
        program.ok(&["--seed", &number.to_string(), "ask", &format!("Say something, number {number}")]);
    }
    let path = program.home().join("runs.jsonl");
    let path = path.to_str().unwrap();
    exported(&program, &["export", "runs", path]);
    let lines = std::fs::read_to_string(path).unwrap();
    assert_eq!(lines.matches("\"experiment\":{\"variant\":").count(), 16, "{lines}");
    let found = program.json(&["compare", path, "--experiment", "--json"]);
    let variants = found["variants"].as_array().unwrap();
    let names: Vec<&str> = variants.iter().map(|variant| variant["variant"].as_str().unwrap()).collect();
    assert_eq!((names, &found["runs"]), (vec!["direct", "race"], &serde_json::json!(16)));
    let table = program.ok(&["compare", path, "--experiment"]);
    assert!(table.contains("16 runs of 2 variants") && table.contains("direct   − race      resolved"), "{table}");
    let csv = exported(&program, &["export", "runs", "--format", "csv"]);
    assert!(csv.contains(",race,0.5,true,") && csv.contains(",direct,0.5,true,"), "{csv}");
    let refused = program.run(&["compare", path, "--experiment", "--k", "2"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
}
