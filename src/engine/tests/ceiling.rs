//! A ceiling of dollars as the engine keeps it: across restarts, by flag, and where it cannot hold.

use std::time::Duration;

use crate::domain::alarm::Severity;
use crate::domain::command::{AnswerOutcome, ArmObservation, Observation, RouterCommand};
use crate::domain::engine::{EngineError, JournalQuery};
use crate::domain::ids::RunId;
use crate::domain::money::Price;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::spec::{ConfigFacts, Strategy};
use crate::engine::Engine;
use crate::engine::testing::rig::{NOON, applied, ask, finish, submit, until};
use crate::engine::testing::{Rig, Script, record};

fn priced(mut rig: Rig) -> Rig {
    for arm in &mut rig.facts.arms {
        arm.price = Some(Price { input: 1.0, output: 1.0, cached: None });
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

#[tokio::test(start_paused = true)]
async fn ceilings_of_a_run_and_a_day_tell_what_has_no_price_and_the_judge_too() {
    for (run, day) in [(Some(0.01), None), (None, Some(1.0))] {
        let mut rig = priced(Rig::new(&["a", "b"]));
        (rig.race.budget.run_usd, rig.race.budget.day_usd) = (run, day);
        rig.facts.arms[0].price = None;
        (rig.judge, rig.is_judge_unpriced) = (Some(Price::default()), true);
        let engine = rig.start().await;
        let handle = engine.handle();
        until(&handle, "it is told", |picture| picture.alarms.iter().any(|alarm| alarm.subject == "unpriced")).await;
        let alarm = handle.snapshot().alarms.iter().find(|alarm| alarm.subject == "unpriced").cloned().unwrap();
        assert!(alarm.message.starts_with("a, the judge count as free"), "{alarm:?}");
        engine.stop().await;
        rig.facts.arms[0].price = Some(Price { input: 0.0, output: 0.0, cached: None });
        rig.is_judge_unpriced = false;
        let engine = rig.start().await;
        assert_eq!(engine.handle().snapshot().alarms, [], "0 is a price");
        engine.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_whose_money_is_spent_is_an_alarm_until_it_is_over_or_the_ceiling_raised() {
    let is_told = |picture: &EngineSnapshot| picture.alarms.iter().any(|alarm| alarm.subject == "day_ceiling");
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.race.budget.day_usd = Some(0.000_1);
    let engine = rig.start().await;
    let handle = engine.handle();
    let mut asked = 0;
    let refused = loop {
        assert!(asked < 50 && !is_told(&handle.snapshot()));
        match submit(&handle, "why?").await {
            Ok(run) => drop(finish(run).await),
            Err(refused) => break refused,
        }
        asked += 1;
        // Not before the picture has what a run costs.
        until(&handle, "it is counted", |picture| picture.totals.runs == asked).await;
    };
    assert!(asked > 0 && refused.to_string().starts_with("`budget.per_day_usd` allows"), "{refused}");
    until(&handle, "it is told", is_told).await;
    let alarm = handle.snapshot().alarms[0].clone();
    assert_eq!((alarm.severity, alarm.remedy), (Severity::Critical, None));
    assert!(alarm.message.starts_with("`budget.per_day_usd`: $0.0000") && alarm.message.contains("until 00:00 UTC"));
    // A restart knows what was spent; a higher ceiling has room for it.
    engine.stop().await;
    let engine = rig.start().await;
    assert!(is_told(&engine.handle().snapshot()));
    engine.stop().await;
    rig.race.budget.day_usd = Some(1.0);
    let engine = rig.start().await;
    assert_eq!(engine.handle().snapshot().alarms, []);
    engine.stop().await;
    // As does the next day.
    rig.race.budget.day_usd = Some(0.000_1);
    let engine = rig.start().await;
    tokio::time::sleep(Duration::from_hours(12)).await;
    until(&engine.handle(), "it is gone", |picture| picture.alarms.is_empty()).await;
    ask(&engine.handle(), "and today?").await;
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn embeddings_have_a_price_of_their_own_and_count_for_the_run_and_the_day() {
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.race.budget.day_usd = Some(1_000.0);
    rig.embeds = true;
    let engine = rig.start().await;
    let handle = engine.handle();
    until(&handle, "it is told", |picture| picture.alarms.iter().any(|alarm| alarm.subject == "unpriced")).await;
    let alarm = handle.snapshot().alarms[0].clone();
    assert!(alarm.message.starts_with("the embedding of prompts counts as free"), "{alarm:?}");
    let free = ask(&handle, "why?").await.cost_usd;
    engine.stop().await;
    let mut rig = priced(Rig::new(&["a", "b"]));
    (rig.embeds, rig.embedding_price, rig.race.budget.day_usd) = (true, Some(1e4), Some(1_000.0));
    let engine = rig.start().await;
    let handle = engine.handle();
    let run = ask(&handle, "why?").await;
    let asked = run.policies.embedding.clone().unwrap();
    assert_eq!((asked.tokens, asked.cost_usd, asked.estimated), (100, Some(1.0), false));
    assert!((run.cost_usd - free - 1.0).abs() < 1e-9, "{} beside {free}", run.cost_usd);
    until(&handle, "it is spent today", |picture| (picture.totals.usd_today - run.cost_usd).abs() < 1e-9).await;
    let picture = handle.snapshot();
    let counted = &picture.tally.embeddings;
    assert_eq!((counted.made, counted.tokens_in, counted.cost_nano), (1, 100, 1_000_000_000));
    assert!(picture.alarms.is_empty(), "{:?}", picture.alarms);
    let again = ask(&handle, "why?").await;
    assert!(again.policies.embedding.is_none(), "it is known by now");
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
    for burst in 1..=3 {
        let mut runs = Vec::new();
        for n in 0..100 {
            runs.push(submit(&handle, &format!("question {n}")).await.unwrap());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (dear, cheap) = (rig.stage.calls("b"), rig.stage.calls("a"));
        let dollars = 0.02 * dear as f64 + 0.001 * cheap as f64;
        assert_eq!(dear + cheap, 100);
        // Those of the bursts before took their prompts and no more of what they were allowed.
        let most = ceiling * 100.0 * f64::from(burst);
        assert!(dear > 5 && dollars <= most, "{dear} of b, {cheap} of a: {dollars}");
        // Whatever ends them, cancelling too, they let go.
        drop(runs);
        until(&handle, "all have ended", |picture| picture.totals.in_flight == 0).await;
        rig.stage.forget_calls();
    }
    engine.stop().await;
}

/// Two arms of which an answer costs 20 dollars, under a day's ceiling.
fn under(ceiling: f64) -> Rig {
    let mut rig = priced(Rig::new(&["a", "b"]));
    rig.facts.arms.iter_mut().for_each(|arm| arm.price = Some(Price { input: 1e6, output: 1e6, cached: None }));
    rig.strategy = Strategy::Baseline;
    rig.race.budget.day_usd = Some(ceiling);
    rig
}

#[tokio::test(start_paused = true)]
async fn a_day_that_is_spent_refuses_by_name_and_the_next_one_opens() {
    let rig = under(50.0);
    let engine = rig.start().await;
    let handle = engine.handle();
    for (n, spent) in [(0, 20.0), (1, 40.0)] {
        assert!(ask(&handle, &format!("question {n}")).await.winner.is_some());
        until(&handle, "it is counted", |picture| (picture.totals.usd_today - spent).abs() < 1e-6).await;
    }
    let refused = |said: Option<EngineError>| match said {
        Some(EngineError::Refused(said)) => said,
        other => panic!("expected a refusal, found {other:?}"),
    };
    let said = refused(submit(&handle, "one too many").await.err());
    assert!(said.contains("`budget.per_day_usd` allows $50 a day (UTC): $40.000000 is spent"), "{said}");
    assert_eq!(rig.stage.calls("a"), 2, "nobody was called");
    drop((handle, engine));
    let engine = rig.start().await;
    let handle = engine.handle();
    refused(submit(&handle, "a restart forgives nothing").await.err());
    // It was noon.
    tokio::time::sleep(Duration::from_hours(12)).await;
    assert!(ask(&handle, "a new day").await.winner.is_some());
    until(&handle, "a new account", |picture| (picture.totals.usd_today - 20.0).abs() < 1e-6).await;
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn runs_at_once_reserve_before_they_start() {
    let rig = under(70.0);
    let engine = rig.start().await;
    let handle = engine.handle();
    ask(&handle, "what does a run cost?").await;
    until(&handle, "it is known", |picture| picture.totals.usd_per_run.is_some()).await;
    let mut started = Vec::new();
    for n in 0..5 {
        started.push(submit(&handle, &format!("question {n}")).await);
    }
    let (going, refused): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
    assert_eq!(
        (going.len(), refused.len()),
        (2, 3),
        "of the fifty dollars that are left two runs may spend twenty each"
    );
    for said in refused.into_iter().filter_map(Result::err) {
        let is_told = |said: &str| said.contains("`budget.per_day_usd`") && said.contains("$40.000000 is reserved");
        assert!(matches!(&said, EngineError::Refused(said) if is_told(said)), "{said:?}");
    }
    for run in going.into_iter().flatten() {
        assert!(finish(run).await.winner.is_some());
    }
    until(&handle, "all is spent", |picture| (picture.totals.usd_today - 60.0).abs() < 1e-6).await;
    assert!(submit(&handle, "ten dollars are left, and a run costs twenty").await.is_err());
    engine.stop().await;
}
