//! What the console does, as a specification: events in, model and effects out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::fixture::{self, NOW, model, model_of, race_events, record, snapshot, step};
use super::super::message::{Effect, Event};
use super::super::model::dialog::{Forecasting, Subject};
use super::super::model::race::Standing;
use super::super::model::status::Tone;
use super::super::model::{Model, Screen};
use super::update;
use crate::domain::command::{Acknowledgement, Actor, Durability, JournalEntry, RouterCommand};
use crate::domain::engine::WhatIf;
use crate::domain::event::RunEvent;
use crate::domain::ids::{ArmId, CommandId};
use crate::domain::spec::Provider;
use crate::domain::terms::Term;

fn code(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, Event::Key(KeyEvent::from(code)), step(100))
}

fn press(model: &mut Model, key: char) -> Vec<Effect> {
    code(model, KeyCode::Char(key))
}

fn type_text(model: &mut Model, text: &str) {
    for c in text.chars() {
        press(model, c);
    }
}

fn line(model: &Model) -> (Tone, String) {
    model.statuses.line().map(|(tone, text, _)| (tone, text)).unwrap()
}

/// Sends a prompt; its ticket.
fn ask(model: &mut Model, prompt: &str) -> u64 {
    press(model, 'i');
    type_text(model, prompt);
    match code(model, KeyCode::Enter).as_slice() {
        [Effect::Submit(ticket, ..)] => *ticket,
        other => panic!("{other:?}"),
    }
}

fn finish(model: &mut Model, ticket: u64) {
    update(model, Event::Run(ticket, Box::new(RunEvent::Finished { record: Arc::new(record()) })), step(200));
}

fn answer(model: &mut Model, what_if: WhatIf) {
    let question = model.question;
    update(model, Event::WhatIf(question, Ok(Box::new(what_if))), step(150));
}

fn applied(id: CommandId) -> Acknowledgement {
    let entry = JournalEntry {
        sequence: 142,
        id,
        at: NOW,
        actor: Actor::Person("ann".to_owned()),
        command: RouterCommand::Decay { factor: 0.9, arms: Vec::new() },
        before: String::new(),
        after: String::new(),
        undone_by: None,
    };
    Acknowledgement::Applied { entry: Box::new(entry), durability: Durability::Durable }
}

#[test]
fn keys_open_screens_and_tab_goes_round() {
    let mut model = model();
    for (key, screen) in [('2', Screen::Race), ('6', Screen::Logs), ('1', Screen::Overview)] {
        assert!(press(&mut model, key).is_empty());
        assert_eq!(model.screen, screen);
    }
    code(&mut model, KeyCode::Tab);
    assert_eq!(model.screen, Screen::Race);
}

#[test]
fn a_released_key_does_nothing() {
    let mut model = model();
    model.dirty = false;
    let mut key = KeyEvent::from(KeyCode::Char('q'));
    key.kind = KeyEventKind::Release;
    assert!(update(&mut model, Event::Key(key), step(1)).is_empty());
    assert!(!model.dirty);
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
fn a_press_is_one_command_with_one_id() {
    let mut model = model();
    let question = press(&mut model, 'd');
    assert!(matches!(question.as_slice(), [Effect::WhatIf(1, _)]), "{question:?}");
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(id, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Decay { factor: 0.9, arms: Vec::new() });
    assert_eq!(line(&model), (Tone::Pending, "decay to 0.90 of all arms: pending".to_owned()));
    assert!(code(&mut model, KeyCode::Enter).is_empty(), "the second Enter opens the prompt and sends nothing");
    update(&mut model, Event::Acknowledged(*id, Ok(applied(*id))), step(200));
    assert_eq!(line(&model), (Tone::Good, "decay to 0.90 of all arms: applied #142, durable (u undoes it)".to_owned()));
    assert_eq!(model.tally.applied, 1);
}

#[test]
fn a_rejection_outlives_a_success() {
    let mut model = model();
    let (a, b) = (CommandId::new(NOW, 1), CommandId::new(NOW, 2));
    model.statuses.sent(a, "first".to_owned());
    model.statuses.sent(b, "second".to_owned());
    let rejected = Acknowledgement::Rejected { reason: "orbit is the last active arm".to_owned() };
    update(&mut model, Event::Acknowledged(a, Ok(rejected)), step(1));
    update(&mut model, Event::Acknowledged(b, Ok(applied(b))), step(1));
    let (tone, text) = line(&model);
    assert_eq!(tone, Tone::Bad);
    assert!(text.contains("last active arm"));
    code(&mut model, KeyCode::Esc);
    assert!(model.statuses.is_empty());
}

#[test]
fn a_command_that_nobody_answers_is_said_to_be_lost() {
    let mut model = model();
    let id = CommandId::new(NOW, 1);
    model.statuses.sent(id, "decay".to_owned());
    update(&mut model, Event::Acknowledged(id, Err("the engine has stopped".to_owned())), step(1));
    assert_eq!(
        line(&model),
        (
            Tone::Bad,
            "decay: no acknowledgement (the engine has stopped); the journal says whether it was applied".to_owned()
        )
    );
}

#[test]
fn every_turn_asks_anew_and_an_old_answer_is_dropped() {
    let mut model = model();
    press(&mut model, 'w');
    let first = model.question;
    let effects = code(&mut model, KeyCode::Left);
    let [Effect::WhatIf(second, command)] = effects.as_slice() else { panic!("{effects:?}") };
    let RouterCommand::SetWeights { weights } = &**command else { panic!() };
    assert!((weights.get(Term::Quality) - 0.65 / 0.95).abs() < 1e-9);
    update(&mut model, Event::WhatIf(first, Ok(Box::new(fixture::what_if()))), step(1));
    assert_eq!(model.dialog.as_ref().unwrap().forecast, Forecasting::Waiting);
    update(&mut model, Event::WhatIf(*second, Ok(Box::new(fixture::what_if()))), step(1));
    assert!(matches!(model.dialog.as_ref().unwrap().forecast, Forecasting::Known(_)));
    // Turned back it is what it was, and the last figures stay on screen meanwhile.
    code(&mut model, KeyCode::Right);
    let dialog = model.dialog.as_ref().unwrap();
    assert!(dialog.shown_forecast().is_some());
    let Subject::Weights { draft, .. } = &dialog.subject else { panic!() };
    assert!((draft[0] - 0.7).abs() < 1e-12);
}

#[test]
fn weights_that_are_all_zero_are_refused_before_they_are_asked() {
    let mut model = model();
    press(&mut model, 'w');
    let Some(Subject::Weights { draft, .. }) = model.dialog.as_mut().map(|d| &mut d.subject) else { panic!() };
    draft[..6].copy_from_slice(&[0.05, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(code(&mut model, KeyCode::Left).is_empty());
    assert!(
        matches!(&model.dialog.as_ref().unwrap().forecast, Forecasting::Refused(text) if text.contains("all weights are 0"))
    );
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(model.dialog.is_some());
}

#[test]
fn switching_off_much_traffic_asks_twice() {
    let mut model = model();
    press(&mut model, 'x');
    // Not yet forecast: what the arm serves now counts, 41 %.
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(model.dialog.as_ref().unwrap().armed);
    let effects = code(&mut model, KeyCode::Enter);
    assert!(matches!(effects.as_slice(), [Effect::Command(..)]), "{effects:?}");
}

#[test]
fn switching_off_little_traffic_asks_once() {
    let mut model = model();
    code(&mut model, KeyCode::Down);
    press(&mut model, 'x');
    // The forecast says 11 % would move, whatever the table shows.
    answer(&mut model, fixture::what_if());
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(_, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Deactivate { arms: vec![ArmId::new("swift-8b")] });
}

#[test]
fn nobody_is_pruned_before_they_are_listed() {
    let mut model = model();
    press(&mut model, 'p');
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(model.dialog.is_some() && line(&model).1.contains("not computed yet"));
    answer(&mut model, WhatIf { victims: vec![ArmId::new("orbit")], ..fixture::what_if() });
    while model.dialog.is_some() {
        let effects = code(&mut model, KeyCode::Enter);
        assert!(effects.is_empty() || matches!(effects.as_slice(), [Effect::Command(..)]));
    }
}

#[test]
fn pruning_nobody_sends_nothing() {
    let mut model = model();
    press(&mut model, 'p');
    answer(&mut model, WhatIf { victims: Vec::new(), ..fixture::what_if() });
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(model.dialog.is_some());
    answer(&mut model, fixture::what_if());
    assert!(matches!(code(&mut model, KeyCode::Enter).as_slice(), [Effect::Command(..)]));
}

#[test]
fn marks_are_what_the_next_action_is_for() {
    let mut model = model();
    press(&mut model, ' ');
    press(&mut model, ' ');
    press(&mut model, 'd');
    let Subject::Decay { arms, .. } = &model.dialog.as_ref().unwrap().subject else { panic!() };
    assert_eq!(arms.len(), 2);
}

#[test]
fn only_arms_outside_the_pool_are_brought_back() {
    let mut model = model();
    press(&mut model, 'r');
    assert!(model.dialog.is_none());
    model.table.selected = Some(ArmId::new("orbit"));
    press(&mut model, 'r');
    assert!(matches!(&model.dialog.as_ref().unwrap().subject, Subject::Reactivate { arms } if arms.len() == 1));
}

#[test]
fn undo_names_the_last_operator_action_and_redo_the_last_undo() {
    let mut model = model();
    press(&mut model, 'U');
    assert!(line(&model).1.contains("nothing was undone"));
    press(&mut model, 'u');
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(_, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Undo { target: 20_388 });
    assert!(line(&model).1.starts_with("undo #20388 weights"));

    let mut undone = snapshot();
    undone.journal[0].undone_by = Some(20_500);
    let undo = JournalEntry {
        sequence: 20_500,
        command: RouterCommand::Undo { target: 20_388 },
        undone_by: None,
        ..undone.journal[0].clone()
    };
    undone.journal.insert(0, undo);
    let mut model = model_of(undone);
    press(&mut model, 'u');
    assert!(model.dialog.is_none());
    press(&mut model, 'U');
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(_, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Undo { target: 20_500 });
    assert!(line(&model).1.starts_with("redo weights"), "what comes back, not `undo of #20388`");
}

#[test]
fn a_redo_is_not_redone_but_the_undo_before_it() {
    let mut journal = snapshot();
    let first = journal.journal[0].clone();
    let undo = |sequence, target, undone_by| JournalEntry {
        sequence,
        command: RouterCommand::Undo { target },
        undone_by,
        ..first.clone()
    };
    // Two undos, of which the newer was redone: the journal has the redo as an undo of that undo.
    let (older, newer, redo) =
        (undo(20_500, 20_388, None), undo(20_501, 20_300, Some(20_502)), undo(20_502, 20_501, None));
    journal.journal[0].undone_by = Some(20_500);
    journal.journal.splice(0..0, [redo, newer, older]);
    let mut model = model_of(journal);
    press(&mut model, 'U');
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(_, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Undo { target: 20_500 });
}

#[test]
fn read_only_refuses_every_change_with_a_message() {
    for key in ['d', 'p', 'x', 'r', 'w', 'u', 'U', 't', '[', ']', 'i'] {
        let mut model = model();
        model.identity.read_only = true;
        assert!(press(&mut model, key).is_empty(), "{key}");
        assert!(model.dialog.is_none() && !model.typing, "{key}");
        assert!(line(&model).1.contains("read-only"), "{key}");
    }
}

#[test]
fn freezing_stands_still_while_data_flows() {
    let mut model = model();
    press(&mut model, 'f');
    model.dirty = false;
    let mut next = snapshot();
    next.revision = 8;
    next.totals.runs = 99_999;
    update(&mut model, Event::Snapshot(Arc::new(next)), step(500));
    assert!(!model.dirty);
    assert_eq!((model.live.totals.runs, model.shown().totals.runs), (99_999, 20_377));
    update(&mut model, Event::Tick, step(1_000));
    assert!(model.dirty, "its age grows");
    press(&mut model, 'f');
    assert_eq!(model.shown().totals.runs, 99_999);
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut model = model();
    model.dirty = false;
    update(&mut model, Event::Tick, step(5_000));
    assert!(model.dirty, "the time to the next probe of an ejected arm is counted down");
    let mut calm = snapshot();
    calm.arms.iter_mut().for_each(|row| row.until = None);
    let mut model = model_of(calm);
    model.dirty = false;
    update(&mut model, Event::Tick, step(5_000));
    assert!(!model.dirty);
    let same = model.traffic.unwrap();
    update(&mut model, Event::Traffic(same), step(5_000));
    assert!(!model.dirty);
}

#[test]
fn leaving_asks_while_something_is_under_way() {
    let mut model = model();
    assert_eq!(press(&mut model, 'q'), vec![Effect::Quit]);
    ask(&mut model, "x");
    assert!(press(&mut model, 'q').is_empty());
    assert!(matches!(model.dialog.as_ref().unwrap().subject, Subject::Quit { .. }));
    code(&mut model, KeyCode::Esc);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(update(&mut model, Event::Key(interrupt), step(1)).is_empty());
    assert_eq!(update(&mut model, Event::Key(interrupt), step(1)), vec![Effect::Quit], "asked twice, it leaves");
}

#[test]
fn control_keys_work_even_while_typing() {
    let mut model = model();
    press(&mut model, 'i');
    let suspend = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    assert_eq!(update(&mut model, Event::Key(suspend), step(1)), vec![Effect::Suspend]);
    let redraw = KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL);
    assert_eq!(update(&mut model, Event::Key(redraw), step(1)), vec![Effect::Redraw]);
    press(&mut model, 'q');
    assert_eq!(model.prompt.text(), "q");
}

#[test]
fn rating_is_for_a_served_answer() {
    let mut model = model();
    press(&mut model, '2');
    assert!(press(&mut model, '+').is_empty());
    let ticket = ask(&mut model, "x");
    finish(&mut model, ticket);
    let effects = press(&mut model, '-');
    let [Effect::Rate(_, run, rating)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*run, fixture::run_id());
    assert!(rating.abs() < f64::EPSILON);
}

#[test]
fn traffic_keys_act_or_say_why_not() {
    let mut model = model();
    assert_eq!(press(&mut model, 't'), vec![Effect::SetTraffic(false)]);
    assert_eq!(press(&mut model, ']'), vec![Effect::SetTrafficRate(24.0)]);
    assert!(line(&model).1.contains("it would send 24.0 runs a second"), "the header shows only `off`");
    model.traffic = None;
    assert!(press(&mut model, 't').is_empty());
    assert!(line(&model).1.contains("no traffic generator"));
}

#[test]
fn models_outside_get_no_traffic_by_one_key() {
    let mut simulated = snapshot();
    for row in &mut simulated.arms {
        row.spec.provider = Provider::Simulated;
    }
    let mut outside = simulated.clone();
    outside.arms[0].spec.provider = Provider::Openai;
    for (picture, at_once) in [(simulated, true), (outside, false)] {
        let mut model = model_of(picture);
        assert_eq!(press(&mut model, 't'), vec![Effect::SetTraffic(false)]);
        let expected = if at_once { vec![Effect::SetTraffic(true)] } else { Vec::new() };
        assert_eq!(press(&mut model, 't'), expected);
        assert_eq!(model.dialog.is_some(), !at_once);
        if !at_once {
            assert!(!model.traffic.as_ref().unwrap().on);
            assert_eq!(code(&mut model, KeyCode::Enter), vec![Effect::SetTraffic(true)]);
            assert!(model.dialog.is_none());
        }
    }
}

#[test]
fn help_scrolls_no_further_than_its_end() {
    let mut model = model();
    model.size = (80, 20);
    press(&mut model, '?');
    for _ in 0..30 {
        code(&mut model, KeyCode::PageDown);
    }
    let end = model.help.unwrap();
    assert!(end > 0 && end < 60, "{end}");
    code(&mut model, KeyCode::Up);
    assert_eq!(model.help, Some(end - 1), "the first press upwards is seen");
}

#[test]
fn an_acknowledged_alarm_is_gone_until_it_is_raised_again() {
    let mut model = model();
    assert_eq!(model.alarms().count(), 2);
    press(&mut model, 'A');
    assert_eq!(model.alarms().count(), 1);
    let mut again = snapshot();
    again.revision = 9;
    again.alarms[0].at = again.alarms[0].at.plus(Duration::from_secs(5));
    update(&mut model, Event::Snapshot(Arc::new(again)), step(1));
    assert_eq!(model.alarms().count(), 2);
}

#[test]
fn rows_keep_their_place_and_the_selection_follows_the_arm() {
    let mut model = model();
    code(&mut model, KeyCode::Down);
    let selected = model.table.selected.clone();
    let before = model.table.order.clone();
    // Half a point apart is no reason to swap; twenty points are.
    let at = |model: &mut Model, seconds: u64, share: f64| {
        let mut next = snapshot();
        next.at = NOW.plus(Duration::from_secs(seconds));
        next.arms[2].share = crate::domain::ratio::Ratio::new(share);
        update(model, Event::Snapshot(Arc::new(next)), step(seconds * 1000));
    };
    at(&mut model, 10, 0.265);
    assert_eq!(model.table.order, before);
    at(&mut model, 20, 0.6);
    assert_eq!(model.table.order[0].as_str(), "lumen-code");
    assert_eq!(model.table.selected, selected);
}

#[test]
fn the_engine_going_and_a_panic_are_said_on_screen() {
    let mut model = model();
    update(&mut model, Event::Panicked("index out of bounds".to_owned()), step(1));
    assert!(model.fault.as_ref().unwrap().contains("index out of bounds"));
    update(&mut model, Event::EngineGone, step(1));
    assert!(model.engine_gone);
    press(&mut model, 'i');
    type_text(&mut model, "hello");
    assert!(code(&mut model, KeyCode::Enter).is_empty());
}
