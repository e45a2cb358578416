//! An engine to work with, wherever it is: where nobody holds the store, one is started in this process
//! and stopped at the end; where somebody does, theirs is reached through the control socket. Either
//! way the same commands give the same results and leave the same journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::failure::{CliError, Outcome};
use super::local::{LocalEngine, Watched};
use super::output::say;
use super::paths::SocketPath;
use super::remembered;
use super::telemetry::{self, LogOutput};
use crate::client::{ConnectError, SocketEngine};
use crate::domain::engine::EngineHandle;
use crate::domain::store::{StateStore, StoreError};
use crate::store::{OpenOptions, SledStore, open_or_memory};

/// How long to wait for a holder that neither answers nor leaves: another command that is about to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long to wait without a word.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What a command needs of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A command on the state: without the store there is nothing to do.
    Store,
    /// A run: goes on in memory where the store is out of order, and says so, but under a ceiling of the day.
    Engine,
}

/// An engine in use.
pub(super) enum Session {
    /// Of this process.
    Here(LocalEngine),
    /// Of whoever holds the store.
    Elsewhere(SocketEngine),
}

/// Where the store is.
pub(super) enum Found {
    /// Open, and held by this process.
    Here(Arc<dyn StateStore>),
    /// Held by another process, which answers.
    Elsewhere(SocketEngine),
}

impl Session {
    /// Opens the store, or reaches whoever holds it.
    pub(super) async fn open(context: &Context, need: Need) -> Outcome<Self> {
        Ok(match find(context, need).await? {
            Found::Here(store) => {
                let other = match need {
                    Need::Store => remembered::context_of_state(context, store.as_ref()).await,
                    Need::Engine => None,
                };
                let context = other.as_ref().unwrap_or(context);
                let watched = match need {
                    Need::Engine => Watched::By(telemetry::start(context, &LogOutput::none())),
                    Need::Store => Watched::ByNobody,
                };
                Self::Here(LocalEngine::start(context, store, need, watched).await?)
            }
            Found::Elsewhere(engine) => {
                let idle = context.engine_flags().join(", ");
                if !idle.is_empty() {
                    say(&format!(
                        "note: {idle} changes nothing: the engine of the process that holds the store does the work"
                    ));
                }
                Self::Elsewhere(engine)
            }
        })
    }

    pub(super) fn engine(&self) -> &dyn EngineHandle {
        match self {
            Self::Here(local) => local.engine(),
            Self::Elsewhere(engine) => engine,
        }
    }

    /// Waits for verdicts that come after their answers, `patience` at most; another process has time for its own.
    pub(super) async fn settle(&self, patience: Duration) {
        if let Self::Here(local) = self {
            local.settle(patience).await;
        }
    }

    /// Ends what was started here.
    pub(super) async fn close(self) -> Outcome {
        match self {
            Self::Here(local) => local.stop().await,
            Self::Elsewhere(_) => Ok(()),
        }
    }
}

/// Opens the store, or reaches whoever holds it. A holder that does not answer is waited for: it may be
/// starting, or be a short command.
pub(super) async fn find(context: &Context, need: Need) -> Outcome<Found> {
    let dir = context.data_dir()?;
    let clock = context.clock();
    let started = clock.monotonic();
    let mut is_told = false;
    loop {
        let locked = match open(context, &dir, need) {
            Ok(store) => return Ok(Found::Here(store)),
            Err(fault @ StoreError::Locked { .. }) => fault,
            Err(fault) => return Err(refusal(context, need, &fault)),
        };
        let socket = SocketPath::in_dir(&dir)?;
        match SocketEngine::connect(socket.get(), clock.clone()).await {
            Ok(engine) => return Ok(Found::Elsewhere(engine)),
            Err(refused @ (ConnectError::Refused { .. } | ConnectError::Silent { .. })) => {
                return Err(CliError::failed(refused));
            }
            Err(ConnectError::Nobody { .. }) if clock.monotonic().saturating_sub(started) > PATIENCE => {
                return Err(CliError::failed(locked));
            }
            Err(ConnectError::Nobody { .. }) => {
                if !is_told && clock.monotonic().saturating_sub(started) > SILENCE {
                    say(&format!("note: {}", waiting_for(&locked)));
                    is_told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whom a command waits for, where that is somebody with whom nobody can talk.
fn waiting_for(locked: &StoreError) -> String {
    match locked {
        StoreError::Locked { path, holder } => {
            format!("waiting for {holder} to end or to answer: it holds {}", path.display())
        }
        other => format!("waiting: {other}"),
    }
}

fn open(context: &Context, dir: &Path, need: Need) -> Result<Arc<dyn StateStore>, StoreError> {
    let mut options = OpenOptions::new(&context.command_name(), context.clock());
    options.max_runs = context.settings().store.retain_runs;
    match need {
        Need::Engine if context.settings().budget.per_day_usd.is_none() => open_or_memory(dir, options),
        Need::Store | Need::Engine => Ok(Arc::new(SledStore::open(dir, options)?)),
    }
}

/// Why nothing is started. A ceiling of the day that cannot be held is refused: without the store nobody knows what
/// was spent today, and what this process spends would be known to none that comes after it, so that reading what
/// is there would not be enough.
fn refusal(context: &Context, need: Need, fault: &StoreError) -> CliError {
    let is_out_of_order = matches!(fault, StoreError::Unusable { .. } | StoreError::Io(_));
    match context.settings().budget.per_day_usd.filter(|_| need == Need::Engine && is_out_of_order) {
        Some(ceiling) => CliError::failed(format!(
            "`budget.per_day_usd` allows ${ceiling} a day, and what is spent can neither be read nor kept: {fault}"
        ))
        .hint("mend that, or name a --data-dir that can be written, or leave `budget.per_day_usd` out"),
        None => CliError::failed(fault),
    }
}
