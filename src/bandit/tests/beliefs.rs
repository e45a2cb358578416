//! Priors: the same as having seen what they were fitted on, until that is forgotten, which they are not.

use super::super::snapshot::StateFault;
use super::super::state::RouterState;
use super::{Log, complete, config, quality, quality_only};
use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::prior::{ArmPrior, ResponsePrior};
use crate::domain::terms::Weights;

const ROWS: [([f64; 3], f64); 5] = [
    ([1.0, 0.5, -0.25], 0.9),
    ([1.0, -0.5, 0.75], 0.4),
    ([1.0, 0.0, 1.0], 0.6),
    ([1.0, 1.0, 0.0], 1.0),
    ([1.0, -1.0, -0.5], 0.2),
];

/// The sums of `ROWS`, as qualities.
pub(super) fn belief(arm: &str) -> ArmPrior {
    let pairs = (0..3).flat_map(|i| (0..=i).map(move |j| (i, j)));
    let data = pairs.map(|(i, j)| ROWS.iter().map(|(x, _)| x[i] * x[j]).sum()).collect();
    let sums = (0..3).map(|i| ROWS.iter().map(|(x, t)| x[i] * t).sum()).collect();
    let squares = ROWS.iter().map(|(_, t)| t * t).sum();
    ArmPrior { n: 5.0, data, quality: Some(ResponsePrior { sums, squares }), ..ArmPrior::none(ArmId::new(arm)) }
}

fn set(arms: Vec<ArmPrior>) -> RouterCommand {
    RouterCommand::SetPrior { feature_version: "test-3".to_owned(), arms }
}

fn close(a: &RouterState, b: &RouterState, arm: &str) {
    for x in [[1.0, 0.3, 0.2], [1.0, -2.0, 1.0]] {
        let (a, b) = (a.estimate(arm, &x).unwrap(), b.estimate(arm, &x).unwrap());
        assert!((a.mean - b.mean).abs() < 1e-10 && (a.uncertainty - b.uncertainty).abs() < 1e-10, "{a:?} {b:?}");
        assert!((a.quality_sd - b.quality_sd).abs() < 1e-10, "{a:?} {b:?}");
    }
}

#[test]
fn a_prior_is_as_if_its_rows_had_been_seen() {
    let mut told = Log::new(config(3), quality_only(), &["a", "b"]);
    let mut saw = told.clone();
    told.act(set(vec![belief("a")]));
    for (x, t) in ROWS {
        saw.observe(&x, vec![quality("a", t)]);
    }
    close(&told.state, &saw.state, "a");
    assert!((told.state.arm("a").unwrap().prior_n - 5.0).abs() < 1e-12);
    assert!(told.state.arm("a").unwrap().effective_n.abs() < 1e-12, "data is something else");
    for log in [&mut told, &mut saw] {
        for i in 0..600 {
            let x = [1.0, f64::from(i % 7) / 7.0, f64::from(i % 3)];
            log.observe(&x, vec![complete("a", [0.7, 0.2, 0.1, 0.0, 0.3, 1.0, 0.01, 0.0])]);
        }
    }
    close(&told.state, &saw.state, "a");
}

#[test]
fn forgetting_goes_back_to_the_prior_and_no_further() {
    let mut log = Log::new(config(3), Weights::default(), &["a", "b"]);
    log.act(set(vec![belief("a")]));
    let before = log.state.clone();
    for _ in 0..50 {
        log.observe(&[1.0, 0.1, 0.9], vec![complete("a", [0.1, 0.9, 0.3, 0.2, 0.5, 0.5, 0.02, 1.0])]);
    }
    assert!(log.state.estimate("a", &[1.0, 0.1, 0.9]).unwrap().mean < 0.6);
    for _ in 0..12 {
        log.act(RouterCommand::Decay { factor: 0.01, arms: vec![] });
    }
    close(&log.state, &before, "a");
}

#[test]
fn a_prior_takes_the_place_of_the_one_before_and_may_be_taken_back() {
    let plain = Log::new(config(3), quality_only(), &["a", "b"]);
    let mut log = plain.clone();
    log.act(set(vec![belief("a"), belief("b")]));
    let once = log.state.digest();
    let half = ArmPrior { n: 2.0, ..ArmPrior::of_level(ArmId::new("a"), 3, 2.0) };
    log.act(set(vec![ArmPrior { quality: Some(ResponsePrior::of_level(3, 2.0, 0.1, 0.1)), ..half }]));
    assert_ne!(log.state.digest(), once);
    log.act(set(vec![belief("a")]));
    assert_eq!(log.state.digest(), once);
    log.act(set(vec![ArmPrior::none(ArmId::new("a"))]));
    log.act(RouterCommand::ResetArm { arm: ArmId::new("b") });
    assert!(log.state.arm("b").unwrap().prior_n.abs() < 1e-12, "everything about it is forgotten");
    // What was believed of b's noise had counted for a as well.
    close(&log.state, &plain.state, "a");
}

#[test]
fn a_prior_travels_with_the_state() {
    let mut log = Log::new(config(3), Weights::default(), &["a", "b"]);
    log.act(set(vec![belief("a")]));
    log.observe(&[1.0, 0.1, 0.9], vec![quality("a", 0.3)]);
    let snapshot = log.state.to_snapshot();
    let back = RouterState::from_snapshot(&snapshot, log.state.config()).unwrap();
    assert_eq!(back.digest(), log.state.digest());
    close(&back, &log.state, "a");
    let mut damaged = snapshot;
    let (_, bytes) = damaged.parts.iter_mut().find(|(name, _)| name == "arm:a").unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap().replacen(r#""base":{"data":["#, r#""base":{"data":[7.0,"#, 1);
    *bytes = text.into_bytes();
    assert!(matches!(RouterState::from_snapshot(&damaged, log.state.config()), Err(StateFault::Corrupt(_))));
}

#[test]
fn what_no_outcomes_could_have_had_is_refused_with_the_reason() {
    let log = Log::new(config(3), Weights::default(), &["a", "b"]);
    let with = |change: fn(&mut ArmPrior)| {
        let mut bad = belief("a");
        change(&mut bad);
        log.state.prepare(set(vec![bad])).unwrap_err().to_string()
    };
    for (found, words) in [
        (with(|p| p.arm = ArmId::new("nobody")), "there is no arm"),
        (with(|p| p.n = f64::NAN), "`n` is NaN"),
        (with(|p| p.n = 0.0), "`n` is 0 and there are sums"),
        (with(|p| p.n = 4.0), "`data` begins with 5"),
        (with(|p| _ = p.data.pop()), "`data` has 5 numbers: expected 6"),
        (with(|p| p.data[2] = -1.0), "a part of it is negative"),
        (with(|p| p.data[1] = f64::INFINITY), "not finite"),
        (with(|p| p.quality.as_mut().unwrap().sums[0] = 6.0), "has the mean 1.2"),
        (with(|p| p.quality.as_mut().unwrap().squares = 0.1), "less than its mean allows"),
        (with(|p| p.quality.as_mut().unwrap().sums.push(1.0)), "has 4 numbers: expected 3"),
    ] {
        assert!(found.contains(words), "{found}");
    }
    let twice = log.state.prepare(set(vec![belief("a"), belief("a")])).unwrap_err().to_string();
    assert!(twice.contains("twice"), "{twice}");
    let other = RouterCommand::SetPrior { feature_version: "test-4".to_owned(), arms: vec![belief("a")] };
    assert!(log.state.prepare(other).unwrap_err().to_string().contains("fit them again"));
}
