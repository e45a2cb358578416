use super::super::assets;
use super::super::prompt::PromptSuite;
use super::*;
use crate::domain::clock::{ManualClock, Timestamp};
use crate::domain::judging::{Candidate, JudgeReply, JudgeTask, Scores};
use axum::http::StatusCode;

pub(super) const ARMS: [&str; 6] = ["atlas-70b", "coder-32b", "scribe", "orbit", "swift-8b", "penny"];

pub(super) fn suite() -> Vec<Prompt> {
    toml::from_str::<PromptSuite>(assets::PROMPTS).unwrap().prompts
}

pub(super) fn scenario(name: &str) -> ScenarioSpec {
    toml::from_str(assets::scenario(name).unwrap()).unwrap()
}

/// A world without faults, so that every call has an answer.
pub(super) fn world(name: &str, seed: u64) -> (World, Arc<ManualClock>) {
    let mut scenario = scenario(name);
    for model in &mut scenario.models {
        model.failures = super::super::scenario::FailureRates::default();
        model.judging.broken = 0.0;
    }
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    (World::new(scenario, &suite(), seed, clock.clone()), clock)
}

pub(super) fn call(model: &str, prompt: &str, max_tokens: Option<u32>) -> ChatCall {
    let request = ChatRequest::from_prompt(prompt);
    ChatCall { request, model: model.to_owned(), stream: true, include_usage: true, max_tokens }
}

pub(super) fn judged(world: &World, prompt: &str, previews: &[(&str, String)]) -> Vec<f64> {
    graded(world, prompt, previews).iter().map(|scores| scores.overall).collect()
}

pub(super) fn graded(world: &World, prompt: &str, previews: &[(&str, String)]) -> Vec<Scores> {
    let ids = ["A", "B", "C", "D", "E", "F"];
    let candidates =
        previews.iter().zip(ids).map(|((_, text), id)| Candidate { id: id.to_owned(), text: text.clone() }).collect();
    let task = JudgeTask { prompt: prompt.chars().take(300).collect(), candidates, search_results: Vec::new() };
    let script = world.script(&call("referee", &serde_json::to_string(&task).unwrap(), None)).unwrap();
    let reply: JudgeReply = serde_json::from_str(&script.text).unwrap();
    ids[..previews.len()].iter().map(|id| reply.scores[*id]).collect()
}

#[test]
fn the_same_calls_give_the_same_scripts() {
    let prompts = suite();
    let play = |seed: u64| -> Vec<Script> {
        let (world, _) = world("default", seed);
        let calls = prompts.iter().take(20).chain(prompts.iter().take(5));
        calls.flat_map(|p| ARMS.map(|arm| world.script(&call(arm, &p.prompt, Some(64))).unwrap())).collect()
    };
    let (first, again, other) = (play(7), play(7), play(8));
    assert_eq!(first, again);
    assert!(first.iter().zip(&other).all(|(a, b)| a != b));
    // The second call of a prompt is another draw than the first.
    assert_ne!(first[0], first[20 * ARMS.len()]);
}

#[test]
fn what_runs_beside_a_call_does_not_change_it() {
    let (lonely, _) = world("default", 7);
    let (busy, _) = world("default", 7);
    for prompt in suite().iter().skip(1) {
        busy.script(&call("scribe", &prompt.prompt, None)).unwrap();
    }
    let first = call("scribe", &suite()[0].prompt, None);
    assert_eq!(lonely.script(&first).unwrap(), busy.script(&first).unwrap());
}

#[test]
fn a_token_limit_cuts_a_prefix_and_says_so() {
    let prompt = &suite()[0].prompt;
    let (whole, cut) = (world("default", 7).0, world("default", 7).0);
    let whole = whole.script(&call("atlas-70b", prompt, None)).unwrap();
    let cut = cut.script(&call("atlas-70b", prompt, Some(20))).unwrap();
    assert_eq!((whole.finish, cut.finish), ("stop", "length"));
    assert_eq!(cut.tokens(), 20);
    assert!(whole.text.starts_with(cut.text_of(0, 20)) && cut.text_of(0, 20).len() < whole.text.len());
    assert_eq!(whole.text_of(0, whole.tokens()), whole.text);
    assert_eq!(u32::try_from(whole.tokens()).unwrap(), estimate_tokens(&whole.text));
    let bill = cut.bill();
    assert_eq!((bill.prompt_tokens, bill.completion_tokens), (estimate_tokens(prompt) + 3, 20));
    assert!((bill.cost_usd - (f64::from(bill.prompt_tokens) * 3.0 + 300.0) / 1e6).abs() < 1e-12);
}

/// The point of the simulation: what the judge says of previews is, on average, the declared skill.
#[test]
fn the_judge_ranks_previews_by_true_quality() {
    let (world, _) = world("default", 7);
    let mut means = std::collections::BTreeMap::<(Intent, &str), (f64, f64)>::new();
    for prompt in suite() {
        let previews = ARMS.map(|arm| {
            let script = world.script(&call(arm, &prompt.prompt, Some(64))).unwrap();
            (arm, script.text_of(0, script.tokens()).to_owned())
        });
        for (score, (arm, _)) in judged(&world, &prompt.prompt, &previews).into_iter().zip(&previews) {
            let mean = means.entry((prompt.intent, *arm)).or_default();
            *mean = (mean.0 + score, mean.1 + 1.0);
        }
    }
    for intent in Intent::ALL {
        for arm in ARMS {
            let (sum, n) = means[&(intent, arm)];
            let expected = world.expected_quality(arm, intent).unwrap();
            assert!((sum / n - expected).abs() < 0.06, "{intent:?} {arm}: judged {} expected {expected}", sum / n);
        }
    }
}

#[test]
fn full_answers_are_known_to_the_judge_and_other_texts_are_not() {
    let (world, _) = world("default", 7);
    let prompt = suite().into_iter().find(|p| p.intent == Intent::Coding).unwrap().prompt;
    let strong = world.script(&call("coder-32b", &prompt, None)).unwrap().text;
    let weak = world.script(&call("scribe", &prompt, None)).unwrap().text;
    let foreign = "A text that comes from some other endpoint, about merging slices in Rust.".to_owned();
    let scores = judged(&world, &prompt, &[("a", weak), ("b", strong), ("c", foreign)]);
    assert!(scores[1] > scores[0] + 0.3 && scores[1] > scores[2], "{scores:?}");
    assert!((0.2..0.7).contains(&scores[2]), "{scores:?}");
}

#[test]
fn the_timeline_changes_quality_speed_availability_and_price() {
    let (drift, clock) = world("drift", 7);
    assert_eq!(drift.expected_quality("coder-32b", Intent::Coding), Some(0.93));
    clock.advance(Duration::from_secs(121));
    assert!((drift.expected_quality("coder-32b", Intent::Coding).unwrap() - 0.48).abs() < 1e-9);
    assert_eq!(drift.expected_quality("coder-32b", Intent::Reasoning), Some(0.62));
    assert_eq!(drift.expected_quality("nobody", Intent::Coding), None);
    assert_eq!(drift.changes(0.0).len(), 1);

    let (outage, clock) = world("outage", 7);
    let before = outage.script(&call("coder-32b", "x", None)).unwrap();
    clock.advance(Duration::from_secs(61));
    let slow = outage.script(&call("coder-32b", "x", None)).unwrap();
    assert!(slow.tokens_per_s < before.tokens_per_s / 2.0);
    clock.advance(Duration::from_secs(40));
    assert_eq!(outage.script(&call("coder-32b", "x", None)).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(outage.script(&call("scribe", "x", None)).is_ok());

    let (prices, clock) = world("price-cut", 7);
    assert_eq!(prices.price("atlas-70b"), Some(Price { input: 3.0, output: 15.0, cached: None }));
    clock.advance(Duration::from_secs(130));
    assert!((prices.price("atlas-70b").unwrap().output - 1.5).abs() < 1e-9);
    let bill = prices.script(&call("atlas-70b", "abcd", Some(10))).unwrap().bill();
    assert!((bill.cost_usd - (4.0 * 0.3 + 10.0 * 1.5) / 1e6).abs() < 1e-12, "{bill:?}");
}

/// Over the whole way from a request to a script; the draws themselves are tested where they are made.
#[test]
fn faults_reach_the_script() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let world = World::new(scenario("default"), &suite(), 3, clock);
    let (mut refused, mut broken, mut filtered, mut empty) = (0, 0, 0, 0);
    let calls = 8000;
    for index in 0..calls {
        match world.script(&call("orbit", &format!("prompt {}", index % 400), Some(16))) {
            Err(refusal) => {
                assert!(
                    refusal.status == StatusCode::SERVICE_UNAVAILABLE
                        || refusal.status == StatusCode::TOO_MANY_REQUESTS
                );
                refused += 1;
            }
            Ok(script) => {
                broken += i32::from(script.breaks.is_some());
                filtered += i32::from(script.finish == "content_filter");
                empty += i32::from(script.text.is_empty());
            }
        }
    }
    let close = |count: i32, rate: f64| (f64::from(count) / f64::from(calls) - rate).abs() < 0.005;
    assert!(close(refused, 0.04) && close(broken, 0.02) && close(filtered, 0.003) && close(empty, 0.006));
}

#[test]
fn a_prompt_beyond_the_context_is_refused() {
    let mut spec = scenario("default");
    spec.models[0].context_tokens = 10;
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let world = World::new(spec, &[], 3, clock);
    assert_eq!(world.script(&call("atlas-70b", &"x".repeat(80), None)).unwrap_err().status, StatusCode::BAD_REQUEST);
    assert_eq!(world.script(&call("nobody", "x", None)).unwrap_err().status, StatusCode::NOT_FOUND);
}
