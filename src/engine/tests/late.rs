//! Answers of `direct` runs that are judged afterwards.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::command::RouterCommand;
use crate::domain::engine::EngineHandle;
use crate::domain::failure::FailureClass;
use crate::domain::money::Price;
use crate::domain::record::RunRecord;
use crate::domain::spec::Strategy;
use crate::engine::testing::rig::{ann, applied, ask, until};
use crate::engine::testing::{Rig, Script};

/// What the judge says of the one candidate that it is shown.
const VERDICT: &str = r#"{"scores": {"A": {"relevance": 0.8, "coverage": 0.8, "faithfulness": 0.8, "hallucination_risk": 0.2, "overall": 0.8}}}"#;
/// Two arms at a dollar a token, of which an answer takes ten in and ten out, and a judge at a tenth of that.
fn rig(share: f64, judge: Script) -> Rig {
    let mut rig = Rig::new(&["a", "b"]);
    rig.strategy = Strategy::Direct;
    rig.race.policies.afterwards = share;
    rig.facts.arms.iter_mut().for_each(|arm| arm.price = Some(Price { input: 1e6, output: 1e6, cached: None }));
    rig.judge = Some(Price { input: 1e5, output: 1e5, cached: None });
    rig.stage.script("judge", judge);
    rig
}

fn verdict() -> Script {
    Script::Answer(VERDICT, Duration::from_millis(20))
}

/// Waits for what the judge said of the newest run, and reads its record again.
async fn judged(handle: &Arc<dyn EngineHandle>, run: &RunRecord) -> Arc<RunRecord> {
    loop {
        let record = handle.run(run.run_id).await.unwrap().unwrap();
        if record.policies.afterwards.is_some() {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn quality(record: &RunRecord) -> Option<f64> {
    record.rewards.get(record.winner.as_ref()?)?.value(crate::domain::terms::Term::Quality)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_judged_after_it_was_served_and_teaches_its_quality() {
    let rig = rig(1.0, verdict());
    let engine = rig.start().await;
    let handle = engine.handle();
    let served = ask(&handle, "why is the sky blue?").await;
    assert!(served.verdict.is_none() && quality(&served).is_none(), "nobody waits for it");
    let before = engine.means(&served.context.x);
    assert!((served.cost_usd - 20.0).abs() < 1e-6, "{}", served.cost_usd);
    let record = judged(&handle, &served).await;
    assert_eq!((quality(&record), record.rating), (Some(0.8), None));
    assert_eq!(record.verdict.as_ref().map(|verdict| verdict.judge.as_str()), Some("judge"));
    let afterwards = record.policies.afterwards.unwrap();
    assert!(afterwards.taught && afterwards.share.to_bits() == 1.0f64.to_bits() && afterwards.seconds >= 0.02);
    assert!((record.cost_usd - 22.0).abs() < 1e-6, "{}", record.cost_usd);
    until(&handle, "it is shown", |picture| {
        picture
            .recent_runs
            .first()
            .and_then(|run| run.afterwards)
            .is_some_and(|quality| (quality.get() - 0.8).abs() < 1e-9)
    })
    .await;
    assert_ne!(engine.means(&served.context.x), before);
    let picture = handle.snapshot();
    assert!((picture.totals.usd_today - 22.0).abs() < 1e-6 && picture.totals.usd_per_run == Some(22.0), "{picture:?}");
    let judge = &picture.tally.judges["judge"];
    assert_eq!((judge.made, judge.tokens_in, judge.tokens_out, judge.cost_nano), (1, 10, 10, 2_000_000_000));
    assert_eq!(handle.rate(served.run_id, 0.3, ann()).await.map(|_| ()), Ok(()));
    let amendment = |entry: crate::domain::command::LogEntry| match entry.command {
        RouterCommand::Amend { old, new, .. } => Some((entry.actor.name().to_owned(), old, new)),
        _ => None,
    };
    let amended: Vec<_> = rig.store.log().into_iter().filter_map(amendment).collect();
    assert_eq!(amended, [("rule".to_owned(), None, 0.8), ("ann".to_owned(), Some(0.8), 0.3)]);

    let (digest, means) = (engine.digest_with_pool(), engine.means(&served.context.x));
    drop(engine);
    let again = rig.start().await;
    assert_eq!(again.digest_with_pool(), digest, "the log gives the same bits");
    assert_eq!(again.means(&served.context.x), means);
    let after = again.handle().snapshot().totals.usd_today;
    assert!((after - 22.0).abs() < 1e-6, "a crash forgets no dollar and counts none twice: {after}");
}

#[tokio::test(start_paused = true)]
async fn which_answers_are_judged_follows_from_the_seed() {
    let drawn = async || {
        let rig = rig(0.3, verdict());
        let engine = rig.start().await;
        let handle = engine.handle();
        let mut drawn = Vec::new();
        for n in 0..40 {
            let run = ask(&handle, &format!("question {n}")).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let record = handle.run(run.run_id).await.unwrap().unwrap();
            drawn.push(record.policies.afterwards.is_some_and(|afterwards| afterwards.taught));
        }
        assert_eq!(handle.snapshot().tally.judges["judge"].made, drawn.iter().filter(|drawn| **drawn).count() as u64);
        drawn
    };
    let first = drawn().await;
    let count = first.iter().filter(|drawn| **drawn).count();
    assert!((4..=24).contains(&count), "{count} of 40");
    assert_eq!(drawn().await, first);
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_is_down_afterwards_changes_nothing() {
    let rig = rig(1.0, Script::Fail(FailureClass::Configuration));
    let engine = rig.start().await;
    let handle = engine.handle();
    let served = ask(&handle, "why is the sky blue?").await;
    let before = engine.digest_with_pool();
    let record = judged(&handle, &served).await;
    assert_eq!(engine.digest_with_pool(), before);
    assert_eq!((&record.rewards, &record.verdict, &record.answer), (&served.rewards, &None, &served.answer));
    assert!(!record.policies.afterwards.unwrap().taught);
    assert!(record.judging.as_ref().is_some_and(|judging| judging.error.is_some()), "that it failed is on the record");
    assert_eq!(rig.store.log().iter().filter(|entry| matches!(entry.command, RouterCommand::Amend { .. })).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_no_late_verdict_and_leaves_no_task() {
    let rig = rig(1.0, Script::Hang);
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..12 {
        ask(&handle, &format!("question {n}")).await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(engine.tasks(), 8, "so many at a time, and no more");
    let began = tokio::time::Instant::now();
    assert_eq!(engine.stop().await.cancelled, 0);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    rig.stage.script("judge", verdict());
    let engine = rig.start().await;
    let handle = engine.handle();
    let run = ask(&handle, "and now?").await;
    judged(&handle, &run).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(engine.tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_said_meanwhile_stands() {
    let rig = rig(1.0, Script::Answer(VERDICT, Duration::from_secs(5)));
    let engine = rig.start().await;
    let handle = engine.handle();
    let served = ask(&handle, "why is the sky blue?").await;
    handle.rate(served.run_id, 0.1, ann()).await.unwrap();
    let means = engine.means(&served.context.x);
    let record = judged(&handle, &served).await;
    assert_eq!((record.rating, record.policies.afterwards.unwrap().taught), (Some(0.1), false));
    assert!(record.verdict.is_some());
    assert_eq!(engine.means(&served.context.x), means);
}

/// A verdict that is left out was never given: the rating after it stands for itself, and so does the next one.
#[tokio::test(start_paused = true)]
async fn a_discarded_verdict_was_never_given() {
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    let plain = rig(0.0, verdict());
    let engine = plain.start().await;
    let handle = engine.handle();
    let run = ask(&handle, "why is the sky blue?").await;
    let mut never = Vec::new();
    for rating in [0.3, 0.9] {
        handle.rate(run.run_id, rating, ann()).await.unwrap();
        never.push(engine.means(&run.context.x));
    }
    let with = rig(1.0, verdict());
    let engine = with.start().await;
    let handle = engine.handle();
    let served = ask(&handle, "why is the sky blue?").await;
    judged(&handle, &served).await;
    let is_verdict = |entry: &crate::domain::command::LogEntry| matches!(entry.command, RouterCommand::Amend { .. });
    let at = with.store.log().iter().find(|entry| is_verdict(entry)).unwrap().sequence;
    handle.rate(served.run_id, 0.3, ann()).await.unwrap();
    let discard = applied(&handle, RouterCommand::Discard { from: at, to: at }).await;
    let record = handle.run(served.run_id).await.unwrap().unwrap();
    assert_eq!((record.rating, record.policies.afterwards.unwrap().taught), (Some(0.3), false));
    let x = &served.context.x;
    assert!(close(&engine.means(x), &never[0]), "{:?} {:?}", engine.means(x), never[0]);
    handle.rate(served.run_id, 0.9, ann()).await.unwrap();
    assert!(close(&engine.means(x), &never[1]));
    let digest = engine.digest_with_pool();
    drop((engine, handle));
    let again = with.start().await;
    assert_eq!(again.digest_with_pool(), digest);
    applied(&again.handle(), RouterCommand::Undo { target: discard.sequence }).await;
    let record = again.handle().run(served.run_id).await.unwrap().unwrap();
    assert!(record.policies.afterwards.unwrap().taught, "the verdict is back");
}
