//! Opening, closing, damage.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::backend::Backend;
use super::super::codec::{meta_key, seal};
use super::super::contract::{commands, id, keeps_the_contract, line, numbers, run, snapshot};
use super::super::sled_backend::SledBackend;
use super::super::{OpenOptions, SledStore, open_or_memory};
use crate::domain::clock::SystemClock;
use crate::domain::command::Durability;
use crate::domain::store::{LogBatch, StateStore, StoreError};

fn options() -> OpenOptions {
    OpenOptions::new("banditop test", Arc::new(SystemClock::new()))
}

fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, options()).unwrap()
}

#[tokio::test]
async fn on_disk() {
    let home = tempfile::tempdir().unwrap();
    let turn = std::sync::atomic::AtomicU32::new(0);
    keeps_the_contract(Durability::Durable, || {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(open(&home.path().join(turn.to_string())))
    })
    .await;
}

/// Twenty commands, a snapshot at ten, a journal line, runs and a value.
async fn fill(store: &SledStore) {
    let batch = LogBatch {
        journal: vec![line(3, "x")],
        runs: (1..=5).map(|n| run(n, &"a".repeat(9_000))).collect(),
        snapshot: Some(snapshot(10, 50_000)),
        values: vec![("facts".into(), b"{}".to_vec())],
        ..commands(1..=20)
    };
    assert_eq!(store.append(batch, true).await, Ok(Durability::Durable));
}

async fn assert_filled(store: &dyn StateStore, runs: usize) {
    let state = store.load().await.unwrap();
    assert_eq!(state.snapshot, Some(snapshot(10, 50_000)));
    assert_eq!(numbers(&state.tail), (11..=20).collect::<Vec<_>>());
    assert_eq!(store.journal(9).await.unwrap(), [line(3, "x")]);
    assert_eq!(store.value("facts").await.unwrap().unwrap(), b"{}");
    assert_eq!(store.runs(99).await.unwrap().len(), runs);
}

#[tokio::test]
async fn what_was_closed_or_dropped_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    let store = open(dir.path());
    assert_eq!(store.notice(), None);
    assert_filled(&store, 5).await;
    store.append(commands(21..=21), false).await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.load().await.unwrap().tail.len(), 11);
    let spilled = fs::read_dir(dir.path().join("store/blobs")).unwrap().count();
    assert_eq!(spilled, 0, "no value may be large enough for a file of its own");
}

#[tokio::test]
async fn runs_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path(), OpenOptions { max_runs: 3, ..options() }).unwrap();
    for number in 1..=7 {
        let batch = LogBatch { runs: vec![run(number, &"a".repeat(20_000))], ..LogBatch::default() };
        store.append(batch, false).await.unwrap();
    }
    let kept = |runs: Vec<crate::domain::record::RunRecord>| runs.iter().map(|run| run.run_id).collect::<Vec<_>>();
    assert_eq!(kept(store.runs(99).await.unwrap()), [id(7), id(6), id(5)]);
    drop(store);
    let store = SledStore::open(dir.path(), OpenOptions { max_runs: 3, ..options() }).unwrap();
    store.append(LogBatch { runs: vec![run(8, "")], ..LogBatch::default() }, true).await.unwrap();
    assert_eq!(kept(store.runs(99).await.unwrap()), [id(8), id(7), id(6)]);
}

#[tokio::test]
async fn a_second_holder_learns_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let fault = SledStore::open(dir.path(), options()).err().unwrap();
    assert!(matches!(&fault, StoreError::Locked { holder, .. } if holder.contains("banditop test")), "{fault}");
    assert!(matches!(open_or_memory(dir.path(), options()), Err(StoreError::Locked { .. })));
    store.close().await.unwrap();
    drop(open(dir.path()));
}

/// Flips a bit of every 4,096th byte of the database's file, from `from` on.
fn damage(dir: &Path, from: usize) {
    let path = dir.join("store/db");
    let mut bytes = fs::read(&path).unwrap();
    for at in (from..bytes.len()).step_by(4_096) {
        bytes[at] ^= 0x10;
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damage_is_moved_aside_and_the_export_started_from() {
    for how in ["flipped from the start", "flipped behind", "cut", "emptied"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        fill(&store).await;
        store.close().await.unwrap();
        let path = dir.path().join("store/db");
        match how {
            "flipped from the start" => damage(dir.path(), 100),
            "flipped behind" => damage(dir.path(), 30_000),
            "cut" => fs::OpenOptions::new().write(true).open(path).unwrap().set_len(20_000).unwrap(),
            _ => fs::write(path, b"").unwrap(),
        }
        let store = open(dir.path());
        let notice = store.notice().unwrap_or_else(|| panic!("{how}: no notice"));
        assert!(notice.contains("started from the export"), "{how}: {notice}");
        assert_filled(&store, 0).await;
        let aside = fs::read_dir(dir.path()).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        assert!(aside.into_iter().any(|name| name.starts_with("store.corrupt-")), "{how}");
        store.append(commands(21..=22), true).await.unwrap();
        store.close().await.unwrap();
        let store = open(dir.path());
        assert_eq!(store.notice(), None, "{how}: once is enough");
        assert_eq!(store.load().await.unwrap().tail.len(), 12);
    }
}

#[tokio::test]
async fn a_file_that_the_database_was_killed_while_writing_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    drop(store);
    fs::write(dir.path().join("store/snap.0000000FFFFFFFFF.generating"), b"").unwrap();
    let store = open(dir.path());
    assert_eq!(store.notice(), None);
    assert_filled(&store, 5).await;
}

#[tokio::test]
async fn a_missing_database_is_started_from_the_export() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = open(dir.path());
    assert!(store.notice().unwrap().contains("missing"));
    assert_filled(&store, 0).await;
}

#[tokio::test]
async fn without_an_export_damage_means_starting_empty_and_saying_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    damage(dir.path(), 100);
    fs::write(dir.path().join("last-good.json"), "{").unwrap();
    let store = open(dir.path());
    assert!(store.notice().unwrap().contains("starting empty"));
    assert!(store.load().await.unwrap().tail.is_empty());
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store).await;
    store.close().await.unwrap();
    drop(store);
    let newer = br#"{"form":9,"batch":2,"last":20,"more":true}"#;
    let backend = SledBackend::open(&dir.path().join("store")).unwrap();
    backend.write(&seal(&meta_key(), 2, newer).unwrap()).unwrap();
    backend.sync().unwrap();
    drop(backend);
    for _ in 0..2 {
        let fault = open_or_memory(dir.path(), options()).err().unwrap();
        assert!(matches!(fault, StoreError::Newer { found: 9, known: 1, .. }), "{fault}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_falls_back_to_memory_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let fault = SledStore::open(&file.join("data"), options()).err().unwrap();
    assert!(matches!(&fault, StoreError::Unusable { .. }) && fault.to_string().contains("--data-dir"), "{fault}");
    let store = open_or_memory(&file.join("data"), options()).unwrap();
    assert_eq!(store.kind(), "memory");
    let notice = store.notice().unwrap();
    assert!(
        notice.starts_with("what is learned ends with this process: make room or mend it, then start again ("),
        "{notice}"
    );
    assert_eq!(store.append(commands(1..=1), true).await, Ok(Durability::MemoryOnly));
}
