//! Configurations as data: every file under `tests/settings/valid` loads without a fault, and says what
//! its `.txt` says about notes; every file under `tests/settings/invalid` gives exactly the faults in
//! its `.txt`. `BLESS=1 cargo test --test settings` writes the `.txt` files anew: read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use banditop::settings::{ConfigText, Settings, SettingsFaults, Sources, load};

/// Lines `#! NAME=value` of a case are environment variables, `#! --flag value` flags.
fn sources(path: &Path) -> Sources {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().into();
    let mut sources = Sources::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        let flag = line.strip_prefix("--").and_then(|flag| flag.split_once(' '));
        if let Some((flag, value)) = flag {
            sources.flags.push((flag.to_owned(), value.to_owned()));
        } else if let Some((name, value)) = line.split_once('=') {
            sources.environment.push((name.to_owned(), value.to_owned()));
        }
    }
    Sources { file: ConfigText { name, text }, ..sources }
}

fn each(folder: &str, say: impl Fn(Result<Settings, SettingsFaults>) -> Option<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/settings").join(folder);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    cases.sort();
    assert!(cases.len() > 3, "no cases in {}", root.display());
    let mut wrong = String::new();
    for case in cases {
        let said = say(load(&sources(&case))).unwrap_or_else(|| "the other outcome than the folder says".to_owned());
        let expected_path = case.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_path, format!("{said}\n")).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if expected.trim_end() != said.trim_end() {
            _ = write!(wrong, "--- {}\nexpected: {expected}\nsaid:     {said}\n", case.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn valid_configurations_load() {
    each("valid", |loaded| Some(loaded.ok()?.notes.join("\n")));
}

#[test]
fn invalid_configurations_say_everything_that_is_wrong() {
    each("invalid", |loaded| Some(loaded.err()?.to_string()));
}
