//! The signals that ask a command to end: what it has begun is cancelled and put on record before it goes. The
//! console has its own, with a terminal to give back.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, from its making on.
pub(super) struct Endings([Signal; 3]);

impl Endings {
    /// Listens.
    ///
    /// # Errors
    /// Where the system refuses a handler.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    /// Resolves with the first of them.
    pub(super) async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
