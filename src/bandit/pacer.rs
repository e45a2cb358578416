//! The pacer: mean dollars per request held under a ceiling B.
//!
//! ```text
//! choose the arm with the highest   score − λ·ĉ(x)/B
//! ĉ(x)   expected dollars of a full answer of the arm at this context, corrected by its own recent
//!        ratio of realised to expected dollars
//! λ      solved over recent contexts, so that following it costs  B·(1 + (balance − reserve) / (H·B))
//! balance = Σ (B − spent): the running account, capped, so that old savings are no licence
//! ```
//!
//! λ is the dual variable of the ceiling (Badanidiyuru et al. 2013; Balseiro & Gur 2019), solved and not
//! chased: expected spend as a function of λ is tabulated over the last contexts. Where it falls in steps
//! (arms whose costs do not depend on the prompt) the two neighbouring λ take turns by a fixed
//! low-discrepancy sequence, which is the mixture that the linear programme asks for.
//!
//! The account makes the ceiling hold over every horizon: an arm that costs more than B on average is
//! open only while the balance can pay for it; one that costs less pays debts back by itself. The cheapest
//! arm is never closed. Where even that takes nearly all of B, nothing else is bought. Money that no λ
//! would spend is spent on finding out whether a dearer arm is better. All of it is deterministic and part
//! of the state; without a ceiling nothing here is touched. Runs that are decided and not settled yet hold what
//! they are expected to cost: they are an argument of a decision (`in_flight.rs`), no state.

mod curve;
mod in_flight;
mod prices;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fold::full;
use super::kernels::axpy;
use super::state::RouterState;
use crate::domain::command::Observation;
use crate::domain::terms::Column;
pub(super) use curve::{GRID, Turns};
use curve::{lambda_for, steepest};
pub use in_flight::InFlight;
pub(super) use prices::Offer;
use prices::plain_dollars;

/// Contexts that λ is solved over.
const RING: usize = 256;
/// Requests between two solutions, once there are enough.
const EVERY: u64 = 32;
/// Requests over which a surplus or a debt is spread.
const HORIZON: f64 = 50.0;
/// The reserve in standard deviations of one request's dollars, and its limit in requests.
const RESERVE: (f64, f64) = (6.0, 16.0);
/// The largest balance, in requests.
const CAP: f64 = 64.0;
/// How many times its expected dollars an arm dearer than B needs in the account: answers vary in length.
const SAFETY: f64 = 1.75;
/// The same with an account that is nearly full, in which more can hardly be saved.
const SAFETY_FULL: f64 = 1.2;
/// The share of B from which the cheapest arm alone is all that can be had.
const EXHAUSTED: f64 = 0.93;
/// Exploration of dearer arms with money that nothing else would spend, in units of uncertainty.
const SURPLUS_ALPHA: f64 = 2.0;
/// How many uncertainties a policy's reach is under a ceiling: α is meant for a reach with caution in it.
const PLAIN: f64 = 1.0 / 0.9;
/// What the ratio of realised to expected dollars keeps at every observation, and its prior weight.
const RATIO: (f64, f64) = (0.95, 5.0);
/// Observations before that ratio is taken: the first estimates are the prior's.
const RATIO_FROM: f64 = 3.5;
/// Tokens of a prompt and of an answer, for arms of which only the price is known.
const TOKENS: (f64, f64) = (500.0, 500.0);

/// Realised and expected dollars of an arm, both fading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paid {
    realised: f64,
    expected: f64,
}

/// The pacer under a ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pacer {
    /// B, above 0.
    ceiling: f64,
    /// Requests since the ceiling was set.
    requests: u64,
    /// Dollars spent since then.
    spent: f64,
    /// The account, in dollars.
    balance: f64,
    /// Squared deviations of a request's dollars from B in units of B, fading, and their weight.
    scatter: [f64; 2],
    /// All dollars of runs over those expected of the answers that were served: previews, judge, fallbacks.
    overhead: Paid,
    /// Recent contexts, and where the next one goes.
    #[serde(with = "contexts")]
    ring: Vec<Arc<[f64]>>,
    next: usize,
    /// Sum of contexts, and how many.
    sum: Vec<f64>,
    seen: f64,
    /// Derived: their mean.
    #[serde(skip)]
    mean: Vec<f64>,
    /// Expected dollars of a request by λ, falling.
    curve: Vec<f64>,
}

/// How the account stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// The ceiling in dollars per request.
    pub ceiling_usd: f64,
    /// Requests since it was set.
    pub requests: u64,
    /// Dollars spent since then.
    pub spent_usd: f64,
    /// Dollars that the ceiling allowed since then.
    pub allowed_usd: f64,
    /// The dual variable in force: reward given up for what one request may cost.
    pub lambda: f64,
}

impl Account {
    /// Spent over allowed; `None` before the first request.
    #[must_use]
    pub fn utilisation(&self) -> Option<f64> {
        (self.allowed_usd > 0.0).then(|| self.spent_usd / self.allowed_usd)
    }
}

impl Pacer {
    /// A new account under `ceiling`; contexts and ratios go on from `before`.
    pub(super) fn new(ceiling: f64, before: Option<&Self>) -> Self {
        let fresh = Self {
            ceiling,
            requests: 0,
            spent: 0.0,
            balance: 0.0,
            scatter: [0.0; 2],
            overhead: Paid::default(),
            ring: Vec::new(),
            next: 0,
            sum: Vec::new(),
            seen: 0.0,
            mean: Vec::new(),
            curve: Vec::new(),
        };
        before.map_or(fresh.clone(), |old| Self {
            overhead: old.overhead,
            ring: old.ring.clone(),
            next: old.next,
            sum: old.sum.clone(),
            seen: old.seen,
            mean: old.mean.clone(),
            ..fresh
        })
    }

    /// The same ceiling, and nothing known: contexts are of another kind now.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.ceiling, None)
    }

    /// As it was written down, with what is derived.
    pub(super) fn restored(mut self) -> Self {
        self.derive();
        self
    }

    fn derive(&mut self) {
        self.mean.clear();
        self.mean.extend(self.sum.iter().map(|v| v / self.seen));
    }

    /// Whether it can be gone on with, whoever wrote it.
    pub(super) fn is_sound(&self, d: usize) -> bool {
        let account = [self.spent, self.balance, self.seen, self.scatter[0], self.scatter[1]];
        let overhead = [self.overhead.realised, self.overhead.expected];
        let mut rows = self.ring.iter();
        self.ceiling.is_finite()
            && self.ceiling > 0.0
            && account.iter().chain(&overhead).all(|number| number.is_finite())
            && self.sum.iter().chain(&self.curve).chain(self.ring.iter().flat_map(|x| x.iter())).all(|v| v.is_finite())
            && self.ring.len() <= RING
            && (self.ring.len() < RING || self.next < RING)
            && self.sum.len() <= d
            && rows.all(|x| x.len() == self.sum.len())
    }

    /// The numbers that two equal pacers share, for a digest.
    pub(super) fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        let account = [self.ceiling, self.spent, self.balance, self.seen, self.scatter[0], self.scatter[1]];
        let overhead = [self.overhead.realised, self.overhead.expected];
        let contexts = self.sum.iter().chain(self.ring.iter().flat_map(|x| x.iter()));
        let numbers = account.into_iter().chain(overhead).chain(self.curve.iter().chain(contexts).copied());
        numbers.map(f64::to_bits).chain([self.requests, self.next as u64])
    }

    /// A run cost `dollars` in all, `expected` of it for the served answer, at the context `x`.
    fn settle(&mut self, x: &[f64], dollars: f64, expected: f64) {
        self.charge(dollars);
        let off = (dollars / self.ceiling - 1.0).clamp(-1.0, 30.0);
        self.scatter = [self.scatter[0] * 0.995 + off * off, self.scatter[1] * 0.995 + 1.0];
        if expected > 0.0 {
            self.overhead.note(dollars, expected, 0.98);
        }
        if self.sum.len() != x.len() {
            self.sum = vec![0.0; x.len()];
            self.seen = 0.0;
            self.ring.clear();
            self.next = 0;
        }
        axpy(&mut self.sum, 1.0, x);
        self.seen += 1.0;
        self.derive();
        if self.ring.len() < RING {
            self.ring.push(Arc::from(x));
            return;
        }
        // The oldest's room is used again where nobody else looks at it.
        match Arc::get_mut(&mut self.ring[self.next]) {
            Some(oldest) => oldest.copy_from_slice(x),
            None => self.ring[self.next] = Arc::from(x),
        }
        self.next = (self.next + 1) % RING;
    }

    /// A run ended that cost `dollars`.
    fn charge(&mut self, dollars: f64) {
        self.requests += 1;
        self.spent += dollars;
        self.balance = (self.balance + self.ceiling - dollars).min(CAP * self.ceiling);
    }

    fn is_due(&self) -> bool {
        self.requests < 16 || self.requests.is_multiple_of(EVERY)
    }

    /// All dollars of a run over those of its answer.
    fn overhead(&self) -> f64 {
        self.overhead.ratio(10.0 * self.ceiling).max(1.0)
    }

    fn reserve(&self) -> f64 {
        let sd = ((self.scatter[0] + 100.0) / (self.scatter[1] + 25.0)).sqrt();
        (RESERVE.0 * sd).min(RESERVE.1) * self.ceiling
    }

    /// Dollars that the answer of the next request should cost in the mean, at that balance.
    fn target(&self, balance: f64) -> f64 {
        let off = (balance - self.reserve()) / (HORIZON * self.ceiling);
        self.ceiling * (1.0 + off).clamp(0.5, 1.5) / self.overhead()
    }

    /// λ in force at `step`, at that balance.
    fn lambda(&self, step: u64, balance: f64) -> f64 {
        lambda_for(&self.curve, self.target(balance), step)
    }

    fn mean_context(&self) -> Option<&[f64]> {
        (self.seen > 0.0).then_some(&self.mean)
    }
}

impl Paid {
    fn note(&mut self, realised: f64, expected: f64, keep: f64) {
        self.realised = self.realised * keep + realised;
        self.expected = self.expected * keep + expected;
    }

    /// For a digest.
    pub(super) fn bits(&self) -> [u64; 2] {
        [self.realised, self.expected].map(f64::to_bits)
    }

    fn ratio(&self, prior: f64) -> f64 {
        if prior > 0.0 { (self.realised + prior) / (self.expected + prior) } else { 1.0 }
    }
}

impl RouterState {
    /// The ceiling of mean dollars per request, where there is one.
    #[must_use]
    pub fn budget_per_request(&self) -> Option<f64> {
        self.pacer.as_ref().map(|pacer| pacer.ceiling)
    }

    /// How the account under the ceiling stands; `None` without a ceiling.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        let pacer = self.pacer.as_ref()?;
        Some(Account {
            ceiling_usd: pacer.ceiling,
            requests: pacer.requests,
            spent_usd: pacer.spent,
            allowed_usd: pacer.ceiling * pacer.requests as f64,
            lambda: if self.tariff(InFlight::NONE)?.exhausted {
                steepest()
            } else {
                pacer.lambda(self.steps, pacer.balance)
            },
        })
    }

    /// Sets or lifts the ceiling: a new account. The ceiling that stands already goes on with its own, or saying it
    /// again would forgive what was overspent.
    pub(super) fn set_budget(&mut self, dollars: Option<f64>) {
        if dollars == self.budget_per_request() {
            return;
        }
        self.pacer = dollars.map(|ceiling| Arc::new(Pacer::new(ceiling, self.pacer.as_deref())));
        self.solve();
    }

    /// Before a run is learned: what was expected of the dollars of its answers, noted beside what they cost.
    pub(super) fn compare_dollars(&mut self, observation: &Observation) -> f64 {
        let mut all = 0.0;
        for seen in &observation.arms {
            let (Some(answer), Some(i)) = (&seen.answer, self.find(seen.arm.as_str())) else { continue };
            let arm = &self.arms[i];
            let x = full(&observation.x, seen, &mut self.buffers.x);
            all += arm.expected_dollars(x);
            let (_, n) = arm.stats.data_mean(Column::Dollars);
            let plain = plain_dollars(&arm.stats, x);
            if n > RATIO_FROM {
                Arc::make_mut(&mut self.arms[i]).pool.paid.note(answer.dollars, plain, RATIO.0);
            }
        }
        all
    }

    /// Enters what a run cost into the account; `expected` of it for its answers.
    pub(super) fn settle(&mut self, observation: &Observation, expected: f64) {
        let Some(pacer) = &mut self.pacer else { return };
        let answers = || observation.arms.iter().filter_map(|seen| seen.answer.as_ref()).map(|a| a.dollars).sum();
        let dollars = observation.spent_usd.unwrap_or_else(answers);
        let pacer = Arc::make_mut(pacer);
        pacer.settle(&observation.x, dollars, expected);
        if pacer.is_due() {
            self.solve();
        }
    }

    /// Enters money that no completed run accounts for; `beside`: no request either, so nothing is allowed for it.
    pub(super) fn charge(&mut self, dollars: f64, beside: bool) {
        let Some(pacer) = &mut self.pacer else { return };
        let pacer = Arc::make_mut(pacer);
        if beside {
            pacer.spent += dollars;
            pacer.balance -= dollars;
        } else {
            pacer.charge(dollars);
        }
    }

    fn solve(&mut self) {
        let Some(mut pacer) = self.pacer.take() else { return };
        let mut offers = std::mem::take(&mut self.buffers.offers);
        let Pacer { ceiling, ring, curve, .. } = Arc::make_mut(&mut pacer);
        self.tabulate(*ceiling, ring.iter().map(AsRef::as_ref), &mut offers, curve);
        self.buffers.offers = offers;
        self.pacer = Some(pacer);
    }
}

/// Contexts as plain lists.
mod contexts {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(ring: &[Arc<[f64]>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(ring.iter().map(AsRef::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<[f64]>>, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(from)?;
        Ok(rows.into_iter().map(Arc::from).collect())
    }
}
