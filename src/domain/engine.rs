//! The port to a running engine: the one way in which a console, the command line, the gateway and the
//! traffic driver see and act. The same contract holds for an engine in this process and for one
//! behind a control socket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::chat::ChatRequest;
use super::clock::Timestamp;
use super::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use super::event::RunEvent;
use super::ids::{ArmId, CommandId, RunId};
use super::record::{Origin, RunRecord};
use super::snapshot::EngineSnapshot;

/// A prompt to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// What to answer.
    pub request: ChatRequest,
    /// Where it came from.
    pub origin: Origin,
    /// The conversation that it belongs to, by any name; runs of one conversation keep their arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Something a person (or the configuration, or a rule) wants changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// Sending the same id twice applies once.
    pub id: CommandId,
    /// Who.
    pub actor: Actor,
    /// What.
    pub command: RouterCommand,
}

/// Why the engine could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum EngineError {
    /// The request itself is at fault; says how to mend it.
    #[error("{0}")]
    Refused(String),
    /// Too many runs in flight; nothing was started.
    #[error("busy: {in_flight} runs are in flight and the limit is {limit}; try again, or raise `run.max_in_flight`")]
    Busy {
        /// Runs in flight.
        in_flight: u64,
        /// The limit.
        limit: u64,
    },
    /// The engine is stopping or gone.
    #[error("the engine has stopped")]
    Stopped,
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Store(String),
}

/// A run as it goes. Dropping it before `Finished` cancels the run and its HTTP requests.
pub trait RunStream: Send {
    /// The run.
    fn run(&self) -> RunId;
    /// The next event, in order; `None` after `Finished`, or when the engine has gone.
    fn next(&mut self) -> BoxFuture<'_, Option<RunEvent>>;
}

/// What a change would do, over recent contexts; the same method for both columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// Contexts it was computed over; 0 where there is no history yet.
    pub contexts: usize,
    /// As it is.
    pub now: Forecast,
    /// As it would be.
    pub then: Forecast,
    /// Arms that would leave the pool (prune).
    pub victims: Vec<ArmId>,
}

/// What routing would do over recent contexts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Expected share of served answers by arm, in [0, 1], summing to 1 over candidates.
    pub share: Vec<(ArmId, f64)>,
    /// Expected reward of what is served.
    pub reward: Option<f64>,
    /// Expected dollars of a run.
    pub usd_per_run: Option<f64>,
    /// Preview p95 seconds, weighted by share.
    pub p95_s: Option<f64>,
}

/// Which operator actions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalQuery {
    /// At most so many, newest first.
    pub limit: usize,
}

/// An engine, here or elsewhere. All methods are safe to call at any time from any task.
pub trait EngineHandle: Send + Sync {
    /// The newest picture; never blocks.
    fn snapshot(&self) -> Arc<EngineSnapshot>;

    /// Resolves when a picture with a revision above `seen` is published, or when the engine has gone.
    fn changed(&self, seen: u64) -> BoxFuture<'_, ()>;

    /// Starts a run.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for an empty or huge prompt or no arm to ask, [`EngineError::Busy`],
    /// [`EngineError::Stopped`].
    fn submit(&self, request: RunRequest) -> BoxFuture<'_, Result<Box<dyn RunStream>, EngineError>>;

    /// Applies a command: resolves when it is applied and as durable as the acknowledgement says, or refused.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] where nobody is there to answer.
    fn command(&self, request: CommandRequest) -> BoxFuture<'_, Result<Acknowledgement, EngineError>>;

    /// What `command` would do; changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where the command would be rejected.
    fn what_if(&self, command: RouterCommand) -> BoxFuture<'_, Result<WhatIf, EngineError>>;

    /// A person's rating of a run's answer, in [0, 1]: amends what that run taught.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where the run is not known or served no answer.
    fn rate(&self, run: RunId, rating: f64, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>>;

    /// The whole record of one run, where it is retained.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<Arc<RunRecord>>, EngineError>>;

    /// The newest runs of before `before` (of all, where that is absent), newest first: at most `limit`, fewer where
    /// they are large, none only where there are no more. The last one is the next page's `before`.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    fn runs_before(
        &self,
        before: Option<RunId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>>;

    /// The newest runs, newest first, as many of `limit` as there are: all of them in memory.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    fn runs(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>> {
        self.runs_before(None, limit)
    }

    /// Operator actions, newest first.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    fn journal(&self, query: JournalQuery) -> BoxFuture<'_, Result<Vec<JournalEntry>, EngineError>>;

    /// Everything the state is made of, as a text that `import` reads back.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    fn export(&self) -> BoxFuture<'_, Result<String, EngineError>>;

    /// Replaces the state by an exported one; what was there is kept aside under its own key.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where the text is no export, or of another schema or dimension.
    fn import(&self, text: String, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>>;

    /// The wall clock of the engine, for ages on screen.
    fn now(&self) -> Timestamp;
}
