//! The commands that were applied lately, by id, so that sending one twice applies it once. Not stored
//! of itself: the log and the journal hold every id, and the set is rebuilt from them.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::ids::{CommandId, Sequence};

/// How many are remembered.
pub(super) const REMEMBERED: usize = 1_024;

/// Recent commands by id.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentIds {
    order: VecDeque<CommandId>,
    places: BTreeMap<CommandId, Sequence>,
}

impl RecentIds {
    /// Remembers that `id` was applied at `sequence`.
    pub(super) fn insert(&mut self, id: CommandId, sequence: Sequence) {
        if self.places.insert(id, sequence).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
    }

    /// Where `id` was applied.
    pub(super) fn find(&self, id: CommandId) -> Option<Sequence> {
        self.places.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;

    #[test]
    fn the_oldest_goes_first() {
        let id = |n: u64| CommandId::new(Timestamp::from_millis(n), 0);
        let mut recent = RecentIds::default();
        for n in 0..=REMEMBERED as u64 {
            recent.insert(id(n), n + 1);
        }
        recent.insert(id(1), 2);
        assert_eq!((recent.find(id(0)), recent.find(id(1))), (None, Some(2)));
        assert_eq!(recent.order.len(), REMEMBERED);
    }
}
