//! The three policies behind [`Router`]: upper confidence bound, posterior draws, configured order.
//! Each turns the shared standings into scores; exploration, probation and propensities are common.

use super::normal::draw_normal;
use super::router::{Field, Router, Selection};
use super::state::RouterState;
use crate::domain::ids::ArmId;
use crate::domain::spec::RouterKind;

/// Sets drawn for the propensities of posterior draws.
const PROPENSITY_DRAWS: usize = 64;

/// score = mean + α·uncertainty (Li et al. 2010, disjoint), uncertainty in units of the arm's own noise.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinUcb;

impl Router for LinUcb {
    fn kind(&self) -> RouterKind {
        RouterKind::Linucb
    }

    fn select(
        &self,
        state: &RouterState,
        x: &[f64],
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let mut field = Field::new(state, x, candidates, k);
        field.add(|standing| state.alpha() * standing.uncertainty);
        let mut ranked = Vec::with_capacity(field.k);
        field.rank(&mut ranked);
        let among = |i: usize| {
            let place = ranked.iter().position(|&chosen| chosen == i);
            [f64::from(place.is_some()), f64::from(place.is_some_and(|place| place + 1 < ranked.len()))]
        };
        field.decide(state, &ranked, among, draw)
    }
}

/// score = a draw from N(mean, (v·uncertainty)²) (Agrawal & Goyal 2013; for a disjoint model the scalar
/// draw is the policy), v being the state's α. Propensities are the shares of a fixed number of further
/// draws, the one taken among them, so that none that was taken is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinTs;

impl Router for LinTs {
    fn kind(&self) -> RouterKind {
        RouterKind::Lints
    }

    fn select(
        &self,
        state: &RouterState,
        x: &[f64],
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let mut field = Field::new(state, x, candidates, k);
        let mut ranked = Vec::with_capacity(field.k);
        let mut counts = vec![[0.0; 2]; field.contenders.len()];
        let mut taken = Vec::new();
        // Other draws first: the last is the one that counts.
        for _ in 0..PROPENSITY_DRAWS {
            field.add(|standing| state.alpha() * standing.uncertainty * draw_normal(draw));
            field.rank(&mut ranked);
            for (place, &i) in ranked.iter().enumerate() {
                counts[i][0] += 1.0 / PROPENSITY_DRAWS as f64;
                counts[i][1] += f64::from(place + 1 < ranked.len()) / PROPENSITY_DRAWS as f64;
            }
            std::mem::swap(&mut ranked, &mut taken);
        }
        field.decide(state, &taken, |i| counts[i], draw)
    }
}

/// Candidates in configured order; nothing that was learned decides, nothing is explored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline;

impl Router for Baseline {
    fn kind(&self) -> RouterKind {
        RouterKind::Baseline
    }

    fn select(
        &self,
        state: &RouterState,
        x: &[f64],
        candidates: &[ArmId],
        k: usize,
        _draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        Field::new(state, x, candidates, k).in_order(state)
    }
}
