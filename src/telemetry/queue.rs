//! Bounded queues to the threads that do what takes time, and the figures of what became of it. Pushing
//! never waits; what finds no room is dropped and counted. Stopping is bounded in time, whatever the thread
//! is waiting for: a thread that does not come back in time is left behind, and ends with the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
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

/// A thread that takes from a bounded queue.
#[derive(Debug)]
pub(super) struct Worker<T> {
    queue: SyncSender<Told<T>>,
    /// Waited for by whoever stops.
    ended: Mutex<Receiver<()>>,
    counters: Arc<Counters>,
}

/// What a thread is told.
pub(super) enum Told<T> {
    /// Work.
    Item(T),
    /// Deliver what there is, and end.
    Stop,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts `work` on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(
        name: &str,
        room: usize,
        counters: Arc<Counters>,
        work: impl FnOnce(Receiver<Told<T>>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, items) = sync_channel(room);
        let (end, ended) = sync_channel(1);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            work(items);
            let _ = end.send(());
        })?;
        Ok(Self { queue, ended: Mutex::new(ended), counters })
    }

    /// Gives the thread `item`, where there is room.
    pub(super) fn push(&self, item: T) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(Told::Item(item)) {
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
