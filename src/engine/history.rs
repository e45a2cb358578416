//! The state as it would be had something never happened: a stored snapshot from before it, and the log
//! since then folded again without it. An earlier undo counts too: its target must stay out, so the
//! snapshot has to be older than every entry that is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::bandit::{RouterConfig, RouterState, exclusions, refold};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, LogEntry, RouterCommand};
use crate::domain::ids::{CommandId, RunId, Sequence};
use crate::domain::store::StoreError;
use crate::domain::terms::Column;

use super::folds::{blank, split};
use super::late::JUDGE;
use super::ledger::Ledger;
use super::owner::Owner;

/// The state without what a command leaves out.
pub(super) struct Rewound {
    pub state: RouterState,
    /// The action that is undone.
    pub target: Option<RouterCommand>,
    /// The ratings that stand in that state, of every run that was rated since the snapshot it is made from.
    pub ratings: BTreeMap<RunId, Standing>,
}

/// What a run's quality was amended to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// What it was before any of the amendments that were looked at.
    pub first: Option<f64>,
    /// The newest that stands.
    pub rating: Option<f64>,
    /// Whether a late verdict stands; absent where none was looked at.
    pub verdict: Option<bool>,
}

impl Owner {
    /// What `command`, an undo or a discard, would make of the state. The log is folded as if the command
    /// stood at its end; the state's place is the end of the log as it is.
    ///
    /// # Errors
    /// Why it cannot be done, for a person.
    pub(super) async fn rewound(&self, command: &RouterCommand) -> Result<Rewound, String> {
        let target = match command {
            RouterCommand::Undo { target } => Some(self.action(*target).await?),
            _ => None,
        };
        let mut before = first_left_out(command);
        loop {
            let (base, mut entries) = since(&self.ledger, self.folds.state.config(), before, self.folds.end).await?;
            self.is_folded_alike(&base)?;
            entries.push(self.as_if_logged(command));
            let without = exclusions(&entries);
            match earliest_left_out(&entries, &without) {
                // Something older was left out after the snapshot: it is in the snapshot and must not be.
                Some(first) if first <= base.sequence() => before = first,
                _ => {
                    entries.pop();
                    no_import_between(&entries, &without)?;
                    let ratings = standing(&entries, &without);
                    return Ok(Rewound { state: refold(&base, &entries, &without), target, ratings });
                }
            }
        }
    }

    /// Refuses to fold again what was folded under other settings: more than the target would change.
    fn is_folded_alike(&self, base: &RouterState) -> Result<(), String> {
        let since = self.folded_since();
        if base.sequence() >= since {
            return Ok(());
        }
        Err(format!(
            "after #{since} router.forgetting, router.window or drift.* changed: what came before can no longer be undone or discarded"
        ))
    }

    const fn folded_since(&self) -> Sequence {
        self.folds.state.folded_since()
    }

    /// The operator action at `sequence`.
    async fn action(&self, sequence: Sequence) -> Result<RouterCommand, String> {
        let found = self.ledger.entries(sequence, sequence).await.map_err(|error| unreadable(&error))?;
        let entry = found.into_iter().next().ok_or_else(|| out_of_reach(sequence))?;
        if entry.command.can_be_undone() {
            Ok(entry.command)
        } else if entry.command.is_operator_action() {
            let name = entry.command.name();
            Err(format!("#{sequence} is `{name}`, which left what was learned as it was: there is nothing to undo"))
        } else {
            let name = entry.command.name();
            Err(format!("#{sequence} is no operator action but `{name}`: discard the interval instead"))
        }
    }

    fn as_if_logged(&self, command: &RouterCommand) -> LogEntry {
        let at = Timestamp::default();
        LogEntry {
            sequence: self.folds.end + 1,
            id: CommandId::new(at, 0),
            actor: Actor::Rule("what-if".to_owned()),
            at,
            command: command.clone(),
        }
    }
}

/// What ratings are left of `entries` without `without`.
fn standing(entries: &[LogEntry], without: &BTreeSet<Sequence>) -> BTreeMap<RunId, Standing> {
    let mut found = BTreeMap::new();
    for entry in entries {
        let RouterCommand::Amend { run, column: Column::Quality, old, new, .. } = &entry.command else { continue };
        let stands = !without.contains(&entry.sequence);
        if matches!(&entry.actor, Actor::Rule(rule) if rule == JUDGE) {
            // It was given before any rating, or it would have taught nothing: there was none to amend.
            found.entry(*run).or_insert(Standing { first: None, rating: None, verdict: None }).verdict = Some(stands);
            continue;
        }
        let standing = found.entry(*run).or_insert(Standing { first: *old, rating: None, verdict: None });
        if stands {
            standing.rating = Some(*new);
        }
    }
    found
}

/// The first place that `entries` leave out, whether it is among them or before them. A discard that
/// stands counts from where it begins: what it leaves out before the entries is not in `without`.
pub(super) fn earliest_left_out(entries: &[LogEntry], without: &BTreeSet<Sequence>) -> Option<Sequence> {
    let discards =
        entries.iter().filter(|entry| !without.contains(&entry.sequence)).filter_map(|entry| match &entry.command {
            RouterCommand::Discard { from, .. } => Some(*from),
            _ => None,
        });
    without.first().copied().into_iter().chain(discards).min()
}

/// A state from before `sequence`, and every entry after that state up to `end`.
///
/// # Errors
/// Why there is none, for a person.
pub(super) async fn since(
    ledger: &Ledger,
    config: &RouterConfig,
    sequence: Sequence,
    end: Sequence,
) -> Result<(RouterState, Vec<LogEntry>), String> {
    let stored = ledger.snapshot_before(sequence.saturating_sub(1)).await.map_err(|error| unreadable(&error))?;
    let base = match stored {
        Some(snapshot) => RouterState::from_snapshot(&split(snapshot).0, config).map_err(|fault| fault.to_string())?,
        None => blank(config),
    };
    let from = base.sequence() + 1;
    let entries = ledger.entries(from, end).await.map_err(|error| unreadable(&error))?;
    features_stay(&entries)?;
    let is_whole = entries.iter().map(|entry| entry.sequence).eq(from..=end);
    if is_whole { Ok((base, entries)) } else { Err(out_of_reach(sequence)) }
}

fn first_left_out(command: &RouterCommand) -> Sequence {
    match command {
        RouterCommand::Undo { target } => *target,
        RouterCommand::Discard { from, .. } => *from,
        _ => Sequence::MAX,
    }
}

/// Statistics of other features cannot be folded: their contexts mean something else, even where they are as
/// long.
fn features_stay(entries: &[LogEntry]) -> Result<(), String> {
    let change = entries.iter().find(|entry| matches!(entry.command, RouterCommand::NewFeatures { .. }));
    change.map_or(Ok(()), |change| {
        Err(format!(
            "at #{} prompts became other numbers (another feature schema): what came before can no longer be undone or discarded",
            change.sequence
        ))
    })
}

/// The state of an import is in a snapshot alone: a fold that crosses it would lose it.
fn no_import_between(entries: &[LogEntry], without: &BTreeSet<Sequence>) -> Result<(), String> {
    let stands =
        |entry: &&LogEntry| matches!(entry.command, RouterCommand::Import { .. }) && !without.contains(&entry.sequence);
    match entries.iter().find(stands) {
        Some(import) => Err(format!(
            "the whole state was imported at #{}: what came before cannot be taken out of it; undo the import first",
            import.sequence
        )),
        None => Ok(()),
    }
}

fn out_of_reach(sequence: Sequence) -> String {
    format!("#{sequence} is beyond the log that is kept: it can no longer be undone or discarded")
}

fn unreadable(error: &StoreError) -> String {
    format!("the log could not be read: {error}")
}
