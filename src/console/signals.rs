//! Signals as messages for the loop: SIGTERM, SIGHUP, SIGINT and SIGQUIT end it in an orderly way, SIGCONT means
//! that something else had the terminal meanwhile. Ctrl-C and Ctrl-Z arrive as keys, not as signals.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::run::Notice;

/// The listeners; dropping them stops listening.
pub(crate) struct Listening {
    /// Where signals arrive.
    pub(crate) receiver: mpsc::Receiver<Notice>,
    _tasks: JoinSet<()>,
}

/// Starts to listen.
///
/// # Errors
/// Where the system refuses a handler.
pub(crate) fn listen() -> io::Result<Listening> {
    let (sender, receiver) = mpsc::channel(8);
    let mut tasks = JoinSet::new();
    let endings = [
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::hangup(), "SIGHUP"),
        (SignalKind::interrupt(), "SIGINT"),
        // Whoever sends it wants an end, and not a terminal that stays on the other screen.
        (SignalKind::quit(), "SIGQUIT"),
    ];
    for (kind, name) in endings {
        tasks.spawn(pass_on(signal(kind)?, sender.clone(), move || Notice::End(name)));
    }
    let continued = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
    tasks.spawn(pass_on(signal(continued)?, sender, || Notice::Continued));
    Ok(Listening { receiver, _tasks: tasks })
}

async fn pass_on(mut signal: Signal, sender: mpsc::Sender<Notice>, notice: impl Fn() -> Notice + Send) {
    while signal.recv().await.is_some() {
        if sender.send(notice()).await.is_err() {
            return;
        }
    }
}
