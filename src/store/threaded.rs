//! The store as its callers see it: two threads behind bounded queues, one that writes and one that
//! reads, and a watchdog over both. A caller never waits for a disk that does not answer: after a short
//! patience an append counts as *memory only* (it stays in the queue, in its place), and while the writer
//! is stuck later ones do not wait at all.
//!
//! The patience runs on tokio's clock: under a paused one it is over at once.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::domain::BoxFuture;
use crate::domain::command::Durability;
use crate::domain::store::{LogBatch, StoreError};

use super::backend::{Fault, Read};
use super::status::Status;
use super::view::View;
use super::writer::{Answer, Request, Writer};

/// Appends and reads that may wait in their queues.
const QUEUE: usize = 1_024;
/// How long a caller waits for the writer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a caller waits for a read, of which the first may be large, or for closing.
const LONG_PATIENCE: Duration = Duration::from_secs(20);

type Job = Box<dyn FnOnce(&View) + Send>;

/// A writer and a reader at work.
pub(super) struct Threads {
    status: Arc<Status>,
    /// Absent once closed.
    appends: Mutex<Option<SyncSender<Request>>>,
    reads: SyncSender<Job>,
    /// Disconnected when the writer has ended.
    writer_ends: Mutex<Receiver<()>>,
}

impl Threads {
    /// Starts both threads.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(writer: Writer) -> Result<Self, Fault> {
        let (status, view) = (Arc::clone(&writer.status), Arc::clone(&writer.view));
        let (appends, requests) = sync_channel(QUEUE);
        let (reads, jobs) = sync_channel::<Job>(QUEUE);
        let (ended, writer_ends) = sync_channel::<()>(0);
        spawn("store-write", move || {
            writer.run(&requests);
            drop(ended);
        })?;
        spawn("store-read", move || serve(&jobs, &view))?;
        Ok(Self { status, appends: Mutex::new(Some(appends)), reads, writer_ends: Mutex::new(writer_ends) })
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    /// Appends; in the order of the calls, whenever the futures are awaited.
    pub(super) fn append(&self, batch: LogBatch, sync: bool) -> BoxFuture<'_, Answer> {
        let (reply, answer) = oneshot::channel();
        let was_stalled = self.status.is_stalled();
        let sent = self.send(Request::Append { batch: Box::new(batch), sync, reply });
        Box::pin(async move {
            sent?;
            if was_stalled {
                return Ok(Durability::MemoryOnly);
            }
            let answer = timeout(PATIENCE, answer).await.inspect_err(|_| self.status.is_stuck());
            answer.map_or(Ok(Durability::MemoryOnly), |answer| answer.unwrap_or_else(|_| Err(gone())))
        })
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        let appends = self.appends.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = appends.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(request).map_err(|fault| match fault {
            std::sync::mpsc::TrySendError::Full(_) => {
                self.status.is_stuck();
                StoreError::Io(format!("the disk does not answer and {QUEUE} batches wait for it"))
            }
            std::sync::mpsc::TrySendError::Disconnected(_) => gone(),
        })
    }

    /// Reads what was appended before.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |view| {
            let _ = reply.send(read(view));
        });
        let sent = if self.status.is_closed() {
            Err(StoreError::Closed)
        } else {
            self.reads.try_send(job).map_err(|_| StoreError::Io("too many reads wait for the disk".to_owned()))
        };
        Box::pin(async move {
            sent?;
            match timeout(LONG_PATIENCE, answer).await {
                Ok(Ok(outcome)) => outcome.map_err(|fault| StoreError::Io(fault.to_string())),
                Ok(Err(_)) => Err(StoreError::Closed),
                Err(_) => Err(StoreError::Io("the disk does not answer".to_owned())),
            }
        })
    }

    /// Writes out everything and lets the database go.
    pub(super) fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if self.status.close() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (reply, answer) = oneshot::channel();
        let sent = self.send(Request::Close { reply });
        *self.appends.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Box::pin(async move {
            sent?;
            match timeout(LONG_PATIENCE, answer).await {
                Ok(Ok(Ok(Durability::Durable))) => Ok(()),
                Ok(Ok(Ok(Durability::MemoryOnly))) => {
                    Err(StoreError::Io("the last changes could not be written: the disk is out of order".to_owned()))
                }
                Ok(Ok(Err(fault))) => Err(fault),
                Ok(Err(_)) => Err(gone()),
                Err(_) => Err(StoreError::Io("the disk does not answer: the last changes may be lost".to_owned())),
            }
        })
    }
}

impl Drop for Threads {
    /// A store that nobody closed writes out what it has, for as long as that may reasonably take.
    fn drop(&mut self) {
        *self.appends.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let ends = self.writer_ends.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ends.recv_timeout(PATIENCE);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|fault| Fault::Io(format!("no thread for the store: {fault}")))
}

fn serve(jobs: &Receiver<Job>, view: &RwLock<View>) {
    for job in jobs {
        let view = view.read().unwrap_or_else(PoisonError::into_inner).clone();
        job(&view);
    }
}

fn gone() -> StoreError {
    StoreError::Io("the store's writer has ended".to_owned())
}
