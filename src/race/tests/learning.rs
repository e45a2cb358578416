//! What a run teaches: one entry per arm, each response only where it was seen.

use super::doubles::*;
use crate::domain::answer::FinishReason;
use crate::domain::command::{AnswerOutcome, ArmObservation};
use crate::domain::failure::FailureClass;
use crate::domain::spec::Strategy;
use crate::race::SignalFold;

fn taught<'a>(seen: &'a Seen, arm: &str) -> Option<&'a ArmObservation> {
    seen.report.observation.as_ref()?.arms.iter().find(|o| o.arm.as_str() == arm)
}

#[tokio::test(start_paused = true)]
async fn every_judged_preview_teaches_its_arm() {
    let (a, b) = (Scripted::new([answer(100, "1234")]), Scripted::new([answer(200, "12345678")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let (a, b) = (taught(&seen, "a").unwrap(), taught(&seen, "b").unwrap());
    assert_eq!((a.quality, b.quality), (Some(0.4), Some(0.8)));
    assert_eq!((a.trial, a.win, a.served), (true, false, false));
    assert_eq!((b.trial, b.win, b.served), (true, true, true));
    assert!(a.answer.is_none(), "a losing preview has no answer");
    assert_eq!(b.answer, Some(AnswerOutcome { dollars: 210e-6, fallback: 0.0 }));
    let (fast, slow) = (a.preview.unwrap().latency, b.preview.unwrap().latency);
    assert!(fast > slow && slow > 0.0, "{fast} {slow}");
    let observation = seen.report.observation.as_ref().unwrap();
    assert_eq!(observation.run, seen.report.record.run_id);
    assert_eq!(observation.x, seen.report.record.context.x);
    let rewards = &seen.report.record.rewards;
    assert_eq!(rewards.len(), 2);
    assert!(rewards.values().all(|r| (0.0..=1.0).contains(&r.total)));
}

#[tokio::test(start_paused = true)]
async fn a_direct_answer_teaches_everything_but_quality() {
    let mut pool = Pool::new().arm("a", &Scripted::new([answer(100, "whole")]));
    pool.strategy = Strategy::Direct;
    let seen = pool.run("hello").await;
    let a = taught(&seen, "a").unwrap();
    assert_eq!((a.quality, a.trial, a.win, a.served), (None, false, false, true));
    assert!(a.preview.is_some() && a.answer.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_outage_teaches_nothing_about_quality() {
    let (a, b, c) = (Scripted::new([down()]), Scripted::new([answer(10, "12345")]), Scripted::new([answer(10, "123")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).arm("c", &c).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    assert!(taught(&seen, "a").is_none());
    assert!(taught(&seen, "b").unwrap().trial);
    // A preview that was good and an answer that was cut off by the network.
    let cut = vec![text("half"), Step::Break(failure(FailureClass::Transient, "reset"))];
    let pool = Pool::new()
        .arm("a", &Scripted::new([answer(10, "12345678"), cut]))
        .arm("b", &Scripted::new([answer(10, "123")]))
        .judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:reset b:ok");
    let a = taught(&seen, "a").unwrap();
    assert_eq!((a.quality, a.answer, a.served), (Some(0.8), None, false));
    assert!(seen.report.record.rewards.values().all(|r| r.penalty == 0.0), "nobody's content failed");
}

#[tokio::test(start_paused = true)]
async fn a_preview_that_failed_for_its_content_has_quality_nought() {
    let empty = Scripted::new([vec![finish(FinishReason::Stop)]]);
    let (b, c) = (Scripted::new([answer(10, "12345")]), Scripted::new([answer(10, "123")]));
    let pool = Pool::new().arm("a", &empty).arm("b", &b).arm("c", &c).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let a = taught(&seen, "a").unwrap();
    assert_eq!((a.quality, a.preview, a.trial, a.win), (Some(0.0), None, true, false), "nor does it count as fast");
}

#[tokio::test(start_paused = true)]
async fn the_penalty_of_a_fallback_is_charged_to_the_arm_whose_content_failed() {
    let empty = vec![usage(10, 0), finish(FinishReason::Stop)];
    let (a, b) = (Scripted::new([answer(10, "12345678"), empty]), Scripted::new([answer(10, "123")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:empty b:ok");
    let (a, b) = (taught(&seen, "a").unwrap(), taught(&seen, "b").unwrap());
    assert_eq!(a.quality, Some(0.0), "a good beginning of an empty answer is worth nothing");
    assert!((a.answer.unwrap().fallback - 1.0).abs() < f64::EPSILON && b.answer.unwrap().fallback == 0.0);
    let rewards = &seen.report.record.rewards;
    assert!(rewards.values().filter(|r| r.penalty > 0.0).count() == 1);
    assert!(rewards.iter().any(|(arm, r)| arm.as_str() == "a" && r.penalty > 0.0));
    assert!(b.served && !a.served);
    assert!(a.trial && a.win, "it was judged best, all the same");
}

#[tokio::test(start_paused = true)]
async fn failures_of_answers_that_nobody_judges_teach_no_quality() {
    let mut pool = Pool::new()
        .arm("a", &Scripted::new([vec![finish(FinishReason::Stop)]]))
        .arm("b", &Scripted::new([answer(10, "b")]));
    pool.strategy = Strategy::Baseline;
    let seen = pool.run("hello").await;
    let a = taught(&seen, "a").unwrap();
    assert_eq!(a.quality, None);
    assert!(a.preview.is_none() && (a.answer.unwrap().fallback - 1.0).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn one_preview_left_teaches_quality_and_is_no_trial() {
    let (a, b) = (Scripted::new([answer(10, "12345")]), Scripted::new([down()]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let a = taught(&seen, "a").unwrap();
    assert_eq!((a.quality, a.trial, a.win), (Some(0.5), false, false));
}

#[tokio::test(start_paused = true)]
async fn a_local_verdict_in_place_of_a_broken_judge_orders_and_teaches_no_quality() {
    let (a, b) = (Scripted::new([answer(10, "an answer of some words")]), Scripted::new([answer(10, "no")]));
    let mut pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&Scripted::new([down()]));
    let seen = pool.run("hello").await;
    assert_eq!(seen.report.record.winner.as_ref().unwrap().as_str(), "a");
    let observed = taught(&seen, "a").unwrap();
    assert_eq!((observed.quality, observed.trial), (None, false));
    assert!(observed.preview.is_some(), "how fast and dear it was is as true as ever");

    pool.config.judge.local_teaches = true;
    assert!(taught(&pool.run("hello").await, "a").unwrap().quality.is_some());
    pool.config.judge.local_teaches = false;
    pool.judge = None;
    assert!(
        taught(&pool.run("hello").await, "a").unwrap().quality.is_some(),
        "where it is the only judge, it is the judge"
    );
}

#[tokio::test(start_paused = true)]
async fn signals_follow_from_records() {
    let (a, b) = (Scripted::new([answer(100, "12345")]), Scripted::new([down()]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let record = pool.run("hello").await.report.record;
    let mut fold = SignalFold::new(64);
    for _ in 0..3 {
        fold.absorb(&record);
    }
    let signals = fold.summary();
    let p95 = signals.p95(&"a".into()).unwrap();
    assert!((p95 - 0.2).abs() < 0.01, "{p95}");
    assert_eq!(signals.get(&"a".into()).unwrap().error_rate, Some(0.0));
    let b = signals.get(&"b".into()).unwrap();
    assert_eq!((b.p95_preview_s, b.error_rate, b.consecutive_failures), (None, Some(1.0), 3));
    assert_eq!(b.last_failure.as_ref().unwrap().kind, "http_503");
    fold.forget(&"b".into());
    assert!(fold.summary().get(&"b".into()).is_none());
}
