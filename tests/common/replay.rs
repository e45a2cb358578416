//! Recorded outcomes as the shipped defaults would replay them.

use banditop::bandit::RouterConfig;
use banditop::domain::spec::{RouterKind, SetChoice};
use banditop::evaluation::{Contestant, ContextSource, Counting, Problem, Records, RouterSetup, Uniforms};
use banditop::features::LengthFeatures;

/// What `router.alpha` is for that policy, as shipped.
pub(crate) const fn alpha(kind: RouterKind) -> f64 {
    if matches!(kind, RouterKind::Lints) { 0.24 } else { 0.45 }
}

/// `router.explore` and `features.length_threshold` as shipped.
pub(crate) const EXPLORE: f64 = 0.001;
pub(crate) const LENGTH_THRESHOLD: usize = 2_000;

/// The records of a file beside the others.
pub(crate) fn records(name: &str) -> Option<Records> {
    let path = super::data::folder(name)?.join(format!("{name}.jsonl.gz"));
    Some(Records::parse(super::data::text(&path).as_bytes()).unwrap())
}

/// From the prompts' text alone.
pub(crate) fn from_text(records: &Records, counting: Counting) -> Problem {
    Problem::new(records, ContextSource::Features(&LengthFeatures::new(LENGTH_THRESHOLD)), counting).unwrap()
}

/// A router with the shipped defaults.
pub(crate) fn shipped(kind: RouterKind) -> RouterSetup {
    let config = RouterConfig::default();
    RouterSetup {
        kind,
        alpha: alpha(kind),
        explore_share: EXPLORE,
        config,
        set: SetChoice::ExpectedBest,
        budget: None,
        priors: Vec::new(),
    }
}

/// The same as a contestant.
pub(crate) fn contestant(kind: RouterKind) -> Contestant {
    Contestant::Router(Box::new(shipped(kind)))
}

/// A generator from a seed.
pub(crate) fn uniforms(seed: u64) -> Uniforms {
    let mut rng = fastrand::Rng::with_seed(seed);
    Box::new(move || rng.f64())
}
