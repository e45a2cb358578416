//! Undo, redo, discard: exact, and refused with a reason where they cannot be.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, Observation, RouterCommand};
use crate::domain::engine::{CommandRequest, JournalQuery};
use crate::domain::ids::CommandId;
use crate::domain::spec::Lifecycle;
use crate::domain::terms::Weights;
use crate::engine::testing::Rig;
use crate::engine::testing::rig::{applied, ask, rejected};

fn decay(factor: f64) -> RouterCommand {
    RouterCommand::Decay { factor, arms: vec![] }
}

/// The end of the log.
fn newest(rig: &Rig) -> u64 {
    rig.store.log().last().unwrap().sequence
}

/// What the newest run taught.
fn observed(rig: &Rig) -> Option<Observation> {
    match rig.store.log().pop()?.command {
        RouterCommand::Observe(observation) => Some(observation),
        _ => None,
    }
}

/// Waits until a snapshot is due by time alone, and stored.
async fn until_snapshot(rig: &Rig) {
    tokio::time::sleep(rig.limits.snapshot_every + Duration::from_secs(2)).await;
}

async fn line(engine: &crate::engine::Engine, sequence: u64) -> JournalEntry {
    let journal = engine.handle().journal(JournalQuery { limit: 100 }).await.unwrap();
    journal.into_iter().find(|line| line.sequence == sequence).unwrap()
}

/// Two engines see the same runs; one also sees an action and its undo.
#[tokio::test(start_paused = true)]
async fn undoing_equals_never_having_done_it() {
    let actions = [
        decay(0.3),
        RouterCommand::ResetArm { arm: "b".into() },
        RouterCommand::Deactivate { arms: vec!["b".into()] },
        RouterCommand::SetWeights { weights: Weights::new([0.1, 0.9, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap() },
    ];
    for action in actions {
        let (rig, other) = (Rig::new(&["a", "b", "c"]), Rig::new(&["a", "b", "c"]));
        let (with, without) = (rig.start().await, other.start().await);
        let mut done = None;
        for n in 0..12 {
            let prompt = format!("question number {n}");
            let record = ask(&without.handle(), &prompt).await;
            if n == 6 {
                done = Some(applied(&with.handle(), action.clone()).await.sequence);
            }
            // The same observation reaches both, whoever was asked: what later runs taught stands as recorded.
            with.teach(&record, observed(&other)).await;
        }
        assert_ne!(with.digest_with_pool(), without.digest_with_pool(), "{action:?}");
        let undo = applied(&with.handle(), RouterCommand::Undo { target: done.unwrap() }).await;
        assert_eq!(with.digest_with_pool(), without.digest_with_pool(), "{action:?}");
        assert_eq!(line(&with, done.unwrap()).await.undone_by, Some(undo.sequence));
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_can_be_undone_and_again() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..6 {
        ask(&handle, &format!("question {n}")).await;
    }
    let plain = engine.digest();
    let target = applied(&handle, decay(0.5)).await.sequence;
    let decayed = engine.digest();
    let first = applied(&handle, RouterCommand::Undo { target }).await.sequence;
    assert_eq!(engine.digest(), plain);
    let said = rejected(&handle, RouterCommand::Undo { target }).await;
    assert!(said.contains("already undone"), "{said}");
    let redo = applied(&handle, RouterCommand::Undo { target: first }).await.sequence;
    assert_eq!(engine.digest(), decayed);
    let (done, again) = (line(&engine, target).await, line(&engine, redo).await);
    assert_eq!(done.undone_by, None);
    assert_eq!((again.before, again.after), (done.before, done.after), "in words of what came back");
    applied(&handle, RouterCommand::Undo { target: redo }).await;
    assert_eq!(engine.digest(), plain);
    assert_eq!(line(&engine, target).await.undone_by, Some(first));
    engine.stop().await;
    assert_eq!(rig.start().await.digest(), plain);
}

#[tokio::test(start_paused = true)]
async fn several_undos_do_not_bring_each_other_back() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..4 {
        ask(&handle, &format!("question {n}")).await;
    }
    let plain = engine.digest();
    let first = applied(&handle, decay(0.5)).await.sequence;
    until_snapshot(&rig).await;
    let second = applied(&handle, decay(0.7)).await.sequence;
    applied(&handle, RouterCommand::Undo { target: first }).await;
    // The snapshot between the two has the first decay in it, which must stay out.
    applied(&handle, RouterCommand::Undo { target: second }).await;
    assert_eq!(engine.digest(), plain);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_interval_was_never_learned() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..4 {
        ask(&handle, &format!("question {n}")).await;
    }
    let (good, from) = (engine.digest(), newest(&rig) + 1);
    for n in 0..4 {
        ask(&handle, &format!("poisoned {n}")).await;
    }
    let to = newest(&rig);
    assert_ne!(engine.digest(), good);
    let discard = applied(&handle, RouterCommand::Discard { from, to }).await.sequence;
    assert_eq!(engine.digest(), good);
    let poisoned = applied(&handle, RouterCommand::Undo { target: discard }).await;
    assert_ne!(engine.digest(), good);
    assert!(poisoned.sequence > discard);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_says_why() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let old = applied(&handle, decay(0.9)).await.sequence;
    ask(&handle, "a question").await;
    let run = newest(&rig);
    let said = rejected(&handle, RouterCommand::Undo { target: run }).await;
    assert!(said.contains("no operator action"), "{said}");
    until_snapshot(&rig).await;
    rig.store.trim(run + 1);
    let said = rejected(&handle, RouterCommand::Undo { target: old }).await;
    assert!(said.contains("beyond the log"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn removing_an_arm_can_be_undone_with_its_adapter() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    ask(&handle, "a question").await;
    let before = engine.digest_with_pool();
    let removed = applied(&handle, RouterCommand::RemoveArm { arm: "a".into() }).await.sequence;
    assert_eq!(ask(&handle, "who is left?").await.winner, Some("b".into()));
    applied(&handle, RouterCommand::Undo { target: removed }).await;
    assert_ne!(engine.digest_with_pool(), before, "the run in between is kept");
    applied(&handle, RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    assert_eq!(ask(&handle, "who now?").await.winner, Some("a".into()));
    let states: Vec<Lifecycle> = handle.snapshot().arms.iter().map(|arm| arm.state).collect();
    assert_eq!(states.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn undoing_what_no_screen_shows_any_more_puts_nothing_old_on_screen() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let old = applied(&handle, decay(0.5)).await.sequence;
    for _ in 0..80 {
        applied(&handle, decay(0.99)).await;
    }
    let undo = applied(&handle, RouterCommand::Undo { target: old }).await.sequence;
    crate::engine::testing::rig::until(&handle, "the undo is shown", |picture| picture.sequence == undo).await;
    let shown: Vec<u64> = handle.snapshot().journal.iter().map(|line| line.sequence).collect();
    assert_eq!(shown[0], undo);
    assert!(shown.is_sorted_by(|newer, older| newer > older), "{shown:?}");
    assert_eq!(line(&engine, old).await.undone_by, Some(undo));
}

#[tokio::test(start_paused = true)]
async fn rules_do_not_push_what_a_person_did_off_the_screen() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let by_person = applied(&handle, decay(0.5)).await.sequence;
    let mut newest = by_person;
    for n in 0..80 {
        let id = CommandId::new(Timestamp::from_millis(n), n);
        let request = CommandRequest { id, actor: Actor::Rule("health".to_owned()), command: decay(0.99) };
        let Ok(Acknowledgement::Applied { entry, .. }) = handle.command(request).await else { panic!("applied") };
        newest = entry.sequence;
    }
    crate::engine::testing::rig::until(&handle, "all are shown", |picture| picture.sequence == newest).await;
    let shown: Vec<u64> = handle.snapshot().journal.iter().map(|line| line.sequence).collect();
    assert!(shown[0] == newest && shown.contains(&by_person), "{shown:?}");
    assert_eq!(shown.len(), 64);
}

/// Forgetting is in no entry of the log: what was folded under another would not be the same again.
#[tokio::test(start_paused = true)]
async fn what_was_folded_under_other_settings_is_not_folded_again() {
    let rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    ask(&engine.handle(), "a question").await;
    let before = applied(&engine.handle(), decay(0.5)).await;
    engine.stop().await;
    let mut parts = rig.parts();
    parts.router_config.forgetting = 0.99;
    let engine = crate::engine::Engine::start(parts).await.unwrap();
    let reason = rejected(&engine.handle(), RouterCommand::Undo { target: before.sequence }).await;
    assert!(reason.contains("router.forgetting"), "{reason}");
    let after = applied(&engine.handle(), decay(0.9)).await;
    applied(&engine.handle(), RouterCommand::Undo { target: after.sequence }).await;
}
