//! What asks a command to end: signals, and a reader of its output that has gone. What it has begun is cancelled and
//! put on record before it goes. The console has its own, with a terminal to give back.

use std::future::pending;
use std::io::{self, stdout};
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
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

/// Resolves when the other end of the pipe that standard output is, is closed; never where it is none. Without it a
/// reader that has gone would be noticed only by the next write, which may be a long answer's first.
pub(super) async fn reader_gone() {
    let watched = stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    // What cannot be watched is a file, which nobody leaves. Only looked at, never written to: writes may block.
    let Ok(pipe) = watched else { return pending().await };
    if pipe.ready(Interest::ERROR).await.is_err() {
        pending::<()>().await;
    }
}
