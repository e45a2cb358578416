//! A disk that fails, and one that hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use super::super::backend::{Backend, Fault, MemoryBackend, Read, Visit};
use super::super::codec::Op;
use super::super::contract::{commands, numbers, snapshot};
use super::super::ledger::{Ledger, Retention};
use super::super::records;
use super::super::status::Status;
use super::super::threaded::Threads;
use super::super::view::View;
use super::super::writer::{State, Writer};
use crate::domain::clock::SystemClock;
use crate::domain::command::Durability;
use crate::domain::store::{LogBatch, StoreError};

/// A disk: what was synced survives its failing, what was only written does not.
#[derive(Default)]
struct Disk {
    synced: Arc<MemoryBackend>,
    fails: AtomicBool,
    hangs: AtomicBool,
}

struct Handle {
    disk: Arc<Disk>,
    seen: MemoryBackend,
    unsynced: Mutex<Vec<Op>>,
}

fn handle(disk: &Arc<Disk>) -> Result<Arc<dyn Backend>, Fault> {
    disk.check()?;
    let seen = MemoryBackend::default();
    let mut all = Vec::new();
    disk.synced.scan(&[0], &[0xff], false, &mut |key, value| {
        all.push(Op { key: key.to_vec(), value: Some(value.to_vec()) });
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    seen.write(&all)?;
    Ok(Arc::new(Handle { disk: Arc::clone(disk), seen, unsynced: Mutex::default() }))
}

impl Disk {
    fn check(&self) -> Result<(), Fault> {
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.fails.load(Ordering::SeqCst) { Err(Fault::Io("No space left on device".into())) } else { Ok(()) }
    }
}

impl Read for Handle {
    fn scan(&self, from: &[u8], to: &[u8], newest_first: bool, visit: Visit<'_>) -> Result<(), Fault> {
        self.seen.scan(from, to, newest_first, visit)
    }
}

impl Backend for Handle {
    fn write(&self, ops: &[Op]) -> Result<(), Fault> {
        self.disk.check()?;
        self.unsynced.lock().unwrap().extend_from_slice(ops);
        self.seen.write(ops)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.disk.check()?;
        self.disk.synced.write(&std::mem::take(&mut *self.unsynced.lock().unwrap()))
    }
}

fn start(disk: &Arc<Disk>) -> Threads {
    let reopened = Arc::clone(disk);
    let writer = Writer {
        ledger: Ledger::new(Retention { runs: 10 }),
        view: Arc::new(RwLock::new(View::over(handle(disk).unwrap()))),
        status: Arc::new(Status::default()),
        reopen: Box::new(move || handle(&reopened)),
        clock: Arc::new(SystemClock::new()),
        export_dir: None,
        holder: None,
        state: State::default(),
    };
    Threads::start(writer).unwrap()
}

async fn log(threads: &Threads) -> Vec<u64> {
    numbers(&threads.read(|read| records::entries(read, 0, u64::MAX)).await.unwrap())
}

fn on_disk(disk: &Disk) -> Vec<u64> {
    numbers(&records::entries(disk.synced.as_ref(), 0, u64::MAX).unwrap())
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within ten seconds");
}

#[tokio::test]
async fn a_failing_disk_loses_nothing_and_is_caught_up_with() {
    let disk = Arc::new(Disk::default());
    let store = start(&disk);
    let first = LogBatch { snapshot: Some(snapshot(0, 9)), ..commands(1..=2) };
    assert_eq!(store.append(first, true).await, Ok(Durability::Durable));
    assert_eq!(store.append(commands(3..=3), false).await, Ok(Durability::Durable));
    disk.fails.store(true, Ordering::SeqCst);
    assert_eq!(store.append(commands(4..=4), true).await, Ok(Durability::MemoryOnly));
    assert_eq!(store.append(commands(5..=5), true).await, Ok(Durability::MemoryOnly));
    assert!(store.status().notice().unwrap().contains("No space left"));
    assert_eq!(log(&store).await, [3, 4, 5], "what is not on disk is still seen");
    disk.fails.store(false, Ordering::SeqCst);
    until(|| store.status().notice().is_none()).await;
    assert_eq!(on_disk(&disk), [1, 2, 3, 4, 5]);
    assert_eq!(log(&store).await, [1, 2, 3, 4, 5]);
    assert_eq!(store.append(commands(6..=6), true).await, Ok(Durability::Durable));
    assert!(Ledger::audit(disk.synced.as_ref(), Retention { runs: 10 }).is_ok());
    assert_eq!(store.close().await, Ok(()));
}

#[tokio::test]
async fn unsynced_appends_are_on_disk_within_200_ms() {
    let disk = Arc::new(Disk::default());
    let store = start(&disk);
    let began = tokio::time::Instant::now();
    assert_eq!(store.append(commands(1..=1), false).await, Ok(Durability::Durable));
    until(|| on_disk(&disk) == [1]).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}: on an idle machine it takes 150 ms");
}

#[tokio::test]
async fn a_hanging_disk_blocks_nobody_for_long() {
    let disk = Arc::new(Disk::default());
    let store = start(&disk);
    store.append(commands(1..=1), true).await.unwrap();
    disk.hangs.store(true, Ordering::SeqCst);
    assert_eq!(store.append(commands(2..=2), true).await, Ok(Durability::MemoryOnly));
    let began = tokio::time::Instant::now();
    for sequence in 3..=1_000 {
        assert_eq!(store.append(commands(sequence..=sequence), true).await, Ok(Durability::MemoryOnly));
    }
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(store.status().notice().unwrap().contains("does not answer"));
    let refused = (1_001..=1_100).map(|n| store.append(commands(n..=n), true)).collect::<Vec<_>>();
    let mut answers = Vec::new();
    for refusal in refused {
        answers.push(refusal.await);
    }
    assert!(matches!(answers.last(), Some(Err(StoreError::Io(_)))), "the queue is bounded");
    disk.hangs.store(false, Ordering::SeqCst);
    until(|| store.status().notice().is_none()).await;
    until(|| on_disk(&disk).len() >= 1_000).await;
    // Whoever was refused sends again, from wherever it likes.
    assert_eq!(store.append(commands(990..=1_200), true).await, Ok(Durability::Durable));
    assert_eq!(on_disk(&disk), (1..=1_200).collect::<Vec<_>>());
}
