//! The one place that prints. `println!` ends the program with a panic when the reader has gone; here a
//! closed pipe is an ordinary error that the program ends quietly on. Text that models wrote is made
//! safe where a terminal would act on it, and left as it came where a program reads it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Result, Stdout, Write, stderr, stdout};

use crate::domain::text::{is_showable, showable};

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

    /// Whether a person reads it.
    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
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

    /// Writes a value as JSON. On a terminal, what it would act on is escaped: JSON itself leaves some of it be.
    pub(super) fn json(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        self.line(&if self.is_terminal { escaped(&text) } else { text })
    }
}

/// JSON text with every character that is not to be shown as `\u….`: they only occur inside of strings.
fn escaped(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_showable(c) {
            safe.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                _ = write!(safe, "\\u{unit:04x}");
            }
        }
    }
    safe
}

/// A count with its word, which has an `s` where they are not one.
pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Writes a line to standard error, where one can be written.
pub(super) fn say(text: &str) {
    _ = writeln!(stderr().lock(), "{}", showable(text));
}

/// Whether the reader of standard output has gone.
pub(super) fn is_closed_pipe(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_a_terminal_reads_back_and_moves_nothing() {
        let text = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{e0041}\nc";
        let json = serde_json::to_string_pretty(&serde_json::json!({ "text": text })).unwrap();
        let safe = escaped(&json);
        assert!(safe.chars().all(is_showable), "{safe:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["text"], text);
    }
}
