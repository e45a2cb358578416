//! The prompt box: a text area with a history. The text is kept as it came; only showing makes it safe.

use ratatui::style::{Modifier, Style};
use ratatui_textarea::{CursorMove, Input, TextArea, WrapMode};

/// How many prompts the history keeps.
const HISTORY: usize = 200;

/// The prompt and those before it.
#[derive(Debug)]
pub(crate) struct Prompt {
    area: TextArea<'static>,
    history: Vec<String>,
    /// The place in the history that is shown, and what was typed before going there.
    recalled: Option<(usize, String)>,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { area: fresh(""), history: Vec::new(), recalled: None }
    }
}

fn fresh(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area.set_cursor_line_style(Style::new());
    area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}

impl Prompt {
    /// The widget.
    pub(crate) fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// Characters of the text, without the ends of its lines.
    pub(crate) fn characters(&self) -> usize {
        self.area.lines().iter().map(|line| line.chars().count()).sum()
    }

    /// Empties it; the history keeps what was there.
    pub(crate) fn clear(&mut self) {
        if !self.is_empty() {
            drop(self.take());
        }
    }

    /// Bytes of the text.
    pub(crate) fn bytes(&self) -> usize {
        self.area.lines().iter().map(|line| line.len() + 1).sum()
    }

    /// A key for the text.
    pub(crate) fn input(&mut self, input: impl Into<Input>) -> bool {
        self.area.input(input)
    }

    /// Puts `text` in at the cursor, with its line ends made `\n`.
    pub(crate) fn insert(&mut self, text: &str) {
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    /// Starts a line.
    pub(crate) fn newline(&mut self) {
        self.area.insert_newline();
    }

    /// Takes the text out and keeps it in the history.
    pub(crate) fn take(&mut self) -> String {
        let text = self.text();
        if self.history.last() != Some(&text) {
            self.history.push(text.clone());
            let surplus = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..surplus);
        }
        self.recalled = None;
        self.area = fresh("");
        text
    }

    /// Puts `text` back, for a prompt that was refused.
    pub(crate) fn restore(&mut self, text: &str) {
        if self.is_empty() {
            self.area = fresh(text);
        }
    }

    /// Whether `up` leaves the text upwards.
    pub(crate) fn is_on_first_line(&self) -> bool {
        self.area.cursor().0 == 0
    }

    /// Whether `down` leaves the text downwards.
    pub(crate) fn is_on_last_line(&self) -> bool {
        self.area.cursor().0 + 1 >= self.area.lines().len()
    }

    /// The prompt before the one that is shown.
    pub(crate) fn older(&mut self) {
        let (at, typed) = match self.recalled.take() {
            Some((at, typed)) => (at.saturating_sub(1), typed),
            None if self.history.is_empty() => return,
            None => (self.history.len() - 1, self.text()),
        };
        self.area = fresh(&self.history[at]);
        self.recalled = Some((at, typed));
    }

    /// The prompt after the one that is shown, and at last what was being typed.
    pub(crate) fn newer(&mut self) {
        let Some((at, typed)) = self.recalled.take() else { return };
        if let Some(text) = self.history.get(at + 1) {
            self.area = fresh(text);
            self.recalled = Some((at + 1, typed));
        } else {
            self.area = fresh(&typed);
        }
    }
}
