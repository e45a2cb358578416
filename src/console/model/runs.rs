//! The history of runs as the Runs screen has it: the newest as the engine's picture has them, older ones read from
//! the store page by page, in one line each, and one run that is open, whole. Bounded: beyond so many lines nothing
//! older is read, and of whole records only the open one is held.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::race::OwnRun;
use crate::domain::ids::RunId;
use crate::domain::snapshot::RunSummary;

/// Runs that are held in one line each.
pub(crate) const MOST: usize = 2_000;
/// Runs that are read at a time.
pub(crate) const PAGE: usize = 64;
/// So near to the oldest line older ones are read.
const NEAR: usize = 20;

/// Whether there is more to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Older {
    /// There may be.
    #[default]
    Unknown,
    /// It is being read.
    Asked,
    /// The oldest run is there, or as many as are held.
    End,
    /// The store could not be read.
    Failed(String),
}

/// See above.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    rows: BTreeMap<RunId, RunSummary>,
    /// Down to this run every one that is kept was read; absent before the first page. The picture has its runs in the
    /// order of their ends: one that took long may lie far below others that are not listed yet.
    read_to: Option<RunId>,
    /// The run under the cursor; absent while it follows the newest.
    selected: Option<RunId>,
    /// What is known of older runs.
    pub(crate) older: Older,
    /// The run that is open.
    pub(crate) opened: Option<OwnRun>,
    /// The run whose record is being read, to be opened.
    pub(crate) opening: Option<RunId>,
}

impl Runs {
    /// Takes in the newest runs; those that are known may have changed. Where more have ended meanwhile than these, the
    /// list begins anew: it has no gaps.
    pub(crate) fn follow(&mut self, newest: &[RunSummary]) {
        if !newest.iter().any(|run| self.rows.contains_key(&run.run)) {
            self.rows.clear();
            (self.read_to, self.older) = (None, Older::Unknown);
        }
        for run in newest {
            match self.rows.entry(run.run) {
                Entry::Occupied(mut held) => {
                    if held.get() != run {
                        held.insert(run.clone());
                    }
                }
                Entry::Vacant(place) => drop(place.insert(run.clone())),
            }
        }
        self.bound();
    }

    /// Takes in a page of older runs; an empty one is the end.
    pub(crate) fn add_older(&mut self, page: Vec<RunSummary>) {
        self.older = if page.is_empty() { Older::End } else { Older::Unknown };
        self.read_to = page.iter().map(|run| run.run).min().or(self.read_to);
        self.rows.extend(page.into_iter().map(|run| (run.run, run)));
        self.bound();
    }

    fn bound(&mut self) {
        while self.rows.len() > MOST {
            self.rows.pop_first();
            self.older = Older::End;
        }
    }

    /// Lines that are there.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The newest first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &RunSummary> {
        self.rows.values().rev()
    }

    /// The run under the cursor.
    pub(crate) fn selected(&self) -> Option<RunId> {
        let held = self.selected.filter(|run| self.rows.contains_key(run));
        held.or_else(|| self.rows.keys().next_back().copied())
    }

    /// Its place from above.
    pub(crate) fn position(&self) -> usize {
        let held = self.selected.filter(|run| self.rows.contains_key(run));
        held.map_or(0, |run| self.rows.range(run..).count().saturating_sub(1))
    }

    /// Moves the cursor by `rows`; at the top it follows the newest.
    pub(crate) fn move_by(&mut self, rows: i32) {
        let step = usize::try_from(rows.unsigned_abs()).unwrap_or(0);
        let at = self.position();
        let to =
            if rows < 0 { at.saturating_sub(step) } else { at.saturating_add(step).min(self.len().saturating_sub(1)) };
        self.selected = if to == 0 { None } else { self.rows.keys().rev().nth(to).copied() };
    }

    /// The run of before which older ones are to be read now, if they are.
    pub(crate) fn wants_older(&mut self) -> Option<RunId> {
        let newest = *self.rows.keys().next_back()?;
        let read = self.read_to.map_or(0, |to| self.rows.range(to..).count());
        let is_near = self.position() + NEAR >= read;
        if self.older != Older::Unknown || !is_near || self.len() >= MOST {
            return None;
        }
        self.older = Older::Asked;
        Some(self.read_to.unwrap_or(newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    fn runs(from: u64, to: u64) -> Vec<RunSummary> {
        let one = fixture::snapshot().recent_runs[0].clone();
        let at = |n| crate::domain::clock::Timestamp::from_millis(n);
        (from..to).map(|n| RunSummary { run: RunId::new(at(n), n), at: at(n), ..one.clone() }).collect()
    }

    #[test]
    fn the_cursor_follows_the_newest_until_it_is_moved_and_then_its_run() {
        let mut held = Runs::default();
        assert_eq!((held.selected(), held.wants_older()), (None, None));
        held.follow(&runs(0, 10));
        assert_eq!(held.selected(), Some(runs(9, 10)[0].run));
        held.move_by(3);
        assert_eq!(held.selected(), Some(runs(6, 7)[0].run));
        held.follow(&runs(5, 12));
        assert_eq!((held.selected(), held.position()), (Some(runs(6, 7)[0].run), 5));
        held.move_by(-100);
        held.follow(&runs(12, 13));
        assert_eq!(held.selected(), Some(runs(12, 13)[0].run));
    }

    #[test]
    fn older_runs_are_read_once_at_a_time_and_there_is_a_bound() {
        let mut held = Runs::default();
        held.follow(&runs(9_000, 9_064));
        assert_eq!(held.wants_older(), Some(runs(9_063, 9_064)[0].run), "what the picture has may have gaps");
        assert_eq!(held.wants_older(), None, "it was asked");
        held.add_older(runs(8_999, 9_063));
        assert_eq!(held.wants_older(), None, "nobody is near the end");
        let mut from = 8_999;
        while held.older != Older::End {
            held.move_by(64);
            assert_eq!(held.wants_older(), Some(runs(from, from + 1)[0].run));
            held.add_older(runs(from - 64, from));
            from -= 64;
        }
        assert_eq!((held.len(), held.wants_older()), (MOST, None));
        held.follow(&runs(9_060, 9_100));
        assert_eq!(held.len(), MOST);
        let mut short = Runs::default();
        short.follow(&runs(0, 5));
        assert!(short.wants_older().is_some());
        short.add_older(Vec::new());
        assert_eq!((short.older.clone(), short.wants_older()), (Older::End, None));
    }

    #[test]
    fn a_list_that_missed_runs_begins_anew() {
        let mut held = Runs::default();
        held.follow(&runs(0, 64));
        held.move_by(10);
        held.add_older(Vec::new());
        held.follow(&runs(60, 124));
        assert_eq!((held.len(), held.older.clone()), (124, Older::End));
        held.follow(&runs(500, 564));
        assert_eq!((held.len(), held.position(), held.older.clone()), (64, 0, Older::Unknown));
    }
}
