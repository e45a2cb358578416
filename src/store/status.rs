//! What a person should know about the store, shared between its threads and whoever asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How the store is.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// What happened at opening.
    opened: Option<String>,
    fault: Mutex<Option<String>>,
    is_stalled: AtomicBool,
    is_closed: AtomicBool,
}

impl Status {
    pub(super) fn new(opened: Option<String>) -> Self {
        Self { opened, ..Self::default() }
    }

    /// What there is to say, if anything.
    pub(super) fn notice(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fault =
            fault.map(|fault| format!("the disk is out of order ({fault}): state is in memory only; trying again"));
        let stall = self.is_stalled().then(|| "the disk does not answer: state is in memory only".to_owned());
        let parts: Vec<String> = [fault.or(stall), self.opened.clone()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The writer failed, or is well again.
    pub(super) fn set_fault(&self, fault: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// The writer did not answer in time.
    pub(super) fn is_stuck(&self) {
        if !self.is_stalled.swap(true, Ordering::Relaxed) {
            tracing::error!("the store's writer does not answer: going on in memory");
        }
    }

    /// The writer did something.
    pub(super) fn is_moving(&self) {
        self.is_stalled.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }

    /// Marks the store closed; whether it was before.
    pub(super) fn close(&self) -> bool {
        self.is_closed.swap(true, Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }
}
