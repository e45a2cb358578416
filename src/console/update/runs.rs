//! Own runs: the prompt's keys, sending, streaming, cancelling, rating, the conversation.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::message::{Effect, Step, Ticket};
use super::super::model::race::Standing;
use super::super::model::status::Tone;
use super::super::model::{Model, Screen};
use super::history;
use crate::domain::command::Acknowledgement;
use crate::domain::event::RunEvent;
use crate::domain::ids::{CommandId, RunId};

/// Keys go into the prompt now.
pub(super) fn enter_prompt(model: &mut Model) {
    if matches!(model.screen, Screen::Logs | Screen::Runs) {
        model.screen = Screen::Race;
    }
    history::unzoom(model);
    model.typing = true;
}

/// A key for the prompt.
pub(super) fn prompt_key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => model.typing = false,
        KeyCode::Tab => {
            model.typing = false;
            return super::keys::next_screen(model);
        }
        KeyCode::Enter if alt || key.modifiers.contains(KeyModifiers::SHIFT) => model.prompt.newline(),
        KeyCode::Char('j') if control => model.prompt.newline(),
        KeyCode::Enter => return send(model),
        KeyCode::Char('n') if control => new_conversation(model),
        KeyCode::Char('u') if control => model.prompt.clear(),
        KeyCode::PageUp => return super::keys::scroll(model, -10),
        KeyCode::PageDown => return super::keys::scroll(model, 10),
        KeyCode::Up if model.prompt.is_on_first_line() => model.prompt.older(),
        KeyCode::Down if model.prompt.is_on_last_line() => model.prompt.newer(),
        _ => {
            model.prompt.input(key);
        }
    }
    Vec::new()
}

/// A pasted text goes into the prompt, wherever a prompt can be opened; whether it did anything.
pub(super) fn paste(model: &mut Model, text: &str) -> bool {
    if model.dialog.is_some() || model.help.is_some() || model.identity.read_only || text.is_empty() {
        return false;
    }
    let (would_be, limit) = (model.prompt.bytes() + text.len(), model.identity.max_prompt_bytes);
    if would_be > limit {
        let text = format!("paste refused: {would_be} bytes, and a prompt has at most {limit} (run.max_prompt_bytes)");
        model.statuses.say(Tone::Bad, text, model.now);
        return true;
    }
    enter_prompt(model);
    model.prompt.insert(text);
    true
}

/// Sends the prompt.
fn send(model: &mut Model) -> Vec<Effect> {
    let refusal = if model.engine_gone && model.identity.attached_to.is_some() {
        Some("not sent: the process that held the engine has left; Esc, then Enter takes over")
    } else if model.prompt.text().trim().is_empty() {
        Some("type a prompt, then Enter sends it")
    } else if model.conversation.is_running() {
        Some("your run is still going: Esc, Esc cancels it, or wait for its answer")
    } else if model.engine_gone {
        Some("the engine has stopped: the prompt was not sent")
    } else {
        None
    };
    if let Some(text) = refusal {
        model.statuses.say(Tone::Info, text, model.now);
        return Vec::new();
    }
    let prompt = model.prompt.take();
    model.statuses.move_on();
    model.tally.prompts += 1;
    model.typing = false;
    model.screen = Screen::Race;
    let (ticket, request) = model.conversation.ask(prompt, model.now);
    // Nobody else's: who sits here, when the console opened, which of its conversations.
    let (who, opened) = (&model.identity.operator, model.started.millis());
    let session = format!("console {who} {opened} {}", model.conversation.name());
    vec![Effect::Submit(ticket, session, Box::new(request))]
}

/// The engine named the run.
pub(super) fn started(model: &mut Model, ticket: Ticket, run: RunId) {
    if let Some(own) = model.conversation.of(ticket) {
        own.run = Some(run);
    }
}

/// The engine did not take it: the prompt goes back into the box.
pub(super) fn refused(model: &mut Model, ticket: Ticket, reason: String) {
    if let Some(own) = model.conversation.of(ticket) {
        own.standing = Standing::Failed(reason);
        let prompt = own.prompt.clone();
        model.prompt.restore(&prompt);
    }
}

/// The run goes on; whether it is ours to show.
pub(super) fn event(model: &mut Model, ticket: Ticket, event: RunEvent) -> bool {
    let Some(own) = model.conversation.of(ticket) else { return false };
    if !own.standing.is_going() {
        return false;
    }
    own.apply(event);
    if !own.standing.is_going() {
        model.conversation.keep_turn();
    }
    true
}

/// The run's events ended: without `Finished` the engine has dropped it.
pub(super) fn ended(model: &mut Model, ticket: Ticket) {
    if let Some(own) = model.conversation.of(ticket).filter(|own| own.standing.is_going()) {
        own.standing = Standing::Failed("the engine ended the run without a result".to_owned());
    }
}

/// Records of shown runs that are to be read anew: see `OwnRun::wants_reading`.
pub(super) fn read_anew(model: &mut Model) -> Vec<Effect> {
    let (live, now) = (Arc::clone(&model.live), model.now);
    let shown = [model.conversation.own.as_mut(), model.runs.opened.as_mut()];
    let due = shown.into_iter().flatten().filter_map(|own| own.wants_reading(&live.recent_runs, now));
    due.map(Effect::ReadRun).collect()
}

/// Leaves the whole of the reasons, stops the run that is shown, or clears messages.
pub(super) fn cancel(model: &mut Model) -> Vec<Effect> {
    if history::unzoom(model) {
        return Vec::new();
    }
    match &mut model.conversation.own {
        Some(own) if own.standing.is_going() => {
            own.standing = Standing::Cancelled;
            let ticket = own.ticket;
            model.statuses.say(Tone::Info, "cancelled: its requests are closed", model.now);
            vec![Effect::Cancel(ticket)]
        }
        _ => {
            model.statuses.dismiss();
            Vec::new()
        }
    }
}

/// Starts over, unless a run is going.
pub(super) fn new_conversation(model: &mut Model) {
    if model.conversation.is_running() {
        model.statuses.say(Tone::Info, "your run is still going: Esc cancels it", model.now);
    } else {
        model.conversation.start_over();
        model.statuses.say(Tone::Info, "new conversation", model.now);
        model.screen = Screen::Race;
    }
}

/// Rates the answer that is shown.
pub(super) fn rate(model: &mut Model, rating: f64, step: Step) -> Vec<Effect> {
    let served = model.conversation.own.as_mut().filter(|own| own.standing == Standing::Served);
    let Some((own, run)) = served.and_then(|own| own.run.map(|run| (own, run))) else {
        model.statuses.say(Tone::Info, "there is no answer to rate yet", model.now);
        return Vec::new();
    };
    let word = if rating > 0.5 { "good" } else { "bad" };
    if own.rating == Some(rating) {
        model.statuses.say(Tone::Info, format!("this answer is rated {word} already"), model.now);
        return Vec::new();
    }
    own.rating = Some(rating);
    let id = CommandId::new(step.now, step.entropy);
    own.rating_sent = Some(id);
    model.statuses.sent(id, format!("rated {word}"));
    vec![Effect::Rate(id, run, rating)]
}

/// A command was answered: a rating that was refused is none, and after one that was taken, or any other change of what
/// a rated run taught, its record says how it is rated.
pub(super) fn rated(model: &mut Model, id: CommandId, answer: &Result<Acknowledgement, String>) -> Vec<Effect> {
    let is_applied = matches!(answer, Ok(Acknowledgement::Applied { .. } | Acknowledgement::Duplicate { .. }));
    let Some(own) = model.conversation.own.as_mut().filter(|own| own.rating.is_some()) else { return Vec::new() };
    if own.rating_sent == Some(id) {
        own.rating_sent = None;
        if !is_applied {
            own.rating = own.record.as_ref().and_then(|record| record.rating);
        }
    }
    own.run.filter(|_| is_applied).map(Effect::ReadRun).into_iter().collect()
}
