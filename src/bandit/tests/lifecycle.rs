//! The pool: who may be taken out, how arms come back, and what a person is told.

use proptest::prelude::*;

use super::super::prepare::Rejection;
use super::super::refold::{exclusions, refold};
use super::super::snapshot::StateFault;
use super::super::state::RouterState;
use super::{Log, complete, config, quality, quality_only, saw, spec};
use crate::domain::clock::Timestamp;
use crate::domain::command::{ArmObservation, LogEntry, Observation, RouterCommand};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::spec::{ArmSpec, Lifecycle, Mode};
use crate::domain::terms::Weights;

const X: [f64; 2] = [1.0, 0.3];

fn three() -> Log {
    Log::new(config(2), Weights::default(), &["a", "b", "c"])
}

fn id(arm: &str) -> ArmId {
    ArmId::new(arm)
}

fn state_of(log: &Log, arm: &str) -> Lifecycle {
    log.state.arm(arm).unwrap().lifecycle
}

fn race(log: &mut Log, winner: &str) {
    let seen = |arm: &str| ArmObservation { trial: true, win: arm == winner, ..quality(arm, 0.5) };
    log.observe(&X, ["a", "b", "c"].iter().map(|arm| seen(arm)).collect());
}

#[test]
fn pruning_takes_who_loses_and_never_the_last() {
    let mut log = three();
    for _ in 0..10 {
        race(&mut log, "b");
    }
    let rule = RouterCommand::Prune { min_trials: 5, min_win_rate: 0.2, victims: Vec::new() };
    let prepared = log.state.prepare(rule).unwrap();
    assert!(matches!(&prepared, RouterCommand::Prune { victims, .. } if *victims == [id("a"), id("c")]));
    assert_eq!(log.state.before_after(&prepared), "a active, c active");
    log.push(prepared.clone());
    assert_eq!(log.state.before_after(&prepared), "a pruned, c pruned");
    assert_eq!(log.state.candidates(), [id("b")]);

    let everyone = RouterCommand::Prune { min_trials: 1, min_win_rate: 1.0, victims: Vec::new() };
    let nobody = log.state.prepare(everyone).unwrap_err();
    assert!(matches!(nobody, Rejection::NobodyToPrune { .. }), "{nobody}");
    assert!(log.state.prepare(RouterCommand::Deactivate { arms: vec![id("b")] }).is_err());
    // Even a log that says so does not empty the pool.
    log.push(RouterCommand::Prune { min_trials: 0, min_win_rate: 1.0, victims: vec![id("b")] });
    assert_eq!(log.state.candidates(), [id("b")]);
}

#[test]
fn a_reactivated_arm_is_on_probation_with_part_of_its_past() {
    let mut log = three();
    for _ in 0..40 {
        race(&mut log, "a");
    }
    log.act(RouterCommand::Deactivate { arms: vec![id("c")] });
    assert_eq!(log.state.arm("c").unwrap().reason, Some("by run"));
    log.act(RouterCommand::Reactivate { arms: vec![id("c")] });
    let back = log.state.arm("c").unwrap();
    assert_eq!(back.lifecycle, Lifecycle::Probation);
    assert!((back.effective_n - 20.0).abs() < 1e-9);
    for _ in 0..log.state.config().probation_runs {
        race(&mut log, "a");
    }
    assert_eq!(state_of(&log, "c"), Lifecycle::Active);
}

#[test]
fn health_takes_arms_out_and_lets_them_back_as_they_were() {
    let mut log = three();
    log.act(RouterCommand::Deactivate { arms: vec![id("b")] });
    log.act(RouterCommand::Reactivate { arms: vec![id("b")] });
    let canary = crate::domain::spec::ShareLimits { min: 0.0, max: 0.1, ramp_s: 0.0 };
    log.act(RouterCommand::SetShareLimits { arm: id("a"), limits: Some(canary) });
    let until = Timestamp::from_millis(99);
    for arm in ["a", "b"] {
        log.act(RouterCommand::Eject { arm: id(arm), until, reason: "503 five times".to_owned(), grows: true });
    }
    let out = log.state.arm("a").unwrap();
    assert_eq!((out.lifecycle, out.until, out.reason), (Lifecycle::Ejected, Some(until), Some("503 five times")));
    assert_eq!(log.state.candidates(), [id("c")]);
    for arm in ["a", "b"] {
        log.act(RouterCommand::Reinstate { arm: id(arm) });
    }
    assert_eq!((state_of(&log, "a"), state_of(&log, "b")), (Lifecycle::Active, Lifecycle::Probation));
    let limits = log.state.arm("a").unwrap().share_limits.map(|(limits, _)| limits);
    assert_eq!(limits, Some(canary), "a canary is still one");
    let count = |log: &Log, arm: &str| log.state.arm(arm).unwrap().ejections;
    assert_eq!((count(&log, "a"), count(&log, "b")), (1, 1), "a return is no recovery");
    let again = RouterState::from_snapshot(&log.state.to_snapshot(), log.state.config()).unwrap();
    assert_eq!((again.arm("a").unwrap().ejections, again.digest()), (1, log.state.digest()));
    log.act(RouterCommand::Recovered { arm: id("a") });
    assert_eq!((count(&log, "a"), count(&log, "b")), (0, 1));
    // A person's decision is not undone by health.
    log.act(RouterCommand::Deactivate { arms: vec![id("a")] });
    log.act(RouterCommand::Eject { arm: id("a"), until, reason: "late".to_owned(), grows: false });
    log.act(RouterCommand::Reinstate { arm: id("a") });
    assert_eq!(state_of(&log, "a"), Lifecycle::Deactivated);
}

#[test]
fn the_configuration_switches_arms_off_and_on() {
    let mut log = three();
    let off = ArmSpec { enabled: false, ..spec("b") };
    log.act(RouterCommand::AddArm { spec: off });
    assert_eq!(state_of(&log, "b"), Lifecycle::Deactivated);
    log.act(RouterCommand::AddArm { spec: spec("b") });
    assert_eq!(state_of(&log, "b"), Lifecycle::Probation);
    // What a person switched off stays off while the file says what it always said.
    log.act(RouterCommand::Deactivate { arms: vec![id("c")] });
    log.act(RouterCommand::AddArm { spec: spec("c") });
    assert_eq!(state_of(&log, "c"), Lifecycle::Deactivated);
}

#[test]
fn a_pinned_arm_answers_alone_while_it_can() {
    let mut log = three();
    let mode = Mode { pinned: Some(id("c")), ..Mode::default() };
    log.act(RouterCommand::SetMode { mode });
    assert_eq!(log.state.candidates(), [id("c")]);
    log.act(RouterCommand::Deactivate { arms: vec![id("c")] });
    assert_eq!(log.state.candidates(), [id("a"), id("b")]);
}

#[test]
fn while_learning_is_paused_runs_count_and_teach_nothing() {
    let mut log = three();
    log.act(RouterCommand::SetMode { mode: Mode { learning_paused: true, ..Mode::default() } });
    race(&mut log, "a");
    let arm = log.state.arm("a").unwrap();
    assert_eq!((arm.trials, arm.wins, log.state.steps()), (1, 1, 1));
    assert!(arm.effective_n.abs() < 1e-12);
}

#[test]
fn refusals_say_what_to_do() {
    let log = three();
    let refused = |command| log.state.prepare(command).unwrap_err().to_string();
    let message = refused(RouterCommand::Deactivate { arms: vec![id("z")] });
    assert_eq!(message, "there is no arm \"z\": the pool has a, b, c");
    for command in [
        RouterCommand::Decay { factor: f64::NAN, arms: Vec::new() },
        RouterCommand::Decay { factor: 0.0, arms: Vec::new() },
        RouterCommand::SetExploration { alpha: Some(f64::INFINITY), explore_share: None },
        RouterCommand::SetExploration { alpha: None, explore_share: Some(1.5) },
        RouterCommand::Deactivate { arms: Vec::new() },
        RouterCommand::Deactivate { arms: vec![id("a"), id("b"), id("c")] },
        RouterCommand::Reactivate { arms: vec![id("a")] },
        RouterCommand::Discard { from: 3, to: 2 },
        RouterCommand::Undo { target: 1_000 },
    ] {
        assert!(!refused(command).is_empty());
    }
    let observation = |x: &[f64], seen: ArmObservation| {
        let mut other = log.clone();
        other.observe(x, vec![seen]);
        other.entries.pop().unwrap().command
    };
    for command in [
        observation(&[1.0], quality("a", 0.5)),
        observation(&[1.0, f64::NAN], quality("a", 0.5)),
        observation(&X, quality("a", 1.5)),
    ] {
        assert!(!refused(command).is_empty());
    }
}

#[test]
fn a_new_arm_starts_near_the_pools_mean_and_above_it() {
    let mut log = Log::new(config(2), quality_only(), &["a", "b"]);
    for _ in 0..50 {
        log.observe(&X, vec![quality("a", 0.6), quality("b", 0.4)]);
    }
    log.act(RouterCommand::AddArm { spec: spec("new") });
    let expected = 0.5 + log.state.config().prior.optimism;
    assert!((log.state.estimate("new", &X).unwrap().mean - expected).abs() < 1e-9);
}

#[test]
fn feedback_weighs_what_its_run_still_weighs() {
    let mut log = Log::new(config(2), quality_only(), &["a", "b"]);
    let run = log.observe(&X, vec![complete("a", [0.2; 8])]);
    log.act(RouterCommand::Decay { factor: 0.25, arms: vec![id("a")] });
    let mut amended = log.clone();
    let amend = RouterCommand::Amend {
        run,
        arm: id("a"),
        x: X.to_vec(),
        column: crate::domain::terms::Column::Quality,
        old: Some(0.2),
        new: 1.0,
        preview: complete("a", [0.2; 8]).preview,
    };
    amended.act(amend.clone());
    let mut so = Log::new(config(2), quality_only(), &["a", "b"]);
    so.observe(&X, vec![complete("a", [1.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])]);
    so.act(RouterCommand::Decay { factor: 0.25, arms: vec![id("a")] });
    let (a, b) = (amended.state.estimate("a", &X).unwrap(), so.state.estimate("a", &X).unwrap());
    assert!((a.mean - b.mean).abs() < 1e-12 && (a.uncertainty - b.uncertainty).abs() < 1e-12);
    // After a reset the run is no part of what the arm knows.
    log.act(RouterCommand::ResetArm { arm: id("a") });
    assert!(matches!(log.state.prepare(amend.clone()), Err(Rejection::NotLearned { .. })));
    let before = log.state.digest();
    log.push(amend);
    assert_eq!(log.state.digest(), before);
}

#[test]
fn feedback_about_a_run_that_taught_nothing_changes_nothing() {
    let mut log = Log::new(config(2), quality_only(), &["a", "b"]);
    let rating = |run| RouterCommand::Amend {
        run,
        arm: id("a"),
        x: X.to_vec(),
        column: crate::domain::terms::Column::Quality,
        old: Some(0.2),
        new: 1.0,
        preview: None,
    };
    let kept = log.observe(&X, vec![quality("a", 0.2)]);
    let discarded = log.observe(&X, vec![quality("a", 0.2)]);
    let (from, to) = (log.entries.len() as u64, log.entries.len() as u64);
    let discard = log.act(RouterCommand::Discard { from, to });
    let blank = RouterState::new(config(2), quality_only(), 1.0, 0.0);
    log.state = refold(&blank, &log.entries, &exclusions(&log.entries));
    assert_eq!(log.state.sequence(), discard);
    let mode = Mode { learning_paused: true, ..Mode::default() };
    log.act(RouterCommand::SetMode { mode });
    let paused = log.observe(&X, vec![quality("a", 0.2)]);
    log.act(RouterCommand::SetMode { mode: Mode::default() });
    let unlogged = TimeId::new(Timestamp::from_millis(8), 99);
    for run in [discarded, paused, unlogged] {
        assert!(matches!(log.state.prepare(rating(run)), Err(Rejection::NotLearned { .. })), "{run}");
        let before = log.state.digest();
        log.push(rating(run));
        assert_eq!(log.state.digest(), before, "{run}");
    }
    // Not remembered any more, but learned.
    for n in 0..3_000 {
        let run = TimeId::new(Timestamp::from_millis(9), n);
        log.push(RouterCommand::Observe(Observation { spent_usd: None, run, x: X.to_vec(), arms: vec![saw("b")] }));
    }
    let before = log.state.digest();
    log.act(rating(kept));
    assert_ne!(log.state.digest(), before);
}

#[test]
fn the_last_arm_stays_in_a_log_that_is_folded_without_the_other() {
    let mut log = Log::new(config(2), quality_only(), &["a"]);
    let added = log.act(RouterCommand::AddArm { spec: spec("b") });
    log.act(RouterCommand::RemoveArm { arm: id("a") });
    assert_eq!(log.state.candidates(), [id("b")]);
    let blank = RouterState::new(config(2), quality_only(), 1.0, 0.0);
    assert_eq!(refold(&blank, &log.entries, &[added].into()).candidates(), [id("a")]);
}

#[test]
fn a_late_verdict_completes_its_group() {
    let mut log = Log::new(config(2), Weights::default(), &["a", "b"]);
    let unjudged = ArmObservation { quality: None, ..complete("a", [0.5; 8]) };
    let run = log.observe(&X, vec![unjudged]);
    log.act(RouterCommand::Amend {
        run,
        arm: id("a"),
        x: X.to_vec(),
        column: crate::domain::terms::Column::Quality,
        old: None,
        new: 0.9,
        preview: None,
    });
    let mut at_once = Log::new(config(2), Weights::default(), &["a", "b"]);
    at_once.observe(&X, vec![ArmObservation { preview: None, answer: None, ..complete("a", [0.9; 8]) }]);
    at_once.observe(&X, vec![ArmObservation { quality: None, ..complete("a", [0.5; 8]) }]);
    let (a, b) = (log.state.estimate("a", &X).unwrap(), at_once.state.estimate("a", &X).unwrap());
    assert!((a.mean - b.mean).abs() < 1e-12 && (a.uncertainty - b.uncertainty).abs() < 1e-12);
}

#[test]
fn exclusions_follow_undo_redo_and_discard() {
    let mut log = three();
    race(&mut log, "a"); // 4
    let decay = log.act(RouterCommand::Decay { factor: 0.5, arms: Vec::new() }); // 5
    let undo = log.act(RouterCommand::Undo { target: decay }); // 6
    assert_eq!(exclusions(&log.entries).into_iter().collect::<Vec<_>>(), [decay]);
    let redo = log.act(RouterCommand::Undo { target: undo }); // 7
    assert_eq!(exclusions(&log.entries).into_iter().collect::<Vec<_>>(), [undo]);
    let discard = log.act(RouterCommand::Discard { from: 1, to: 7 }); // 8
    assert_eq!(exclusions(&log.entries).into_iter().collect::<Vec<_>>(), [4, undo]);
    log.act(RouterCommand::Undo { target: discard });
    log.act(RouterCommand::Undo { target: redo });
    assert_eq!(exclusions(&log.entries).into_iter().collect::<Vec<_>>(), [decay, redo, discard]);
}

#[test]
fn a_snapshot_of_other_features_or_broken_parts_is_refused() {
    let mut log = three();
    race(&mut log, "a");
    let mut snapshot = log.state.to_snapshot();
    let other = RouterState::from_snapshot(&snapshot, &config(3)).unwrap_err();
    assert!(matches!(other, StateFault::OtherFeatures { .. }), "{other}");
    snapshot.parts[1].1.truncate(40);
    assert!(matches!(RouterState::from_snapshot(&snapshot, &config(2)), Err(StateFault::Corrupt(_))));
    snapshot.parts.truncate(1);
    assert!(matches!(RouterState::from_snapshot(&snapshot, &config(2)), Err(StateFault::Corrupt(_))));
}

#[test]
fn a_snapshot_is_read_under_the_prior_of_its_reader() {
    let mut other = config(2);
    other.prior.lambda_embedding = 2.0;
    other.prior.noise_prior = 0.05;
    let [mut log, mut so] = [config(2), other.clone()].map(|c| Log::new(c, Weights::default(), &["a", "b", "c"]));
    for log in [&mut log, &mut so] {
        log.observe(&X, vec![complete("a", [0.3; 8])]);
    }
    let read = RouterState::from_snapshot(&log.state.to_snapshot(), &other).unwrap();
    let (a, b) = (read.estimate("a", &X).unwrap(), so.state.estimate("a", &X).unwrap());
    assert!((a.mean - b.mean).abs() < 1e-12 && (a.uncertainty - b.uncertainty).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pool_never_empties_by_hand_or_rule(actions in prop::collection::vec((0..5_usize, 0..3_usize, 0.0..=1.0_f64), 1..25)) {
        let names = ["a", "b", "c"];
        let mut log = three();
        for (what, who, rate) in actions {
            race(&mut log, names[who]);
            let arm = id(names[who]);
            let command = match what {
                0 => RouterCommand::Prune { min_trials: 1, min_win_rate: rate, victims: Vec::new() },
                1 | 4 => RouterCommand::Deactivate { arms: vec![arm] },
                2 => RouterCommand::Reactivate { arms: vec![arm] },
                // As a log that is folded again may have it, unprepared.
                _ => RouterCommand::Prune { min_trials: 0, min_win_rate: 1.0, victims: vec![arm] },
            };
            if what >= 3 {
                log.push(command);
            } else if let Ok(prepared) = log.state.prepare(command) {
                log.push(prepared);
            }
            prop_assert!(!log.state.candidates().is_empty());
        }
        let again: Vec<LogEntry> = log.entries.clone();
        let empty = Log::new(config(2), Weights::default(), &[]);
        let folded = super::super::refold::refold(&empty.state, &again, &std::collections::BTreeSet::new());
        prop_assert_eq!(folded.digest(), log.state.digest());
    }
}

#[test]
fn absent_arms_are_inert() {
    let mut log = three();
    let before = log.state.digest();
    log.push(RouterCommand::ResetArm { arm: id("gone") });
    log.push(RouterCommand::Decay { factor: 0.5, arms: vec![id("gone")] });
    log.push(RouterCommand::Reactivate { arms: vec![id("gone")] });
    log.observe(&X, vec![ArmObservation { quality: Some(1.0), ..saw("gone") }]);
    assert_eq!(log.state.digest(), before);
}
