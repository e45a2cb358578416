//! The binary in a real terminal: it starts, answers, obeys keys, survives resizes and a suspend, and
//! leaves the terminal as it found it, however it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test that drives a process waits on the real clock")]

mod terminal;

use terminal::Terminal;

/// A terminal in which the console has been started on the embedded default and an empty data directory.
fn started(rows: u16, cols: u16) -> (Terminal, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::shell(rows, cols, dir.path());
    terminal.wait_for("shell$");
    terminal.send(&format!("{} --data-dir data --seed 7; echo status=$?\r", env!("CARGO_BIN_EXE_banditop")));
    terminal.wait("the Overview", |s| s.contains("Arms") && s.contains("atlas-70b"));
    (terminal, dir)
}

/// Escape, and what shows that it was understood: a key sent at its heels would read as Alt and that key.
fn leave_with_escape(terminal: &mut Terminal, shows: &str) {
    terminal.send("\x1b");
    terminal.wait_for(shows);
}

/// The shell is back, the screen is its own, and the line discipline is cooked again.
fn assert_restored(terminal: &mut Terminal) {
    terminal.wait("the exit status", |s| ["status=0", "status=143"].iter().any(|status| s.contains(status)));
    assert!(!terminal.is_taken_over(), "the terminal is still taken over:\n{}", terminal.text());
    terminal.send("stty -a | tr ' ' '\\n' | grep -xE -- '-?(icanon|echo|isig);?' | tr '\\n' ' '; echo done\r");
    terminal.wait_for("isig icanon echo done");
}

#[test]
fn a_prompt_races_and_is_answered_and_keys_act() {
    let (mut terminal, _dir) = started(36, 120);
    terminal.send("i");
    terminal.send("Write a function that reverses a string\r");
    terminal.wait("a verdict with a winner", |s| s.contains('★'));
    terminal.wait("the end of the answer", |s| s.contains("+ good"));
    terminal.send("1");
    terminal.wait_for("Arms");
    terminal.send("d");
    terminal.wait("the decay dialog", |s| s.to_lowercase().contains("decay"));
    terminal.send("\r");
    terminal.wait("an acknowledgement", |s| s.contains("applied #"));
    terminal.send("?");
    terminal.wait_for("forget a share of the history");
    leave_with_escape(&mut terminal, "Traffic share");
    terminal.resize(24, 80);
    terminal.wait_for("atlas-70b");
    terminal.resize(10, 40);
    terminal.wait("the designed small screen", |s| s.contains("60") && s.contains("15"));
    terminal.resize(36, 120);
    terminal.wait_for("Traffic share");
    terminal.send("q");
    assert_restored(&mut terminal);
    terminal.wait_for("status=0");
}

#[test]
fn suspend_gives_the_shell_back_and_fg_returns() {
    let (mut terminal, _dir) = started(36, 120);
    terminal.send("\x1a");
    terminal.wait_for("Stopped");
    assert!(!terminal.is_taken_over(), "suspended with the terminal taken over");
    terminal.send("fg\r");
    terminal.wait("the Overview again", |s| s.contains("Arms") && s.contains("atlas-70b"));
    terminal.send("?");
    terminal.wait_for("forget a share of the history");
    leave_with_escape(&mut terminal, "Traffic share");
    terminal.send("q");
    terminal.wait("the shell", |s| s.contains("shell$") && !s.contains("┌ Arms"));
    assert!(!terminal.is_taken_over());
}

#[test]
fn sigterm_restores_the_terminal_and_keeps_the_state() {
    let (mut terminal, dir) = started(36, 120);
    terminal.send("d");
    terminal.wait("the decay dialog", |s| s.to_lowercase().contains("decay"));
    terminal.send("\r");
    terminal.wait("an acknowledgement", |s| s.contains("applied #"));
    let holder = std::fs::read_to_string(dir.path().join("data/holder")).unwrap();
    let pid = holder.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty()).unwrap();
    assert!(std::process::Command::new("kill").args(["-TERM", pid]).status().unwrap().success());
    assert_restored(&mut terminal);
}
