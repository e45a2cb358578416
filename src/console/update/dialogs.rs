//! Dialogs: opened by an action, turned by arrows, answered by `Enter` or `Esc`. Every turn asks anew
//! what the change would do; an answer to an older question is dropped by its number.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::message::{Effect, Step};
use super::super::model::Model;
use super::super::model::dialog::{Dialog, Forecasting, Subject, describe};
use super::super::model::status::Tone;
use crate::domain::action::Action;
use crate::domain::command::{Actor, JournalEntry, RouterCommand};
use crate::domain::ids::{ArmId, CommandId};

/// Opens the dialog of `action`, or says why not.
pub(super) fn open(model: &mut Model, action: Action) -> Vec<Effect> {
    let marked: Vec<ArmId> = model.table.marked.iter().cloned().collect();
    let targets = model.table.targets();
    let candidate = |arm: &ArmId| model.live.arms.iter().any(|row| row.arm == *arm && row.state.is_candidate());
    let (inside, outside): (Vec<ArmId>, Vec<ArmId>) = targets.iter().cloned().partition(candidate);
    let subject = match action {
        Action::Decay => Ok(Subject::Decay { arms: marked, factor: 0.90 }),
        Action::Prune => Ok(Subject::Prune { min_trials: 50, min_win_rate: 0.05, field: 0 }),
        Action::Deactivate if inside.is_empty() => Err(already(model, &targets, Action::Reactivate)),
        Action::Deactivate => Ok(Subject::Deactivate { arms: inside }),
        Action::Reactivate if outside.is_empty() => Err(already(model, &targets, Action::Deactivate)),
        Action::Reactivate => Ok(Subject::Reactivate { arms: outside }),
        Action::Budget => Ok(Subject::Budget { dollars: Some(ceiling_to_begin_with(model)) }),
        _ => {
            let weights = &model.live.weights;
            let mut draft = [0.0; 7];
            draft[..6].copy_from_slice(&weights.by_term());
            draft[6] = weights.fallback_penalty();
            Ok(Subject::Weights { draft, field: 0 })
        }
    };
    show(model, subject)
}

/// That the arms meant are as asked already, and which key turns that round.
fn already(model: &Model, targets: &[ArmId], back: Action) -> String {
    let (what, undoes) = match back {
        Action::Reactivate => ("off", "brings it back"),
        _ => ("on", "takes it out"),
    };
    let key = model.identity.keys.keys(back).first().map_or_else(String::new, |key| format!("; {key} {undoes}"));
    let state = |arm: &ArmId| model.live.arms.iter().find(|row| row.arm == *arm).map(|row| row.state.name());
    match targets {
        [] => format!("{what}: no arm is selected"),
        [arm] => format!("{what}: {arm} is {} already{key}", state(arm).unwrap_or("gone")),
        many => format!("{what}: all {} are {what} already{key}", many.len()),
    }
}

/// The ceiling in force; else what a run costs now, to two digits; else a tenth of a cent.
fn ceiling_to_begin_with(model: &Model) -> f64 {
    let spent = model.live.totals.usd_per_run.filter(|dollars| *dollars > 0.0).map(|dollars| two_digits(dollars, 0.0));
    model.live.budget_per_request_usd.or(spent).unwrap_or(0.001)
}

/// `dollars` times e^`by`, to two digits: turned by tenths, the same values come again.
fn two_digits(dollars: f64, by: f64) -> f64 {
    let turned = dollars * by.exp();
    let unit = 10f64.powf(turned.log10().floor() - 1.0);
    let rounded = (turned / unit).round() * unit;
    // What is too small a step for two digits still moves.
    let stuck = by.abs() > 0.0 && (rounded / dollars - 1.0).abs() < 1e-9;
    (if stuck { rounded + unit * by.signum() } else { rounded }).clamp(1e-9, 1e6)
}

/// Opens the question whether to undo the last operator action, or to redo the last undo. A redo is the
/// undo of an undo in the journal, and so is never redone itself: `U` once more goes to the undo before.
pub(super) fn open_undo(model: &mut Model, redo: bool) -> Vec<Effect> {
    let journal = &model.live.journal;
    let target = |entry: &JournalEntry| match entry.command {
        RouterCommand::Undo { target } => journal.iter().find(|line| line.sequence == target),
        _ => None,
    };
    let is_undo = |entry: &JournalEntry| matches!(entry.command, RouterCommand::Undo { .. });
    let wanted = |entry: &&JournalEntry| {
        let by_person = matches!(entry.actor, Actor::Person(_));
        let right_kind = is_undo(entry) == redo && !target(entry).is_some_and(is_undo);
        entry.undone_by.is_none() && right_kind && by_person && entry.command.can_be_undone()
    };
    let subject = match journal.iter().find(wanted) {
        Some(entry) => {
            let what = describe(&target(entry).unwrap_or(entry).command);
            Ok(Subject::Undo { entry: Box::new(entry.clone()), what, redo })
        }
        None if redo => Err("redo: nothing was undone".to_owned()),
        None => Err("undo: there is no operator action to undo".to_owned()),
    };
    show(model, subject)
}

fn show(model: &mut Model, subject: Result<Subject, String>) -> Vec<Effect> {
    match subject {
        Ok(subject) => {
            model.dialog = Some(Dialog::new(subject));
            ask(model)
        }
        Err(text) => {
            model.statuses.say(Tone::Info, text, model.now);
            Vec::new()
        }
    }
}

/// Quits, or asks first where something is under way. Asked twice, it quits.
pub(super) fn ask_to_quit(model: &mut Model) -> Vec<Effect> {
    let asked = matches!(model.dialog.as_ref().map(|d| &d.subject), Some(Subject::Quit { .. }));
    let pending = model.statuses.pending().len();
    let what = match (model.conversation.is_running(), pending) {
        (true, _) => "your run is still going: leaving cancels it".to_owned(),
        (false, 1) => "a command is not acknowledged yet".to_owned(),
        (false, n) => format!("{n} commands are not acknowledged yet"),
    };
    if asked || (!model.conversation.is_running() && pending == 0) {
        return vec![Effect::Quit];
    }
    model.help = None;
    model.dialog = Some(Dialog::new(Subject::Quit { what }));
    Vec::new()
}

/// Has a judge that is out asked again: there is nothing to weigh, so nothing is asked before.
pub(super) fn ask_judge(model: &mut Model, step: Step) -> Vec<Effect> {
    if model.live.alarms.iter().all(|alarm| alarm.subject != "judge") {
        model.statuses.say(Tone::Info, "the judge is not out: there is nothing to do", model.now);
        return Vec::new();
    }
    let id = CommandId::new(step.now, step.entropy);
    model.statuses.sent(id, "judge: asked by the next run".to_owned());
    vec![Effect::Command(id, Box::new(RouterCommand::AskJudge))]
}

/// Asks whether the generator may send to models outside this process.
pub(super) fn ask_for_traffic(model: &mut Model, rate_per_s: f64) {
    model.dialog = Some(Dialog::new(Subject::Traffic { rate_per_s }));
}

/// Asks what the open dialog's change would do.
fn ask(model: &mut Model) -> Vec<Effect> {
    model.question += 1;
    let Some(dialog) = &mut model.dialog else { return Vec::new() };
    dialog.armed = false;
    if let Forecasting::Known(known) = std::mem::take(&mut dialog.forecast) {
        dialog.last = Some(known);
    }
    if !dialog.is_change() {
        return Vec::new();
    }
    match dialog.command() {
        Ok(command) => vec![Effect::WhatIf(model.question, Box::new(command))],
        Err(fault) => {
            dialog.forecast = Forecasting::Refused(fault);
            Vec::new()
        }
    }
}

/// An answer came; whether it is to the question that is open.
pub(super) fn forecast(model: &mut Model, question: u64, forecast: Forecasting) -> bool {
    let current = question == model.question;
    match &mut model.dialog {
        Some(dialog) if current && dialog.is_change() => {
            dialog.forecast = forecast;
            true
        }
        _ => false,
    }
}

/// A key for the open dialog.
pub(super) fn key(model: &mut Model, key: &KeyEvent, step: Step) -> Vec<Effect> {
    let fine = key.modifiers.contains(KeyModifiers::SHIFT);
    let quitting = matches!(model.dialog.as_ref().map(|d| &d.subject), Some(Subject::Quit { .. }));
    match key.code {
        KeyCode::Char('q') if quitting => return vec![Effect::Quit],
        KeyCode::Esc | KeyCode::Char('n' | 'q') => model.dialog = None,
        KeyCode::Enter | KeyCode::Char('y') => return confirm(model, step),
        KeyCode::Left | KeyCode::Char('h' | '-') => return turn(model, -1.0, fine),
        KeyCode::Right | KeyCode::Char('l' | '+') => return turn(model, 1.0, fine),
        KeyCode::Up | KeyCode::Down | KeyCode::Tab | KeyCode::Char('j' | 'k') if is_budget(model) => {
            return switch_ceiling(model);
        }
        KeyCode::Up | KeyCode::Char('k') => choose(model, -1),
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => choose(model, 1),
        _ => {}
    }
    Vec::new()
}

fn is_budget(model: &Model) -> bool {
    matches!(model.dialog.as_ref().map(|dialog| &dialog.subject), Some(Subject::Budget { .. }))
}

/// Between a ceiling and none.
fn switch_ceiling(model: &mut Model) -> Vec<Effect> {
    let begin = ceiling_to_begin_with(model);
    if let Some(Subject::Budget { dollars }) = model.dialog.as_mut().map(|dialog| &mut dialog.subject) {
        *dollars = dollars.is_none().then_some(begin);
    }
    ask(model)
}

fn turn(model: &mut Model, direction: f64, fine: bool) -> Vec<Effect> {
    let Some(dialog) = &mut model.dialog else { return Vec::new() };
    let step = direction * if fine { 0.01 } else { 0.05 };
    match &mut dialog.subject {
        Subject::Decay { factor, .. } => *factor = turned(*factor, step, 0.05, 1.0),
        Subject::Prune { min_trials, field: 0, .. } => {
            let by = if fine { 1 } else { 10 };
            *min_trials =
                if direction < 0.0 { min_trials.saturating_sub(by).max(1) } else { min_trials.saturating_add(by) };
        }
        Subject::Prune { min_win_rate, .. } => *min_win_rate = turned(*min_win_rate, direction * 0.01, 0.0, 1.0),
        Subject::Weights { draft, field } => {
            if let Some(value) = draft.get_mut(*field) {
                *value = turned(*value, step, 0.0, 1.0);
            }
        }
        Subject::Budget { dollars } => {
            let by = direction * if fine { 0.02 } else { 0.1 };
            *dollars = dollars.map(|dollars| two_digits(dollars, by));
        }
        _ => return Vec::new(),
    }
    ask(model)
}

/// `value + step` within its range, in whole hundredths so that turning back gives the same value.
fn turned(value: f64, step: f64, low: f64, high: f64) -> f64 {
    (((value + step) * 100.0).round() / 100.0).clamp(low, high)
}

fn choose(model: &mut Model, by: i32) {
    let Some(dialog) = &mut model.dialog else { return };
    let (field, fields) = match &mut dialog.subject {
        Subject::Prune { field, .. } => (field, 2),
        Subject::Weights { field, .. } => (field, 7),
        _ => return,
    };
    *field = if by < 0 { (*field + fields - 1) % fields } else { (*field + 1) % fields };
}

/// `Enter`: the command is sent, or asked for once more, or refused here.
fn confirm(model: &mut Model, step: Step) -> Vec<Effect> {
    let Some(mut dialog) = model.dialog.take() else { return Vec::new() };
    if matches!(dialog.subject, Subject::Quit { .. }) {
        return vec![Effect::Quit];
    }
    if let Subject::Traffic { .. } = dialog.subject {
        model.acted_at = Some(model.now);
        return super::keys::start_traffic(model);
    }
    if dialog.is_blind() {
        let text = "prune: who would go is not computed yet; Enter again when they are listed";
        model.statuses.say(Tone::Info, text, model.now);
        model.dialog = Some(dialog);
        return Vec::new();
    }
    let nobody = matches!((&dialog.subject, &dialog.forecast),
        (Subject::Prune { .. }, Forecasting::Known(known)) if known.victims.is_empty());
    if nobody {
        model.statuses.say(Tone::Info, "prune: nobody would go, so nothing was sent", model.now);
        model.dialog = Some(dialog);
        return Vec::new();
    }
    if !dialog.armed && dialog.objection(&model.live).is_some() {
        dialog.armed = true;
        model.dialog = Some(dialog);
        return Vec::new();
    }
    match dialog.command() {
        Ok(command) => {
            // The press's own identifier: however often it is sent, it is applied once.
            let id = CommandId::new(step.now, step.entropy);
            model.statuses.sent(id, dialog.phrase());
            model.acted_at = Some(model.now);
            vec![Effect::Command(id, Box::new(command))]
        }
        Err(reason) => {
            model.statuses.say(Tone::Bad, reason, model.now);
            model.dialog = Some(dialog);
            Vec::new()
        }
    }
}
