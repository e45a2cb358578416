//! The last line: what became of the last press, else the prompt; and the keys of this screen from the
//! action registry. Labels go before keys, `?` and `q` go last.
//!
//! ```text
//!  ▸ ask: _                          i ask  d decay  p prune  x off  r on  w weights  u undo  ? help  q quit
//!  ✓ decay to 0.90 of all arms: applied #142, durable (u undoes it)                          ? help  q quit
//! ```
//!
//! What does not fit on one line is told on up to three, which for as long lie over the screen above.

use ratatui::style::Style;
use ratatui::text::Span;

use super::super::model::race::Standing;
use super::super::model::status::Tone;
use super::super::model::{Model, Screen};
use super::super::theme::Theme;
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use super::super::widgets::segments::{Segment, fit};
use super::super::widgets::wrap::wrap;
use super::{help, prompt};
use crate::domain::action::{ACTIONS, Action, Scope};
use crate::domain::text::one_line;

/// Columns that a message leaves to the last keys.
const KEYS_ONLY: u16 = 12;

/// The most rows that a message takes.
const MOST_ROWS: usize = 3;

/// What became of the last press, in lines of a footer of `width` columns; none where the prompt stands there.
fn message(model: &Model, theme: &Theme, width: u16) -> Option<(Style, Vec<String>)> {
    let (tone, text, more) = model.statuses.line()?;
    let inline = model.typing && model.screen == Screen::Overview;
    // A message is read while nothing is typed yet; bad news always.
    let covers = tone == Tone::Bad || (tone == Tone::Info && model.prompt.text().trim().is_empty());
    if inline && !covers {
        return None;
    }
    let (glyph, style) = match tone {
        Tone::Good => (theme.glyphs.outcome[0], theme.good()),
        Tone::Bad => (theme.glyphs.outcome[1], theme.bad()),
        Tone::Pending => (theme.glyphs.outcome[2], theme.warn()),
        Tone::Info => (theme.glyphs.prompt, theme.text()),
    };
    let more = if more > 0 { format!(" (+{more})") } else { String::new() };
    let text = format!("{glyph} {}{more}", one_line(&text));
    let mut lines = wrap(&text, width.saturating_sub(KEYS_ONLY + 2));
    if lines.len() > MOST_ROWS {
        // The last of them ends in an ellipsis when it is drawn.
        let last = lines.drain(MOST_ROWS - 1..).collect::<Vec<_>>().join(" ");
        lines.push(last);
    }
    Some((style, lines))
}

/// Rows that the footer takes in `width` columns.
pub(super) fn rows(model: &Model, theme: &Theme, width: u16) -> u16 {
    message(model, theme, width).map_or(1, |(_, lines)| small(lines.len()).max(1))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let (width, last) = (canvas.width(), canvas.height().saturating_sub(1));
    let theme = canvas.theme;
    let told = message(model, theme, width);
    if model.typing && model.screen == Screen::Overview && told.is_none() {
        let label = format!(" {} ask: ", theme.glyphs.prompt);
        let x = canvas.put(0, 0, &label, theme.key());
        let mut hints = typing_hints(model, theme);
        let room = width.saturating_sub(x + width / 3 + 2);
        let size = prompt::size_of_draft(model, room, 1);
        let short =
            |size: &str| vec![Span::styled(size.split(" in").next().unwrap_or_default().to_owned(), theme.warn())];
        hints.splice(0..0, size.map(|size| Segment::text(size.clone(), theme.warn(), 5).or(short(&size))));
        let hints = fit(&hints, width / 3, "  ");
        let room = width.saturating_sub(x).saturating_sub(small(hints.width()) + 2);
        prompt::area(&mut canvas.part(x, 0, room, 1), model);
        canvas.put_line(width.saturating_sub(small(hints.width()) + 1), 0, &hints);
        return;
    }
    let mut left = 1;
    if let Some((style, lines)) = told {
        canvas.clear();
        for (y, line) in (0..).zip(&lines) {
            left = canvas.put_within(1, y, line, style, width.saturating_sub(KEYS_ONLY + 1));
        }
        left = left.saturating_add(2);
    } else if !model.typing && !model.prompt.is_empty() && model.screen != Screen::Race {
        // What was typed and not sent is still there; on the Race screen it is seen.
        let draft = model.prompt.area().lines().iter().map(|line| line.trim()).find(|line| !line.is_empty());
        let begins = prompt::head(draft.unwrap_or_default(), width / 5, 1).0.join(" ");
        left = canvas.put(left, last, &format!("{} not sent: ", theme.glyphs.prompt), theme.warn());
        left = canvas.put_within(left, last, &begins, theme.text(), width / 5).saturating_add(2);
    } else if model.engine_gone {
        let takes_over = if model.identity.attached_to.is_some() { "Enter takes over" } else { "" };
        left = canvas.put(left, 0, takes_over, theme.warn()).saturating_add(2);
    } else if !model.typing && model.prompt.is_empty() && !model.identity.read_only {
        left = canvas.put(left, 0, &format!("{} ask: _", theme.glyphs.prompt), theme.dim()).saturating_add(2);
    }
    let hints = if model.typing { typing_hints(model, theme) } else { hints(model, theme) };
    let line = fit(&hints, width.saturating_sub(left).saturating_sub(1), "  ");
    canvas.put_line(width.saturating_sub(small(line.width()) + 1), last, &line);
}

fn hint(theme: &Theme, key: &str, text: &str, keep: u8) -> Segment {
    let key = Span::styled(key.to_owned(), theme.key());
    Segment::spans(vec![key.clone(), Span::styled(format!(" {text}"), theme.dim())], keep).or(vec![key])
}

fn typing_hints(model: &Model, theme: &Theme) -> Vec<Segment> {
    let mut hints = vec![
        hint(theme, "Alt-Enter", "line", 1),
        hint(theme, theme.glyphs.arrow_up, "history", 2),
        hint(theme, "Esc", "leave", 3),
        hint(theme, "Enter", "send", 4),
    ];
    if !model.prompt.is_empty() {
        hints.insert(2, hint(theme, "ctrl-u", "empty", 1));
    }
    hints
}

/// Keys of the log itself.
const LOG_HINTS: [(&str, &str); 4] = [("+ -", "level"), ("f", "focus"), ("h", "targets"), ("pgup", "back")];

/// The hinted actions of this screen, as the registry has them.
fn hints(model: &Model, theme: &Theme) -> Vec<Segment> {
    let scope = model.screen.scope();
    let here = |row: &&crate::domain::action::ActionRow| {
        let in_scope = row.scope == Scope::Global || (scope != Scope::Global && row.scope.meets(scope));
        !row.hint.is_empty() && in_scope && applies(model, row.action) && !help::is_taken(model.screen, row)
    };
    let of_log = if model.screen == Screen::Logs { LOG_HINTS.as_slice() } else { &[] };
    let log_hints = of_log.iter().map(|(key, text)| hint(theme, key, text, 6));
    log_hints
        .chain(ACTIONS.iter().filter(here).filter_map(|row| {
            let key = model.identity.keys.keys(row.action).first()?.to_string();
            let keep = match row.action {
                Action::Quit => 9,
                Action::Help => 8,
                Action::CancelRun | Action::RateUp | Action::RateDown | Action::OpenRun | Action::CloseRun => 6,
                Action::Zoom | Action::Prompt => 5,
                _ => 4,
            };
            Some(hint(theme, &key, row.hint, keep))
        }))
        .collect()
}

/// Whether a key would do something now; a key that would not is not hinted.
fn applies(model: &Model, action: Action) -> bool {
    let served = model.conversation.own.as_ref().is_some_and(|own| own.standing == Standing::Served);
    if model.refuses(action) || (model.engine_gone && Model::asks_the_engine(action)) {
        return false;
    }
    match action {
        Action::CancelRun => model.conversation.is_running(),
        Action::RateUp | Action::RateDown => served,
        Action::Traffic => model.traffic.is_some(),
        Action::Zoom => model.run_in_view().is_some(),
        Action::OpenRun => model.runs.opened.is_none() && model.runs.len() > 0,
        Action::CloseRun => model.runs.opened.is_some(),
        _ => true,
    }
}
