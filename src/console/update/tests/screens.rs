//! Screens, what stands on them, and leaving.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::update;
use super::{ask, code, line, press, type_text};
use crate::console::fixture::{NOW, model, model_of, snapshot, step};
use crate::console::message::{Effect, Event};
use crate::console::model::dialog::Subject;
use crate::console::model::{Model, Screen};

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

#[test]
fn where_the_holder_of_the_engine_leaves_enter_takes_over() {
    let mut model = model();
    model.identity.attached_to = Some("/data".to_owned());
    assert!(code(&mut model, KeyCode::Enter).is_empty() && model.typing, "a prompt, while it is there");
    code(&mut model, KeyCode::Esc);
    update(&mut model, Event::EngineGone, step(1));
    assert!(
        model.fault.as_ref().unwrap().contains("/data has left") && model.fault.as_ref().unwrap().contains("Enter")
    );
    press(&mut model, 'i');
    assert!(code(&mut model, KeyCode::Enter).is_empty());
    assert!(line(&model).1.contains("Esc, then Enter takes over"), "while typing, too, it says how");
    code(&mut model, KeyCode::Esc);
    assert_eq!(code(&mut model, KeyCode::Enter), [Effect::TakeOver]);
}
