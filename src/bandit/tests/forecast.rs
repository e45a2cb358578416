//! A forecast moves as the thing that it forecasts: with weights, ceilings, bounds, modes, and with who is there.

use std::sync::Arc;
use std::time::Duration;

use super::super::what_if::{Outlays, Side, what_if};
use super::{Log, complete, config, quality, quality_only};
use crate::bandit::RouterState;
use crate::domain::clock::Timestamp;
use crate::domain::command::{ArmObservation, RouterCommand};
use crate::domain::context::ArmContexts;
use crate::domain::engine::{Forecast, WhatIf};
use crate::domain::ids::ArmId;
use crate::domain::spec::{Mode, RouterKind, ShareLimits, Strategy};
use crate::domain::terms::Weights;

fn pool() -> Log {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut log = Log::new(config(3), Weights::default(), &["strong", "cheap", "middling"]);
    for _ in 0..150 {
        let x = [1.0, rng.f64(), rng.f64()];
        let mut noisy = |mean: f64| (mean + 0.2 * (rng.f64() - 0.5)).clamp(0.0, 1.0);
        let seen = vec![
            complete("strong", [noisy(0.9), 0.3, 0.1, 0.5, 0.5, 1.0, 0.02, 0.0]),
            complete("cheap", [noisy(0.6), 0.9, 0.9, 0.5, 0.5, 1.0, 0.0002, 0.0]),
            complete("middling", [noisy(0.7), 0.6, 0.5, 0.5, 0.5, 1.0, 0.002, 0.0]),
        ];
        log.observe(&x, seen);
    }
    log
}

fn contexts() -> Vec<Arc<ArmContexts>> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..60).map(|_| Arc::new(vec![1.0, rng.f64(), rng.f64()].into())).collect()
}

fn outlays(p95_s: &[(&str, f64)]) -> Outlays {
    let p95_s = p95_s.iter().map(|(arm, seconds)| (ArmId::new(arm), *seconds)).collect();
    Outlays { p95_s, ..Outlays::default() }
}

/// What a race of k over these contexts does `now` and `then`.
fn raced(now: &RouterState, then: &RouterState, contexts: &[Arc<ArmContexts>], k: usize, outlays: &Outlays) -> WhatIf {
    let side =
        |state| Side { state, router: RouterKind::Linucb, strategy: Strategy::Race, k, now: Timestamp::default() };
    what_if(side(now), side(then), contexts, outlays)
}

fn share_of(forecast: &Forecast, arm: &str) -> f64 {
    forecast.share.iter().find(|(id, _)| id.as_str() == arm).map_or(0.0, |(_, share)| *share)
}

#[test]
fn a_forecast_follows_the_weights() {
    let log = pool();
    let p95 = outlays(&[("strong", 4.0), ("cheap", 1.0), ("middling", 1.0)]);
    let mut last = None;
    for tenths in 0..=10 {
        let cost = f64::from(tenths) / 10.0;
        let mut then = log.clone();
        let weights = Weights::new([1.0 - cost, 0.0, cost, 0.0, 0.0, 0.0], 0.05).unwrap();
        then.push(RouterCommand::SetWeights { weights });
        let found = raced(&log.state, &then.state, &contexts(), 2, &p95);
        assert_eq!(found.contexts, 60);
        let total: f64 = found.then.share.iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-9);
        let cheap = share_of(&found.then, "cheap");
        assert!(last.is_none_or(|last| cheap >= last - 1e-6), "more weight on cost, more to the cheap arm");
        last = Some(cheap);
        if tenths == 0 {
            assert!(share_of(&found.then, "strong") > 0.9 && found.then.p95_s.unwrap() > 3.5);
        }
    }
    // Two are raced and the better is served: the dear arm is no longer among them.
    let weights = Weights::new([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], 0.05).unwrap();
    let mut then = log.clone();
    then.push(RouterCommand::SetWeights { weights });
    assert!(share_of(&raced(&log.state, &then.state, &contexts(), 2, &p95).then, "strong") < 1e-9);
    assert!(share_of(&raced(&log.state, &then.state, &contexts(), 1, &p95).then, "cheap") > 0.95);
}

#[test]
fn a_forecast_takes_each_arm_as_it_was() {
    let mut log = Log::new(config(2), quality_only(), &["steady", "shaky"]);
    for n in 0..200 {
        let errors = f64::from(n % 2);
        let shaky = ArmObservation { signals: vec![errors], ..quality("shaky", 0.9 - 0.6 * errors) };
        log.observe(&[1.0], vec![ArmObservation { signals: vec![0.0], ..quality("steady", 0.6) }, shaky]);
    }
    let met = |errors: Option<f64>| {
        let own = errors.map(|errors| (ArmId::new("shaky"), vec![errors]));
        Arc::new(ArmContexts::new(vec![1.0, 0.0], own.into_iter().collect()))
    };
    let share = |contexts: &[Arc<ArmContexts>]| {
        share_of(&raced(&log.state, &log.state, contexts, 1, &Outlays::default()).now, "shaky")
    };
    assert!(share(&[met(Some(0.0))]) > 0.95 && share(&[met(Some(1.0))]) < 0.05);
    assert!(share(&[met(None)]) > 0.95, "nothing is known");
    assert!(share(&[met(None), met(Some(1.0))]) < 0.05, "as it was last, where it could not be asked");
}

#[test]
fn a_forecast_without_an_arm_gives_its_share_to_the_others() {
    let log = pool();
    let mut then = log.clone();
    then.act(RouterCommand::Deactivate { arms: vec![ArmId::new("strong")] });
    let found = raced(&log.state, &then.state, &contexts(), 1, &Outlays::default());
    assert_eq!(found.victims, [ArmId::new("strong")]);
    assert_eq!(found.then.share.len(), 2);
    assert!(found.then.usd_per_run.unwrap() < found.now.usd_per_run.unwrap() && found.then.p95_s.is_none());
    assert!(found.then.reward.unwrap() <= found.now.reward.unwrap() + 1e-9);
    let nothing = raced(&log.state, &then.state, &[], 1, &Outlays::default());
    assert_eq!((nothing.contexts, nothing.now.reward), (0, None));
}

/// What previews of the pool cost, and everything else of a race.
fn dear_previews() -> Outlays {
    let preview_usd = [("strong", 0.002), ("cheap", 0.000_1), ("middling", 0.000_4)];
    Outlays {
        preview_usd: preview_usd.map(|(arm, usd)| (ArmId::new(arm), usd)).into(),
        beside_race_usd: 0.001,
        race_share: 1.0,
        ..Outlays::default()
    }
}

#[test]
fn a_run_costs_its_previews_and_what_stands_beside_them() {
    let log = pool();
    let usd = |k, outlays: &Outlays| raced(&log.state, &log.state, &contexts(), k, outlays).now.usd_per_run.unwrap();
    let (answers, whole) = (usd(3, &Outlays::default()), usd(3, &dear_previews()));
    assert!((whole - answers - 0.001 - 0.002_5).abs() < 1e-9, "all three are asked: {answers} {whole}");
    // An arm of which no preview is known costs what the others do.
    let mut some = dear_previews();
    some.preview_usd.remove(&ArmId::new("strong"));
    assert!((usd(3, &some) - answers - 0.001 - 0.000_75).abs() < 1e-9);
}

#[test]
fn a_ceiling_is_set_against_whole_runs() {
    let log = pool();
    let outlays = dear_previews();
    let free = raced(&log.state, &log.state, &contexts(), 2, &outlays).now;
    let answers = raced(&log.state, &log.state, &contexts(), 2, &Outlays::default()).now.usd_per_run.unwrap();
    let usd = free.usd_per_run.unwrap();
    let under = |dollars: f64| {
        let mut then = log.clone();
        then.push(RouterCommand::SetBudget { dollars: Some(dollars) });
        raced(&log.state, &then.state, &contexts(), 2, &outlays).then
    };
    // Room for all answers, and none for the previews beside them.
    let tight = under(0.5 * (answers + usd));
    assert!((tight.usd_per_run.unwrap() - 0.5 * (answers + usd)).abs() < 0.05 * usd, "{usd} {tight:?}");
    assert!(share_of(&tight, "strong") < share_of(&free, "strong") - 0.05, "{free:?} {tight:?}");
    assert!(tight.reward < free.reward);
    let wide = under(2.0 * usd);
    assert_eq!(wide.share, raced(&log.state, &log.state, &contexts(), 2, &outlays).now.share, "nothing to hold");
    let hopeless = under(1e-5);
    assert!(share_of(&hopeless, "strong") < 0.01 && hopeless.usd_per_run.unwrap() > 0.001, "it says what is the least");
}

#[test]
fn nobody_is_expected_beyond_the_bounds_of_its_share() {
    let mut log = pool();
    let limits = |min, max, ramp_s| RouterCommand::SetShareLimits {
        arm: "strong".into(),
        limits: Some(ShareLimits { min, max, ramp_s }),
    };
    let before = log.state.clone();
    assert!(share_of(&raced(&before, &before, &contexts(), 1, &Outlays::default()).now, "strong") > 0.6);
    log.act(limits(0.1, 0.3, 0.0));
    for k in [1, 2] {
        let share = share_of(&raced(&before, &log.state, &contexts(), k, &Outlays::default()).then, "strong");
        assert!((0.1 - 1e-9..=0.3 + 1e-9).contains(&share), "k {k}: {share}");
    }
    let total: f64 =
        raced(&before, &log.state, &contexts(), 1, &Outlays::default()).then.share.iter().map(|s| s.1).sum();
    assert!((total - 1.0).abs() < 1e-9);
    // A bad arm is asked for as much as its least share says.
    let mut least = pool();
    least.act(RouterCommand::SetShareLimits {
        arm: "cheap".into(),
        limits: Some(ShareLimits { min: 0.4, max: 1.0, ramp_s: 0.0 }),
    });
    let weights = Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.05).unwrap();
    least.push(RouterCommand::SetWeights { weights });
    let share = share_of(&raced(&least.state, &least.state, &contexts(), 1, &Outlays::default()).now, "cheap");
    assert!((share - 0.4).abs() < 0.05, "{share}");
    // While it is ramped, only as far as it has come.
    let mut ramped = pool();
    ramped.act(limits(0.0, 0.5, 100.0));
    let since = ramped.state.arm("strong").unwrap().share_limits.unwrap().1;
    let side = Side {
        state: &ramped.state,
        router: RouterKind::Linucb,
        strategy: Strategy::Race,
        k: 1,
        now: since.plus(Duration::from_secs(20)),
    };
    let then = Side { now: since.plus(Duration::from_secs(200)), ..side };
    let found = what_if(side, then, &contexts(), &Outlays::default());
    let (now, then) = (share_of(&found.now, "strong"), share_of(&found.then, "strong"));
    assert!(now <= 0.1 + 1e-9 && then > 0.3 && then <= 0.5 + 1e-9, "{now} {then}");
}

#[test]
fn a_mode_decides_before_what_was_learned() {
    let log = pool();
    let outlays = dear_previews();
    let told = |mode: Mode| {
        let mut then = log.clone();
        then.push(RouterCommand::SetMode { mode });
        raced(&log.state, &then.state, &contexts(), 3, &outlays)
    };
    let pinned = told(Mode { pinned: Some("cheap".into()), ..Mode::default() });
    assert!((share_of(&pinned.then, "cheap") - 1.0).abs() < 1e-9, "{pinned:?}");
    assert!(pinned.then.usd_per_run < pinned.now.usd_per_run, "no previews");
    let configured = told(Mode { strategy: Some(Strategy::Baseline), ..Mode::default() }).then;
    assert!((share_of(&configured, "strong") - 1.0).abs() < 1e-9, "{configured:?}");
    let direct = told(Mode { strategy: Some(Strategy::Direct), ..Mode::default() });
    assert!((direct.now.usd_per_run.unwrap() - direct.then.usd_per_run.unwrap()) > 0.003, "{direct:?}");
    let auto = told(Mode { strategy: Some(Strategy::Auto), ..Mode::default() });
    assert_eq!(auto.now, auto.then, "recent runs were races");
}
