//! What routing does: arms without data are tried, noise neither locks in nor out, contexts are told
//! apart.

use super::super::router::router;
use super::{Log, complete, config, quality, quality_only, spec};
use crate::domain::command::RouterCommand;
use crate::domain::spec::RouterKind;
use crate::domain::terms::Weights;

fn shares(kind: RouterKind, runs: usize, seed: u64, reward: &dyn Fn(&str, bool, f64) -> f64) -> Vec<(String, f64)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut log = Log::new(config(2), quality_only(), &["a", "b", "c"]);
    let router = router(kind);
    let candidates = log.state.candidates();
    let mut late = vec![0.0; 3];
    for run in 0..runs {
        let kind_of_prompt = rng.bool();
        let x = [1.0, f64::from(kind_of_prompt)];
        let selection = router.select(&log.state, &x, &candidates, 1, &mut || rng.f64());
        let arm = selection.scores[0].arm.clone();
        let noise = rng.f64();
        log.observe(&x, vec![quality(arm.as_str(), reward(arm.as_str(), kind_of_prompt, noise))]);
        if run >= runs / 2 {
            late[candidates.iter().position(|c| *c == arm).unwrap()] += 2.0 / runs as f64;
        }
    }
    candidates.iter().map(ToString::to_string).zip(late).collect()
}

fn share(shares: &[(String, f64)], arm: &str) -> f64 {
    shares.iter().find(|(name, _)| name == arm).unwrap().1
}

#[test]
fn right_or_wrong_rewards_neither_lock_in_nor_out() {
    let coin = |p: f64, noise: f64| f64::from(noise < p);
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        for seed in 0..8 {
            let found = shares(kind, 1_500, seed, &|arm, _, noise| match arm {
                "a" => coin(0.55, noise),
                "b" => coin(0.85, noise),
                _ => coin(0.45, noise),
            });
            assert!(share(&found, "b") > 0.75, "{kind:?} {seed}: {found:?}");
        }
    }
}

#[test]
fn prompts_of_different_kinds_go_to_different_arms() {
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        let found = shares(kind, 1_200, 4, &|arm, kind_of_prompt, noise| {
            let fits = (arm == "a") == kind_of_prompt && arm != "c";
            (if fits { 0.8 } else { 0.5 }) + 0.1 * (noise - 0.5)
        });
        assert!(share(&found, "a") > 0.35 && share(&found, "b") > 0.35, "{kind:?}: {found:?}");
    }
}

#[test]
fn an_arm_added_later_is_tried_and_taken_when_it_is_better() {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut log = Log::new(config(2), quality_only(), &["a", "b"]);
    let router = router(RouterKind::Linucb);
    let mut adopted = None;
    for run in 0..600 {
        if run == 300 {
            log.act(RouterCommand::AddArm { spec: spec("new") });
        }
        let x = [1.0, rng.f64()];
        let chosen = router.select(&log.state, &x, &log.state.candidates(), 1, &mut || rng.f64()).scores[0].arm.clone();
        let mean = match chosen.as_str() {
            "a" => 0.7,
            "b" => 0.6,
            _ => 0.8,
        };
        log.observe(&x, vec![quality(chosen.as_str(), mean + 0.2 * (rng.f64() - 0.5))]);
        if run >= 300 && chosen.as_str() == "new" {
            adopted = Some(run);
        }
    }
    assert!(adopted.is_some_and(|run| run > 590), "{adopted:?}");
}

/// What only a served answer shows (its fallbacks, its dollars) cannot be learned of an arm that never wins: not
/// knowing it must not buy that arm a place in every race.
#[test]
fn an_arm_that_never_wins_is_not_raced_for_ever() {
    for kind in [RouterKind::Linucb, RouterKind::Lints] {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut log = Log::new(config(2), Weights::default(), &["a", "b", "c", "d"]);
        let candidates = log.state.candidates();
        let mut late = 0;
        for run in 0..300 {
            let x = [1.0, f64::from(rng.bool())];
            let selection = router(kind).select(&log.state, &x, &candidates, 2, &mut || rng.f64());
            let chosen: Vec<String> =
                selection.scores.iter().filter(|s| s.selected).map(|s| s.arm.as_str().to_owned()).collect();
            let worth = |arm: &str| -> f64 { if arm == "d" { 0.3 } else { 0.7 } };
            let winner = chosen.iter().max_by(|a, b| worth(a).total_cmp(&worth(b))).unwrap().clone();
            let seen = chosen.iter().map(|arm| {
                let quality = worth(arm) + 0.2 * (rng.f64() - 0.5);
                let mut seen = complete(arm, [quality, 0.5, 0.5, 0.5, 0.5, 1.0, 0.001, 0.0]);
                seen.answer = seen.answer.filter(|_| *arm == winner);
                seen
            });
            let seen = seen.collect();
            log.observe(&x, seen);
            late += u32::from(run >= 150 && chosen.iter().any(|arm| arm == "d"));
        }
        assert!(late <= 15, "{kind:?}: {late} of 150 late races held the arm that never wins");
    }
}
