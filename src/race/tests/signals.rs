//! Signals about arms in the context: what an arm was chosen by is what it is taught with.

use super::doubles::*;
use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;
use crate::race::{ArmSignal, SignalFold, Signals};

fn known(error_rate: f64) -> ArmSignal {
    ArmSignal {
        p95_preview_s: Some(1.5),
        error_rate: Some(error_rate),
        hallucination_risk: Some(0.2),
        ..ArmSignal::default()
    }
}

fn pool() -> Pool {
    let (a, b) = (Scripted::new([answer(100, "1234")]), Scripted::new([answer(200, "12345678")]));
    let mut pool = Pool::new().with_signals().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    pool.signals = Signals::new([(ArmId::new("b"), known(0.25))].into());
    pool
}

#[tokio::test(start_paused = true)]
async fn an_arm_is_taught_with_the_signals_it_was_chosen_by() {
    let pool = pool();
    let seen = pool.run("hello").await;
    let (record, observation) = (&seen.report.record, seen.report.observation.as_ref().unwrap());
    let d = pool.state.config().d;
    assert_eq!((record.context.x.len(), observation.x.len()), (d, d - 3));
    for seen in &observation.arms {
        assert_eq!(seen.signals, record.context.signals[&seen.arm]);
        let whole = record.context.by_arm().of(&seen.arm).into_owned();
        assert_eq!((&whole[..d - 3], &whole[d - 3..]), (observation.x.as_slice(), seen.signals.as_slice()));
        let score = record.arms.iter().find(|score| score.arm == seen.arm).unwrap();
        let estimate = pool.state.estimate(seen.arm.as_str(), &whole).unwrap();
        assert!((score.mean - estimate.mean).abs() < 1e-12);
    }
    assert_eq!(record.context.signals[&ArmId::new("a")], [0.0; 3]);
    assert_eq!(record.context.signals[&ArmId::new("b")][1..], [0.25, 0.2]);
    let stored: RunRecord = serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
    assert_eq!(stored.context, record.context);
    let again = pool.run("hello").await;
    let learned = |seen: &Seen| seen.report.observation.clone().unwrap();
    assert_eq!(learned(&seen), learned(&again));
    let digest = |seen: &Seen| self::pool().told(RouterCommand::Observe(learned(seen))).state.digest();
    assert_eq!(digest(&seen), digest(&again));
}

#[tokio::test(start_paused = true)]
async fn without_them_nothing_about_an_arm_is_in_a_context() {
    let mut pool = Pool::new().arm("a", &Scripted::new([answer(100, "1234")]));
    pool.signals = Signals::new([(ArmId::new("a"), known(0.5))].into());
    let seen = pool.run("hello").await;
    assert!(seen.report.record.context.signals.is_empty());
    assert!(!serde_json::to_string(&seen.report.record.context).unwrap().contains("signal"));
    assert_eq!(seen.report.observation.unwrap().x, seen.report.record.context.x);
}

#[tokio::test(start_paused = true)]
async fn an_arm_whose_errors_rise_is_scored_lower_once_that_was_learned() {
    let mut pool = pool();
    let base = pool.run("hello").await.report.observation.unwrap();
    for n in 0..200_u64 {
        let mut observation = base.clone();
        let errors = f64::from(u32::from(n % 2 == 0));
        for seen in &mut observation.arms {
            seen.signals = vec![0.0, errors, 0.0];
            seen.quality = Some(0.3_f64.mul_add(-errors, 0.8));
        }
        pool = pool.told(RouterCommand::Observe(observation));
    }
    let mut means = Vec::new();
    for errors in [0.0, 0.9] {
        pool.signals = Signals::new([(ArmId::new("b"), known(errors))].into());
        let record = pool.run("hello").await.report.record;
        means.push(record.arms.iter().find(|score| score.arm.as_str() == "b").unwrap().mean);
    }
    assert!(means[1] < means[0] - 0.05, "{means:?}");
}

#[tokio::test(start_paused = true)]
async fn the_risk_of_hallucination_is_folded_from_verdicts() {
    let record = pool().run("hello").await.report.record;
    let mut fold = SignalFold::new(64);
    fold.absorb(&record);
    let verdict = record.verdict.unwrap();
    for (arm, scores) in &verdict.scores {
        assert_eq!(fold.summary().get(arm).unwrap().hallucination_risk, Some(scores.hallucination_risk));
    }
}
