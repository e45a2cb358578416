//! Rules that time asks for: forgetting a share of everything learned every so often, and taking out arms
//! that hardly ever win. Both are off until they are configured, and go through the log like a person's
//! command, by the actor `rule`. When one was last applied is read off the journal, so that a restart does
//! not start its clock anew.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, RouterCommand};

use super::owner::Owner;

/// The rule that forgets.
const FORGETTING: &str = "forgetting";
/// The rule that prunes.
const PRUNING: &str = "pruning";

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

impl Owner {
    /// Applies what is due.
    pub(super) fn review_periodic(&mut self, now: Timestamp) {
        let PeriodicRules { decay, prune } = self.folds.periodic.rules.clone();
        if let Some(PeriodicDecay { every, factor }) = decay
            && self.is_due(FORGETTING, every, now)
        {
            self.folds.periodic.decayed = Some(now);
            self.by_rule(FORGETTING, RouterCommand::Decay { factor, arms: Vec::new() });
        }
        if let Some(AutomaticPrune { every, min_trials, min_win_rate }) = prune
            && self.is_due(PRUNING, every, now)
        {
            self.folds.periodic.pruned = Some(now);
            // That nobody would go is the rule's normal answer, not worth a line anywhere.
            if let Ok(prune) =
                self.folds.state.prepare(RouterCommand::Prune { min_trials, min_win_rate, victims: Vec::new() })
            {
                self.by_rule(PRUNING, prune);
            }
        }
    }

    /// Whether `every` has passed since the rule was last looked at: in this process, or by the journal, or
    /// else since the start. A clock that was set back starts the time anew.
    fn is_due(&mut self, rule: &str, every: Duration, now: Timestamp) -> bool {
        let periodic = &self.folds.periodic;
        let here = if rule == FORGETTING { periodic.decayed } else { periodic.pruned };
        let is_of_it = |actor: &Actor| matches!(actor, Actor::Rule(name) if name == rule);
        let before = || self.folds.journal.iter().find(|line| is_of_it(&line.actor)).map(|line| line.at);
        let Some(last) = here.or_else(before).filter(|last| *last <= now) else {
            let started =
                if rule == FORGETTING { &mut self.folds.periodic.decayed } else { &mut self.folds.periodic.pruned };
            *started = Some(now);
            return false;
        };
        now.since(last) >= every
    }
}

/// The rules, and when they were last applied in this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Periodic {
    pub rules: PeriodicRules,
    decayed: Option<Timestamp>,
    pruned: Option<Timestamp>,
}

impl Periodic {
    pub(super) fn new(rules: PeriodicRules) -> Self {
        Self { rules, decayed: None, pruned: None }
    }
}
