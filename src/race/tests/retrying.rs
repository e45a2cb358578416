//! Calls that are made again, and calls that are not, through a whole run.

use std::time::Duration;

use super::doubles::*;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::spec::Strategy;
use crate::domain::tally::Phase;
use crate::race::{Endpoint, ExtraRules};

fn busy(retry_after_s: f64) -> Vec<Step> {
    let retry_after = Some(Duration::from_secs_f64(retry_after_s));
    vec![Step::Refuse(Failure { retry_after, ..failure(FailureClass::Transient, "http_429") })]
}

/// Arms `a`, then `b`, in configured order and without previews.
fn chain(a: &std::sync::Arc<Scripted>) -> Pool {
    let mut pool = Pool::new().arm("a", a).arm("b", &Scripted::new([answer(10, "whole")]));
    pool.strategy = Strategy::Baseline;
    pool
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_in_every_phase_and_recorded() {
    let a = Scripted::new([down(), answer(10, "an answer of a"), down(), down(), answer(10, "an answer of a")]);
    let first = std::sync::atomic::AtomicBool::new(true);
    let judge = Scripted::replying(move |call| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) { down() } else { verdict_by_length(call) }
    });
    let b = Scripted::new([answer(10, "b")]);
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge);
    let seen = pool.run("hello").await;
    let record = &seen.report.record;
    assert_eq!(record.answer.as_deref(), Some("an answer of a"));
    let retried: Vec<(Phase, &str, &str)> = record.retried().map(|(p, name, r)| (p, name, r.kind.as_ref())).collect();
    let expected = [
        (Phase::Preview, "a", "http_503"),
        (Phase::Judge, "judge", "http_503"),
        (Phase::Answer, "a", "http_503"),
        (Phase::Answer, "a", "http_503"),
    ];
    assert_eq!(retried, expected);
    assert_eq!((record.retries(), record.fallbacks), (4, 0));
    assert!(!record.verdict.as_ref().unwrap().local_fallback);
    assert_eq!(seen.phases().iter().filter(|phase| phase.starts_with("retry")).count(), 4, "{:?}", seen.phases());
    let (preview, waited) = (&record.previews[0], record.previews[0].handling.retries[0].waited_s);
    assert!(preview.latency_s >= waited + 0.02 && preview.ttft_s.unwrap() >= waited + 0.01, "{preview:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_once_a_token_came() {
    let a = Scripted::new([vec![text("half "), Step::Break(failure(FailureClass::Transient, "reset"))]]);
    let thought = crate::domain::answer::AnswerPart::Reasoning("hm".to_owned());
    let c = Scripted::new([vec![Step::Say(thought), Step::Break(failure(FailureClass::Transient, "reset"))]]);
    for model in [&a, &c] {
        let seen = chain(model).run("hello").await;
        assert_eq!((seen.attempts().as_str(), model.calls().len()), ("a:reset b:ok", 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_asks_for_more_than_there_is_hands_over_at_once() {
    let a = Scripted::new([busy(2.0), answer(10, "mine")]);
    let record = chain(&a).run("hello").await.report.record;
    assert_eq!((record.winner.unwrap().as_str(), a.calls().len()), ("a", 2));
    assert!((2.0..2.5).contains(&record.attempts[0].latency_s), "{}", record.attempts[0].latency_s);

    let a = Scripted::new([busy(60.0), answer(10, "mine")]);
    let record = chain(&a).run("hello").await.report.record;
    assert_eq!((record.winner.unwrap().as_str(), a.calls().len()), ("b", 1));
    assert!(record.attempts[0].latency_s < 0.01);
    assert_eq!(record.attempts[0].handling.unretried.as_deref(), Some("the endpoint asks for 60 s"));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_arm_does_not_hold_up_the_race() {
    for (asked, calls, at_most) in [(7.0, 1, 0.3), (0.4, 2, 1.7), (1.0, 2, 1.7)] {
        let a = Scripted::new([busy(asked)]);
        let (b, c) = (Scripted::new([answer(100, "of b")]), Scripted::new([answer(100, "of the third")]));
        let pool = Pool::new().arm("a", &a).arm("b", &b).arm("c", &c).judged_by(&judge_by_length());
        let record = pool.run("hello").await.report.record;
        assert_eq!(record.winner.as_ref().unwrap().as_str(), "c", "{asked}");
        assert!(record.timings_s.previews < at_most, "{asked}: {:?}", record.timings_s);
        let waits: f64 = record.previews[0].handling.retries.iter().map(|retried| retried.waited_s).sum();
        assert!(waits <= 1.5 && a.calls().len() >= calls, "{asked}: {:?}", record.previews[0]);
        assert!(record.previews[0].handling.unretried.is_some() || calls > 1, "{:?}", record.previews[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn tries_share_the_deadline_of_their_phase() {
    let slow_refusal = || vec![Step::Wait(7_000), down().remove(0)];
    let a = Scripted::new([slow_refusal(), slow_refusal(), slow_refusal()]);
    let mut pool = chain(&a);
    pool.config.timeouts.full = Duration::from_secs(15);
    pool.config.retry.attempts = 9;
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:phase_timeout b:ok");
    let attempt = &seen.report.record.attempts[0];
    assert!((attempt.latency_s - 15.0).abs() < 0.05, "{}", attempt.latency_s);
    assert!(attempt.error.as_ref().unwrap().message.contains("15s"), "{:?}", attempt.error);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_it_waits_stops_at_once() {
    let a = Scripted::new([busy(9.0)]);
    let pool = chain(&a);
    let started = tokio::time::Instant::now();
    let seen = pool.run_until("hello", tokio::time::sleep(Duration::from_secs(1))).await;
    assert_eq!((started.elapsed().as_secs(), a.calls().len()), (1, 1));
    assert_eq!(seen.attempts(), "a:cancelled");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_shared_by_all_runs() {
    let a = Scripted::new([down()]);
    let mut pool = Pool::new().arm("a", &a);
    pool.strategy = Strategy::Baseline;
    pool.config.extras = ExtraRules { trickle_per_s: 0.0, burst: 3.0, ..ExtraRules::default() };
    let race = pool.race();
    let sink = crate::race::EventSink::none();
    for _ in 0..20 {
        race.run(pool.input("hello"), &sink, &tokio_util::sync::CancellationToken::new()).await;
    }
    let count = race.extras().count(&Endpoint::Arm("a".into()), tokio::time::Instant::now()).unwrap();
    assert_eq!(count.calls, 20);
    assert!((6..=7).contains(&count.retries), "three, and a fifth of twenty: {count:?}");
    assert_eq!(a.calls().len() as u64, count.calls + count.retries);
}
