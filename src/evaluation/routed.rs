//! The routers of the `bandit` room as replayed policies: the same state, the same fold, the same commands
//! as in the engine, so that what a replay shows is what the program does.

use super::policy::{Policy, Seen};
use super::problem::Problem;
use crate::bandit::{Contexts, Desk, Router, RouterConfig, RouterState, router};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, AnswerOutcome, ArmObservation, LogEntry, Observation, RouterCommand};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::prior::ArmPrior;
use crate::domain::spec::{ArmSpec, Provider, RouterKind, SetChoice};

/// How a router is set up for a replay.
#[derive(Clone, Debug)]
pub struct RouterSetup {
    /// Which.
    pub kind: RouterKind,
    /// Exploration in units of uncertainty, at least 0.
    pub alpha: f64,
    /// Share of requests that explore uniformly, in [0, 1].
    pub explore_share: f64,
    /// Prior, forgetting and the like; dimensions and blocks follow the problem.
    pub config: RouterConfig,
    /// How k arms are chosen.
    pub set: SetChoice,
    /// The ceiling of mean dollars per request that it keeps to; `None` lets it spend as it likes.
    pub budget: Option<f64>,
    /// What it believes of arms before it has seen anything, under the problem's schema; of others, nothing.
    pub priors: Vec<ArmPrior>,
}

/// A router with its state.
pub struct Routed {
    router: Box<dyn Router>,
    state: RouterState,
    arms: Vec<ArmId>,
    candidates: Vec<ArmId>,
    entry: LogEntry,
    set: SetChoice,
    budget: Option<f64>,
    /// A replay keeps no propensities.
    desk: Desk,
}

impl Routed {
    /// A router that knows nothing yet about the arms of `problem`.
    #[must_use]
    pub fn new(setup: &RouterSetup, problem: &Problem) -> Self {
        let schema = problem.schema();
        let config = RouterConfig {
            d: schema.len(),
            blocks: schema.blocks.clone(),
            feature_version: schema.version.clone(),
            ..setup.config.clone()
        };
        let state = RouterState::new(config, problem.counting().weights, setup.alpha, setup.explore_share);
        let observation = Observation { spent_usd: None, run: run_id(0), x: Vec::new(), arms: Vec::new() };
        let mut routed = Self {
            router: router(setup.kind),
            state,
            arms: problem.arms().to_vec(),
            candidates: Vec::new(),
            entry: entry(0, RouterCommand::Observe(observation)),
            set: setup.set,
            budget: setup.budget,
            desk: Desk::without_propensities(),
        };
        for arm in problem.arms() {
            let next = routed.state.sequence() + 1;
            routed.state.apply(&entry(next, RouterCommand::AddArm { spec: spec(arm) }));
        }
        let known = setup.priors.iter().filter(|prior| problem.arms().contains(&prior.arm));
        let arms: Vec<ArmPrior> = known.cloned().collect();
        if !arms.is_empty() {
            let next = routed.state.sequence() + 1;
            let feature_version = schema.version.clone();
            routed.state.apply(&entry(next, RouterCommand::SetPrior { feature_version, arms }));
        }
        routed.open_account();
        routed
    }

    /// A new account, with all that is known of contexts and costs. The ceiling that stands already would go on with
    /// its old account, so another one stands for a moment.
    fn open_account(&mut self) {
        let Some(ceiling) = self.budget else { return };
        for dollars in [2.0 * ceiling, ceiling] {
            self.act(RouterCommand::SetBudget { dollars: Some(dollars) });
        }
    }

    fn act(&mut self, command: RouterCommand) {
        let next = self.state.sequence() + 1;
        self.state.apply(&entry(next, command));
    }

    /// What was learned.
    #[must_use]
    pub const fn state(&self) -> &RouterState {
        &self.state
    }
}

impl Policy for Routed {
    fn choose(&mut self, x: &[f64], open: &[usize], k: usize, draw: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>) {
        let candidates = if open.len() == self.arms.len() {
            &self.arms
        } else {
            self.candidates.clear();
            self.candidates.extend(open.iter().map(|at| self.arms[*at].clone()));
            &self.candidates
        };
        let first = match self.set {
            SetChoice::ExpectedBest => k,
            SetChoice::HighestScores => 1,
        };
        self.router.select_on(&mut self.desk, &self.state, Contexts::same(x), candidates, first, draw);
        let scores = &self.desk.selection.scores;
        // The selected ones come first, the rest by score: both ways of choosing are a prefix.
        let place = |arm: &ArmId| self.arms.iter().position(|known| known == arm);
        chosen.extend(scores.iter().take(k).filter_map(|score| place(&score.arm)));
    }

    fn begin(&mut self) {
        self.open_account();
    }

    fn learn(&mut self, x: &[f64], seen: &[Seen]) {
        self.entry.sequence = self.state.sequence() + 1;
        if let RouterCommand::Observe(observation) = &mut self.entry.command {
            observation.run = run_id(self.entry.sequence);
            observation.x.clear();
            observation.x.extend_from_slice(x);
            observation.arms.clear();
            observation.arms.extend(seen.iter().map(|seen| taught(seen, &self.arms)));
        }
        self.router.bulk_update(&mut self.state, &self.entry);
    }

    fn leaves(&mut self, arm: usize) {
        self.act(RouterCommand::RemoveArm { arm: self.arms[arm].clone() });
    }

    fn joins(&mut self, arm: usize) {
        self.act(RouterCommand::AddArm { spec: spec(&self.arms[arm]) });
    }
}

fn taught(seen: &Seen, arms: &[ArmId]) -> ArmObservation {
    ArmObservation {
        arm: arms[seen.arm].clone(),
        signals: Vec::new(),
        quality: Some(seen.quality),
        preview: seen.terms,
        answer: seen.dollars.map(|dollars| AnswerOutcome { dollars, fallback: 0.0 }),
        trial: seen.raced,
        win: seen.raced && seen.served,
        served: seen.served,
    }
}

fn run_id(sequence: u64) -> TimeId {
    TimeId::new(Timestamp::from_millis(sequence), sequence)
}

fn entry(sequence: u64, command: RouterCommand) -> LogEntry {
    let at = Timestamp::from_millis(sequence);
    LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command }
}

fn spec(arm: &ArmId) -> ArmSpec {
    ArmSpec {
        name: arm.clone(),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: arm.as_str().to_owned(),
        api_key_env: None,
        price: None,
        enabled: true,
    }
}
