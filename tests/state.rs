//! Every `state` command as a user runs it: what it says, what it changes, and that the journal and undo
//! know of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::program::{Program, assert_keys};
use serde_json::Value;

/// The shape that programs rely on.
const STATE: &[&str] = &[
    "version",
    "feature_version",
    "d",
    "sequence",
    "router",
    "alpha",
    "weights.quality",
    "weights.latency",
    "weights.cost",
    "weights.speed",
    "weights.token_efficiency",
    "weights.stability",
    "budget_per_request_usd",
    "budget_per_day_usd",
    "spent_today_usd",
    "arms[].arm",
    "arms[].state",
    "arms[].trials",
    "arms[].places",
    "arms[].wins",
    "arms[].share",
    "arms[].mean_reward",
    "arms[].uncertainty",
    "arms[].p95_preview_s",
    "arms[].error_rate",
    "arms[].cost_usd_per_run",
];

fn show(program: &Program) -> Value {
    program.json(&["state", "show", "--json"])
}

fn arm<'a>(state: &'a Value, name: &str) -> &'a Value {
    state["arms"].as_array().unwrap().iter().find(|arm| arm["arm"] == name).unwrap_or(&Value::Null)
}

/// Means and counts of every arm, to the bit.
fn learned(state: &Value) -> Vec<String> {
    let arms = state["arms"].as_array().unwrap().iter();
    arms.map(|arm| format!("{} {} {} {} {}", arm["arm"], arm["state"], arm["mean"], arm["effective_n"], arm["trials"]))
        .collect()
}

/// The statistics of every arm, to the bit. Means on screen are over recent prompts, which are not state.
fn statistics(program: &Program) -> Vec<Value> {
    let exported: Value = serde_json::from_str(&program.ok(&["state", "export"])).unwrap();
    let parts = exported["parts"].as_array().unwrap().iter();
    let arms: Vec<Value> = parts.filter(|part| part[0].as_str().unwrap().starts_with("arm:")).cloned().collect();
    assert!(!arms.is_empty());
    arms
}

/// A program that has learned a little.
fn taught() -> Program {
    let program = Program::fast();
    for prompt in ["Prove that 7 is prime", "Write a Rust function", "hello"] {
        program.ok(&["ask", prompt]);
    }
    program
}

/// Runs a command that must be applied; gives its number.
fn apply(program: &Program, args: &[&str]) -> u64 {
    let args = [&["state", "--json"], args].concat();
    let acknowledgement = program.json(&args);
    assert_eq!(acknowledgement["status"], "applied", "{args:?}: {acknowledgement}");
    assert_eq!(acknowledgement["durability"], "durable");
    acknowledgement["entry"]["sequence"].as_u64().unwrap()
}

#[test]
fn every_command_does_what_it_says_and_undo_takes_it_back() {
    let program = taught();
    let start = show(&program);
    assert_keys(&start, STATE);

    apply(&program, &["decay", "--factor", "0.5", "atlas"]);
    let decayed = show(&program);
    assert!(arm(&decayed, "atlas")["effective_n"].as_f64() < arm(&start, "atlas")["effective_n"].as_f64());
    apply(&program, &["undo"]);
    assert_eq!(learned(&show(&program)), learned(&start), "undo is exact");

    apply(&program, &["deactivate", "penny", "scribe"]);
    assert_eq!(arm(&show(&program), "penny")["state"], "deactivated");
    apply(&program, &["reactivate", "penny"]);
    assert_eq!(arm(&show(&program), "penny")["state"], "probation");

    for judge in [&["reactivate", "judge"][..], &["reactivate", "--judge"]] {
        let ran = program.run(&[&["state"], judge].concat());
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (Some(1), "error: refused: judge referee is not out: there is nothing to do\n")
        );
    }
    assert_eq!(program.run(&["state", "reactivate"]).code, Some(2));
    assert_eq!(program.run(&["state", "reactivate", "penny", "--judge"]).code, Some(2));

    apply(&program, &["weights", "quality=1", "l=0", "cost=1"]);
    let weighed = show(&program);
    assert_eq!(
        (&weighed["weights"]["quality"], &weighed["weights"]["latency"]),
        (&Value::from(0.5), &Value::from(0.0))
    );

    apply(&program, &["exploration", "--alpha", "0.25", "--share", "0.5"]);
    let explored = show(&program);
    assert_eq!((&explored["alpha"], &explored["explore_share"]), (&Value::from(0.25), &Value::from(0.5)));

    apply(&program, &["mode", "direct", "--pin", "coder", "--for", "10m"]);
    let moded = show(&program);
    assert_eq!((&moded["mode"]["strategy"], &moded["mode"]["pinned"]), (&Value::from("direct"), &Value::from("coder")));
    assert!(moded["mode"]["expires"].is_u64());
    let record = program.json(&["ask", "--json", "Who are you?"]);
    assert_eq!(record["winner"], "coder");
    apply(&program, &["mode", "normal"]);
    assert_eq!(show(&program)["mode"]["pinned"], Value::Null);

    apply(&program, &["limits", "coder", "--min", "0.1", "--max", "0.5", "--over", "1h"]);
    program.json(&["ask", "--json", "--session", "talk", "Who are you?"]);
    let limited = show(&program);
    let limits = &arm(&limited, "coder")["limits"];
    assert_eq!((&limits["set"]["max"], &limits["runs"]), (&Value::from(0.5), &Value::from(1)));
    assert!(limits["now"][1].as_f64().unwrap() < 0.5, "the bound rises slowly: {limits}");
    assert_eq!(limited["conversations"]["begun"], 1);
    let told = program.ok(&["state", "show"]);
    assert!(told.contains("coder: takes part in") && told.contains("rising to 50.0% until"), "{told}");
    assert!(told.contains("conversations: 1 begun"), "{told}");
    apply(&program, &["limits", "coder", "--off"]);
    assert_eq!(arm(&show(&program), "coder")["limits"], Value::Null);

    let declared = [
        "add-arm",
        "extra",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--model",
        "m",
        "--price-input",
        "1",
        "--price-output",
        "2",
        "--price-cached",
        "0.5",
    ];
    apply(&program, &declared);
    let added = &program.json(&["state", "journal", "--json"])[0]["command"]["spec"];
    assert_eq!(added["price"]["cached"], 0.5, "{added}");
    assert_eq!(arm(&show(&program), "extra")["state"], "active");
    apply(&program, &["remove-arm", "extra"]);
    assert_eq!(arm(&show(&program), "extra"), &Value::Null);

    let before = show(&program);
    apply(&program, &["reset-arm", "atlas"]);
    assert_eq!(arm(&show(&program), "atlas")["trials"], 0);
    let undone = apply(&program, &["undo"]);
    assert_eq!(arm(&show(&program), "atlas")["trials"], arm(&before, "atlas")["trials"]);
    apply(&program, &["undo", &undone.to_string()]);
    assert_eq!(arm(&show(&program), "atlas")["trials"], 0, "undoing an undo is a redo");

    let pruned = apply(&program, &["prune", "--min-trials", "1", "--min-win-rate", "0.01"]);
    let journal = program.json(&["state", "journal", "--json"]);
    assert_eq!(journal[0]["sequence"], pruned);
    assert_keys(&journal[0], &["sequence", "at", "actor.person", "command.do", "before", "after"]);
    let names: Vec<&str> = journal.as_array().unwrap().iter().filter_map(|e| e["command"]["do"].as_str()).collect();
    for name in ["decay", "deactivate", "reactivate", "set_weights", "set_exploration", "set_mode", "undo", "prune"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}

#[test]
fn a_discarded_interval_was_never_learned() {
    let program = Program::fast();
    program.ok(&["ask", "Prove that 7 is prime"]);
    let start = statistics(&program);
    let from = show(&program)["sequence"].as_u64().unwrap() + 1;
    program.ok(&["ask", "Write a poem"]);
    let to = show(&program)["sequence"].as_u64().unwrap();
    assert_ne!(statistics(&program), start);
    apply(&program, &["discard", &from.to_string(), &to.to_string()]);
    assert_eq!(statistics(&program), start);
}

#[test]
fn an_exported_state_is_the_same_in_another_place() {
    let (program, other) = (taught(), Program::fast());
    let file = program.data_dir().with_file_name("state.json");
    let ran = program.run(&["state", "export", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    apply(&other, &["import", file.to_str().unwrap()]);
    assert_eq!(statistics(&other), statistics(&program));

    let bad = other.run_with_input(&["state", "import", "-"], b"no export");
    assert_eq!(bad.code, Some(1));
    assert!(bad.err.contains("no exported state"), "{}", bad.err);
    assert_eq!(statistics(&other), statistics(&program), "a refused import changes nothing");
}

#[test]
fn what_is_refused_says_what_was_expected_and_changes_nothing() {
    let program = Program::fast();
    let start = show(&program);
    let rows: &[(&[&str], i32, &str)] = &[
        (&["decay", "--factor", "0"], 2, "above 0"),
        (&["decay", "--factor", "-1"], 2, "`factor` is -1: expected a number above 0"),
        (&["decay", "--factor", "1"], 1, "nothing to do"),
        (&["decay", "--factor", "NaN", "nobody", "noone"], 2, "NaN: expected"),
        (&["decay", "--factor", "NaN", "nobody", "noone"], 2, "no arm \"nobody\", \"noone\": the pool has"),
        (&["decay", "nobody"], 2, "nobody"),
        (&["prune", "--min-win-rate", "5"], 2, "from 0 to 1"),
        (&["prune", "--min-trials", "-3"], 2, "a whole number of at least 0"),
        (&["deactivate", "atlas", "coder", "scribe", "penny"], 1, "no arm that can answer"),
        (&["deactivate", "zzz", "atlas", "yyy"], 2, "\"zzz\", \"yyy\""),
        (&["reactivate", "zzz"], 1, "zzz"),
        (&["weights", "qualty=1"], 2, "unknown reward term `qualty`"),
        (&["weights", "quality=-1"], 2, "at least 0"),
        (&["weights", "quality=-1", "cost=NaN", "foo=2"], 2, "foo"),
        (&["weights", "quality=-1", "cost=NaN", "foo=2"], 2, "-1"),
        (&["weights", "quality=-1", "cost=NaN", "foo=2"], 2, "NaN"),
        (&["weights", "quality=0", "latency=0", "cost=0"], 2, "all weights are 0"),
        (&["weights", "quality"], 2, "TERM=WEIGHT"),
        (&["mode"], 2, "no mode"),
        (&["mode", "direct", "--for", "soon"], 2, "90s, 10m"),
        (&["mode", "--pin", "nobody"], 2, "nobody"),
        (&["exploration"], 2, "--alpha"),
        (
            &["exploration", "--alpha", "-1", "--share", "2"],
            2,
            "`alpha` is -1: expected a number from 0 to 100; `explore_share`",
        ),
        (&["budget", "-1"], 2, "dollars above 0"),
        (&["budget", "off"], 1, "nothing to do"),
        (&["limits", "atlas"], 2, "expected --min, --max or --off"),
        (&["limits", "atlas", "--over", "5m"], 2, "expected --min, --max or --off"),
        (&["limits", "atlas", "--min", "-1", "--max", "7"], 2, "`min` is -1: expected a share from 0 to 1; `max` is 7"),
        (&["limits", "nobody", "--max", "7"], 2, "nobody"),
        (&["add-arm", "x y", "--base-url", "nowhere"], 2, "flag --base-url"),
        (&["add-arm", "", "--base-url", "http://h/v1", "--model", "m"], 2, "name of the arm: expected a name"),
        (&["add-arm", "x", "--api-key-env", "sk-123456", "--base-url", "http://h/v1", "--model", "m"], 2, "not shown"),
        (&["add-arm", "penny", "--provider", "simulated", "--model", "m2"], 2, "has no model \"m2\": expected one of"),
        (&["remove-arm", "nobody"], 2, "nobody"),
        (&["reset-arm", "nobody"], 2, "nobody"),
        (&["discard", "9", "3"], 2, "9"),
        (&["discard", "a", "b"], 2, "`banditop state journal` lists them"),
        (&["journal", "--limit", "0"], 2, "at least 1"),
        (&["undo", "999"], 1, "999"),
        (&["undo"], 1, "nothing to undo"),
        (&["import", "/nowhere/at/all"], 2, "/nowhere/at/all"),
    ];
    for (args, code, words) in rows {
        let ran = program.run(&[&["state"], *args].concat());
        assert_eq!(ran.code, Some(*code), "{args:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains(words), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
    assert_eq!(show(&program)["sequence"], start["sequence"]);
}

#[test]
fn another_directory_is_no_edit_of_the_configuration() {
    let program = taught();
    let before = program.ok(&["state", "export"]);
    // Here no configuration is named, and the built-in one would be found.
    let elsewhere = || {
        let mut command = program.command(&["state", "show", "--json"]);
        command.env_remove("BANDITOP_CONFIG").output().unwrap()
    };
    let shown = elsewhere();
    let (out, err) = (String::from_utf8(shown.stdout).unwrap(), String::from_utf8(shown.stderr).unwrap());
    assert!(err.starts_with("note: the state was last run with") && err.contains("fast/config.toml"), "{err}");
    let state: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((state["arms"].as_array().unwrap().len(), &arm(&state, "atlas")["state"]), (4, &Value::from("active")));
    let exported = |text: &str| serde_json::from_str::<Value>(text).unwrap()["parts"].clone();
    assert_eq!(exported(&program.ok(&["state", "export"])), exported(&before));
}

#[test]
fn an_arm_can_be_switched_off_and_on_in_the_configuration() {
    let text = std::fs::read_to_string(common::root().join("tests/fixtures/fast/config.toml")).unwrap();
    let scenario = common::root().join("tests/fixtures/fast/scenario.toml");
    let text = text.replace("\"scenario.toml\"", &format!("{scenario:?}"));
    let program = Program::with_text(&text);
    program.ok(&["ask", "hello"]);
    let off = text.replacen("name = \"atlas\"", "name = \"atlas\"\nenabled = false", 1);
    program.set_text(&off);
    assert_eq!(arm(&show(&program), "atlas")["state"], "deactivated");
    program.set_text(&text);
    assert_eq!(arm(&show(&program), "atlas")["state"], "probation");
    // What a person did meanwhile stands until the configuration is edited.
    apply(&program, &["deactivate", "coder"]);
    program.ok(&["ask", "hello"]);
    assert_eq!(arm(&show(&program), "coder")["state"], "deactivated");
}

#[test]
fn read_only_reads() {
    let program = Program::fast().variable("BANDITOP_READ_ONLY", "1");
    program.ok(&["state", "show"]);
    program.ok(&["state", "journal"]);
    let ran = program.run(&["state", "decay"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("read-only"), "{}", ran.err);
}

#[test]
fn a_person_reads_a_table() {
    let program = taught();
    let text = program.ok(&["state", "show"]);
    for word in ["arm", "share", "trials", "atlas", "active", "linucb", "α 0.45 "] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!text.contains("NaN") && !text.contains("null"), "{text}");
    program.ok(&["state", "deactivate", "penny", "--operator", "ann"]);
    let journal = program.ok(&["state", "journal", "--limit", "1"]);
    assert!(journal.contains("ann") && journal.contains("deactivate penny active → penny deactivated"), "{journal}");
    assert_eq!(journal.lines().count(), 1);
}
