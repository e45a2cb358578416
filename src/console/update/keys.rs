//! Keys. What lies on top gets them first: help, a dialog, the prompt, tui-logger's widget; then the
//! action registry decides. Ctrl-C, Ctrl-Z and Ctrl-L work everywhere.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_logger::TuiWidgetEvent;

use super::super::message::{Effect, Step};
use super::super::model::status::Tone;
use super::super::model::{Frozen, Model, Screen};
use super::super::views::help;
use super::super::widgets::number::rate as shown_rate;
use super::{dialogs, history, runs};
use crate::domain::action::{Action, KeyName};
use crate::domain::snapshot::ArmRow;
use crate::domain::spec::Provider;

/// How long after a dialog that acted an `Enter` is one too many.
const ONE_TOO_MANY: Duration = Duration::from_millis(600);

/// Effects, and whether the screen may have changed.
type Outcome = (Vec<Effect>, bool);

/// One key.
pub(super) fn key(model: &mut Model, key: KeyEvent, step: Step) -> Outcome {
    if key.kind == KeyEventKind::Release {
        return (Vec::new(), false);
    }
    let name = name(&key);
    match name.as_ref().map(KeyName::as_str) {
        Some("ctrl-c") => return (dialogs::ask_to_quit(model), true),
        Some("ctrl-z") => return (vec![Effect::Suspend], true),
        Some("ctrl-l") => return (vec![Effect::Redraw], true),
        _ => {}
    }
    if model.help.is_some() {
        help_key(model, &key);
        return (Vec::new(), true);
    }
    if model.dialog.is_some() {
        return (dialogs::key(model, &key, step), true);
    }
    if model.typing {
        return (runs::prompt_key(model, key), true);
    }
    if key.code == KeyCode::Enter && has_just_acted(model) {
        return (Vec::new(), false);
    }
    if key.code == KeyCode::Enter && model.engine_gone && model.identity.attached_to.is_some() {
        return (vec![Effect::TakeOver], true);
    }
    if model.screen == Screen::Logs
        && let Some(event) = log_key(&key)
    {
        model.logs.hides_targets ^= event == TuiWidgetEvent::HideKey;
        model.logs.state.transition(event);
        return (Vec::new(), true);
    }
    let action = name.and_then(|name| model.identity.keys.action(&name, model.screen.scope()));
    // On a list, Enter opens what is selected.
    let is_listed = model.screen == Screen::Runs && model.runs.opened.is_none() && key.code == KeyCode::Enter;
    let action = if is_listed && action == Some(Action::Prompt) { Some(Action::OpenRun) } else { action };
    match action {
        Some(action) => (act(model, action, step), true),
        None => (Vec::new(), key.code == KeyCode::Esc && escape(model)),
    }
}

/// Whether a dialog has just acted: whoever expected one more question presses `Enter` once more, and would find
/// what is typed next in a prompt.
fn has_just_acted(model: &Model) -> bool {
    model.acted_at.is_some_and(|at| model.now >= at && model.now.since(at) < ONE_TOO_MANY)
}

/// `Esc` where no action has it: messages go, then marks.
fn escape(model: &mut Model) -> bool {
    if model.statuses.dismiss() {
        return true;
    }
    let marked = !model.table.marked.is_empty();
    model.table.marked.clear();
    marked
}

fn help_key(model: &mut Model, key: &KeyEvent) {
    let lines = model.help.unwrap_or(0);
    let most = help::farthest(model, model.size.1);
    let by = |rows: u16, up: bool| {
        let to = if up { lines.saturating_sub(rows) } else { lines.saturating_add(rows) };
        Some(to.min(most))
    };
    model.help = match key.code {
        KeyCode::Up | KeyCode::Char('k') => by(1, true),
        KeyCode::Down | KeyCode::Char('j') => by(1, false),
        KeyCode::PageUp => by(10, true),
        KeyCode::PageDown | KeyCode::Char(' ') => by(10, false),
        KeyCode::Home => Some(0),
        KeyCode::End => Some(most),
        _ => None,
    };
}

/// The keys of tui-logger's widget, as its documentation lists them.
fn log_key(key: &KeyEvent) -> Option<TuiWidgetEvent> {
    Some(match key.code {
        KeyCode::Char(' ') => TuiWidgetEvent::SpaceKey,
        KeyCode::Up | KeyCode::Char('k') => TuiWidgetEvent::UpKey,
        KeyCode::Down | KeyCode::Char('j') => TuiWidgetEvent::DownKey,
        KeyCode::Left => TuiWidgetEvent::LeftKey,
        KeyCode::Right => TuiWidgetEvent::RightKey,
        KeyCode::Char('+') => TuiWidgetEvent::PlusKey,
        KeyCode::Char('-') => TuiWidgetEvent::MinusKey,
        KeyCode::Char('h') => TuiWidgetEvent::HideKey,
        KeyCode::Char('f') => TuiWidgetEvent::FocusKey,
        KeyCode::PageUp => TuiWidgetEvent::PrevPageKey,
        KeyCode::PageDown => TuiWidgetEvent::NextPageKey,
        KeyCode::Esc => TuiWidgetEvent::EscapeKey,
        _ => return None,
    })
}

/// Does what `action` means here.
fn act(model: &mut Model, action: Action, step: Step) -> Vec<Effect> {
    if model.refuses(action) {
        let what = action.row().help.split([';', ',', ':']).next().unwrap_or_default();
        let text = format!("{what}: refused, this console is read-only and nothing was changed");
        model.statuses.say(Tone::Bad, text, model.now);
        return Vec::new();
    }
    match action {
        Action::Overview => model.screen = Screen::Overview,
        Action::Race => model.screen = Screen::Race,
        Action::Runs => return history::enter(model),
        Action::Logs => model.screen = Screen::Logs,
        Action::NextScreen => return next_screen(model),
        Action::Prompt => runs::enter_prompt(model),
        Action::NewConversation => runs::new_conversation(model),
        Action::CancelRun => return runs::cancel(model),
        Action::RateUp => return runs::rate(model, 1.0, step),
        Action::RateDown => return runs::rate(model, 0.0, step),
        Action::Zoom => history::zoom(model),
        Action::OpenRun => return history::open(model),
        Action::CloseRun => history::close(model),
        Action::Decay | Action::Prune | Action::Deactivate | Action::Reactivate | Action::Weights | Action::Budget => {
            return dialogs::open(model, action);
        }
        Action::AskJudge => return dialogs::ask_judge(model, step),
        Action::Undo => return dialogs::open_undo(model, false),
        Action::Redo => return dialogs::open_undo(model, true),
        Action::Traffic => return traffic(model),
        Action::TrafficSlower => return traffic_rate(model, 0.5),
        Action::TrafficFaster => return traffic_rate(model, 2.0),
        Action::Freeze => freeze(model),
        Action::Sort => {
            let shown = model.frozen.as_ref().map_or_else(|| model.live.clone(), |frozen| frozen.snapshot.clone());
            model.table.sort_by_next(&shown.arms, model.now);
        }
        Action::Mark => model.table.mark(),
        Action::Up => return scroll(model, -1),
        Action::Down => return scroll(model, 1),
        Action::PageUp => return scroll(model, -10),
        Action::PageDown => return scroll(model, 10),
        Action::AcknowledgeAlarm => acknowledge_alarm(model),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Help => model.help = Some(0),
        Action::Quit => return dialogs::ask_to_quit(model),
    }
    Vec::new()
}

/// The screen after this one.
pub(super) fn next_screen(model: &mut Model) -> Vec<Effect> {
    match model.screen.next() {
        Screen::Runs => history::enter(model),
        screen => {
            model.screen = screen;
            Vec::new()
        }
    }
}

/// Moves what the screen moves: the selection, the answer, or the reasons.
pub(super) fn scroll(model: &mut Model, rows: i32) -> Vec<Effect> {
    if history::scroll(model, rows) {
        return Vec::new();
    }
    match model.screen {
        Screen::Overview | Screen::Logs => model.table.move_by(rows),
        Screen::Race => {}
        Screen::Runs => {
            model.runs.move_by(rows);
            return history::want_older(model);
        }
    }
    Vec::new()
}

fn freeze(model: &mut Model) {
    model.frozen = match model.frozen.take() {
        Some(_) => None,
        None => Some(Frozen { snapshot: model.live.clone(), at: model.now }),
    };
    model.follow();
}

fn traffic(model: &mut Model) -> Vec<Effect> {
    match &mut model.traffic {
        Some(status) if status.on => {
            status.on = false;
            vec![Effect::SetTraffic(false)]
        }
        // What is asked of models outside this process may cost money: never by one key.
        Some(status) if model.live.arms.iter().any(is_outside) => {
            let rate = status.rate_per_s;
            dialogs::ask_for_traffic(model, rate);
            Vec::new()
        }
        Some(_) => start_traffic(model),
        None => no_traffic(model),
    }
}

/// Whether it is asked, and not served by this process.
fn is_outside(row: &ArmRow) -> bool {
    row.state.is_candidate() && row.spec.provider != Provider::Simulated
}

/// Switches the generator on.
pub(super) fn start_traffic(model: &mut Model) -> Vec<Effect> {
    if let Some(status) = &mut model.traffic {
        status.on = true;
    }
    vec![Effect::SetTraffic(true)]
}

fn traffic_rate(model: &mut Model, factor: f64) -> Vec<Effect> {
    match &mut model.traffic {
        Some(status) => {
            let rate = (status.rate_per_s * factor).clamp(0.1, 1_000.0);
            status.rate_per_s = rate;
            if !status.on {
                // The header shows the rate only while it sends.
                let text = format!("traffic is off; it would send {} runs a second", shown_rate(rate));
                model.statuses.say(Tone::Info, text, model.now);
            }
            vec![Effect::SetTrafficRate(rate)]
        }
        None => no_traffic(model),
    }
}

fn no_traffic(model: &mut Model) -> Vec<Effect> {
    let text = "there is no traffic generator here: it comes with simulated arms in this process";
    model.statuses.say(Tone::Info, text, model.now);
    Vec::new()
}

fn acknowledge_alarm(model: &mut Model) {
    let newest = model.alarms().next().map(|alarm| (alarm.subject.clone(), alarm.at, alarm.message.clone()));
    match newest {
        Some((subject, at, message)) => {
            model.seen_alarms.insert((subject, at));
            model.statuses.say(Tone::Info, format!("acknowledged: {message}"), model.now);
        }
        None => model.statuses.say(Tone::Info, "no alarm is open", model.now),
    }
}

/// The written form of a key, as the registry and the configuration have it.
pub(super) fn name(key: &KeyEvent) -> Option<KeyName> {
    let bare = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => c.to_lowercase().to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => "backtab".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::F(n) => format!("f{n}"),
        _ => return None,
    };
    let text = if key.modifiers.contains(KeyModifiers::CONTROL) {
        format!("ctrl-{bare}")
    } else if key.modifiers.contains(KeyModifiers::ALT) {
        format!("alt-{bare}")
    } else {
        bare
    };
    KeyName::parse(&text).ok()
}
