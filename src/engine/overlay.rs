//! What flags say for one start alone. A flag is no edit of the configuration: what it sets is applied on
//! top when the configuration has been settled, and taken back at the next start, so that what a person
//! had set before is there again. Only a value that somebody changed in between stays.
//!
//! Not here: which flags there are, and what an edited configuration does (`facts.rs`).

use serde::{Deserialize, Serialize};

use crate::bandit::RouterState;
use crate::domain::command::RouterCommand;
use crate::domain::spec::ConfigFacts;

use super::facts::reconcile;

/// The stored value that holds the overlay of the last start.
pub(super) const OVERLAY: &str = "config.flags";

/// The flags of one start, as commands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Overlay {
    /// What they set.
    set: Vec<RouterCommand>,
    /// What stood there before, command by command.
    before: Vec<RouterCommand>,
}

impl Overlay {
    /// What the flags of `session` change on top of the configuration, onto `state`.
    pub(super) fn of(configured: &ConfigFacts, session: &ConfigFacts, state: &RouterState) -> Self {
        let (arms, priors) = (configured.arms.clone(), configured.priors.clone());
        let numbers = ConfigFacts { arms, priors, ..session.clone() };
        let asked = reconcile(Some(configured), &numbers, &[]);
        let pairs = asked.into_iter().map(|set| (standing(state, &set), set)).filter(|(before, set)| before != set);
        let (before, set) = pairs.unzip();
        Self { set, before }
    }

    /// The commands to apply now.
    pub(super) fn commands(&self) -> impl Iterator<Item = RouterCommand> + '_ {
        self.set.iter().cloned()
    }

    /// The commands that take it back: of what still stands as the flags had it.
    pub(super) fn taken_back(&self, state: &RouterState) -> Vec<RouterCommand> {
        let pairs = self.set.iter().zip(&self.before);
        pairs.filter(|(set, _)| standing(state, set) == **set).map(|(_, before)| before.clone()).collect()
    }
}

/// `command` with the values that stand in `state`.
fn standing(state: &RouterState, command: &RouterCommand) -> RouterCommand {
    match command {
        RouterCommand::SetWeights { .. } => RouterCommand::SetWeights { weights: *state.weights() },
        RouterCommand::SetExploration { alpha, explore_share } => RouterCommand::SetExploration {
            alpha: alpha.map(|_| state.alpha()),
            explore_share: explore_share.map(|_| state.explore_share()),
        },
        RouterCommand::SetBudget { .. } => RouterCommand::SetBudget { dollars: state.budget_per_request() },
        other => other.clone(),
    }
}
