//! The README tells the truth: its key table is the registry's, and its two commands are the ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use banditop::domain::action::{ACTIONS, Danger};

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The key table as the README must have it.
fn key_table() -> String {
    let mut table = String::from("| key | where | what | before it acts |\n|---|---|---|---|\n");
    for row in ACTIONS {
        let keys = row.keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" ");
        let place = row.scope.name();
        let danger = match row.danger {
            Danger::None => "",
            Danger::WhatIf => "what-if, undo",
            Danger::Confirm => "what-if, once more above 20 % of traffic, undo",
        };
        writeln!(table, "| {keys} | {place} | {} | {danger} |", row.help).unwrap();
    }
    table
}

#[test]
fn the_key_table_is_the_registry() {
    let table = key_table();
    assert!(readme().contains(&table), "README.md must hold this table:\n{table}");
}

#[test]
fn it_opens_with_exactly_two_commands() {
    let readme = readme();
    let block = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let commands: Vec<&str> = block.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["cargo run --release", "cargo test"]);
}
