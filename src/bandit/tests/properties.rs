//! What must hold for any history: re-weighting equals retraining, undo equals never having done it,
//! forgetting never knows less than the prior, the order of observations does not matter.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::config::RouterConfig;
use super::super::refold::{exclusions, refold};
use super::super::state::RouterState;
use super::{Log, complete, config, quality, quality_only, saw, scale, worded};
use crate::domain::clock::Timestamp;
use crate::domain::command::{ArmObservation, RouterCommand};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::spec::{DriftReaction, Mode, ShareLimits, Strategy as Way};
use crate::domain::terms::{Column, Weights};

const D: usize = 3;
const ARMS: [&str; 3] = ["a", "b", "c"];

type Row = (Vec<f64>, usize, [f64; 8]);

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let x = prop::collection::vec(-1.0..1.0_f64, D - 1).prop_map(|mut x| {
        x.insert(0, 1.0);
        x
    });
    prop::collection::vec((x, 0..ARMS.len(), prop::array::uniform8(0.0..1.0_f64)), 1..most)
}

fn weights() -> impl Strategy<Value = Weights> {
    prop::array::uniform6(0.01..1.0_f64).prop_map(|by_term| Weights::new(by_term, 0.0).unwrap())
}

fn learned(rows: &[Row], config: RouterConfig, weights: Weights) -> Log {
    let mut log = Log::new(config, weights, &ARMS);
    for (x, arm, t) in rows {
        log.observe(x, vec![complete(ARMS[*arm], *t)]);
    }
    log
}

/// What a person says later about a run.
fn rating(run: TimeId, x: &[f64], arm: &str, t: &[f64; 8], new: f64) -> RouterCommand {
    RouterCommand::Amend {
        run,
        arm: ArmId::new(arm),
        x: x.to_vec(),
        column: Column::Quality,
        old: Some(t[0]),
        new,
        preview: complete(arm, *t).preview,
    }
}

/// Bounds of an arm's share of runs.
fn limits(arm: &str, min: f64) -> RouterCommand {
    let limits = Some(ShareLimits { min, max: 1.0, ramp_s: 60.0 });
    RouterCommand::SetShareLimits { arm: ArmId::new(arm), limits }
}

fn assert_same(a: &RouterState, b: &RouterState, x: &[f64], tolerance: f64) {
    for arm in ARMS {
        match (a.estimate(arm, x), b.estimate(arm, x)) {
            (Some(a), Some(b)) => {
                assert!((a.mean - b.mean).abs() < tolerance, "{arm}: mean {} {}", a.mean, b.mean);
                assert!(
                    (a.uncertainty - b.uncertainty).abs() < tolerance,
                    "{arm}: {} {}",
                    a.uncertainty,
                    b.uncertainty
                );
            }
            (None, None) => {}
            other => panic!("{arm}: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reweighting_equals_retraining_on_the_scalar_reward(history in rows(40), old in weights(), new in weights()) {
        let mut log = learned(&history, config(D), old);
        log.push(RouterCommand::SetWeights { weights: new });
        // A router that only ever saw the scalar reward under the new weights, in the same prior.
        let mut scalar = Log::new(config(D), quality_only(), &ARMS);
        for (x, arm, t) in &history {
            let reward: f64 = new.by_term().iter().zip(t).map(|(w, t)| w * t).sum();
            scalar.observe(x, vec![ArmObservation { answer: None, ..quality(ARMS[*arm], reward) }]);
        }
        for (x, ..) in &history {
            assert_same(&log.state, &scalar.state, x, 1e-9);
        }
    }

    #[test]
    fn weights_set_early_or_late_are_the_same_to_the_bit(history in rows(60), old in weights(), new in weights()) {
        let learned = |weights| learned(&history, worded(D), weights);
        let mut late = learned(old);
        late.push(RouterCommand::SetWeights { weights: new });
        let early = learned(new);
        for (x, ..) in &history {
            assert_same(&late.state, &early.state, x, f64::MIN_POSITIVE);
        }
    }

    #[test]
    fn undo_equals_never_having_done_it(
        before in rows(20), after in rows(20), which in 0..13_usize, factor in 0.1..1.0_f64,
        gamma in prop::sample::select(vec![1.0, 0.99]), window in prop::sample::select(vec![0, 12]),
        ceiling in prop::option::of(0.05..2.0_f64), drifts in any::<bool>(), has_words in any::<bool>(),
    ) {
        let arm = ArmId::new("b");
        let mode = Mode { strategy: Some(Way::Direct), pinned: Some(arm.clone()), learning_paused: factor > 0.5, expires: None };
        let action = match which {
            0 => RouterCommand::Decay { factor, arms: Vec::new() },
            1 => RouterCommand::Deactivate { arms: vec![arm] },
            2 => RouterCommand::Prune { min_trials: 1, min_win_rate: 0.9, victims: vec![arm] },
            3 => RouterCommand::ResetArm { arm },
            4 => RouterCommand::RemoveArm { arm },
            5 => RouterCommand::SetPrior { feature_version: "test-3".to_owned(), arms: vec![super::beliefs::belief("b")] },
            6 => RouterCommand::SetWeights { weights: Weights::new([0.1, 0.2, 0.7, 0.0, 0.0, 0.0], 0.3).unwrap() },
            7 => RouterCommand::SetNormaliser { normaliser: scale(D - 1) },
            8 => RouterCommand::SetBudget { dollars: Some(factor) },
            9 => RouterCommand::Spend { run: TimeId::new(Timestamp::from_millis(3), 3), dollars: factor, beside: factor < 0.5 },
            10 => RouterCommand::SetMode { mode },
            11 => limits("b", factor),
            _ => RouterCommand::SetExploration { alpha: Some(factor), explore_share: Some(factor) },
        };
        let mut config = if has_words { worded(D) } else { config(D) };
        (config.forgetting, config.window) = (gamma, window);
        config.drift.reaction = if drifts { DriftReaction::Forget } else { DriftReaction::Off };
        let mut base = Log::new(config.clone(), Weights::default(), &ARMS);
        base.push(RouterCommand::SetBudget { dollars: ceiling });
        let mut done = base.clone();
        let mut never = base.clone();
        let mut target = 0;
        for (part, rows) in [&before, &after].into_iter().enumerate() {
            for (x, arm, t) in rows {
                let run = done.observe(x, vec![complete(ARMS[*arm], *t)]);
                never.push(done.entries.last().unwrap().command.clone());
                if t[0] > 0.8 {
                    let rating = rating(run, x, ARMS[*arm], t, 0.1);
                    done.push(rating.clone());
                    never.push(rating);
                }
            }
            if part == 0 {
                target = done.push(action.clone());
            }
        }
        let undo = done.push(RouterCommand::Undo { target });
        let without = exclusions(&done.entries);
        prop_assert_eq!(&without, &BTreeSet::from([target]));
        let empty = Log::new(config, Weights::default(), &[]);
        let undone = refold(&empty.state, &done.entries, &without);
        prop_assert_eq!(undone.sequence(), undo);
        prop_assert_eq!(undone.digest(), never.state.digest());
        let rest = |state: &RouterState| {
            let arms: Vec<String> = state.arms().map(|arm| format!("{} {:?} {} {:?}", arm.spec.name, arm.lifecycle, arm.trials, arm.share_limits)).collect();
            (arms, *state.weights(), state.alpha(), state.explore_share(), state.mode().clone(), state.account())
        };
        prop_assert_eq!(rest(&undone), rest(&never.state));
        assert_same(&undone, &never.state, &before[0].0, f64::MIN_POSITIVE);
    }

    /// A discard takes out what runs taught, their ratings, and with them what they spent: it is as if they had not
    /// been. What was spent without a run that was learned, and what a person did, stays.
    #[test]
    fn a_discarded_interval_was_never_learned_or_paid_for(
        before in rows(20), poison in rows(10), after in rows(20), gamma in prop::sample::select(vec![1.0, 0.99]),
        ceiling in 0.05..2.0_f64,
    ) {
        let mut config = worded(D);
        config.forgetting = gamma;
        let mut done = Log::new(config.clone(), Weights::default(), &ARMS);
        done.push(RouterCommand::SetBudget { dollars: Some(ceiling) });
        let mut never = done.clone();
        let spend = RouterCommand::Spend { run: TimeId::new(Timestamp::from_millis(3), 3), dollars: 0.25, beside: false };
        let mut interval = [0; 2];
        for (part, rows) in [&before, &poison, &after].into_iter().enumerate() {
            for (i, (x, arm, t)) in rows.iter().enumerate() {
                let run = done.observe(x, vec![complete(ARMS[*arm], *t)]);
                let learned = done.entries.last().unwrap().command.clone();
                let late = (t[0] > 0.5).then(|| rating(run, x, ARMS[*arm], t, 0.9));
                done.entries.last().into_iter().filter(|_| part == 1 && i == 0).for_each(|e| interval[0] = e.sequence);
                if let Some(late) = &late {
                    done.push(late.clone());
                }
                if part != 1 {
                    [Some(learned), late].into_iter().flatten().for_each(|command| { never.push(command); });
                }
            }
            if part == 1 {
                // At the same moment in both, for a ramp begins with it.
                while never.entries.len() < done.entries.len() {
                    never.push(RouterCommand::SetMode { mode: Mode::default() });
                }
                done.push(limits("b", 0.5));
                never.push(limits("b", 0.5));
                interval[1] = done.push(spend.clone());
                never.push(spend.clone());
            }
        }
        done.push(RouterCommand::Discard { from: interval[0], to: interval[1] });
        let empty = Log::new(config, Weights::default(), &[]);
        let found = refold(&empty.state, &done.entries, &exclusions(&done.entries));
        prop_assert_eq!(found.digest(), never.state.digest());
        prop_assert_eq!(found.account(), never.state.account());
        assert_same(&found, &never.state, &before[0].0, f64::MIN_POSITIVE);
    }

    #[test]
    fn decay_never_knows_less_than_the_prior(history in rows(60), has_words in any::<bool>(), factors in prop::collection::vec(0.01..1.0_f64, 1..6), gamma in 0.9..1.0_f64) {
        let mut forgetful = if has_words { worded(D) } else { config(D) };
        forgetful.forgetting = gamma;
        let fresh = Log::new(forgetful.clone(), Weights::default(), &ARMS);
        let mut log = Log::new(forgetful, Weights::default(), &ARMS);
        for (i, (x, arm, t)) in history.iter().enumerate() {
            log.observe(x, vec![complete(ARMS[*arm], *t)]);
            if let Some(factor) = factors.get(i) {
                log.push(RouterCommand::Decay { factor: *factor, arms: Vec::new() });
            }
        }
        let prior = &log.state.shared.prior;
        for (x, ..) in &history {
            let probe = super::super::probe::Probe::new(prior, x, log.state.steps());
            for (arm, untouched) in log.state.arms.iter().zip(&fresh.state.arms) {
                let noise = |stats: &super::super::stats::ArmStatistics, arm: &super::super::state::ArmState| {
                    arm.lens.standing(stats, prior, &fresh.state.noise, &probe).uncertainty
                };
                // With the same residual noise, data can only narrow what the prior in force leaves open.
                let mut nothing = untouched.stats.clone();
                nothing.draw_slopes(prior, &log.state.shrinkage, &mut super::super::regression::Scratch::default());
                let narrowed = noise(&arm.stats, untouched);
                prop_assert!(narrowed <= noise(&nothing, untouched) * (1.0 + 1e-9));
            }
        }
        log.push(RouterCommand::Decay { factor: 1e-12, arms: Vec::new() });
        log.push(RouterCommand::Decay { factor: 1e-12, arms: Vec::new() });
        assert_same(&log.state, &fresh.state, &history[0].0, 1e-9);
    }

    /// Where arms have slopes in common: up to the last reading. See `shrinkage.rs`.
    #[test]
    fn the_order_of_observations_does_not_matter(history in rows(30), seed in any::<u64>(), partial in any::<bool>()) {
        let one = |t: &[f64; 8], arm: &str, i: usize| {
            let mut seen = complete(arm, *t);
            if partial && i.is_multiple_of(3) {
                seen.preview = None;
            }
            seen
        };
        let mut order: Vec<usize> = (0..history.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let mut forward = Log::new(config(D), Weights::default(), &ARMS);
        let mut shuffled = forward.clone();
        for (i, &other) in order.iter().enumerate() {
            for (log, at) in [(&mut forward, i), (&mut shuffled, other)] {
                let (x, arm, t) = &history[at];
                log.observe(x, vec![one(t, ARMS[*arm], at)]);
            }
        }
        for (x, ..) in &history {
            assert_same(&forward.state, &shuffled.state, x, 1e-9);
        }
    }

    /// As with their order.
    #[test]
    fn an_amendment_equals_having_seen_it_so(history in rows(20), at in any::<prop::sample::Index>(), rating in 0.0..1.0_f64) {
        let at = at.index(history.len());
        let mut amended = Log::new(config(D), Weights::default(), &ARMS);
        let mut so = amended.clone();
        let mut change = None;
        for (i, (x, arm, t)) in history.iter().enumerate() {
            let run = amended.observe(x, vec![complete(ARMS[*arm], *t)]);
            let mut known = *t;
            if i == at {
                known[0] = rating;
                change = Some(self::rating(run, x, ARMS[*arm], t, rating));
            }
            so.observe(x, vec![complete(ARMS[*arm], known)]);
        }
        amended.act(change.unwrap());
        for (x, ..) in &history {
            assert_same(&amended.state, &so.state, x, 1e-9);
        }
    }

    #[test]
    fn a_snapshot_continues_to_the_bit(before in rows(40), after in rows(20), gamma in prop::sample::select(vec![1.0, 0.99])) {
        let mut config = worded(D);
        config.forgetting = gamma;
        let mut log = Log::new(config.clone(), Weights::default(), &ARMS);
        for (x, arm, t) in &before {
            log.observe(x, vec![complete(ARMS[*arm], *t)]);
        }
        log.push(RouterCommand::Observe(crate::domain::command::Observation {
            spent_usd: None,
            run: crate::domain::ids::TimeId::new(crate::domain::clock::Timestamp::from_millis(9), 9),
            x: before[0].0.clone(),
            arms: vec![ArmObservation { quality: Some(0.5), ..saw("a") }],
        }));
        let mut restored = log.clone();
        restored.state = RouterState::from_snapshot(&log.state.to_snapshot(), &config).unwrap();
        prop_assert_eq!(restored.state.to_snapshot(), log.state.to_snapshot());
        for (x, arm, t) in &after {
            for log in [&mut log, &mut restored] {
                log.observe(x, vec![complete(ARMS[*arm], *t)]);
            }
            assert_same(&log.state, &restored.state, x, f64::MIN_POSITIVE);
        }
        prop_assert_eq!(restored.state.digest(), log.state.digest());
    }
}
