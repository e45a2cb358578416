//! The one place that prints. `println!` ends the program with a panic when the reader has gone; here a
//! closed pipe is an ordinary error that the program ends quietly on. Text that models wrote is made
//! safe where a terminal would act on it, and left as it came where a program reads it.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Result, Stdout, Write, stderr, stdout};

use crate::domain::text::showable;

/// Standard output.
pub(super) struct Output {
    out: Stdout,
    is_terminal: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        let out = stdout();
        let is_terminal = out.is_terminal();
        Self { out, is_terminal }
    }

    /// Writes our own text and a newline.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        let mut out = self.out.lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Writes text of a model or a person, at once and without a newline.
    pub(super) fn foreign(&self, text: &str) -> Result<()> {
        let safe = if self.is_terminal { showable(text) } else { Cow::Borrowed(text) };
        let mut out = self.out.lock();
        out.write_all(safe.as_bytes())?;
        out.flush()
    }

    /// Writes a value as JSON. Escapes every control character, so it is safe anywhere.
    pub(super) fn json(&self, value: &impl serde::Serialize) -> Result<()> {
        self.line(&serde_json::to_string_pretty(value)?)
    }
}

/// Writes a line to standard error, where one can be written.
pub(super) fn say(text: &str) {
    _ = writeln!(stderr().lock(), "{}", showable(text));
}

/// Whether the reader of standard output has gone.
pub(super) fn is_closed_pipe(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
