use super::*;

const GOOD: &str = r#"
name = "t"
[[models]]
name = "a"
skill = { reasoning = 0.9, coding = 0.5, retrieval = 0.5, writing = 0.5, other = 0.5 }
first_token = { median_s = 0.2 }
tokens_per_s = 100.0
answer = { median_tokens = 80.0 }
price_per_million = { input = 1.0, output = 2.0 }

[[timeline]]
at_s = 10.0
model = "a"
quality_change = -0.2
"#;

fn parse(text: &str) -> ScenarioSpec {
    toml::from_str(text).unwrap()
}

#[test]
fn a_short_scenario_is_enough() {
    let scenario = parse(GOOD);
    assert_eq!(scenario.check(), Ok(()));
    assert_eq!(scenario.models[0].failures, FailureRates::default());
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let rows = [
        ("reasoning = 0.9", "reasoning = 1.9", "models[0] `a`: `skill.reasoning` is 1.9: expected 0 to 1"),
        ("coding = 0.5", "coding = nan", "models[0] `a`: `skill.coding` is NaN: expected 0 to 1"),
        ("tokens_per_s = 100.0", "tokens_per_s = 0.0", "models[0] `a`: `tokens_per_s` is 0: expected 1 to 1000000"),
        ("median_s = 0.2", "median_s = -1.0", "models[0] `a`: `first_token.median_s` is -1: expected 0 to 60"),
        ("input = 1.0", "input = -1.0", "models[0] `a`: `price_per_million.input` is -1: expected 0 to 1000000"),
        ("at_s = 10.0", "at_s = -10.0", "timeline[0]: `at_s` is -10: expected 0 to 1000000000"),
        ("model = \"a\"", "model = \"z\"", "timeline[0]: unknown model `z`: expected one of a"),
        ("quality_change = -0.2", "quality_change = -2.0", "timeline[0]: `quality_change` is -2: expected -1 to 1"),
    ];
    let mut all = GOOD.to_owned();
    for (from, to, fault) in rows {
        assert_eq!(parse(&GOOD.replacen(from, to, 1)).check().unwrap_err(), [fault]);
        all = all.replacen(from, to, 1);
    }
    let faults = parse(&all).check().unwrap_err();
    assert_eq!(faults.len(), rows.len(), "{faults:#?}");
}

#[test]
fn what_concerns_several_parts_is_found_too() {
    let mut scenario = parse(GOOD);
    scenario.models[0].failures = FailureRates { stall: 0.7, empty: 0.6, ..FailureRates::default() };
    scenario.models.push(scenario.models[0].clone());
    scenario.models.push(ModelSpec { name: " ".to_owned(), ..scenario.models[0].clone() });
    scenario.timeline[0].quality_change = None;
    scenario.repeat_s = Some(0.0);
    let faults = scenario.check().unwrap_err().join("\n");
    for expected in ["`repeat_s` is 0", "used twice", "`name` is empty", "sum to 1.2999", "nothing happens"] {
        assert!(faults.contains(expected), "{expected} in\n{faults}");
    }
    let empty = ScenarioSpec { models: Vec::new(), timeline: Vec::new(), repeat_s: None, ..scenario };
    assert_eq!(empty.check().unwrap_err().len(), 1);
}

#[test]
fn unknown_keys_are_errors() {
    for (from, to) in [("tokens_per_s", "token_rate"), ("quality_change", "quality"), ("name = \"t\"", "title = \"t\"")]
    {
        assert!(toml::from_str::<ScenarioSpec>(&GOOD.replacen(from, to, 1)).is_err(), "{to}");
    }
}
