//! Bounded queues to the threads that do what takes time, and the figures of what became of it. Bounded by
//! count and by bytes, for one item may hold a prompt of two megabytes. Pushing never waits; what finds no
//! room is dropped and counted. Stopping is bounded in time, whatever the thread
//! is waiting for: a thread that does not come back in time is left behind, and ends with the process.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What became of what was given to a sink.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    /// Counts what was delivered.
    pub fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    /// Delivered and dropped, so far.
    #[must_use]
    pub fn figures(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    /// Counts what was not.
    pub fn dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }
}

/// One sink's figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkFigures {
    /// `otlp`, `log`, `webhook`.
    pub name: &'static str,
    /// Delivered.
    pub sent: u64,
    /// Dropped.
    pub dropped: u64,
}

/// Every sink that is in use.
#[derive(Clone, Debug, Default)]
pub struct Sinks(Vec<(&'static str, Arc<Counters>)>);

impl Sinks {
    /// Adds a sink; the counters are for whoever delivers.
    pub fn add(&mut self, name: &'static str) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.0.push((name, Arc::clone(&counters)));
        counters
    }

    /// How they do.
    #[must_use]
    pub fn figures(&self) -> Vec<SinkFigures> {
        let read = |(name, counters): &(&'static str, Arc<Counters>)| {
            let (sent, dropped) = counters.figures();
            SinkFigures { name, sent, dropped }
        };
        self.0.iter().map(read).collect()
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub items: usize,
    /// Bytes, about; one item alone may be larger.
    pub bytes: usize,
}

/// A thread that takes from a bounded queue.
#[derive(Debug)]
pub(super) struct Worker<T> {
    queue: SyncSender<Told<T>>,
    room: Room,
    /// Bytes of what waits and of what the thread holds.
    bytes: Arc<AtomicUsize>,
    /// Waited for by whoever stops.
    ended: Mutex<Receiver<()>>,
    counters: Arc<Counters>,
}

/// What a thread is told.
pub(super) enum Told<T> {
    /// Work.
    Item(Held<T>),
    /// Deliver what there is, and end.
    Stop,
}

/// An item, which takes up room until it is let go.
#[derive(Debug)]
pub(super) struct Held<T> {
    item: T,
    size: usize,
    bytes: Arc<AtomicUsize>,
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Starts `work` on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(
        name: &str,
        room: Room,
        counters: Arc<Counters>,
        work: impl FnOnce(Receiver<Told<T>>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, items) = sync_channel(room.items);
        let (end, ended) = sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            work(items);
            let _ = end.send(());
        })?;
        Ok(Self { queue, room, bytes: Arc::default(), ended: Mutex::new(ended), counters })
    }

    /// Gives the thread `item`, of about `size` bytes, where there is room.
    pub(super) fn push(&self, item: T, size: usize) {
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        let held = Held { item, size, bytes: Arc::clone(&self.bytes) };
        let has_room = before == 0 || before.saturating_add(size) <= self.room.bytes;
        let is_taken = has_room && self.queue.try_send(Told::Item(held)).is_ok();
        if !is_taken {
            self.counters.dropped(1);
        }
    }

    /// Lets the thread deliver what there is, but for no longer than `patience`; whether it did.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        // A full queue with a thread that hangs takes no word: then nothing more is delivered.
        let _ = self.queue.try_send(Told::Stop);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(ended.recv_timeout(patience), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a thread may take; generous, because the machine may be busy.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn what_waits_is_bounded_by_count_and_by_bytes_and_room_comes_back() {
        let counters = Arc::new(Counters::default());
        let (go, gate) = sync_channel::<()>(0);
        let (tell, seen) = sync_channel(100);
        let room = Room { items: 8, bytes: 1_000 };
        let worker = Worker::start("test", room, Arc::clone(&counters), move |items: Receiver<Told<u32>>| {
            while gate.recv().is_ok() {
                let Ok(Told::Item(item)) = items.recv() else { break };
                let _ = tell.send(*item);
            }
        });
        let worker = worker.unwrap();
        // The first may be larger than all the room there is; while it waits there is none.
        worker.push(0, 5_000);
        worker.push(1, 1);
        assert_eq!(counters.figures(), (0, 1));
        go.send(()).unwrap();
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(0));
        // The thread waits at its gate again, so the item is let go.
        go.send(()).unwrap();
        for n in 2..5 {
            worker.push(n, 400);
        }
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(2));
        go.send(()).unwrap();
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(3));
        go.send(()).unwrap();
        let after = counters.figures().1;
        assert!((1..=2).contains(&after), "{after}");
        for n in 0..20 {
            worker.push(n, 1);
        }
        assert!(counters.figures().1 >= after + 20 - 8 - 1, "{:?}", counters.figures());
        drop(go);
        assert!(worker.stop(PATIENCE));
    }
}
