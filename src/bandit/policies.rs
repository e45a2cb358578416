//! The three policies behind [`Router`]: upper confidence bound, posterior draws, configured order.
//! Each turns the shared standings into scores; exploration, probation and propensities are common.

use super::choose::{Contender, choose};
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
        for (contender, standing) in field.contenders.iter_mut().zip(&field.standings) {
            contender.bonus = state.alpha() * standing.uncertainty;
            contender.score = standing.mean + contender.bonus;
        }
        let mut ranked = Vec::with_capacity(field.k);
        choose(&field.competing(), field.k, field.quality_weight, &mut ranked);
        let order = ranked.clone();
        let among = move |at: usize| {
            let place = order.iter().position(|&chosen| chosen == at);
            [f64::from(place.is_some()), f64::from(place.is_some_and(|place| place + 1 < order.len()))]
        };
        field.decide(state, &ranked, &among, draw)
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
        for (contender, standing) in field.contenders.iter_mut().zip(&field.standings) {
            contender.bonus = state.alpha() * standing.uncertainty * draw_normal(draw);
            contender.score = standing.mean + contender.bonus;
        }
        let mut ranked = Vec::with_capacity(field.k);
        let mut competing = field.competing();
        choose(&competing, field.k, field.quality_weight, &mut ranked);
        let counts = draw_sets(state, &field, &mut competing, &ranked, draw);
        let among = move |at: usize| counts[at];
        field.decide(state, &ranked, &among, draw)
    }
}

/// By position in `open`: the shares of sets in which it is among the first k, and the first k − 1.
fn draw_sets(
    state: &RouterState,
    field: &Field,
    competing: &mut [Contender],
    taken: &[usize],
    draw: &mut dyn FnMut() -> f64,
) -> Vec<[f64; 2]> {
    let mut counts = vec![[0.0; 2]; competing.len()];
    let mut count = |ranked: &[usize]| {
        for (place, &at) in ranked.iter().enumerate() {
            counts[at][0] += 1.0;
            counts[at][1] += f64::from(place + 1 < ranked.len());
        }
    };
    count(taken);
    let mut ranked = Vec::with_capacity(field.k);
    for _ in 1..PROPENSITY_DRAWS {
        for (contender, &i) in competing.iter_mut().zip(&field.open) {
            contender.bonus = state.alpha() * field.standings[i].uncertainty * draw_normal(draw);
            contender.score = field.standings[i].mean + contender.bonus;
        }
        choose(competing, field.k, field.quality_weight, &mut ranked);
        count(&ranked);
    }
    counts.iter().map(|both| both.map(|count| count / PROPENSITY_DRAWS as f64)).collect()
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
