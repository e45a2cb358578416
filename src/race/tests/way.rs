//! The way of a run that goes well.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::BoxFuture;
use crate::domain::answer::FinishReason;
use crate::domain::clock::{Clock, ManualClock, Timestamp};
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::event::RunEvent;
use crate::domain::failure::Failure;
use crate::domain::record::{GateDecision, RunOutcome};
use crate::domain::spec::Strategy;
use crate::race::{EmbeddingSource, EventSink, Race, RaceParts};

#[tokio::test(start_paused = true)]
async fn three_arms_race_and_the_best_preview_answers() {
    let (a, b, c) = (
        Scripted::new([answer(100, "short"), answer(100, "A whole")]),
        Scripted::new([answer(200, "longest of all"), answer(300, "B whole")]),
        Scripted::new([answer(50, "middling"), answer(50, "C whole")]),
    );
    let pool = Pool::new().arm("a", &a).arm("b", &b).arm("c", &c).judged_by(&judge_by_length());
    let seen = pool.run("Why is the sky blue?").await;
    let record = &seen.report.record;
    assert_eq!(record.outcome, RunOutcome::Served);
    assert_eq!(record.winner.as_ref().unwrap().as_str(), "b");
    assert_eq!(record.answer.as_deref(), Some("B whole"));
    assert_eq!(names(&record.order), "b c a");
    assert_eq!((record.strategy, record.fallbacks), (Strategy::Race, 0));
    assert!(record.is_first_try());
    assert_eq!(record.verdict.as_ref().unwrap().scores.len(), 3);
    assert_eq!(seen.streamed(), "B whole");
    assert_eq!(a.live() + b.live() + c.live(), 0, "no stream is left open");
}

#[tokio::test(start_paused = true)]
async fn every_phase_is_announced_exactly_once_and_in_order() {
    let (a, b) = (Scripted::new([answer(100, "short")]), Scripted::new([answer(20, "much longer")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let expected =
        ["selected", "previewed b", "previewed a", "judging judge", "judged", "ordered b a", "attempt 0 b", "b ok"];
    assert_eq!(seen.phases(), expected);
    assert!(
        matches!(&seen.events[0], RunEvent::Selected { arms, preview_tokens, .. } if arms.len() == 2 && *preview_tokens > 0)
    );
}

#[tokio::test(start_paused = true)]
async fn previews_run_at_once_and_every_phase_is_measured() {
    let (a, b) = (Scripted::new([answer(400, "a a a a")]), Scripted::new([answer(100, "b")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run("hello").await;
    let record = &seen.report.record;
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 0.002, "{found} against {expected}");
    let preview = record.previews.iter().find(|p| p.arm.as_str() == "a").unwrap();
    close(preview.ttft_s.unwrap(), 0.4);
    close(preview.latency_s, 0.8);
    let timings = record.timings_s;
    close(timings.previews, 0.8);
    close(timings.judge, 0.005);
    close(timings.full, 0.8);
    close(timings.total, 1.605);
}

#[tokio::test(start_paused = true)]
async fn tokens_and_dollars_are_counted_by_call() {
    let silent = vec![text("eight ch"), finish(FinishReason::Stop)];
    let (a, b) = (Scripted::new([answer(10, "longest one")]), Scripted::new([silent]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let record = pool.run("12345678").await.report.record;
    // Prices: one dollar per million tokens in, ten out.
    let preview = |arm: &str| record.previews.iter().find(|p| p.arm.as_str() == arm).unwrap();
    assert_eq!((preview("a").tokens, preview("a").estimated), (20, false));
    assert!((preview("a").cost_usd.unwrap() - 210e-6).abs() < 1e-12);
    assert_eq!((preview("b").tokens, preview("b").estimated), (2, true), "estimated at four characters a token");
    assert!((preview("b").cost_usd.unwrap() - 22e-6).abs() < 1e-12);
    let attempt = &record.attempts[0];
    assert_eq!((attempt.tokens_in, attempt.tokens_out, attempt.estimated), (10, 20, false));
    let known: f64 = 210e-6 + 22e-6 + 210e-6;
    assert!(record.cost_usd > known, "the judge costs too");
}

#[tokio::test(start_paused = true)]
async fn a_preview_asks_for_few_tokens_and_is_cut_where_the_endpoint_does_not_listen() {
    let endless = Scripted::replying(|call| match call.max_tokens {
        Some(_) => (0..100_000).map(|_| text("word ")).collect(),
        None => answer(1, "whole"),
    });
    let b = Scripted::new([answer(1, "b")]);
    let pool =
        Pool::new().arm("a", &endless).arm("b", &b).judged_by(&judge(|t| if t.starts_with('w') { 1.0 } else { 0.0 }));
    let record = pool.run("hello").await.report.record;
    let target = endless.calls()[0].max_tokens.unwrap();
    assert_eq!(target, pool.config.preview_target(0.0, 0.0));
    assert_eq!(endless.calls()[1].max_tokens, None);
    let preview = record.previews.iter().find(|p| p.arm.as_str() == "a").unwrap();
    assert!(preview.error.is_none() && preview.text.len() <= target as usize * 12, "{}", preview.text.len());
    assert_eq!(record.answer.as_deref(), Some("whole"));
}

#[tokio::test(start_paused = true)]
async fn reasoning_is_no_part_of_the_answer_and_moves_no_first_token() {
    use crate::domain::answer::AnswerPart::Reasoning;
    let thinks =
        vec![Step::Say(Reasoning("hm".to_owned())), Step::Wait(500), text("yes"), finish(FinishReason::Length)];
    let pool = Pool::new().arm("a", &Scripted::new([thinks]));
    let record = pool.run("hello").await.report.record;
    assert_eq!(record.answer.as_deref(), Some("yes"));
    assert!(record.attempts[0].ttft_s.unwrap() >= 0.5);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_record_and_no_reader_changes_nothing() {
    let make = || {
        let arms = ["a", "b", "c", "d", "e"].map(|n| (n, Scripted::new([answer(10, n)])));
        let pool = arms.iter().fold(Pool::new(), |pool, (name, model)| pool.arm(name, model));
        pool.judged_by(&judge_by_length())
    };
    let first = make().run("hello").await.report;
    let pool = make();
    let second = pool.unheard("hello").await;
    assert_eq!(first.record, second.record);
    assert_eq!(first.observation, second.observation);
}

#[tokio::test(start_paused = true)]
async fn control_characters_reach_the_model_as_they_are() {
    let a = Scripted::new([answer(1, "ok")]);
    let pool = Pool::new().arm("a", &a);
    let hostile = "hi \u{1b}[2J\u{7}\u{0} there";
    let seen = pool.run(hostile).await;
    assert_eq!(a.calls()[0].request.prompt(), hostile);
    assert_eq!(seen.report.record.request.prompt(), hostile);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_makes_no_arm_look_slow_and_misses_nothing() {
    let said: String = (0..100).map(|i| i.to_string() + " ").collect();
    let words = said.split_inclusive(' ').flat_map(|word| [Step::Wait(10), text(word)]);
    let model = Scripted::new([words.chain([finish(FinishReason::Stop)]).collect::<Vec<_>>()]);
    let pool = Pool::new().arm("a", &model);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let (sink, race, cancel) = (EventSink::to(sender), pool.race(), tokio_util::sync::CancellationToken::new());
    let racing = async {
        let report = race.run(pool.input("hello"), &sink, &cancel).await;
        drop(sink);
        report
    };
    let reading = async {
        let mut heard = String::new();
        while let Some(event) = receiver.recv().await {
            if let RunEvent::AnswerText { text, .. } = event {
                heard.push_str(&text);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        heard
    };
    let (report, heard) = tokio::join!(racing, reading);
    assert_eq!(report.record.outcome, RunOutcome::Served);
    assert!(report.record.attempts[0].latency_s < 1.1, "{}", report.record.attempts[0].latency_s);
    assert_eq!(heard, said);
    assert_eq!(report.record.answer, Some(said));
}

#[tokio::test(start_paused = true)]
async fn text_that_waited_for_the_reader_is_sent_while_the_arm_thinks() {
    let script = vec![text("one "), text("two "), text("three "), Step::Wait(5_000), finish(FinishReason::Stop)];
    let pool = Pool::new().arm("a", &Scripted::new([script]));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let (sink, race, cancel) = (EventSink::to(sender), pool.race(), tokio_util::sync::CancellationToken::new());
    let reading = async {
        let mut heard = String::new();
        while heard != "one two three " {
            if let Some(RunEvent::AnswerText { text, .. }) = receiver.recv().await {
                heard.push_str(&text);
            }
        }
        let at = tokio::time::Instant::now();
        while receiver.recv().await.is_some() {}
        at
    };
    let started = tokio::time::Instant::now();
    let racing = async {
        let report = race.run(pool.input("hello"), &sink, &cancel).await;
        drop(sink);
        report
    };
    let (_, heard_at) = tokio::join!(racing, reading);
    assert!(heard_at - started < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn the_gate_says_why() {
    let (a, b) = (Scripted::new([answer(1, "a")]), Scripted::new([answer(1, "b")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let gate = pool.run("hello").await.report.record.gate;
    assert_eq!(gate.decision, GateDecision::Bandit);
    assert!(gate.reason.contains("cold start: 2 of 2 arms"), "{}", gate.reason);
    let apart = "a goes first: 0.600 is believed of it before any data (up to 0.10 of that optimism), +";
    assert!(gate.reason.contains(apart) && !gate.reason.contains("score"), "{}", gate.reason);
}

#[test]
fn blank_and_huge_prompts_are_refused_before_anything_starts() {
    let race = Pool::new().race();
    let request = crate::domain::chat::ChatRequest::from_prompt;
    assert!(race.check(&request(" ")).is_err());
    assert!(race.check(&request(&"x".repeat(5_000_000))).is_err());
    assert!(race.check(&request("hello")).is_ok());
}

/// An encoder that takes its time.
#[derive(Debug)]
struct Slow(Arc<ManualClock>);

impl Embedder for Slow {
    fn embed<'a>(&'a self, _text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        self.0.advance(Duration::from_millis(120));
        Box::pin(async { Ok(Embedding { numbers: vec![1.0; 8], tokens: None }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_before_it_waits_for_anything() {
    let pool = Pool::new().arm("a", &Scripted::new([answer(10, "yes")]));
    let began = Timestamp::from_millis(1_000_000);
    let clock = Arc::new(ManualClock::at(began));
    let embedder = Arc::new(Slow(Arc::clone(&clock)));
    let source = EmbeddingSource::new(embedder, 16, Duration::from_secs(1), 10);
    let race = Race::new(RaceParts { embedding: Some(source), clock: clock.clone(), ..pool.parts() });
    let report = race.run(pool.input("hello"), &EventSink::none(), &CancellationToken::new()).await;
    assert_eq!(report.record.at, began);
    assert!(clock.now() > began);
}
