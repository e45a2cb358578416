//! What a run's calls say about the health of arms, told to the owner while the run goes on: an answer may take a
//! minute, and an arm that is down must not be asked by every run that begins meanwhile. Everything else that a run
//! says waits for its record.
//!
//! Telling never waits. Where the owner's queue is full, the run's record says it all at the end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::event::RunEvent;
use crate::domain::failure::Failure;
use crate::domain::ids::ArmId;
use crate::domain::observer::Observer;

use super::message::Message;
use super::owner::Owner;
use super::shared::Shared;

/// Looks on at one run, between it and whoever else does.
pub(super) struct Watch {
    shared: Arc<Shared>,
    has_missed: AtomicBool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("has_missed", &self.has_missed).finish_non_exhaustive()
    }
}

impl Watch {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), has_missed: AtomicBool::new(false) }
    }

    /// Whether the owner knows of every call that has ended.
    pub(super) fn has_told_all(&self) -> bool {
        !self.has_missed.load(Ordering::Relaxed)
    }
}

impl Observer for Watch {
    fn decided(&self, selected: &RunEvent) {
        self.shared.observer.decided(selected);
    }

    fn called(&self, arm: &ArmId, failure: Option<&Failure>) {
        let message = Message::Called { arm: arm.clone(), failure: failure.cloned().map(Box::new) };
        if self.has_missed.load(Ordering::Relaxed) || self.shared.owner.try_send(message).is_err() {
            self.has_missed.store(true, Ordering::Relaxed);
        }
    }
}

impl Owner {
    /// Takes out the arm of a call that ended so, where that is due.
    pub(super) fn called(&mut self, arm: &ArmId, failure: Option<&Failure>) {
        let before = self.folds.state.arm(arm.as_str()).map_or(0, |view| view.ejections);
        let now = self.shared.now();
        if let Some(ejection) = self.folds.health.called(arm, failure, before, now) {
            self.eject(ejection);
        }
        self.review_recovered();
    }
}
