//! What the owner does with a command that comes from outside: once per id, refused with a reason or
//! applied and journalled. An undo or a discard folds the log again; everything else is one step of the
//! fold.

use crate::domain::command::{Acknowledgement, Durability, JournalEntry, RouterCommand};
use crate::domain::engine::{CommandRequest, EngineError};
use crate::domain::ids::Sequence;
use crate::domain::text::is_showable;
use crate::race::Endpoint;

use super::history::Rewound;
use super::idempotency;
use super::message::AckSender;
use super::owner::Owner;

/// Bytes of an arm's name, at most.
const LONGEST_NAME: usize = 64;

impl Owner {
    /// Applies or refuses; the answer is sent when the store has it.
    pub(super) async fn command(&mut self, request: CommandRequest, reply: AckSender) {
        if let Some(sequence) = self.folds.ids.find(request.id) {
            // The answer waits for the batch: the first one of that id may be in it.
            self.pending.answer(reply, Ok(Acknowledgement::Duplicate { sequence }));
            return;
        }
        let answer = match &request.command {
            RouterCommand::Undo { .. } | RouterCommand::Discard { .. } => self.leave_out(request).await,
            RouterCommand::Observe(_) | RouterCommand::Amend { .. } => {
                Err("runs and ratings teach the router, commands do not: send the prompt, or rate the run".to_owned())
            }
            RouterCommand::NewFeatures { .. } => {
                Err("features change by the configuration, at a start: `features.kind`".to_owned())
            }
            RouterCommand::Import { .. } => {
                Err("an import needs the exported text: `banditop state import`".to_owned())
            }
            RouterCommand::AskJudge => self.ask_judge(request),
            RouterCommand::Reactivate { arms } if self.mean_the_judge(arms) => self.ask_judge(request),
            _ => self.change(request),
        };
        let answer = answer.map_or_else(|reason| Acknowledgement::Rejected { reason }, applied);
        self.pending.answer(reply, Ok(answer));
    }

    fn change(&mut self, request: CommandRequest) -> Result<JournalEntry, String> {
        let CommandRequest { id, actor, command } = request;
        let command = self.folds.state.prepare(command).map_err(|rejection| rejection.to_string())?;
        if let Some(reason) = unstorable(&command) {
            return Err(reason);
        }
        // A typo must not break an arm that works.
        if let RouterCommand::AddArm { spec } = &command {
            self.factory.build(spec)?;
        }
        let line = self.execute(id, actor, command).map_err(|rejection| rejection.to_string())?;
        self.follow(&line);
        Ok(line)
    }

    /// What follows from a change of the pool outside the router's state.
    pub(super) fn follow(&mut self, line: &JournalEntry) {
        match &line.command {
            RouterCommand::AddArm { spec } => {
                self.folds.health.forget(&spec.name);
                self.folds.signals.forget(&spec.name);
                self.ask_judge_among(std::slice::from_ref(&spec.name));
                self.equip();
            }
            RouterCommand::RemoveArm { arm } => {
                self.folds.health.forget(arm);
                self.folds.signals.forget(arm);
                self.folds.alarms.clear_arm(arm);
                self.shared.race.extras().forget(&Endpoint::Arm(arm.clone()));
                self.equip();
            }
            RouterCommand::Reactivate { arms } | RouterCommand::Deactivate { arms } => {
                for arm in arms {
                    self.folds.health.forget(arm);
                }
                if matches!(line.command, RouterCommand::Reactivate { .. }) {
                    self.ask_judge_among(arms);
                }
            }
            RouterCommand::Undo { .. } | RouterCommand::Discard { .. } | RouterCommand::Import { .. } => self.equip(),
            _ => {}
        }
        self.keep_somebody_in();
    }

    /// Undo and discard.
    async fn leave_out(&mut self, request: CommandRequest) -> Result<JournalEntry, String> {
        // What is read back from the log must be in it.
        self.commit().await;
        let CommandRequest { id, actor, command } = request;
        let command = self.folds.state.prepare(command).map_err(|rejection| rejection.to_string())?;
        if let RouterCommand::Undo { target } = command {
            self.check_not_undone(target).await?;
        }
        let Rewound { state, target, ratings } = self.rewound(&command).await?;
        let shown = self.acts_on(target.unwrap_or_else(|| command.clone())).await;
        let shown = &shown;
        let before = self.folds.state.before_after(shown);
        let after = state.before_after(shown);
        let entry = self.entry(id, actor, command.clone());
        self.folds.state = state;
        self.folds.state.apply(&entry);
        let line = self.log(entry, before, after);
        if let RouterCommand::Undo { target } = command {
            self.mark_undone(target, Some(line.sequence)).await;
        }
        self.restore_ratings(&ratings).await;
        // A restart need not fold across it.
        self.pending.batch.snapshot = Some(self.folds.to_snapshot());
        self.follow(&line);
        Ok(line)
    }

    /// What an undo of undos acts on in the end: its line in the journal is in words of that.
    async fn acts_on(&self, mut command: RouterCommand) -> RouterCommand {
        // An undo is later than its target, so this ends.
        while let RouterCommand::Undo { target } = command {
            let Some(line) = self.journal_line(target).await else { break };
            command = line.command;
        }
        command
    }

    async fn check_not_undone(&self, target: Sequence) -> Result<(), String> {
        match self.journal_line(target).await.and_then(|line| line.undone_by) {
            Some(by) => Err(format!("#{target} is already undone, by #{by}: undo #{by} to bring it back")),
            None => Ok(()),
        }
    }

    /// Writes into the journal that `target` is undone, or is no longer. Undoing an undo brings its target
    /// back; undoing that one again takes it out again.
    async fn mark_undone(&mut self, target: Sequence, by: Option<Sequence>) {
        let mut next = Some((target, by));
        while let Some((target, by)) = next {
            let Some(mut line) = self.journal_line(target).await else { return };
            line.undone_by = by;
            self.folds.note(&line);
            next = match line.command {
                RouterCommand::Undo { target } => Some((target, by.is_none().then_some(line.sequence))),
                _ => None,
            };
            self.pending.batch.journal.push(line);
        }
    }

    /// A line of the journal as it is now.
    async fn journal_line(&self, sequence: Sequence) -> Option<JournalEntry> {
        let is_it = |line: &&JournalEntry| line.sequence == sequence;
        if let Some(line) = self.folds.journal.iter().find(is_it) {
            return Some(line.clone());
        }
        let stored = self.ledger.journal(idempotency::REMEMBERED).await.ok()?;
        stored.iter().find(is_it).cloned()
    }
}

/// Why a command cannot be logged, where it cannot: a log that does not read back as it was written is
/// worth nothing, and an arm's name must be one that a person can type.
fn unstorable(command: &RouterCommand) -> Option<String> {
    if let RouterCommand::AddArm { spec } = command {
        let name = spec.name.as_str();
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || !is_showable(c);
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(is_odd) {
            return Some(format!(
                "{name:?} is no name for an arm: expected 1 to {LONGEST_NAME} letters, digits and signs"
            ));
        }
    }
    let text = serde_json::to_vec(command).ok();
    let back = text.and_then(|text| serde_json::from_slice::<RouterCommand>(&text).ok());
    (back.as_ref() != Some(command)).then(|| format!("`{}` holds a number that is not finite", command.name()))
}

/// The durability is filled in when the store has answered.
pub(super) fn applied(line: JournalEntry) -> Acknowledgement {
    Acknowledgement::Applied { entry: Box::new(line), durability: Durability::MemoryOnly }
}

/// A refusal that is no acknowledgement.
pub(super) fn refused(reason: impl Into<String>) -> EngineError {
    EngineError::Refused(reason.into())
}
