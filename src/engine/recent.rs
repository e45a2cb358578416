//! The newest runs in memory, for reading one that has just ended without asking the store, and the
//! newest contexts, for what-if and for expectations on screen. Bounded by count and by bytes: a prompt
//! may have two megabytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::outlay::{Outlay, outlays};
use crate::bandit::Outlays;
use crate::domain::context::ArmContexts;
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;

/// Records that are kept.
pub(super) const RECORDS: usize = 200;
/// Bytes of records that are kept, about.
const RECORD_BYTES: usize = 8 << 20;
/// Contexts that are kept.
pub(super) const CONTEXTS: usize = 500;

/// A context.
pub(super) type Point = Arc<ArmContexts>;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Oldest first, each with its size.
    records: VecDeque<(usize, Arc<RunRecord>)>,
    bytes: usize,
    contexts: VecDeque<(Point, Outlay)>,
}

impl Recent {
    /// Takes in a finished run; `is_current` where its context is of the present schema.
    pub(super) fn push(&mut self, record: &Arc<RunRecord>, is_current: bool) {
        let size = record.bytes();
        self.records.push_back((size, Arc::clone(record)));
        self.bytes += size;
        while self.records.len() > RECORDS || (self.bytes > RECORD_BYTES && self.records.len() > 1) {
            self.bytes -= self.records.pop_front().map_or(0, |(size, _)| size);
        }
        if is_current {
            self.contexts.push_back((Arc::new(record.context.by_arm()), Outlay::of(record)));
            if self.contexts.len() > CONTEXTS {
                self.contexts.pop_front();
            }
        }
    }

    /// Puts a changed record in the place of the old one.
    pub(super) fn replace(&mut self, record: &Arc<RunRecord>) {
        if let Some((_, held)) = self.records.iter_mut().find(|(_, held)| held.run_id == record.run_id) {
            *held = Arc::clone(record);
        }
    }

    /// The run of that id.
    pub(super) fn find(&self, run: RunId) -> Option<Arc<RunRecord>> {
        self.records.iter().rev().find(|(_, held)| held.run_id == run).map(|(_, held)| Arc::clone(held))
    }

    /// The runs of before `before`, in the order in which they ended, newest first.
    pub(super) fn before(&self, before: Option<RunId>) -> Vec<Arc<RunRecord>> {
        let older = self.records.iter().rev().filter(|(_, held)| before.is_none_or(|before| held.run_id < before));
        older.map(|(_, held)| Arc::clone(held)).collect()
    }

    /// Every context, oldest first.
    pub(super) fn contexts(&self) -> Vec<Point> {
        self.contexts.iter().map(|(point, _)| Arc::clone(point)).collect()
    }

    /// What the runs of these contexts cost beside their answers.
    pub(super) fn outlays(&self) -> Outlays {
        outlays(self.contexts.iter().map(|(_, outlay)| outlay))
    }

    /// About `count` of the newest hundred contexts, evenly spaced.
    pub(super) fn sample(&self, count: usize) -> Vec<Point> {
        let newest = self.contexts.len().min(100);
        let every = newest.div_ceil(count.max(1)).max(1);
        self.contexts.iter().rev().take(newest).step_by(every).map(|(point, _)| Arc::clone(point)).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::ChatRequest;
    use crate::domain::clock::Timestamp;
    use crate::engine::testing::record;

    fn run(n: u64, bytes: usize) -> Arc<RunRecord> {
        let mut run = record(Timestamp::from_millis(n), n).served_by("a").build();
        run.request = ChatRequest::from_prompt(&"x".repeat(bytes));
        run.context.x = vec![1.0, n as f64];
        Arc::new(run)
    }

    #[test]
    fn runs_are_bounded_by_count_and_by_bytes() {
        let mut recent = Recent::default();
        for n in 0..1_000 {
            recent.push(&run(n, 10), true);
        }
        assert_eq!((recent.len(), recent.contexts().len()), (RECORDS, CONTEXTS));
        assert_eq!(recent.before(None)[0].run_id, run(999, 10).run_id);
        assert!(recent.find(run(0, 10).run_id).is_none());
        for n in 1_000..1_010 {
            recent.push(&run(n, 2 << 20), false);
        }
        assert!(recent.len() <= 4, "{}", recent.len());
        assert_eq!(recent.contexts().len(), CONTEXTS);
    }

    #[test]
    fn a_sample_is_spread_over_the_newest_hundred() {
        let mut recent = Recent::default();
        assert!(recent.sample(8).is_empty());
        for n in 0..300 {
            recent.push(&run(n, 1), true);
        }
        let sample = recent.sample(10);
        assert_eq!(sample.len(), 10);
        assert!(sample.iter().all(|point| point.x()[1] >= 200.0));
    }
}
