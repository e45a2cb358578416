//! Commands: order, once per id, reasons, durability, rating, what-if, export and import.

use std::time::Duration;

use crate::domain::command::{Acknowledgement, Actor, Durability, RouterCommand};
use crate::domain::engine::{EngineError, JournalQuery};
use crate::domain::spec::{Lifecycle, Mode, ShareLimits};
use crate::domain::terms::Weights;
use crate::engine::testing::Rig;
use crate::engine::testing::rig::{ann, applied, ask, command, rejected, request, spec, until};

fn weights(quality: f64) -> RouterCommand {
    RouterCommand::SetWeights { weights: Weights::new([quality, 0.2, 0.1, 0.0, 0.0, 0.0], 0.05).unwrap() }
}

#[tokio::test(start_paused = true)]
async fn commands_are_acknowledged_in_order_when_they_are_on_disk() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let start = handle.snapshot().sequence;
    let syncs = rig.store.syncs();
    let sent = (0..5_u64).map(|n| handle.command(request(n, weights(0.5 + n as f64))));
    let acks = futures_util::future::join_all(sent).await;
    for (n, ack) in acks.into_iter().enumerate() {
        let Ok(Acknowledgement::Applied { entry, durability }) = ack else { panic!("{ack:?}") };
        assert_eq!((entry.sequence, durability), (start + n as u64 + 1, Durability::Durable));
        assert_eq!(rig.store.log().iter().filter(|e| e.id == entry.id).count(), 1);
    }
    // Sent together, written together.
    assert_eq!(rig.store.syncs(), syncs + 1);
    until(&handle, "the last weights are shown", |picture| picture.sequence == start + 5).await;
    let journal = handle.journal(JournalQuery { limit: 2 }).await.unwrap();
    assert_eq!(journal[0].sequence, start + 5);
    assert!(journal[0].before != journal[0].after && journal[0].after.starts_with('q'), "{:?}", journal[0]);
    assert_eq!(journal[0].actor, ann());
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_id_twice_applies_once_even_after_a_restart() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let once = request(1, RouterCommand::Decay { factor: 0.5, arms: vec![] });
    let handle = engine.handle();
    let (first, second) = tokio::join!(handle.command(once.clone()), handle.command(once.clone()));
    let Ok(Acknowledgement::Applied { entry, .. }) = first else { panic!("{first:?}") };
    assert_eq!(second, Ok(Acknowledgement::Duplicate { sequence: entry.sequence }));
    engine.stop().await;
    let again = rig.start().await;
    assert_eq!(again.handle().command(once).await, Ok(Acknowledgement::Duplicate { sequence: entry.sequence }));
}

#[tokio::test(start_paused = true)]
async fn refusals_say_why_and_change_nothing() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let before = handle.snapshot().sequence;
    let price = crate::domain::money::Price { input: f64::NAN, output: 1.0, cached: None };
    let nan = crate::domain::spec::ArmSpec { price: Some(price), ..spec("pricey") };
    let rows = [
        (RouterCommand::Deactivate { arms: vec!["zeta".into()] }, "no arm \"zeta\""),
        (RouterCommand::Deactivate { arms: vec!["a".into(), "b".into()] }, "no arm that can answer"),
        (RouterCommand::Decay { factor: f64::NAN, arms: vec![] }, "factor"),
        (RouterCommand::Prune { min_trials: 1, min_win_rate: 0.5, victims: vec!["a".into()] }, "nobody would go"),
        (RouterCommand::Undo { target: 999 }, "#999"),
        (RouterCommand::AddArm { spec: spec("two words") }, "no name"),
        (RouterCommand::AddArm { spec: nan }, "not finite"),
        (RouterCommand::Import { sequence: 1, exported: handle.now() }, "exported text"),
    ];
    for (what, reason) in rows {
        let said = rejected(&handle, what.clone()).await;
        assert!(said.contains(reason) || said.contains("999"), "{what:?}: {said}");
    }
    assert_eq!(handle.snapshot().sequence, before);
    engine.stop().await;
    assert_eq!(handle.command(request(9, weights(0.5))).await, Err(EngineError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn arms_come_and_go_with_their_adapters() {
    let rig = Rig::new(&["a"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    applied(&handle, RouterCommand::AddArm { spec: spec("b") }).await;
    applied(&handle, RouterCommand::Deactivate { arms: vec!["a".into()] }).await;
    assert_eq!(ask(&handle, "who is there?").await.winner, Some("b".into()));
    until(&handle, "b has all traffic", |p| p.arms[1].share.is_some_and(|share| share.get() > 0.99)).await;
    applied(&handle, RouterCommand::Reactivate { arms: vec!["a".into()] }).await;
    applied(&handle, RouterCommand::RemoveArm { arm: "b".into() }).await;
    assert_eq!(ask(&handle, "and now?").await.winner, Some("a".into()));
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_never_blocks_and_says_so() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    rig.store.fail(true);
    let Acknowledgement::Applied { durability, .. } = command(&handle, weights(0.4)).await else { panic!() };
    assert_eq!(durability, Durability::MemoryOnly);
    let writes = || handle.snapshot().tally.writes.iter().map(crate::domain::tally::Histogram::count).sum::<u64>();
    until(&handle, "the write that failed was counted", |_| true).await;
    let tried = writes();
    assert!(ask(&handle, "still there?").await.winner.is_some());
    assert!(ask(&handle, "and now?").await.winner.is_some());
    until(&handle, "both are shown", |picture| picture.totals.runs == 2).await;
    assert!(writes() <= tried + 1, "a store that is left alone for a while is not written to: {tried}, {}", writes());
    until(&handle, "the banner and the alarm", |picture| {
        picture.store.durability == Durability::MemoryOnly
            && picture.store.notice.as_ref().is_some_and(|notice| notice.contains("disk full"))
            && picture.alarms.iter().any(|alarm| alarm.subject == "store")
    })
    .await;
    rig.store.fail(false);
    until(&handle, "the store is back", |picture| {
        picture.store.durability == Durability::Durable && picture.alarms.iter().all(|alarm| alarm.subject != "store")
    })
    .await;
    let sequences: Vec<u64> = rig.store.log().iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=handle.snapshot().sequence).collect::<Vec<_>>());
    rig.store.hang(true);
    let began = tokio::time::Instant::now();
    applied(&handle, weights(0.3)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    // What has to be read is refused in time as well, and holds up nobody else.
    let unknown = crate::domain::ids::RunId::new(handle.now(), 1);
    assert!(matches!(handle.rate(unknown, 1.0, ann()).await, Err(EngineError::Store(_))));
    assert!(matches!(handle.export().await, Err(EngineError::Store(_))));
    applied(&handle, weights(0.4)).await;
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_rating_amends_and_can_be_taken_back() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let run = ask(&handle, "please rate me").await;
    let untouched = engine.means(&run.context.x);
    let winner = run.winner.clone().unwrap();
    let judged = run.rewards[&winner].terms["quality"].value;
    for (rating, same) in [(0.0, false), (judged, true)] {
        let ack = handle.rate(run.run_id, rating, ann()).await.unwrap();
        assert!(matches!(ack, Acknowledgement::Applied { durability: Durability::Durable, .. }), "{ack:?}");
        assert_eq!(handle.run(run.run_id).await.unwrap().unwrap().rating, Some(rating));
        let means = engine.means(&run.context.x);
        let is_same = means.iter().zip(&untouched).all(|(now, then)| (now - then).abs() < 1e-9);
        assert_eq!(is_same, same, "after a rating of {rating}: {means:?}, before {untouched:?}");
    }
    for (id, rating, reason) in
        [(run.run_id, 1.5, "from 0 to 1"), (crate::domain::ids::RunId::new(handle.now(), 1), 1.0, "not known")]
    {
        let Err(EngineError::Refused(said)) = handle.rate(id, rating, ann()).await else { panic!("{rating}") };
        assert!(said.contains(reason), "{said}");
    }
}

/// A rating that is taken out with its interval was never given: the next one amends what the verdict taught.
#[tokio::test(start_paused = true)]
async fn a_discarded_rating_is_no_longer_what_is_amended() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let run = ask(&handle, "please rate me").await;
    handle.rate(run.run_id, 1.0, ann()).await.unwrap();
    let once = engine.means(&run.context.x);
    handle.rate(run.run_id, 0.0, ann()).await.unwrap();
    until(&handle, "it is not resolved", |picture| picture.totals.runs == 1 && picture.totals.resolved == 0).await;
    let rated = rig.store.log().last().unwrap().sequence;
    applied(&handle, RouterCommand::Discard { from: rated - 1, to: rated }).await;
    assert_eq!(handle.run(run.run_id).await.unwrap().unwrap().rating, None);
    until(&handle, "it is resolved again", |picture| picture.totals.resolved == 1).await;
    handle.rate(run.run_id, 1.0, ann()).await.unwrap();
    let again = engine.means(&run.context.x);
    assert!(once.iter().zip(&again).all(|(once, again)| (once - again).abs() < 1e-9), "{once:?} {again:?}");
}

#[tokio::test(start_paused = true)]
async fn what_if_changes_nothing() {
    let rig = Rig::new(&["a", "b", "c"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let empty = handle.what_if(RouterCommand::Decay { factor: 0.5, arms: vec![] }).await.unwrap();
    assert_eq!(empty.contexts, 0);
    for n in 0..20 {
        ask(&handle, &format!("question {n}")).await;
    }
    let decay = applied(&handle, RouterCommand::Decay { factor: 0.5, arms: vec![] }).await;
    let before = (engine.digest(), handle.snapshot().sequence);
    let off = handle.what_if(RouterCommand::Deactivate { arms: vec!["a".into()] }).await.unwrap();
    assert_eq!(off.contexts, 20);
    let share = |list: &[(crate::domain::ids::ArmId, f64)]| list.iter().map(|(_, share)| share).sum::<f64>();
    assert!((share(&off.now.share) - 1.0).abs() < 1e-6 && (share(&off.then.share) - 1.0).abs() < 1e-6, "{off:?}");
    assert!(off.then.share.iter().all(|(arm, share)| arm.as_str() != "a" || *share == 0.0));
    handle.what_if(RouterCommand::Undo { target: decay.sequence }).await.unwrap();
    let refused = handle.what_if(RouterCommand::Deactivate { arms: vec!["zeta".into()] }).await;
    assert!(matches!(refused, Err(EngineError::Refused(_))), "{refused:?}");
    assert_eq!((engine.digest(), handle.snapshot().sequence), before);
}

#[tokio::test(start_paused = true)]
async fn a_mode_ends_by_itself() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let expires = handle.now().plus(Duration::from_mins(2));
    let mode = Mode { pinned: Some("b".into()), expires: Some(expires), ..Mode::default() };
    applied(&handle, RouterCommand::SetMode { mode }).await;
    assert_eq!(ask(&handle, "who answers?").await.winner, Some("b".into()));
    until(&handle, "the mode is over", |picture| picture.mode == Mode::default()).await;
    assert!(handle.now() >= expires);
    assert_eq!(handle.journal(JournalQuery { limit: 1 }).await.unwrap()[0].actor, Actor::Rule("expiry".into()));
}

#[tokio::test(start_paused = true)]
async fn an_export_reads_back_elsewhere() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    for n in 0..5 {
        ask(&engine.handle(), &format!("question {n}")).await;
    }
    applied(&engine.handle(), RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    let text = engine.handle().export().await.unwrap();
    let (digest, sequence) = (engine.digest(), engine.handle().snapshot().sequence);

    let other = Rig::new(&["c"]);
    let elsewhere = other.start().await;
    let handle = elsewhere.handle();
    let former = elsewhere.digest();
    let ack = handle.import(text.clone(), ann()).await.unwrap();
    let Acknowledgement::Applied { entry, durability: Durability::Durable } = ack else { panic!("{ack:?}") };
    assert_eq!(elsewhere.digest(), digest);
    assert_eq!(ask(&handle, "who is there?").await.winner, Some("a".into()));
    assert!(other.store.values().keys().any(|key| key.starts_with("kept:")), "the former state is kept");
    let learned = elsewhere.digest();
    elsewhere.stop().await;
    let restarted = other.start().await;
    assert_eq!(restarted.digest(), learned);
    assert!(restarted.handle().snapshot().sequence > entry.sequence);
    let handle = restarted.handle();
    let across = rejected(&handle, RouterCommand::Undo { target: 1 }).await;
    assert!(across.contains("imported"), "{across}");
    assert_eq!(handle.snapshot().arms.iter().filter(|arm| arm.state == Lifecycle::Deactivated).count(), 1);
    applied(&handle, RouterCommand::Undo { target: entry.sequence }).await;
    assert_eq!(restarted.digest(), former);
    assert!(sequence > 0);

    for (bad, reason) in [
        ("not json".to_owned(), "no exported state"),
        ("{\"format\":\"x\",\"version\":1}".to_owned(), "no exported state"),
        (text.replacen("\"version\": 1", "\"version\": 99", 1), "update banditop"),
        (text.replace("\\\"d\\\":", "\\\"d\\\":1"), "features"),
    ] {
        let said = handle.import(bad, ann()).await;
        assert!(matches!(&said, Err(EngineError::Refused(said)) if said.contains(reason)), "{reason}: {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_that_rise_are_shown_as_they_are_now_while_nothing_else_happens() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let limits = Some(ShareLimits { min: 0.0, max: 1.0, ramp_s: 20.0 });
    applied(&handle, RouterCommand::SetShareLimits { arm: "a".into(), limits }).await;
    for (after, expected) in [(5, 0.25), (5, 0.5), (5, 0.75), (10, 1.0)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        let picture = handle.snapshot();
        let (_, most) = picture.arms[0].limits.unwrap().now;
        assert!((most - expected).abs() < 0.06, "{most} for {expected}");
    }
    let shown = handle.snapshot().revision;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(handle.snapshot().revision, shown, "at rest nothing is drawn");
}
