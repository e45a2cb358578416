//! The engine with real stores, held against the contract of `EngineHandle` in this process and through
//! the control socket; and what it remembers when it is started again on the same disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use banditop::client::SocketEngine;
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::command::{Acknowledgement, Actor, Durability, RouterCommand};
use banditop::domain::engine::{CommandRequest, EngineHandle, RunRequest};
use banditop::domain::ids::TimeId;
use banditop::domain::record::Origin;
use banditop::domain::store::StateStore;
use banditop::engine::{Engine, EngineParts};
use banditop::gateway::socket::ControlSocket;
use banditop::store::{MemoryStore, OpenOptions, SledStore};
use common::engine_contract;
use common::scripted::{Said, Troupe, parts};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const ARMS: [&str; 4] = ["a", "b", "c", "silent"];

fn sled(dir: &Path) -> Arc<dyn StateStore> {
    Arc::new(SledStore::open(dir, OpenOptions::new("a test", Arc::new(SystemClock::new()))).unwrap())
}

fn with_silent_off(store: Arc<dyn StateStore>) -> EngineParts {
    let troupe = Troupe::answering(&ARMS);
    troupe.says("silent", Said::Nothing);
    let mut parts = parts(&ARMS, &troupe, store);
    parts.facts.arms[3].enabled = false;
    parts
}

#[tokio::test]
async fn the_contract_holds_in_memory() {
    let engine = Engine::start(with_silent_off(Arc::new(MemoryStore::new()))).await.unwrap();
    engine_contract::holds(&engine.handle()).await;
    assert_eq!(engine.stop().await.durability, Durability::MemoryOnly);
}

#[tokio::test]
async fn the_contract_holds_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(with_silent_off(sled(dir.path()))).await.unwrap();
    engine_contract::holds(&engine.handle()).await;
    assert_eq!(engine.stop().await.durability, Durability::Durable);
}

#[tokio::test]
async fn the_contract_holds_through_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let engine = Engine::start(with_silent_off(Arc::new(MemoryStore::new()))).await.unwrap();
    let socket = ControlSocket::bind(&path).await.unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(socket.serve(engine.handle(), stop.clone()));
    let remote = SocketEngine::connect(&path, Arc::new(SystemClock::new())).await.unwrap();
    let remote: Arc<dyn EngineHandle> = Arc::new(remote);
    engine_contract::holds(&remote).await;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    engine.stop().await;
}

#[tokio::test]
async fn whoever_looks_after_a_run_through_the_socket_finds_it_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let engine = Engine::start(with_silent_off(Arc::new(MemoryStore::new()))).await.unwrap();
    let socket = ControlSocket::bind(&path).await.unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(socket.serve(engine.handle(), stop.clone()));
    for n in 1..=5 {
        let remote: Arc<dyn EngineHandle> =
            Arc::new(SocketEngine::connect(&path, Arc::new(SystemClock::new())).await.unwrap());
        ask(&remote, "why?").await;
        let looks = SocketEngine::connect(&path, Arc::new(SystemClock::new())).await.unwrap();
        assert_eq!(looks.snapshot().totals.runs, n);
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    engine.stop().await;
}

async fn ask(engine: &Arc<dyn EngineHandle>, text: &str) {
    let request = RunRequest { request: ChatRequest::from_prompt(text), origin: Origin::Person, session: None };
    let mut run = engine.submit(request).await.unwrap();
    while run.next().await.is_some() {}
}

#[tokio::test]
async fn a_restart_on_the_same_disk_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(with_silent_off(sled(dir.path()))).await.unwrap();
    let handle = engine.handle();
    for n in 0..25 {
        ask(&handle, &format!("question number {n}: write a function in Rust")).await;
    }
    let off = RouterCommand::Deactivate { arms: vec!["c".into()] };
    let id = TimeId::new(handle.now(), 1);
    let request = CommandRequest { id, actor: Actor::Person("ann".into()), command: off };
    let ack = handle.command(request.clone()).await.unwrap();
    assert!(matches!(ack, Acknowledgement::Applied { durability: Durability::Durable, .. }), "{ack:?}");
    for n in 0..5 {
        ask(&handle, &format!("afterwards {n}")).await;
    }
    // As after a kill: no last snapshot.
    handle.changed(handle.snapshot().revision).await;
    let before = handle.snapshot();
    let export = handle.export().await.unwrap();
    drop((handle, engine));
    let store = loop_until_free(dir.path()).await;
    let again = Engine::start(with_silent_off(store)).await.unwrap();
    let after = again.handle().snapshot();
    assert_eq!(after.sequence, before.sequence);
    let rows = |picture: &banditop::domain::snapshot::EngineSnapshot| {
        let row = |arm: &banditop::domain::snapshot::ArmRow| {
            (arm.arm.clone(), arm.state, arm.mean, arm.uncertainty, arm.share, arm.trials, arm.p95_preview_s)
        };
        picture.arms.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&after), rows(&before));
    assert_eq!((after.totals.runs, after.totals.p95_s), (30, before.totals.p95_s));
    let parts = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["parts"].clone();
    assert_eq!(parts(&again.handle().export().await.unwrap()), parts(&export), "the statistics are the same bits");
    assert!(matches!(again.handle().command(request).await, Ok(Acknowledgement::Duplicate { .. })));
    again.stop().await;
}

/// The store's threads end when the last handle has gone.
async fn loop_until_free(dir: &Path) -> Arc<dyn StateStore> {
    for _ in 0..500 {
        let opened = SledStore::open(dir, OpenOptions::new("a test", Arc::new(SystemClock::new())));
        if let Ok(store) = opened {
            return Arc::new(store);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the store is still held");
}
