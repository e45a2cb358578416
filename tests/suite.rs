//! `compare SUITE` as a user runs it: a small suite through the real race of the fast simulated models, whose truth is
//! known; and what choosing for the expected best of a set must win on a built-in one, as recorded outcomes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use banditop::domain::spec::{RouterKind, SetChoice};
use banditop::evaluation::{Contestant, Counting, Options, Problem, Records, Replay, RouterSetup, compare};
use banditop::sim::{SuiteSpec, assets};
use common::program::Program;
use common::replay::{from_text, shipped, uniforms};

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
fn a_suite_under_a_ceiling_says_who_keeps_to_it() {
    let program = Program::fast();
    std::fs::write(program.home().join("small.toml"), SUITE).unwrap();
    let args = ["compare", "small.toml", "--shuffles", "1", "--k", "2", "--budget-per-request", ".0003", "--json"];
    let found = program.json(&args);
    let policies = found["policies"].as_array().unwrap();
    let names: Vec<&str> = policies.iter().filter_map(|p| p["policy"].as_str()).collect();
    let paced = ["linucb_paced", "lints_paced", "linucb", "lints"];
    assert_eq!(names, [&paced[..], &["linucb_top_k", "uniform", "best_fixed", "baseline"]].concat());
    for policy in policies {
        let (used, race) = (policy["utilisation"].as_f64().unwrap(), policy["usd_per_race"].as_f64().unwrap());
        assert!((used - race / 0.0003).abs() < 1e-9, "previews and judge are paid for too: {policy}");
    }
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

/// The suite `blind-spots` as recorded outcomes: every model on every prompt, each a little better or worse than its
/// skill there, as its answers are.
fn blind_spots() -> (Problem, usize) {
    let suite: SuiteSpec = toml::from_str(assets::suite("blind-spots").unwrap()).unwrap();
    let mut rng = fastrand::Rng::with_seed(5);
    let mut lines = String::new();
    for round in 0..suite.rounds {
        for prompt in &suite.prompts {
            let quality = suite.models.iter().map(|model| {
                let skill = model.skill_at(prompt.intent, prompt.hidden.as_deref());
                format!("{:?}:{}", model.name, skill + 0.12 * (rng.f64() - 0.5))
            });
            let quality = quality.collect::<Vec<_>>().join(",");
            let line = format!(
                "{{\"id\":\"{round} {}\",\"prompt\":{:?},\"quality\":{{{quality}}}}}",
                prompt.id, prompt.prompt
            );
            lines += &(line + "\n");
        }
    }
    let records = Records::parse(lines.as_bytes()).unwrap();
    (from_text(&records, Counting::quality_alone()).repeating(suite.prompts.len()), suite.models.len())
}

/// Three of a family have the highest means and one blind spot, which no wording shows; the arm that adds to them is
/// the worst but one. Whoever races for the expected best of the set finds it, whoever races the highest scores does not.
#[test]
fn the_expected_best_of_a_set_wins_where_arms_share_what_no_wording_shows() {
    let (problem, arms) = blind_spots();
    assert_eq!((problem.rows(), arms), (180, 5));
    let router = |kind, set| Contestant::Router(Box::new(RouterSetup { set, ..shipped(kind) }));
    for k in [2, 3] {
        for kind in [RouterKind::Linucb, RouterKind::Lints] {
            let options = Options { shuffles: 10, k, judge_noise: 0.03, ..Options::default() };
            let replay = Replay { problem: &problem, warm: None, options: &options, generator: &uniforms };
            let both = [router(kind, SetChoice::ExpectedBest), router(kind, SetChoice::HighestScores)];
            let found = compare(&replay, &both, &|| 0.0, &mut |_, _| true).unwrap();
            let best = &found.differences[0];
            println!("k {k} {kind:?}: {best:?}");
            assert!(best.significant && best.mean > 0.05 && best.ci95[0] > 0.02, "k {k} {kind:?}: {best:?}");
        }
    }
}
