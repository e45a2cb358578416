//! What the console does, as a specification: events in, model and effects out. Here is what every part of it
//! speaks in; the parts are beside it.

mod commands;
mod prompting;
mod screens;

use crossterm::event::{KeyCode, KeyEvent};

use super::super::fixture::step;
use super::super::message::{Effect, Event};
use super::super::model::Model;
use super::super::model::status::Tone;
use super::update;

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
