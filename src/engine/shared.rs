//! What the owner, the runs and every handle share. Only the owner writes `knowledge`, `snapshot` and
//! `recent`; locks are held for a few copies and never across an await.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::clock::Timestamp;
use crate::domain::engine::EngineError;
use crate::domain::observer::Observer;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::spec::Strategy;
use crate::domain::store::StateStore;
use crate::race::{Knowledge, Race};

use super::message::Message;
use super::parts::EngineLimits;
use super::recent::Recent;

/// See above.
pub(super) struct Shared {
    pub race: Race,
    pub store: Arc<dyn StateStore>,
    pub strategy: Strategy,
    pub limits: EngineLimits,
    pub seed: u64,
    pub observer: Arc<dyn Observer>,
    /// To the owner.
    pub owner: mpsc::Sender<Message>,
    pub knowledge: ArcSwap<Knowledge>,
    pub snapshot: ArcSwap<EngineSnapshot>,
    /// The newest revision; closed when the owner has gone.
    pub revision: watch::Receiver<u64>,
    pub recent: Mutex<Recent>,
    pub in_flight: AtomicU64,
    /// Runs ever started by this process: no two get the same seed.
    pub started: AtomicU64,
    /// Something that a screen shows changed without the owner's doing.
    pub touched: Notify,
    pub tokens: Tokens,
    /// Runs in flight, and what is done beside them.
    pub tasks: TaskTracker,
    /// Places for answers that are judged afterwards.
    pub late: Arc<Semaphore>,
}

/// How runs are stopped, from gentle to rude.
#[derive(Default)]
pub(super) struct Tokens {
    /// No further runs.
    pub stopping: CancellationToken,
    /// Runs in flight are cancelled, and report that.
    pub cancel: CancellationToken,
    /// Runs in flight are dropped where they stand.
    pub abort: CancellationToken,
}

/// Holds a place among the runs in flight until it is dropped.
pub(super) struct Place(Arc<Shared>);

impl Shared {
    /// The wall clock.
    pub(super) fn now(&self) -> Timestamp {
        self.race.parts().clock.now()
    }

    /// The newest runs and contexts.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the runs in flight.
    ///
    /// # Errors
    /// [`EngineError::Busy`] where there is none, [`EngineError::Stopped`] where no run is started any more.
    pub(super) fn take_place(self: &Arc<Self>) -> Result<Place, EngineError> {
        if self.tokens.stopping.is_cancelled() || self.owner.is_closed() {
            return Err(EngineError::Stopped);
        }
        let limit = self.limits.max_in_flight;
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(self));
        if in_flight >= limit {
            return Err(EngineError::Busy { in_flight, limit });
        }
        self.touched.notify_one();
        Ok(place)
    }

    /// Tells the owner and waits for its answer.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] where the owner has gone.
    pub(super) async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.owner.send(message(reply)).await.map_err(|_| EngineError::Stopped)?;
        answer.await.map_err(|_| EngineError::Stopped)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.touched.notify_one();
    }
}
