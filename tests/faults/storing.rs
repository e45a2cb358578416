//! A store that fails in the middle of a run, in each way in which one may while it is in use: the run goes on, what
//! it taught is known, the screen says that nothing is kept and why, and what was not taken is handed in once the
//! store takes it: nothing is lost silently.

use std::path::PathBuf;
use std::time::Duration;

use banditop::domain::command::{Durability, RouterCommand};
use banditop::domain::record::RunOutcome;
use banditop::domain::snapshot::EngineSnapshot;
use banditop::domain::spec::Strategy;
use banditop::domain::store::StoreError;

use super::rig::{GOOD, Rig, client};
use super::server::{Server, answer, stream};
use super::stage::{At, Stage};
use super::store::Breaks;
use super::table::Told;

const WHOLE: &str = "An answer that is whole, in a few words.";

/// What is wrong, and words on screen.
fn rows() -> Vec<(&'static str, Breaks, &'static str)> {
    let io = |text: &str| Breaks::With(StoreError::Io(text.to_owned()));
    let path = || PathBuf::from("/data/state");
    let newer = StoreError::Newer { path: path(), found: 9, known: 1 };
    let unusable = StoreError::Unusable { path: path(), reason: "it is gone".to_owned() };
    let locked = StoreError::Locked { path: path(), holder: "pid 7".to_owned() };
    vec![
        ("the disk is full", io("No space left on device (os error 28)"), "No space left on device"),
        ("the disk fails", io("Input/output error (os error 5)"), "Input/output error"),
        ("a value is corrupt", io("a corrupt value at log/17"), "a corrupt value at log/17"),
        ("the disk does not answer, says the store", io("the disk does not answer"), "the disk does not answer"),
        ("the store hangs", Breaks::Hanging, "no answer for 3 s"),
        ("the store was closed", Breaks::With(StoreError::Closed), "the store is closed"),
        ("the directory is gone", Breaks::With(unusable), "it is gone"),
        ("another process took it", Breaks::With(locked), "is held by another process"),
        ("a newer program wrote to it", Breaks::With(newer), "was written by a newer banditop"),
        ("the store panics", Breaks::Panicking, "a fault in banditop itself"),
    ]
}

async fn holds(fault: &str, breaks: Breaks, words: &str) {
    let _told = Told(format!("a store of which {fault}"));
    let rig = Rig::new(&client(), Strategy::Race);
    let bad = Server::start(vec![vec![stream(&answer(WHOLE))]]);
    let good = Server::start(vec![vec![stream(&answer(GOOD))]]);
    let mut stage = Stage::open(&rig, &[("bad", At::of(&bad)), ("good", At::of(&good))]).await;
    let record = stage.ask_doing(|| rig.store.breaks(Some(breaks))).await;
    assert_eq!(record.outcome, RunOutcome::Served);
    let is_said =
        |picture: &EngineSnapshot| picture.totals.runs == 1 && picture.store.durability == Durability::MemoryOnly;
    let picture = stage.shows(is_said).await;
    assert!(picture.arms.iter().any(|arm| arm.trials > 0), "it is learned all the same");
    assert!(stage.screens(&picture)[1].contains(words), "{words:?} in {}", stage.screens(&picture)[1]);
    let observed =
        |rig: &Rig| rig.store.log().iter().filter(|entry| matches!(entry.command, RouterCommand::Observe(_))).count();
    assert_eq!(observed(&rig), 0, "the store took nothing");
    // A second run while it is out of order is served as well, and the end of the program tries once more.
    assert_eq!(stage.ask().await.outcome, RunOutcome::Served);
    rig.store.breaks(None);
    stage.end().await;
    assert_eq!(observed(&rig), 2, "nothing is lost");
}

#[tokio::test]
async fn a_store_that_fails_mid_run() {
    let rows = rows();
    assert_eq!(rows.len(), 10);
    for (fault, breaks, words) in rows {
        let within = tokio::time::timeout(Duration::from_secs(30), holds(fault, breaks, words));
        assert!(within.await.is_ok(), "{fault}: it hangs");
    }
}
