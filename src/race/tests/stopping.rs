//! A run that is stopped: by a person, by a caller that hung up. Everything stops at once, and the record
//! is complete as far as the run went.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::event::RunEvent;
use crate::domain::failure::FailureClass;
use crate::domain::record::RunOutcome;
use crate::race::EventSink;

fn after(millis: u64) -> impl Future<Output = ()> {
    sleep(Duration::from_millis(millis))
}

#[tokio::test(start_paused = true)]
async fn cancelled_among_its_previews_a_run_drops_every_stream_at_once() {
    let (a, b) = (Scripted::new([vec![text("half"), Step::Hang]]), Scripted::new([answer(100, "done")]));
    let pool = Pool::new().arm("a", &a).arm("b", &b).judged_by(&judge_by_length());
    let started = Instant::now();
    let seen = pool.run_until("hello", after(300)).await;
    assert_eq!(started.elapsed(), Duration::from_millis(300));
    assert_eq!(a.live() + b.live(), 0);
    let record = &seen.report.record;
    assert_eq!(record.outcome, RunOutcome::Cancelled);
    assert_eq!(record.previews.len(), 2, "both are on record");
    let half = record.previews.iter().find(|p| p.arm.as_str() == "a").unwrap();
    assert_eq!((half.text.as_str(), half.error.as_ref().unwrap().class), ("half", FailureClass::Cancelled));
    assert!(record.attempts.is_empty() && record.winner.is_none());
    assert!(seen.report.observation.as_ref().is_none_or(|o| o.arms.iter().all(|a| a.quality.is_none())));
}

#[tokio::test(start_paused = true)]
async fn cancelled_in_its_answer_a_run_still_teaches_what_was_judged() {
    let hangs = Scripted::new([answer(10, "the longest preview"), vec![text("half an answer"), Step::Hang]]);
    let b = Scripted::new([answer(10, "short")]);
    let pool = Pool::new().arm("a", &hangs).arm("b", &b).judged_by(&judge_by_length());
    let seen = pool.run_until("hello", after(200)).await;
    assert_eq!(hangs.live(), 0);
    let record = &seen.report.record;
    assert_eq!(record.outcome, RunOutcome::Cancelled);
    assert_eq!(seen.attempts(), "a:cancelled");
    assert!(record.answer.is_none(), "half an answer is none");
    let arms = &seen.report.observation.as_ref().unwrap().arms;
    assert!(arms.iter().all(|a| a.quality.is_some() && a.answer.is_none() && !a.served));
}

#[tokio::test(start_paused = true)]
async fn cancelled_while_judging_a_run_asks_nobody_else() {
    let judge = Scripted::new([vec![Step::Hang]]);
    let a = Scripted::new([answer(10, "a")]);
    let pool = Pool::new().arm("a", &a).arm("b", &a).judged_by(&judge);
    let seen = pool.run_until("hello", after(100)).await;
    assert_eq!((judge.live(), judge.calls().len()), (0, 1));
    assert_eq!(seen.report.record.outcome, RunOutcome::Cancelled);
    assert!(seen.report.record.verdict.is_none(), "no local verdict for a run that nobody waits for");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_cancels_the_run() {
    let a = Scripted::new([vec![text("half"), Step::Hang]]);
    let pool = Pool::new().arm("a", &a);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    let sink = EventSink::to(sender);
    let (race, cancel) = (pool.race(), CancellationToken::new());
    let leaves = async {
        while let Some(event) = receiver.recv().await {
            if matches!(event, RunEvent::AnswerText { .. }) {
                break;
            }
        }
        drop(receiver);
    };
    let (report, ()) = tokio::join!(race.run(pool.input("hello"), &sink, &cancel), leaves);
    assert_eq!(report.record.outcome, RunOutcome::Cancelled);
    assert_eq!(a.live(), 0);
    assert!(!cancel.is_cancelled(), "the caller's token is the caller's");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_waits_for_no_reader() {
    let words: Vec<Step> = (0..50).map(|_| text("word ")).chain([Step::Hang]).collect();
    let a = Scripted::new([words]);
    let pool = Pool::new().arm("a", &a);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let (sink, race, cancel) = (EventSink::to(sender), pool.race(), CancellationToken::new());
    let stands_still = async {
        after(1_000).await;
        cancel.cancel();
    };
    let started = Instant::now();
    let (report, ()) = tokio::join!(race.run(pool.input("hello"), &sink, &cancel), stands_still);
    assert_eq!(started.elapsed(), Duration::from_secs(1));
    assert_eq!(report.record.outcome, RunOutcome::Cancelled);
    drop(receiver);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stands_still_ends_the_run_in_bounded_time() {
    let answer = answer(10, "whole");
    let pool = Pool::new().arm("a", &Scripted::new([answer]));
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let (sink, race, cancel) = (EventSink::to(sender), pool.race(), CancellationToken::new());
    let started = Instant::now();
    let report = race.run(pool.input("hello"), &sink, &cancel).await;
    assert!(started.elapsed() <= Duration::from_secs(61), "{:?}", started.elapsed());
    assert_eq!(report.record.outcome, RunOutcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cancelled_before_it_started_calls_nobody() {
    let a = Scripted::new([answer(1, "a")]);
    let pool = Pool::new().arm("a", &a).arm("b", &a);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let report = pool.race().run(pool.input("hello"), &EventSink::none(), &cancel).await;
    assert_eq!(report.record.outcome, RunOutcome::Cancelled);
    assert_eq!(a.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_run_leaves_no_stream_open() {
    let a = Scripted::new([vec![text("half"), Step::Hang]]);
    let pool = Pool::new().arm("a", &a).arm("b", &a);
    let (race, sink, cancel) = (pool.race(), EventSink::none(), CancellationToken::new());
    let run = race.run(pool.input("hello"), &sink, &cancel);
    assert!(tokio::time::timeout(Duration::from_millis(50), run).await.is_err());
    assert!(a.calls().len() == 2 && a.live() == 0);
}

#[test]
fn a_run_can_be_moved_into_a_task_and_is_small() {
    fn sendable<T: Send>(value: &T) -> usize {
        std::mem::size_of_val(value)
    }
    let pool = Pool::new();
    let (race, sink, cancel) = (pool.race(), EventSink::none(), CancellationToken::new());
    let size = sendable(&race.run(pool.input("hello"), &sink, &cancel));
    assert!(size < 2048, "{size}");
}
