//! A run in another process. Dropping it hangs up, which cancels the run over there.

use std::path::Path;

use crate::domain::BoxFuture;
use crate::domain::control::{Reply, Request};
use crate::domain::engine::{EngineError, RunRequest, RunStream};
use crate::domain::event::RunEvent;
use crate::domain::ids::RunId;

use super::out_of_turn;
use super::wire::Connection;

pub(super) struct SocketRun {
    run: RunId,
    /// Gone after the last event.
    connection: Option<Connection>,
}

impl SocketRun {
    pub(super) async fn start(path: &Path, request: RunRequest) -> Result<Self, EngineError> {
        let request = Request::Submit { run: request };
        let mut connection = Connection::open(path, &request).await.map_err(|_| EngineError::Stopped)?;
        match connection.reply().await {
            Ok(Some(Reply::Started { run })) => Ok(Self { run, connection: Some(connection) }),
            Ok(Some(Reply::Failed { error })) => Err(error),
            Ok(Some(other)) => Err(out_of_turn(&other)),
            Ok(None) | Err(_) => Err(EngineError::Stopped),
        }
    }

    async fn event(&mut self) -> Option<RunEvent> {
        let event = match self.connection.as_mut()?.reply().await {
            Ok(Some(Reply::Event { event })) => Some(*event),
            _ => None,
        };
        if matches!(event, None | Some(RunEvent::Finished { .. })) {
            self.connection = None;
        }
        event
    }
}

impl RunStream for SocketRun {
    fn run(&self) -> RunId {
        self.run
    }

    fn next(&mut self) -> BoxFuture<'_, Option<RunEvent>> {
        Box::pin(self.event())
    }
}
