//! Help for the current screen, generated from the action registry with the keys as they are bound.

use super::super::model::{Model, Screen};
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use crate::domain::action::{ACTIONS, ActionRow, Danger, Scope};

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
const PROMPT_KEYS: [(&str, &str); 5] = [
    ("enter", "send"),
    ("alt-enter ctrl-j", "start a line"),
    ("up down", "on the first or last line: earlier prompts"),
    ("pageup pagedown", "scroll the answer"),
    ("esc", "leave the prompt"),
];

/// What keys do in a dialog.
const DIALOG_KEYS: [(&str, &str); 4] = [
    ("left right", "turn the value, with shift finely"),
    ("up down", "choose the value"),
    ("enter", "apply; asked twice where much traffic moves"),
    ("esc", "leave everything as it is"),
];

struct Line {
    keys: String,
    text: String,
    is_title: bool,
}

fn lines(model: &Model) -> Vec<Line> {
    let scope = model.screen.scope();
    let title = |text: &str| Line { keys: text.to_owned(), text: String::new(), is_title: true };
    let mut lines = Vec::new();
    let rows = |wanted: &dyn Fn(&ActionRow) -> bool| {
        ACTIONS
            .iter()
            .filter(|row| wanted(row))
            .map(|row| {
                let keys = model.identity.keys.keys(row.action).iter().map(ToString::to_string).collect::<Vec<_>>();
                Line { keys: keys.join(" "), text: row.help.to_owned(), is_title: false }
            })
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
            lines.extend(rows(&|row| row.scope == scope));
        }
    }
    lines.push(title("Everywhere"));
    lines.extend(rows(&|row| row.scope == Scope::Global && row.danger == Danger::None));
    lines.push(title("Changing what is learned: each shows first what it would do, and can be undone"));
    lines.extend(rows(&|row| row.scope == Scope::Global && row.danger != Danger::None));
    lines.push(title("While typing"));
    lines.extend(fixed(&PROMPT_KEYS));
    lines.push(title("In a dialog"));
    lines.extend(fixed(&DIALOG_KEYS));
    lines
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
