//! Who takes part: the routers under their settings, and the references that anyone would think of first.

use serde::Serialize;

use super::ground::Ground;
use super::policy::{Always, EpsilonGreedy, InOrder, Policy, Uniform};
use super::problem::Problem;
use super::replay::{Replay, ReplayFault};
use super::routed::{Routed, RouterSetup};
use super::yardsticks;
use crate::domain::spec::{RouterKind, SetChoice};

/// The exploration of the plain reference.
const EPSILON: f64 = 0.1;

/// A policy to replay.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// A router of ours.
    Router(Box<RouterSetup>),
    /// The arms in the order of the file.
    Baseline,
    /// The arm (for k > 1, the set of k) that is best on the whole file, in hindsight.
    BestFixed,
    /// Explores a tenth, else follows the mean; no context.
    EpsilonGreedy,
    /// Any arm.
    Uniform,
}

/// The name in tables and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// LinUCB.
    Linucb,
    /// LinTS.
    Lints,
    /// LinUCB racing the k highest scores.
    LinucbTopK,
    /// LinTS racing the k highest scores.
    LintsTopK,
    /// LinUCB under the ceiling.
    LinucbPaced,
    /// LinTS under the ceiling.
    LintsPaced,
    /// Configured order.
    Baseline,
    /// Best single arm or fixed set in hindsight.
    BestFixed,
    /// ε-greedy(0.1) without context.
    EpsilonGreedy,
    /// Uniform.
    Uniform,
}

impl Name {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Linucb => "LinUCB",
            Self::Lints => "LinTS",
            Self::LinucbTopK => "LinUCB, top k",
            Self::LintsTopK => "LinTS, top k",
            Self::LinucbPaced => "LinUCB, paced",
            Self::LintsPaced => "LinTS, paced",
            Self::Baseline => "baseline",
            Self::BestFixed => "best fixed",
            Self::EpsilonGreedy => "ε-greedy 0.1",
            Self::Uniform => "uniform",
        }
    }
}

impl Contestant {
    /// Who it is.
    #[must_use]
    pub const fn name(&self) -> Name {
        match self {
            Self::Router(setup) => match (setup.kind, setup.set) {
                (RouterKind::Linucb, SetChoice::ExpectedBest) if setup.budget.is_some() => Name::LinucbPaced,
                (RouterKind::Lints, SetChoice::ExpectedBest) if setup.budget.is_some() => Name::LintsPaced,
                (RouterKind::Linucb, SetChoice::ExpectedBest) => Name::Linucb,
                (RouterKind::Linucb, SetChoice::HighestScores) => Name::LinucbTopK,
                (RouterKind::Lints, SetChoice::ExpectedBest) => Name::Lints,
                (RouterKind::Lints, SetChoice::HighestScores) => Name::LintsTopK,
                (RouterKind::Baseline, _) => Name::Baseline,
                (RouterKind::Uniform, _) => Name::Uniform,
            },
            Self::Baseline => Name::Baseline,
            Self::BestFixed => Name::BestFixed,
            Self::EpsilonGreedy => Name::EpsilonGreedy,
            Self::Uniform => Name::Uniform,
        }
    }

    /// A maker of new policies that know nothing yet, for races of `k` arms.
    #[must_use]
    pub fn maker<'a>(&'a self, problem: &'a Problem, k: usize) -> Box<dyn Fn() -> Box<dyn Policy> + 'a> {
        match self {
            Self::Router(setup) => Box::new(move || Box::new(Routed::new(setup, problem))),
            Self::Baseline => Box::new(|| Box::new(InOrder)),
            Self::Uniform => Box::new(|| Box::new(Uniform)),
            Self::EpsilonGreedy => Box::new(|| Box::new(EpsilonGreedy::new(EPSILON, problem.arms().len()))),
            Self::BestFixed => always(yardsticks::best_fixed_set(&Ground::new(problem, Vec::new()), k)),
        }
    }

    /// As [`Contestant::maker`], where what is best in hindsight is so under all that changes on the way.
    ///
    /// # Errors
    /// [`ReplayFault`] where a change names an unknown arm.
    pub fn maker_on<'a>(&'a self, replay: &Replay<'a>) -> Result<Box<dyn Fn() -> Box<dyn Policy> + 'a>, ReplayFault> {
        let k = replay.options.k;
        match self {
            Self::BestFixed => Ok(always(yardsticks::best_fixed_set(&replay.ground()?, k))),
            _ => Ok(self.maker(replay.problem, k)),
        }
    }
}

fn always<'a>(set: Option<yardsticks::FixedSet>) -> Box<dyn Fn() -> Box<dyn Policy> + 'a> {
    let best = set.map_or_else(|| vec![0], |set| set.arms);
    Box::new(move || Box::new(Always(best.clone())))
}
