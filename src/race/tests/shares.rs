//! Share limits act in selection: over many draws an arm's share lies within its bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::doubles::*;
use crate::domain::clock::Timestamp;
use crate::domain::command::RouterCommand;
use crate::domain::context::Context;
use crate::domain::ids::ArmId;
use crate::domain::record::EXPECTED_RACED;
use crate::domain::spec::{RouterKind, SetChoice, ShareLimits, Strategy};
use crate::features::FeatureExtractor;
use crate::race::gate::{GateInput, Plan};
use crate::race::opinion::Told;

fn pool(arms: usize) -> Pool {
    (0..arms).fold(Pool::new(), |pool, n| pool.arm(&format!("arm{n}"), &Scripted::new([answer(1, "x")])))
}

fn limit(pool: Pool, arm: &str, min: f64, max: f64, ramp_s: f64) -> Pool {
    let limits = Some(ShareLimits { min, max, ramp_s });
    pool.told(RouterCommand::SetShareLimits { arm: ArmId::new(arm), limits })
}

fn plan(pool: &Pool, k: usize, router: RouterKind, now: Timestamp, told: &Told, seed: u64) -> Plan {
    let context: Context = pool.extractor().compute(&pool.input("hello").request);
    let (signals, candidates) = (BTreeMap::new(), pool.state.candidates());
    let gate = GateInput {
        state: &pool.state,
        context: &context,
        signals: &signals,
        candidates: &candidates,
        router,
        strategy: if k == 1 { Strategy::Direct } else { Strategy::Race },
        k,
        set: SetChoice::default(),
        auto_width: 1.0,
        told,
        now,
        in_flight: crate::bandit::InFlight::NONE,
    };
    let mut rng = fastrand::Rng::with_seed(seed);
    gate.plan(&mut || rng.f64())
}

/// How often each arm is chosen in `draws` runs at `now`, as a share; also checks what each plan must keep.
fn shares(pool: &Pool, k: usize, router: RouterKind, now: Timestamp, draws: u64) -> BTreeMap<String, f64> {
    shares_told(pool, k, router, now, draws, &Told::default())
}

fn shares_told(
    pool: &Pool,
    k: usize,
    router: RouterKind,
    now: Timestamp,
    draws: u64,
    told: &Told,
) -> BTreeMap<String, f64> {
    let candidates = pool.state.candidates();
    let mut counts: BTreeMap<String, f64> = candidates.iter().map(|arm| (arm.to_string(), 0.0)).collect();
    for seed in 0..draws {
        let plan = plan(pool, k, router, now, told, seed);
        assert_eq!(plan.scores.len(), candidates.len(), "everybody is scored once");
        assert!(!plan.chosen.is_empty() && plan.chosen.len() <= k);
        for score in &plan.scores {
            assert!((0.0..=1.0).contains(&score.propensity), "{score:?}");
            assert!(!score.selected || score.propensity > 0.0, "{score:?}");
        }
        let sum: f64 = plan.scores.iter().map(|score| score.propensity).sum();
        assert!((plan.gate.numbers[EXPECTED_RACED] - sum).abs() < 1e-9, "{:?}", plan.gate.numbers);
        let named = |after: &str| plan.gate.reason.split_once(after).map(|(_, names)| names.to_owned());
        if let Some(names) = named("left out by the most share: ") {
            assert!(names.split(", ").all(|name| plan.chosen.iter().all(|arm| arm.as_str() != name)), "{names}");
        }
        if let Some((before, _)) = plan.gate.reason.split_once(" takes part by its least share") {
            let name = before.rsplit(' ').next().unwrap();
            assert!(plan.chosen.iter().any(|arm| arm.as_str() == name), "{name}");
        }
        for arm in &plan.chosen {
            *counts.get_mut(arm.as_str()).unwrap() += 1.0 / draws as f64;
        }
    }
    counts
}

const LATER: Timestamp = Timestamp::from_millis(1_000_000_000);

#[test]
fn a_new_kind_of_prompt_lets_no_canary_in_beyond_its_most() {
    let new = Told {
        novelty: Some(crate::features::Novelty { distance: 1.0, frequency: 0.0, seen: 100 }),
        ..Told::default()
    };
    for (arms, k) in [(2, 1), (3, 2), (11, 3)] {
        let pool = limit(pool(arms), "arm0", 0.0, 0.1, 0.0);
        let shares = shares_told(&pool, k, RouterKind::Linucb, LATER, 3000, &new);
        assert!(shares["arm0"] <= 0.1 + 0.02, "{arms} {k}: {shares:?}");
        let others = shares["arm1"];
        assert!(shares.iter().skip(1).all(|(_, share)| (share - others).abs() < 0.05), "as ever: {shares:?}");
    }
}

#[test]
fn a_canary_gets_no_more_and_a_favourite_no_less() {
    for router in [RouterKind::Linucb, RouterKind::Lints] {
        for (arms, k) in [(2, 1), (3, 1), (3, 2), (11, 3)] {
            let pool = limit(limit(pool(arms), "arm0", 0.0, 0.1, 0.0), "arm1", 0.3, 1.0, 0.0);
            let shares = shares(&pool, k, router, LATER, 3000);
            assert!(shares["arm0"] <= 0.1 + 0.02, "{router:?} {arms} {k}: {shares:?}");
            assert!(shares["arm1"] >= 0.3 - 0.03, "{router:?} {arms} {k}: {shares:?}");
        }
    }
}

const DRAWS: u64 = 1500;

/// What a plan states for every arm is how often the arm is chosen, also where this plan left it out.
#[test]
fn what_is_stated_of_every_arm_is_how_often_it_is_chosen() {
    let new = Told {
        novelty: Some(crate::features::Novelty { distance: 1.0, frequency: 0.0, seen: 100 }),
        ..Told::default()
    };
    for told in [Told::default(), new] {
        for (arms, k) in [(3, 1), (3, 2), (5, 3)] {
            let pool = limit(limit(pool(arms), "arm0", 0.05, 0.3, 0.0), "arm1", 0.2, 0.6, 0.0);
            let stated = |seed| -> BTreeMap<String, f64> {
                let plan = plan(&pool, k, RouterKind::Linucb, LATER, &told, seed);
                plan.scores.iter().map(|score| (score.arm.to_string(), score.propensity)).collect()
            };
            let (first, found) = (stated(0), shares_told(&pool, k, RouterKind::Linucb, LATER, DRAWS, &told));
            assert!((1..50).all(|seed| stated(seed) == first), "whoever was put in or left out: {first:?}");
            assert!((first.values().sum::<f64>() - found.values().sum::<f64>()).abs() < 0.05, "{first:?} {found:?}");
            for (arm, p) in &first {
                let four_sd = 4.0 * (p * (1.0 - p) / DRAWS as f64).sqrt() + 1e-9;
                assert!((found[arm] - p).abs() <= four_sd, "{arm} of {arms}, k {k}: stated {p}, found {found:?}");
            }
            assert!(first["arm0"] > 0.0 && first["arm0"] <= 0.3 + 1e-9 && first["arm1"] <= 0.6 + 1e-9, "{first:?}");
        }
    }
}

#[test]
fn whom_limits_put_in_and_leave_out_is_said() {
    let pool = limit(limit(pool(3), "arm0", 0.0, 0.0, 0.0), "arm1", 1.0, 1.0, 0.0);
    let plan = plan(&pool, 2, RouterKind::Linucb, LATER, &Told::default(), 7);
    let expected = "arm1 takes part by its least share, left out by the most share: arm0";
    assert!(plan.gate.reason.ends_with(expected), "{}", plan.gate.reason);
}

#[test]
fn a_ramp_rises_from_the_least_to_the_most() {
    let pool = limit(pool(2), "arm0", 0.0, 0.8, 100.0);
    let since = pool.state.arm("arm0").unwrap().share_limits.unwrap().1;
    let at = |seconds: u64| {
        let now = Timestamp::from_millis(since.millis() + seconds * 1000);
        shares(&pool, 1, RouterKind::Linucb, now, 2000)["arm0"]
    };
    let found = [at(0), at(25), at(50), at(100), at(500)];
    for (share, most) in found.into_iter().zip([0.0, 0.2, 0.4, 0.8, 0.8]) {
        // Untried, the first arm is the policy's choice whenever it may be chosen.
        assert!((share - most).abs() < 0.04, "{found:?}");
    }
}

#[test]
fn where_all_arms_are_bounded_the_bounds_still_hold() {
    let pool = limit(limit(pool(2), "arm0", 0.0, 0.5, 0.0), "arm1", 0.2, 0.6, 0.0);
    let shares = shares(&pool, 1, RouterKind::Linucb, LATER, 3000);
    assert!(shares["arm0"] <= 0.52 && shares["arm1"] <= 0.62, "{shares:?}");
}

#[test]
fn where_everybody_would_be_left_out_nobody_is() {
    let pool = limit(limit(pool(2), "arm0", 0.0, 0.0, 0.0), "arm1", 0.0, 0.0, 0.0);
    let shares = shares(&pool, 1, RouterKind::Linucb, LATER, 50);
    assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn bounds_that_cannot_hold_are_refused() {
    let pool = limit(pool(3), "arm0", 0.7, 1.0, 0.0);
    let refused = |arm: &str, min, max, ramp_s| {
        let limits = Some(ShareLimits { min, max, ramp_s });
        pool.state.prepare(RouterCommand::SetShareLimits { arm: ArmId::new(arm), limits }).is_err()
    };
    for (arm, min, max, ramp_s) in [
        ("nobody", 0.0, 1.0, 0.0),
        ("arm1", 0.4, 1.0, 0.0),
        ("arm1", 0.2, 0.1, 0.0),
        ("arm1", 0.0, 1.1, 0.0),
        ("arm1", 0.0, 1.0, -1.0),
    ] {
        assert!(refused(arm, min, max, ramp_s), "{arm} {min} {max} {ramp_s}");
    }
    assert!(!refused("arm1", 0.3, 0.3, 10.0));
    let off = pool.told(RouterCommand::SetShareLimits { arm: ArmId::new("arm0"), limits: None });
    assert!(off.state.arm("arm0").unwrap().share_limits.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the bounds, over many draws of one arm at a time each share lies within them.
    #[test]
    fn shares_stay_within_their_bounds(
        bounds in proptest::collection::vec((0.0..0.25_f64, 0.0..1.0_f64), 1..4), free in 1_usize..3,
    ) {
        let mut pool = pool(bounds.len() + free);
        for (n, (min, width)) in bounds.iter().enumerate() {
            pool = limit(pool, &format!("arm{n}"), *min, (min + width).min(1.0), 0.0);
        }
        let shares = shares(&pool, 1, RouterKind::Linucb, LATER, 1500);
        for (n, (min, width)) in bounds.iter().enumerate() {
            let share = shares[&format!("arm{n}")];
            prop_assert!(share >= min - 0.05 && share <= (min + width).min(1.0) + 0.05, "arm{n} {min} {width}: {share}");
        }
    }
}
