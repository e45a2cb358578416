//! What a `kill -9` may cost: no command that was acknowledged as durable, no gap in the log, never a
//! store that does not open; of observations at most the last 200 ms.
//!
//! A child process (this test's own binary again) appends operator commands and observations and says
//! what was acknowledged; the parent kills it at random moments, over and over, on the same store. A few
//! rounds here; `BANDITOP_CRASH_ROUNDS=1000 cargo test --release --test crash` for many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the child speaks to its parent")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::domain::clock::{Clock, SystemClock, Timestamp};
use banditop::domain::command::{Actor, Durability, JournalEntry, LogEntry, Observation, RouterCommand};
use banditop::domain::ids::{ArmId, CommandId, Sequence};
use banditop::domain::record::RunRecord;
use banditop::domain::store::{LogBatch, StateStore, StoredSnapshot};
use banditop::store::{OpenOptions, SledStore};
use serde_json::json;

const DIR: &str = "BANDITOP_CRASH_DIR";
const ROUNDS: &str = "BANDITOP_CRASH_ROUNDS";
const CHILD: &str = "the_child_that_is_killed";
/// The promise is 200 ms; the rest is for a loaded machine.
const MAY_BE_LOST: Duration = Duration::from_millis(500);

fn open(dir: &Path) -> SledStore {
    let store = SledStore::open(dir, OpenOptions::new("crash test", Arc::new(SystemClock::new()))).unwrap();
    assert_eq!(store.notice(), None, "nothing was damaged or lost");
    store
}

/// Every fifth command is an operator's.
fn is_operators(sequence: Sequence) -> bool {
    sequence.is_multiple_of(5)
}

/// The entry that every process writes at `sequence`.
fn entry(sequence: Sequence) -> LogEntry {
    let at = Timestamp::from_millis(sequence);
    let id = CommandId::new(at, sequence);
    let x =
        (0..16_u32).map(|i| f64::from(i) / 7.0 + 1e-9 * f64::from(u32::try_from(sequence % 1_000).unwrap())).collect();
    let (actor, command) = if is_operators(sequence) {
        (Actor::Person("ann".into()), RouterCommand::Deactivate { arms: vec![ArmId::new("mini")] })
    } else {
        (Actor::Run, RouterCommand::Observe(Observation { spent_usd: None, run: id, x, arms: vec![] }))
    };
    LogEntry { sequence, id, actor, at, command }
}

fn line(sequence: Sequence) -> JournalEntry {
    let LogEntry { id, at, actor, command, .. } = entry(sequence);
    JournalEntry { sequence, id, at, actor, command, before: "active".into(), after: "off".into(), undone_by: None }
}

fn run(sequence: Sequence) -> RunRecord {
    let record = json!({
        "run_id": CommandId::new(Timestamp::from_millis(sequence), sequence), "at": sequence, "origin": "traffic",
        "request": {"messages": [{"role": "user", "content": "why?"}]}, "strategy": "race",
        "gate": {"decision": "bandit", "reason": ""},
        "context": {"names": [], "x": [], "intent": "other", "feature_version": ""},
        "arms": [], "previews": [], "verdict": null, "order": [], "attempts": [], "rewards": {}, "winner": null,
        "answer": "because ".repeat(700), "fallbacks": 0, "cost_usd": 0.0,
        "timings_s": {"features": 0.0, "previews": 0.0, "judge": 0.0, "full": 0.0, "total": 0.0},
        "outcome": {"status": "served"},
    });
    serde_json::from_value(record).unwrap()
}

fn snapshot(sequence: Sequence) -> StoredSnapshot {
    StoredSnapshot { sequence, parts: vec![("router".into(), sequence.to_string().repeat(5_000).into_bytes())] }
}

/// Up to five commands from `from` on, ending with an operator's if there is one among them.
fn batch(from: Sequence) -> LogBatch {
    let to = (from..from + 5).find(|sequence| is_operators(*sequence)).unwrap_or(from);
    let to = if from.is_multiple_of(2) { to } else { from };
    LogBatch {
        entries: (from..=to).map(entry).collect(),
        journal: (from..=to).filter(|sequence| is_operators(*sequence)).map(line).collect(),
        runs: (from..=to).filter(|sequence| !is_operators(*sequence)).map(run).map(Arc::new).collect(),
        snapshot: (to % 40 < 3).then(|| snapshot(to)),
        values: vec![("last".into(), to.to_string().into_bytes())],
    }
}

#[tokio::test]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let store = open(Path::new(&dir));
    let state = store.load().await.unwrap();
    let base = state.snapshot.map_or(0, |snapshot| snapshot.sequence);
    let mut last = state.tail.last().map_or(base, |entry| entry.sequence);
    println!("\nopen {last}");
    loop {
        let batch = batch(last + 1);
        last += u64::try_from(batch.entries.len()).unwrap();
        let is_durable = is_operators(last);
        assert_eq!(store.append(batch, is_durable).await, Ok(Durability::Durable));
        println!("{} {last}", if is_durable { "durable" } else { "soft" });
        if !is_durable {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What a child said, and when.
struct Said {
    word: String,
    sequence: Sequence,
    at: Duration,
}

struct Round {
    child: Child,
    said: Arc<Mutex<Vec<Said>>>,
    is_open: Receiver<()>,
    reader: std::thread::JoinHandle<()>,
}

fn start(dir: &Path, clock: SystemClock) -> Round {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (opened, is_open) = channel();
    let heard = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let Some((word, number)) = line.split_once(' ') else { continue };
            let Ok(sequence) = number.parse() else { continue };
            if word == "open" {
                let _ = opened.send(());
            }
            heard.lock().unwrap().push(Said { word: word.to_owned(), sequence, at: clock.monotonic() });
        }
    });
    Round { child, said, is_open, reader }
}

/// What must be there after a round.
#[derive(Debug, Default)]
struct Promised {
    durable: Sequence,
    any: Sequence,
}

fn kill_one(dir: &Path, dice: &mut fastrand::Rng, before: &Promised) -> Promised {
    let clock = SystemClock::new();
    let mut round = start(dir, clock);
    // One in eight dies while it opens.
    if dice.u8(0..8) > 0 {
        round.is_open.recv_timeout(Duration::from_mins(1)).expect("the store opens");
    }
    let longest = if dice.bool() { 30 } else { 800 };
    std::thread::sleep(Duration::from_millis(dice.u64(0..longest)));
    let killed = clock.monotonic();
    round.child.kill().unwrap();
    let status = round.child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "it died of the signal and of nothing else: {status}");
    round.reader.join().unwrap();
    let said = round.said.lock().unwrap();
    if let Some(opened) = said.iter().find(|said| said.word == "open") {
        let lost = format!("opened at {} where {before:?}", opened.sequence);
        assert!(opened.sequence >= before.durable.max(before.any), "{lost}");
    }
    let newest = |keep: &dyn Fn(&Said) -> bool| said.iter().filter(|s| keep(s)).map(|s| s.sequence).max();
    let durable = newest(&|said| said.word == "durable").unwrap_or(0).max(before.durable);
    let any = newest(&|said| said.at + MAY_BE_LOST < killed).unwrap_or(0).max(before.any);
    Promised { durable, any }
}

/// The whole store, read in this process.
async fn inspect(dir: &Path, promised: &Promised) -> Sequence {
    let store = open(dir);
    let state = store.load().await.unwrap();
    let base = state.snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
    if let Some(found) = state.snapshot {
        assert_eq!(found, snapshot(base));
    }
    let last = state.tail.last().map_or(base, |entry| entry.sequence);
    assert!(last >= promised.durable.max(promised.any), "{last} but {promised:?}");
    assert_eq!(state.tail, (base + 1..=last).map(entry).collect::<Vec<_>>());
    let entries = store.entries(0, Sequence::MAX).await.unwrap();
    let first = entries.first().map_or(last + 1, |entry| entry.sequence);
    assert_eq!(entries, (first..=last).map(entry).collect::<Vec<_>>(), "no gap");
    let mut journal = store.journal(usize::MAX).await.unwrap();
    journal.reverse();
    assert_eq!(journal, (1..=last).filter(|s| is_operators(*s)).map(line).collect::<Vec<_>>());
    let value = store.value("last").await.unwrap().map(|value| String::from_utf8(value).unwrap());
    assert_eq!(value.unwrap_or_else(|| "0".to_owned()), last.to_string(), "a batch is there as a whole");
    for run_kept in store.runs(200).await.unwrap() {
        assert_eq!(run_kept, run(run_kept.at.millis()));
    }
    store.close().await.unwrap();
    last
}

#[tokio::test]
async fn nothing_acknowledged_as_durable_is_lost() {
    if std::env::var(DIR).is_ok() {
        return;
    }
    let rounds: u32 = std::env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8);
    let dir = tempfile::tempdir().unwrap();
    let mut dice = fastrand::Rng::with_seed(7);
    let mut promised = Promised::default();
    let mut last = 0;
    for round in 1..=rounds {
        promised = kill_one(dir.path(), &mut dice, &promised);
        // Opening and closing in good order mends what the next crash should find, so it is not always done.
        if round % 5 == 0 || round == rounds {
            last = inspect(dir.path(), &promised).await;
        }
        if round % 100 == 0 {
            println!("{round} rounds, {last} commands, {promised:?}");
        }
    }
    assert!(promised.durable > 0, "the rounds were too short to say anything");
}
