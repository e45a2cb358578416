//! The sliding window: what it keeps, what it lets go, and that all of it is part of the state.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::config::RouterConfig;
use super::super::refold::refold;
use super::super::router::router;
use super::super::state::RouterState;
use super::{Log, complete, config, quality, quality_only, textbook};
use crate::domain::command::RouterCommand;
use crate::domain::spec::DriftReaction;
use crate::domain::spec::RouterKind;
use crate::domain::terms::{Column, Weights};

const X: [f64; 2] = [1.0, 0.3];

fn windowed(window: u64, forgetting: f64) -> RouterConfig {
    let drift = textbook(3, 1.0).drift;
    RouterConfig { forgetting, window, drift, ..config(3) }
}

fn all_terms() -> Weights {
    Weights::new([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], 0.2).unwrap()
}

/// Commands of a history: runs of one arm or two, ratings, decays.
fn history(seed: u64, runs: usize) -> Vec<RouterCommand> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut log = Log::new(windowed(0, 1.0), all_terms(), &["a", "b"]);
    for _ in 0..runs {
        let x = [1.0, rng.f64(), rng.f64()];
        let arms = match rng.u8(0..3) {
            0 => vec![complete("a", std::array::from_fn(|_| rng.f64()))],
            1 => vec![quality("b", rng.f64())],
            _ => vec![quality("a", rng.f64()), complete("b", std::array::from_fn(|_| rng.f64()))],
        };
        let (arm, old) = (arms[0].arm.clone(), arms[0].quality);
        let run = log.observe(&x, arms);
        if rng.u8(0..4) == 0 {
            let (x, new) = (x.to_vec(), rng.f64());
            log.push(RouterCommand::Amend { run, arm, x, column: Column::Quality, old, new, preview: None });
        }
    }
    log.entries.into_iter().map(|entry| entry.command).collect()
}

fn played(config: RouterConfig, commands: impl IntoIterator<Item = RouterCommand>) -> Log {
    let mut log = Log::new(config, all_terms(), &[]);
    commands.into_iter().for_each(|command| {
        log.push(command);
    });
    log
}

fn assert_alike(one: &RouterState, other: &RouterState) {
    for arm in ["a", "b"] {
        for x in [[1.0, 0.2, 0.9], [1.0, 0.8, 0.1]] {
            let (one, other) = (one.estimate(arm, &x).unwrap(), other.estimate(arm, &x).unwrap());
            let pairs = one.columns.iter().zip(&other.columns).chain([
                (&one.mean, &other.mean),
                (&one.uncertainty, &other.uncertainty),
                (&one.quality_sd, &other.quality_sd),
            ]);
            for (a, b) in pairs {
                assert!((a - b).abs() < 1e-9, "{arm}: {one:?} {other:?}");
            }
        }
        let n = |state: &RouterState| state.arm(arm).unwrap().effective_n;
        assert!((n(one) - n(other)).abs() < 1e-9);
    }
}

/// How many steps are held after `steps` of them: the window right after a hop, and then more until the next.
fn held(window: u64, steps: u64) -> u64 {
    let hop = (window / 20).max(1);
    if steps <= window { steps } else { steps - (steps - window) / hop * hop }
}

#[test]
fn the_window_is_never_exceeded_by_more_than_a_hop() {
    for window in [1_u64, 7, 40, 200] {
        let mut log = Log::new(windowed(window, 1.0), quality_only(), &["a"]);
        for step in 1..=3 * window {
            log.observe(&[1.0, 0.5, 0.5], vec![quality("a", 0.5)]);
            let n = log.state.arm("a").unwrap().effective_n;
            assert!((n - held(window, step) as f64).abs() < 1e-9, "{window} {step} {n}");
            assert!(n <= (window + window / 20) as f64);
        }
    }
}

#[test]
fn it_equals_learning_the_last_steps_alone() {
    for (window, forgetting) in [(10, 1.0), (40, 1.0), (40, 0.97), (200, 1.0)] {
        let commands = history(window, 437);
        let log = played(windowed(window, forgetting), commands.clone());
        let runs = |commands: &[RouterCommand]| {
            commands.iter().filter(|c| matches!(c, RouterCommand::Observe(_))).count() as u64
        };
        let last = held(window, 437);
        let begin = (0..commands.len()).rev().find(|at| runs(&commands[*at..]) == last).unwrap();
        let arms = commands[..2].iter().chain(&commands[begin..]).cloned();
        let alone = played(windowed(0, forgetting), arms);
        assert_alike(&log.state, &alone.state);
    }
}

#[test]
fn an_idle_arm_relaxes_to_what_is_expected_without_data() {
    let mut log = Log::new(RouterConfig { window: 100, ..config(2) }, quality_only(), &["a", "b"]);
    let fresh = log.state.estimate("a", &X).unwrap().mean;
    for _ in 0..50 {
        log.observe(&X, vec![quality("a", 0.05), quality("b", 0.9)]);
    }
    assert!(log.state.estimate("a", &X).unwrap().mean < 0.1);
    for _ in 0..160 {
        log.observe(&X, vec![quality("b", 0.9)]);
    }
    assert!(log.state.arm("a").unwrap().effective_n.abs() < 1e-12);
    assert!((log.state.estimate("a", &X).unwrap().mean - fresh).abs() < 1e-12);
    assert!(log.state.estimate("a", &X).unwrap().uncertainty > log.state.estimate("b", &X).unwrap().uncertainty);
}

#[test]
fn a_rating_of_a_run_that_left_the_window_teaches_nothing() {
    let mut log = Log::new(RouterConfig { window: 20, ..config(2) }, quality_only(), &["a"]);
    let run = log.observe(&X, vec![quality("a", 0.5)]);
    for _ in 0..30 {
        log.observe(&X, vec![quality("a", 0.5)]);
    }
    let before = log.state.digest();
    let (x, arm) = (X.to_vec(), "a".into());
    let old = Some(0.5);
    log.push(RouterCommand::Amend { run, arm, x, column: Column::Quality, old, new: 0.0, preview: None });
    assert_eq!(log.state.digest(), before);
}

#[test]
fn a_window_switched_on_later_takes_what_is_known_as_of_then() {
    let mut before = Log::new(windowed(0, 1.0), quality_only(), &["a"]);
    for _ in 0..30 {
        before.observe(&[1.0, 0.5, 0.5], vec![quality("a", 0.2)]);
    }
    let mut state = RouterState::from_snapshot(&before.state.to_snapshot(), &windowed(20, 1.0)).unwrap();
    let mut log = Log { entries: before.entries.clone(), state: state.clone() };
    assert!((log.state.arm("a").unwrap().effective_n - 30.0).abs() < 1e-12);
    for _ in 0..21 {
        log.observe(&[1.0, 0.5, 0.5], vec![quality("a", 0.9)]);
    }
    assert!((log.state.arm("a").unwrap().effective_n - 20.0).abs() < 1e-12);
    state = RouterState::from_snapshot(&log.state.to_snapshot(), &windowed(0, 1.0)).unwrap();
    assert!((state.arm("a").unwrap().effective_n - 20.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn undo_equals_never_having_done_it(seed in 0..1_000_u64, which in 2..60_usize, window in 1..50_u64, gamma in prop::sample::select(vec![1.0, 0.98])) {
        let mut commands = history(seed, 60);
        commands.insert(30, RouterCommand::Decay { factor: 0.6, arms: vec!["a".into()] });
        let mut config = windowed(window, gamma);
        config.drift.reaction = DriftReaction::Forget;
        let target = which as u64 + 1;
        let full = played(config.clone(), commands.clone());
        let empty = Log::new(config.clone(), all_terms(), &[]);
        let undone = refold(&empty.state, &full.entries, &BTreeSet::from([target]));
        commands.remove(which);
        let mut never = Log::new(config, all_terms(), &[]);
        for entry in full.entries.iter().filter(|entry| entry.sequence != target) {
            never.state.apply(entry);
        }
        prop_assert_eq!(undone.digest(), never.state.digest());
        prop_assert_eq!(undone.to_snapshot().parts, {
            never.state.sequence = full.state.sequence;
            never.state.to_snapshot().parts
        });
    }

    #[test]
    fn a_snapshot_continues_to_the_bit(seed in 0..1_000_u64, at in 3..60_usize, window in 1..50_u64) {
        let commands = history(seed, 60);
        let config = windowed(window, 0.99);
        let full = played(config.clone(), commands);
        let mut state = Log::new(config.clone(), all_terms(), &[]).state;
        for (i, entry) in full.entries.iter().enumerate() {
            if i == at {
                state = RouterState::from_snapshot(&state.to_snapshot(), &config).unwrap();
            }
            state.apply(entry);
        }
        prop_assert_eq!(state.digest(), full.state.digest());
        prop_assert_eq!(state.to_snapshot().parts, full.state.to_snapshot().parts);
    }
}

#[test]
fn another_level_and_a_decay_reach_the_pieces() {
    let mut log = Log::new(RouterConfig { window: 40, ..config(2) }, quality_only(), &["a", "b"]);
    for step in 0..100 {
        log.observe(&X, vec![quality("a", if step < 90 { 0.9 } else { 0.3 }), quality("b", 0.5)]);
    }
    log.push(RouterCommand::Decay { factor: 0.5, arms: vec!["b".into()] });
    let b = |log: &Log| log.state.arm("b").unwrap().effective_n;
    assert!((b(&log) - 20.0).abs() < 1e-9, "{}", b(&log));
    for _ in 0..20 {
        log.observe(&X, vec![quality("a", 0.3)]);
    }
    assert!((b(&log) - 10.0).abs() < 1e-9, "{}", b(&log));
    let mean = log.state.estimate("a", &X).unwrap().mean;
    assert!((mean - 0.3).abs() < 0.05, "{mean}");
}

/// How often `a` is chosen in each hundred of 1,000 runs: it is the better arm but from the 300th to the 600th.
fn asked_through_a_drop(window: u64) -> Vec<usize> {
    let mut log =
        Log::new(RouterConfig { window, drift: windowed(0, 1.0).drift, ..config(2) }, quality_only(), &["a", "b"]);
    let (arms, linucb, mut rng) = (log.state.candidates(), router(RouterKind::Linucb), fastrand::Rng::with_seed(3));
    let mut asked = vec![0; 10];
    for step in 0..1_000 {
        let selection = linucb.select(&log.state, &X, &arms, 1, &mut || rng.f64());
        let is_a = selection.scores[0].arm.as_str() == "a";
        asked[step / 100] += usize::from(is_a);
        let level = match (is_a, (300..600).contains(&step)) {
            (false, _) => 0.7,
            (true, false) => 0.85,
            (true, true) => 0.4,
        };
        let seen = quality(if is_a { "a" } else { "b" }, level + 0.2 * (rng.f64() - 0.5));
        log.observe(&X, vec![seen]);
    }
    asked
}

#[test]
fn a_drop_is_left_behind_and_the_return_is_found() {
    let asked = asked_through_a_drop(150);
    assert!(asked[2] >= 80 && asked[5] <= 30 && asked[9] >= 70, "{asked:?}");
}
