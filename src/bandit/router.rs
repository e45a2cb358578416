//! The `Router` trait and what its learning implementations share: scoring every candidate once,
//! exploration and probation as declared shares of traffic, and exact propensities.
//!
//! ```text
//! P(i) = ε·k/n + (1 − ε)·[(1 − p)·P(i among the policy's first k) + p·P(i among its first k − 1)]
//! ```
//!
//! with ε the exploration share over the n active candidates, and p the share in which one arm on
//! probation (each with 1/m) takes the last place. Where fewer than k arms are active, or none is on
//! probation, all candidates count as active and p is 0.

use super::choose::Contender;
use super::policies::{Baseline, LinTs, LinUcb};
use super::state::RouterState;
use super::stats::{Probe, Standing};
use crate::domain::command::LogEntry;
use crate::domain::ids::ArmId;
use crate::domain::record::ArmScore;
use crate::domain::spec::{Lifecycle, RouterKind};
use crate::domain::terms::Term;

/// What a router chose for one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Every known candidate: the selected ones first, in the order in which they were taken, then the
    /// rest by score.
    pub scores: Vec<ArmScore>,
    /// Whether this was a uniform draw.
    pub explored: bool,
}

/// Chooses arms by what a state knows, and learns by the fold.
///
/// Every implementation scores each known candidate exactly once, selects exactly min(k, n) of them,
/// gives finite numbers, propensities in [0, 1] that sum to min(k, n), and the same selection for the
/// same state, context and draws. An empty list of candidates gives an empty selection.
pub trait Router: Send + Sync {
    /// Which it is.
    fn kind(&self) -> RouterKind;

    /// Chooses `k` of `candidates` for the context `x` (`d` values). `draw` gives uniforms in [0, 1).
    fn select(
        &self,
        state: &RouterState,
        x: &[f64],
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection;

    /// Learns what a run taught: one step of the fold.
    fn bulk_update(&self, state: &mut RouterState, entry: &LogEntry) {
        state.apply(entry);
    }
}

/// The router of that kind.
#[must_use]
pub fn router(kind: RouterKind) -> Box<dyn Router> {
    match kind {
        RouterKind::Linucb => Box::new(LinUcb),
        RouterKind::Lints => Box::new(LinTs),
        RouterKind::Baseline => Box::new(Baseline),
    }
}

/// All candidates at one context, before a policy has spoken.
pub(super) struct Field {
    /// Position in the state's pool, in the order of the candidates.
    pub(super) arms: Vec<usize>,
    pub(super) standings: Vec<Standing>,
    pub(super) contenders: Vec<Contender>,
    /// Positions in `arms` that compete by score.
    pub(super) open: Vec<usize>,
    /// Positions in `arms` that are on probation beside them.
    probation: Vec<usize>,
    pub(super) k: usize,
    pub(super) quality_weight: f64,
}

impl Field {
    pub(super) fn new(state: &RouterState, x: &[f64], candidates: &[ArmId], k: usize) -> Self {
        let probe = probe(state, x);
        let quality_weight = state.weights.get(Term::Quality);
        let first_tries = f64::from(state.shared.config.first_tries_among(candidates.len()));
        let mut arms = Vec::with_capacity(candidates.len());
        let mut standings = Vec::with_capacity(candidates.len());
        let mut contenders = Vec::with_capacity(candidates.len());
        for (hint, id) in candidates.iter().enumerate() {
            let Some(i) = state.find_near(id, hint) else { continue };
            let arm = &state.arms[i];
            let standing = arm.lens.standing(&arm.stats, &state.shared.prior, &probe);
            let missing = first_tries - arm.stats.tried_n();
            contenders.push(Contender {
                quality: standing.quality,
                variance: standing.quality_variance,
                rest: standing.mean - quality_weight * standing.quality,
                bonus: 0.0,
                score: standing.mean,
                urgency: missing.max(0.0),
            });
            arms.push(i);
            standings.push(standing);
        }
        let k = k.min(arms.len());
        let on_probation = |i: &usize| state.arms[arms[*i]].pool.lifecycle == Lifecycle::Probation;
        let (mut probation, mut open): (Vec<usize>, Vec<usize>) = (0..arms.len()).partition(on_probation);
        if open.len() < k.max(1) {
            open.append(&mut probation);
            open.sort_unstable();
        }
        Self { arms, standings, contenders, open, probation, k, quality_weight }
    }

    /// The contenders that compete, in the order of `open`.
    pub(super) fn competing(&self) -> Vec<Contender> {
        self.open.iter().map(|&i| self.contenders[i]).collect()
    }

    /// Decides among exploration, probation and the policy, and writes down every propensity.
    ///
    /// `ranked` holds positions in `open`, best first, at least `k`. `among` gives, by position in `open`, the
    /// probabilities of being among the policy's first k and first k − 1.
    pub(super) fn decide(
        self,
        state: &RouterState,
        ranked: &[usize],
        among: &dyn Fn(usize) -> [f64; 2],
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let (n, m) = (self.open.len(), self.probation.len());
        if self.k == 0 {
            return Selection { scores: self.scores(state, &[], &vec![0.0; self.arms.len()]), explored: false };
        }
        let epsilon = if n > self.k { state.explore_share.clamp(0.0, 1.0) } else { 0.0 };
        let p = if m == 0 { 0.0 } else { state.shared.config.probation_share.clamp(0.0, 1.0) };
        let mut propensity = vec![0.0; self.arms.len()];
        for (at, &i) in self.open.iter().enumerate() {
            let [first_k, fewer] = among(at);
            propensity[i] = epsilon * self.k as f64 / n as f64 + (1.0 - epsilon) * ((1.0 - p) * first_k + p * fewer);
        }
        for &i in &self.probation {
            propensity[i] = (1.0 - epsilon) * p / m as f64;
        }
        let explored = epsilon > 0.0 && draw() < epsilon;
        let mut chosen: Vec<usize> = if explored {
            uniform_subset(n, self.k, draw).into_iter().map(|at| self.open[at]).collect()
        } else {
            ranked.iter().take(self.k).map(|&at| self.open[at]).collect()
        };
        if explored {
            let score = |i: &usize| self.contenders[*i].score;
            chosen.sort_by(|a, b| score(b).total_cmp(&score(a)));
        } else if p > 0.0 && draw() < p {
            let guest = self.probation[below(m, draw)];
            chosen.truncate(self.k - 1);
            chosen.push(guest);
        }
        Selection { scores: self.scores(state, &chosen, &propensity), explored }
    }

    /// The first k candidates as they came, each with certainty.
    pub(super) fn in_order(self, state: &RouterState) -> Selection {
        let chosen: Vec<usize> = (0..self.k).collect();
        let propensity: Vec<f64> = (0..self.arms.len()).map(|i| f64::from(i < self.k)).collect();
        Selection { scores: self.scores(state, &chosen, &propensity), explored: false }
    }

    fn scores(&self, state: &RouterState, chosen: &[usize], propensity: &[f64]) -> Vec<ArmScore> {
        let mut order: Vec<usize> = (0..self.arms.len()).filter(|i| !chosen.contains(i)).collect();
        order.sort_by(|a, b| self.contenders[*b].score.total_cmp(&self.contenders[*a].score));
        let row = |i: usize, selected: bool| ArmScore {
            arm: state.arms[self.arms[i]].spec.name.clone(),
            mean: self.standings[i].mean,
            uncertainty: self.standings[i].uncertainty,
            score: self.contenders[i].score,
            propensity: propensity[i].clamp(0.0, 1.0),
            selected,
        };
        let rest = order.into_iter().map(|i| row(i, false));
        chosen.iter().map(|&i| row(i, true)).chain(rest).collect()
    }
}

/// A context of another length cannot come from this state's schema: it is read as far as it goes.
fn probe(state: &RouterState, x: &[f64]) -> Probe {
    let d = state.shared.config.d;
    if x.len() == d {
        return Probe::new(&state.shared.prior, x, state.steps);
    }
    let mut fitted = x.to_vec();
    fitted.resize(d, 0.0);
    Probe::new(&state.shared.prior, &fitted, state.steps)
}

/// A whole number below `n`, from one uniform.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a uniform in [0, 1) times a small count")]
fn below(n: usize, draw: &mut dyn FnMut() -> f64) -> usize {
    ((draw() * n as f64) as usize).min(n.saturating_sub(1))
}

/// `k` of `0..n`, every subset equally likely.
fn uniform_subset(n: usize, k: usize, draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..k.min(n) {
        all.swap(i, i + below(n - i, draw));
    }
    all.truncate(k);
    all
}
