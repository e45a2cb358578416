//! What the owner knows: the router's state and everything that is folded beside it. No I/O and no
//! clock here; the owner gives the time and writes what must be kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::bandit::{RouterConfig, RouterState};
use crate::domain::command::{Actor, JournalEntry, LogEntry, RouterCommand};
use crate::domain::ids::{ArmId, Sequence};
use crate::domain::record::RunRecord;
use crate::domain::snapshot::{Mark, RunSummary};
use crate::domain::spec::COOLING;
use crate::domain::store::StoredSnapshot;
use crate::domain::terms::Weights;
use crate::race::{ScaleFit, SignalFold};

use super::alarms::Alarms;
use super::health::Health;
use super::idempotency::RecentIds;
use super::periodic::Periodic;
use super::stats::LiveStats;

/// The name of our own part of a stored snapshot; every other part is the router's.
const STATS_PART: &str = "engine:stats";
/// Runs and journal lines that a screen gets.
pub(super) const SHOWN: usize = 64;

/// See above.
pub(super) struct Folds {
    pub state: RouterState,
    /// The place of the newest log entry: a fresh state on an old log is behind it.
    pub end: Sequence,
    pub stats: LiveStats,
    pub signals: SignalFold,
    pub alarms: Alarms,
    pub health: Health,
    pub periodic: Periodic,
    pub ids: RecentIds,
    /// Newest first.
    pub journal: VecDeque<JournalEntry>,
    /// Newest first.
    pub summaries: VecDeque<RunSummary>,
    /// The scale of an embedding's slots, while it is being learned.
    pub scale: ScaleFit,
    /// Arms that the registry knows of.
    pub equipped: BTreeSet<ArmId>,
    /// Those without an adapter, and why.
    pub unavailable: BTreeMap<ArmId, String>,
}

impl Folds {
    /// Everything that is stored of it.
    pub(super) fn to_snapshot(&self) -> StoredSnapshot {
        let mut snapshot = self.state.to_snapshot();
        snapshot.parts.push((STATS_PART.to_owned(), self.stats.save()));
        snapshot
    }

    /// Counts what an entry of the log says beside what it taught: when it is logged, and again at a start where no
    /// snapshot has it.
    pub(super) fn count(&mut self, entry: &LogEntry) {
        match &entry.command {
            RouterCommand::Eject { arm, reason, .. } if !reason.starts_with(COOLING) => self.stats.ejected(arm),
            RouterCommand::Amend { new, .. } if matches!(entry.actor, Actor::Person(_)) => self.stats.rated(*new),
            _ => {}
        }
    }

    /// Takes in what a finished run says, but for what it taught.
    pub(super) fn absorb(&mut self, record: &RunRecord) {
        self.stats.absorb(record);
        self.signals.absorb(record);
        self.summaries.push_front(RunSummary::of(record));
        self.summaries.truncate(SHOWN);
    }

    /// Takes a journal line in, or puts a changed one in its place.
    pub(super) fn note(&mut self, line: &JournalEntry) {
        if let Some(held) = self.journal.iter_mut().find(|held| held.sequence == line.sequence) {
            *held = line.clone();
            return;
        }
        // A changed line that is older than those a screen gets is no news.
        if self.journal.front().is_some_and(|newest| line.sequence < newest.sequence) {
            return;
        }
        self.ids.insert(line.id, line.sequence);
        self.stats.mark(mark(line));
        self.journal.push_front(line.clone());
        if self.journal.len() > SHOWN {
            self.drop_a_line();
        }
    }

    /// The oldest line goes; one of a rule before one of a person, so that an arm that comes and goes does
    /// not push out what there is to undo.
    fn drop_a_line(&mut self) {
        let by_rule = self.journal.iter().rposition(|line| matches!(line.actor, Actor::Rule(_)));
        self.journal.remove(by_rule.unwrap_or(self.journal.len() - 1));
    }
}

/// A stored snapshot without our own part, and that part.
pub(super) fn split(mut snapshot: StoredSnapshot) -> (StoredSnapshot, Option<LiveStats>) {
    let stats = snapshot.parts.iter().find(|(name, _)| name == STATS_PART);
    let stats = stats.and_then(|(_, bytes)| LiveStats::restore(bytes));
    snapshot.parts.retain(|(name, _)| name != STATS_PART);
    (snapshot, stats)
}

/// The state before the first entry of a log. Constant: what the configuration says is in the log.
pub(super) fn blank(config: &RouterConfig) -> RouterState {
    RouterState::new(config.clone(), Weights::default(), 1.0, 0.0)
}

fn mark(line: &JournalEntry) -> Mark {
    let by_person = matches!(line.actor, crate::domain::command::Actor::Person(_));
    let name = line.command.name();
    let label = if line.after.is_empty() { name.to_owned() } else { format!("{name} {}", line.after) };
    Mark { at: line.at, label, by_person }
}
