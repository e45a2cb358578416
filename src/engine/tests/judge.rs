//! A judge that is out, and whoever has it asked again.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::alarm::Severity;
use crate::domain::command::{Acknowledgement, RouterCommand};
use crate::domain::engine::{EngineHandle, JournalQuery};
use crate::domain::failure::FailureClass;
use crate::domain::money::Price;
use crate::domain::spec::Lifecycle;
use crate::engine::testing::rig::{ann, applied, ask, command, rejected, request, spec, until};
use crate::engine::testing::{Rig, Script};

const VERDICT: &str = r#"{"scores": {
    "A": {"relevance": 0.5, "coverage": 0.5, "faithfulness": 0.5, "hallucination_risk": 0.5, "overall": 0.5},
    "B": {"relevance": 0.5, "coverage": 0.5, "faithfulness": 0.5, "hallucination_risk": 0.5, "overall": 0.5}}}"#;

fn rig() -> Rig {
    let mut rig = Rig::new(&["a", "b"]);
    rig.judge = Some(Price::default());
    rig
}

fn bring_back(name: &str) -> RouterCommand {
    RouterCommand::Reactivate { arms: vec![name.into()] }
}

/// Whether the judge itself judged a run.
async fn is_judged(handle: &Arc<dyn EngineHandle>, prompt: &str) -> bool {
    ask(handle, prompt).await.verdict.as_ref().is_some_and(|verdict| !verdict.local_fallback)
}

/// One run with a judge that cannot be paid, and its alarm.
async fn out(rig: &Rig, handle: &Arc<dyn EngineHandle>, judge: &str) {
    rig.stage.script(judge, Script::Fail(FailureClass::Quota));
    assert!(!is_judged(handle, "first").await);
    let message = format!("judge {judge} is out, tried at ");
    until(handle, "the judge is out", |picture| {
        let mut alarms = picture.alarms.iter();
        alarms.any(|alarm| alarm.message.starts_with(&message) && alarm.remedy.as_deref() == Some("judge"))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_was_mended_is_brought_back_and_that_is_in_the_journal() {
    let rig = rig();
    let engine = rig.start().await;
    let handle = engine.handle();
    let said = rejected(&handle, RouterCommand::AskJudge).await;
    assert_eq!(said, "judge judge is not out: there is nothing to do");
    out(&rig, &handle, "judge").await;
    let calls = rig.stage.calls("judge");
    assert!(!is_judged(&handle, "second").await);
    assert_eq!(rig.stage.calls("judge"), calls, "while it is out nobody asks it");

    let digest = engine.digest_with_pool();
    let once = request(1, RouterCommand::AskJudge);
    let Ok(Acknowledgement::Applied { entry, .. }) = handle.command(once.clone()).await else { panic!() };
    assert!(entry.before.starts_with("judge out until ") && entry.before.ends_with(": quota (scripted)"), "{entry:?}");
    assert_eq!((entry.after.as_str(), &entry.actor), ("asked by the next run", &ann()));
    assert_eq!(handle.command(once).await, Ok(Acknowledgement::Duplicate { sequence: entry.sequence }));
    assert_eq!(engine.digest_with_pool(), digest, "nothing of what was learned has changed");
    until(&handle, "it is due", |picture| {
        let alarm = picture.alarms.iter().find(|alarm| alarm.subject == "judge").unwrap();
        assert_eq!(alarm.severity, Severity::Critical);
        alarm.message.starts_with("judge judge is out, the next run tries it") && alarm.remedy.is_none()
    })
    .await;

    // Not mended: out for as long as ever.
    assert!(!is_judged(&handle, "third").await);
    assert_eq!(rig.stage.calls("judge"), calls + 1);
    assert!(!is_judged(&handle, "fourth").await);
    assert_eq!(rig.stage.calls("judge"), calls + 1);
    // Mended.
    rig.stage.script("judge", Script::Answer(VERDICT, Duration::ZERO));
    applied(&handle, bring_back("judge")).await;
    assert!(is_judged(&handle, "fifth").await);
    until(&handle, "the alarm is over", |picture| picture.alarms.is_empty()).await;

    let journal = handle.journal(JournalQuery { limit: 9 }).await.unwrap();
    assert_eq!(journal.iter().filter(|line| line.command == RouterCommand::AskJudge).count(), 2);
    let said = rejected(&handle, RouterCommand::Undo { target: entry.sequence }).await;
    assert!(said.contains("left what was learned as it was"), "{said}");
    engine.stop().await;
    // The log is read back as it was written.
    let again = rig.start().await;
    assert!(again.handle().journal(JournalQuery { limit: 9 }).await.unwrap().contains(&entry));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_an_arm_first_and_the_judge_where_no_arm_has_it() {
    let rig = rig();
    let engine = rig.start().await;
    let handle = engine.handle();
    applied(&handle, RouterCommand::AddArm { spec: spec("judge") }).await;
    applied(&handle, RouterCommand::Deactivate { arms: vec!["judge".into()] }).await;
    out(&rig, &handle, "judge").await;
    applied(&handle, bring_back("judge")).await;
    until(&handle, "the arm of that name is back", |picture| picture.arms[2].state == Lifecycle::Probation).await;
    let said = rejected(&handle, bring_back("judge")).await;
    assert!(said.contains("already"), "{said}");
    let line = applied(&handle, RouterCommand::AskJudge).await;
    assert_eq!(line.command, RouterCommand::AskJudge);
}

#[tokio::test(start_paused = true)]
async fn an_arm_that_judges_is_asked_again_when_it_is_brought_back_or_declared_anew() {
    let mut rig = Rig::new(&["a", "b", "c"]);
    rig.judged_by = Some("c");
    let engine = rig.start().await;
    let handle = engine.handle();
    applied(&handle, RouterCommand::Deactivate { arms: vec!["c".into()] }).await;
    for mend in [bring_back("c"), RouterCommand::AddArm { spec: spec("c") }] {
        out(&rig, &handle, "c").await;
        applied(&handle, mend).await;
        rig.stage.script("c", Script::Answer(VERDICT, Duration::ZERO));
        // Refused where it is off already.
        command(&handle, RouterCommand::Deactivate { arms: vec!["c".into()] }).await;
        assert!(is_judged(&handle, "and now?").await);
    }
    until(&handle, "the alarm is over", |picture| picture.alarms.is_empty()).await;
    assert_eq!(rejected(&handle, RouterCommand::AskJudge).await, "judge c is not out: there is nothing to do");
}

#[tokio::test(start_paused = true)]
async fn without_a_judge_there_is_none_to_bring_back() {
    let engine = Rig::new(&["a", "b"]).start().await;
    let said = rejected(&engine.handle(), RouterCommand::AskJudge).await;
    assert!(said.contains("`[judge]` names none"), "{said}");
    let said = rejected(&engine.handle(), bring_back("judge")).await;
    assert!(said.contains("no arm \"judge\""), "{said}");
}
