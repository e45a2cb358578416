//! The local [`EngineHandle`]: reads what was published, asks the owner for the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::BoxFuture;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use crate::domain::engine::{CommandRequest, EngineError, EngineHandle, JournalQuery, RunRequest, RunStream, WhatIf};
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::store::StoreError;

use super::message::Message;
use super::runs;
use super::shared::Shared;
use super::what_if::what_if;

/// See above.
pub(super) struct LocalHandle(pub Arc<Shared>);

impl EngineHandle for LocalHandle {
    fn snapshot(&self) -> Arc<EngineSnapshot> {
        self.0.snapshot.load_full()
    }

    fn changed(&self, seen: u64) -> BoxFuture<'_, ()> {
        let mut revision = self.0.revision.clone();
        Box::pin(async move {
            // An error means that the owner has gone.
            let _ = revision.wait_for(|newest| *newest > seen).await;
        })
    }

    fn submit(&self, request: RunRequest) -> BoxFuture<'_, Result<Box<dyn RunStream>, EngineError>> {
        Box::pin(async move { runs::submit(&self.0, request) })
    }

    fn command(&self, request: CommandRequest) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move { self.0.ask(|reply| Message::Command { request, reply }).await? })
    }

    fn what_if(&self, command: RouterCommand) -> BoxFuture<'_, Result<WhatIf, EngineError>> {
        Box::pin(what_if(&self.0, command))
    }

    fn rate(&self, run: RunId, rating: f64, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move { self.0.ask(|reply| Message::Rate { run, rating, actor, reply }).await? })
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<Arc<RunRecord>>, EngineError>> {
        Box::pin(async move {
            let recent = self.0.recent().find(run);
            match recent {
                Some(record) => Ok(Some(record)),
                None => Ok(self.0.store.run(run).await.map_err(unreadable)?.map(Arc::new)),
            }
        })
    }

    fn runs_before(
        &self,
        before: Option<RunId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<RunRecord>>, EngineError>> {
        Box::pin(async move {
            // What the store could not take is in memory alone, and what is in memory is in the order of ends.
            let mut runs = self.0.recent().before(before);
            let known: BTreeSet<RunId> = runs.iter().map(|run| run.run_id).collect();
            let stored = self.0.store.runs_before(before, limit).await.map_err(unreadable)?;
            runs.extend(stored.into_iter().filter(|run| !known.contains(&run.run_id)).map(Arc::new));
            runs.sort_by_key(|run| std::cmp::Reverse(run.run_id));
            runs.truncate(limit);
            Ok(runs)
        })
    }

    fn journal(&self, query: JournalQuery) -> BoxFuture<'_, Result<Vec<JournalEntry>, EngineError>> {
        Box::pin(async move {
            let mut lines = self.0.store.journal(query.limit).await.map_err(unreadable)?;
            // The newest lines are in every picture, stored or not.
            let newest = self.0.snapshot.load_full();
            let stored_to = lines.first().map_or(0, |line| line.sequence);
            let unsaved = newest.journal.iter().filter(|line| line.sequence > stored_to).cloned();
            lines.splice(0..0, unsaved.collect::<Vec<_>>());
            lines.truncate(query.limit);
            Ok(lines)
        })
    }

    fn export(&self) -> BoxFuture<'_, Result<String, EngineError>> {
        Box::pin(async move { self.0.ask(|reply| Message::Export { reply }).await? })
    }

    fn import(&self, text: String, actor: Actor) -> BoxFuture<'_, Result<Acknowledgement, EngineError>> {
        Box::pin(async move { self.0.ask(|reply| Message::Import { text, actor, reply }).await? })
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn unreadable(error: StoreError) -> EngineError {
    match error {
        StoreError::Closed => EngineError::Stopped,
        other => EngineError::Store(other.to_string()),
    }
}
