//! `ask` as a user runs it, over simulated models in the same process: the answer, the shape of the
//! record, what it leaves behind, and everything that can be wrong with a prompt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use banditop::domain::clock::SystemClock;
use banditop::gateway::socket::ControlSocket;
use banditop::store::{OpenOptions, SledStore};
use common::fake_engine::FakeEngine;
use common::program::{Program, assert_keys};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The shape that programs rely on.
const RECORD: &[&str] = &[
    "run_id",
    "strategy",
    "gate.decision",
    "gate.reason",
    "context.names",
    "context.x",
    "arms[].arm",
    "arms[].mean",
    "arms[].uncertainty",
    "arms[].score",
    "arms[].propensity",
    "arms[].selected",
    "previews[].arm",
    "previews[].latency_s",
    "previews[].ttft_s",
    "previews[].tokens",
    "previews[].cached",
    "previews[].error",
    "verdict.judge",
    "verdict.local_fallback",
    "verdict.scores",
    "order",
    "attempts[].arm",
    "attempts[].ok",
    "attempts[].error",
    "attempts[].latency_s",
    "attempts[].tokens_in",
    "attempts[].tokens_out",
    "attempts[].cost_usd",
    "rewards",
    "winner",
    "answer",
    "fallbacks",
    "cost_usd",
    "timings_s.features",
    "timings_s.previews",
    "timings_s.judge",
    "timings_s.full",
    "timings_s.total",
];

fn means(state: &Value) -> Vec<(String, String)> {
    let arms = state["arms"].as_array().unwrap();
    arms.iter().map(|arm| (arm["arm"].to_string(), arm["mean"].to_string())).collect()
}

#[test]
fn a_run_answers_records_and_teaches_and_a_restart_goes_on() {
    let program = Program::fast();
    let answer = program.ok(&["ask", "hello"]);
    assert!(answer.trim().len() > 20 && answer.ends_with('\n'), "{answer:?}");

    let record = program.json(&["ask", "--json", "Write a Rust function that reverses a string"]);
    assert_keys(&record, RECORD);
    let (names, x) = (record["context"]["names"].as_array().unwrap(), record["context"]["x"].as_array().unwrap());
    assert_eq!(names.len(), x.len());
    assert_eq!(record["previews"].as_array().unwrap().len(), 3);
    assert_eq!(record["outcome"]["status"], "served");
    let winner = record["winner"].as_str().unwrap();
    for (arm, scores) in record["verdict"]["scores"].as_object().unwrap() {
        assert_keys(scores, &["relevance", "coverage", "faithfulness", "hallucination_risk", "overall"]);
        let terms = ["total", "terms.quality.value", "terms.quality.weight", "terms.quality.contribution"];
        assert_keys(&record["rewards"][arm], &terms);
    }
    assert!(record["rewards"][winner]["total"].as_f64().unwrap() > 0.0);

    let before = program.json(&["state", "show", "--json"]);
    let after = program.json(&["state", "show", "--json"]);
    assert_eq!(means(&before), means(&after), "a restart changes nothing");
    assert_eq!(before["sequence"], after["sequence"]);
    let trials: u64 = before["arms"].as_array().unwrap().iter().map(|arm| arm["trials"].as_u64().unwrap()).sum();
    assert_eq!(trials, 6, "two races of three");

    program.ok(&["ask", "and once more"]);
    let third = program.json(&["state", "show", "--json"]);
    assert!(third["sequence"].as_u64() > after["sequence"].as_u64());
    assert_ne!(means(&third), means(&after));
}

#[test]
fn the_same_seed_chooses_the_same_arms() {
    let choice = || {
        let record = Program::fast().json(&["ask", "--json", "--seed", "11", "Prove that 7 is prime"]);
        (record["order"].clone(), record["winner"].clone(), record["answer"].clone())
    };
    assert_eq!(choice(), choice());
}

#[test]
fn strategies_can_be_chosen() {
    let record = Program::fast().json(&["ask", "--json", "--strategy", "direct", "hi there"]);
    assert_eq!(record["strategy"], "direct");
    assert_eq!(record["previews"], serde_json::json!([]));
    let record = Program::fast().variable("BANDITOP_STRATEGY", "baseline").json(&["ask", "--json", "hi there"]);
    assert_eq!(record["gate"]["decision"], "baseline");
}

#[test]
fn prompts_come_from_standard_input_too() {
    let program = Program::fast();
    for args in [&["ask", "-"][..], &["ask"][..]] {
        let ran = program.run_with_input(args, "Schreib mir bitte ein Gedicht über Möwen\n".as_bytes());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(!ran.out.trim().is_empty());
    }
}

#[test]
fn what_is_no_prompt_is_refused_in_words() {
    let program = Program::fast();
    let huge = vec![b'x'; 5_000_000];
    let rows: [(&[u8], &str); 4] = [
        (b"", "the prompt is empty"),
        (b" \n\t", "the prompt is empty"),
        (b"abc\xff\xfe", "not UTF-8: byte 4"),
        (&huge, "more than 2000000 bytes"),
    ];
    for (input, words) in rows {
        let ran = program.run_with_input(&["ask", "--json"], input);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(ran.err.starts_with("error: ") && ran.err.contains(words), "{}", ran.err);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let program = Program::fast();
    let mut child = program.command(&["ask", "tell me a long story"]).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 5]).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.code().is_some(), "ended by itself");
}

#[test]
fn a_signal_or_a_reader_that_has_gone_cancels_the_run_and_what_it_took_is_on_record() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let program = Program::with_text(&format!(
        "[[arms]]\nname = \"silent\"\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://{address}/v1\"\n\
         price_per_million = {{ input = 1000.0, output = 1000.0 }}\n"
    ));
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        // Held open, and never answered.
        let mut held = Vec::new();
        for call in silent.incoming() {
            let mut call = call.unwrap();
            asked.send(call.read(&mut [0; 64]).unwrap()).unwrap();
            held.push(call);
        }
    });
    for (signal, runs) in [(Signal::TERM, 1.0), (Signal::HUP, 2.0), (Signal::INT, 3.0)] {
        let child = program.command(&["--strategy", "baseline", "ask", "four letters make a token"]).spawn().unwrap();
        let bytes = requests.recv_timeout(Duration::from_secs(30)).expect("the request is under way");
        assert!(bytes > 0);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), said.as_str()), (Some(1), "error: cancelled\n"));
        let spent = program.json(&["state", "show", "--json"])["spent_today_usd"].as_f64().unwrap();
        assert!((spent - runs * 7.0e-3).abs() < 1e-9, "{signal:?}: {spent}");
    }
    let mut child = program.command(&["--strategy", "baseline", "ask", "four letters make a token"]).spawn().unwrap();
    requests.recv_timeout(Duration::from_secs(30)).expect("the request is under way");
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(1), &b""[..]), "nobody reads, nothing is said");
    let spent = program.json(&["state", "show", "--json"])["spent_today_usd"].as_f64().unwrap();
    assert!((spent - 4.0 * 7.0e-3).abs() < 1e-9, "a reader that has gone before the first word: {spent}");
}

#[test]
fn a_pipe_gets_the_answer_that_is_served_and_no_half_of_another() {
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = endpoint.local_addr().unwrap();
    std::thread::spawn(move || {
        for call in endpoint.incoming() {
            let mut call = call.unwrap();
            let mut request = vec![0; 65_536];
            let read = call.read(&mut request).unwrap();
            let breaks = String::from_utf8_lossy(&request[..read]).contains("breaks");
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let text = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
            let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            let body = if breaks { text("The first half of") } else { text("A whole answer.") + stop };
            call.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    let arm = |name: &str| {
        format!(
            "[[arms]]\nname = \"{name}\"\nprovider = \"openai\"\nmodel = \"{name}\"\nbase_url = \"http://{address}/v1\"\n"
        )
    };
    let program = Program::with_text(&(arm("breaks") + &arm("holds")));
    let ran = program.run(&["--strategy", "baseline", "ask", "why is the sky blue?"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "A whole answer.\n"), "{}", ran.err);
}

#[test]
fn an_arm_without_its_key_is_named_and_the_others_go_on() {
    let text = std::fs::read_to_string(common::root().join("tests/fixtures/fast/config.toml")).unwrap();
    let scenario = common::root().join("tests/fixtures/fast/scenario.toml");
    let text = text.replace("scenario.toml", scenario.to_str().unwrap());
    let real =
        "[[arms]]\nname = \"mini\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\napi_key_env = \"MINI_KEY\"\n";
    let program = Program::with_text(&format!("{text}\n{real}"));
    let check = program.ok(&["config", "check"]);
    assert!(check.contains("MINI_KEY is not set: the arm `mini`"), "{check}");
    let ran = program.run(&["ask", "hello"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("MINI_KEY is not set"), "{}", ran.err);
    assert!(!ran.out.trim().is_empty());
}

#[test]
fn a_verdict_that_comes_after_the_answer_is_waited_for_and_kept() {
    let text = std::fs::read_to_string(common::root().join("tests/fixtures/fast/config.toml")).unwrap();
    let scenario = common::root().join("tests/fixtures/fast/scenario.toml");
    let text = text.replace("scenario.toml", &scenario.display().to_string());
    let program = Program::with_text(&text.replace("[judge]\n", "[judge]\ndirect_share = 1.0\n"));
    let answer = program.json(&["ask", "--json", "--strategy", "direct", "Why is the sky blue?"]);
    assert!(answer["policies"]["afterwards"].is_null(), "the answer was out before");
    let runs = program.run(&["export", "runs", "--format", "jsonl"]);
    let run: Value = serde_json::from_str(runs.out.lines().next().unwrap()).unwrap();
    assert!(run["quality"].as_object().is_some_and(|quality| quality.len() == 1), "{run}");
}

#[test]
fn when_no_arm_can_answer_every_reason_is_told() {
    let arm = "[[arms]]\nname = \"gone\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n";
    let program = Program::with_text(arm);
    let ran = program.run(&["ask", "hello"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("error: ") && ran.err.contains("gone"), "{}", ran.err);
    let ran = program.run(&["ask", "--json", "hello"]);
    let record: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &record["outcome"]["status"]), (Some(1), &Value::from("failed")));
}

#[test]
fn an_unusable_data_directory_is_told_and_a_run_goes_on_in_memory() {
    let program = Program::fast();
    std::fs::write(program.data_dir(), "a file where the directory should be").unwrap();
    let ran = program.run(&["ask", "hello"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("memory"), "{}", ran.err);
    let ran = program.run(&["state", "decay"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("--data-dir"), "{}", ran.err);
}

#[test]
fn a_ceiling_of_the_day_is_refused_where_nobody_knows_what_was_spent() {
    let program = Program::fast().variable("BANDITOP_BUDGET_PER_DAY_USD", "5");
    let data = program.data_dir();
    assert_eq!(program.run(&["ask", "hello"]).code, Some(0));
    let kept = data.with_extension("kept");
    std::fs::rename(&data, &kept).unwrap();
    std::fs::write(&data, "a file where the directory should be").unwrap();
    let ran = program.run(&["ask", "--json", "hello"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    for said in ["`budget.per_day_usd` allows $5 a day", "cannot be created", "--data-dir", "leave"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    // The account is where it was once the store is.
    std::fs::remove_file(&data).unwrap();
    std::fs::rename(&kept, &data).unwrap();
    let spent = program.json(&["state", "show", "--json"])["spent_today_usd"].as_f64().unwrap();
    assert!(spent > 0.0, "{spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_holds_the_store_commands_go_through_them() {
    let program = Arc::new(Program::fast());
    let dir = program.data_dir();
    let held = SledStore::open(&dir, OpenOptions::new("banditop run", Arc::new(SystemClock::new()))).unwrap();
    let (fake, stop) = (FakeEngine::new(), CancellationToken::new());
    let socket = ControlSocket::bind(&dir.join("control.sock")).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(socket.serve(fake.clone(), stop.clone()));

    let calls = tokio::task::spawn_blocking(move || {
        assert_eq!(program.ok(&["ask", "one two"]), "one two\n");
        assert_eq!(program.json(&["ask", "--json", "one two"])["answer"], "one two");
        let busy = program.run(&["ask", "busy"]);
        assert_eq!(busy.code, Some(1));
        assert!(busy.err.contains("3 runs are in flight"), "{}", busy.err);
        let flagged = program.run(&["ask", "--strategy", "direct", "one"]);
        assert_eq!((flagged.code, flagged.out.as_str()), (Some(0), "one\n"));
        assert!(flagged.err.starts_with("note: --strategy changes nothing"), "{}", flagged.err);
        assert_eq!(program.json(&["state", "show", "--json"])["sequence"], 7);
        assert_eq!(program.ok(&["state", "decay"]), "applied #1 (durable): decay before → after\n");
        let journal = program.json(&["state", "journal", "--json"]);
        assert_eq!(journal[0]["actor"]["person"], "tester");
    });
    calls.await.unwrap();
    stop.cancel();
    tasks.join_all().await;
    drop(held);
}
