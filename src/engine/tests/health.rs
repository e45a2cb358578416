//! Ejection and return, and the alarms that go with them.

use std::time::Duration;

use crate::domain::failure::FailureClass;
use crate::domain::spec::Lifecycle;
use crate::engine::testing::rig::{ask, until};
use crate::engine::testing::{Rig, Script};

fn state(engine: &std::sync::Arc<dyn crate::domain::engine::EngineHandle>, arm: usize) -> Lifecycle {
    engine.snapshot().arms[arm].state
}

#[tokio::test(start_paused = true)]
async fn a_failing_arm_goes_and_comes_back_by_itself() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    for n in 0..5 {
        assert_eq!(ask(&handle, &format!("question {n}")).await.winner, Some("b".into()));
    }
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let picture = handle.snapshot();
    let alarm = picture.alarms.iter().find(|alarm| alarm.subject == "ejected:a").unwrap();
    assert!(alarm.message.contains("5 failures in a row"), "{alarm:?}");
    let (told, quoted) = alarm.message.rsplit_once(": ").unwrap();
    assert_eq!(alarm.told.as_deref(), Some(told), "without what the endpoint said: {quoted}");
    let until_when = picture.arms[0].until.unwrap();
    assert!((9..=10).contains(&until_when.since(handle.now()).as_secs()));
    until(&handle, "a is back", |picture| picture.arms[0].state != Lifecycle::Ejected).await;
    assert!(handle.now() >= until_when);
    assert!(handle.snapshot().alarms.is_empty());
    // Still failing: one failure is enough now, and it stays out twice as long.
    ask(&handle, "are you back?").await;
    until(&handle, "a is out again", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    assert!(handle.snapshot().arms[0].until.unwrap().since(handle.now()) > Duration::from_secs(15));
    rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
    until(&handle, "a is back", |picture| picture.arms[0].state != Lifecycle::Ejected).await;
    ask(&handle, "well?").await;
    assert_eq!(state(&handle, 0), Lifecycle::Active);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_out_at_once_but_the_last_arm_stays() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Configuration));
    rig.stage.script("b", Script::Fail(FailureClass::Configuration));
    let record = ask(&handle, "anybody?").await;
    assert!(record.winner.is_none());
    until(&handle, "one of them is out", |picture| {
        picture.arms.iter().filter(|arm| arm.state == Lifecycle::Ejected).count() == 1
    })
    .await;
    ask(&handle, "still somebody to ask").await;
    assert_eq!(handle.snapshot().arms.iter().filter(|arm| arm.state == Lifecycle::Ejected).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_in_flight_when_an_arm_went_keeps_it_out_no_longer() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    futures_util::future::join_all((0..30).map(|_| ask(&handle, "why is the sky blue?"))).await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    until(&handle, "a is back", |picture| picture.arms[0].state != Lifecycle::Ejected).await;
    ask(&handle, "are you back?").await;
    until(&handle, "a is out again", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let out = handle.snapshot().arms[0].until.unwrap().since(handle.now());
    assert!(out <= Duration::from_secs(20), "the second time is twice the first: {out:?}");
}

#[tokio::test(start_paused = true)]
async fn an_arm_without_an_adapter_stays_out_and_is_nobody_to_rely_on() {
    let rig = Rig::new(&["a", "b"]);
    rig.stage.script("a", Script::Unset("the variable KEY is not set"));
    let engine = rig.start().await;
    let handle = engine.handle();
    assert_eq!(state(&handle, 0), Lifecycle::Ejected);
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(state(&handle, 0), Lifecycle::Ejected);
    rig.stage.script("b", Script::Fail(FailureClass::Transient));
    for n in 0..8 {
        ask(&handle, &format!("question {n}")).await;
    }
    assert_eq!(state(&handle, 1), Lifecycle::Active);
}

#[tokio::test(start_paused = true)]
async fn many_fallbacks_raise_an_alarm_that_clears() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.strategy = crate::domain::spec::Strategy::Baseline;
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Content));
    for n in 0..60 {
        ask(&handle, &format!("question {n}")).await;
    }
    until(&handle, "the alarm", |picture| picture.alarms.iter().any(|alarm| alarm.subject == "fallbacks")).await;
    rig.stage.script("a", Script::Answer("fine now", Duration::ZERO));
    for n in 0..260 {
        ask(&handle, &format!("question {n}")).await;
    }
    tokio::time::sleep(Duration::from_mins(6)).await;
    ask(&handle, "the window has moved on").await;
    until(&handle, "cleared", |picture| picture.alarms.is_empty()).await;
}
