//! What the program says on the command line, as transcripts under `tests/cmd`. `TRYCMD=overwrite cargo
//! test --test cli` writes them anew: read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::program::Program;

#[test]
fn completions_and_the_manual_know_the_flags() {
    let program = Program::fast();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(program.ok(&["completions", shell]).contains("bandit-alpha"), "{shell}");
    }
    assert!(program.ok(&["man"]).contains(".TH banditop 1"));
    assert_eq!(program.run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn the_printed_template_is_a_valid_configuration() {
    let program = Program::fast();
    let checked = Program::with_text(&program.ok(&["config", "template"])).ok(&["config", "check"]);
    assert!(checked.contains("no problem found"), "{checked}");
}

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_DATA_HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd");
}
