//! The one thread that writes. It takes what waits in its queue, writes it, and syncs once for all of it:
//! at once where someone waits for the disk, else within [`LATEST_SYNC`]. Whatever is not safely on disk
//! is held in the view as well, so that readers miss nothing and a failed disk loses nothing: the
//! writer then closes the backend, answers *memory only*, and tries from time to time to open it again
//! and catch up.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::clock::Clock;
use crate::domain::command::Durability;
use crate::domain::store::{LogBatch, StoreError};

use super::backend::{Backend, Fault};
use super::codec::Op;
use super::export::Export;
use super::holder::Holder;
use super::ledger::Ledger;
use super::status::Status;
use super::view::View;

/// Writes are on disk this long after they were made, at the latest (the promise is 200 ms).
const LATEST_SYNC: Duration = Duration::from_millis(150);
/// Requests that share one sync.
const GROUP: usize = 256;
/// How long after a failure the backend is opened again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A new snapshot is exported, unless the last export is younger than this.
const EXPORT_EVERY: Duration = Duration::from_mins(1);

/// How a failed backend is opened again.
pub(super) type Reopen = Box<dyn Fn() -> Result<Arc<dyn Backend>, Fault> + Send>;
pub(super) type Answer = Result<Durability, StoreError>;

/// What the writer is asked.
pub(super) enum Request {
    /// To append.
    Append { batch: Box<LogBatch>, sync: bool, reply: oneshot::Sender<Answer> },
    /// To write out everything and end.
    Close { reply: oneshot::Sender<Answer> },
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) ledger: Ledger,
    pub(super) view: Arc<RwLock<View>>,
    pub(super) status: Arc<Status>,
    pub(super) reopen: Reopen,
    pub(super) clock: Arc<dyn Clock>,
    /// Where exports go; none are made without it.
    pub(super) export_dir: Option<PathBuf>,
    /// Let go last, when nothing of the database is in use any more.
    pub(super) holder: Option<Holder>,
    pub(super) state: State,
}

/// What changes from turn to turn.
#[derive(Default)]
pub(super) struct State {
    /// The last batch that is safely on disk.
    synced: u64,
    /// When the oldest write that is not synced was made.
    dirty_since: Option<Duration>,
    /// When to open the backend again, and how long to wait after that; absent while all is well.
    retry: Option<(Duration, Duration)>,
    exported: Option<Duration>,
    export_is_due: bool,
    /// Those who wait for the sync.
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl Writer {
    /// Runs until it is asked to close or nobody is left to ask.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        self.state.synced = self.ledger.batch();
        let closing = loop {
            match requests.recv_timeout(self.nap()) {
                Ok(Request::Close { reply }) => break Some(reply),
                Ok(Request::Append { batch, sync, reply }) => {
                    if let Some(reply) = self.group(requests, (*batch, sync, reply)) {
                        break Some(reply);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.settle(),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.retry();
            self.status.is_moving();
        };
        self.close(closing);
    }

    /// How long to wait for a request before there is something else to do.
    fn nap(&self) -> Duration {
        let now = self.clock.monotonic();
        let sync = self.state.dirty_since.map(|since| since + LATEST_SYNC);
        let retry = self.state.retry.map(|(at, _)| at);
        let next = [sync, retry].into_iter().flatten().min();
        next.map_or(Duration::from_hours(1), |at| at.saturating_sub(now).max(Duration::from_millis(1)))
    }

    /// Writes a request and whatever waits behind it; the reply of a request to close among them.
    fn group(
        &mut self,
        requests: &Receiver<Request>,
        first: (LogBatch, bool, oneshot::Sender<Answer>),
    ) -> Option<oneshot::Sender<Answer>> {
        let (batch, sync, reply) = first;
        self.append(&batch, sync, reply);
        for request in requests.try_iter().take(GROUP) {
            match request {
                Request::Append { batch, sync, reply } => self.append(&batch, sync, reply),
                Request::Close { reply } => return Some(reply),
            }
        }
        let is_late = self.state.dirty_since.is_some_and(|since| self.clock.monotonic() >= since + LATEST_SYNC);
        if is_late || !self.state.waiting.is_empty() {
            self.settle();
        }
        None
    }

    fn append(&mut self, batch: &LogBatch, sync: bool, reply: oneshot::Sender<Answer>) {
        match self.ledger.post(batch) {
            Ok(ops) => self.write(&ops),
            Err(fault) => {
                tracing::error!(%fault, "a batch was refused");
                let _ = reply.send(Err(StoreError::Io(fault.to_string())));
                return;
            }
        }
        self.state.export_is_due |= batch.snapshot.is_some();
        if sync {
            self.state.waiting.push(reply);
        } else {
            let _ = reply.send(Ok(self.durability()));
        }
    }

    fn write(&mut self, ops: &[Op]) {
        let now = self.clock.monotonic();
        self.state.dirty_since.get_or_insert(now);
        let base = {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            view.hold(ops);
            view.base.clone()
        };
        if let Some(Err(fault)) = base.map(|base| base.write(ops)) {
            self.fail(&fault);
        }
    }

    /// Syncs what is written, answers those who wait, and exports if it is time to.
    fn settle(&mut self) {
        self.sync();
        let durability = self.durability();
        for reply in self.state.waiting.drain(..) {
            let _ = reply.send(Ok(durability));
        }
        let now = self.clock.monotonic();
        let is_time = self.state.exported.is_none_or(|at| now.saturating_sub(at) >= EXPORT_EVERY);
        if self.state.export_is_due && is_time && self.is_well() {
            self.export();
        }
    }

    fn sync(&mut self) {
        if self.state.dirty_since.take().is_none() {
            return;
        }
        let base = self.view.read().unwrap_or_else(PoisonError::into_inner).base.clone();
        match base.map(|base| base.sync()) {
            None => {}
            Some(Ok(())) => {
                self.state.synced = self.ledger.batch();
                self.view.write().unwrap_or_else(PoisonError::into_inner).let_go();
            }
            Some(Err(fault)) => self.fail(&fault),
        }
    }

    fn is_well(&self) -> bool {
        self.state.retry.is_none()
    }

    fn durability(&self) -> Durability {
        if self.is_well() { Durability::Durable } else { Durability::MemoryOnly }
    }

    /// The backend is closed, for only opening it again can mend it.
    fn fail(&mut self, fault: &Fault) {
        tracing::error!(%fault, "the store cannot write: going on in memory");
        self.status.set_fault(Some(fault.to_string()));
        self.view.write().unwrap_or_else(PoisonError::into_inner).base = None;
        self.state.retry = Some((self.clock.monotonic() + RETRY.0, RETRY.0));
    }

    fn retry(&mut self) {
        let Some((_, pause)) = self.state.retry.filter(|(at, _)| self.clock.monotonic() >= *at) else { return };
        match self.catch_up() {
            Ok(backend) => {
                let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
                view.base = Some(backend);
                view.let_go();
                self.state.synced = self.ledger.batch();
                self.state.retry = None;
                self.status.set_fault(None);
                tracing::info!("the store writes again");
            }
            Err(fault) => {
                tracing::warn!(%fault, "the store still cannot write");
                self.status.set_fault(Some(fault.to_string()));
                let pause = (pause * 2).min(RETRY.1);
                self.state.retry = Some((self.clock.monotonic() + pause, pause));
            }
        }
    }

    /// Opens the backend and brings it up to date, if it is the one that was left.
    fn catch_up(&self) -> Result<Arc<dyn Backend>, Fault> {
        let backend = (self.reopen)()?;
        let found = Ledger::audit(&View::over(Arc::clone(&backend)), self.ledger.retention())?;
        if !(self.state.synced..=self.ledger.batch()).contains(&found.batch()) {
            return Err(Fault::Io("the database is not the one that was left".to_owned()));
        }
        let held = self.view.read().unwrap_or_else(PoisonError::into_inner).held();
        backend.write(&held)?;
        backend.sync()?;
        Ok(backend)
    }

    fn export(&mut self) {
        let Some(dir) = &self.export_dir else { return };
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner).clone();
        let export = Export::of(&view, self.ledger.last(), self.clock.now());
        match export.and_then(|export| export.save(dir)) {
            Ok(()) => self.state.export_is_due = false,
            Err(fault) => tracing::warn!(%fault, "the state could not be exported"),
        }
        self.state.exported = Some(self.clock.monotonic());
    }

    fn close(mut self, reply: Option<oneshot::Sender<Answer>>) {
        self.settle();
        if self.is_well() {
            self.export();
        }
        let durability = self.durability();
        // The database goes before the holder, so that whoever finds it free can open it.
        let base = self.view.write().unwrap_or_else(PoisonError::into_inner).base.take();
        drop(base);
        drop(self.holder.take());
        if let Some(reply) = reply {
            let _ = reply.send(Ok(durability));
        }
    }
}
