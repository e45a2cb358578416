//! The screens: pure functions of the model (which holds the snapshot), the theme and the area.
//!
//! ```text
//! header      two lines, and a banner for each thing that must not be missed
//! body        the screen
//! footer      what became of the last press, else the prompt; the keys
//! ```

mod alarms;
mod arms;
mod ascii;
mod charts;
mod dialogs;
mod footer;
mod forecast;
mod header;
pub(super) mod help;
mod lanes;
mod logs;
mod overview;
mod prompt;
mod race;
mod runs;
mod small;

mod why;

#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;

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
            Screen::Logs => logs::draw(&mut middle, model),
        }
        dialogs::draw(&mut middle, model);
        help::draw(&mut middle, model);
        footer::draw(&mut canvas.part(0, height - 1, width, 1), model);
    }
    if theme.glyphs.ascii {
        ascii::reduce(buffer);
    }
}
