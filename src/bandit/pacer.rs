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
//! of the state; without a ceiling nothing here is touched.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::choose::Contender;
use super::kernels::{axpy, dot};
use super::state::{ArmState, RouterState};
use super::stats::ArmStatistics;
use crate::domain::command::Observation;
use crate::domain::terms::Column;

/// Contexts that λ is solved over.
const RING: usize = 256;
/// Requests between two solutions, once there are enough.
const EVERY: u64 = 32;
/// Points of λ that are tabulated: 12 a decade from 1e-6 to 1e3, and 0.
const GRID: usize = 109;
/// Requests over which a surplus or a debt is spread.
const HORIZON: f64 = 50.0;
/// The reserve in standard deviations of one request's dollars, and its limit in requests.
const RESERVE: (f64, f64) = (6.0, 16.0);
/// The largest balance, in requests.
const CAP: f64 = 64.0;
/// How many times its expected dollars an arm dearer than B needs in the account.
const SAFETY: f64 = 1.5;
/// The same with an account that is nearly full.
const SAFETY_FULL: f64 = 0.8;
/// The share of B from which the cheapest arm alone is all that can be had.
const EXHAUSTED: f64 = 0.93;
/// Exploration of dearer arms with money that nothing else would spend, in units of uncertainty.
const SURPLUS_ALPHA: f64 = 2.0;
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

/// What the pacer says about one decision.
#[derive(Clone, Debug)]
pub(super) struct Tariff {
    /// Reward per dollar.
    pub(super) per_dollar: f64,
    /// The mean of the contexts seen.
    mean: Option<Vec<f64>>,
    /// Dollars that an arm dearer than the ceiling may cost.
    free: f64,
    ceiling: f64,
    safety: f64,
    /// Only the cheapest is affordable.
    exhausted: bool,
    /// Nothing would spend the account.
    surplus: bool,
}

/// λ at a place of the table.
fn lambda_at(place: usize) -> f64 {
    if place == 0 { 0.0 } else { 1e-6 * 10f64.powf((place - 1) as f64 / 12.0) }
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
            curve: Vec::new(),
        };
        before.map_or(fresh.clone(), |old| Self {
            overhead: old.overhead,
            ring: old.ring.clone(),
            next: old.next,
            sum: old.sum.clone(),
            seen: old.seen,
            ..fresh
        })
    }

    /// The same ceiling, and nothing known: contexts are of another kind now.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.ceiling, None)
    }

    /// The numbers that two equal pacers share, for a digest.
    pub(super) fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        let numbers = [self.ceiling, self.spent, self.balance, self.overhead.realised, self.overhead.expected];
        numbers.into_iter().chain(self.curve.iter().copied()).map(f64::to_bits).chain([self.requests])
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
        if self.ring.len() < RING {
            self.ring.push(Arc::from(x));
        } else {
            self.ring[self.next] = Arc::from(x);
            self.next = (self.next + 1) % RING;
        }
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

    /// Dollars that the answer of the next request should cost in the mean.
    fn target(&self) -> f64 {
        let off = (self.balance - self.reserve()) / (HORIZON * self.ceiling);
        self.ceiling * (1.0 + off).clamp(0.5, 1.5) / self.overhead()
    }

    /// λ in force at `step`.
    fn lambda(&self, step: u64) -> f64 {
        lambda_for(&self.curve, self.target(), step)
    }

    fn mean_context(&self) -> Option<Vec<f64>> {
        (self.seen > 0.0).then(|| self.sum.iter().map(|v| v / self.seen).collect())
    }
}

/// λ at which the table costs `target`, as it is at `step`: one of two neighbours, in the proportion that
/// meets the target.
fn lambda_for(curve: &[f64], target: f64, step: u64) -> f64 {
    let Some(place) = curve.iter().position(|dollars| *dollars <= target) else {
        return if curve.is_empty() { 0.0 } else { lambda_at(GRID - 1) };
    };
    if place == 0 {
        return 0.0;
    }
    let (dear, cheap) = (curve[place - 1], curve[place]);
    let share = if dear > cheap { (target - cheap) / (dear - cheap) } else { 0.0 };
    let turn = (step as f64 * 0.618_033_988_749_895).fract();
    lambda_at(if turn < share { place - 1 } else { place })
}

impl Paid {
    fn note(&mut self, realised: f64, expected: f64, keep: f64) {
        self.realised = self.realised * keep + realised;
        self.expected = self.expected * keep + expected;
    }

    fn ratio(&self, prior: f64) -> f64 {
        if prior > 0.0 { (self.realised + prior) / (self.expected + prior) } else { 1.0 }
    }
}

impl Tariff {
    /// Whether an arm of `mean` dollars, `dollars` at this context, is open.
    fn affords(&self, mean: f64, dollars: f64) -> bool {
        dollars <= 0.0 || !self.exhausted && (mean <= self.ceiling || self.safety * dollars <= self.free)
    }

    /// Prices every contender at the context `x_of` it, and says by position which are open; the cheapest is.
    pub(super) fn price(&self, state: &RouterState, contender: &mut Contender, x: &[f64]) -> Offer {
        let arm = &state.arms[contender.arm];
        let dollars = arm.expected_dollars(x);
        let mean = self.mean.as_deref().map_or(dollars, |mean| arm.expected_dollars(mean));
        *contender = contender.priced(self.per_dollar * dollars);
        // A wider reach for arms that were seen little would mostly buy more of the cheap ones, which the account
        // leaves open at any time: under a ceiling the plain uncertainty explores.
        contender.standing.reach = contender.standing.uncertainty;
        Offer { dollars, mean, open: self.affords(mean, dollars) }
    }

    /// Opens the cheapest, and marks who may be tried with money that nothing else would spend.
    pub(super) fn conclude(&self, contenders: &mut [Contender], offers: &mut [Offer]) {
        if let Some(cheapest) = offers.iter_mut().reduce(|a, b| if b.dollars < a.dollars { b } else { a }) {
            cheapest.open = true;
        }
        let open = || (0..offers.len()).filter(|at| offers[*at].open);
        let worth = |at: usize| contenders[at].standing.mean;
        let best = open().reduce(|a, b| if worth(b) > worth(a) { b } else { a });
        let Some(best) = best.filter(|_| self.surplus) else { return };
        for at in 0..offers.len() {
            contenders[at].least_alpha = if offers[at].mean > offers[best].mean { SURPLUS_ALPHA } else { 0.0 };
        }
    }
}

/// What an arm would cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// At this context.
    dollars: f64,
    /// At the mean of the contexts.
    mean: f64,
    /// Whether the account lets it be asked.
    pub(super) open: bool,
}

/// Expected dollars before the arm's own ratio; at least a tenth of its mean.
pub(super) fn plain_dollars(stats: &ArmStatistics, x: &[f64]) -> f64 {
    let (sum, n) = stats.data_mean(Column::Dollars);
    let mean = if n > 0.0 { sum / n } else { 0.0 };
    dot(stats.theta(Column::Dollars), x).max(0.1 * mean).max(0.0)
}

impl ArmState {
    /// Expected dollars of a full answer at `x` (which may lack the last dimensions). Before any was paid:
    /// the list price of a typical answer, and 0 where even that is unknown, so that it is tried.
    pub(super) fn expected_dollars(&self, x: &[f64]) -> f64 {
        let (sum, n) = self.stats.data_mean(Column::Dollars);
        let plain = plain_dollars(&self.stats, x);
        if n > 0.0 {
            return plain * self.pool.paid.ratio(RATIO.1 * sum / n);
        }
        let listed = self.spec.price.map(|p| (p.input * TOKENS.0 + p.output * TOKENS.1) / 1e6);
        if plain > 0.0 { plain } else { listed.unwrap_or(0.0) }
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
            lambda: if self.tariff()?.exhausted { lambda_at(GRID - 1) } else { pacer.lambda(self.steps) },
        })
    }

    /// What the pacer says now; `None` without a ceiling.
    pub(super) fn tariff(&self) -> Option<Tariff> {
        let pacer = self.pacer.as_ref()?;
        let overhead = pacer.overhead();
        let mean = pacer.mean_context();
        let cheapest = mean.as_deref().and_then(|x| self.cheapest(x));
        let surplus =
            pacer.curve.first().is_some_and(|dollars| *dollars <= pacer.target()) && pacer.balance > pacer.reserve();
        let is_full = pacer.balance >= 0.75 * CAP * pacer.ceiling;
        Some(Tariff {
            per_dollar: pacer.lambda(self.steps) / pacer.ceiling,
            mean,
            free: (pacer.balance + pacer.ceiling) / overhead,
            ceiling: pacer.ceiling / overhead,
            safety: if is_full { SAFETY_FULL } else { SAFETY },
            exhausted: cheapest.is_some_and(|dollars| dollars * overhead >= EXHAUSTED * pacer.ceiling),
            surplus,
        })
    }

    /// The least mean dollars of a candidate that has been paid for.
    fn cheapest(&self, x: &[f64]) -> Option<f64> {
        let paid = |arm: &&Arc<ArmState>| arm.stats.data_mean(Column::Dollars).1 > 0.0;
        let open = self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate()).filter(paid);
        open.map(|arm| plain_dollars(&arm.stats, x)).reduce(f64::min)
    }

    /// Sets or lifts the ceiling: a new account.
    pub(super) fn set_budget(&mut self, dollars: Option<f64>) {
        self.pacer = dollars.map(|ceiling| Arc::new(Pacer::new(ceiling, self.pacer.as_deref())));
        self.solve();
    }

    /// Before a run is learned: what was expected of the dollars of its answers, noted beside what they cost.
    pub(super) fn compare_dollars(&mut self, observation: &Observation) -> f64 {
        let mut all = 0.0;
        for seen in &observation.arms {
            let (Some(answer), Some(i)) = (&seen.answer, self.find(seen.arm.as_str())) else { continue };
            let arm = &self.arms[i];
            all += arm.expected_dollars(&observation.x);
            let (_, n) = arm.stats.data_mean(Column::Dollars);
            let plain = plain_dollars(&arm.stats, &observation.x);
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

    /// Enters money that no completed run accounts for.
    pub(super) fn charge(&mut self, dollars: f64) {
        if let Some(pacer) = &mut self.pacer {
            Arc::make_mut(pacer).charge(dollars);
        }
    }

    fn solve(&mut self) {
        let Some(pacer) = &self.pacer else { return };
        let contexts = pacer.ring.iter().map(AsRef::as_ref);
        let curve = self.curve(contexts);
        if let Some(pacer) = &mut self.pacer {
            Arc::make_mut(pacer).curve = curve;
        }
    }

    /// Expected dollars of a request by λ, over `contexts`; empty without any, or without a ceiling.
    fn curve<'a>(&self, contexts: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
        let Some(ceiling) = self.budget_per_request() else { return Vec::new() };
        let arms: Vec<&ArmState> =
            self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate()).map(AsRef::as_ref).collect();
        let mut offers: Vec<(f64, f64)> = Vec::new();
        let mut rows = 0.0;
        for x in contexts {
            rows += 1.0;
            offers.extend(arms.iter().map(|arm| (arm.lens.mean(x), arm.expected_dollars(x))));
        }
        if arms.is_empty() || offers.is_empty() {
            return Vec::new();
        }
        let cost = |place: usize| {
            let per_dollar = lambda_at(place) / ceiling;
            let best = |row: &[(f64, f64)]| {
                let mut best = (f64::NEG_INFINITY, 0.0);
                for (mean, dollars) in row {
                    let value = mean - per_dollar * dollars;
                    if value > best.0 {
                        best = (value, *dollars);
                    }
                }
                best.1
            };
            offers.chunks_exact(arms.len()).map(best).sum::<f64>() / rows
        };
        (0..GRID).map(cost).collect()
    }

    /// Reward per dollar by turn, for a forecast over `contexts` under the ceiling itself, without account.
    pub(super) fn forecast_prices(&self, contexts: &[Vec<f64>]) -> Option<impl Fn(usize) -> f64 + use<>> {
        let pacer = self.pacer.as_ref()?;
        let curve = self.curve(contexts.iter().filter(|x| x.len() == self.config().d).map(Vec::as_slice));
        let (ceiling, target) = (pacer.ceiling, pacer.ceiling / pacer.overhead());
        Some(move |turn: usize| lambda_for(&curve, target, turn as u64) / ceiling)
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
