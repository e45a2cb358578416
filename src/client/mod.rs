//! An engine in another process, behind the same port: [`SocketEngine`] speaks to the control socket of
//! whoever holds the store. It keeps the contract of [`EngineHandle`] word for word; the same tests run
//! against both. It keeps no state of its own but the newest picture.

mod run;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::BoxFuture;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use crate::domain::control::{Reply, Request};
use crate::domain::engine::{CommandRequest, EngineError, EngineHandle, JournalQuery, RunRequest, RunStream, WhatIf};
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;
use crate::domain::snapshot::EngineSnapshot;

use run::SocketRun;
use wire::Connection;

/// How long the first picture may take. The system takes a connection for a process that was stopped, too.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no engine behind a socket.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers: the file is absent or left behind.
    #[error("{}: nobody answers on the control socket ({source})", path.display())]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody is there and says nothing.
    #[error("{}: whoever is there does not answer; where it was stopped with Ctrl-Z, `fg` brings it back", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody answers, but not as expected.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What they said.
        reason: String,
    },
}

/// An engine behind a control socket.
pub struct SocketEngine {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    newest: watch::Receiver<Arc<EngineSnapshot>>,
    /// Keeps `newest` new; ends with this handle.
    _watcher: JoinSet<()>,
}

impl SocketEngine {
    /// Connects to the socket at `path` and waits for its first picture. The socket is on this machine,
    /// so `clock` is the engine's clock too.
    ///
    /// # Errors
    /// Where nobody answers, somebody says nothing for 5 s, or is of another protocol.
    pub async fn connect(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        let silent = |_| ConnectError::Silent { path: path.to_owned() };
        timeout(PATIENCE, Self::greet(path, clock)).await.map_err(silent)?
    }

    async fn greet(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        let nobody = |source| ConnectError::Nobody { path: path.to_owned(), source };
        let refused = |reason: String| ConnectError::Refused { path: path.to_owned(), reason };
        let mut pictures = Connection::open(path, &Request::Watch).await.map_err(nobody)?;
        let first = match pictures.reply().await {
            Ok(Some(Reply::Snapshot { snapshot })) => snapshot,
            Ok(Some(Reply::Failed { error })) => return Err(refused(error.to_string())),
            Ok(Some(_)) => return Err(refused("the reply is none to what was asked".to_owned())),
            Ok(None) => return Err(nobody(std::io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(refused(error.to_string())),
        };
        let (sender, newest) = watch::channel(first);
        let mut watcher = JoinSet::new();
        watcher.spawn(async move {
            // The sender goes with the connection: readers then know that the engine has gone.
            while let Ok(Some(Reply::Snapshot { snapshot })) = pictures.reply().await {
                sender.send_replace(snapshot);
            }
        });
        Ok(Self { path: path.to_owned(), clock, newest, _watcher: watcher })
    }

    async fn ask(&self, request: Request) -> Result<Reply, EngineError> {
        let mut connection = Connection::open(&self.path, &request).await.map_err(|_| EngineError::Stopped)?;
        match connection.reply().await {
            Ok(Some(Reply::Failed { error })) => Err(error),
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(EngineError::Stopped),
            Err(error) => Err(EngineError::Refused(format!("the reply cannot be read: {error}"))),
        }
    }

    async fn acknowledged(&self, request: Request) -> Result<Acknowledgement, EngineError> {
        match self.ask(request).await? {
            Reply::Acknowledged { acknowledgement } => Ok(acknowledgement),
            other => Err(out_of_turn(&other)),
        }
    }
}

/// A reply of another kind than the request has.
fn out_of_turn(reply: &Reply) -> EngineError {
    tracing::debug!(?reply, "out of turn");
    EngineError::Refused("the reply is none to what was asked".to_owned())
}

/// Asks, and takes one variant of [`Reply`] apart.
macro_rules! ask {
    ($self:ident, $request:expr, $variant:ident { $field:ident }) => {
        Box::pin(async move {
            match $self.ask($request).await? {
                Reply::$variant { $field } => Ok($field),
                other => Err(out_of_turn(&other)),
            }
        })
    };
}

impl EngineHandle for SocketEngine {
    fn snapshot(&self) -> Arc<EngineSnapshot> {
        self.newest.borrow().clone()
    }

    fn changed(&self, seen: u64) -> BoxFuture<'_, ()> {
        let mut newest = self.newest.clone();
        Box::pin(async move {
            // An error means that the engine has gone, which resolves too.
            _ = newest.wait_for(|snapshot| snapshot.revision > seen).await;
        })
    }

    fn submit(&self, request: RunRequest) -> BoxFuture<'_, Result<Box<dyn RunStream>, EngineError>> {
        Box::pin(async move {
            let run = SocketRun::start(&self.path, request).await?;
            Ok(Box::new(run) as Box<dyn RunStream>)
        })
    }

    fn command(&self, request: CommandRequest) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(self.acknowledged(Request::Command { command: request }))
    }

    fn what_if(&self, command: RouterCommand) -> BoxFuture<'_, Result<WhatIf, EngineError>> {
        ask!(self, Request::WhatIf { command }, WhatIf { what_if })
    }

    fn rate(&self, run: RunId, rating: f64, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(self.acknowledged(Request::Rate { run, rating, actor }))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<Arc<RunRecord>>, EngineError>> {
        ask!(self, Request::Run { run }, Run { record })
    }

    fn runs_before(
        &self,
        before: Option<RunId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>> {
        ask!(self, Request::Runs { limit, before }, Runs { records })
    }

    fn runs(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>> {
        Box::pin(async move {
            let mut runs: Vec<Arc<RunRecord>> = Vec::new();
            while runs.len() < limit {
                let before = runs.last().map(|run| run.run_id);
                let page = self.runs_before(before, limit - runs.len()).await?;
                // A page that goes back to where one has been already is of another protocol.
                if page.first().is_none_or(|first| before.is_some_and(|before| first.run_id >= before)) {
                    break;
                }
                runs.extend(page);
            }
            Ok(runs)
        })
    }

    fn journal(&self, query: JournalQuery) -> BoxFuture<'_, Result<Vec<JournalEntry>, EngineError>> {
        ask!(self, Request::Journal { query }, Journal { entries })
    }

    fn export(&self) -> BoxFuture<'_, Result<String, EngineError>> {
        ask!(self, Request::Export, Exported { text })
    }

    fn import(&self, text: String, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(self.acknowledged(Request::Import { text, actor }))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
