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

use std::borrow::Cow;

use super::choose::{Contender, choose};
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
    /// In the order of the candidates.
    pub(super) contenders: Vec<Contender>,
    /// Positions of those that compete by score.
    pub(super) open: Vec<usize>,
    /// Positions of those that are on probation beside them.
    probation: Vec<usize>,
    pub(super) k: usize,
    pub(super) quality_weight: f64,
}

impl Field {
    pub(super) fn new(state: &RouterState, x: &[f64], candidates: &[ArmId], k: usize) -> Self {
        let x = fitted(x, state.shared.config.d);
        let mut outer = Vec::new();
        let probe = Probe::new(&state.shared.prior, &x, state.steps, &mut outer);
        let quality_weight = state.weights.get(Term::Quality);
        let first_tries = f64::from(state.shared.config.first_tries_among(candidates.len()));
        let mut contenders = Vec::with_capacity(candidates.len());
        for (hint, id) in candidates.iter().enumerate() {
            let Some(i) = state.find_near(id, hint) else { continue };
            let arm = &state.arms[i];
            let standing = arm.lens.standing(&arm.stats, &state.shared.prior, &probe);
            let missing = (first_tries - arm.stats.tried_n()).max(0.0);
            contenders.push(Contender::new(i, standing, quality_weight, missing));
        }
        let k = k.min(contenders.len());
        let on_probation = |i: &usize| state.arms[contenders[*i].arm].pool.lifecycle == Lifecycle::Probation;
        let (mut probation, mut open): (Vec<usize>, Vec<usize>) = (0..contenders.len()).partition(on_probation);
        if open.len() < k.max(1) {
            open.append(&mut probation);
            open.sort_unstable();
        }
        Self { contenders, open, probation, k, quality_weight }
    }

    /// Lets a policy speak: what it adds to each mean.
    pub(super) fn add(&mut self, mut bonus: impl FnMut(&Standing) -> f64) {
        for contender in &mut self.contenders {
            *contender = contender.with_bonus(bonus(&contender.standing));
        }
    }

    /// The policy's k, best first.
    pub(super) fn rank(&self, ranked: &mut Vec<usize>) {
        choose(&self.contenders, &self.open, self.k, self.quality_weight, ranked);
    }

    /// Decides among exploration, probation and the policy, and writes down every propensity.
    ///
    /// `ranked` holds the policy's k, best first. `among` gives, by position, the probabilities of being
    /// among the policy's first k and first k − 1.
    pub(super) fn decide(
        mut self,
        state: &RouterState,
        ranked: &[usize],
        among: impl Fn(usize) -> [f64; 2],
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let (n, m) = (self.open.len(), self.probation.len());
        if self.k == 0 {
            return self.selection(state, &[], false);
        }
        let epsilon = if n > self.k { state.explore_share.clamp(0.0, 1.0) } else { 0.0 };
        let p = if m == 0 { 0.0 } else { state.shared.config.probation_share.clamp(0.0, 1.0) };
        for &i in &self.open {
            let [first_k, fewer] = among(i);
            self.contenders[i].propensity =
                epsilon * self.k as f64 / n as f64 + (1.0 - epsilon) * ((1.0 - p) * first_k + p * fewer);
        }
        for &i in &self.probation {
            self.contenders[i].propensity = (1.0 - epsilon) * p / m as f64;
        }
        if epsilon > 0.0 && draw() < epsilon {
            let mut chosen: Vec<usize> = uniform_subset(n, self.k, draw).into_iter().map(|at| self.open[at]).collect();
            let score = |i: &usize| self.contenders[*i].score;
            chosen.sort_by(|a, b| score(b).total_cmp(&score(a)));
            return self.selection(state, &chosen, true);
        }
        if p > 0.0 && draw() < p {
            let mut chosen = ranked[..self.k - 1].to_vec();
            chosen.push(self.probation[below(m, draw)]);
            return self.selection(state, &chosen, false);
        }
        self.selection(state, ranked, false)
    }

    /// The first k candidates as they came, each with certainty.
    pub(super) fn in_order(mut self, state: &RouterState) -> Selection {
        let chosen: Vec<usize> = (0..self.k).collect();
        for &i in &chosen {
            self.contenders[i].propensity = 1.0;
        }
        self.selection(state, &chosen, false)
    }

    fn selection(&self, state: &RouterState, chosen: &[usize], explored: bool) -> Selection {
        let mut scores = Vec::with_capacity(self.contenders.len());
        let rest = (0..self.contenders.len()).filter(|i| !chosen.contains(i));
        for (place, i) in chosen.iter().copied().chain(rest).enumerate() {
            let contender = &self.contenders[i];
            scores.push(ArmScore {
                arm: state.arms[contender.arm].spec.name.clone(),
                mean: contender.standing.mean,
                uncertainty: contender.standing.uncertainty,
                score: contender.score,
                propensity: contender.propensity.clamp(0.0, 1.0),
                selected: place < chosen.len(),
            });
        }
        scores[chosen.len()..].sort_by(|a, b| b.score.total_cmp(&a.score));
        Selection { scores, explored }
    }
}

/// A context of another length cannot come from this state's schema: it is read as far as it goes.
fn fitted(x: &[f64], d: usize) -> Cow<'_, [f64]> {
    if x.len() == d {
        return Cow::Borrowed(x);
    }
    let mut fitted = x.to_vec();
    fitted.resize(d, 0.0);
    Cow::Owned(fitted)
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
