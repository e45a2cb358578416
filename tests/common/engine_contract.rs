//! The contract of `EngineHandle` in behaviour, for any engine, however it is reached. The engine must
//! have two arms or more, all of which answer at once, but for one named `silent` that never says
//! anything and is switched off; it must be fresh, and may be used by nobody else meanwhile.

use std::sync::Arc;
use std::time::Duration;

use banditop::domain::chat::ChatRequest;
use banditop::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use banditop::domain::engine::{CommandRequest, EngineError, EngineHandle, JournalQuery, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::record::{Origin, RunOutcome, RunRecord};
use banditop::domain::snapshot::EngineSnapshot;
use banditop::domain::spec::Mode;

/// Everything below, in one story.
pub(crate) async fn holds(engine: &Arc<dyn EngineHandle>) {
    let record = a_run_tells_its_steps_and_ends_once(engine).await;
    what_cannot_run_is_refused(engine).await;
    commands_apply_once(engine).await;
    what_if_changes_nothing(engine).await;
    a_rating_is_taken(engine, &record).await;
    dropping_a_run_cancels_it(engine).await;
    an_export_reads_back(engine).await;
}

fn prompt(text: &str) -> RunRequest {
    RunRequest { request: ChatRequest::from_prompt(text), origin: Origin::Person, session: None }
}

fn ann() -> Actor {
    Actor::Person("ann".to_owned())
}

async fn send(engine: &Arc<dyn EngineHandle>, n: u64, command: RouterCommand) -> Acknowledgement {
    let id = TimeId::new(engine.now(), n);
    engine.command(CommandRequest { id, actor: ann(), command }).await.unwrap()
}

async fn apply(engine: &Arc<dyn EngineHandle>, n: u64, command: RouterCommand) -> JournalEntry {
    match send(engine, n, command).await {
        Acknowledgement::Applied { entry, .. } => *entry,
        other => panic!("expected it to be applied, found {other:?}"),
    }
}

async fn shown(engine: &Arc<dyn EngineHandle>, what: &str, holds: impl Fn(&EngineSnapshot) -> bool) {
    let wait = async {
        loop {
            let picture = engine.snapshot();
            if holds(&picture) {
                return;
            }
            engine.changed(picture.revision).await;
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(shown.is_ok(), "{what} was never shown: {:?}", engine.snapshot());
}

async fn a_run_tells_its_steps_and_ends_once(engine: &Arc<dyn EngineHandle>) -> Arc<RunRecord> {
    let mut run = engine.submit(prompt("why is the sky blue?")).await.unwrap();
    let id = run.run();
    let mut events = Vec::new();
    while let Some(event) = run.next().await {
        events.push(event);
    }
    assert!(matches!(&events[0], RunEvent::Selected { run, .. } if *run == id), "{:?}", events[0]);
    let ends = events.iter().filter(|event| matches!(event, RunEvent::Finished { .. })).count();
    assert_eq!(ends, 1);
    let Some(RunEvent::Finished { record }) = events.pop() else { panic!("the end comes last") };
    assert_eq!((record.run_id, &record.outcome), (id, &RunOutcome::Served));
    let streamed: String = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::AnswerText { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(record.answer.as_deref(), Some(streamed.as_str()));
    assert_eq!(run.next().await, None);
    // What has ended is recorded, whether a picture shows it yet or not.
    assert_eq!(engine.run(id).await.unwrap(), Some(Arc::clone(&record)));
    assert_eq!(engine.runs(5).await.unwrap(), vec![Arc::clone(&record)]);
    assert_eq!(engine.run(TimeId::new(engine.now(), 77)).await.unwrap(), None);
    shown(engine, "the run", |picture| picture.totals.runs == 1 && picture.recent_runs[0].run == id).await;
    record
}

async fn what_cannot_run_is_refused(engine: &Arc<dyn EngineHandle>) {
    for text in ["", " \n\t"] {
        let refused = engine.submit(prompt(text)).await.err();
        assert!(matches!(refused, Some(EngineError::Refused(_))), "{text:?}: {refused:?}");
    }
    assert_eq!(engine.snapshot().totals.runs, 1);
}

async fn commands_apply_once(engine: &Arc<dyn EngineHandle>) {
    let decay = || RouterCommand::Decay { factor: 0.9, arms: vec![] };
    let request = CommandRequest { id: TimeId::new(engine.now(), 1), actor: ann(), command: decay() };
    let first = engine.command(request.clone()).await.unwrap();
    let Acknowledgement::Applied { entry, .. } = first else { panic!("{first:?}") };
    assert_eq!((&entry.actor, entry.id), (&ann(), request.id));
    let second = engine.command(request).await.unwrap();
    assert_eq!(second, Acknowledgement::Duplicate { sequence: entry.sequence });
    let rejected = send(engine, 2, RouterCommand::Deactivate { arms: vec![ArmId::new("zeta")] }).await;
    assert!(matches!(&rejected, Acknowledgement::Rejected { reason } if reason.contains("zeta")), "{rejected:?}");
    let undone = apply(engine, 3, RouterCommand::Undo { target: entry.sequence }).await;
    let lines = engine.journal(JournalQuery { limit: 2 }).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.sequence).collect::<Vec<_>>(), [undone.sequence, entry.sequence]);
    assert_eq!(lines[1].undone_by, Some(undone.sequence));
    shown(engine, "the undo", |picture| picture.sequence == undone.sequence && picture.journal[0] == undone).await;
}

async fn what_if_changes_nothing(engine: &Arc<dyn EngineHandle>) {
    let before = engine.snapshot().sequence;
    let forecast = engine.what_if(RouterCommand::Decay { factor: 0.5, arms: vec![] }).await.unwrap();
    assert_eq!(forecast.contexts, 1);
    let whole: f64 = forecast.then.share.iter().map(|(_, share)| share).sum();
    assert!((whole - 1.0).abs() < 1e-6, "{forecast:?}");
    let refused = engine.what_if(RouterCommand::ResetArm { arm: ArmId::new("zeta") }).await;
    assert!(matches!(refused, Err(EngineError::Refused(_))), "{refused:?}");
    assert_eq!(engine.snapshot().sequence, before);
}

async fn a_rating_is_taken(engine: &Arc<dyn EngineHandle>, record: &RunRecord) {
    let ack = engine.rate(record.run_id, 1.0, ann()).await.unwrap();
    assert!(matches!(ack, Acknowledgement::Applied { .. }), "{ack:?}");
    assert_eq!(engine.run(record.run_id).await.unwrap().unwrap().rating, Some(1.0));
    for (run, rating) in [(record.run_id, f64::NAN), (record.run_id, 2.0), (TimeId::new(engine.now(), 78), 1.0)] {
        let refused = engine.rate(run, rating, ann()).await;
        assert!(matches!(refused, Err(EngineError::Refused(_))), "{rating}: {refused:?}");
    }
}

async fn dropping_a_run_cancels_it(engine: &Arc<dyn EngineHandle>) {
    let silent = ArmId::new("silent");
    apply(engine, 10, RouterCommand::Reactivate { arms: vec![silent.clone()] }).await;
    let pinned = Mode { pinned: Some(silent.clone()), ..Mode::default() };
    apply(engine, 11, RouterCommand::SetMode { mode: pinned }).await;
    let mut run = engine.submit(prompt("say something")).await.unwrap();
    assert!(matches!(run.next().await, Some(RunEvent::Selected { .. })));
    shown(engine, "a run in flight", |picture| picture.totals.in_flight == 1).await;
    drop(run);
    shown(engine, "cancelled", |picture| picture.totals.cancelled == 1 && picture.totals.in_flight == 0).await;
    apply(engine, 12, RouterCommand::SetMode { mode: Mode::default() }).await;
    apply(engine, 13, RouterCommand::Deactivate { arms: vec![silent] }).await;
}

async fn an_export_reads_back(engine: &Arc<dyn EngineHandle>) {
    let text = engine.export().await.unwrap();
    apply(engine, 20, RouterCommand::Decay { factor: 0.5, arms: vec![] }).await;
    let ack = engine.import(text.clone(), ann()).await.unwrap();
    assert!(matches!(ack, Acknowledgement::Applied { .. }), "{ack:?}");
    let again = engine.export().await.unwrap();
    let parts = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["parts"][1].clone();
    assert_eq!(parts(&again), parts(&text));
    let refused = engine.import("{}".to_owned(), ann()).await;
    assert!(matches!(refused, Err(EngineError::Refused(_))), "{refused:?}");
}
