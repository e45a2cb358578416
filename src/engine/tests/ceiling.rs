//! A ceiling of dollars as the engine keeps it: across restarts, by flag, and where it cannot hold.

use std::time::Duration;

use crate::domain::command::{AnswerOutcome, ArmObservation, Observation, RouterCommand};
use crate::domain::engine::JournalQuery;
use crate::domain::ids::RunId;
use crate::domain::money::Price;
use crate::domain::spec::{ConfigFacts, Strategy};
use crate::engine::Engine;
use crate::engine::testing::rig::{NOON, applied, ask, submit, until};
use crate::engine::testing::{Rig, Script, record};

fn priced(mut rig: Rig) -> Rig {
    for arm in &mut rig.facts.arms {
        arm.price = Some(Price { input: 1.0, output: 1.0 });
    }
    rig
}

fn requests(engine: &Engine) -> u64 {
    engine.state().account().map_or(0, |account| account.requests)
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_that_a_flag_sets_at_every_start_keeps_its_account() {
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.session = Some(ConfigFacts { budget_per_request: Some(0.01), ..rig.facts.clone() });
    let engine = rig.start().await;
    for n in 0..3 {
        ask(&engine.handle(), &format!("question {n}")).await;
    }
    assert_eq!(requests(&engine), 3);
    let lines = engine.handle().journal(JournalQuery { limit: 50 }).await.unwrap().len();
    engine.stop().await;

    let engine = rig.start().await;
    assert_eq!(requests(&engine), 3, "what was spent is not forgiven");
    assert_eq!(engine.handle().journal(JournalQuery { limit: 50 }).await.unwrap().len(), lines, "and nothing is said");
    applied(&engine.handle(), RouterCommand::SetBudget { dollars: Some(0.01) }).await;
    assert_eq!(requests(&engine), 3, "nor is it where a person says the same again");
    engine.stop().await;

    rig.session = None;
    let engine = rig.start().await;
    assert_eq!(engine.state().account(), None, "without the flag there is no ceiling, as before it");
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_arm_without_a_price_is_an_alarm_under_a_ceiling() {
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.facts.arms[1].price = None;
    let engine = rig.start().await;
    let handle = engine.handle();
    assert!(handle.snapshot().alarms.is_empty());
    applied(&handle, RouterCommand::SetBudget { dollars: Some(0.01) }).await;
    until(&handle, "it is told", |picture| picture.alarms.iter().any(|alarm| alarm.subject == "unpriced")).await;
    let alarm = &handle.snapshot().alarms[0];
    assert!(alarm.message.starts_with("b counts as free") && alarm.message.contains("price_per_million"), "{alarm:?}");
    applied(&handle, RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    until(&handle, "it is gone", |picture| picture.alarms.is_empty()).await;
    engine.stop().await;
}

/// Arms "a" and "b" whose quality and dollars are known: b is better and twenty times as dear.
async fn schooled(rig: &Rig, ceiling: f64) -> Engine {
    let engine = rig.start().await;
    applied(&engine.handle(), RouterCommand::SetBudget { dollars: Some(ceiling) }).await;
    for n in 0..60 {
        let (arm, quality, dollars) = if n % 4 > 0 { ("a", 0.3, 0.001) } else { ("b", 0.9, 0.02) };
        let record = std::sync::Arc::new(record(NOON, n).served_by(arm).build());
        let x = vec![1.0; engine.state().config().d];
        let arms = vec![ArmObservation {
            arm: arm.into(),
            signals: Vec::new(),
            quality: Some(quality),
            preview: None,
            answer: Some(AnswerOutcome { dollars, fallback: 0.0 }),
            trial: false,
            win: false,
            served: true,
        }];
        let run = RunId::new(NOON, n);
        engine.teach(&record, Some(Observation { run, x, arms, spent_usd: Some(dollars) })).await;
    }
    engine
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_runs_is_decided_within_the_ceiling_and_holds_nothing_afterwards() {
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.strategy = Strategy::Direct;
    let slow = Duration::from_secs(5);
    rig.stage.script("a", Script::Answer("short", slow));
    rig.stage.script("b", Script::Answer("short", slow));
    let ceiling = 0.006;
    let engine = schooled(&rig, ceiling).await;
    let handle = engine.handle();
    for _ in 0..3 {
        let mut runs = Vec::new();
        for n in 0..100 {
            runs.push(submit(&handle, &format!("question {n}")).await.unwrap());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (dear, cheap) = (rig.stage.calls("b"), rig.stage.calls("a"));
        let dollars = 0.02 * dear as f64 + 0.001 * cheap as f64;
        assert_eq!(dear + cheap, 100);
        assert!(dear > 5 && dollars <= ceiling * 100.0, "{dear} of b, {cheap} of a: {dollars}");
        // Whatever ends them, cancelling too, they let go.
        drop(runs);
        until(&handle, "all have ended", |picture| picture.totals.in_flight == 0).await;
        rig.stage.forget_calls();
    }
    engine.stop().await;
}
