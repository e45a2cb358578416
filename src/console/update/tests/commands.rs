//! Commands: dialogs, their answers, what is refused, undo and redo, traffic.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::update;
use super::{code, line, press};
use crate::console::fixture::{self, NOW, model, model_of, snapshot, step};
use crate::console::message::{Effect, Event};
use crate::console::model::Model;
use crate::console::model::dialog::{Forecasting, Subject};
use crate::console::model::status::Tone;
use crate::domain::command::{Acknowledgement, Actor, Durability, JournalEntry, RouterCommand};
use crate::domain::engine::WhatIf;
use crate::domain::ids::{ArmId, CommandId};
use crate::domain::spec::Provider;
use crate::domain::terms::Term;
use crate::domain::traffic::TrafficStatus;

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
fn a_press_is_one_command_with_one_id() {
    let mut model = model();
    let question = press(&mut model, 'd');
    assert!(matches!(question.as_slice(), [Effect::WhatIf(1, _)]), "{question:?}");
    let effects = code(&mut model, KeyCode::Enter);
    let [Effect::Command(id, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::Decay { factor: 0.9, arms: Vec::new() });
    assert_eq!(line(&model), (Tone::Pending, "decay to 0.90 of all arms: pending".to_owned()));
    assert!(code(&mut model, KeyCode::Enter).is_empty(), "the second Enter sends nothing");
    assert!(!model.typing, "and what is typed next is no prompt");
    update(&mut model, Event::Acknowledged(*id, Ok(applied(*id))), step(200));
    assert_eq!(line(&model), (Tone::Good, "decay to 0.90 of all arms: applied #142, durable (u undoes it)".to_owned()));
    assert_eq!(model.tally.applied, 1);
}

#[test]
fn an_enter_too_many_does_nothing_and_a_later_one_is_an_enter() {
    let mut model = model();
    press(&mut model, 'd');
    code(&mut model, KeyCode::Enter);
    let enter = |model: &mut Model, at| update(model, Event::Key(KeyEvent::from(KeyCode::Enter)), step(at));
    assert!(enter(&mut model, 500).is_empty() && !model.typing);
    assert!(enter(&mut model, 0).is_empty() && model.typing, "a clock that was set back holds nothing up");
    code(&mut model, KeyCode::Esc);
    assert!(enter(&mut model, 1_000).is_empty() && model.typing);
}

#[test]
fn arms_that_are_as_asked_already_are_named_with_the_key_that_turns_it_round() {
    let mut model = model();
    model.table.marked.clear();
    press(&mut model, 'r');
    let (tone, text) = line(&model);
    let selected = model.table.targets()[0].clone();
    assert_eq!((tone, text), (Tone::Info, format!("on: {selected} is active already; x takes it out")));
    let mut picture = (*model.live).clone();
    for row in &mut picture.arms {
        row.state = crate::domain::spec::Lifecycle::Deactivated;
    }
    update(&mut model, Event::Snapshot(std::sync::Arc::new(picture)), step(1));
    press(&mut model, 'x');
    assert!(line(&model).1.ends_with("is deactivated already; r brings it back"), "{:?}", line(&model));
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
        // In words, and not by its name in the configuration.
        assert!(key != ']' || line(&model).1.starts_with("more traffic: refused"), "{}", line(&model).1);
    }
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
fn traffic_that_is_held_back_is_told_once_with_its_key_and_shown_while_it_lasts() {
    let mut model = model();
    let known = model.traffic.unwrap();
    let held = |n: u64| Event::Traffic(TrafficStatus { rate_per_s: 200.0, held_back: known.held_back + n, ..known });
    update(&mut model, held(0), step(1_000));
    assert!(!model.held_back.is_now && model.statuses.is_empty());
    update(&mut model, held(40), step(2_000));
    assert!(model.held_back.is_now && line(&model).1.contains("`[` slows it"), "{:?}", line(&model));
    model.statuses.dismiss();
    for second in 3..20 {
        update(&mut model, held(40 * second), step(second * 1_000));
        assert!(model.held_back.is_now && model.statuses.is_empty(), "it is no news");
    }
    model.dirty = false;
    update(&mut model, held(40 * 19), step(24_500));
    assert!(!model.held_back.is_now && model.dirty, "it is over, and that is drawn");
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
fn a_judge_that_is_out_is_asked_again_by_its_key_and_one_that_is_in_is_not() {
    let mut model = model();
    assert!(press(&mut model, 'J').is_empty());
    assert_eq!(line(&model), (Tone::Info, "the judge is not out: there is nothing to do".to_owned()));
    let mut model = model_of(fixture::with_judge_out());
    let effects = press(&mut model, 'J');
    let [Effect::Command(id, command)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(**command, RouterCommand::AskJudge);
    assert!(model.dialog.is_none(), "there is nothing to weigh");
    let Acknowledgement::Applied { mut entry, durability } = applied(*id) else { panic!() };
    entry.command = RouterCommand::AskJudge;
    let answer = Acknowledgement::Applied { entry, durability };
    update(&mut model, Event::Acknowledged(*id, Ok(answer)), step(200));
    assert_eq!(line(&model), (Tone::Good, "judge: asked by the next run: applied #142, durable".to_owned()));
    let mut model = model_of(fixture::with_judge_out());
    model.identity.read_only = true;
    assert!(press(&mut model, 'J').is_empty());
    assert!(line(&model).1.contains("read-only"));
}
