//! Changes that were found, in the fold: what an arm is worth afterwards, who is asked again, and that all
//! of it is part of the state.

use super::super::refold::{exclusions, refold};
use super::super::router::router;
use super::super::state::RouterState;
use super::{Log, config, quality, quality_only};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, LogEntry, RouterCommand};
use crate::domain::ids::TimeId;
use crate::domain::spec::DriftReaction;
use crate::domain::spec::RouterKind;
use crate::domain::terms::Column;

const X: [f64; 2] = [1.0, 0.3];

/// Teaches `arm` a steady level at `x` until it falls, and is found to have fallen.
pub(super) fn fall(log: &mut Log, arm: &str, x: &[f64]) {
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..200 {
        log.observe(x, vec![quality(arm, 0.9 + 0.1 * rng.f64())]);
    }
    for _ in 0..60 {
        if log.state.arm(arm).unwrap().probe_share > 0.0 {
            return;
        }
        log.observe(x, vec![quality(arm, 0.5 + 0.1 * rng.f64())]);
    }
    panic!("the fall of {arm} was not found");
}

fn two() -> Log {
    let mut log = Log::new(config(2), quality_only(), &["a", "b"]);
    for _ in 0..30 {
        log.observe(&X, vec![quality("b", 0.8)]);
    }
    log
}

#[test]
fn a_fallen_arm_is_believed_to_be_where_it_is() {
    let mut log = two();
    fall(&mut log, "a", &X);
    let (arm, expected) = (log.state.arm("a").unwrap(), log.state.estimate("a", &X).unwrap());
    assert!((expected.mean - 0.55).abs() < 0.06, "{}", expected.mean);
    assert!(arm.effective_n < 20.0, "{}", arm.effective_n);
    let found = arm.drift.unwrap();
    assert!((found.size + 0.4).abs() < 0.1 && found.since <= found.found, "{found:?}");
    assert!(log.state.arm("b").unwrap().drift.is_none());
}

/// What a rule forgets at set times answers no alarm; what a person forgets does.
#[test]
fn only_a_persons_decay_ends_what_was_found() {
    let mut log = two();
    fall(&mut log, "a", &X);
    let by = |log: &mut Log, actor: Actor| {
        let (sequence, at) = (log.state.sequence() + 1, Timestamp::from_millis(9));
        let command = RouterCommand::Decay { factor: 0.9, arms: Vec::new() };
        log.state.apply(&LogEntry { sequence, id: TimeId::new(at, sequence), actor, at, command });
        log.state.arm("a").unwrap().drift.is_some()
    };
    assert!(by(&mut log, Actor::Rule("decay".to_owned())));
    assert!(!by(&mut log, Actor::Person("ann".to_owned())));
}

/// A rating of a run from before the fall is of what that run taught, which stands at the level after it by now.
#[test]
fn a_rating_from_before_a_fall_equals_having_seen_it_so() {
    let told = |old: f64, rating: Option<f64>| {
        let mut log = two();
        let run = log.observe(&X, vec![quality("a", old)]);
        fall(&mut log, "a", &X);
        if let Some(new) = rating {
            let (arm, x, column) = ("a".into(), X.to_vec(), Column::Quality);
            log.act(RouterCommand::Amend { run, arm, x, column, old: Some(old), new, preview: None });
        }
        log.state.estimate("a", &X).unwrap()
    };
    let (so, rated, plain) = (told(0.93, None), told(0.95, Some(0.93)), told(0.95, None));
    assert!((rated.mean - so.mean).abs() < 2e-3 * 0.02 + 1e-4, "{} {}", rated.mean, so.mean);
    assert!((rated.uncertainty - so.uncertainty).abs() < 1e-4, "{} {}", rated.uncertainty, so.uncertainty);
    assert!((rated.mean - plain.mean).abs() < 0.02);
    // As far off as a rating can be, the scatter that it adds is that of one answer among those at the new level.
    let far = told(0.95, Some(0.0));
    assert!(far.uncertainty < 3.0 * plain.uncertainty, "{} {}", far.uncertainty, plain.uncertainty);
}

#[test]
fn it_is_asked_now_and_then_and_comes_back_within_some_tries() {
    let mut log = two();
    fall(&mut log, "a", &X);
    let (arms, router) = (log.state.candidates(), router(RouterKind::Linucb));
    let mut rng = fastrand::Rng::with_seed(1);
    let mut asked = 0;
    for _ in 0..400 {
        let selection = router.select(&log.state, &X, &arms, 1, &mut || rng.f64());
        let arm = selection.scores[0].arm.clone();
        let is_a = arm.as_str() == "a";
        assert!((selection.scores[0].propensity - if is_a { 0.04 } else { 0.96 }).abs() < 1e-9);
        asked += u32::from(is_a);
        log.observe(&X, vec![quality(arm.as_str(), if is_a { 0.55 } else { 0.8 })]);
    }
    assert!((8..=30).contains(&asked), "{asked} of 400");
    let tries = (1..40).find(|_| {
        log.observe(&X, vec![quality("a", 0.95)]);
        log.state.arm("a").unwrap().probe_share <= 0.0
    });
    assert!(tries.is_some_and(|tries| tries < 15), "{tries:?}");
    assert!(log.state.estimate("a", &X).unwrap().mean > 0.85);
    assert!(log.state.arm("a").unwrap().drift.unwrap().size > 0.0, "the newest change is its return");
}

#[test]
fn only_told_is_only_told() {
    let mut config = config(2);
    config.drift.reaction = DriftReaction::Alarm;
    let mut log = Log::new(config, quality_only(), &["a", "b"]);
    let mut rng = fastrand::Rng::with_seed(5);
    for i in 0..300 {
        log.observe(&X, vec![quality("a", if i < 200 { 0.9 } else { 0.5 } + 0.1 * rng.f64())]);
    }
    let arm = log.state.arm("a").unwrap();
    assert!(arm.drift.is_some() && arm.probe_share <= 0.0 && arm.effective_n > 299.0);
    log.act(RouterCommand::Decay { factor: 0.5, arms: vec![arm.spec.name.clone()] });
    assert!(log.state.arm("a").unwrap().drift.is_none(), "the remedy was taken");
}

#[test]
fn what_was_found_is_part_of_the_state() {
    let mut log = two();
    fall(&mut log, "a", &X);
    let restored = RouterState::from_snapshot(&log.state.to_snapshot(), &config(2)).unwrap();
    assert_eq!(restored.digest(), log.state.digest());
    let view = |state: &RouterState| state.arm("a").map(|arm| (arm.drift, arm.probe_share)).unwrap();
    assert_eq!(view(&restored), view(&log.state));

    // As if the bad observations had never been made.
    let bad = log.entries.len() as u64;
    let mut never = two();
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..200 {
        never.observe(&X, vec![quality("a", 0.9 + 0.1 * rng.f64())]);
    }
    log.push(RouterCommand::Discard { from: never.entries.len() as u64 + 1, to: bad });
    let empty = Log::new(config(2), quality_only(), &[]);
    let refolded = refold(&empty.state, &log.entries, &exclusions(&log.entries));
    assert_eq!(refolded.digest(), never.state.digest());
    assert_eq!(view(&refolded), (None, 0.0));
}
