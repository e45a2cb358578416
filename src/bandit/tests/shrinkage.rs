//! Slopes that arms have in common: what a reading is worth, and what still holds exactly where there are readings.

use proptest::prelude::*;

use super::super::config::{Noise, RouterConfig};
use super::super::snapshot::StateFault;
use super::super::state::RouterState;
use super::super::stats::REWARD_COLUMNS;
use super::{Log, complete, config, quality, quality_only, textbook, worded};
use crate::domain::command::{ArmObservation, RouterCommand};
use crate::domain::ids::ArmId;
use crate::domain::terms::{Column, Weights};

const D: usize = 3;
const ARMS: [&str; 3] = ["a", "b", "c"];

/// Contexts, arms and outcomes: what is hard is hard for all arms, as far as `common` goes; `c` has a skill of its own.
fn history(seed: u64, runs: usize, common: f64) -> Vec<([f64; D], ArmObservation)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut run = || {
        let (x, arm) = ([1.0, rng.f64(), rng.f64()], rng.usize(0..ARMS.len()));
        let own = if arm == 2 { 0.3 * x[2] } else { 0.0 };
        let mut t = std::array::from_fn(|_| 0.2 * rng.f64());
        t[0] += 0.3 + common * x[1] + own;
        (x, complete(ARMS[arm], t))
    };
    (0..runs).map(|_| run()).collect()
}

fn learned<'a>(config: RouterConfig, rows: impl IntoIterator<Item = &'a ([f64; D], ArmObservation)>) -> Log {
    let mut log = Log::new(config, Weights::default(), &ARMS);
    more(&mut log, rows);
    log
}

fn more<'a>(log: &mut Log, rows: impl IntoIterator<Item = &'a ([f64; D], ArmObservation)>) {
    for (x, seen) in rows {
        log.observe(x, vec![seen.clone()]);
    }
}

/// Reads slopes now, and changes nothing else.
fn read(log: &mut Log) {
    log.push(RouterCommand::Decay { factor: 1.0, arms: Vec::new() });
}

fn shuffled<T>(rows: &[T], seed: u64) -> Vec<&T> {
    let mut rows: Vec<&T> = rows.iter().collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut rows);
    rows
}

fn assert_alike(a: &RouterState, b: &RouterState, tolerance: f64) {
    for arm in ARMS {
        for x in [[1.0, 0.1, 0.9], [1.0, 0.8, 0.2]] {
            let (a, b) = (a.estimate(arm, &x).unwrap(), b.estimate(arm, &x).unwrap());
            for (a, b) in a.columns.iter().zip(&b.columns).chain([(&a.mean, &b.mean), (&a.uncertainty, &b.uncertainty)])
            {
                assert!((a - b).abs() <= tolerance, "{arm}: {a} {b}");
            }
        }
    }
}

#[test]
fn an_arm_that_was_asked_what_is_hard_is_not_taken_for_a_poor_one() {
    let mut logs = [300.0, 1.0].map(|most| {
        let mut config = worded(D);
        config.prior.most_strength = most;
        Log::new(config, quality_only(), &ARMS)
    });
    let mut rng = fastrand::Rng::with_seed(8);
    for i in 0..1_200 {
        let arm = i % 2;
        // Only what is hard for the first.
        let hard = if arm == 0 { 0.8 + 0.2 * rng.f64() } else { rng.f64() };
        let value = 0.9 - 0.6 * hard + 0.05 * rng.f64();
        for log in &mut logs {
            log.observe(&[1.0, hard, 0.0], vec![quality(ARMS[arm], value)]);
        }
    }
    let gap = |log: &Log| {
        let [a, b] = ["a", "b"].map(|arm| log.state.estimate(arm, &[1.0, 0.1, 0.0]).unwrap().mean);
        (a - b).abs()
    };
    let [shared, alone] = [gap(&logs[0]), gap(&logs[1])];
    assert!(shared < 0.1 && alone > 0.3, "{shared} {alone}");
}

#[test]
fn slopes_are_drawn_as_hard_as_qualities_say() {
    let strength = |common: f64, own: f64| {
        let mut log = Log::new(worded(D), quality_only(), &ARMS);
        let mut rng = fastrand::Rng::with_seed(3);
        for i in 0..900 {
            let (x, arm) = ([1.0, rng.f64(), rng.f64()], i % 3);
            let value = 0.3 + common * x[1] + own * (arm as f64 - 1.0) * x[2] + 0.4 * rng.f64();
            log.observe(&x, vec![quality(ARMS[arm], value)]);
        }
        log.state.shrinkage.strength
    };
    let (nobody, somebody) = (strength(0.2, 0.0), strength(0.2, 0.4));
    assert!(nobody > 10.0 && somebody < 1.5, "{nobody} {somebody}");
}

#[test]
fn what_an_answer_costs_is_each_arms_own_affair() {
    let log = learned(worded(D), &history(5, 200, 0.4));
    let slopes = &log.state.shrinkage.slopes;
    assert_eq!(slopes.len(), REWARD_COLUMNS * D);
    assert!(slopes.chunks(D).all(|column| column[0] == 0.0), "levels are no slopes");
    let plain = learned(config(D), &history(5, 200, 0.4));
    for arm in ARMS {
        let dollars = |log: &Log| log.state.arms[log.state.find(arm).unwrap()].stats.theta(Column::Dollars).to_vec();
        // The same precision, and no other centre.
        assert_eq!(dollars(&log).len(), dollars(&plain).len());
        assert!(dollars(&log).iter().zip(&dollars(&plain)).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}

#[test]
fn the_textbook_has_nothing_in_common() {
    for (fixed, most) in [(true, 300.0), (false, 1.0)] {
        let mut config = if fixed { textbook(D, 1.0) } else { worded(D) };
        config.prior.most_strength = most;
        assert_eq!(matches!(config.prior.noise, Noise::Fixed(_)), fixed);
        let mut rows = history(6, 120, 0.4);
        let log = learned(config.clone(), &rows);
        assert!(log.state.shrinkage.slopes.is_empty());
        fastrand::Rng::with_seed(1).shuffle(&mut rows);
        // And so the order does not matter at all.
        let mut other = learned(config, &rows);
        assert_alike(&log.state, &other.state, 1e-9);
        read(&mut other);
        assert_alike(&log.state, &other.state, 1e-9);
    }
}

#[test]
fn a_snapshot_of_before_readings_is_read_at_once() {
    let rows = history(7, 90, 0.4);
    let mut alone = worded(D);
    alone.prior.most_strength = 0.0;
    let old = learned(alone.clone(), &rows).state.to_snapshot();
    let text = |at: usize| String::from_utf8(old.parts[at].1.clone()).unwrap();
    assert!(!text(0).contains("shrinkage") && !text(1).contains("prior_slopes"));
    let found = RouterState::from_snapshot(&old, &worded(D)).unwrap();
    let mut now = learned(worded(D), &rows);
    read(&mut now);
    assert_alike(&found, &now.state, 1e-9);
    // And back, where somebody wants each arm's slopes to itself.
    let back = RouterState::from_snapshot(&now.state.to_snapshot(), &alone).unwrap();
    assert_alike(&back, &learned(alone, &rows).state, 1e-9);
}

#[test]
fn slopes_that_do_not_fit_are_refused() {
    let snapshot = learned(worded(D), &history(7, 90, 0.4)).state.to_snapshot();
    for (part, from, to) in [
        (0, r#""slopes":["#, r#""slopes":[1.0,"#),
        (1, r#""prior_slopes":["#, r#""prior_slopes":[1.0,"#),
        (1, r#""strength":"#, r#""strength":-"#),
    ] {
        let mut damaged = snapshot.clone();
        let text = String::from_utf8(damaged.parts[part].1.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        damaged.parts[part].1 = text.replacen(from, to, 1).into_bytes();
        assert!(matches!(RouterState::from_snapshot(&damaged, &worded(D)), Err(StateFault::Corrupt(_))), "{from}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Right after a reading the order of all that came before does not matter; between two, that of what came since.
    #[test]
    fn up_to_the_last_reading_order_does_not_matter(
        seed in any::<u64>(), before in 1..90_usize, since in 0..8_usize, partial in any::<bool>(),
    ) {
        let mut rows = history(seed, before + since, 0.4);
        for (_, seen) in rows.iter_mut().step_by(3).filter(|_| partial) {
            seen.preview = None;
        }
        let (earlier, later) = rows.split_at(before);
        let mut forward = learned(worded(D), earlier);
        let mut backward = learned(worded(D), shuffled(earlier, seed));
        for log in [&mut forward, &mut backward] {
            read(log);
        }
        assert_alike(&forward.state, &backward.state, 1e-8);
        more(&mut forward, later);
        more(&mut backward, shuffled(later, seed));
        assert_alike(&forward.state, &backward.state, 1e-8);
    }

    /// What is amended is in the statistics at once, and in what slopes are drawn towards with the next reading.
    #[test]
    fn an_amendment_equals_having_seen_it_so_from_the_next_reading_on(seed in any::<u64>(), runs in 1..70_usize, at in any::<prop::sample::Index>(), new in 0.0..1.0_f64) {
        let mut rows = history(seed, runs, 0.4);
        let at = at.index(runs);
        let mut amended = Log::new(worded(D), Weights::default(), &ARMS);
        let mut change = None;
        for (i, (x, seen)) in rows.iter().enumerate() {
            let run = amended.observe(x, vec![seen.clone()]);
            if i == at {
                let (arm, old, preview) = (seen.arm.clone(), seen.quality, seen.preview);
                change = Some(RouterCommand::Amend { run, arm, x: x.to_vec(), column: Column::Quality, old, new, preview });
            }
        }
        amended.act(change.unwrap());
        rows[at].1.quality = Some(new);
        let mut so = learned(worded(D), &rows);
        for log in [&mut amended, &mut so] {
            read(log);
        }
        assert_alike(&amended.state, &so.state, 1e-8);
    }

    /// What slopes are drawn towards is linear in what was observed, so that under the same strength a router that only
    /// ever saw the scalar reward knows the same. How strong, only qualities say.
    #[test]
    fn reweighting_equals_retraining_under_the_same_strength(seed in any::<u64>(), runs in 1..120_usize, by_term in prop::array::uniform6(0.01..1.0_f64)) {
        let mut config = worded(D);
        config.prior.most_strength = 1.0 + 1e-12;
        let rows = history(seed, runs, 0.4);
        let weights = Weights::new(by_term, 0.0).unwrap();
        let mut log = learned(config.clone(), &rows);
        log.push(RouterCommand::SetWeights { weights });
        let mut scalar = Log::new(config, quality_only(), &ARMS);
        for (x, seen) in &rows {
            let terms = seen.preview.as_ref().map(super::super::stats::preview_columns).unwrap();
            let all = seen.quality.into_iter().chain(terms);
            let reward: f64 = weights.by_term().iter().zip(all).map(|(w, t)| w * t).sum();
            scalar.observe(x, vec![quality(seen.arm.as_str(), reward)]);
        }
        for arm in ARMS {
            for x in [[1.0, 0.1, 0.9], [1.0, 0.8, 0.2]] {
                let (a, b) = (log.state.estimate(arm, &x).unwrap(), scalar.state.estimate(arm, &x).unwrap());
                prop_assert!((a.mean - b.mean).abs() < 1e-8 && (a.uncertainty - b.uncertainty).abs() < 1e-8);
            }
        }
    }

    /// Whoever comes, goes or begins anew: what is known stays what the statistics say under what was read.
    #[test]
    fn a_changing_pool_is_folded_again_to_the_bit(seed in any::<u64>(), what in prop::collection::vec((0..6_usize, 0..40_usize), 1..6)) {
        let mut config = worded(D);
        config.forgetting = 0.995;
        let mut log = Log::new(config.clone(), Weights::default(), &ARMS);
        for (i, (what, runs)) in what.into_iter().enumerate() {
            more(&mut log, &history(seed.wrapping_add(i as u64), runs, 0.4));
            let b = vec![ArmId::new("b")];
            let command = match what {
                0 => RouterCommand::RemoveArm { arm: ArmId::new("b") },
                1 => RouterCommand::ResetArm { arm: ArmId::new("b") },
                2 => RouterCommand::Deactivate { arms: b },
                3 => RouterCommand::Reactivate { arms: b },
                4 => RouterCommand::Decay { factor: 0.3, arms: b },
                _ => RouterCommand::SetPrior { feature_version: "test-3".to_owned(), arms: vec![super::beliefs::belief("b")] },
            };
            if let Ok(command) = log.state.prepare(command) {
                log.push(command);
            }
        }
        let empty = Log::new(config.clone(), Weights::default(), &[]);
        let again = super::super::refold::refold(&empty.state, &log.entries, &std::collections::BTreeSet::new());
        prop_assert_eq!(again.digest(), log.state.digest());
        let restored = RouterState::from_snapshot(&log.state.to_snapshot(), &config).unwrap();
        prop_assert_eq!(restored.digest(), log.state.digest());
        prop_assert_eq!(restored.to_snapshot(), log.state.to_snapshot());
    }
}
