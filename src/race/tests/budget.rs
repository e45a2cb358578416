//! Ceilings of tokens and dollars: what they stop, what they leave alone, and what is said about them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::answer::{ChatModel, FinishReason};
use crate::domain::clock::Timestamp;
use crate::domain::failure::FailureClass;
use crate::domain::money::Price;
use crate::domain::record::RunOutcome;
use crate::domain::spec::Strategy;
use crate::race::{DayAccount, EventSink};

/// `n` chunks of five tokens (at four characters each), half a second apart, then the end.
fn chunks(n: usize) -> Vec<Step> {
    let chunk = "a few words of text ";
    (0..n).flat_map(|_| [Step::Wait(500), text(chunk)]).chain([finish(FinishReason::Stop)]).collect()
}

/// Arms at a dollar a million tokens in and ten out, in configured order and without previews.
fn chain(arms: &[(&str, &Arc<Scripted>)]) -> Pool {
    let mut pool = arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model));
    pool.strategy = Strategy::Baseline;
    pool
}

fn message(seen: &Seen) -> String {
    match &seen.report.record.outcome {
        RunOutcome::Failed { message } => message.clone(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_reaches_its_ceiling_stops_at_that_chunk_and_names_it() {
    let (a, b) = (Scripted::new([chunks(100)]), Scripted::new([answer(1, "cheap")]));
    let mut pool = chain(&[("a", &a), ("b", &b)]);
    // Room for two tokens of the prompt and ten of the answer.
    pool.config.budget.run_usd = Some(102e-6);
    let started = Instant::now();
    let seen = pool.run("hello").await;
    assert_eq!(started.elapsed(), Duration::from_millis(1_500), "with the third chunk");
    assert_eq!(seen.attempts(), "a:run_ceiling");
    let attempt = &seen.report.record.attempts[0];
    assert_eq!(attempt.error.as_ref().unwrap().class, FailureClass::Budget);
    assert!(attempt.estimated && attempt.tokens_out == 15, "{attempt:?}");
    assert!(seen.report.record.cost_usd <= 102e-6 + 50e-6, "one chunk too many at most");
    assert!(message(&seen).contains("budget.per_run_usd") && message(&seen).contains("raise the ceiling"));
    assert_eq!((a.live(), b.calls().len()), (0, 0), "and nobody else is asked");
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_before_the_first_word_holds_the_ceiling_and_is_booked_whatever_comes_of_it() {
    let counted_first = |then: Vec<Step>| Scripted::new([[vec![counted(20_000)], then].concat()]);
    let a = counted_first(chunks(100));
    let mut pool = chain(&[("a", &a)]);
    pool.config.budget.run_usd = Some(0.01);
    let started = Instant::now();
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), started.elapsed()), ("a:run_ceiling", Duration::ZERO), "before any chunk");
    assert!((seen.report.record.cost_usd - 0.02).abs() < 1e-9, "it is owed all the same");

    let broken = counted_first(vec![Step::Break(failure(FailureClass::Transient, "truncated"))]);
    let seen = chain(&[("a", &broken)]).run("hello").await;
    let attempt = &seen.report.record.attempts[0];
    assert_eq!((attempt.tokens_in, attempt.tokens_out, attempt.estimated), (20_000, 0, true));

    let slip = Scripted::new([[vec![counted(u32::MAX)], answer(1, "four letters")].concat()]);
    let seen = chain(&[("a", &slip)]).run("hello").await;
    assert_eq!(seen.report.record.attempts[0].tokens_in, 10, "the last word holds, and what cannot be is not believed");
}

#[tokio::test(start_paused = true)]
async fn where_no_answer_can_be_paid_for_no_preview_is() {
    let (a, b) = (Scripted::new([answer(1, "a")]), Scripted::new([answer(1, "b")]));
    let mut pool = chain(&[("a", &a), ("b", &b)]);
    pool.strategy = Strategy::Race;
    pool.config.budget.tokens[2] = Some(100);
    let seen = pool.run(&"four".repeat(100)).await;
    assert_eq!((a.calls().len(), b.calls().len(), seen.report.record.cost_usd), (0, 0, 0.0));
    assert!(message(&seen).contains("budget.answer_tokens") && message(&seen).contains("or ask for less"));
    pool.config.budget.tokens[2] = Some(110);
    assert!(pool.run(&"four".repeat(100)).await.report.record.previews.len() == 2);
}

#[tokio::test(start_paused = true)]
async fn an_arm_too_dear_for_what_is_left_is_passed_over_for_a_cheaper_one() {
    let (dear, cheap) = (Scripted::new([answer(1, "dear")]), Scripted::new([answer(1, "cheap")]));
    let mut pool = chain(&[("dear", &dear), ("cheap", &cheap)]);
    let mut declared = spec("dear");
    declared.price = Some(Price { input: 1000.0, output: 1000.0, cached: None });
    pool.models.set(declared, Arc::clone(&dear) as Arc<dyn ChatModel>);
    pool.config.budget.run_usd = Some(0.001);
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "dear:run_ceiling cheap:ok");
    assert_eq!((dear.calls().len(), seen.streamed().as_str()), (0, "cheap"));
    assert!(seen.report.observation.is_none_or(|o| o.arms.iter().all(|arm| arm.arm.as_str() != "dear")));
}

#[tokio::test(start_paused = true)]
async fn arms_that_nothing_can_pay_for_use_up_no_attempts() {
    let dear = Scripted::new([answer(1, "dear")]);
    let cheap = Scripted::new([answer(1, "cheap")]);
    let mut pool = chain(&[("a", &dear), ("b", &dear), ("c", &dear), ("d", &cheap)]);
    for name in ["a", "b", "c"] {
        let mut declared = spec(name);
        declared.price = Some(Price { input: 1000.0, output: 1000.0, cached: None });
        pool.models.set(declared, Arc::clone(&dear) as Arc<dyn ChatModel>);
    }
    pool.config.budget.run_usd = Some(0.001);
    pool.config.max_fallbacks = 0;
    let seen = pool.run("hello").await;
    assert_eq!(seen.attempts(), "a:run_ceiling b:run_ceiling c:run_ceiling d:ok");
    let record = &seen.report.record;
    assert_eq!((record.fallbacks, dear.calls().len()), (0, 0), "who was not asked was no attempt");
    let unmade: Vec<bool> = record.attempts.iter().map(|attempt| attempt.handling.unmade).collect();
    assert_eq!(unmade, [true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_complete_is_served_whatever_it_took() {
    let a = Scripted::new([vec![text(&"word ".repeat(100)), finish(FinishReason::Stop), usage(10, 20)]]);
    let mut pool = chain(&[("a", &a)]);
    // The estimate is over the ceiling by the first chunk, which is not the end: stopped.
    pool.config.budget.run_usd = Some(500e-6);
    assert_eq!(pool.run("hello").await.attempts(), "a:run_ceiling");
    // What the endpoint counts comes behind the end: kept.
    let b = Scripted::new([vec![text("short"), finish(FinishReason::Stop), usage(10, 2_000)]]);
    let mut pool = chain(&[("b", &b)]);
    pool.config.budget.run_usd = Some(500e-6);
    let seen = pool.run("hello").await;
    assert_eq!((seen.attempts().as_str(), seen.streamed().as_str()), ("b:ok", "short"));
}

#[tokio::test(start_paused = true)]
async fn a_count_is_not_taken_back_by_a_later_one_of_nothing() {
    let a = Scripted::new([vec![text("short"), finish(FinishReason::Stop), usage(10, 2_000), usage(0, 0)]]);
    let seen = chain(&[("a", &a)]).run("hello").await;
    let attempt = &seen.report.record.attempts[0];
    assert_eq!((attempt.tokens_in, attempt.tokens_out), (10, 2_000), "{attempt:?}");
    let b = Scripted::new([vec![counted(900), text("short"), finish(FinishReason::Stop), usage(0, 0)]]);
    let seen = chain(&[("b", &b)]).run("hello").await;
    assert_eq!(seen.report.record.attempts[0].tokens_in, 900);
}

#[tokio::test(start_paused = true)]
async fn previews_that_use_up_their_tokens_are_stopped_together_and_an_arm_answers_all_the_same() {
    let arms = ["a", "b", "c"].map(|name| (name, Scripted::new([chunks(100), answer(1, "whole")])));
    let mut pool =
        arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model)).judged_by(&judge_by_length());
    pool.config.budget.tokens[0] = Some(40);
    let started = Instant::now();
    let seen = pool.run("hello").await;
    let record = &seen.report.record;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    for preview in &record.previews {
        let failure = preview.error.as_ref().unwrap();
        assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Budget, "phase_tokens"));
        assert!(failure.message.contains("budget.preview_tokens"));
    }
    let tokens: u32 = record.previews.iter().map(|p| p.tokens + p.tokens_in).sum();
    assert!((40..=45).contains(&tokens), "{tokens}");
    assert!(record.verdict.is_none());
    assert_eq!(record.answer.as_deref(), Some("whole"), "{:?} {:?}", record.order, seen.attempts());
}

#[tokio::test(start_paused = true)]
async fn a_judge_without_tokens_is_stood_in_for() {
    let a = Scripted::new([answer(10, "the answer")]);
    let judge = judge_by_length();
    let mut pool = Pool::new().arm("a", &a).arm("b", &a).judged_by(&judge);
    pool.config.budget.tokens[1] = Some(20);
    let record = pool.run("hello").await.report.record;
    let verdict = record.verdict.unwrap();
    assert!(verdict.local_fallback && verdict.reason.unwrap().contains("budget.judge_tokens"));
    assert_eq!((judge.calls().len(), record.outcome), (0, RunOutcome::Served));
}

#[tokio::test(start_paused = true)]
async fn the_days_ceiling_stops_a_run_under_way() {
    let a = Scripted::new([chunks(100)]);
    let mut pool = chain(&[("a", &a)]);
    pool.config.budget.day_usd = Some(102e-6);
    let account = Arc::new(DayAccount::new(102e-6));
    let mut input = pool.input("hello");
    input.reservation = Some(account.reserve(Timestamp::from_millis(1), 50e-6).unwrap());
    let report = pool.race().run(input, &EventSink::none(), &CancellationToken::new()).await;
    let failure = report.record.attempts[0].error.clone().unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Budget, "day_ceiling"));
    let (spent, reserved) = account.state(Timestamp::from_millis(1));
    assert!((spent - report.record.cost_usd).abs() < 1e-12 && reserved == 0.0, "{spent} {reserved}");
}
