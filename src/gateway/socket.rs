//! The control socket: a Unix socket in the data directory that offers an [`EngineHandle`] to other
//! processes of the same user. Requests and replies are those of [`crate::domain::control`].
//!
//! Only the owner gets in: the file has mode 0600 and the peer's user id is compared as well. Everything
//! is bounded: connections, the length of a line, the time to say what is wanted and to take a reply.
//! A client that hangs up ends what it started, so an interrupted `ask` leaves no run behind.
//!
//! Which engine it is, and where the socket lies, is the composition root's business.

use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::session::serve_connection;
use super::slots::Slots;
use crate::domain::engine::EngineHandle;

/// How long to wait after the system refused to accept (out of file descriptors), instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers there.
    #[error("{}: another banditop answers on this socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else lies there.
    #[error("{}: expected a socket or nothing, found something else; move it away", path.display())]
    NotASocket {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: the control socket could not be opened: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: Error,
    },
}

/// An open control socket; its file goes when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Opens the socket at `path`. A file that a killed process left behind is replaced.
    ///
    /// # Errors
    /// Where another process answers there, something else lies there, or the system refuses.
    pub async fn bind(path: &Path) -> Result<Self, SocketError> {
        let fault = |source| SocketError::Io { path: path.to_owned(), source };
        clear_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(fault)?;
        let socket = Self { listener, path: path.to_owned() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
        Ok(socket)
    }

    /// Serves until `stop`; then hangs up on everybody.
    pub async fn serve(self, engine: Arc<dyn EngineHandle>, stop: CancellationToken) {
        let slots = Slots::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a control connection failed");
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if is_same_user(&stream) => {
                        let (reader, writer): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
                        connections.spawn(serve_connection(engine.clone(), reader, writer, slots.clone()));
                    }
                    Ok(_) => tracing::warn!("refused a control connection of another user"),
                    Err(error) => {
                        tracing::warn!(%error, "the control socket could not accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        connections.shutdown().await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Somebody who took it away before is no fault.
        _ = std::fs::remove_file(&self.path);
    }
}

fn is_same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Takes away a socket that nobody answers on.
async fn clear_stale(path: &Path) -> Result<(), SocketError> {
    let fault = |source| SocketError::Io { path: path.to_owned(), source };
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(fault),
        Err(error) => Err(fault(error)),
    }
}
