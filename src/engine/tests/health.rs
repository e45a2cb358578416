//! Ejection and return, and the alarms that go with them.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::command::RouterCommand;
use crate::domain::engine::{EngineHandle, JournalQuery};
use crate::domain::failure::FailureClass;
use crate::domain::record::RunOutcome;
use crate::domain::spec::Lifecycle;
use crate::engine::testing::rig::{applied, ask, finish, submit, until};
use crate::engine::testing::{Rig, Script};

fn state(engine: &Arc<dyn EngineHandle>, arm: usize) -> Lifecycle {
    engine.snapshot().arms[arm].state
}

/// Has `a` fail until it is out, and waits until it is due for a probe.
async fn out_and_due(rig: &Rig, handle: &Arc<dyn EngineHandle>) {
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    for n in 0..5 {
        ask(handle, &format!("question {n}")).await;
    }
    until(handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
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
    assert!((9..=12).contains(&until_when.since(handle.now()).as_secs()));
    assert!(alarm.message.contains(", probe at "), "{alarm:?}");
    // Its time is over: it is tried beside a run, which it does not answer, and is still failing.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(state(&handle, 0), Lifecycle::Ejected, "without a run there is no probe");
    let calls = rig.stage.calls("a");
    assert_eq!(ask(&handle, "are you back?").await.winner, Some("b".into()));
    until(&handle, "a is out for longer", |picture| picture.arms[0].until.unwrap() > until_when).await;
    assert_eq!(rig.stage.calls("a"), calls + 1, "one call, and no retry of it");
    let left = handle.snapshot().arms[0].until.unwrap().since(handle.now()).as_secs();
    assert!((19..=25).contains(&left), "{left}");
    rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
    ask(&handle, "too early").await;
    tokio::time::sleep(Duration::from_secs(26)).await;
    assert_eq!(state(&handle, 0), Lifecycle::Ejected);
    ask(&handle, "well?").await;
    until(&handle, "a is back", |picture| picture.arms[0].state == Lifecycle::Active).await;
    until(&handle, "the alarm is over", |picture| picture.alarms.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn an_arm_that_is_down_goes_while_the_runs_that_saw_it_go_on() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let began = tokio::time::Instant::now();
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    rig.stage.script("b", Script::Answer("a long answer", Duration::from_secs(5)));
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push(submit(&handle, &format!("question {n}")).await.unwrap());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    assert!(began.elapsed() < Duration::from_secs(5), "no run had ended: {:?}", began.elapsed());
    let seen_by = rig.stage.calls("a");
    for run in runs {
        assert_eq!(finish(run).await.winner, Some("b".into()));
    }
    let picture = handle.snapshot();
    assert_eq!(picture.tally.arms["a"].ejections, 1, "what its runs say at their ends is known");
    assert!(seen_by < 12 * 3, "{seen_by}: with three tries each it would have been asked 36 times");
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_a_pause_and_no_ejection() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Limited(Duration::from_secs(30)));
    ask(&handle, "hello").await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let picture = handle.snapshot();
    let row = &picture.arms[0];
    assert_eq!(row.state.shown(row.state_reason.as_deref()), "cooling");
    assert_eq!(row.error_rate, None, "and no error");
    assert!((28..=30).contains(&row.until.unwrap().since(handle.now()).as_secs()));
    assert_eq!(picture.tally.arms.get(&row.arm).map_or(0, |tally| tally.ejections), 0);
    let alarm = picture.alarms.iter().find(|alarm| alarm.subject == "ejected:a").unwrap();
    assert!(alarm.message.contains(", back at "), "{alarm:?}");
    assert_eq!(alarm.remedy, None, "it is over by itself");
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(handle.snapshot().alarms.len(), 1, "until it is back");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(state(&handle, 0), Lifecycle::Active, "back without a probe, and without traffic");
    until(&handle, "the alarm is over", |picture| picture.alarms.is_empty()).await;
    // What is over before anybody could read of it is none.
    rig.stage.script("a", Script::Limited(Duration::from_secs(3)));
    ask(&handle, "hello again").await;
    until(&handle, "a is out again", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(handle.snapshot().alarms.is_empty(), "{:?}", handle.snapshot().alarms);
}

#[tokio::test(start_paused = true)]
async fn probes_are_one_at_a_time_and_hold_nobody_up() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    out_and_due(&rig, &handle).await;
    rig.stage.script("a", Script::Answer("slow, but well", Duration::from_secs(5)));
    let (calls, began) = (rig.stage.calls("a"), tokio::time::Instant::now());
    for n in 0..20 {
        ask(&handle, &format!("question {n}")).await;
    }
    assert!(began.elapsed() < Duration::from_secs(4), "nobody waited: {:?}", began.elapsed());
    assert_eq!(rig.stage.calls("a"), calls + 1);
    until(&handle, "a is back", |picture| picture.arms[0].state == Lifecycle::Active).await;
}

/// How often an arm went in a row is in the log: a restart does not begin anew, and answers do.
#[tokio::test(start_paused = true)]
async fn an_ejection_after_a_restart_is_as_long_as_without_one() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    out_and_due(&rig, &handle).await;
    rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
    ask(&handle, "well?").await;
    until(&handle, "a is back", |picture| picture.arms[0].state == Lifecycle::Active).await;
    drop((handle, engine));

    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    for n in 0..5 {
        ask(&handle, &format!("again {n}")).await;
    }
    until(&handle, "a is out again", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let left = handle.snapshot().arms[0].until.unwrap().since(handle.now()).as_secs();
    assert!((19..=25).contains(&left), "the second time is twice the first: {left}");
    tokio::time::sleep(Duration::from_secs(30)).await;
    rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
    ask(&handle, "well?").await;
    until(&handle, "a is back again", |picture| picture.arms[0].state == Lifecycle::Active).await;
    for n in 0..6 {
        ask(&handle, &format!("fine {n}")).await;
    }
    let recovered = |entry: &crate::domain::command::LogEntry| matches!(entry.command, RouterCommand::Recovered { .. });
    assert_eq!(rig.store.log().iter().filter(|entry| recovered(entry)).count(), 1);
    assert_eq!(engine.state().arm("a").unwrap().ejections, 0);
}

/// The probe's ten tokens in and ten out are in the day's dollars and among the arm's calls, also after a crash.
#[tokio::test(start_paused = true)]
async fn a_probe_is_counted_and_paid_for() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.facts.arms[0].price = Some(crate::domain::money::Price { input: 1e6, output: 1e6, cached: None });
    let engine = rig.start().await;
    let handle = engine.handle();
    out_and_due(&rig, &handle).await;
    rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
    let before = handle.snapshot();
    ask(&handle, "well?").await;
    until(&handle, "a is back", |picture| picture.arms[0].state == Lifecycle::Active).await;
    let after = handle.snapshot();
    let calls = |picture: &crate::domain::snapshot::EngineSnapshot| picture.tally.arms["a"].preview.made;
    assert_eq!((calls(&before), calls(&after)), (5, 6));
    let today = after.totals.usd_today;
    assert!((today - before.totals.usd_today - 20.0).abs() < 1e-6, "{today}");
    assert!((after.totals.usd_total - before.totals.usd_total - 20.0).abs() < 1e-6);
    let store = rig.store.log();
    drop(engine);
    assert!(store.iter().any(|entry| matches!(entry.command, RouterCommand::Spend { beside: true, .. })));
    let again = rig.start().await;
    assert!((again.handle().snapshot().totals.usd_today - today).abs() < 1e-6, "a crash forgets no dollar");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_else_is_left_an_arm_comes_back_without_a_probe() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Configuration));
    ask(&handle, "hello").await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let alarm = handle.snapshot().alarms[0].clone();
    assert_eq!(alarm.severity, crate::domain::alarm::Severity::Critical, "somebody has to mend it");
    crate::engine::testing::rig::applied(&handle, RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    tokio::time::sleep(Duration::from_mins(61)).await;
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
async fn a_start_brings_back_who_is_called_otherwise_and_nobody_else() {
    let mut rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Configuration));
    ask(&handle, "hello").await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    engine.stop().await;
    let engine = rig.start().await;
    assert_eq!(state(&engine.handle(), 0), Lifecycle::Ejected, "nothing has changed");
    engine.stop().await;
    rig.facts.arms[0].base_url = "http://elsewhere/v1".to_owned();
    let engine = rig.start().await;
    assert_eq!(state(&engine.handle(), 0), Lifecycle::Active);
}

#[tokio::test(start_paused = true)]
async fn who_was_in_flight_when_an_arm_went_keeps_it_out_no_longer() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Fail(FailureClass::Transient));
    futures_util::future::join_all((0..30).map(|_| ask(&handle, "why is the sky blue?"))).await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let first = handle.snapshot().arms[0].until.unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    ask(&handle, "are you back?").await;
    until(&handle, "a is out again", |picture| picture.arms[0].until.unwrap() > first).await;
    let out = handle.snapshot().arms[0].until.unwrap().since(handle.now());
    assert!(out <= Duration::from_secs(25), "the second time is twice the first: {out:?}");
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

/// What a judge says that finds both candidates equally good.
fn verdict() -> Script {
    const BOTH: &str = r#"{"scores": {
        "A": {"relevance": 0.8, "coverage": 0.8, "faithfulness": 0.8, "hallucination_risk": 0.1, "overall": 0.8},
        "B": {"relevance": 0.8, "coverage": 0.8, "faithfulness": 0.8, "hallucination_risk": 0.1, "overall": 0.8}}}"#;
    Script::Answer(BOTH, Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_nothing_mends_is_told_and_not_asked_until_its_time() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.judge = Some(crate::domain::money::Price::default());
    rig.stage.script("judge", Script::Fail(FailureClass::Configuration));
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..4 {
        let run = ask(&handle, &format!("question {n}")).await;
        assert!(run.verdict.as_ref().is_some_and(|verdict| verdict.local_fallback));
    }
    assert_eq!(rig.stage.calls("judge"), 1, "the first finds out, the others need not");
    until(&handle, "it is told", |picture| picture.alarms.iter().any(|alarm| alarm.subject == "judge")).await;
    let alarm = handle.snapshot().alarms.iter().find(|alarm| alarm.subject == "judge").cloned().unwrap();
    assert!(alarm.message.contains("configuration") && alarm.message.contains("`[judge]`"), "{alarm:?}");
    rig.stage.script("judge", verdict());
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    let run = ask(&handle, "and now?").await;
    assert!(run.verdict.as_ref().is_some_and(|verdict| !verdict.local_fallback), "{:?}", run.verdict);
    until(&handle, "the alarm is over", |picture| picture.alarms.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn an_arm_that_is_out_is_back_at_once_where_the_others_are_switched_off_or_removed() {
    let off = RouterCommand::Deactivate { arms: vec!["b".into()] };
    for taken in [off, RouterCommand::RemoveArm { arm: "b".into() }] {
        let rig = Rig::new(&["a", "b"]);
        let engine = rig.start().await;
        let handle = engine.handle();
        rig.stage.script("a", Script::Fail(FailureClass::Configuration));
        ask(&handle, "who is there?").await;
        until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
        rig.stage.script("a", Script::Answer("I am well again", Duration::ZERO));
        applied(&handle, taken).await;
        assert_eq!(ask(&handle, "and now?").await.winner, Some("a".into()));
        let journal = handle.journal(JournalQuery { limit: 1 }).await.unwrap();
        assert!(matches!(&journal[0].command, RouterCommand::Reinstate { arm } if arm.as_str() == "a"), "{journal:?}");
        assert_eq!(journal[0].actor.name(), "rule");
        until(&handle, "and no alarm", |picture| picture.alarms.is_empty()).await;
        engine.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_arm_that_cools_down_is_nowhere_said_to_be_ejected() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.stage.script("a", Script::Limited(Duration::from_secs(30)));
    rig.stage.script("b", Script::Fail(FailureClass::Content));
    ask(&handle, "who is there?").await;
    until(&handle, "a is out", |picture| picture.arms[0].state == Lifecycle::Ejected).await;
    let said = ask(&handle, "and now?").await;
    let RunOutcome::Failed { message } = &said.outcome else { panic!("{said:?}") };
    assert!(message.contains("a: cooling (http_429): ") && !message.contains("ejected"), "{message}");
    let journal = handle.journal(JournalQuery { limit: 1 }).await.unwrap();
    let line = &journal[0];
    assert_eq!((line.command.name(), line.before.as_str(), line.after.as_str()), ("cool", "a active", "a cooling"));
}
