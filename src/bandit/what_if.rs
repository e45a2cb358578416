//! What a change would do: the same forecast over recent contexts for the state as it is and as it
//! would be. The forecast chooses k arms by what is expected of them, lets the one with the best quality
//! be served (qualities scatter by the arms' own residuals), and averages. So that shares move smoothly
//! as a weight is turned, expectations are taken at a few fixed points of their own uncertainty, and
//! who is judged best is an integral, not a draw. Deterministic; no state is changed.

use std::sync::Arc;

use super::beside::Correction;
use super::choose::{Contender, choose};
use super::lens::Standing;
use super::normal::{Largest, Normal};
use super::probe::Probe;
use super::state::RouterState;
use crate::domain::context::ArmContexts;
use crate::domain::engine::{Forecast, WhatIf};
use crate::domain::ids::ArmId;
use crate::domain::spec::Lifecycle;
use crate::domain::terms::{Column, Term};

/// Points of uncertainty at which a context is looked at.
const VIEWS: usize = 4;

/// What routing does over `contexts` in the state `now` and in the state `then`, with `k` previews; `p95`
/// knows an arm's preview p95 in seconds. Contexts of another length are left out. Signals about an arm are
/// as they were at the time, and for an arm that could not be asked then as they were last.
#[must_use]
pub fn what_if(
    now: &RouterState,
    then: &RouterState,
    contexts: &[Arc<ArmContexts>],
    k: usize,
    p95: &dyn Fn(&ArmId) -> Option<f64>,
) -> WhatIf {
    let gone = |arm: &ArmId| then.arm(arm.as_str()).is_none_or(|arm| !arm.lifecycle.is_candidate());
    let d = now.config().d;
    let contexts: Vec<&ArmContexts> = contexts.iter().map(AsRef::as_ref).filter(|met| met.x().len() == d).collect();
    WhatIf {
        contexts: contexts.len(),
        now: forecast(now, &contexts, k, p95),
        then: forecast(then, &contexts, k, p95),
        victims: now.candidates().into_iter().filter(gone).collect(),
    }
}

/// One arm's sums over contexts.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    share: f64,
    dollars: f64,
}

fn forecast(state: &RouterState, contexts: &[&ArmContexts], k: usize, p95: &dyn Fn(&ArmId) -> Option<f64>) -> Forecast {
    let candidates = state.candidates();
    let arms: Vec<usize> = candidates.iter().filter_map(|id| state.find(id.as_str())).collect();
    let mut sums = vec![Sums::default(); arms.len()];
    let mut bench = Bench::new(state, &arms, k);
    let mut reward = 0.0;
    let mut views = 0.0;
    let mut probe = Probe::default();
    let prices = state.forecast_prices(contexts);
    let newest = |id: &ArmId| contexts.iter().rev().find_map(|met| met.own(id)).unwrap_or_default();
    let newest: Vec<&[f64]> = candidates.iter().map(newest).collect();
    let width = newest.iter().map(|own| own.len()).max().unwrap_or(0);
    for (at, met) in contexts.iter().enumerate() {
        probe.aim(&state.shared.prior, &met.x()[..met.x().len() - width], state.steps);
        bench.clear();
        for ((&arm, id), newest) in arms.iter().zip(&candidates).zip(&newest) {
            if width > 0 {
                probe.turn(&state.shared.prior, met.own(id).unwrap_or(newest));
            }
            bench.look(state, arm, &probe);
        }
        for view in 0..VIEWS {
            bench.per_dollar = prices.as_ref().map_or(0.0, |price| price(at * VIEWS + view));
            reward += bench.race(view, &mut sums);
        }
        reward += bench.explore(at, &mut sums);
        views += VIEWS as f64;
    }
    if views == 0.0 || arms.is_empty() {
        return Forecast::default();
    }
    let share: Vec<(ArmId, f64)> = candidates.iter().cloned().zip(sums.iter().map(|sum| sum.share / views)).collect();
    let has_dollars = arms.iter().any(|&i| state.arms[i].stats.data_mean(Column::Dollars).1 > 0.0);
    Forecast {
        reward: Some((reward / views).clamp(0.0, 1.0)),
        usd_per_run: has_dollars.then(|| (sums.iter().map(|sum| sum.dollars).sum::<f64>() / views).max(0.0)),
        p95_s: weighted(&share, p95),
        share,
    }
}

/// Mean of what is known, weighted by share.
fn weighted(share: &[(ArmId, f64)], value: &dyn Fn(&ArmId) -> Option<f64>) -> Option<f64> {
    let known = share.iter().filter_map(|(arm, share)| Some((value(arm)?, *share)));
    let (sum, weight) = known.fold((0.0, 0.0), |(sum, weight), (value, share)| (sum + value * share, weight + share));
    (weight > 0.0).then(|| sum / weight)
}

/// Buffers for racing the arms at one context after the other.
struct Bench {
    k: usize,
    quality_weight: f64,
    per_dollar: f64,
    explore: f64,
    probation: f64,
    on_probation: Vec<bool>,
    /// How guesses are corrected, of arm j beside arm i, at i·n + j.
    corrections: Vec<Correction>,
    standings: Vec<Standing>,
    dollars: Vec<f64>,
    contenders: Vec<Contender>,
    open: Vec<usize>,
    chosen: Vec<usize>,
    set: Vec<usize>,
    normals: Vec<Normal>,
    largest: Largest,
}

impl Bench {
    fn new(state: &RouterState, arms: &[usize], k: usize) -> Self {
        let on_probation: Vec<bool> =
            arms.iter().map(|&i| state.arms[i].pool.lifecycle == Lifecycle::Probation).collect();
        let k = k.clamp(1, arms.len().max(1));
        let active: Vec<usize> = (0..arms.len()).filter(|&at| !on_probation[at]).collect();
        let all_open = active.len() < k || active.len() == arms.len();
        Self {
            k,
            quality_weight: state.weights.get(Term::Quality),
            per_dollar: 0.0,
            explore: state.explore_share.clamp(0.0, 1.0),
            probation: if all_open { 0.0 } else { state.config().probation_share.clamp(0.0, 1.0) },
            open: if all_open { (0..arms.len()).collect() } else { active },
            on_probation: if all_open { vec![false; arms.len()] } else { on_probation },
            corrections: corrections(state, arms),
            standings: Vec::new(),
            dollars: Vec::new(),
            contenders: Vec::new(),
            chosen: Vec::new(),
            set: Vec::new(),
            normals: Vec::new(),
            largest: Largest::default(),
        }
    }

    fn clear(&mut self) {
        self.standings.clear();
        self.dollars.clear();
    }

    fn look(&mut self, state: &RouterState, arm: usize, probe: &Probe) {
        let arm = &state.arms[arm];
        self.standings.push(arm.lens.standing(&arm.stats, &state.shared.prior, &state.noise, probe));
        let expected = super::kernels::dot(arm.stats.theta(Column::Dollars), probe.x());
        let is_paced = state.budget_per_request().is_some();
        self.dollars.push(if is_paced { arm.expected_dollars(probe.x()) } else { expected });
    }

    /// The expected reward of what is served; adds each arm's share and dollars to `sums`.
    fn race(&mut self, view: usize, sums: &mut [Sums]) -> f64 {
        let omega = self.quality_weight;
        self.contenders.clear();
        for (at, standing) in self.standings.iter().enumerate() {
            let mean = standing.mean + standing.uncertainty * point(at, view);
            let contender = Contender::new(at, Standing { mean, ..*standing }, omega, 0.0);
            self.contenders.push(contender.priced(self.per_dollar * self.dollars[at]));
        }
        let (n, corrections) = (self.standings.len(), &self.corrections);
        let read = |i: &Contender, j: &Contender| corrections[i.arm * n + j.arm];
        choose(&mut self.contenders, &self.open, self.k, omega, read, &mut self.chosen);
        let mut reward = 0.0;
        let by_policy = 1.0 - self.explore;
        self.set.clear();
        self.set.extend_from_slice(&self.chosen);
        reward += self.serve(by_policy * (1.0 - self.probation), sums);
        let guests: Vec<usize> = (0..self.standings.len()).filter(|&at| self.on_probation[at]).collect();
        for &guest in &guests {
            self.set.pop();
            self.set.push(guest);
            reward += self.serve(by_policy * self.probation / guests.len() as f64, sums);
        }
        reward
    }

    /// The share of runs that explores, over all views: k neighbours from a start that moves on with every
    /// context, so that over many contexts each arm is in it equally often.
    fn explore(&mut self, context: usize, sums: &mut [Sums]) -> f64 {
        let n = self.open.len().max(1);
        self.set.clear();
        self.set.extend((0..self.k.min(self.open.len())).map(|i| self.open[(context + i) % n]));
        self.serve(self.explore * VIEWS as f64, sums)
    }

    /// Lets the arms of `set` race, with this weight.
    fn serve(&mut self, weight: f64, sums: &mut [Sums]) -> f64 {
        if weight <= 0.0 || self.set.is_empty() {
            return 0.0;
        }
        self.normals.clear();
        let normal =
            |at: &usize| Normal { mean: self.standings[*at].quality, sd: self.standings[*at].quality_variance.sqrt() };
        self.normals.extend(self.set.iter().map(normal));
        self.largest.of(&self.normals);
        let mut rest = 0.0;
        for (&at, &wins) in self.set.iter().zip(&self.largest.probability) {
            let standing = &self.standings[at];
            rest += wins * (standing.mean - self.quality_weight * standing.quality);
            sums[at].share += weight * wins;
            sums[at].dollars += weight * wins * self.dollars[at];
        }
        weight * (rest + self.quality_weight * self.largest.expected)
    }
}

/// How guesses about pairs of these arms are corrected.
fn corrections(state: &RouterState, arms: &[usize]) -> Vec<Correction> {
    let usual = state.usual_beside();
    let pair = |i: usize, j: usize| {
        let (usually, left) = state.usually_beside(&usual, j);
        usual.of_pair(&state.arms[j].beside, left, i, usually)
    };
    arms.iter().flat_map(|&i| arms.iter().map(move |&j| pair(i, j))).collect()
}

/// A fixed point of a standard normal for the arm at this place: over the views they are symmetric, and
/// neighbours see different signs.
fn point(at: usize, view: usize) -> f64 {
    const POINTS: [f64; VIEWS] = [-1.15, 0.32, -0.32, 1.15];
    POINTS[(at * 3 + view + at / VIEWS) % VIEWS]
}
