//! A restart goes on where it stopped; the configuration wins only where it was edited.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::alarm::Severity;
use crate::domain::chat::ChatRequest;
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::engine::{EngineHandle, JournalQuery, RunRequest};
use crate::domain::ids::ArmId;
use crate::domain::money::Price;
use crate::domain::record::{Origin, SessionRecord};
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::spec::{ConfigFacts, Lifecycle, Strategy};
use crate::domain::store::{LogBatch, StateStore};
use crate::domain::terms::Weights;
use crate::engine::Engine;
use crate::engine::testing::rig::{applied, ask, finish, rejected, spec, until};
use crate::engine::testing::{Rig, Script, record};

/// What must be the same, bar the moment.
fn essence(picture: &EngineSnapshot) -> EngineSnapshot {
    let mut same = picture.clone();
    same.revision = 0;
    same.at = crate::domain::clock::Timestamp::default();
    same.totals.runs_per_s = None;
    same.series = std::sync::Arc::default();
    same.helpers.clear();
    std::sync::Arc::make_mut(&mut same.tally).writes = Default::default();
    for arm in &mut same.arms {
        arm.reward_history.clear();
        arm.extras = None;
    }
    same
}

#[tokio::test(start_paused = true)]
async fn means_shares_and_history_are_the_same() {
    let rig = Rig::new(&["a", "b", "c"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..30 {
        let run = ask(&handle, &format!("question {n} about something else")).await;
        if n == 20 {
            handle.rate(run.run_id, 0.0, Actor::Person("ann".to_owned())).await.unwrap();
        }
        if n == 10 {
            applied(&handle, RouterCommand::Decay { factor: 0.8, arms: vec![] }).await;
            tokio::time::sleep(rig.limits.snapshot_every).await;
        }
    }
    let eject = RouterCommand::Eject {
        arm: "c".into(),
        reason: "down".into(),
        grows: true,
        until: handle.now().plus(rig.limits.snapshot_every),
    };
    applied(&handle, eject).await;
    until(&handle, "all runs are shown", |picture| picture.totals.runs == 30).await;
    let (before, digest) = (handle.snapshot(), engine.digest());
    let tally = &before.tally;
    assert_eq!((tally.ratings, tally.arms.values().map(|arm| arm.ejections).sum::<u64>()), ([0, 1], 1));
    let raced: Vec<u64> = before.arms.iter().map(|arm| arm.places.races).collect();
    assert_eq!(raced, before.arms.iter().map(|arm| arm.trials).collect::<Vec<_>>());
    assert!(raced.iter().sum::<u64>() > 30, "{raced:?}");
    let firsts: u64 = before.arms.iter().map(|arm| arm.places.first_three[0]).sum();
    assert!(firsts >= 30 && before.arms.iter().all(|arm| arm.places.among_best >= arm.places.first_three[0]));
    // As after a crash: no last snapshot, the log and the records are all there is.
    drop(engine);
    let again = rig.start().await;
    let after = again.handle().snapshot();
    assert_eq!(again.digest(), digest);
    assert_eq!(essence(&after), essence(&before));
    again.stop().await;
    let third = rig.start().await;
    assert_eq!(third.digest(), digest);
    assert_eq!(essence(&third.handle().snapshot()), essence(&before));
    assert_eq!(third.handle().runs(100).await.unwrap().len(), 30);
}

/// A turn of a conversation.
async fn say(engine: &Arc<dyn EngineHandle>, conversation: &str) -> (Option<SessionRecord>, Option<ArmId>) {
    let session = Some(conversation.to_owned());
    let request = ChatRequest::from_prompt("and then?");
    let run = engine.submit(RunRequest { request, origin: Origin::Person, session }).await.unwrap();
    let record = finish(run).await;
    (record.policies.session.clone(), record.winner.clone())
}

#[tokio::test(start_paused = true)]
async fn conversations_keep_their_arm_over_a_restart() {
    let mut rig = Rig::new(&["a", "b", "c", "d"]);
    rig.strategy = Strategy::Direct;
    rig.race.policies.session.margin = 1.0;
    let mut arms = Vec::new();
    for n in 0..6 {
        let engine = rig.start().await;
        arms.push(say(&engine.handle(), &format!("conversation {n}")).await.1.unwrap());
        if n % 2 == 0 {
            engine.stop().await;
        }
    }
    for (n, arm) in arms.iter().enumerate() {
        let engine = rig.start().await;
        let (session, winner) = say(&engine.handle(), &format!("conversation {n}")).await;
        let session = session.unwrap();
        assert_eq!((session.before.as_ref(), session.kept, winner.as_ref()), (Some(arm), true, Some(arm)), "{n}");
        engine.stop().await;
    }
    tokio::time::sleep(rig.race.policies.session.ttl).await;
    let engine = rig.start().await;
    let (session, _) = say(&engine.handle(), "conversation 0").await;
    assert_eq!(session.unwrap().before, None, "an hour of silence");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_found_behind_pages_of_others_and_the_newest_answer_counts() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.race.policies.session.margin = 1.0;
    rig.strategy = Strategy::Direct;
    let engine = rig.start().await;
    let (session, arm) = say(&engine.handle(), "an early one").await;
    let (own, at) = (session.unwrap().id, engine.handle().now());
    engine.stop().await;
    let told = |number: u64, id: String, arm: &str| {
        let mut other = record(at.plus(Duration::from_millis(number)), number).served_by(arm).build();
        other.policies.session =
            Some(SessionRecord { id, before: None, kept: false, gain: None, behind: None, margin: None });
        Arc::new(other)
    };
    let others = (0..1_200).map(|n| told(n, format!("{n:016x}"), "a")).collect();
    rig.store.append(LogBatch { runs: others, ..LogBatch::default() }, true).await.unwrap();
    let engine = rig.start().await;
    assert_eq!(say(&engine.handle(), "an early one").await.0.unwrap().before, arm);
    engine.stop().await;
    let left_for = if arm == Some("a".into()) { "b" } else { "a" };
    let newest = vec![told(500_000, own, left_for)];
    rig.store.append(LogBatch { runs: newest, ..LogBatch::default() }, true).await.unwrap();
    let engine = rig.start().await;
    assert_eq!(say(&engine.handle(), "an early one").await.0.unwrap().before, Some(left_for.into()));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_changed_beats_the_configuration_until_it_is_edited() {
    let mut rig = Rig::new(&["a", "b", "c"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    let by_hand = Weights::new([0.2, 0.8, 0.0, 0.0, 0.0, 0.0], 0.1).unwrap();
    applied(&handle, RouterCommand::SetWeights { weights: by_hand }).await;
    applied(&handle, RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    applied(&handle, RouterCommand::AddArm { spec: spec("mine") }).await;
    engine.stop().await;

    let engine = rig.start().await;
    let picture = engine.handle().snapshot();
    assert_eq!(picture.weights, by_hand);
    let states: Vec<_> = picture.arms.iter().map(|arm| (arm.arm.as_str(), arm.state)).collect();
    let active = |name| (name, Lifecycle::Active);
    assert_eq!(states, [active("a"), ("b", Lifecycle::Deactivated), active("c"), active("mine")]);
    engine.stop().await;

    rig.facts.weights = Weights::new([0.5, 0.5, 0.0, 0.0, 0.0, 0.0], 0.05).unwrap();
    rig.facts.arms[0].enabled = false;
    let engine = rig.start().await;
    let picture = engine.handle().snapshot();
    assert_eq!(picture.weights, rig.facts.weights);
    assert_eq!(picture.arms[0].state, Lifecycle::Deactivated);
    let journal = engine.handle().journal(JournalQuery { limit: 3 }).await.unwrap();
    assert!(journal.iter().all(|line| line.actor == Actor::Config), "{journal:?}");
    engine.stop().await;

    rig.facts.arms[0].enabled = true;
    let engine = rig.start().await;
    assert_eq!(engine.handle().snapshot().arms[0].state, Lifecycle::Probation);
    assert_eq!(engine.handle().snapshot().arms[1].state, Lifecycle::Deactivated);
}

#[tokio::test(start_paused = true)]
async fn a_flag_holds_for_one_start_and_gives_back_what_a_person_had_set() {
    let mut rig = Rig::new(&["a", "b"]);
    let shown = |engine: &Engine| format!("{:.1}", engine.handle().snapshot().alpha);
    let alpha = |alpha| RouterCommand::SetExploration { alpha: Some(alpha), explore_share: None };
    let engine = rig.start().await;
    applied(&engine.handle(), alpha(0.7)).await;
    engine.stop().await;

    rig.session = Some(ConfigFacts { alpha: 3.0, ..rig.facts.clone() });
    let engine = rig.start().await;
    assert_eq!(shown(&engine), "3.0");
    engine.stop().await;
    let engine = rig.start().await;
    assert_eq!(shown(&engine), "3.0", "the same flag again");
    engine.stop().await;

    rig.session = None;
    let engine = rig.start().await;
    assert_eq!(shown(&engine), "0.7");
    let lines = engine.handle().journal(JournalQuery { limit: 50 }).await.unwrap().len();
    engine.stop().await;
    let engine = rig.start().await;
    assert_eq!(engine.handle().journal(JournalQuery { limit: 50 }).await.unwrap().len(), lines, "and that is all");
    engine.stop().await;

    rig.session = Some(ConfigFacts { alpha: 3.0, ..rig.facts.clone() });
    let engine = rig.start().await;
    applied(&engine.handle(), alpha(2.0)).await;
    engine.stop().await;
    rig.session = None;
    let engine = rig.start().await;
    assert_eq!(shown(&engine), "2.0", "what a person set after the flag stays");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_could_not_do_is_tried_again_at_the_next_start() {
    let mut rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    applied(&engine.handle(), RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    engine.stop().await;
    // The last one that answers: refused.
    rig.facts.arms[0].enabled = false;
    let engine = rig.start().await;
    let picture = engine.handle().snapshot();
    assert_eq!(picture.arms[0].state, Lifecycle::Active);
    assert!(picture.alarms.iter().any(|alarm| alarm.message.contains("`deactivate` was not applied")));
    applied(&engine.handle(), RouterCommand::Reactivate { arms: vec!["b".into()] }).await;
    engine.stop().await;
    let engine = rig.start().await;
    assert_eq!(engine.handle().snapshot().arms[0].state, Lifecycle::Deactivated);
}

#[tokio::test(start_paused = true)]
async fn other_features_start_afresh_and_keep_the_old_state() {
    let mut rig = Rig::new(&["a", "b"]);
    let engine = rig.start().await;
    for n in 0..5 {
        ask(&engine.handle(), &format!("question {n}")).await;
    }
    let by_hand = Weights::new([0.2, 0.8, 0.0, 0.0, 0.0, 0.0], 0.1).unwrap();
    applied(&engine.handle(), RouterCommand::SetWeights { weights: by_hand }).await;
    let old = engine.handle().snapshot();
    engine.stop().await;
    rig.length_threshold = 500;
    let engine = rig.start().await;
    let handle = engine.handle();
    let picture = handle.snapshot();
    assert_ne!(picture.feature_version, old.feature_version);
    assert!(picture.sequence > old.sequence, "the log goes on");
    assert!(picture.arms.iter().all(|arm| arm.trials == 5 && arm.effective_n == 0.0));
    assert_eq!(picture.totals.runs, 5, "what was counted is still true");
    assert_eq!(picture.weights, by_hand, "what a person decided is not about features");
    let journal = handle.journal(JournalQuery { limit: 9 }).await.unwrap();
    let change = journal.iter().find(|line| matches!(line.command, RouterCommand::NewFeatures { .. })).unwrap();
    assert_eq!(change.before, format!("features {}", old.feature_version));
    let reason = rejected(&handle, RouterCommand::Undo { target: change.sequence - 1 }).await;
    assert!(reason.contains("learned with features"), "{reason}");
    let reason = rejected(&handle, RouterCommand::Undo { target: 1 }).await;
    assert!(reason.contains("another feature schema"), "before the first snapshot: {reason}");
    let alarm = picture.alarms.iter().find(|alarm| alarm.subject == "features").unwrap();
    assert_eq!(alarm.severity, Severity::Critical);
    assert!(rig.store.values().keys().any(|key| key.starts_with(&format!("kept:{}", old.feature_version))));
    ask(&handle, "learning goes on").await;
    let digest = engine.digest();
    engine.stop().await;
    let engine = rig.start().await;
    assert_eq!(engine.digest(), digest);
    assert!(engine.handle().snapshot().alarms.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_operators_did_after_the_last_snapshot_survives_other_features_too() {
    let mut rig = Rig::new(&["a", "b", "c"]);
    let engine = rig.start().await;
    let handle = engine.handle();
    ask(&handle, "a question").await;
    applied(&handle, RouterCommand::Deactivate { arms: vec!["b".into()] }).await;
    ask(&handle, "another question").await;
    // As after a crash.
    drop(engine);
    rig.length_threshold = 500;
    let engine = rig.start().await;
    let picture = engine.handle().snapshot();
    assert_eq!(picture.arms[1].state, Lifecycle::Deactivated);
    assert!(picture.arms.iter().all(|arm| arm.effective_n == 0.0));
    engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_arm_without_a_key_waits_for_it() {
    let rig = Rig::new(&["a", "b"]);
    rig.stage.script("a", Script::Unset("arm `a`: the variable OPENAI_API_KEY is not set"));
    let engine = rig.start().await;
    let handle = engine.handle();
    let picture = handle.snapshot();
    assert_eq!(picture.arms[0].state, Lifecycle::Ejected);
    assert!(picture.arms[0].state_reason.as_ref().unwrap().contains("OPENAI_API_KEY"));
    assert_eq!(picture.alarms.len(), 1, "{:?}", picture.alarms);
    assert!(picture.alarms[0].message.contains("OPENAI_API_KEY"));
    assert_eq!(ask(&handle, "who answers?").await.winner, Some("b".into()));
    engine.stop().await;
    rig.stage.script("a", Script::Answer("here I am", std::time::Duration::ZERO));
    let engine = rig.start().await;
    let picture = engine.handle().snapshot();
    assert_eq!(picture.arms[0].state, Lifecycle::Active);
    assert!(picture.alarms.is_empty(), "{:?}", picture.alarms);
}

/// Snapshots follow the length of the log, and under heavy traffic its time.
#[tokio::test(start_paused = true)]
async fn the_log_after_the_newest_snapshot_stays_short() {
    let mut rig = Rig::new(&["a", "b"]);
    rig.limits.snapshot_entries = 10;
    let engine = rig.start().await;
    let handle = engine.handle();
    let distance = || rig.store.log().last().unwrap().sequence - *rig.store.snapshots().last().unwrap();
    let decay = || RouterCommand::Decay { factor: 0.99, arms: vec![] };
    let mut longest = 0;
    for _ in 0..100 {
        applied(&handle, decay()).await;
        longest = longest.max(distance());
    }
    assert_eq!((longest, rig.store.snapshots().len()), (39, 3), "many at once: four times the length");
    for _ in 0..12 {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        applied(&handle, decay()).await;
    }
    assert!(distance() < 10, "in its own time: the length");
}

#[tokio::test(start_paused = true)]
async fn how_long_the_judge_is_waited_for_is_known_again() {
    const VERDICT: &str = r#"{"scores": {
        "A": {"relevance": 0.8, "coverage": 0.8, "faithfulness": 0.8, "hallucination_risk": 0.2, "overall": 0.8},
        "B": {"relevance": 0.8, "coverage": 0.8, "faithfulness": 0.8, "hallucination_risk": 0.2, "overall": 0.7}}}"#;
    let mut rig = Rig::new(&["a", "b"]);
    rig.judge = Some(Price::default());
    rig.stage.script("judge", Script::Answer(VERDICT, Duration::from_secs(1)));
    let engine = rig.start().await;
    let handle = engine.handle();
    for n in 0..20 {
        ask(&handle, &format!("question {n}")).await;
    }
    engine.stop().await;
    let again = rig.start().await;
    rig.stage.script("judge", Script::Hang);
    let judging = ask(&again.handle(), "one more").await.judging.clone().unwrap();
    let deadlines = judging.handling.deadlines.unwrap();
    assert_eq!((judging.judge.as_str(), judging.error.unwrap().kind.as_ref()), ("judge", "first_token_timeout"));
    assert!(deadlines.learned && (3.0..3.2).contains(&deadlines.first_token_s), "{deadlines:?}");
}
