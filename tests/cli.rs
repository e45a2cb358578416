//! What the program says on the command line, as transcripts under `tests/cmd`. `TRYCMD=overwrite cargo
//! test --test cli` writes them anew: read the difference.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_DATA_HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd");
}
