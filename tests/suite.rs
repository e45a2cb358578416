//! `compare SUITE` as a user runs it: a small suite through the real race of the fast simulated models, whose truth is
//! known.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::program::Program;

const SUITE: &str = r#"
name = "small"
description = "Four prompts of two kinds."
rounds = 2
pick = ["coding-merge", "coding-lru", "writing-toast"]

[[prompts]]
id = "own"
intent = "writing"
prompt = "Write a limerick about a lighthouse."
"#;

#[test]
fn a_suite_goes_through_the_real_race() {
    let program = Program::fast();
    std::fs::write(program.home().join("small.toml"), SUITE).unwrap();
    let found = program.json(&["compare", "small.toml", "--shuffles", "2", "--k", "2", "--json"]);
    let policies = found["policies"].as_array().unwrap();
    let names: Vec<&str> = policies.iter().filter_map(|p| p["policy"].as_str()).collect();
    assert_eq!(names, ["linucb", "lints", "linucb_top_k", "uniform", "best_fixed", "baseline"]);
    assert_eq!(found["differences"].as_array().unwrap().len(), 15);
    for policy in policies {
        assert_eq!((&policy["rows"], &policy["shuffles"]), (&8.into(), &2.into()));
        // Coding: coder .95, atlas .7; writing: scribe .95, atlas .7: the best arm of every prompt has .95.
        assert!((policy["oracle"].as_f64().unwrap() - 0.95).abs() < 1e-9);
        assert!(policy["usd_per_request"].as_f64().unwrap() > 0.0);
        assert!(policy["decisions_per_s"].is_null(), "they play at once");
    }
    let mean = |at: usize| policies[at]["mean_reward"].as_f64().unwrap();
    assert!((mean(4) - 0.7).abs() < 1e-9 && (mean(5) - 0.7).abs() < 1e-9, "atlas is best alone, and first: {found}");
}

#[test]
fn what_is_wrong_with_a_suite_is_said_all_at_once() {
    let program = Program::fast();
    let wrong = SUITE.replace("coding-merge", "coding-nothing").replace("rounds = 2", "rounds = 0");
    std::fs::write(program.home().join("wrong.toml"), wrong).unwrap();
    let ran = program.run(&["compare", "wrong.toml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("`rounds` is 0") && ran.err.contains("\"coding-nothing\""), "{}", ran.err);
    let missing = program.run(&["compare", "missing.toml"]);
    assert!(missing.code == Some(2) && missing.err.contains("complementary"), "{}", missing.err);
    std::fs::write(program.home().join("odd.toml"), "name = 1").unwrap();
    assert!(program.run(&["compare", "odd.toml"]).err.contains("odd.toml:1:"));
    let added = program.run(&["compare", "complementary", "--add", "atlas:3"]);
    assert!(added.code == Some(2) && added.err.contains("--add is about recorded outcomes"), "{}", added.err);
    let given = program.run(&["compare", "complementary", "--gamma", "0.9"]);
    assert!(given.code == Some(2) && given.err.contains("--gamma is about recorded outcomes"), "{}", given.err);
}
