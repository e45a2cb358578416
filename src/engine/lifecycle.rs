//! Starting and stopping. Starting reads the store, brings the pool in step with the configuration and
//! publishes the first picture before anybody is given a handle. Stopping takes no further run, waits
//! for those in flight, cancels what is left, stores a last snapshot and closes the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::bandit::StateFault;
use crate::domain::command::Durability;
use crate::domain::engine::EngineHandle;
use crate::domain::ids::Sequence;
use crate::domain::store::StoreError;
use crate::race::Knowledge;

use super::commit::Pending;
use super::handle::LocalHandle;
use super::late::AT_ONCE;
use super::message::Message;
use super::owner::{Ended, Owner, Timers};
use super::parts::EngineParts;
use super::picture::View;
use super::shared::{Shared, Tokens};
use super::start::{Loaded, load};

/// Messages that may wait for the owner.
const QUEUE: usize = 1_024;
/// How long cancelled runs may take to report.
const GRACE: Duration = Duration::from_secs(2);

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored state was written by a newer program.
    #[error(transparent)]
    State(StateFault),
}

/// How an engine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Runs in flight that had to be cancelled.
    pub cancelled: u64,
    /// The end of the log.
    pub sequence: Sequence,
    /// How well the last snapshot is kept.
    pub durability: Durability,
}

/// A running engine. Dropping it without [`Engine::stop`] ends it at once, without a last snapshot; the
/// log has everything that was acknowledged.
pub struct Engine {
    shared: Arc<Shared>,
    owner: JoinSet<Ended>,
}

impl Engine {
    /// Starts an engine on what is stored.
    ///
    /// # Errors
    /// [`StartError`] where the store cannot be read or holds the state of a newer program.
    pub async fn start(parts: EngineParts) -> Result<Self, StartError> {
        let (owner, queue) = standing(parts).await?;
        let shared = Arc::clone(&owner.shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(owner.serve(queue));
        Ok(Self { shared, owner: tasks })
    }

    /// A handle on it; any number of them, anywhere.
    #[must_use]
    pub fn handle(&self) -> Arc<dyn EngineHandle> {
        Arc::new(LocalHandle(Arc::clone(&self.shared)))
    }

    /// Waits for the verdicts on answers that are being judged afterwards, `patience` at most: stopping cancels them.
    pub async fn settle(&self, patience: Duration) {
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        if timeout(patience, self.shared.late.acquire_many(all)).await.is_err() {
            tracing::debug!("a verdict that comes later than that is not waited for");
        }
    }

    /// Takes no further run, waits for those in flight, cancels what is left after the configured time,
    /// stores a last snapshot and closes the store.
    pub async fn stop(mut self) -> StopReport {
        let Shared { tokens, tasks, limits, in_flight, owner, .. } = self.shared.as_ref();
        tokens.stopping.cancel();
        tasks.close();
        let mut cancelled = 0;
        if timeout(limits.drain, tasks.wait()).await.is_err() {
            cancelled = in_flight.load(Ordering::SeqCst);
            tracing::warn!(cancelled, "runs are still in flight and are cancelled");
            tokens.cancel.cancel();
            if timeout(GRACE, tasks.wait()).await.is_err() {
                tokens.abort.cancel();
                tasks.wait().await;
            }
        }
        let _ = owner.send(Message::Stop).await;
        let ended = self.owner.join_next().await.and_then(Result::ok);
        let Ended { sequence, durability } = ended
            .unwrap_or(Ended { sequence: self.shared.snapshot.load().sequence, durability: Durability::MemoryOnly });
        StopReport { cancelled, sequence, durability }
    }
}

/// An owner on what is stored, with everything published, and its queue.
pub(super) async fn standing(parts: EngineParts) -> Result<(Owner, mpsc::Receiver<Message>), StartError> {
    let Loaded { mut folds, recent, ledger, rest } = load(&parts).await?;
    let EngineParts { store, race, factory, strategy, seed, limits, observer, .. } = parts;
    if let Some(account) = race.day() {
        let now = race.parts().clock.now();
        account.restore(now, folds.stats.totals(now).usd_today);
    }
    let (to_owner, queue) = mpsc::channel(QUEUE);
    let (revision, seen) = watch::channel(0);
    let view = View {
        race: &race,
        strategy,
        in_flight: 0,
        sample: Vec::new(),
        store: ledger.status(),
        now: race.parts().clock.now(),
        revision: 0,
        objectives: Vec::new(),
    };
    let picture = folds.picture(view);
    let knowledge = Knowledge { state: folds.state.clone(), signals: folds.signals.summary() };
    let shared = Arc::new(Shared {
        race,
        store,
        strategy,
        limits,
        seed,
        observer,
        owner: to_owner,
        knowledge: ArcSwap::from_pointee(knowledge),
        snapshot: ArcSwap::from_pointee(picture),
        revision: seen,
        recent: recent.into(),
        in_flight: AtomicU64::new(0),
        started: AtomicU64::new(folds.stats.runs()),
        touched: Notify::new(),
        tokens: Tokens::default(),
        tasks: TaskTracker::new(),
        late: Arc::new(Semaphore::new(AT_ONCE)),
    });
    let entropy = fastrand::Rng::with_seed(seed ^ shared.now().millis());
    let mut owner = Owner {
        entropy,
        folds,
        ledger,
        shared,
        factory,
        pending: Pending::default(),
        revision,
        is_dirty: false,
        timers: Timers::starting_now(),
    };
    owner.settle(rest).await;
    owner.publish_knowledge();
    owner.publish_picture();
    Ok((owner, queue))
}

#[cfg(test)]
pub(super) mod for_tests {
    //! What only tests look at.

    use std::sync::Arc;

    use super::{Engine, Message};
    use crate::bandit::RouterState;
    use crate::domain::command::Observation;
    use crate::domain::record::RunRecord;
    use crate::engine::message::Finished;

    /// The statistics' digest, where arms stand, the weights.
    pub(crate) fn essence(state: &RouterState) -> (u64, String) {
        let pool: Vec<_> = state.arms().map(|arm| (arm.spec.name.clone(), arm.lifecycle)).collect();
        (state.digest(), format!("{pool:?} {:?}", state.weights()))
    }

    impl Engine {
        /// The digest of what is published.
        pub(crate) fn digest(&self) -> u64 {
            self.shared.knowledge.load().state.digest()
        }

        /// The same, with where arms stand and the weights.
        pub(crate) fn digest_with_pool(&self) -> (u64, String) {
            essence(&self.shared.knowledge.load().state)
        }

        /// Runs, and what is done beside them.
        pub(crate) fn tasks(&self) -> usize {
            self.shared.tasks.len()
        }

        /// All that is published of what was learned.
        pub(crate) fn state(&self) -> RouterState {
            self.shared.knowledge.load().state.clone()
        }

        /// What is expected of each arm at `x`.
        pub(crate) fn means(&self, x: &[f64]) -> Vec<f64> {
            let state = &self.shared.knowledge.load().state;
            state.arms().map(|arm| state.estimate(arm.spec.name.as_str(), x).unwrap().mean).collect()
        }

        /// As if a run of its own had ended so.
        pub(crate) async fn teach(&self, record: &Arc<RunRecord>, observation: Option<Observation>) {
            let report = Finished { record: Arc::clone(record), observation, sample: None, is_reviewed: false };
            self.shared.ask(|recorded| Message::Finished { report, recorded }).await.unwrap();
        }
    }
}
