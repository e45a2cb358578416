//! A ceiling of dollars as the engine keeps it: across restarts, by flag, and where it cannot hold.

use crate::domain::command::RouterCommand;
use crate::domain::engine::JournalQuery;
use crate::domain::money::Price;
use crate::domain::spec::ConfigFacts;
use crate::engine::Engine;
use crate::engine::testing::Rig;
use crate::engine::testing::rig::{applied, ask, until};

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
