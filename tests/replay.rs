//! `replay` and `compare` as a user runs them, on records made here: `code` is best where the prompt asks
//! for code, `prose` elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;

use common::program::Program;
use serde_json::Value;

fn records(rows: usize) -> String {
    let mut text = String::new();
    for i in 0..rows {
        let (prompt, code, prose) = if i % 2 == 0 {
            ("Write a Rust function that reverses a string and handles errors.", 0.9, 0.4)
        } else {
            ("Write a poem about the sea in autumn, and edit this paragraph.", 0.3, 0.75)
        };
        let quality = format!(r#"{{"code":{code},"prose":{prose},"poor":0.2}}"#);
        let cost = r#"{"code":0.002,"prose":0.001,"poor":0.0001}"#;
        let _ =
            writeln!(text, r#"{{"id":"{i}","task":"t","prompt":"{prompt}","quality":{quality},"cost_usd":{cost}}}"#);
    }
    text
}

fn program(rows: usize) -> Program {
    let program = Program::fast();
    std::fs::write(program.home().join("records.jsonl"), records(rows)).unwrap();
    program
}

fn json(program: &Program, args: &[&str]) -> Value {
    program.json(args)
}

#[test]
fn a_replay_tells_what_a_router_would_have_earned() {
    let program = program(400);
    let args = ["replay", "records.jsonl", "--k", "1", "--shuffles", "6", "--json"];
    let found = json(&program, &args);
    assert_eq!((&found["rows"], &found["shuffles"], &found["k"]), (&400.into(), &6.into(), &1.into()));
    assert_eq!(found["arms"], serde_json::json!(["code", "prose", "poor"]));
    assert!((found["oracle"].as_f64().unwrap() - 0.825).abs() < 1e-9);
    let mean = found["mean_reward"].as_f64().unwrap();
    assert!(mean > 0.72, "{mean}, where the best single arm has {}", found["best_single"]["mean"]);
    assert!(found["decisions_per_s"].as_f64().unwrap() > 0.0);
    let without_time = |mut report: Value| {
        report["decisions_per_s"] = Value::Null;
        report
    };
    assert_eq!(without_time(found.clone()), without_time(json(&program, &args)), "the same seed, the same figures");
    let other = json(&program, &[&args[..], &["--seed", "8"]].concat());
    assert_ne!(found["per_shuffle"], other["per_shuffle"]);
    let text = program.ok(&[&args[..6], &["--plot", "--ascii"]].concat());
    assert!(text.contains("mean reward") && text.contains("routing accuracy"), "{text}");
    assert!(
        text.contains("regret against") && text.contains("b best single") && text.lines().all(|l| l.len() < 90),
        "{text}"
    );
}

#[test]
fn dollars_count_where_a_flag_says_so() {
    let program = program(60);
    let weighted = ["--bandit-quality-weight", "0.5", "--bandit-cost-weight", "0.5"];
    let args = ["replay", "records.jsonl", "--policy", "best-fixed", "--k", "1", "--shuffles", "2", "--json"];
    let plain = json(&program, &args);
    let found = json(&program, &[&args[..], &weighted].concat());
    assert_eq!(plain["best_single"]["arm"], "code");
    assert!(found["best_single"]["mean"] != plain["best_single"]["mean"]);
    let latency = program.run(&[&args[..], &["--bandit-latency-weight", "0.5"]].concat());
    assert_eq!(latency.code, Some(2));
    assert!(latency.err.contains("the records lack `latency_s`"), "{}", latency.err);
}

#[test]
fn a_comparison_says_what_is_significant() {
    let program = program(300);
    let args = ["compare", "records.jsonl", "--k", "2", "--shuffles", "6"];
    let found = json(&program, &[&args[..], &["--json"]].concat());
    let names: Vec<&str> = found["policies"].as_array().unwrap().iter().filter_map(|p| p["policy"].as_str()).collect();
    let expected = ["linucb", "lints", "linucb_top_k", "lints_top_k", "epsilon_greedy", "best_fixed", "baseline"];
    assert_eq!(names, expected);
    assert_eq!(found["differences"].as_array().unwrap().len(), 21);
    let text = program.ok(&args);
    assert!(text.contains("ε-greedy 0.1") && text.contains("p (Holm)"), "{text}");
}

/// Two strong arms that fail on the same prompts, and one that is worse on the whole but right on those; from
/// the text nobody can tell which prompts they are.
fn complementary(rows: usize) -> String {
    let mut text = String::new();
    for i in 0..rows {
        let is_hard = i % 4 == 0;
        let right = |is_right: bool| u8::from(is_right);
        let strong = right(is_hard == (i % 23 == 0));
        let twin = right(is_hard == (i % 19 == 0));
        let specialist = right(if is_hard { i % 7 != 0 } else { i % 8 < 4 });
        let quality = format!(r#"{{"strong":{strong},"twin":{twin},"specialist":{specialist}}}"#);
        let cost = r#"{"strong":0.002,"twin":0.002,"specialist":0.001}"#;
        let _ = writeln!(text, r#"{{"id":"{i}","prompt":"Is it so?","quality":{quality},"cost_usd":{cost}}}"#);
    }
    text
}

#[test]
fn racing_for_the_best_of_two_beats_racing_the_two_best() {
    let program = Program::fast();
    std::fs::write(program.home().join("skills.jsonl"), complementary(300)).unwrap();
    let found = json(&program, &["compare", "skills.jsonl", "--k", "2", "--shuffles", "12", "--json"]);
    let differences = found["differences"].as_array().unwrap();
    for (policy, against) in [("linucb", "linucb_top_k"), ("lints", "lints_top_k")] {
        let one = differences.iter().find(|d| d["policy"] == policy && d["against"] == against).unwrap();
        assert!(one["mean"].as_f64().unwrap() > 0.05 && one["significant"] == true, "{one}");
        assert!(one["ci95"][0].as_f64().unwrap() > 0.02, "{one}");
    }
    let report = found["policies"].as_array().unwrap().iter().find(|p| p["policy"] == "linucb").unwrap();
    let dollars = |field: &str| report[field].as_f64().unwrap();
    assert!(dollars("usd_per_race") > dollars("usd_per_request"), "what a race costs more is said beside it");
}

#[test]
fn records_come_zipped_by_name_or_by_pipe_and_may_be_learnt_from_first() {
    let program = program(200);
    let zipped = program.home().join("zipped.gz");
    let file = std::fs::File::create(&zipped).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(records(200).as_bytes()).unwrap();
    encoder.finish().unwrap();
    let options = ["--k", "1", "--shuffles", "2", "--json"];
    let mean = |text: &str| serde_json::from_str::<Value>(text).unwrap()["mean_reward"].as_f64().unwrap();
    let plain = mean(&program.ok(&[&["replay", "records.jsonl"], &options[..]].concat()));
    let unzipped = mean(&program.ok(&[&["replay", "zipped.gz"], &options[..]].concat()));
    let piped = program.run_with_input(&[&["replay", "-"], &options[..]].concat(), records(200).as_bytes());
    assert!((plain - unzipped).abs() < 1e-12 && (plain - mean(&piped.out)).abs() < 1e-12);
    let warm = mean(&program.ok(&[&["replay", "records.jsonl", "--warm", "zipped.gz"], &options[..]].concat()));
    assert!(warm > plain, "{warm} after learning, {plain} before");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let program = program(10);
    std::fs::write(program.home().join("bad.jsonl"), "{\"prompt\":\"p\",\"quality\":{\"a\":2}}\n[]\n").unwrap();
    let bad = program.run(&["replay", "bad.jsonl"]);
    assert_eq!(bad.code, Some(2));
    assert!(bad.err.contains("line 1: `quality` of \"a\" is 2") && bad.err.contains("line 2"), "{}", bad.err);
    for (args, words) in [
        (vec!["--degrade", "nobody:1:2:0.1"], "no arm nobody"),
        (vec!["--degrade", "code:1"], "expected ARM:FROM:TO:DELTA"),
        (vec!["--shuffles", "0"], "0 is not in"),
        (vec!["--gamma", "1.5"], "above 0 and at most 1"),
        (vec!["--x"], "the records hold no `x`"),
    ] {
        let ran = program.run(&[&["replay", "records.jsonl"], &args[..]].concat());
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    }
    assert_eq!(program.run(&["replay", "none.jsonl"]).code, Some(2));
}

#[test]
fn what_has_no_effect_or_cannot_be_is_said() {
    let program = program(40);
    let other = records(8).replace("\"code\"", "\"x\"").replace("\"prose\"", "\"y\"").replace("\"poor\"", "\"z\"");
    std::fs::write(program.home().join("other.jsonl"), other).unwrap();
    let base = ["replay", "records.jsonl", "--shuffles", "2"];
    for (more, code, words) in [
        (vec!["--k", "9"], 0, "there are 3 arms: k is 3"),
        (vec!["--degrade", "top:99999:999999:.1"], 0, "never comes: the file has 40"),
        (vec!["--add", "code:99999"], 0, "code joins at request 99999 and is never there"),
        (vec!["--price", "code:0:40:.1"], 0, "--price moves no choice"),
        (vec!["--warm", "other.jsonl"], 2, "--warm is about other arms (x, y, z) than the file (code, prose, poor)"),
        (vec!["--alpha", "-1"], 2, "expected a number of at least 0"),
        (vec!["--judge-noise", "-1"], 2, "expected a number of at least 0"),
        (vec!["--features", "length", "--k", "1"], 0, ""),
    ] {
        let ran = program.run(&[&base[..], &more].concat());
        assert!(ran.code == Some(code) && ran.err.contains(words), "{more:?}: {:?} {}", ran.code, ran.err);
    }
    let many = program.run(&["replay", "records.jsonl", "--shuffles", "4294967295", "--k", "1"]);
    assert!(many.code == Some(2) && many.err.contains("more than can be kept"), "{}", many.err);
    let missing = program.run(&["compare", "nosuite"]);
    assert!(missing.code == Some(2) && missing.err.contains("blind-spots"), "{}", missing.err);
    let once = program.json(&["replay", "records.jsonl", "--shuffles", "1", "--json"]);
    assert!(once["ci95"].is_null() && once["mean_reward"].is_number());
    let races = program.ok(&["replay", "records.jsonl", "--shuffles", "2", "--k", "2", "--budget-per-request", ".001"]);
    assert!(races.contains("of what was served: all 2 answers"), "{races}");
}
