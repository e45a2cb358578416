//! Run records page by page, oldest first, however many there are: an engine gives the newest first, and a page of
//! them at a time. So pages are walked back to the oldest, of which only the places are remembered, and read again
//! on the way forward. In memory is one page, twice.

use std::sync::Arc;

use crate::cli::failure::{CliError, Outcome};
use crate::domain::engine::EngineHandle;
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;

/// Runs of one page.
const PAGE: usize = 500;

/// Where the pages begin.
pub(in crate::cli) struct Pages<'a> {
    engine: &'a dyn EngineHandle,
    /// Newest first, as it was: what comes while the others are read is newer.
    newest: Vec<Arc<RunRecord>>,
    /// Of the other pages, newest first: the run after their first, and how many they have.
    older: Vec<(RunId, usize)>,
}

impl<'a> Pages<'a> {
    /// The newest `limit` runs. `look` sees each of them, newest first.
    pub(in crate::cli) async fn of(
        engine: &'a dyn EngineHandle,
        limit: usize,
        look: &mut dyn FnMut(&RunRecord),
    ) -> Outcome<Self> {
        let newest = if limit == 0 { Vec::new() } else { engine.runs_before(None, limit.min(PAGE)).await? };
        for run in &newest {
            look(run);
        }
        let (mut left, mut older) = (limit - newest.len(), Vec::new());
        let mut last = newest.last().map(|run| run.run_id);
        while let Some(before) = last.filter(|_| left > 0) {
            let page = engine.runs_before(Some(before), left.min(PAGE)).await?;
            if page.iter().any(|run| run.run_id >= before) {
                return Err(CliError::failed(
                    "the running banditop gives no pages of runs: use the same version of both",
                ));
            }
            for run in &page {
                look(run);
            }
            if !page.is_empty() {
                older.push((before, page.len()));
            }
            (left, last) = (left - page.len(), page.last().map(|run| run.run_id));
        }
        Ok(Self { engine, newest, older })
    }

    /// Visits them, oldest first. Those that the engine let go of meanwhile are missing.
    pub(in crate::cli) async fn visit(&self, visit: &mut dyn FnMut(&RunRecord) -> Outcome) -> Outcome {
        for (first, count) in self.older.iter().rev() {
            let (mut page, mut before) = (Vec::with_capacity(*count), *first);
            while page.len() < *count {
                let more = self.engine.runs_before(Some(before), count - page.len()).await?;
                let Some(last) = more.last() else { break };
                before = last.run_id;
                page.extend(more);
            }
            page.iter().rev().try_for_each(|run| visit(run))?;
        }
        self.newest.iter().rev().try_for_each(|run| visit(run))
    }
}
