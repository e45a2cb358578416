//! A batch on its way to the store: entries are applied to the owner's own state as they are accepted,
//! published and acknowledged when the store has answered. Nobody outside sees the state between.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::bandit::Rejection;
use crate::domain::command::{Acknowledgement, Actor, Durability, JournalEntry, LogEntry, RouterCommand};
use crate::domain::engine::EngineError;
use crate::domain::ids::CommandId;
use crate::domain::store::LogBatch;

use super::message::AckSender;
use super::owner::Owner;

/// Time between two snapshots that only the length of the log asks for, at least.
const LEAST_APART: Duration = Duration::from_secs(10);

/// How many times the configured length the log may have after the newest snapshot.
const MOST_BEHIND: u64 = 4;

/// What waits for the store.
#[derive(Default)]
pub(super) struct Pending {
    pub batch: LogBatch,
    /// Whether a person waits for it to be on disk.
    pub sync: bool,
    replies: Vec<(AckSender, Result<Acknowledgement, EngineError>)>,
    /// Runs that wait to be recorded.
    pub recorded: Vec<oneshot::Sender<()>>,
    /// Whether what runs read has changed.
    pub has_news: bool,
}

impl Pending {
    /// Answers when the store has; an acknowledgement then says how well it is kept.
    pub(super) fn answer(&mut self, reply: AckSender, answer: Result<Acknowledgement, EngineError>) {
        self.replies.push((reply, answer));
    }

    fn is_empty(&self) -> bool {
        let LogBatch { entries, journal, runs, snapshot, values } = &self.batch;
        entries.is_empty() && journal.is_empty() && runs.is_empty() && snapshot.is_none() && values.is_empty()
    }
}

impl Owner {
    /// An id for a command of the owner's own.
    pub(super) fn own_id(&mut self) -> CommandId {
        CommandId::new(self.shared.now(), self.entropy.u64(..))
    }

    /// Decides, applies and logs a command of a person, a rule or the configuration.
    ///
    /// # Errors
    /// [`Rejection`]; nothing changed.
    pub(super) fn execute(
        &mut self,
        id: CommandId,
        actor: Actor,
        command: RouterCommand,
    ) -> Result<JournalEntry, Rejection> {
        let command = self.folds.state.prepare(command)?;
        let before = self.folds.state.before_after(&command);
        let entry = self.entry(id, actor, command);
        self.folds.state.apply(&entry);
        let after = self.folds.state.before_after(&entry.command);
        Ok(self.log(entry, before, after))
    }

    /// An entry at the end of the log.
    pub(super) fn entry(&self, id: CommandId, actor: Actor, command: RouterCommand) -> LogEntry {
        LogEntry { sequence: self.folds.end + 1, id, actor, at: self.shared.now(), command }
    }

    /// Puts an applied entry into the batch, and into the journal where it is an operator action.
    pub(super) fn log(&mut self, entry: LogEntry, before: String, after: String) -> JournalEntry {
        let LogEntry { sequence, id, at, ref actor, ref command } = entry;
        let line = JournalEntry {
            sequence,
            id,
            at,
            actor: actor.clone(),
            command: command.clone(),
            before,
            after,
            undone_by: None,
        };
        self.folds.end = sequence;
        self.timers.entries += 1;
        self.pending.has_news = true;
        self.folds.count(&entry);
        if command.is_operator_action() {
            tracing::info!(
                sequence,
                actor = actor.name(),
                command = command.name(),
                before = line.before,
                after = line.after,
                "applied"
            );
            self.pending.sync = true;
            self.pending.batch.journal.push(line.clone());
            self.folds.note(&line);
        }
        self.pending.batch.entries.push(entry);
        line
    }

    /// Writes what is pending, publishes, answers.
    pub(super) async fn commit(&mut self) -> Durability {
        self.add_snapshot_where_due();
        let nothing_to_write = self.pending.is_empty() && !self.ledger.wants_retry();
        if nothing_to_write && self.pending.replies.is_empty() && self.pending.recorded.is_empty() {
            return self.ledger.status().durability;
        }
        let Pending { batch, sync, replies, recorded, has_news } = std::mem::take(&mut self.pending);
        let is_write = !nothing_to_write && self.ledger.reaches_the_store(&batch);
        let began = Instant::now();
        let durability = self.ledger.append(batch, sync).await;
        if is_write {
            self.folds.stats.wrote(sync, began.elapsed());
        }
        if has_news {
            self.publish_knowledge();
        }
        self.is_dirty = true;
        for (reply, mut answer) in replies {
            if let Ok(Acknowledgement::Applied { durability: said, .. }) = &mut answer {
                *said = durability;
            }
            let _ = reply.send(answer);
        }
        for recorded in recorded {
            let _ = recorded.send(());
        }
        durability
    }

    fn add_snapshot_where_due(&mut self) {
        let now = Instant::now();
        let limits = &self.shared.limits;
        let is_old = self.timers.entries > 0 && now >= self.timers.snapshot + limits.snapshot_every;
        // Under heavy traffic the time between two decides, so that writing them stays a small part of the work;
        // but the log after the newest stays short enough to be read at once.
        let (entries, limit) = (self.timers.entries, limits.snapshot_entries);
        let is_long = entries >= limit && (now >= self.timers.snapshot + LEAST_APART || entries >= limit * MOST_BEHIND);
        if is_old || is_long || self.ledger.wants_snapshot() {
            self.pending.batch.snapshot = Some(self.folds.to_snapshot());
        }
        if self.pending.batch.snapshot.is_some() {
            self.timers.snapshot = now;
            self.timers.entries = 0;
        }
    }
}
