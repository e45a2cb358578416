//! Undo and discard: fold the retained log again without some of its entries. Everything later is
//! applied as it was recorded; what it decided at the time stands, and it is inert where an arm is
//! absent. The result equals a log in which the left-out entries never were, but for its place.

use std::collections::{BTreeMap, BTreeSet};

use super::state::RouterState;
use crate::domain::command::{LogEntry, RouterCommand};
use crate::domain::ids::{RunId, Sequence};

/// `base` with `entries` folded on it, but for those in `without`. The place is that of the last entry,
/// left out or not.
#[must_use]
pub fn refold(base: &RouterState, entries: &[LogEntry], without: &BTreeSet<Sequence>) -> RouterState {
    let mut state = base.clone();
    // What a response was before the first of its amendments that are left out: the next one that stays amends that.
    let mut before = BTreeMap::new();
    for entry in entries {
        let is_out = without.contains(&entry.sequence);
        match &entry.command {
            RouterCommand::Amend { run, arm, column, old, .. } if is_out => {
                before.entry((*run, arm, *column)).or_insert(*old);
            }
            RouterCommand::Amend { run, arm, column, .. } => match before.remove(&(*run, arm, *column)) {
                Some(was) => state.apply(&amending(entry, was)),
                None => state.apply(entry),
            },
            _ if is_out => {}
            _ => state.apply(entry),
        }
    }
    state.sequence = entries.last().map_or(base.sequence, |last| last.sequence.max(base.sequence));
    state
}

/// The same amendment of a response that was another.
fn amending(entry: &LogEntry, was: Option<f64>) -> LogEntry {
    let mut entry = entry.clone();
    if let RouterCommand::Amend { old, .. } = &mut entry.command {
        *old = was;
    }
    entry
}

/// Which entries of `entries` have no effect, because a later undo or discard that itself stands takes
/// them out. An undo of an undo brings its target back. A discard takes out observations and what was
/// amended about them, never operator actions.
#[must_use]
pub fn exclusions(entries: &[LogEntry]) -> BTreeSet<Sequence> {
    let mut out = BTreeSet::new();
    let mut intervals: Vec<(Sequence, Sequence)> = Vec::new();
    for entry in entries.iter().rev() {
        if out.contains(&entry.sequence) {
            continue;
        }
        match &entry.command {
            RouterCommand::Undo { target } if *target < entry.sequence => {
                out.insert(*target);
            }
            RouterCommand::Discard { from, to } => intervals.push((*from, (*to).min(entry.sequence))),
            _ => {}
        }
    }
    let mut gone: BTreeSet<RunId> = BTreeSet::new();
    for entry in entries {
        let inside = intervals.iter().any(|(from, to)| (*from..=*to).contains(&entry.sequence));
        let leaves = match &entry.command {
            RouterCommand::Observe(observation) if inside => {
                gone.insert(observation.run);
                true
            }
            RouterCommand::Amend { run, .. } => inside || gone.contains(run),
            _ => false,
        };
        if leaves {
            out.insert(entry.sequence);
        }
    }
    out
}
