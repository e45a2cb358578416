//! Recorded outcomes for tests: read from outside the repository, never copied into it.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the recorded outcomes are; where there are none, `what` is said to be skipped.
pub(crate) fn folder(what: &str) -> Option<PathBuf> {
    let named = std::env::var_os("BANDITOP_DATA").map(PathBuf::from);
    let beside = super::root().join("../shared/data");
    let found = named.into_iter().chain([beside]).find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: no BANDITOP_DATA and no ../shared/data, so {what} cannot be checked");
    }
    found
}

/// The text of a gzip file.
pub(crate) fn text(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}
