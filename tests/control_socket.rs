//! The contract of `EngineHandle`, held against an engine in this process and against the same engine
//! through the control socket; then what only a socket can do wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use banditop::client::{ConnectError, SocketEngine};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::ManualClock;
use banditop::domain::command::{Acknowledgement, Actor, RouterCommand};
use banditop::domain::engine::{CommandRequest, EngineError, EngineHandle, JournalQuery, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::record::Origin;
use banditop::gateway::socket::{ControlSocket, SocketError};
use common::fake_engine::{AT, FakeEngine};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// An engine, and how it is reached.
struct Bench {
    fake: Arc<FakeEngine>,
    engine: Arc<dyn EngineHandle>,
    path: PathBuf,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _dir: TempDir,
}

async fn bench(through_socket: bool) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let fake = FakeEngine::new();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut engine: Arc<dyn EngineHandle> = fake.clone();
    if through_socket {
        let socket = ControlSocket::bind(&path).await.unwrap();
        tasks.spawn(socket.serve(fake.clone(), stop.clone()));
        engine = Arc::new(SocketEngine::connect(&path, Arc::new(ManualClock::at(AT))).await.unwrap());
    }
    Bench { fake, engine, path, stop, tasks, _dir: dir }
}

fn prompt(text: &str) -> RunRequest {
    RunRequest { request: ChatRequest::from_prompt(text), origin: Origin::Person, session: None }
}

fn ann() -> Actor {
    Actor::Person("ann".to_owned())
}

fn decay(id: u64) -> CommandRequest {
    let command = RouterCommand::Decay { factor: 0.9, arms: vec![ArmId::new("a")] };
    CommandRequest { id: TimeId::new(AT, id), actor: ann(), command }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come true");
}

async fn contract(through_socket: bool) {
    let bench = bench(through_socket).await;
    let engine = bench.engine.as_ref();

    // Pictures.
    assert_eq!(*engine.snapshot(), *bench.fake.snapshot());
    assert_eq!(engine.now(), AT);
    let seen = engine.snapshot().revision;
    bench.fake.publish();
    engine.changed(seen).await;
    assert!(engine.snapshot().revision > seen);

    // A run, event by event, ending with its record.
    let mut run = engine.submit(prompt("one two \"three\"\n\u{1b}[2J")).await.unwrap();
    let id = run.run();
    let mut text = String::new();
    let mut last = None;
    while let Some(event) = run.next().await {
        if let RunEvent::AnswerText { text: part, .. } = &event {
            text += part;
        }
        last = Some(event);
    }
    assert_eq!(text, "one two \"three\"\n\u{1b}[2J");
    let Some(RunEvent::Finished { record }) = last else { panic!("no end") };
    assert_eq!((record.run_id, record.answer.as_deref()), (id, Some(text.as_str())));
    assert_eq!(run.next().await, None);
    drop(run);
    assert_eq!(bench.fake.cancelled(), 0);
    assert_eq!(engine.run(id).await.unwrap(), Some(record.clone()));
    assert_eq!(engine.run(TimeId::new(AT, 77)).await.unwrap(), None);
    assert_eq!(engine.runs(5).await.unwrap(), vec![record]);

    // Refusals keep their kind.
    let refused = engine.submit(prompt(" ")).await.err();
    assert_eq!(refused, Some(EngineError::Refused("the prompt is empty".to_owned())));
    assert_eq!(engine.submit(prompt("busy")).await.err(), Some(EngineError::Busy { in_flight: 3, limit: 3 }));

    // Dropping a run cancels it.
    let mut waiting = engine.submit(prompt("wait")).await.unwrap();
    _ = tokio::time::timeout(Duration::from_millis(20), waiting.next()).await.unwrap_err();
    drop(waiting);
    eventually("the run is cancelled", || bench.fake.cancelled() == 1).await;

    // Commands: applied once, refused with the reason, in the journal.
    let applied = engine.command(decay(1)).await.unwrap();
    let Acknowledgement::Applied { entry, .. } = applied else { panic!("{applied:?}") };
    assert_eq!((entry.sequence, entry.actor.clone()), (1, ann()));
    assert_eq!(engine.command(decay(1)).await, Ok(Acknowledgement::Duplicate { sequence: 1 }));
    let off = RouterCommand::Deactivate { arms: vec![ArmId::new("a")] };
    let rejected = engine.command(CommandRequest { command: off.clone(), ..decay(2) }).await.unwrap();
    assert_eq!(rejected, Acknowledgement::Rejected { reason: "it is the last active arm".to_owned() });
    assert_eq!(engine.journal(JournalQuery { limit: 9 }).await.unwrap(), vec![*entry]);

    // The rest.
    let what_if = engine.what_if(decay(3).command).await.unwrap();
    assert_eq!((what_if.contexts, what_if.then.reward), (500, Some(0.1 + 0.2)));
    assert_eq!(engine.what_if(off).await, Err(EngineError::Refused("only decay".to_owned())));
    assert!(matches!(engine.rate(id, 1.0, ann()).await, Ok(Acknowledgement::Applied { .. })));
    assert!(matches!(engine.rate(TimeId::new(AT, 77), 1.0, ann()).await, Err(EngineError::Refused(_))));
    let exported = engine.export().await.unwrap();
    assert!(matches!(engine.import(exported, ann()).await, Ok(Acknowledgement::Applied { .. })));
    assert_eq!(engine.import("x".to_owned(), ann()).await, Err(EngineError::Store("no export: 1 bytes".to_owned())));
}

#[tokio::test]
async fn the_contract_holds_in_this_process() {
    contract(false).await;
}

#[tokio::test]
async fn the_contract_holds_through_the_socket() {
    contract(true).await;
}

#[tokio::test]
async fn when_the_engine_goes_everything_says_so() {
    let mut bench = bench(true).await;
    bench.stop.cancel();
    while bench.tasks.join_next().await.is_some() {}
    assert!(!bench.path.exists());
    // Resolves although nothing newer comes.
    bench.engine.changed(u64::MAX).await;
    assert_eq!(bench.engine.submit(prompt("x")).await.err(), Some(EngineError::Stopped));
    assert_eq!(bench.engine.command(decay(1)).await, Err(EngineError::Stopped));
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
    let bench = bench(true).await;
    assert!(matches!(ControlSocket::bind(&bench.path).await, Err(SocketError::InUse { .. })));
    let mode = std::fs::metadata(&bench.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let dir = tempfile::tempdir().unwrap();
    let stale = dir.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    let clock = Arc::new(ManualClock::at(AT));
    assert!(matches!(SocketEngine::connect(&stale, clock).await, Err(ConnectError::Nobody { .. })));
    drop(ControlSocket::bind(&stale).await.unwrap());
    assert!(!stale.exists());

    std::fs::write(&stale, "precious").unwrap();
    assert!(matches!(ControlSocket::bind(&stale).await, Err(SocketError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&stale).unwrap(), "precious");
}

/// What the socket says to these bytes.
async fn say(path: &std::path::Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn nonsense_is_answered_in_words() {
    let bench = bench(true).await;
    let rows: [(&[u8], &str); 5] = [
        (b"hello\n", "cannot be read"),
        (b"{\"protocol\":99,\"request\":{\"ask\":\"dance\"}}\n", "use the same version of both"),
        (b"{\"protocol\":1,\"request\":{\"ask\":\"dance\"}}\n", "unknown variant `dance`"),
        (b"\xff\xfe\n", "cannot be read"),
        (b"{\"protocol\":1,\"request\":{\"ask\":\"journal\"}}\n", "missing field `query`"),
    ];
    for (bytes, words) in rows {
        let reply = say(&bench.path, bytes).await;
        assert!(reply.contains("\"failed\"") && reply.contains(words), "{reply}");
    }
    // And it goes on.
    assert_eq!(bench.engine.runs(1).await, Ok(Vec::new()));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let bench = bench(true).await;
    let mut held = Vec::new();
    for _ in 0..128 {
        held.push(UnixStream::connect(&bench.path).await.unwrap());
    }
    let reply = say(&bench.path, b"").await;
    assert!(reply.contains("too many control connections"), "{reply}");
    drop(held);
}

#[tokio::test]
async fn however_many_run_somebody_who_sees_and_steers_gets_in() {
    let bench = bench(true).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let client = SocketEngine::connect(&bench.path, Arc::new(ManualClock::at(AT))).await.unwrap();
        let run = client.submit(prompt("wait")).await.unwrap();
        clients.push((client, run));
    }
    let late = SocketEngine::connect(&bench.path, Arc::new(ManualClock::at(AT))).await.unwrap();
    assert!(matches!(late.command(decay(7)).await, Ok(Acknowledgement::Applied { .. })));
    assert_eq!(late.journal(JournalQuery { limit: 1 }).await.map(|lines| lines.len()), Ok(1));
    let mut run = late.submit(prompt("one")).await.unwrap();
    while let Some(event) = run.next().await {
        assert!(!matches!(event, RunEvent::Finished { .. }) || clients.len() == 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_is_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    // Nobody accepts, and the system takes the connection all the same.
    let _listener = tokio::net::UnixListener::bind(&path).unwrap();
    let connected = SocketEngine::connect(&path, Arc::new(ManualClock::at(AT))).await;
    assert!(matches!(connected, Err(ConnectError::Silent { .. })));
}
