//! The Runs screen and what is read anew: lists, opens, looks into, and never asks twice.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::fixture::{model, race_events, record, snapshot, step};
use super::super::message::{Effect, Event};
use super::super::model::{Model, Screen};
use super::update;
use crate::domain::event::RunEvent;
use crate::domain::ids::RunId;
use crate::domain::ratio::Ratio;
use crate::domain::record::{AfterwardsRecord, RunRecord};
use crate::domain::snapshot::RunSummary;

fn press(model: &mut Model, key: KeyCode) -> Vec<Effect> {
    update(model, Event::Key(KeyEvent::new(key, KeyModifiers::NONE)), step(1))
}

fn listing() -> Model {
    let mut model = model();
    model.size = (80, 24);
    press(&mut model, KeyCode::Char('4'));
    model
}

fn read(model: &mut Model, run: RunId, record: Option<RunRecord>) {
    update(model, Event::RunRead(run, Ok(record.map(Arc::new))), step(2));
}

#[test]
fn the_history_lists_the_newest_and_reads_older_ones_from_the_store() {
    let mut model = model();
    let effects = press(&mut model, KeyCode::Char('4'));
    assert_eq!((model.screen, model.runs.len()), (Screen::Runs, 12));
    let newest = model.live.recent_runs.iter().map(|run| run.run).max().unwrap();
    assert_eq!(effects, [Effect::OlderRuns(newest)]);
    assert!(press(&mut model, KeyCode::Down).is_empty(), "one page at a time");
    let older =
        RunSummary { run: RunId::new(crate::domain::clock::Timestamp::from_millis(9), 9), ..RunSummary::of(&record()) };
    let more = update(&mut model, Event::OlderRuns(Ok(vec![older.clone()])), step(3));
    assert_eq!((model.runs.len(), more), (13, vec![Effect::OlderRuns(older.run)]));
    assert!(update(&mut model, Event::OlderRuns(Ok(Vec::new())), step(4)).is_empty());
    press(&mut model, KeyCode::PageDown);
    press(&mut model, KeyCode::PageDown);
    assert_eq!(model.runs.selected(), Some(older.run));
}

#[test]
fn a_run_is_opened_looked_into_and_left_the_way_it_was_entered() {
    let mut model = listing();
    let selected = model.runs.selected().unwrap();
    assert_eq!(press(&mut model, KeyCode::Enter), [Effect::ReadRun(selected)], "Enter opens, in a list");
    assert!(!model.typing && model.screen == Screen::Runs);
    model.runs.opening = None;
    assert_eq!(press(&mut model, KeyCode::Char('o')), [Effect::ReadRun(selected)]);
    read(&mut model, selected, Some(RunRecord { run_id: selected, ..record() }));
    let opened = model.runs.opened.as_ref().unwrap();
    assert_eq!((opened.lanes.len(), opened.leader().unwrap().as_str()), (3, "lumen-code"));
    for _ in 0..100 {
        press(&mut model, KeyCode::PageUp);
    }
    let highest = model.runs.opened.as_ref().unwrap().scroll;
    assert!((1..20).contains(&highest), "no further than the beginning of the answer: {highest}");
    press(&mut model, KeyCode::Down);
    assert_eq!(model.runs.opened.as_ref().unwrap().scroll, highest - 1, "and the first key back is seen");
    press(&mut model, KeyCode::Char('z'));
    assert_eq!(model.runs.opened.as_ref().unwrap().zoom, Some(0));
    for _ in 0..100 {
        press(&mut model, KeyCode::PageDown);
    }
    let farthest = model.runs.opened.as_ref().unwrap().zoom.unwrap();
    assert!(farthest < 40, "no further than its end: {farthest}");
    press(&mut model, KeyCode::Up);
    assert_eq!(model.runs.opened.as_ref().unwrap().zoom, Some(farthest.saturating_sub(1)));
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.runs.opened.as_ref().unwrap().zoom, None);
    press(&mut model, KeyCode::Esc);
    assert!(model.runs.opened.is_none());
}

#[test]
fn what_is_no_longer_kept_and_what_cannot_be_read_is_said() {
    let mut model = listing();
    let selected = model.runs.selected().unwrap();
    press(&mut model, KeyCode::Char('o'));
    read(&mut model, selected, None);
    assert!(model.statuses.line().unwrap().1.contains("no longer kept"));
    press(&mut model, KeyCode::Char('o'));
    update(&mut model, Event::RunRead(selected, Err("disk".to_owned())), step(3));
    assert!(model.statuses.line().unwrap().1.contains("could not be read: disk") && model.runs.opening.is_none());
    // An answer to a question that was taken back opens nothing.
    press(&mut model, KeyCode::Char('o'));
    press(&mut model, KeyCode::Esc);
    read(&mut model, selected, Some(RunRecord { run_id: selected, ..record() }));
    assert!(model.runs.opened.is_none());
}

/// An own run that was answered at once, and judged by nobody yet.
fn unjudged() -> (Model, RunRecord) {
    let mut model = model();
    let (ticket, _) = model.conversation.ask("a prompt".to_owned(), model.now);
    model.screen = Screen::Race;
    let direct = RunRecord { verdict: None, previews: Vec::new(), ..record() };
    for event in race_events().into_iter().take(1).chain([RunEvent::Finished { record: Arc::new(direct.clone()) }]) {
        update(&mut model, Event::Run(ticket, Box::new(event)), step(10));
    }
    (model, direct)
}

#[test]
fn a_late_verdict_is_read_when_the_picture_tells_of_it() {
    let (mut model, direct) = unjudged();
    let mut picture = snapshot();
    picture.revision += 1;
    picture.recent_runs[0] = RunSummary::of(&direct);
    assert!(update(&mut model, Event::Snapshot(Arc::new(picture.clone())), step(20)).is_empty());
    picture.recent_runs[0].afterwards = Ratio::new(0.86);
    let picture = Arc::new(picture);
    let effects = update(&mut model, Event::Snapshot(Arc::clone(&picture)), step(30));
    assert_eq!(effects, [Effect::ReadRun(direct.run_id)]);
    assert!(update(&mut model, Event::Snapshot(Arc::clone(&picture)), step(40)).is_empty(), "it was asked for");
    let mut judged = RunRecord { verdict: record().verdict, ..direct };
    judged.policies.afterwards = Some(AfterwardsRecord { share: 0.1, seconds: 0.4, taught: true });
    read(&mut model, judged.run_id, Some(judged));
    let own = model.conversation.own.as_ref().unwrap();
    assert!(own.record.as_ref().unwrap().policies.afterwards.is_some());
    assert!(update(&mut model, Event::Snapshot(picture), step(9_000)).is_empty(), "there is no more to come");
}

#[test]
fn a_run_that_left_the_picture_is_looked_up_now_and_then_while_a_verdict_may_come() {
    let (mut model, direct) = unjudged();
    let mut asked = 0;
    for second in 1..1_200 {
        let effects = update(&mut model, Event::Tick, step(second * 1_000));
        asked += effects.len();
        assert!(effects.iter().all(|effect| *effect == Effect::ReadRun(direct.run_id)));
    }
    assert!((100..=200).contains(&asked), "for ten minutes, every three seconds: {asked}");
}
