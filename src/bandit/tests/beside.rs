//! What races teach about pairs: it is part of the fold like everything else, and it is what chooses the
//! second arm of a race.

use proptest::prelude::*;

use super::super::beside::{Correction, Usual};
use super::super::refold::{exclusions, refold};
use super::super::router::router;
use super::super::state::RouterState;
use super::{Log, config, quality, quality_only};
use crate::domain::command::{ArmObservation, RouterCommand};
use crate::domain::ids::ArmId;
use crate::domain::spec::{Mode, RouterKind};
use crate::domain::terms::Weights;

const ARMS: [&str; 3] = ["a", "b", "c"];

/// A context, the arm that does not race (all race, where there is none of that number), and qualities.
type Race = ([f64; 2], usize, [f64; 3]);

fn races(most: usize) -> impl Strategy<Value = Vec<Race>> {
    let x = (-1.0..1.0_f64).prop_map(|v| [1.0, v]);
    prop::collection::vec((x, 0..4_usize, prop::array::uniform3(0.0..1.0_f64)), 1..most)
}

fn raced(arm: &str, q: f64) -> ArmObservation {
    ArmObservation { trial: true, ..quality(arm, q) }
}

fn run(log: &mut Log, races: &[Race]) {
    for (x, out, q) in races {
        let seen = (0..3).filter(|at| at != out).map(|at| raced(ARMS[at], q[at]));
        log.observe(x, seen.collect());
    }
}

fn learned(races: &[Race], weights: Weights, forgetting: f64) -> Log {
    let mut log = Log::new(super::RouterConfig { forgetting, ..config(2) }, weights, &ARMS);
    run(&mut log, races);
    log
}

fn pair(state: &RouterState, x: &[f64]) -> Vec<String> {
    let chosen = router(RouterKind::Linucb).select(state, x, &state.candidates(), 2, &mut || 0.9);
    chosen.scores.iter().take(2).map(|score| score.arm.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn undo_equals_never_having_done_it(before in races(12), after in races(12), which in 0..6_usize, gamma in prop::sample::select(vec![1.0, 0.98])) {
        let b = vec![ArmId::new("b")];
        let action = match which {
            0 => RouterCommand::Decay { factor: 0.3, arms: Vec::new() },
            1 => RouterCommand::Decay { factor: 0.3, arms: b },
            2 => RouterCommand::ResetArm { arm: ArmId::new("b") },
            3 => RouterCommand::RemoveArm { arm: ArmId::new("a") },
            4 => RouterCommand::SetMode { mode: Mode { learning_paused: true, ..Mode::default() } },
            _ => RouterCommand::SetWeights { weights: Weights::new([0.5, 0.5, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap() },
        };
        let mut done = learned(&before, quality_only(), gamma);
        let target = done.push(action);
        run(&mut done, &after);
        done.push(RouterCommand::Undo { target });
        let mut never = learned(&before, quality_only(), gamma);
        run(&mut never, &after);
        let empty = Log::new(done.state.config().clone(), quality_only(), &[]);
        let undone = refold(&empty.state, &done.entries, &exclusions(&done.entries));
        prop_assert_eq!(undone.digest(), never.state.digest());
        prop_assert_eq!(pair(&undone, &before[0].0), pair(&never.state, &before[0].0));
    }

    #[test]
    fn a_snapshot_continues_to_the_bit(before in races(12), after in races(12), gamma in prop::sample::select(vec![1.0, 0.98])) {
        let mut log = learned(&before, quality_only(), gamma);
        let mut restored = log.clone();
        restored.state = RouterState::from_snapshot(&log.state.to_snapshot(), log.state.config()).unwrap();
        prop_assert_eq!(restored.state.to_snapshot(), log.state.to_snapshot());
        for log in [&mut log, &mut restored] {
            run(log, &after);
        }
        prop_assert_eq!(restored.state.digest(), log.state.digest());
        prop_assert_eq!(restored.state.to_snapshot(), log.state.to_snapshot());
    }

    #[test]
    fn weights_set_early_or_late_choose_the_same_races(history in races(30), quality in 0.1..1.0_f64) {
        let weights = Weights::new([quality, 1.0 - quality, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap();
        let mut late = learned(&history, quality_only(), 1.0);
        late.push(RouterCommand::SetWeights { weights });
        let early = learned(&history, weights, 1.0);
        prop_assert_eq!(late.state.digest(), early.state.digest());
        for (x, ..) in &history {
            prop_assert_eq!(pair(&late.state, x), pair(&early.state, x));
        }
    }

    #[test]
    fn what_is_known_of_two_arms_outlives_a_third(history in races(30)) {
        let mut log = learned(&history, quality_only(), 1.0);
        // Read in a pool without a past: what the third showed about gains went with it.
        let added = |log: &Log, i: usize, j: usize| Usual::default().of_pair(&log.state.arms[j].beside, 1.0, i, Correction::default());
        let before = (added(&log, 1, 2), added(&log, 2, 1));
        log.push(RouterCommand::RemoveArm { arm: ArmId::new("a") });
        prop_assert_eq!((added(&log, 0, 1), added(&log, 1, 0)), before);
        prop_assert!(log.state.arms.iter().all(|arm| arm.beside.is_sound(2)));
    }
}

#[test]
fn only_races_that_may_teach_are_learned_from() {
    let mut log = Log::new(config(2), quality_only(), &ARMS);
    let bits = |log: &Log| log.state.arms.iter().flat_map(|arm| arm.beside.bits()).collect::<Vec<u64>>();
    let nothing = bits(&log);
    log.observe(&[1.0, 0.0], vec![raced("a", 0.9)]);
    log.observe(&[1.0, 0.0], vec![quality("a", 0.9), quality("b", 0.1)]);
    log.observe(&[1.0, 0.0], vec![raced("a", 0.9), raced("nobody", 0.1)]);
    log.observe(&[1.0, 0.0], vec![raced("a", 0.9), ArmObservation { quality: None, ..raced("b", 0.1) }]);
    log.push(RouterCommand::SetMode { mode: Mode { learning_paused: true, ..Mode::default() } });
    log.observe(&[1.0, 0.0], vec![raced("a", 0.9), raced("b", 0.1)]);
    assert_eq!(bits(&log), nothing);
    log.push(RouterCommand::SetMode { mode: Mode::default() });
    log.observe(&[1.0, 0.0], vec![raced("a", 0.9), raced("b", 0.1)]);
    assert_ne!(bits(&log), nothing);
}

#[test]
fn a_reset_arm_and_those_beside_it_begin_anew() {
    let mut log = Log::new(config(2), quality_only(), &ARMS);
    for _ in 0..20 {
        log.observe(&[1.0, 0.0], ARMS.map(|arm| raced(arm, 0.5)).to_vec());
    }
    log.push(RouterCommand::ResetArm { arm: ArmId::new("b") });
    let knows = |i: usize, j: usize| log.state.arms[j].beside.knows(i);
    assert!(knows(0, 2) && knows(2, 0));
    assert!(!knows(0, 1) && !knows(2, 1) && !knows(1, 0) && !knows(1, 2));
}

#[test]
fn the_arm_that_is_right_where_the_best_fails_races_beside_it() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut log = Log::new(config(2), quality_only(), &ARMS);
    for _ in 0..300 {
        let hard = rng.f64() < 0.25;
        let strong = if hard { 0.1 } else { 0.95 };
        let specialist = if hard { 0.9 } else { 0.4 };
        let seen = vec![raced("a", strong + 0.02), raced("b", strong - 0.02), raced("c", specialist)];
        log.observe(&[1.0, 0.0], seen);
    }
    assert_eq!(pair(&log.state, &[1.0, 0.0]), ["a", "c"]);
}
