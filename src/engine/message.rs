//! What the owner is told. Every message that wants an answer carries where to send it; a sender that
//! went away changes nothing about what is done.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::bandit::RouterState;
use crate::domain::command::{Acknowledgement, Actor, Observation, RouterCommand};
use crate::domain::engine::{CommandRequest, EngineError};
use crate::domain::failure::Failure;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::{PreviewRecord, RunRecord};
use crate::race::{EmbeddingSample, LateVerdict};

/// How an acknowledgement gets back.
pub(super) type AckSender = oneshot::Sender<Result<Acknowledgement, EngineError>>;

/// What a run leaves, with the record shared.
pub(super) struct Finished {
    pub record: Arc<RunRecord>,
    pub observation: Option<Observation>,
    /// Its projected embedding, while the scale is being learned.
    pub sample: Option<EmbeddingSample>,
    /// Whether the health of its arms is reviewed already, call by call.
    pub is_reviewed: bool,
}

/// One message.
pub(super) enum Message {
    /// A person, a rule or the configuration wants something changed.
    Command { request: CommandRequest, reply: AckSender },
    /// A call of an arm has ended, in a run that goes on.
    Called { arm: ArmId, failure: Option<Box<Failure>> },
    /// A run has ended. `recorded` resolves when the log has it.
    Finished { report: Finished, recorded: oneshot::Sender<()> },
    /// What a probe of an ejected arm found.
    Probed { preview: Box<PreviewRecord> },
    /// What the judge said, later, of the answer that the run served.
    Judged { record: Arc<RunRecord>, late: Box<LateVerdict> },
    /// A person rated an answer.
    Rate { run: RunId, rating: f64, actor: Actor, reply: AckSender },
    /// The state as it would be without what an undo or a discard leaves out; changes nothing.
    Rewound { command: RouterCommand, reply: oneshot::Sender<Result<RouterState, String>> },
    /// Everything as a text.
    Export { reply: oneshot::Sender<Result<String, EngineError>> },
    /// Replace the state.
    Import { text: String, actor: Actor, reply: AckSender },
    /// Store a last snapshot, close the store, end.
    Stop,
}
