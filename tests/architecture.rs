//! Holds the source against the table of rooms in `ARCHITECTURE.md`: which room may use which, which
//! external crate belongs to which room, and the invariants that are statements about absence. It reads
//! the source as text, tests left out; it does not judge taste.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use common::source::{SourceFile, sources};

/// Room → rooms it may use. Arrows only point down this list.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "console",
            "gateway",
            "client",
            "telemetry",
            "sim",
            "engine",
            "evaluation",
            "race",
            "providers",
            "store",
            "settings",
            "features",
            "reward",
            "bandit",
            "domain",
        ],
    ),
    ("console", &["domain", "settings"]),
    ("gateway", &["domain", "telemetry", "settings"]),
    ("client", &["domain"]),
    ("telemetry", &["domain"]),
    ("sim", &["domain"]),
    ("engine", &["race", "bandit", "domain"]),
    ("race", &["bandit", "features", "reward", "domain"]),
    ("evaluation", &["bandit", "features", "reward", "domain"]),
    ("providers", &["domain"]),
    ("store", &["domain", "bandit"]),
    ("settings", &["domain"]),
    ("features", &["domain"]),
    ("reward", &["domain"]),
    ("bandit", &["domain"]),
    ("domain", &[]),
];

/// External crate → the only rooms that may name it.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("anyhow", &["cli"]),
    ("flate2", &["cli"]),
    ("ratatui", &["console"]),
    ("ratatui_textarea", &["console"]),
    ("crossterm", &["console"]),
    ("tui_logger", &["console"]),
    ("axum", &["gateway", "sim"]),
    ("reqwest", &["client", "providers", "telemetry"]),
    ("rustls", &["providers", "telemetry"]),
    ("httpdate", &["providers"]),
    ("prometheus", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("ring", &["telemetry"]),
    ("arc_swap", &["engine"]),
    ("hdrhistogram", &["engine", "race"]),
    ("redis", &["store"]),
    ("sled", &["store"]),
    ("toml", &["settings"]),
    ("nalgebra", &["bandit"]),
];

/// Rooms without a clock, a generator of their own, I/O or async.
const PURE_ROOMS: &[&str] = &["bandit", "features", "reward", "evaluation", "domain"];

/// What a pure room must not name.
const IMPURE: &[&str] =
    &["tokio", "async fn", ".await", "std::fs", "std::net", "std::env", "std::process", "fastrand", "std::thread"];

fn allowed(room: &str) -> Option<&'static [&'static str]> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed)
}

/// Collects one line per breach and fails with all of them.
#[derive(Default)]
struct Breaches(String);

impl Breaches {
    fn add(&mut self, file: &SourceFile, what: &str) {
        let _ = writeln!(self.0, "{}: {what}", file.path);
    }

    fn assert_none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

#[test]
fn arrows_only_point_down() {
    let mut breaches = Breaches::default();
    for file in sources() {
        let Some(allowed) = allowed(&file.room) else { continue };
        for used in file.rooms_used() {
            if used != file.room && self::allowed(&used).is_some() && !allowed.contains(&used.as_str()) {
                breaches.add(&file, &format!("`{}` must not use `{used}`", file.room));
            }
        }
    }
    breaches.assert_none();
}

#[test]
fn every_room_is_in_the_table() {
    let known: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    let mut breaches = Breaches::default();
    for file in sources() {
        let is_root = matches!(file.path.as_str(), "src/lib.rs" | "src/main.rs");
        if !is_root && !known.contains(file.room.as_str()) {
            breaches.add(&file, "is in no room of the table");
        }
    }
    breaches.assert_none();
}

#[test]
fn external_crates_stay_in_their_rooms() {
    let mut breaches = Breaches::default();
    for file in sources() {
        for (name, rooms) in OWNED_CRATES {
            if file.names_crate(name) && !rooms.contains(&file.room.as_str()) {
                breaches.add(&file, &format!("names `{name}`, which belongs to {rooms:?}"));
            }
        }
    }
    breaches.assert_none();
}

#[test]
fn pure_rooms_have_no_clock_no_io_no_async() {
    let mut breaches = Breaches::default();
    for file in sources().into_iter().filter(|f| PURE_ROOMS.contains(&f.room.as_str())) {
        for word in IMPURE {
            if file.code.contains(word) {
                breaches.add(&file, &format!("a pure room names `{word}`"));
            }
        }
        let reads_a_clock = file.code.contains("Instant::now") || file.code.contains("SystemTime::now");
        if reads_a_clock && file.path != "src/domain/clock.rs" {
            breaches.add(&file, "reads a clock");
        }
    }
    breaches.assert_none();
}

#[test]
fn no_queue_is_unbounded_and_no_task_is_detached() {
    let mut breaches = Breaches::default();
    for file in sources() {
        for word in ["unbounded_channel", "tokio::spawn", "mem::forget", "process::exit", "println!", "eprintln!"] {
            if file.code.contains(word) {
                breaches.add(&file, &format!("names `{word}`"));
            }
        }
    }
    breaches.assert_none();
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let mut breaches = Breaches::default();
    for file in sources() {
        if !file.text.starts_with("//!") {
            breaches.add(&file, "does not open with what it is (`//!`)");
        }
        let lines = file.text.lines().count();
        if lines > 600 {
            breaches.add(&file, &format!("has {lines} lines; split it well before 600"));
        }
        if file.path == "src/main.rs" && lines > 30 {
            breaches.add(&file, "the binary has more than 30 lines");
        }
    }
    breaches.assert_none();
}

#[test]
fn the_document_shows_the_same_table() {
    let document = std::fs::read_to_string(common::root().join("ARCHITECTURE.md")).unwrap();
    let rows: BTreeMap<&str, Vec<&str>> = document.lines().filter_map(table_row).collect();
    for (room, allowed) in ROOMS {
        let mut shown = rows.get(room).unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{room}`")).clone();
        let mut allowed = allowed.to_vec();
        shown.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(shown, allowed, "the row of `{room}` in ARCHITECTURE.md");
    }
}

/// `| room | may use a, b | … |` as its first two cells; "everything" stands for all others.
fn table_row(line: &str) -> Option<(&str, Vec<&str>)> {
    let mut cells = line.strip_prefix("| `")?.split('|');
    let room = cells.next()?.trim().trim_end_matches('`');
    let cell = cells.next()?.trim();
    let rooms = match cell {
        "everything" => ROOMS.iter().map(|(name, _)| *name).filter(|name| *name != room).collect(),
        _ => cell.split(',').map(|name| name.trim().trim_matches('`')).filter(|name| !name.is_empty()).collect(),
    };
    Some((room, rooms))
}
