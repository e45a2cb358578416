//! The three policies behind [`Router`]: upper confidence bound, posterior draws, configured order.
//! Each turns the shared standings into scores; exploration, probation and propensities are common.

use super::desk::Desk;
use super::normal::draw_normal;
use super::router::{Contexts, Router};
use super::state::RouterState;
use crate::domain::ids::ArmId;
use crate::domain::spec::RouterKind;

/// Sets drawn for the propensities of posterior draws.
const PROPENSITY_DRAWS: usize = 64;

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
/// draw is the policy), v being the state's α. Propensities are the shares of a fixed number of further
/// draws, the one taken among them, so that none that was taken is 0.
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
        let draws = if desk.skip_propensities { 1 } else { PROPENSITY_DRAWS };
        desk.counts.clear();
        desk.counts.resize(desk.field.contenders.len(), [0.0; 3]);
        // Other draws first: the last is the one that counts.
        for _ in 0..draws {
            desk.field.add(|standing| state.alpha() * standing.reach * draw_normal(draw));
            desk.field.rank(state, &mut desk.ranked);
            desk.count(1.0 / draws as f64);
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
