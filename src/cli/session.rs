//! An engine to work with, wherever it is: where nobody holds the store, one is started in this process
//! and stopped at the end; where somebody does, theirs is reached through the control socket.

use super::context::Context;
use super::failure::{CliError, Outcome};
use super::paths::SocketPath;
use crate::client::SocketEngine;
use crate::domain::engine::EngineHandle;

/// An engine in use.
pub(super) enum Session {
    /// Of whoever holds the store.
    Elsewhere(SocketEngine),
}

impl Session {
    /// Opens the store, or reaches whoever holds it.
    pub(super) async fn open(context: &Context) -> Outcome<Self> {
        let dir = context.data_dir()?;
        let socket = SocketPath::in_dir(&dir)?;
        let engine = SocketEngine::connect(socket.get(), context.clock()).await.map_err(CliError::failed)?;
        Ok(Self::Elsewhere(engine))
    }

    pub(super) fn engine(&self) -> &dyn EngineHandle {
        match self {
            Self::Elsewhere(engine) => engine,
        }
    }

    /// Ends what was started here.
    pub(super) async fn close(self) -> Outcome {
        match self {
            Self::Elsewhere(_) => std::future::ready(Ok(())).await,
        }
    }
}
