//! How many may be connected to the control socket at once. What lasts, a run or a stream of pictures, has places of
//! its own, so that however many runs are under way somebody who wants to see or change something gets in: every
//! client watches, and every run has a client, so there are more places to watch than to run.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that have not said what they want, or whose answer is short.
const SHORT: usize = 128;
/// Runs; how many of them may be in flight at once is the engine's to say, and it does so with the setting's name.
const RUNS: usize = 448;
/// Streams of pictures.
const WATCHERS: usize = 512;

/// The places that are left.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    short: Arc<Semaphore>,
    runs: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
}

/// A place; free again when it is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Slots {
    pub(super) fn new() -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self { short: of(SHORT), runs: of(RUNS), watchers: of(WATCHERS) }
    }

    /// For a connection that was just made.
    ///
    /// # Errors
    /// That there are too many, in words.
    pub(super) fn short(&self) -> Result<Slot, String> {
        taken(&self.short, "control connections")
    }

    /// For a run.
    ///
    /// # Errors
    /// As [`Self::short`].
    pub(super) fn run(&self) -> Result<Slot, String> {
        taken(&self.runs, "runs through the control socket")
    }

    /// For a stream of pictures.
    ///
    /// # Errors
    /// As [`Self::short`].
    pub(super) fn watcher(&self) -> Result<Slot, String> {
        taken(&self.watchers, "watchers of the control socket")
    }
}

fn taken(places: &Arc<Semaphore>, what: &str) -> Result<Slot, String> {
    Arc::clone(places).try_acquire_owned().map_err(|_| format!("too many {what}; try again"))
}
