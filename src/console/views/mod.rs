//! The screens: pure functions of the model (which holds the snapshot), the theme and the area.
//!
//! ```text
//! header      two lines, and a banner for each thing that must not be missed
//! body        the screen
//! footer      what became of the last press, else the prompt; the keys
//! ```

mod alarms;
mod arm_words;
mod arms;
mod ascii;
mod charts;
mod dialogs;
mod footer;
mod forecast;
mod header;
pub(super) mod help;
mod history;
mod lanes;
mod logs;
mod overview;
mod prompt;
mod race;
mod runs;
mod small;
mod why;

#[cfg(test)]
mod readable;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;

use super::model::race::OwnRun;
use super::model::{Model, Screen};
use super::theme::Theme;
use super::widgets::Canvas;

/// Below this a screen would only mislead.
pub(crate) const MIN_SIZE: (u16, u16) = (60, 15);

/// Draws the whole frame, whatever its size.
pub(crate) fn draw(model: &Model, theme: &Theme, buffer: &mut Buffer) {
    let mut canvas = Canvas::new(buffer, theme);
    let (width, height) = (canvas.width(), canvas.height());
    if width < MIN_SIZE.0 || height < MIN_SIZE.1 {
        small::draw(&mut canvas, model);
    } else {
        let top = header::draw(&mut canvas, model);
        let body = height.saturating_sub(top).saturating_sub(1);
        let mut middle = canvas.part(0, top, width, body);
        match model.screen {
            Screen::Overview => overview::draw(&mut middle, model),
            Screen::Race => race::draw(&mut middle, model),
            Screen::Runs => history::draw(&mut middle, model),
            Screen::Logs => logs::draw(&mut middle, model),
        }
        dialogs::draw(&mut middle, model);
        help::draw(&mut middle, model);
        let rows = footer::rows(model, theme, width);
        footer::draw(&mut canvas.part(0, height.saturating_sub(rows), width, rows), model);
    }
    if theme.glyphs.ascii {
        ascii::reduce(buffer);
    }
}

/// Columns and rows of the screen between header and footer, as it was last drawn.
fn body(model: &Model) -> (u16, u16) {
    let (width, height) = model.size;
    (width, height.saturating_sub(header::height(model, width)).saturating_sub(1))
}

/// The farthest that the whole of the reasons of the run in view can be scrolled.
pub(super) fn farthest_reason(model: &Model, own: &OwnRun) -> u16 {
    why::farthest(model, own, body(model))
}

/// The farthest that the answer of the run in view can be scrolled up.
pub(super) fn farthest_line(model: &Model, own: &OwnRun) -> u16 {
    let (width, height) = body(model);
    let above = match model.screen {
        Screen::Runs => history::PROMPT_ROWS,
        _ => race::prompt_rows(model, height),
    };
    race::farthest(model, own, (width, height.saturating_sub(above)))
}
