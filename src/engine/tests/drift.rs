//! Change that the engine tells of, and rules that time asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, ArmObservation, Observation, RouterCommand};
use crate::domain::engine::{EngineHandle, JournalQuery};
use crate::domain::ids::TimeId;
use crate::domain::spec::Lifecycle;
use crate::engine::testing::rig::{NOON, applied, until};
use crate::engine::testing::{Rig, record};
use crate::engine::{AutomaticPrune, Engine, PeriodicDecay};

const MINUTE: Duration = Duration::from_mins(1);

/// Teaches a run in which `a` had that quality, and lost to `b` where it was poor.
async fn teach(engine: &Engine, d: usize, n: u64, quality: f64) {
    let mut x = vec![0.0; d];
    x[0] = 1.0;
    let seen = |arm: &str, quality: f64, win: bool| ArmObservation {
        arm: arm.into(),
        signals: Vec::new(),
        quality: Some(quality),
        preview: None,
        answer: None,
        trial: true,
        win,
        served: win,
    };
    let arms = vec![seen("a", quality, quality > 0.6), seen("b", 0.6, quality <= 0.6)];
    let observation = Observation { spent_usd: None, run: TimeId::new(Timestamp::from_millis(n), n), x, arms };
    engine.teach(&Arc::new(record(NOON, n).served_by("a").build()), Some(observation)).await;
}

/// Lines of the journal by that rule.
async fn by_rule(engine: &Arc<dyn EngineHandle>, rule: &str) -> Vec<RouterCommand> {
    let journal = engine.journal(JournalQuery { limit: 100 }).await.unwrap();
    let is_of_it = |actor: &Actor| matches!(actor, Actor::Rule(name) if name == rule);
    journal.into_iter().filter(|line| is_of_it(&line.actor)).map(|line| line.command).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fall_raises_an_alarm_with_a_mark_that_its_remedy_clears() {
    let rig = Rig::new(&["a", "b"]);
    let d = rig.parts().router_config.d;
    let engine = rig.start().await;
    let handle = engine.handle();
    let noise = |n: u64| (n * 7 % 10) as f64 / 100.0;
    for n in 0..80 {
        teach(&engine, d, n, 0.85 + noise(n)).await;
    }
    tokio::time::sleep(2 * MINUTE).await;
    assert!(handle.snapshot().alarms.is_empty());
    for n in 80..110 {
        teach(&engine, d, n, 0.45 + noise(n)).await;
    }
    until(&handle, "the fall is told", |picture| !picture.alarms.is_empty()).await;
    let picture = handle.snapshot();
    let [alarm] = picture.alarms.as_slice() else { panic!("{:?}", picture.alarms) };
    assert_eq!((alarm.subject.as_str(), alarm.severity), ("drift:a", Severity::Warning));
    assert_eq!(alarm.remedy.as_deref(), Some("deactivate"));
    assert!(alarm.message.contains("quality fell by 0.") && alarm.message.contains("since 12:0"), "{}", alarm.message);
    assert!(
        picture.series.marks.iter().any(|mark| mark.label.starts_with("a quality -0.")),
        "{:?}",
        picture.series.marks
    );
    applied(&handle, RouterCommand::Decay { factor: 0.5, arms: vec!["a".into()] }).await;
    until(&handle, "the remedy clears it", |picture| picture.alarms.is_empty()).await;
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_share_is_forgotten_every_so_often_and_a_restart_does_not_start_the_clock_anew() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.periodic.decay = Some(PeriodicDecay { every: 10 * MINUTE, factor: 0.5 });
    let d = rig.parts().router_config.d;
    let engine = rig.start().await;
    for n in 0..8 {
        teach(&engine, d, n, 0.8).await;
    }
    // Nothing was forgotten yet that a journal could tell of.
    tokio::time::sleep(5 * MINUTE).await;
    engine.stop().await;
    let engine = rig.start().await;
    tokio::time::sleep(4 * MINUTE).await;
    assert!(by_rule(&engine.handle(), "forgetting").await.is_empty());
    tokio::time::sleep(2 * MINUTE).await;
    let once = vec![RouterCommand::Decay { factor: 0.5, arms: Vec::new() }];
    assert_eq!(by_rule(&engine.handle(), "forgetting").await, once);
    assert!((engine.handle().snapshot().arms[0].effective_n - 4.0).abs() < 1e-9);
    engine.stop().await;

    let again = rig.start().await;
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(by_rule(&again.handle(), "forgetting").await.len(), 1);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(by_rule(&again.handle(), "forgetting").await.len(), 2);
    again.stop().await;
}

#[tokio::test(start_paused = true)]
async fn arms_that_hardly_ever_win_go_by_themselves_and_nothing_is_said_where_nobody_does() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.periodic.prune = Some(AutomaticPrune { every: MINUTE, min_trials: 20, min_win_rate: 0.1 });
    let d = rig.parts().router_config.d;
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..19 {
        teach(&engine, d, n, 0.9).await;
    }
    tokio::time::sleep(5 * MINUTE).await;
    assert!(by_rule(&handle, "pruning").await.is_empty());
    teach(&engine, d, 19, 0.9).await;
    until(&handle, "b is pruned", |picture| picture.arms[1].state == Lifecycle::Pruned).await;
    tokio::time::sleep(5 * MINUTE).await;
    let lines = by_rule(&handle, "pruning").await;
    assert!(
        matches!(lines.as_slice(), [RouterCommand::Prune { victims, .. }] if *victims == ["b".into()]),
        "{lines:?}"
    );
    engine.stop().await;
}
