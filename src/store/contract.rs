//! What every adapter of the port must do. The adapters' own tests call [`keeps_the_contract`].

use std::sync::Arc;

use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, ArmObservation, Durability, JournalEntry, LogEntry, Observation, RouterCommand};
use crate::domain::ids::{ArmId, CommandId, RunId, Sequence};
use crate::domain::record::{ContextRecord, Gate, GateDecision, Origin, Policies, RunOutcome, RunRecord, Timings};
use crate::domain::spec::Strategy;
use crate::domain::store::{LogBatch, StateStore, StoreError, StoredSnapshot};

pub(super) fn at(sequence: u64) -> Timestamp {
    Timestamp::from_millis(1_000 + sequence)
}

pub(super) fn id(sequence: u64) -> CommandId {
    CommandId::new(at(sequence), sequence)
}

/// An operator's command.
pub(super) fn decay(sequence: Sequence) -> LogEntry {
    let command = RouterCommand::Decay { factor: 0.1 + 0.2, arms: vec![ArmId::new("mini")] };
    LogEntry { sequence, id: id(sequence), actor: Actor::Person("ann".to_owned()), at: at(sequence), command }
}

/// What a run taught, with `d` numbers.
pub(super) fn observe(sequence: Sequence, d: u32) -> LogEntry {
    let arm = |name: &str| ArmObservation {
        arm: ArmId::new(name),
        signals: vec![],
        quality: Some(1.0 / 3.0),
        preview: None,
        answer: None,
        trial: true,
        win: false,
        served: false,
    };
    let x = (0..d).map(|i| f64::from(i) / 7.0).collect();
    let command = RouterCommand::Observe(Observation {
        spent_usd: None,
        run: id(sequence),
        x,
        arms: vec![arm("mini"), arm("maxi")],
    });
    LogEntry { sequence, id: id(sequence), actor: Actor::Run, at: at(sequence), command }
}

pub(super) fn line(sequence: Sequence, after: &str) -> JournalEntry {
    let LogEntry { id, at, actor, command, .. } = decay(sequence);
    JournalEntry { sequence, id, at, actor, command, before: "1.00".into(), after: after.into(), undone_by: None }
}

pub(super) fn run(number: u64, answer: &str) -> Arc<RunRecord> {
    Arc::new(RunRecord {
        run_id: id(number),
        at: at(number),
        origin: Origin::Traffic,
        request: ChatRequest::from_prompt("why?"),
        strategy: Strategy::Race,
        gate: Gate::new(GateDecision::Bandit, "learned".into()),
        context: ContextRecord::default(),
        arms: vec![],
        previews: vec![],
        verdict: None,
        judging: None,
        order: vec![],
        ordering: None,
        attempts: vec![],
        rewards: std::collections::BTreeMap::new(),
        winner: None,
        answer: Some(answer.to_owned()),
        fallbacks: 0,
        cost_usd: 0.1 + 0.2,
        timings_s: Timings::default(),
        outcome: RunOutcome::Served,
        rating: None,
        clamped: 0,
        policies: Policies::default(),
    })
}

pub(super) fn snapshot(sequence: Sequence, size: usize) -> StoredSnapshot {
    let parts = vec![("router".to_owned(), b"{}".to_vec()), ("arm:mini".to_owned(), vec![0xfe; size])];
    StoredSnapshot { sequence, parts }
}

pub(super) fn commands(sequences: std::ops::RangeInclusive<Sequence>) -> LogBatch {
    LogBatch { entries: sequences.map(decay).collect(), ..LogBatch::default() }
}

pub(super) fn numbers(entries: &[LogEntry]) -> Vec<Sequence> {
    entries.iter().map(|entry| entry.sequence).collect()
}

/// Every clause, each on a fresh store that acknowledges with `kept`.
pub(super) async fn keeps_the_contract(kept: Durability, open: impl Fn() -> Arc<dyn StateStore>) {
    an_empty_store_is_empty(open()).await;
    what_is_appended_is_read(kept, open()).await;
    the_newest_snapshot_and_its_tail_are_loaded(open()).await;
    there_are_no_gaps(open()).await;
    what_was_sent_again_changes_nothing(kept, open()).await;
    a_snapshot_beyond_the_log_starts_it_again(open()).await;
    records_are_replaced_whatever_their_size(open()).await;
    calls_are_applied_in_order(open()).await;
    what_would_not_come_back_is_refused(open()).await;
    a_long_log_is_trimmed_and_stays_undoable(open()).await;
    a_closed_store_is_closed(open()).await;
}

async fn an_empty_store_is_empty(store: Arc<dyn StateStore>) {
    let state = store.load().await.unwrap();
    assert!(state.snapshot.is_none() && state.tail.is_empty());
    assert_eq!(store.snapshot_before(9).await, Ok(None));
    assert_eq!(store.entries(0, Sequence::MAX).await, Ok(vec![]));
    assert_eq!(store.entries(9, 1).await, Ok(vec![]));
    assert_eq!(store.journal(9).await, Ok(vec![]));
    assert_eq!(store.runs(9).await, Ok(vec![]));
    assert_eq!(store.run(id(1)).await, Ok(None));
    assert_eq!(store.value("facts").await, Ok(None));
}

async fn what_is_appended_is_read(kept: Durability, store: Arc<dyn StateStore>) {
    let batch = LogBatch {
        entries: vec![decay(1), observe(2, 8)],
        journal: vec![line(1, "0.90")],
        runs: vec![run(2, "because")],
        snapshot: None,
        values: vec![("facts".into(), b"{}".to_vec()), ("fact".into(), vec![]), (String::new(), vec![0xff])],
    };
    assert_eq!(store.append(batch, true).await, Ok(kept));
    assert_eq!(store.append(LogBatch::default(), true).await, Ok(kept));
    assert_eq!(store.entries(1, 2).await, Ok(vec![decay(1), observe(2, 8)]));
    assert_eq!(store.entries(2, 9).await, Ok(vec![observe(2, 8)]));
    assert_eq!(store.journal(9).await, Ok(vec![line(1, "0.90")]));
    assert_eq!(store.run(id(2)).await, Ok(Some(run(2, "because").as_ref().clone())));
    for (name, expected) in [("facts", b"{}".as_slice()), ("fact", b""), ("", &[0xff])] {
        assert_eq!(store.value(name).await.unwrap().unwrap(), expected, "{name}");
    }
}

async fn the_newest_snapshot_and_its_tail_are_loaded(store: Arc<dyn StateStore>) {
    store.append(LogBatch { snapshot: Some(snapshot(0, 10)), ..commands(1..=3) }, false).await.unwrap();
    store.append(LogBatch { snapshot: Some(snapshot(5, 200_000)), ..commands(4..=6) }, false).await.unwrap();
    let state = store.load().await.unwrap();
    assert_eq!(state.snapshot, Some(snapshot(5, 200_000)));
    assert_eq!(numbers(&state.tail), [6]);
    for (before, expected) in [(0, 0), (4, 0), (5, 5), (Sequence::MAX, 5)] {
        assert_eq!(store.snapshot_before(before).await.unwrap().unwrap().sequence, expected, "before {before}");
    }
    assert_eq!(numbers(&store.entries(2, 5).await.unwrap()), [2, 3, 4, 5]);
}

async fn there_are_no_gaps(store: Arc<dyn StateStore>) {
    store.append(commands(1..=2), true).await.unwrap();
    assert!(matches!(store.append(commands(4..=4), true).await, Err(StoreError::Io(_))));
    let torn = LogBatch { entries: vec![decay(3), decay(5)], runs: vec![run(3, "")], ..LogBatch::default() };
    assert!(matches!(store.append(torn, true).await, Err(StoreError::Io(_))));
    assert_eq!(numbers(&store.load().await.unwrap().tail), [1, 2]);
    assert_eq!(store.runs(9).await, Ok(vec![]), "a refused batch leaves nothing behind");
    store.append(commands(3..=3), true).await.unwrap();
    assert_eq!(numbers(&store.load().await.unwrap().tail), [1, 2, 3]);
}

async fn what_was_sent_again_changes_nothing(kept: Durability, store: Arc<dyn StateStore>) {
    let batch = LogBatch { journal: vec![line(2, "x")], runs: vec![run(2, "a")], ..commands(1..=2) };
    store.append(batch.clone(), true).await.unwrap();
    let again = LogBatch { entries: commands(1..=3).entries, ..batch };
    assert_eq!(store.append(again, true).await, Ok(kept));
    assert_eq!(numbers(&store.load().await.unwrap().tail), [1, 2, 3]);
    assert_eq!((store.journal(9).await.unwrap().len(), store.runs(9).await.unwrap().len()), (1, 1));
}

async fn a_snapshot_beyond_the_log_starts_it_again(store: Arc<dyn StateStore>) {
    store.append(LogBatch { snapshot: Some(snapshot(1, 9)), ..commands(1..=2) }, true).await.unwrap();
    let beyond = LogBatch { snapshot: Some(snapshot(10, 9)), ..commands(9..=12) };
    store.append(beyond, true).await.unwrap();
    let state = store.load().await.unwrap();
    assert_eq!((state.snapshot.unwrap().sequence, numbers(&state.tail)), (10, vec![11, 12]));
    assert_eq!(numbers(&store.entries(0, 99).await.unwrap()), [11, 12], "what is left has no gap");
    assert_eq!(store.snapshot_before(9).await, Ok(None));
    store.append(commands(13..=13), true).await.unwrap();
    let alone = LogBatch { snapshot: Some(snapshot(20, 9)), ..LogBatch::default() };
    store.append(alone, true).await.unwrap();
    store.append(commands(21..=21), true).await.unwrap();
    assert_eq!(numbers(&store.load().await.unwrap().tail), [21]);
    let gap = LogBatch { snapshot: Some(snapshot(30, 9)), ..commands(32..=33) };
    assert!(store.append(gap, true).await.is_err());
}

async fn records_are_replaced_whatever_their_size(store: Arc<dyn StateStore>) {
    let (long, longer) = ("é".repeat(20_000), "x".repeat(100_000));
    for answer in ["short", &long, &longer, "short again", &long] {
        let batch = LogBatch {
            runs: vec![run(1, answer), run(2, "other")],
            values: vec![("v".into(), answer.into()), ("v2".into(), b"other".to_vec())],
            journal: vec![line(7, answer)],
            ..LogBatch::default()
        };
        store.append(batch, false).await.unwrap();
        assert_eq!(store.run(id(1)).await.unwrap().unwrap().answer.unwrap(), answer);
        assert_eq!(store.value("v").await.unwrap().unwrap(), answer.as_bytes());
        assert_eq!(store.journal(9).await.unwrap(), [line(7, answer)]);
        let runs: Vec<RunId> = store.runs(9).await.unwrap().iter().map(|run| run.run_id).collect();
        assert_eq!(runs, [id(2), id(1)], "newest first");
        assert_eq!(store.runs(1).await.unwrap().len(), 1);
        let before = |run| store.runs_before(Some(run), 9);
        assert_eq!(before(id(2)).await.unwrap().iter().map(|run| run.run_id).collect::<Vec<_>>(), [id(1)]);
        assert!(before(id(1)).await.unwrap().is_empty());
        assert_eq!(before(id(3)).await.unwrap().len(), 2, "whether there is such a run or not");
    }
    assert_eq!(store.value("v2").await.unwrap().unwrap(), b"other");
}

async fn calls_are_applied_in_order(store: Arc<dyn StateStore>) {
    let calls: Vec<_> = (1..=20).map(|n| store.append(commands(n..=n), n % 7 == 0)).collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(store.load().await.unwrap().tail.len(), 20);
}

async fn what_would_not_come_back_is_refused(store: Arc<dyn StateStore>) {
    let mut entry = decay(1);
    entry.command = RouterCommand::Decay { factor: f64::NAN, arms: vec![] };
    let batch = LogBatch { entries: vec![entry], ..LogBatch::default() };
    assert!(matches!(store.append(batch, true).await, Err(StoreError::Io(_))));
    assert!(store.append(commands(1..=1), true).await.is_ok());
}

async fn a_long_log_is_trimmed_and_stays_undoable(store: Arc<dyn StateStore>) {
    let step = 250;
    for start in (0..12_000).step_by(usize::try_from(step).unwrap()) {
        let batch = LogBatch { snapshot: Some(snapshot(start + step, 20)), ..commands(start + 1..=start + step) };
        store.append(batch, false).await.unwrap();
    }
    let entries = store.entries(0, Sequence::MAX).await.unwrap();
    let first = entries.first().unwrap().sequence;
    let base = store.snapshot_before(12_000 - 5_000).await.unwrap().expect("5,000 commands back there is a base");
    assert!(base.sequence + 1 >= first && first > 3_000, "kept from {first}, base {}", base.sequence);
    assert_eq!(numbers(&entries), (first..=12_000).collect::<Vec<_>>());
    let mut snapshots = std::collections::BTreeSet::new();
    for before in (0..=12_000).step_by(50) {
        snapshots.extend(store.snapshot_before(before).await.unwrap().map(|found| found.sequence));
    }
    assert!((5..=12).contains(&snapshots.len()), "{snapshots:?}");
}

async fn a_closed_store_is_closed(store: Arc<dyn StateStore>) {
    store.append(commands(1..=1), false).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.append(commands(2..=2), true).await, Err(StoreError::Closed));
    assert_eq!(store.value("x").await, Err(StoreError::Closed));
    assert!(matches!(store.load().await, Err(StoreError::Closed)));
    assert_eq!(store.close().await, Ok(()));
}
