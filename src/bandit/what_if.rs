//! What a change would do: the same forecast over recent contexts for the state as it is and as it
//! would be. The forecast chooses k arms by what is expected of them, within the bounds of their shares, lets the one
//! with the best quality be served (qualities scatter by the arms' own residuals), and averages. So that shares move
//! smoothly as a weight is turned, expectations are taken at a few fixed points of their own uncertainty, and
//! who is judged best is an integral, not a draw. Deterministic; no state is changed.
//!
//! A run costs its answer, its previews and what stands beside them (judge, fallbacks, search). What an answer
//! costs is learned; the rest comes from recent runs, in [`Outlays`]. Under a ceiling the price of a dollar is the one
//! at which all of that meets it: where the account will have settled, not where it stands.

mod bench;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pacer::{GRID, Turns};
use super::state::RouterState;
use crate::domain::clock::Timestamp;
use crate::domain::context::ArmContexts;
use crate::domain::engine::{Forecast, WhatIf};
use crate::domain::ids::ArmId;
use crate::domain::spec::{RouterKind, Strategy};
use crate::domain::terms::Column;
use bench::{Bench, Sums};
use rules::Rules;

/// Contexts at most over which the price of a dollar is looked for, evenly spaced.
const PRICED: usize = 64;

/// A state, and how runs go in it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What is known.
    pub state: &'a RouterState,
    /// Who chooses.
    pub router: RouterKind,
    /// How a run goes where the state's mode does not say; only a race has previews. `Auto` goes as most of the
    /// recent runs went.
    pub strategy: Strategy,
    /// Previews of a race.
    pub k: usize,
    /// When: bounds of shares move with time.
    pub now: Timestamp,
}

/// What runs usually cost and take beside what is learned of their answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlays {
    /// Mean dollars of a preview by arm, where it was asked for any.
    pub preview_usd: BTreeMap<ArmId, f64>,
    /// Mean dollars of a run with previews, but for these and the answer that was served.
    pub beside_race_usd: f64,
    /// The same of a run without previews.
    pub beside_direct_usd: f64,
    /// Share of the runs that had previews, in [0, 1].
    pub race_share: f64,
    /// Preview p95 seconds by arm, where it is known.
    pub p95_s: BTreeMap<ArmId, f64>,
}

impl Outlays {
    /// Mean dollars of a preview of `arm`; the mean of the others where it was asked for none.
    fn preview(&self, arm: &ArmId) -> f64 {
        let mean = || self.preview_usd.values().sum::<f64>() / self.preview_usd.len().max(1) as f64;
        self.preview_usd.get(arm).copied().unwrap_or_else(mean)
    }
}

/// What routing does over `contexts` `now` and `then`. Contexts of another length are left out. Signals about an arm are
/// as they were at the time, and for an arm that could not be asked then as they were last.
#[must_use]
pub fn what_if(now: Side<'_>, then: Side<'_>, contexts: &[Arc<ArmContexts>], outlays: &Outlays) -> WhatIf {
    let gone = |arm: &ArmId| then.state.arm(arm.as_str()).is_none_or(|arm| !arm.lifecycle.is_candidate());
    let d = now.state.config().d;
    let contexts: Vec<&ArmContexts> = contexts.iter().map(AsRef::as_ref).filter(|met| met.x().len() == d).collect();
    WhatIf {
        contexts: contexts.len(),
        now: forecast(now, &contexts, outlays),
        then: forecast(then, &contexts, outlays),
        victims: now.state.candidates().into_iter().filter(gone).collect(),
    }
}

fn forecast(side: Side<'_>, contexts: &[&ArmContexts], outlays: &Outlays) -> Forecast {
    let candidates = side.state.candidates();
    let arms: Vec<usize> = candidates.iter().filter_map(|id| side.state.find(id.as_str())).collect();
    if contexts.is_empty() || arms.is_empty() {
        return Forecast::default();
    }
    let rules = Rules::new(side, &arms, outlays);
    let mut bench = Bench::new(side.state, &arms, contexts);
    let turns = side.state.budget_per_request().map(|ceiling| (ceiling, price_under(ceiling, &mut bench, &rules)));
    let mut sums = Sums::new(arms.len());
    for at in 0..contexts.len() {
        bench.run(&rules, at, |turn| turns.map_or(0.0, |(ceiling, price)| price.lambda(turn) / ceiling), &mut sums);
    }
    let (reward, dollars, shares) = sums.means();
    let share: Vec<(ArmId, f64)> = candidates.into_iter().zip(shares).collect();
    let is_paid = arms.iter().any(|&i| side.state.arms[i].stats.data_mean(Column::Dollars).1 > 0.0);
    let is_priced = dollars > 0.0 || arms.iter().any(|&i| side.state.arms[i].spec.price.is_some());
    Forecast {
        reward: Some(reward.clamp(0.0, 1.0)),
        usd_per_run: (is_paid && is_priced).then(|| (dollars + rules.beside_usd).max(0.0)),
        p95_s: weighted(&share, &outlays.p95_s),
        share,
    }
}

/// λ under which whole runs cost `ceiling` in the mean; the steepest where no λ makes them that cheap.
fn price_under(ceiling: f64, bench: &mut Bench, rules: &Rules) -> Turns {
    let every = bench.contexts().div_ceil(PRICED).max(1);
    let mut cost = |place: usize| {
        let (price, mut sums) = (Turns::fixed(place), Sums::new(bench.arms()));
        for at in (0..bench.contexts()).step_by(every) {
            bench.run(rules, at, |turn| price.lambda(turn) / ceiling, &mut sums);
        }
        sums.means().1 + rules.beside_usd
    };
    if cost(0) <= ceiling {
        return Turns::fixed(0);
    }
    let (mut dear, mut cheap) = (0, GRID - 1);
    if cost(cheap) > ceiling {
        return Turns::fixed(cheap);
    }
    while cheap - dear > 1 {
        let middle = usize::midpoint(dear, cheap);
        if cost(middle) <= ceiling {
            cheap = middle;
        } else {
            dear = middle;
        }
    }
    Turns::between(cheap, (cost(dear), cost(cheap)), ceiling)
}

/// Mean of what is known, weighted by share.
fn weighted(share: &[(ArmId, f64)], value: &BTreeMap<ArmId, f64>) -> Option<f64> {
    let known = share.iter().filter_map(|(arm, share)| Some((*value.get(arm)?, *share)));
    let (sum, weight) = known.fold((0.0, 0.0), |(sum, weight), (value, share)| (sum + value * share, weight + share));
    (weight > 0.0).then(|| sum / weight)
}
