//! Rules that time asks for: forgetting a share of everything learned every so often, and taking out arms
//! that hardly ever win. Both are off until they are configured, and go through the log like a person's
//! command, by the actor `rule`. When one was last looked at is stored, so that a restart does not start its
//! clock anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::domain::command::RouterCommand;

use super::owner::Owner;

/// The rule that forgets.
const FORGETTING: &str = "forgetting";
/// The rule that prunes.
const PRUNING: &str = "pruning";
/// The stored value that holds when they were last looked at.
pub(super) const LOOKED: &str = "rules.looked";

/// Which of these rules hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeriodicRules {
    /// Forgetting, where it is on.
    pub decay: Option<PeriodicDecay>,
    /// Pruning, where it is on.
    pub prune: Option<AutomaticPrune>,
}

/// Every so often a share of what was learned is forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodicDecay {
    /// How often.
    pub every: Duration,
    /// What is kept, in (0, 1].
    pub factor: f64,
}

/// Every so often arms that hardly ever win are taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct AutomaticPrune {
    /// How often arms are looked at.
    pub every: Duration,
    /// Arms with fewer judged races are left alone.
    pub min_trials: u64,
    /// Arms that win a smaller share of them go, in [0, 1].
    pub min_win_rate: f64,
}

/// When each rule was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Looked {
    decay: Option<Timestamp>,
    prune: Option<Timestamp>,
}

impl Owner {
    /// Applies what is due.
    pub(super) fn review_periodic(&mut self, now: Timestamp) {
        let Periodic { rules: PeriodicRules { decay, prune }, looked } = self.folds.periodic.clone();
        let mut next = looked;
        if let Some(PeriodicDecay { every, factor }) = decay
            && is_due(&mut next.decay, every, now)
        {
            self.by_rule(FORGETTING, RouterCommand::Decay { factor, arms: Vec::new() });
        }
        if let Some(AutomaticPrune { every, min_trials, min_win_rate }) = prune
            && is_due(&mut next.prune, every, now)
            // That nobody would go is the rule's normal answer, not worth a line anywhere.
            && let Ok(prune) =
                self.folds.state.prepare(RouterCommand::Prune { min_trials, min_win_rate, victims: Vec::new() })
        {
            self.by_rule(PRUNING, prune);
        }
        if next != looked
            && let Ok(bytes) = serde_json::to_vec(&next)
        {
            self.folds.periodic.looked = next;
            self.pending.batch.values.push((LOOKED.to_owned(), bytes));
        }
    }
}

/// Whether `every` has passed since `last`, which is now then. Time begins when the rule is first looked at, and
/// anew where the clock was set back.
fn is_due(last: &mut Option<Timestamp>, every: Duration, now: Timestamp) -> bool {
    let is_due = last.filter(|last| *last <= now).map(|last| now.since(last) >= every);
    if is_due.unwrap_or(true) {
        *last = Some(now);
    }
    is_due == Some(true)
}

/// The rules, and when they were last looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Periodic {
    rules: PeriodicRules,
    looked: Looked,
}

impl Periodic {
    pub(super) fn new(rules: PeriodicRules, looked: Looked) -> Self {
        Self { rules, looked }
    }
}
