//! Race, direct, baseline and auto; pinned arms, paused learning, exploration.

use super::doubles::*;
use crate::domain::command::{ArmObservation, Observation, PreviewTerms, RouterCommand};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::record::{AttemptRecord, GateDecision, RunRecord};
use crate::domain::spec::{Mode, Strategy};

/// Three arms that answer with their names.
fn three() -> Pool {
    let arms = ["a", "b", "c"].map(|n| (n, Scripted::new([answer(10, n)])));
    let pool = arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model));
    pool.judged_by(&judge_by_length())
}

/// Teaches, `times` over, that `hello` is answered with these qualities.
fn taught(mut pool: Pool, qualities: &[(&str, f64)], times: u64) -> Pool {
    let terms = PreviewTerms { latency: 0.5, cost: 0.5, speed: 0.5, token_efficiency: 0.5, stability: 1.0 };
    let x = crate::features::FeatureExtractor::compute(&pool.extractor(), &pool.input("hello").request).x;
    for i in 0..times {
        let arms = qualities.iter().map(|(arm, quality)| ArmObservation {
            arm: ArmId::new(arm),
            signals: Vec::new(),
            quality: Some(*quality),
            preview: Some(terms),
            answer: None,
            trial: true,
            win: false,
            served: false,
        });
        let run = TimeId::new(crate::domain::clock::Timestamp::from_millis(i), i);
        let observation = Observation { spent_usd: None, run, x: x.clone(), arms: arms.collect() };
        pool = pool.told(RouterCommand::Observe(observation));
    }
    pool
}

fn mode(pool: Pool, mode: Mode) -> Pool {
    pool.told(RouterCommand::SetMode { mode })
}

#[tokio::test(start_paused = true)]
async fn direct_streams_the_best_arm_at_once_and_the_others_step_in() {
    let mut pool = taught(three(), &[("a", 0.2), ("b", 0.9), ("c", 0.5)], 50);
    pool.strategy = Strategy::Direct;
    let seen = pool.run("hello").await;
    assert_eq!(seen.phases(), ["selected", "ordered b c a", "attempt 0 b", "b ok"]);
    let record = &seen.report.record;
    assert_eq!((record.strategy, record.gate.decision), (Strategy::Direct, GateDecision::Bandit));
    assert!(record.previews.is_empty() && record.verdict.is_none());
    assert_eq!(record.arms.iter().filter(|s| s.selected).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_arm_does_not_keep_all_direct_answers_because_nobody_judges_them() {
    let known = taught(three(), &[("a", 0.2), ("b", 0.95), ("c", 0.5)], 200);
    let mut pool = known
        .arm("new", &Scripted::new([answer(10, "new")]))
        .told(RouterCommand::SetExploration { alpha: Some(0.0), explore_share: None });
    pool.strategy = Strategy::Direct;
    let mut winners = Vec::new();
    for _ in 0..10 {
        let report = pool.run("hello").await.report;
        winners.push(report.record.winner.unwrap());
        pool = pool.told(RouterCommand::Observe(report.observation.unwrap()));
    }
    assert_eq!(winners[0].as_str(), "new", "it is tried first");
    assert_eq!(winners[9].as_str(), "b", "{winners:?}");
}

#[tokio::test(start_paused = true)]
async fn baseline_answers_in_configured_order_whatever_was_learned() {
    let mut pool = taught(three(), &[("a", 0.1), ("b", 0.9), ("c", 0.5)], 50);
    pool.strategy = Strategy::Baseline;
    let seen = pool.run("hello").await;
    assert_eq!(seen.phases(), ["selected", "ordered a b c", "attempt 0 a", "a ok"]);
    assert_eq!(seen.report.record.gate.decision, GateDecision::Baseline);
    assert!(seen.report.record.gate.reason.contains("configured order"));
}

#[tokio::test(start_paused = true)]
async fn auto_races_while_arms_are_undecided_and_goes_direct_when_they_are() {
    let mut pool = three();
    pool.strategy = Strategy::Auto;
    let unsure = pool.run("hello").await.report.record;
    assert_eq!(unsure.strategy, Strategy::Race);
    assert!(unsure.gate.reason.contains("auto: undecided"), "{}", unsure.gate.reason);
    let mut pool = taught(three(), &[("a", 0.1), ("b", 0.95), ("c", 0.1)], 300);
    pool.strategy = Strategy::Auto;
    let sure = pool.run("hello").await.report.record;
    assert_eq!((sure.strategy, sure.winner.as_ref().unwrap().as_str()), (Strategy::Direct, "b"));
    assert!(sure.gate.reason.contains("auto: decided, b is worth at least"), "{}", sure.gate.reason);
}

#[tokio::test(start_paused = true)]
async fn a_pinned_arm_answers_alone() {
    let pool = mode(three(), Mode { pinned: Some(ArmId::new("c")), ..Mode::default() });
    let seen = pool.run("hello").await;
    assert_eq!(seen.phases(), ["selected", "ordered c", "attempt 0 c", "c ok"]);
    let gate = &seen.report.record.gate;
    assert_eq!(gate.decision, GateDecision::Baseline);
    assert!(gate.reason.contains("pinned to c"), "{}", gate.reason);
}

#[tokio::test(start_paused = true)]
async fn paused_learning_runs_and_teaches_nothing() {
    let pool = mode(three(), Mode { learning_paused: true, ..Mode::default() });
    let report = pool.run("hello").await.report;
    assert!(report.record.winner.is_some() && report.observation.is_none());
    assert!(!report.record.rewards.is_empty(), "rewards are still shown");
    assert!(report.record.gate.reason.contains("learning is paused"));
}

#[tokio::test(start_paused = true)]
async fn a_strategy_set_at_run_time_comes_before_the_configured_one() {
    let mut pool = mode(three(), Mode { strategy: Some(Strategy::Baseline), ..Mode::default() });
    pool.strategy = Strategy::Race;
    assert_eq!(pool.run("hello").await.report.record.strategy, Strategy::Baseline);
}

#[tokio::test(start_paused = true)]
async fn one_arm_has_nobody_to_race_and_answers_at_once() {
    let pool = Pool::new().arm("a", &Scripted::new([answer(10, "alone")])).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    assert_eq!(seen.phases(), ["selected", "ordered a", "attempt 0 a", "a ok"]);
    assert!(seen.report.record.gate.reason.contains("only arm"), "{}", seen.report.record.gate.reason);
}

#[tokio::test(start_paused = true)]
async fn exploration_is_drawn_and_named() {
    let mut pool = three().told(RouterCommand::SetExploration { alpha: None, explore_share: Some(1.0) });
    pool.config.k = 2;
    let mut chosen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        pool.seed = seed;
        let record = pool.run("hello").await.report.record;
        assert_eq!(record.gate.decision, GateDecision::Explore);
        assert!(record.gate.reason.contains("100.0 %"), "{}", record.gate.reason);
        chosen.extend(record.previews.into_iter().map(|p| p.arm));
    }
    assert_eq!(chosen.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn arms_that_are_switched_off_or_cannot_be_called_are_no_candidates() {
    let pool = three().told(RouterCommand::Deactivate { arms: vec![ArmId::new("a")] });
    pool.models.set_unavailable(spec("b"), "no key");
    let record = pool.run("hello").await.report.record;
    assert_eq!(record.arms.iter().map(|s| s.arm.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(record.winner.unwrap().as_str(), "c");
}

#[tokio::test(start_paused = true)]
async fn arms_that_fail_often_are_asked_later() {
    use crate::race::{SignalFold, Signals};
    let mut pool = taught(three(), &[("a", 0.6), ("b", 0.7), ("c", 0.95)], 50);
    pool.strategy = Strategy::Direct;
    let before = pool.run("hello").await.report.record;
    assert_eq!(names(&before.order), "c b a");
    let mut fold = SignalFold::new(64);
    let error = || Some(Failure::new(FailureClass::Transient, "503", ""));
    let failed = AttemptRecord { arm: ArmId::new("b"), ok: false, error: error(), ..before.attempts[0].clone() };
    for _ in 0..20 {
        fold.absorb(&RunRecord { attempts: vec![failed.clone()], ..before.clone() });
    }
    pool.signals = Signals::clone(&fold.summary());
    let after = pool.run("hello").await.report.record;
    assert_eq!(names(&after.order), "c a b");
    let ordering = after.ordering.unwrap();
    assert_eq!(names(&ordering.decided), "a b", "the leader answers whatever it is worth");
    let [a, b] = [0, 1].map(|i| &ordering.worth[i]);
    assert!(a.quality < b.quality && a.success > 2.0 * b.success && a.worth > b.worth, "{a:?} {b:?}");
}
