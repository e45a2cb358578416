//! Prompts, their races, conversations and ratings.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::update;
use super::{ask, code, line, press, type_text};
use crate::console::fixture::{self, model, race_events, record, step};
use crate::console::message::{Effect, Event};
use crate::console::model::race::Standing;
use crate::console::model::{Model, Screen};
use crate::domain::command::Acknowledgement;
use crate::domain::event::RunEvent;
use crate::domain::ids::ArmId;

fn finish(model: &mut Model, ticket: u64) {
    update(model, Event::Run(ticket, Box::new(RunEvent::Finished { record: Arc::new(record()) })), step(200));
}

#[test]
fn a_prompt_is_sent_whole_and_opens_the_race() {
    let mut model = model();
    press(&mut model, 'i');
    type_text(&mut model, "why q?");
    update(&mut model, Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT)), step(1));
    type_text(&mut model, "two");
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Submit(_, _, request)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.prompt(), "why q?\ntwo");
    assert_eq!((model.screen, model.typing), (Screen::Race, false));
}

#[test]
fn an_empty_prompt_is_not_sent() {
    let mut model = model();
    press(&mut model, 'i');
    type_text(&mut model, "  ");
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(line(&model).1.contains("type a prompt"));
    type_text(&mut model, "why");
    code(&mut model, KeyCode::Enter);
    assert!(model.statuses.is_empty(), "what was missing is not said beside the run");
}

#[test]
fn one_own_run_at_a_time_and_escape_cancels_it() {
    let mut model = model();
    let ticket = ask(&mut model, "first");
    press(&mut model, 'i');
    type_text(&mut model, "second");
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert_eq!(model.prompt.text(), "second");
    code(&mut model, KeyCode::Esc);
    assert_eq!(code(&mut model, KeyCode::Esc), vec![Effect::Cancel(ticket)]);
    assert_eq!(model.conversation.own.as_ref().unwrap().standing, Standing::Cancelled);
    // What still arrives of it changes nothing.
    finish(&mut model, ticket);
    assert_eq!(model.conversation.own.as_ref().unwrap().standing, Standing::Cancelled);
}

#[test]
fn a_conversation_goes_on_until_it_is_started_over() {
    let mut model = model();
    press(&mut model, 'i');
    type_text(&mut model, "first");
    let first = code(&mut model, KeyCode::Enter);
    let [Effect::Submit(ticket, name, _)] = first.as_slice() else { panic!("{first:?}") };
    finish(&mut model, *ticket);
    press(&mut model, 'i');
    type_text(&mut model, "second");
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Submit(next, again, request)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(name, again, "the engine is told that it is the same conversation");
    let roles: Vec<&str> = request.messages.iter().map(|m| m.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    finish(&mut model, *next);
    update(&mut model, Event::Key(KeyEvent::new(KeyCode::Char('n'), KeyModifiers::CONTROL)), step(1));
    assert!(model.conversation.turns.is_empty() && model.conversation.own.is_none());
    press(&mut model, 'i');
    type_text(&mut model, "third");
    let third = code(&mut model, KeyCode::Enter);
    assert!(matches!(third.as_slice(), [Effect::Submit(_, other, _)] if other != name), "{third:?}");
}

#[test]
fn the_race_is_a_fold_over_its_events() {
    let mut model = model();
    let ticket = ask(&mut model, "merge");
    for event in race_events() {
        update(&mut model, Event::Run(ticket, Box::new(event)), step(300));
    }
    let own = model.conversation.own.as_ref().unwrap();
    assert_eq!(own.standing, Standing::Answering);
    assert_eq!(own.lanes.len(), 3);
    assert_eq!(own.lanes[1].tokens, 22);
    assert_eq!(own.leader().unwrap().as_str(), "lumen-code");
    assert!(own.answer.starts_with("Peek at both"));
    // A second attempt voids what the first had said.
    let again = RunEvent::AttemptStarted { arm: ArmId::new("atlas-70b"), index: 1 };
    update(&mut model, Event::Run(ticket, Box::new(again)), step(300));
    assert_eq!(model.conversation.own.as_ref().unwrap().answer, "");
    // Events of another ticket are nobody's.
    model.dirty = false;
    let stray = RunEvent::Judging { judge: "x".to_owned() };
    update(&mut model, Event::Run(ticket + 9, Box::new(stray)), step(300));
    assert!(!model.dirty);
}

#[test]
fn a_refused_prompt_comes_back() {
    let mut model = model();
    let ticket = ask(&mut model, "precious words");
    update(&mut model, Event::RunRefused(ticket, "busy".to_owned()), step(1));
    assert_eq!(model.conversation.own.as_ref().unwrap().standing, Standing::Failed("busy".to_owned()));
    assert_eq!(model.prompt.text(), "precious words");
}

#[test]
fn a_run_that_ends_without_a_result_has_failed() {
    let mut model = model();
    let ticket = ask(&mut model, "x");
    update(&mut model, Event::RunEnded(ticket), step(1));
    assert!(matches!(model.conversation.own.as_ref().unwrap().standing, Standing::Failed(_)));
}

#[test]
fn history_is_reached_from_the_first_line() {
    let mut model = model();
    for prompt in ["one", "two"] {
        let ticket = ask(&mut model, prompt);
        finish(&mut model, ticket);
    }
    press(&mut model, 'i');
    type_text(&mut model, "draft");
    code(&mut model, KeyCode::Up);
    assert_eq!(model.prompt.text(), "two");
    code(&mut model, KeyCode::Up);
    code(&mut model, KeyCode::Up);
    assert_eq!(model.prompt.text(), "one");
    code(&mut model, KeyCode::Down);
    code(&mut model, KeyCode::Down);
    assert_eq!(model.prompt.text(), "draft");
}

#[test]
fn a_paste_goes_into_the_prompt_unless_it_is_huge() {
    let mut model = model();
    update(&mut model, Event::Paste("a\r\nb\rc".to_owned()), step(1));
    assert!(model.typing);
    assert_eq!(model.prompt.text(), "a\nb\nc");
    update(&mut model, Event::Paste("x".repeat(5_000_000)), step(1));
    assert_eq!(model.prompt.text(), "a\nb\nc");
    assert!(line(&model).1.contains("paste refused"));
}

#[test]
fn rating_is_for_a_served_answer() {
    let mut model = model();
    press(&mut model, '2');
    assert!(press(&mut model, '+').is_empty());
    let ticket = ask(&mut model, "x");
    finish(&mut model, ticket);
    let effects = press(&mut model, '-');
    let [Effect::Rate(id, run, rating)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*run, fixture::run_id());
    assert!(rating.abs() < f64::EPSILON);
    assert!(press(&mut model, '-').is_empty(), "it is rated so already");
    let refused = Acknowledgement::Rejected { reason: "learning was paused".to_owned() };
    assert!(update(&mut model, Event::Acknowledged(*id, Ok(refused)), step(2)).is_empty());
    assert_eq!(model.conversation.own.as_ref().unwrap().rating, None, "a rating that was refused is none");
    let effects = press(&mut model, '+');
    let [Effect::Rate(id, ..)] = effects.as_slice() else { panic!("{effects:?}") };
    let taken = Acknowledgement::Duplicate { sequence: 7 };
    let effects = update(&mut model, Event::Acknowledged(*id, Ok(taken)), step(3));
    assert_eq!(effects, [Effect::ReadRun(fixture::run_id())], "the record says how it is rated");
}
