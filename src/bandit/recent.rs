//! At which step each of the newest runs taught, so that feedback that comes late gets the weight that
//! forgetting has left its run. Part of the fold, bounded; older runs count as older than every step.

use std::sync::Arc;

use crate::domain::ids::RunId;

/// Steps of so many of the newest runs are remembered.
const REMEMBERED_RUNS: usize = 2048;
/// The step of a run that taught nothing, because learning was paused: before that of any other.
pub(super) const UNLEARNED: u64 = 0;
/// Runs in one shared piece of that memory: what an update copies at most.
const PIECE: usize = 64;

/// The steps of the newest runs, oldest first, in shared pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentRuns {
    pieces: Vec<Arc<Vec<(RunId, u64)>>>,
}

impl RecentRuns {
    pub(super) fn push(&mut self, run: RunId, step: u64) {
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => Arc::make_mut(piece).push((run, step)),
            _ => {
                let is_full = self.pieces.len() * PIECE >= REMEMBERED_RUNS;
                let mut piece = if is_full { self.pieces.remove(0) } else { Arc::default() };
                // The oldest's room is used again where nobody else looks at it.
                if Arc::get_mut(&mut piece).is_none_or(|old| old.capacity() < PIECE) {
                    piece = Arc::new(Vec::with_capacity(PIECE));
                }
                if let Some(piece) = Arc::get_mut(&mut piece) {
                    piece.clear();
                    piece.push((run, step));
                }
                self.pieces.push(piece);
            }
        }
    }

    /// The step of `run`; `None` where it is too old to be remembered.
    pub(super) fn step_of(&self, run: RunId) -> Option<u64> {
        let newest_first = self.pieces.iter().rev().flat_map(|piece| piece.iter().rev());
        newest_first.copied().find(|(id, _)| *id == run).map(|(_, step)| step)
    }

    /// Whether `run` may be one of the `steps` that there were but is no longer remembered. Ids are in the
    /// order of time.
    pub(super) fn may_have_forgotten(&self, run: RunId, steps: u64) -> bool {
        let remembered: usize = self.pieces.iter().map(|piece| piece.len()).sum();
        let oldest = self.iter().map(|(id, _)| id).next();
        (remembered as u64) < steps && oldest.is_some_and(|oldest| run < oldest)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RunId, u64)> + '_ {
        self.pieces.iter().flat_map(|piece| piece.iter().copied())
    }
}
