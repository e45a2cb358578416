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
    /// What the flags of `session` change on top of the configuration, onto `state`. What those of the last start,
    /// `then`, have set already and set again goes on.
    pub(super) fn of(then: &Self, configured: &ConfigFacts, session: &ConfigFacts, state: &RouterState) -> Self {
        let pair = |set: RouterCommand| {
            let stands = standing(state, &set);
            let before = if stands == set { then.before(&set)?.clone() } else { stands };
            Some((before, set))
        };
        let (before, set) = asked(configured, session).into_iter().filter_map(pair).unzip();
        Self { set, before }
    }

    fn before(&self, set: &RouterCommand) -> Option<&RouterCommand> {
        self.set.iter().position(|each| each == set).and_then(|at| self.before.get(at))
    }

    /// The commands to apply now: of what does not stand in `state` yet.
    pub(super) fn commands(&self, state: &RouterState) -> Vec<RouterCommand> {
        self.set.iter().filter(|set| standing(state, set) != **set).cloned().collect()
    }

    /// The commands that take it back: of what still stands as the flags had it, and is not asked for again by the
    /// flags of `session`. A ceiling that goes on keeps its account.
    pub(super) fn taken_back(
        &self,
        configured: &ConfigFacts,
        session: &ConfigFacts,
        state: &RouterState,
    ) -> Vec<RouterCommand> {
        let again = asked(configured, session);
        let pairs = self.set.iter().zip(&self.before);
        let ends = pairs.filter(|(set, _)| standing(state, set) == **set && !again.contains(set));
        ends.map(|(_, before)| before.clone()).collect()
    }
}

/// What the flags of `session` ask for beyond the configuration.
fn asked(configured: &ConfigFacts, session: &ConfigFacts) -> Vec<RouterCommand> {
    let (arms, priors) = (configured.arms.clone(), configured.priors.clone());
    let numbers = ConfigFacts { arms, priors, ..session.clone() };
    reconcile(Some(configured), &numbers, &[])
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
