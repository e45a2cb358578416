//! Help for the current screen, generated from the action registry with the keys as they are bound.

use super::super::model::{Model, Screen};
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use crate::domain::action::{ACTIONS, Action, ActionRow, Danger, Scope};

/// What tui-logger's widget does with keys while the log is shown.
const LOG_KEYS: [(&str, &str); 8] = [
    ("up down", "choose a target"),
    ("left right", "show fewer or more levels of it"),
    ("- +", "capture fewer or more levels of it"),
    ("f", "only this target"),
    ("h", "hide or show the targets"),
    ("space", "hide targets that are off"),
    ("pageup pagedown", "scroll"),
    ("esc", "follow the newest again"),
];

/// What keys do while a prompt is typed.
const PROMPT_KEYS: [(&str, &str); 6] = [
    ("enter", "send"),
    ("alt-enter ctrl-j", "start a line"),
    ("up down", "on the first or last line: earlier prompts"),
    ("pageup pagedown", "scroll the answer"),
    ("ctrl-u", "empty it; up brings it back"),
    ("esc", "leave the prompt; what was typed stays"),
];

/// What keys do in a dialog.
const DIALOG_KEYS: [(&str, &str); 4] = [
    ("left right", "turn the value, with shift finely"),
    ("up down", "choose the value"),
    ("enter", "apply; asked once more only where over 20% of traffic moves"),
    ("esc", "leave everything as it is"),
];

/// What the Overview's signs and short headings mean.
const SIGNS: [(&str, &str); 9] = [
    ("mean", "the reward expected of the arm over recent prompts, ± its uncertainty"),
    ("share", "of answers, in the window that the frame names; beside it its change"),
    ("trials wins", "judged previews, and how many of them the judge liked best"),
    ("err p95", "recent calls that failed; seconds within which 95% of previews were there"),
    ("prev", "share of previews (wide terminals only, as the next two)"),
    ("data n", "observations the estimate rests on, after forgetting"),
    ("by intent", "where it answers: reasoning, coding, retrieval, writing, other"),
    ("marks on an axis", "a person changed something; with `!` a rule or the configuration did"),
    ("+1 in a run", "so many arms failed before one answered"),
];

struct Line {
    keys: String,
    text: String,
    is_title: bool,
}

/// An action with its keys as they are bound.
fn told(model: &Model, row: &ActionRow) -> Line {
    let keys = model.identity.keys.keys(row.action).iter().map(ToString::to_string).collect::<Vec<_>>();
    Line { keys: keys.join(" "), text: row.help.to_owned(), is_title: false }
}

fn lines(model: &Model) -> Vec<Line> {
    let scope = model.screen.scope();
    let title = |text: &str| Line { keys: text.to_owned(), text: String::new(), is_title: true };
    let mut lines = Vec::new();
    let is_here = |row: &ActionRow| row.scope == scope || (row.scope == Scope::Run && scope.meets(row.scope));
    let rows = |wanted: &dyn Fn(&ActionRow) -> bool| {
        ACTIONS
            .iter()
            .filter(|row| wanted(row) && !model.refuses(row.action))
            .map(|row| told(model, row))
            .collect::<Vec<_>>()
    };
    let fixed = |keys: &[(&str, &str)]| {
        keys.iter()
            .map(|(keys, text)| Line { keys: (*keys).to_owned(), text: (*text).to_owned(), is_title: false })
            .collect::<Vec<_>>()
    };
    match model.screen {
        Screen::Logs => {
            lines.push(title("Logs"));
            lines.extend(fixed(&LOG_KEYS));
        }
        screen => {
            lines.push(title(screen.name()));
            lines.extend(rows(&is_here));
        }
    }
    lines.push(title("Everywhere"));
    lines.extend(rows(&|row| row.scope == Scope::Global && row.danger == Danger::None && !is_taken(model.screen, row)));
    if model.identity.keys.keys(Action::Quit).iter().all(|key| key.as_str() != "ctrl-c") {
        lines.extend(fixed(&[("ctrl-c", "leave, however keys are bound")]));
    }
    if model.identity.read_only {
        lines.push(title("What would teach, spend or change something: refused, this console is read-only"));
        let refused = |row: &&ActionRow| model.refuses(row.action) && (row.scope == Scope::Global || is_here(row));
        lines.extend(ACTIONS.iter().filter(refused).map(|row| told(model, row)));
    } else {
        lines.push(title("Changing what is learned: shows what it would do, can be undone"));
        lines.extend(rows(&|row| row.scope == Scope::Global && row.danger != Danger::None));
        lines.push(title("While typing"));
        lines.extend(fixed(&PROMPT_KEYS));
        lines.push(title("In a dialog"));
        lines.extend(fixed(&DIALOG_KEYS));
    }
    if model.screen == Screen::Overview {
        lines.push(title("Signs"));
        lines.extend(fixed(&SIGNS));
    }
    lines
}

/// Whether the log's own keys stand in the way of an action there.
pub(super) fn is_taken(screen: Screen, row: &ActionRow) -> bool {
    let moves = matches!(row.action, Action::Up | Action::Down | Action::PageUp | Action::PageDown);
    screen == Screen::Logs && (moves || row.action == Action::Freeze)
}

/// The farthest that help can be scrolled on a screen of `height` rows.
pub(in super::super) fn farthest(model: &Model, height: u16) -> u16 {
    small(lines(model).len()).saturating_sub(height.saturating_sub(2))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let Some(scroll) = model.help else { return };
    let lines = lines(model);
    let (width, height) = (canvas.width(), canvas.height());
    let (wide, high) = (width.min(96), height.min(small(lines.len()) + 2));
    let mut part = canvas.part((width - wide) / 2, (height - high) / 2, wide, high);
    part.clear();
    let rows = high.saturating_sub(2);
    let first = usize::from(scroll).min(lines.len().saturating_sub(usize::from(rows)));
    let more = lines.len() > usize::from(rows);
    let right = if more { "up down scroll, esc closes" } else { "any key closes" };
    let mut inner = part.framed(&format!("Help: {}", model.screen.name()), right, true);
    let theme = inner.theme;
    for (y, line) in (0..rows).zip(&lines[first..]) {
        if line.is_title {
            inner.put(1, y, &line.keys, theme.strong());
        } else {
            inner.put_within(2, y, &line.keys, theme.key(), 16);
            inner.put_within(19, y, &line.text, theme.text(), inner.width().saturating_sub(20));
        }
    }
}
