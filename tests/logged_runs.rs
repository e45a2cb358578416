//! Our own runs as evidence: exported with propensities, estimated, replayed by rejection; priors fitted to records
//! and told to a router. Logs are made here, where the truth is known: `code` earns 0.9 on code and 0.3 on prose,
//! `prose` 0.4 and 0.75, `poor` 0.2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;

use common::program::Program;
use serde_json::Value;

const ARMS: [(&str, [f64; 2]); 3] = [("code", [0.9, 0.3]), ("prose", [0.4, 0.75]), ("poor", [0.2, 0.2])];
const PROMPTS: [&str; 2] = ["Write a Rust function that reverses a string.", "Write a poem about the sea in autumn."];

/// A log of runs that each asked one arm, drawn with these probabilities.
fn log(rows: usize, propensity: [f64; 3]) -> String {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut text = String::new();
    for i in 0..rows {
        let kind = usize::from(i % 2 == 1);
        let mut u = rng.f64();
        let asked = propensity.iter().position(|p| {
            u -= p;
            u < 0.0
        });
        let (arm, quality) = ARMS[asked.unwrap_or(0)];
        let quality = quality[kind] + 0.1 * (rng.f64() - 0.5);
        let [a, b, c] = propensity;
        let _ = writeln!(
            text,
            r#"{{"id":"{i}","prompt":"{}","quality":{{"{arm}":{quality}}},"propensity":{{"code":{a},"prose":{b},"poor":{c}}},"served":"{arm}"}}"#,
            PROMPTS[kind]
        );
    }
    text
}

fn program(name: &str, text: &str) -> Program {
    let program = Program::fast();
    std::fs::write(program.home().join(name), text).unwrap();
    program
}

fn policy<'a>(found: &'a Value, name: &str) -> &'a Value {
    found["policies"].as_array().unwrap().iter().find(|p| p["policy"] == name).unwrap()
}

#[test]
fn a_log_tells_what_other_policies_would_have_earned() {
    let program = program("log.jsonl", &log(900, [0.2, 0.5, 0.3]));
    let found = program.json(&["off-policy", "log.jsonl", "--json"]);
    for (name, truth) in [("arm:code", 0.6), ("arm:prose", 0.575), ("arm:poor", 0.2), ("uniform", 0.4583)] {
        for estimate in ["ips", "snips", "dr"] {
            let figure = &policy(&found, name)[estimate];
            let (value, se) = (figure["value"].as_f64().unwrap(), figure["se"].as_f64().unwrap());
            assert!((value - truth).abs() < 4.0 * se.max(0.005), "{name} {estimate}: {value} ± {se} against {truth}");
        }
    }
    let best = policy(&found, "linucb")["dr"]["value"].as_f64().unwrap();
    assert!(best > 0.75, "{best}, where the best single arm has 0.6 and the oracle 0.825");
    assert!((policy(&found, "arm:code")["effective_sample_size"].as_f64().unwrap() - 180.0).abs() < 40.0);
    let text = program.ok(&["off-policy", "log.jsonl", "--policy", "router", "--policy", "arm:poor"]);
    assert!(text.contains("doubly robust") && text.contains("router") && !text.contains("uniform"), "{text}");
}

#[test]
fn a_log_replays_by_rejection_and_says_how_much_of_it_counts() {
    let program = program("log.jsonl", &log(900, [0.25, 0.5, 0.25]));
    let found = program.json(&["replay", "log.jsonl", "--policy", "uniform", "--shuffles", "4", "--json"]);
    // A uniform policy meets the arm that was asked on min p of the rows, a quarter of them.
    let effective = found["logged"]["effective_rows"].as_f64().unwrap();
    assert!((effective - 225.0).abs() < 30.0, "{effective}");
    assert!((found["mean_reward"].as_f64().unwrap() - 0.4583).abs() < 0.03, "{}", found["mean_reward"]);
    assert!(found["oracle"].is_null() && found["regret"].is_null() && found["random"].is_null());
    let text = program.ok(&["replay", "log.jsonl", "--shuffles", "2"]);
    assert!(text.contains("effective rows") && !text.contains("oracle"), "{text}");
    let raced = program.run(&["replay", "log.jsonl", "--k", "2"]);
    assert_eq!(raced.code, Some(2));
    assert!(raced.err.contains("one arm seen per prompt"), "{}", raced.err);
    assert_eq!(program.run(&["compare", "log.jsonl"]).code, Some(2));
}

#[test]
fn what_a_log_does_not_support_is_refused_with_the_reason() {
    let program = program("never.jsonl", &log(200, [0.5, 0.5, 0.0]));
    let found = program.json(&["off-policy", "never.jsonl", "--json"]);
    let reason = policy(&found, "arm:poor")["refused"].as_str().unwrap();
    assert!(reason.contains("no support: on 200 of 200"), "{reason}");
    assert!(policy(&found, "arm:code")["refused"].is_null());
    let replayed = program.run(&["replay", "never.jsonl"]);
    assert_eq!(replayed.code, Some(2));
    assert!(replayed.err.contains("200 have a candidate that could not have been seen"), "{}", replayed.err);
    for (name, text, words) in [
        ("few.jsonl", log(60, [0.6, 0.3, 0.1]), "the log is worth"),
        ("plain.jsonl", log(40, [0.4, 0.3, 0.3]).replace("propensity", "unrelated"), "hold no propensities"),
        ("odd.jsonl", log(40, [0.5, 0.5, 0.0]).replace(r#""code":0.5"#, r#""code":0"#), "was seen, with propensity 0"),
    ] {
        std::fs::write(program.home().join(name), text).unwrap();
        let ran = program.run(&["off-policy", name, "--policy", "arm:poor"]);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == Some(1) && all.contains(words), "{name}: {all}");
    }
    let unknown = program.run(&["off-policy", "never.jsonl", "--policy", "arm:nobody"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("no policy \"arm:nobody\""), "{}", unknown.err);
}

#[test]
fn runs_are_exported_with_propensities_and_priors_are_told_and_undone() {
    let program = Program::fast();
    for prompt in ["Write a poem about the sea", "Fix this Python function: def f(x): return x", "Prove that 2 + 2 = 4"]
    {
        program.ok(&["ask", prompt]);
    }
    let exported = program.run(&["state", "export", "--runs", "runs.jsonl"]);
    assert_eq!((exported.code, exported.err.as_str()), (Some(0), "exported 3 runs to runs.jsonl\n"));
    let text = std::fs::read_to_string(program.home().join("runs.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let quality = row["quality"].as_object().unwrap();
        let propensity = row["propensity"].as_object().unwrap();
        assert!(!quality.is_empty() && propensity.len() == 4, "{row}");
        let sum: f64 = propensity.values().filter_map(Value::as_f64).sum();
        assert!((sum - 3.0).abs() < 1e-9, "three arms raced: {row}");
        assert!(quality.contains_key(row["served"].as_str().unwrap()) && row["x"].is_array());
        assert_eq!(row["selected"].as_array().map(Vec::len), Some(3));
    }
    // Where limits of shares decide how many race, each row states how many that is in the mean.
    program.ok(&["state", "limits", "penny", "--min", "0.3", "--max", "0.4"]);
    program.ok(&["state", "limits", "scribe", "--max", "0.1"]);
    program.ok(&["ask", "What is a limit?"]);
    program.run(&["state", "export", "--runs", "limited.jsonl"]);
    let limited = std::fs::read_to_string(program.home().join("limited.jsonl")).unwrap();
    let row: Value = serde_json::from_str(limited.lines().last().unwrap()).unwrap();
    let sum: f64 = row["propensity"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
    assert!((row["expected_raced"].as_f64().unwrap() - sum).abs() < 1e-9 && sum < 2.9, "{row}");
    assert!(rows.iter().all(|row| row["expected_raced"].is_null()));
    let few = program.run(&["off-policy", "limited.jsonl", "--policy", "uniform"]);
    assert!(few.code == Some(1) && few.err.contains("worth") && !few.err.contains("whole number"), "{}", few.err);

    let fitted = program.run(&["priors", "fit", "runs.jsonl", "--n-effective", "10", "--out", "priors.json"]);
    assert!(fitted.out.contains("atlas") && fitted.out.contains("worth"), "{}", fitted.out);
    assert_eq!(fitted.err, "written to priors.json: banditop priors apply priors.json\n");
    let kept = std::fs::read_to_string(program.home().join("priors.json")).unwrap();
    assert_eq!(program.ok(&["priors", "fit", "runs.jsonl", "--n-effective", "10", "--json"]), kept);
    let told = program.ok(&["priors", "apply", "priors.json"]);
    assert!(told.contains("prior atlas none") && told.contains("→ atlas n"), "{told}");
    assert!(program.ok(&["state", "undo"]).contains("→ atlas none"));
    let cleared = program.json(&["priors", "clear", "atlas", "--json"]);
    assert_eq!(cleared["status"], "applied");
    let unknown = program.run(&["priors", "clear", "nobody"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("there is no arm"), "{}", unknown.err);
    let odd = program.run(&["priors", "apply", "runs.jsonl"]);
    assert!(odd.code == Some(2) && odd.err.contains("these are no priors"), "{}", odd.err);
    assert_eq!(program.run(&["priors", "fit", "runs.jsonl", "--n-effective", "0"]).code, Some(2));
    assert_eq!(program.run(&["--read-only", "priors", "clear"]).code, Some(2));
}

#[test]
fn what_the_configuration_expects_is_believed_from_the_first_run() {
    let config = fast_text();
    let program = Program::with_text(&config);
    let expecting = config.replacen(
        "name = \"penny\"\n",
        "name = \"penny\"\nexpect = { quality = 0.2, latency_s = 0.5, usd = 0.0001, n = 12 }\n",
        1,
    );
    assert_ne!(config, expecting);
    program.set_text(&expecting);
    program.ok(&["state", "show"]);
    let journal = program.ok(&["state", "journal"]);
    assert!(journal.contains("prior penny none → penny n 12"), "{journal}");
    program.set_text(&config);
    program.ok(&["state", "show"]);
    assert!(program.ok(&["state", "journal"]).contains("prior penny n 12 → penny none"));
}

/// The fast configuration, wherever it lies.
fn fast_text() -> String {
    let config = std::fs::read_to_string(common::root().join("tests/fixtures/fast/config.toml")).unwrap();
    let scenario = common::root().join("tests/fixtures/fast/scenario.toml");
    config.replace("\"scenario.toml\"", &format!("{:?}", scenario.display().to_string()))
}

#[test]
fn a_router_is_judged_with_the_priors_of_the_configuration() {
    let config = fast_text();
    let sure = "name = \"penny\"\nexpect = { quality = 1.0, n = 100000 }\n";
    let program = Program::with_text(&config);
    let log = log(300, [0.4, 0.4, 0.2]).replace("\"poor\"", "\"penny\"");
    std::fs::write(program.home().join("log.jsonl"), log).unwrap();
    let worth = || {
        let found = program.json(&["off-policy", "log.jsonl", "--policy", "router", "--json"]);
        policy(&found, "router")["dr"]["value"].as_f64().unwrap()
    };
    let without = worth();
    program.set_text(&config.replacen("name = \"penny\"\n", sure, 1));
    let with = worth();
    assert!(without > 0.7 && with < 0.35, "sure of the poor arm it is worth {with}, else {without}");
}

#[test]
fn what_would_need_an_endpoint_is_refused() {
    let features = "\n[features]\nkind = \"embedding\"\nembedding = { encoder = \"endpoint\" }\n";
    let program = Program::with_text(&format!("{}{features}", fast_text()));
    std::fs::write(program.home().join("log.jsonl"), log(100, [0.4, 0.4, 0.2])).unwrap();
    for command in [&["off-policy"][..], &["priors", "fit"], &["replay"], &["compare"]] {
        let ran = program.run(&[command, &["log.jsonl"]].concat());
        assert_eq!(ran.code, Some(2), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("recorded outcomes ask no endpoint") && ran.err.contains("--x"), "{}", ran.err);
    }
}

#[test]
fn what_was_lost_and_what_counts_as_0_is_said() {
    let program = Program::with_text(&format!("{}\n[features]\nsignals = true\n", fast_text()));
    // Of every fifth run the arm that was asked failed in passing.
    let log = log(600, [0.3, 0.4, 0.3]);
    let lines = log.lines().enumerate().map(|(i, line)| {
        let asked = line.rsplit('"').nth(1).unwrap();
        let line = line.replace("\"served\":", &format!("\"selected\":[\"{asked}\"],\"was\":"));
        if i % 5 > 0 { line } else { unjudged(&line) }
    });
    let text: String = lines.map(|line| line + "\n").collect();
    std::fs::write(program.home().join("log.jsonl"), text).unwrap();
    let found = program.json(&["off-policy", "log.jsonl", "--policy", "arm:code", "--json"]);
    let lost: u64 = found["lost"].as_array().unwrap().iter().map(|each| each["lost"].as_u64().unwrap()).sum();
    assert_eq!(lost, 120);
    let ips = &policy(&found, "arm:code")["ips"];
    let (value, se) = (ips["value"].as_f64().unwrap(), ips["se"].as_f64().unwrap());
    assert!((value - 0.6).abs() < 4.0 * se && se < 0.05, "{value} ± {se}");
    let said = program.ok(&["off-policy", "log.jsonl", "--policy", "arm:code"]);
    assert!(said.contains("selections of code were not judged"), "{said}");
    let replayed = program.ok(&["replay", "log.jsonl", "--policy", "uniform", "--shuffles", "2"]);
    assert!(replayed.contains("not judged        120 of 600 selections"), "{replayed}");
    assert!(replayed.contains("signals           3 about each arm count as 0"), "{replayed}");
}

/// The line without what was judged.
fn unjudged(line: &str) -> String {
    let from = line.find("\"quality\":{").unwrap() + "\"quality\":{".len();
    let to = from + line[from..].find('}').unwrap();
    format!("{}{}", &line[..from], &line[to..])
}
