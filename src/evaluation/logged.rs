//! What a policy would have earned on a log of our own runs, from the records alone: the estimators of
//! `off_policy.rs` fed with propensities, with a model and a learned policy that never saw the decisions
//! that they are judged on.
//!
//! The log is cut in two halves at random; what is learned from one half (a router, the best arm, the
//! reward model) is judged on the other, and the other way round (cross-fitting; Chernozhukov et al. 2018).
//! A router is thus judged as it is after half of the log, standing still. Policies answer with one arm; of a
//! race each arm that was judged counts with the probability with which it was among those that raced *and* could be
//! judged (`chances.rs`): content that failed is an outcome of quality 0, a call that failed in passing is none, and
//! leaves more weight to the other selections of that arm.

use serde::Serialize;

use super::contestant::Name;
use super::off_policy::{Estimate, NoEstimate, OffPolicy, Weighed, of_weighed};
use super::policy::{Policy, Seen};
use super::problem::Problem;
use super::routed::{Routed, RouterSetup};
use super::streams::{Generator, Purpose, Uniforms, shuffled, stream_seed};
use crate::bandit::{Router, router};
use crate::domain::ids::ArmId;

/// A log that is worth fewer decisions of a policy says nothing about it.
const LEAST: f64 = 30.0;

/// Whose worth is asked for.
#[derive(Clone, Debug)]
pub enum Target {
    /// A router, learned from the other half of the log, with its share of exploration.
    Router(Box<RouterSetup>),
    /// The arm with the best mean in the other half, corrected by propensities.
    BestArm,
    /// This arm always.
    Arm(ArmId),
    /// The candidates in the order of the file.
    Baseline,
    /// Any candidate.
    Uniform,
}

/// A number with its standard error and 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
    /// Its 95 % interval.
    pub ci95: [f64; 2],
}

impl From<Estimate> for Figure {
    fn from(estimate: Estimate) -> Self {
        Self { value: estimate.value, se: estimate.se, ci95: estimate.interval() }
    }
}

/// All estimates of one policy's worth: the shape of `off-policy --json`. Fields may be added, none renamed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Logged decisions.
    pub rows: usize,
    /// Inverse propensity score.
    pub ips: Figure,
    /// Self-normalised.
    pub snips: Figure,
    /// The model alone.
    pub dm: Figure,
    /// Doubly robust: the one to believe.
    pub dr: Figure,
    /// As many decisions of the policy the log is worth.
    pub effective_sample_size: f64,
    /// One decision that counts as so many.
    pub largest_weight: f64,
}

impl From<OffPolicy> for Worth {
    fn from(found: OffPolicy) -> Self {
        Self {
            rows: found.rows,
            ips: found.ips.into(),
            snips: found.snips.into(),
            dm: found.dm.into(),
            dr: found.dr.into(),
            effective_sample_size: found.effective_sample_size,
            largest_weight: found.largest_weight,
        }
    }
}

impl Target {
    /// Who it is; `None` for a single arm, which has a name of its own.
    #[must_use]
    pub const fn name(&self) -> Option<Name> {
        match self {
            Self::Router(setup) => Some(match setup.kind {
                crate::domain::spec::RouterKind::Linucb => Name::Linucb,
                crate::domain::spec::RouterKind::Lints => Name::Lints,
                crate::domain::spec::RouterKind::Baseline => Name::Baseline,
                crate::domain::spec::RouterKind::Uniform => Name::Uniform,
            }),
            Self::BestArm => Some(Name::BestFixed),
            Self::Arm(_) => None,
            Self::Baseline => Some(Name::Baseline),
            Self::Uniform => Some(Name::Uniform),
        }
    }
}

/// A log and how to learn from it.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    /// The logged decisions.
    pub problem: &'a Problem,
    /// The router whose regression models the reward.
    pub model: &'a RouterSetup,
    /// Decides the halves and every draw.
    pub seed: u64,
    /// Where chance comes from.
    pub generator: Generator<'a>,
}

impl Log<'_> {
    /// What `target` would have earned.
    ///
    /// # Errors
    /// [`NoEstimate`] where the records are no log, a propensity cannot be, or the log does not support the policy.
    pub fn worth(&self, target: &Target) -> Result<Worth, NoEstimate> {
        self.check()?;
        let stream = |purpose| (self.generator)(stream_seed(self.seed, 0, purpose));
        let mut rows = shuffled(self.problem.rows(), &mut stream(Purpose::Order));
        // One on which all were lost is a decision too.
        rows.retain(|row| self.problem.propensities(*row).iter().any(Option::is_some));
        let uneven = self.problem.chances().uneven();
        rows.retain(|row| uneven.binary_search(row).is_err());
        let mut draw = stream(Purpose::Policy);
        let (one, other) = rows.split_at(rows.len() / 2);
        let mut weighed = Vec::with_capacity(rows.len());
        let mut taken = vec![false; self.problem.arms().len()];
        for (learned, judged) in [(one, other), (other, one)] {
            let half = Half::learn(self, target, learned);
            weighed.extend(judged.iter().map(|row| half.weigh(self.problem, *row, &mut draw, &mut taken)));
        }
        self.check_lost(&taken)?;
        let found = of_weighed(&weighed)?;
        if found.effective_sample_size < LEAST {
            let (rows, found) = (found.rows, found.effective_sample_size);
            return Err(NoEstimate::TooThin { found, rows, least: LEAST });
        }
        Ok(found.into())
    }

    fn check(&self) -> Result<(), NoEstimate> {
        if !self.problem.is_log() {
            return Err(NoEstimate::NoPropensities);
        }
        if let [first, others @ ..] = self.problem.chances().unnamed() {
            let id = self.problem.id(*first).to_owned();
            return Err(NoEstimate::UnnamedLoss { id, others: others.len() });
        }
        for row in 0..self.problem.rows() {
            let chances = self.problem.propensities(row);
            for &arm in self.problem.open(row) {
                let found = chances.get(arm).copied().flatten().unwrap_or(0.0);
                if found <= 0.0 {
                    let (id, arm) = (self.problem.id(row).to_owned(), self.problem.arms()[arm].clone());
                    return Err(NoEstimate::SeenWithoutChance { id, arm, found });
                }
            }
        }
        let uneven = self.problem.chances().uneven();
        if let ([first, others @ ..], true) = (uneven, uneven.len() == self.problem.rows()) {
            let id = self.problem.id(*first).to_owned();
            return Err(NoEstimate::Uneven { id, others: others.len() });
        }
        Ok(())
    }

    /// Of the arms that the policy takes, enough could be judged.
    fn check_lost(&self, taken: &[bool]) -> Result<(), NoEstimate> {
        let by_arm = self.problem.chances().selections().iter().zip(self.problem.arms()).zip(taken);
        let mut lost = by_arm.filter(|((each, _), taken)| **taken && each.is_mostly_lost());
        lost.next().map_or(Ok(()), |((each, arm), _)| {
            Err(NoEstimate::MostlyLost { arm: arm.clone(), selected: each.selected, lost: each.lost })
        })
    }
}

/// What one half of the log taught.
struct Half<'a> {
    model: Routed,
    policy: Learned<'a>,
}

enum Learned<'a> {
    Router(Box<Routed>, Box<dyn Router>),
    Arm(usize),
    Plain(&'a Target),
}

impl<'a> Half<'a> {
    fn learn(log: &Log<'_>, target: &'a Target, rows: &[usize]) -> Self {
        let problem = log.problem;
        let taught = |setup: &RouterSetup| {
            let mut routed = Routed::new(setup, problem);
            for row in rows {
                routed.learn(problem.context(*row), &seen(problem, *row));
            }
            routed
        };
        let policy = match target {
            Target::Router(setup) => Learned::Router(Box::new(taught(setup)), router(setup.kind)),
            Target::BestArm => Learned::Arm(best_arm(problem, rows)),
            Target::Arm(name) => {
                let place = problem.arms().iter().position(|arm| arm == name);
                place.map_or(Learned::Plain(target), Learned::Arm)
            }
            Target::Baseline | Target::Uniform => Learned::Plain(target),
        };
        Self { model: taught(log.model), policy }
    }

    fn weigh(&self, problem: &Problem, row: usize, draw: &mut Uniforms, taken: &mut [bool]) -> Weighed {
        let x = problem.context(row);
        let chances = problem.propensities(row);
        let candidates: Vec<usize> = (0..chances.len()).filter(|arm| chances[*arm].is_some()).collect();
        let target = self.probabilities(problem, x, &candidates, draw);
        let modelled = |arm: usize| {
            let estimate = self.model.state().estimate(problem.arms()[arm].as_str(), x);
            estimate.map_or(0.0, |estimate| estimate.mean.clamp(0.0, 1.0))
        };
        let mut weighed = Weighed::default();
        for (&arm, &pi) in candidates.iter().zip(&target) {
            let chance = chances[arm].unwrap_or(0.0);
            taken[arm] |= pi > 0.0;
            weighed.modelled_target += pi * modelled(arm);
            if chance <= 0.0 {
                weighed.unsupported += pi;
            } else if let Some(outcome) = problem.outcome(row, arm) {
                weighed.weight += pi / chance;
                weighed.reward += pi / chance * outcome.reward;
                weighed.modelled += pi / chance * modelled(arm);
            }
        }
        weighed
    }

    /// By candidate the probability with which the policy answers with it.
    fn probabilities(&self, problem: &Problem, x: &[f64], candidates: &[usize], draw: &mut Uniforms) -> Vec<f64> {
        let only = |arm: usize| candidates.iter().map(|at| f64::from(*at == arm)).collect::<Vec<f64>>();
        match &self.policy {
            Learned::Router(learned, router) => {
                let names: Vec<ArmId> = candidates.iter().map(|at| problem.arms()[*at].clone()).collect();
                let chosen = router.select(learned.state(), x, &names, 1, draw);
                let of = |name: &ArmId| chosen.scores.iter().find(|score| score.arm == *name);
                names.iter().map(|name| of(name).map_or(0.0, |score| score.propensity)).collect()
            }
            // Where it was no candidate, the first one is as good as any.
            Learned::Arm(arm) if candidates.contains(arm) => only(*arm),
            Learned::Plain(Target::Uniform) => vec![1.0 / candidates.len().max(1) as f64; candidates.len()],
            _ => only(candidates.first().copied().unwrap_or(0)),
        }
    }
}

fn seen(problem: &Problem, row: usize) -> Vec<Seen> {
    let open = problem.open(row);
    let one = |arm: usize| {
        let outcome = problem.outcome(row, arm)?;
        Some(Seen::of(arm, outcome, open.len() > 1))
    };
    open.iter().filter_map(|arm| one(*arm)).collect()
}

/// The arm with the highest self-normalised mean over these rows.
fn best_arm(problem: &Problem, rows: &[usize]) -> usize {
    let mean = |arm: usize| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for &row in rows {
            let chance = problem.propensities(row).get(arm).copied().flatten().unwrap_or(0.0);
            if let Some(outcome) = problem.outcome(row, arm).filter(|_| chance > 0.0) {
                sum += outcome.reward / chance;
                weight += 1.0 / chance;
            }
        }
        if weight > 0.0 { sum / weight } else { f64::NEG_INFINITY }
    };
    let means: Vec<f64> = (0..problem.arms().len()).map(mean).collect();
    (0..means.len()).max_by(|a, b| means[*a].total_cmp(&means[*b]).then(b.cmp(a))).unwrap_or(0)
}
