//! Runs: streams, limits, cancelling, panics, stopping.

use std::time::Duration;

use crate::domain::command::Durability;
use crate::domain::engine::EngineError;
use crate::domain::record::RunOutcome;
use crate::engine::testing::rig::{ask, finish, submit, until};
use crate::engine::testing::{Rig, Script};

#[tokio::test(start_paused = true)]
async fn a_finished_run_is_recorded_before_it_says_so() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let record = ask(&handle, "is this recorded?").await;
    assert_eq!(record.outcome, RunOutcome::Served);
    assert_eq!(handle.run(record.run_id).await.unwrap().as_ref(), Some(&record));
    assert!(rig.store.log().iter().any(|entry| entry.id == record.run_id));
    until(&handle, "it is shown", |picture| {
        picture.totals.runs == 1 && picture.totals.in_flight == 0 && picture.recent_runs[0].run == record.run_id
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_run_is_refused() {
    let mut rig = Rig::new(&["a"]);
    rig.limits.max_in_flight = 2;
    let engine = rig.start().await;
    let handle = engine.handle();
    for prompt in [" \n", ""] {
        assert!(matches!(submit(&handle, prompt).await.err(), Some(EngineError::Refused(_))));
    }
    rig.stage.script("a", Script::Hang);
    let (first, _second) = (submit(&handle, "one").await.unwrap(), submit(&handle, "two").await.unwrap());
    assert_eq!(submit(&handle, "three").await.err(), Some(EngineError::Busy { in_flight: 2, limit: 2 }));
    until(&handle, "two are in flight", |picture| picture.totals.in_flight == 2).await;
    drop(first);
    until(&handle, "dropping cancels", |picture| picture.totals.cancelled == 1 && picture.totals.in_flight == 1).await;
    rig.stage.script("a", Script::Answer("yes", Duration::ZERO));
    assert!(ask(&handle, "a place is free again").await.winner.is_some());

    let nobody = Rig::new(&[]).start().await;
    let refused = submit(&nobody.handle(), "anybody?").await.err();
    assert!(matches!(&refused, Some(EngineError::Refused(said)) if said.contains("no arm")), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_run() {
    let rig = Rig::new(&["a"]);
    rig.stage.script("a", Script::Panic);
    let engine = rig.start().await;
    let handle = engine.handle();
    let record = ask(&handle, "break").await;
    assert!(matches!(&record.outcome, RunOutcome::Failed { message } if message.contains("banditop")), "{record:?}");
    assert_eq!(record.request.prompt(), "break");
    until(&handle, "counted as failed", |picture| picture.totals.failed == 1 && picture.totals.in_flight == 0).await;
    rig.stage.script("a", Script::Answer("fine", Duration::ZERO));
    assert!(ask(&handle, "mend").await.winner.is_some());
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_then_cancels_then_stores() {
    let mut rig = Rig::new(&["slow", "hangs"]);
    rig.strategy = crate::domain::spec::Strategy::Baseline;
    rig.limits.drain = Duration::from_secs(4);
    rig.stage.script("slow", Script::Answer("at last", Duration::from_secs(3)));
    let engine = rig.start().await;
    let handle = engine.handle();
    let slow = submit(&handle, "take your time").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    rig.stage.script("slow", Script::Answer("too late", Duration::from_secs(8)));
    let late = submit(&handle, "take more time").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (report, slow, late) = tokio::join!(engine.stop(), finish(slow), finish(late));
    assert_eq!((report.cancelled, report.durability), (1, Durability::Durable));
    let served = [slow, late].map(|record| record.outcome.clone());
    assert_eq!(served, [RunOutcome::Served, RunOutcome::Cancelled]);
    assert_eq!(submit(&handle, "too late").await.err(), Some(EngineError::Stopped));
    handle.changed(u64::MAX).await;
    let again = rig.start().await;
    assert_eq!(again.handle().snapshot().totals.runs, 2);
}

#[tokio::test(start_paused = true)]
async fn pictures_are_at_most_twenty_a_second_and_only_of_changes() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let idle = handle.snapshot().revision;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(handle.snapshot().revision, idle, "an idle engine publishes nothing");
    let began = tokio::time::Instant::now();
    for n in 0..200 {
        ask(&handle, &format!("question {n}")).await;
    }
    let pictures = handle.snapshot().revision - idle;
    let most = began.elapsed().as_secs_f64() * 20.0 + 2.0;
    assert!(pictures >= 2 && pictures as f64 <= most, "{pictures} in {:?}", began.elapsed());
}
