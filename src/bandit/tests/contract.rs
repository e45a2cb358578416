//! What every `Router` promises, as one function that any further implementation must pass.

use super::super::config::RouterConfig;
use super::super::desk::Desk;
use super::super::policies::{LinTs, Uniform};
use super::super::router::{Contexts, Router, Selection, router};
use super::{Log, complete, config, quality, quality_only};
use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::spec::RouterKind;
use crate::domain::terms::Weights;

const ARMS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn learned(config: RouterConfig, runs: usize) -> Log {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut log = Log::new(config, Weights::default(), &ARMS);
    log.push(RouterCommand::SetExploration { alpha: Some(0.7), explore_share: Some(0.1) });
    for _ in 0..runs {
        let x = [1.0, rng.f64(), rng.f64() - 0.5];
        let seen = ARMS.iter().map(|arm| complete(arm, std::array::from_fn(|_| rng.f64()))).collect();
        log.observe(&x, seen);
    }
    log
}

/// The contract in words stands at the trait.
pub(super) fn keeps_the_contract(router: &dyn Router) {
    for runs in [0, 1, 60] {
        let mut log = learned(config(3), runs);
        if runs == 60 {
            log.act(RouterCommand::Deactivate { arms: vec![ArmId::new("e")] });
            log.act(RouterCommand::Reactivate { arms: vec![ArmId::new("e")] });
            super::drift::fall(&mut log, "c", &[1.0, 0.4, -0.2]);
        }
        let all = log.state.candidates();
        for k in [0, 1, 2, 5, 9] {
            for candidates in [&all[..], &all[..2], &all[4..], &[]] {
                for seed in 0..20 {
                    check(router, &log, candidates, k, seed);
                }
            }
        }
        let unknown = [ArmId::new("a"), ArmId::new("nobody")];
        let mut half = || 0.5;
        let only_known = router.select(&log.state, &[1.0, 0.0, 0.0], &unknown, 2, &mut half);
        assert_eq!(only_known.scores.len(), 1);
        let other_length = router.select(&log.state, &[1.0], &all, 2, &mut half);
        assert!(other_length.scores.iter().all(|score| score.score.is_finite()));
        own_signals(router, &log);
    }
}

fn select(router: &dyn Router, log: &Log, candidates: &[ArmId], k: usize, seed: u64) -> Selection {
    let mut rng = fastrand::Rng::with_seed(seed);
    router.select(&log.state, &[1.0, 0.4, -0.2], candidates, k, &mut || rng.f64())
}

/// Every candidate is scored at its own context, and nothing of the last decision is left on the desk.
fn own_signals(router: &dyn Router, log: &Log) {
    let all = log.state.candidates();
    let own: Vec<f64> = (0..all.len()).map(|place| place as f64 / 4.0 - 0.5).collect();
    let mut desk = Desk::default();
    let mut half = || 0.5;
    router.select_on(&mut desk, &log.state, Contexts::same(&[1.0, 9.0, 9.0]), &all, 3, &mut half);
    router.select_on(&mut desk, &log.state, Contexts::with_signals(&[1.0, 0.4], &own), &all, 2, &mut half);
    for score in &desk.selection.scores {
        let place = all.iter().position(|arm| *arm == score.arm).unwrap();
        let expected = log.state.estimate(score.arm.as_str(), &[1.0, 0.4, own[place]]).unwrap();
        assert!((score.mean - expected.mean).abs() < 1e-12 && (score.uncertainty - expected.uncertainty).abs() < 1e-12);
    }
    router.select_on(&mut desk, &log.state, Contexts::with_signals(&[1.0, 0.4], &own[..1]), &all, 2, &mut half);
    assert_eq!(desk.selection.scores.len(), all.len(), "missing signals count as 0");
}

fn check(router: &dyn Router, log: &Log, candidates: &[ArmId], k: usize, seed: u64) {
    let selection = select(router, log, candidates, k, seed);
    assert_eq!(selection, select(router, log, candidates, k, seed), "the same draws, the same selection");
    let wanted = k.min(candidates.len());
    let names: std::collections::BTreeSet<&ArmId> = selection.scores.iter().map(|score| &score.arm).collect();
    assert_eq!((selection.scores.len(), names.len()), (candidates.len(), candidates.len()));
    assert_eq!(selection.scores.iter().filter(|score| score.selected).count(), wanted);
    assert!(selection.scores.iter().take(wanted).all(|score| score.selected), "the selected ones come first");
    let mut sum = 0.0;
    for score in &selection.scores {
        assert!([score.mean, score.uncertainty, score.score].iter().all(|v| v.is_finite()));
        assert!(score.uncertainty >= 0.0 && (0.0..=1.0).contains(&score.propensity));
        assert!(!score.selected || score.propensity > 0.0, "what was selected could be");
        sum += score.propensity;
    }
    assert!((sum - wanted as f64).abs() < 1e-9, "propensities sum to {wanted}, not {sum}");
}

#[test]
fn every_router_keeps_the_contract() {
    for (kind, _) in RouterKind::ALL {
        let router = router(kind);
        assert_eq!(router.kind(), kind);
        keeps_the_contract(router.as_ref());
    }
}

#[test]
fn propensities_are_the_frequencies() {
    let mut log = learned(config(3), 40);
    log.act(RouterCommand::Deactivate { arms: vec![ArmId::new("b")] });
    log.act(RouterCommand::Reactivate { arms: vec![ArmId::new("b")] });
    for arm in ["a", "c"] {
        super::drift::fall(&mut log, arm, &[1.0, 0.4, -0.2]);
    }
    let candidates = log.state.candidates();
    for (kind, tolerance) in [(RouterKind::Linucb, 0.015), (RouterKind::Lints, 0.02), (RouterKind::Uniform, 0.02)] {
        for k in [1, 2] {
            let router = router(kind);
            let mut rng = fastrand::Rng::with_seed(9);
            let rounds = 6_000;
            let mut frequency = std::collections::BTreeMap::new();
            let mut stated = std::collections::BTreeMap::new();
            for _ in 0..rounds {
                let selection = router.select(&log.state, &[1.0, 0.4, -0.2], &candidates, k, &mut || rng.f64());
                for score in selection.scores {
                    *frequency.entry(score.arm.clone()).or_insert(0.0) += f64::from(score.selected) / f64::from(rounds);
                    *stated.entry(score.arm).or_insert(0.0) += score.propensity / f64::from(rounds);
                }
            }
            for (arm, stated) in stated {
                let seen: f64 = frequency[&arm];
                assert!((seen - stated).abs() < tolerance, "{kind:?} k {k} {arm}: {seen} seen, {stated} stated");
            }
        }
    }
}

/// An arm that no draw of the posterior ever takes has the uniform choice among the draws alone: as it is stated, so
/// it is done.
#[test]
fn a_chance_that_is_stated_is_drawn() {
    let mut log = Log::new(config(3), quality_only(), &["a", "b", "c", "d"]);
    for n in 0..120 {
        let seen = [("a", 0.9), ("b", 0.85), ("c", 0.1), ("d", 0.1)];
        let noise = 0.02 * f64::from(n % 3 - 1);
        log.observe(&[1.0, 0.4, -0.2], seen.map(|(arm, worth)| quality(arm, worth + noise)).to_vec());
    }
    let candidates = log.state.candidates();
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut seen, mut stated, mut variance) = (0.0, 0.0, 0.0);
    for _ in 0..3_000 {
        let selection = LinTs.select(&log.state, &[1.0, 0.4, -0.2], &candidates, 2, &mut || rng.f64());
        for score in selection.scores.iter().filter(|score| score.arm.as_str() == "c") {
            assert!((score.propensity - 2.0 / 4.0 / 257.0).abs() < 1e-12, "no draw takes it: {}", score.propensity);
            assert!(!score.selected || selection.explored);
            seen += f64::from(score.selected);
            stated += score.propensity;
            variance += score.propensity * (1.0 - score.propensity);
        }
    }
    assert!(seen > 0.0 && (seen - stated).powi(2) < 10.0 * variance, "{seen} times, stated {stated}");
}

/// Probation, falls and what was learned are nothing to it, and every set of arms is drawn as often.
#[test]
fn uniform_takes_every_set_with_the_same_chance() {
    let mut log = learned(config(3), 40);
    log.act(RouterCommand::Deactivate { arms: vec![ArmId::new("b")] });
    log.act(RouterCommand::Reactivate { arms: vec![ArmId::new("b")] });
    super::drift::fall(&mut log, "a", &[1.0, 0.4, -0.2]);
    let candidates = log.state.candidates();
    let mut rng = fastrand::Rng::with_seed(2);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..8_000 {
        let selection = Uniform.select(&log.state, &[1.0, 0.4, -0.2], &candidates, 2, &mut || rng.f64());
        assert!(selection.scores.iter().all(|score| (score.propensity - 0.4).abs() < 1e-15), "{selection:?}");
        let mut set: Vec<ArmId> = selection.scores[..2].iter().map(|score| score.arm.clone()).collect();
        set.sort_unstable();
        *counts.entry(set).or_insert(0.0) += 1.0;
    }
    // Ten sets, of 800 each but for chance: chi-squared with 9 degrees of freedom, 99.99 %.
    let off: f64 = counts.values().map(|n: &f64| (n - 800.0).powi(2) / 800.0).sum();
    assert!(counts.len() == 10 && off < 33.7, "{counts:?}");
}
