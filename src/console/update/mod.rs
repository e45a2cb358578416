//! The only place where the model changes: one event in, effects out as data. It reads no clock, draws
//! no number and does nothing by itself, so every behaviour of the console is a test of a function.

mod dialogs;
mod history;
#[cfg(test)]
mod history_tests;
mod keys;
mod runs;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::message::{Effect, Event, Step};
use super::model::Model;
use super::model::dialog::Forecasting;
use super::model::status::Tone;
use crate::domain::action::Action;
use crate::domain::command::Acknowledgement;
use crate::domain::ids::CommandId;
use crate::domain::traffic::TrafficStatus;

/// Where the whole of a fault is.
const DETAILS: &str = "q quits, and the details are printed then";

/// Takes `event` in, at `step`.
pub(crate) fn update(model: &mut Model, event: Event, step: Step) -> Vec<Effect> {
    model.now = step.now;
    let (mut effects, mut dirty) = (Vec::new(), true);
    match event {
        Event::Key(key) => (effects, dirty) = keys::key(model, key, step),
        Event::Paste(text) => dirty = runs::paste(model, &text),
        Event::Wheel(rows) => effects = keys::scroll(model, rows),
        Event::Resized => {}
        Event::Tick => {
            effects = runs::read_anew(model);
            dirty = tick(model);
        }
        Event::Snapshot(snapshot) => {
            model.live = snapshot;
            model.follow();
            effects = runs::read_anew(model);
            // A frozen view stands still; data keeps flowing behind it.
            dirty = model.frozen.is_none();
        }
        Event::EngineGone => {
            model.engine_gone = true;
            model.fault = Some(gone(model));
        }
        Event::RunStarted(ticket, run) => runs::started(model, ticket, run),
        Event::RunRefused(ticket, reason) => runs::refused(model, ticket, reason),
        Event::Run(ticket, event) => dirty = runs::event(model, ticket, *event),
        Event::RunEnded(ticket) => runs::ended(model, ticket),
        Event::RunRead(run, answer) => dirty = history::read(model, run, answer),
        Event::OlderRuns(answer) => effects = history::older(model, answer),
        Event::Acknowledged(id, answer) => {
            effects = runs::rated(model, id, &answer);
            acknowledged(model, id, answer);
        }
        Event::WhatIf(question, answer) => {
            let forecast = answer.map_or_else(Forecasting::Refused, Forecasting::Known);
            dirty = dialogs::forecast(model, question, forecast);
        }
        Event::Traffic(status) => dirty = traffic(model, status),
        Event::Panicked(message) => model.fault = Some(format!("a background task panicked: {message}; {DETAILS}")),
    }
    model.dirty |= dirty;
    effects
}

/// So long after it held a run back the generator counts as held back.
const HELD: Duration = Duration::from_secs(5);

/// How the generator stands; whether the screen shows it.
fn traffic(model: &mut Model, status: TrafficStatus) -> bool {
    let visible = |model: &Model| (model.traffic.map(|s| (s.on, s.rate_per_s.to_bits())), model.held_back.is_now);
    let before = visible(model);
    let holds = model.traffic.is_some_and(|known| status.on && status.held_back > known.held_back);
    model.traffic = Some(status);
    if holds {
        let is_news = model.held_back.last.is_none_or(|at| model.now.since(at) > Duration::from_mins(1));
        model.held_back.last = Some(model.now);
        if is_news {
            let slower = model.identity.keys.keys(Action::TrafficSlower);
            let slower = slower.first().map_or_else(String::new, |key| format!(": `{key}` slows it"));
            let text = format!("as many runs are in flight as may be, and traffic is held back{slower}");
            model.statuses.say(Tone::Info, text, model.now);
        }
    }
    model.held_back.is_now = status.on && model.held_back.last.is_some_and(|at| model.now.since(at) < HELD);
    visible(model) != before
}

/// What an engine that has gone leaves to do.
fn gone(model: &Model) -> String {
    match &model.identity.attached_to {
        Some(dir) => {
            format!(
                "the process that held {dir} has left, and what is shown no longer changes: Enter takes over, q quits"
            )
        }
        None => format!("the engine has stopped: what is shown no longer changes; {DETAILS}"),
    }
}

/// Time passed: whether the screen shows it.
fn tick(model: &mut Model) -> bool {
    let expired = model.statuses.expire(model.now);
    expired
        || model.counts_down()
        || model.frozen.is_some()
        || model.conversation.is_running()
        || model.screen == super::model::Screen::Logs
}

/// A command was answered: exactly one message a press, whatever came.
fn acknowledged(model: &mut Model, id: CommandId, answer: Result<Acknowledgement, String>) {
    let what = model.statuses.answered(id).unwrap_or_else(|| "command".to_owned());
    let (tone, text) = match answer {
        Ok(Acknowledgement::Applied { entry, durability }) => {
            model.tally.applied += 1;
            let undo = model.identity.keys.keys(crate::domain::action::Action::Undo);
            let undo = undo.first().map_or_else(String::new, |key| format!(" ({key} undoes it)"));
            let undoes = entry.command.can_be_undone();
            let hint = if undoes { undo } else { String::new() };
            (Tone::Good, format!("{what}: applied #{}, {}{hint}", entry.sequence, durability.name()))
        }
        Ok(Acknowledgement::Duplicate { sequence }) => {
            (Tone::Good, format!("{what}: had been applied before, as #{sequence}"))
        }
        Ok(Acknowledgement::Rejected { reason }) => (Tone::Bad, format!("{what}: rejected, nothing changed: {reason}")),
        Err(reason) => {
            (Tone::Bad, format!("{what}: no acknowledgement ({reason}); the journal says whether it was applied"))
        }
    };
    model.statuses.say(tone, text, model.now);
}
