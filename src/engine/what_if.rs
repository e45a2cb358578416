//! What a command would do: the same prediction over the newest contexts, for the state as it is and as
//! it would be. On a worker thread, over copies; nothing changes.

use std::sync::Arc;

use crate::bandit::{self, ArmView, RouterState, Side};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, LogEntry, RouterCommand};
use crate::domain::engine::{EngineError, WhatIf};
use crate::domain::ids::CommandId;

use super::actions::refused;
use super::message::Message;
use super::shared::Shared;

/// See above.
///
/// # Errors
/// [`EngineError::Refused`] where the command would be rejected, [`EngineError::Stopped`].
pub(super) async fn what_if(shared: &Arc<Shared>, command: RouterCommand) -> Result<WhatIf, EngineError> {
    let knowledge = shared.knowledge.load_full();
    let command = knowledge.state.prepare(command).map_err(|rejection| refused(rejection.to_string()))?;
    let then = match &command {
        RouterCommand::Undo { .. } | RouterCommand::Discard { .. } => {
            let asked = command.clone();
            shared.ask(|reply| Message::Rewound { command: asked, reply }).await?.map_err(refused)?
        }
        RouterCommand::Observe(_)
        | RouterCommand::Amend { .. }
        | RouterCommand::Import { .. }
        | RouterCommand::AskJudge => {
            return Err(refused("there is no forecast of what a run, an import or a judge would do"));
        }
        _ => applied(&knowledge.state, command),
    };
    let (contexts, mut outlays) = {
        let recent = shared.recent();
        (recent.contexts(), recent.outlays())
    };
    let (configured, now, parts) = (shared.strategy, shared.now(), shared.race.parts());
    let (k, router) = (parts.config.k, parts.router);
    let forecast = move || {
        let p95 = |arm: ArmView<'_>| Some((arm.spec.name.clone(), knowledge.signals.p95(&arm.spec.name)?));
        outlays.p95_s = knowledge.state.arms().filter_map(p95).collect();
        let before = Side { state: &knowledge.state, router, strategy: configured, k, now };
        bandit::what_if(before, Side { state: &then, ..before }, &contexts, &outlays)
    };
    shared.tasks.spawn_blocking(forecast).await.map_err(|_| EngineError::Stopped)
}

/// A copy one step further.
fn applied(state: &RouterState, command: RouterCommand) -> RouterState {
    let mut then = state.clone();
    let at = Timestamp::default();
    then.apply(&LogEntry {
        sequence: state.sequence() + 1,
        id: CommandId::new(at, 0),
        actor: Actor::Rule("what-if".to_owned()),
        at,
        command,
    });
    then
}
