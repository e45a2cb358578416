//! The four policies behind [`Router`]: upper confidence bound, posterior draws, configured order, any arm.
//! Each turns the shared standings into scores; exploration, probation and propensities are common.

use super::desk::Desk;
use super::normal::draw_normal;
use super::router::{Contexts, Router};
use super::state::RouterState;
use crate::domain::ids::ArmId;
use crate::domain::spec::RouterKind;

/// Sets drawn for the propensities of posterior draws of more than one arm.
const PROPENSITY_DRAWS: usize = 256;
/// The share of races of posterior draws that are between any arms, beside those draws; each of them has the same.
pub const UNIFORM_SHARE: f64 = 1.0 / (PROPENSITY_DRAWS + 1) as f64;

/// score = mean + α·reach (Li et al. 2010, disjoint), reach being the uncertainty in units of the arm's own
/// noise, and more where little was seen: see [`PriorConfig::caution`](super::config::PriorConfig::caution).
#[derive(Clone, Copy, Debug, Default)]
pub struct LinUcb;

impl Router for LinUcb {
    fn kind(&self) -> RouterKind {
        RouterKind::Linucb
    }

    fn select_on(
        &self,
        desk: &mut Desk,
        state: &RouterState,
        contexts: Contexts<'_>,
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) {
        desk.field.lay(state, contexts, candidates, k);
        desk.field.add(|standing| state.alpha() * standing.reach);
        desk.field.rank(state, &mut desk.ranked);
        desk.count_ranked();
        desk.decide(state, draw);
    }
}

/// score = a draw from N(mean, (v·reach)²) (Agrawal & Goyal 2013; for a disjoint model the scalar
/// draw is the policy), v being the state's α. Propensities do not depend on the draw that was taken. Of one arm
/// they are integrals (`foremost.rs`). A set is taken from one uniform choice and `PROPENSITY_DRAWS` posterior draws,
/// each with the same chance, and the shares of those are what is stated: given what was drawn they are exactly the
/// probabilities with which the set was chosen, none of them 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinTs;

impl Router for LinTs {
    fn kind(&self) -> RouterKind {
        RouterKind::Lints
    }

    fn select_on(
        &self,
        desk: &mut Desk,
        state: &RouterState,
        contexts: Contexts<'_>,
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) {
        desk.field.lay(state, contexts, candidates, k);
        let estimates = !desk.skip_propensities;
        if estimates && desk.field.k == 1 {
            desk.count_foremost(|standing| state.alpha() * standing.reach);
        } else if estimates {
            desk.count_uniform(UNIFORM_SHARE);
            for _ in 1..PROPENSITY_DRAWS {
                desk.field.add(|standing| state.alpha() * standing.reach * draw_normal(draw));
                desk.field.rank(state, &mut desk.ranked);
                desk.count(UNIFORM_SHARE);
            }
        }
        desk.field.add(|standing| state.alpha() * standing.reach * draw_normal(draw));
        desk.field.rank(state, &mut desk.ranked);
        if !estimates {
            desk.count_ranked();
        } else if desk.field.k > 1 {
            // Which of equals comes last says nothing: the one that is taken is any of those counted.
            desk.count(UNIFORM_SHARE);
        }
        if desk.field.k > 1 && draw() < UNIFORM_SHARE {
            desk.rank_any(draw);
        }
        desk.decide(state, draw);
    }
}

/// Candidates in configured order; nothing that was learned decides, nothing is explored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline;

impl Router for Baseline {
    fn kind(&self) -> RouterKind {
        RouterKind::Baseline
    }

    fn select_on(
        &self,
        desk: &mut Desk,
        state: &RouterState,
        contexts: Contexts<'_>,
        candidates: &[ArmId],
        k: usize,
        _draw: &mut dyn FnMut() -> f64,
    ) {
        desk.field.lay(state, contexts, candidates, k);
        desk.in_order(state);
    }
}

/// Any k candidates, every set of k with the same chance, so that the propensity of each is exactly k/n: what a log
/// is best written with that others are to learn from. Nothing that was learned decides; arms on probation are
/// candidates like any other. Under a ceiling it draws among those that the account can pay for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Router for Uniform {
    fn kind(&self) -> RouterKind {
        RouterKind::Uniform
    }

    fn select_on(
        &self,
        desk: &mut Desk,
        state: &RouterState,
        contexts: Contexts<'_>,
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) {
        desk.field.lay(state, contexts, candidates, k);
        desk.uniformly(state, draw);
    }
}
