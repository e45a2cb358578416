//! What the learning routers share: scoring every candidate once, exploration and probation as declared
//! shares of traffic, and exact propensities. All of it on a desk whose buffers are kept, so that a
//! decision allocates nothing.
//!
//! ```text
//! P(i) = ε·k/n + (1 − ε)·[(1 − Σp)·P(i among the policy's first k) + Σ p_g·P(i chosen with guest g)]
//! ```
//!
//! with ε the exploration share over the n active candidates, and `p_g` the share in which a guest g takes the
//! last place, unless it is among the first k − 1 anyway. Guests are the arms on probation, which compete in
//! no other way and share `probation_share`, and active arms that fell and are asked whether they came back.
//! Where fewer than k arms are active, those on probation count as active.

use super::beside::Usual;
use super::choose::{Contender, choose};
use super::foremost::{Foremost, Score};
use super::lens::Standing;
use super::pacer::Offer;
use super::probe::Probe;
use super::router::{Contexts, Selection};
use super::state::RouterState;
use crate::domain::ids::ArmId;
use crate::domain::record::ArmScore;
use crate::domain::spec::Lifecycle;
use crate::domain::terms::Term;

/// The buffers of decisions, kept by whoever makes many of them, and what was chosen last.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// The last selection.
    pub selection: Selection,
    pub(super) skip_propensities: bool,
    /// All candidates, before and after a policy has spoken.
    pub(super) field: Field,
    /// The policy's k, best first.
    pub(super) ranked: Vec<usize>,
    /// By position: how often among the first k, and the first k − 1; and how often the k-th while the guest
    /// is among those before it (the sum of such guests' shares).
    pub(super) counts: Vec<[f64; 3]>,
    foremost: Foremost,
    chosen: Vec<usize>,
    /// Whether `ranked` came of chance alone.
    any: bool,
}

/// All candidates at one context.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// In the order of the candidates.
    pub(super) contenders: Vec<Contender>,
    /// Positions of those that compete by score.
    pub(super) open: Vec<usize>,
    /// Positions of those that are on probation beside them.
    probation: Vec<usize>,
    guests: Vec<Guest>,
    /// Under a ceiling: what each contender would cost.
    offers: Vec<Offer>,
    pub(super) k: usize,
    pub(super) quality_weight: f64,
    probe: Probe,
    usual: Usual,
}

/// One that takes the last place now and then.
#[derive(Clone, Copy, Debug)]
struct Guest {
    /// Its position.
    at: usize,
    /// The share of runs, in [0, 1].
    share: f64,
}

impl Field {
    /// Scores every known candidate.
    pub(super) fn lay(&mut self, state: &RouterState, contexts: Contexts<'_>, candidates: &[ArmId], k: usize) {
        let prior = &state.shared.prior;
        self.probe.aim(prior, contexts.x, state.steps);
        self.quality_weight = state.weights.get(Term::Quality);
        let first_tries = f64::from(state.shared.config.first_tries_among(candidates.len()));
        self.contenders.clear();
        self.open.clear();
        self.probation.clear();
        self.offers.clear();
        let tariff = state.tariff(contexts.in_flight);
        for (place, id) in candidates.iter().enumerate() {
            let Some(i) = state.find_near(id, place) else { continue };
            if !contexts.signals.is_empty() {
                self.probe.turn(prior, contexts.signals_of(place, prior.lambda.len()));
            }
            let arm = &state.arms[i];
            let standing = arm.lens.standing(&arm.stats, prior, &state.noise, &self.probe);
            let missing = (first_tries - arm.stats.tried_n()).max(0.0);
            let on_probation = arm.pool.lifecycle == Lifecycle::Probation;
            if on_probation { &mut self.probation } else { &mut self.open }.push(self.contenders.len());
            let mut contender = Contender::new(i, standing, self.quality_weight, missing);
            if let Some(tariff) = &tariff {
                self.offers.push(tariff.price(state, &mut contender, self.probe.x()));
            }
            self.contenders.push(contender);
        }
        if let Some(tariff) = &tariff {
            tariff.conclude(&mut self.contenders, &mut self.offers);
            self.open.retain(|at| self.offers[*at].open);
            self.probation.retain(|at| self.offers[*at].open);
        }
        self.k = k.min(self.contenders.len());
        if self.open.len() < self.k.max(1) {
            self.open.append(&mut self.probation);
            self.open.sort_unstable();
        }
        self.k = self.k.min(self.open.len());
        if self.k > 1 {
            self.usual = state.usual_beside();
            for contender in &mut self.contenders {
                (contender.usually, contender.left) = state.usually_beside(&self.usual, contender.arm);
            }
        }
        self.invite(state);
    }

    /// Who takes the last place now and then.
    fn invite(&mut self, state: &RouterState) {
        let config = &state.shared.config;
        let each = config.probation_share.clamp(0.0, 1.0) / self.probation.len().max(1) as f64;
        self.guests.clear();
        self.guests.extend(self.probation.iter().map(|&at| Guest { at, share: each }));
        if self.open.len() > self.k {
            let share = |at: usize| state.arms[self.contenders[at].arm].drift.probe_share(&config.drift, state.steps);
            let fallen = self.open.iter().map(|&at| Guest { at, share: share(at) });
            self.guests.extend(fallen.filter(|guest| guest.share > 0.0));
        }
        let all: f64 = self.guests.iter().map(|guest| guest.share).sum();
        if all > 1.0 {
            for guest in &mut self.guests {
                guest.share /= all;
            }
        }
    }

    /// Whom a uniform `u` in [0, 1) invites, if anybody.
    fn guest(&self, mut u: f64) -> Option<usize> {
        for guest in &self.guests {
            if u < guest.share {
                return Some(guest.at);
            }
            u -= guest.share;
        }
        None
    }

    /// The higher score first, and the earlier among equals.
    fn by_score(&self, a: usize, b: usize) -> std::cmp::Ordering {
        let score = |i: usize| self.contenders[i].score;
        score(b).total_cmp(&score(a)).then(a.cmp(&b))
    }

    /// Lets a policy speak: what it adds to each mean.
    pub(super) fn add(&mut self, mut bonus: impl FnMut(&Standing) -> f64) {
        for contender in &mut self.contenders {
            *contender = contender.with_bonus(bonus(&contender.standing));
        }
    }

    /// The policy's k, best first.
    pub(super) fn rank(&mut self, state: &RouterState, ranked: &mut Vec<usize>) {
        let Self { contenders, open, k, quality_weight, usual, .. } = self;
        let read = |i: &Contender, j: &Contender| usual.of_pair(&state.arms[j.arm].beside, j.left, i.arm, j.usually);
        choose(contenders, open, *k, *quality_weight, read, ranked);
    }
}

impl Desk {
    /// For decisions whose propensities nobody keeps: those of posterior draws are not estimated, and what is
    /// stated is 1 for the arms that the policy took and 0 for the others (before exploration).
    #[must_use]
    pub fn without_propensities() -> Self {
        Self { skip_propensities: true, ..Self::default() }
    }

    /// Decides among exploration, guests and the policy, and writes down every propensity. The policy's k are
    /// in `ranked`, and `counts` says how probable that was.
    pub(super) fn decide(&mut self, state: &RouterState, draw: &mut dyn FnMut() -> f64) {
        let field = &mut self.field;
        let (n, k) = (field.open.len(), field.k);
        self.chosen.clear();
        if k == 0 {
            self.any = false;
            return self.select(state, false);
        }
        let epsilon = if n > k { state.explore_share.clamp(0.0, 1.0) } else { 0.0 };
        let p: f64 = field.guests.iter().map(|guest| guest.share).sum();
        for &i in &field.open {
            let [first_k, fewer, last_anyway] = self.counts[i];
            let own = field.guests.iter().find(|guest| guest.at == i).map_or(0.0, |guest| guest.share);
            let chosen = (1.0 - p) * first_k + (p - own) * fewer + last_anyway + own;
            field.contenders[i].propensity = epsilon * k as f64 / n as f64 + (1.0 - epsilon) * chosen;
        }
        for (&i, guest) in field.probation.iter().zip(&field.guests) {
            field.contenders[i].propensity = (1.0 - epsilon) * guest.share;
        }
        if epsilon > 0.0 && draw() < epsilon {
            self.chosen.extend_from_slice(&field.open);
            uniform_subset(&mut self.chosen, k, draw);
            self.chosen.sort_unstable_by(|a, b| field.by_score(*a, *b));
            self.any = false;
            return self.select(state, true);
        }
        self.chosen.extend_from_slice(&self.ranked);
        if p > 0.0
            && let Some(guest) = field.guest(draw())
            && !self.chosen[..k - 1].contains(&guest)
        {
            self.chosen.truncate(k - 1);
            self.chosen.push(guest);
        }
        let any = std::mem::take(&mut self.any);
        if any {
            self.chosen.sort_unstable_by(|a, b| field.by_score(*a, *b));
        }
        self.select(state, any);
    }

    /// The first k candidates as they came, each with certainty.
    pub(super) fn in_order(&mut self, state: &RouterState) {
        self.chosen.clear();
        self.chosen.extend(0..self.field.k);
        for &i in &self.chosen {
            self.field.contenders[i].propensity = 1.0;
        }
        self.select(state, false);
    }

    /// Any k of those that may be asked, on probation or not.
    pub(super) fn uniformly(&mut self, state: &RouterState, draw: &mut dyn FnMut() -> f64) {
        let field = &mut self.field;
        self.chosen.clear();
        self.chosen.extend_from_slice(&field.open);
        // Where too few were open, those on probation are among them already.
        self.chosen.extend_from_slice(&field.probation);
        self.chosen.sort_unstable();
        let chance = field.k as f64 / self.chosen.len().max(1) as f64;
        for &i in &self.chosen {
            field.contenders[i].propensity = chance;
        }
        uniform_subset(&mut self.chosen, field.k, draw);
        self.select(state, false);
    }

    /// The policy's one arm is the highest of scores that scatter around their means by `sd` of a standing: how
    /// probable each is, whatever was drawn.
    pub(super) fn count_foremost(&mut self, sd: impl Fn(&Standing) -> f64) {
        let Field { contenders, open, .. } = &self.field;
        let most_urgent = open.iter().map(|i| contenders[*i].urgency).fold(0.0, f64::max);
        let competes = |i: &&usize| contenders[**i].urgency >= most_urgent;
        let score = |i: &usize| {
            let contender = &contenders[*i];
            let mean = contender.standing.mean - contender.price;
            let least = contender.least_alpha * contender.standing.uncertainty;
            let floor = if contender.least_alpha > 0.0 { mean + least } else { f64::NEG_INFINITY };
            Score { mean, sd: sd(&contender.standing), floor }
        };
        self.foremost.scores.clear();
        self.foremost.scores.extend(open.iter().filter(competes).map(score));
        self.foremost.work_out();
        self.counts.clear();
        self.counts.resize(contenders.len(), [0.0; 3]);
        for (i, p) in open.iter().filter(competes).zip(&self.foremost.probability) {
            // Whatever is drawn has a chance.
            self.counts[*i][0] = p.max(f64::EPSILON);
        }
    }

    /// Begins the counts with a uniform choice of k, of that `weight`.
    pub(super) fn count_uniform(&mut self, weight: f64) {
        let Field { contenders, open, guests, k, .. } = &self.field;
        self.counts.clear();
        self.counts.resize(contenders.len(), [0.0; 3]);
        let (n, k) = (open.len() as f64, *k as f64);
        for &i in open {
            let others = guests.iter().filter(|guest| guest.at != i && open.contains(&guest.at));
            let others: f64 = others.map(|guest| guest.share).sum();
            let before_it = (k - 1.0) / (n - 1.0).max(1.0);
            self.counts[i] = [k, k - 1.0, before_it * others].map(|count| weight * count / n);
        }
    }

    /// Any k of the open in any order, in place of the policy's.
    pub(super) fn rank_any(&mut self, draw: &mut dyn FnMut() -> f64) {
        self.ranked.clear();
        self.ranked.extend_from_slice(&self.field.open);
        uniform_subset(&mut self.ranked, self.field.k, draw);
        self.any = self.field.open.len() > self.field.k;
    }

    /// The policy took exactly what is `ranked`.
    pub(super) fn count_ranked(&mut self) {
        self.counts.clear();
        self.counts.resize(self.field.contenders.len(), [0.0; 3]);
        self.count(1.0);
    }

    /// Adds `weight` for what is `ranked`.
    pub(super) fn count(&mut self, weight: f64) {
        let Some((&last, before)) = self.ranked.split_last() else { return };
        for &i in before {
            self.counts[i][0] += weight;
            self.counts[i][1] += weight;
        }
        self.counts[last][0] += weight;
        let anyway = self.field.guests.iter().filter(|guest| before.contains(&guest.at));
        self.counts[last][2] += weight * anyway.map(|guest| guest.share).sum::<f64>();
    }

    /// Writes the selection, over what the last one left.
    fn select(&mut self, state: &RouterState, explored: bool) {
        let (contenders, chosen) = (&self.field.contenders, &self.chosen);
        let scores = &mut self.selection.scores;
        scores.truncate(contenders.len());
        let rest = (0..contenders.len()).filter(|i| !chosen.contains(i));
        for (place, i) in chosen.iter().copied().chain(rest).enumerate() {
            let contender = &contenders[i];
            let score = ArmScore {
                arm: state.arms[contender.arm].spec.name.clone(),
                mean: contender.standing.mean,
                uncertainty: contender.standing.uncertainty,
                score: contender.score,
                propensity: contender.propensity.clamp(0.0, 1.0),
                selected: place < chosen.len(),
            };
            match scores.get_mut(place) {
                Some(old) => *old = score,
                None => scores.push(score),
            }
        }
        // Ties stay in the order of the candidates; few enough for an insertion sort, which needs no buffer.
        let rest = &mut scores[chosen.len()..];
        for end in 1..rest.len() {
            let mut at = end;
            while at > 0 && rest[at].score > rest[at - 1].score {
                rest.swap(at, at - 1);
                at -= 1;
            }
        }
        self.selection.explored = explored;
    }
}

/// A whole number below `n`, from one uniform.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a uniform in [0, 1) times a small count")]
fn below(n: usize, draw: &mut dyn FnMut() -> f64) -> usize {
    ((draw() * n as f64) as usize).min(n.saturating_sub(1))
}

/// Leaves `k` of them, every subset equally likely.
fn uniform_subset(of: &mut Vec<usize>, k: usize, draw: &mut dyn FnMut() -> f64) {
    let n = of.len();
    for i in 0..k.min(n) {
        of.swap(i, i + below(n - i, draw));
    }
    of.truncate(k);
}
