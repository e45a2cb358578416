//! How far long work is: one line on standard error that rewrites itself, only where a person watches.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

/// Cells of the bar.
const WIDTH: usize = 30;
/// Work that is done before this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);

/// A bar, wiped off when dropped.
pub(super) struct Progress {
    is_watched: bool,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_watched: stderr().is_terminal(), is_shown: false }
    }

    /// Shows that `done` of `all` passes are through after `elapsed`.
    pub(super) fn show(&mut self, done: usize, all: usize, elapsed: Duration) {
        if self.is_watched && elapsed >= PATIENCE {
            self.is_shown = true;
            _ = write!(stderr(), "\r{}", bar(done, all));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, all: usize) -> String {
    let cells = WIDTH * done.min(all) / all.max(1);
    format!("[{}{}] {done}/{all} passes", "#".repeat(cells), ".".repeat(WIDTH - cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_never_overflows() {
        assert_eq!(bar(0, 0), format!("[{}] 0/0 passes", ".".repeat(WIDTH)));
        assert_eq!(bar(1, 2), format!("[{}{}] 1/2 passes", "#".repeat(15), ".".repeat(15)));
        assert!(bar(9, 2).starts_with(&format!("[{}]", "#".repeat(WIDTH))));
    }
}
