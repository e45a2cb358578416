//! What each arm's answer costs at a context, and which arms the account lets be asked: what the pacer
//! says about one decision. The account and its multiplier are in `pacer.rs`.

use std::sync::Arc;

use super::in_flight::InFlight;
use super::{CAP, EXHAUSTED, PLAIN, RATIO, SAFETY, SAFETY_FULL, SURPLUS_ALPHA, TOKENS};
use crate::bandit::choose::Contender;
use crate::bandit::kernels::dot;
use crate::bandit::state::{ArmState, RouterState};
use crate::bandit::stats::ArmStatistics;
use crate::domain::terms::Column;

/// What the pacer says about one decision.
#[derive(Clone, Debug)]
pub(in crate::bandit) struct Tariff<'a> {
    /// Reward per dollar.
    per_dollar: f64,
    /// The mean of the contexts seen.
    mean: Option<&'a [f64]>,
    /// Dollars that an arm dearer than the ceiling may cost.
    free: f64,
    ceiling: f64,
    safety: f64,
    /// Only the cheapest is affordable.
    pub(super) exhausted: bool,
    /// Nothing would spend the account.
    surplus: bool,
}

impl Tariff<'_> {
    /// Whether an arm of `mean` dollars, `dollars` at this context, is open.
    fn affords(&self, mean: f64, dollars: f64) -> bool {
        dollars <= 0.0 || !self.exhausted && (mean <= self.ceiling || self.safety * dollars <= self.free)
    }

    /// Prices every contender at the context `x_of` it, and says by position which are open; the cheapest is.
    pub(in crate::bandit) fn price(&self, state: &RouterState, contender: &mut Contender, x: &[f64]) -> Offer {
        let arm = &state.arms[contender.arm];
        let dollars = arm.expected_dollars(x);
        let mean = self.mean.map_or(dollars, |mean| arm.expected_dollars(mean));
        *contender = contender.priced(self.per_dollar * dollars);
        // A wider reach for arms that were seen little would mostly buy more of the cheap ones, which the account
        // leaves open at any time: under a ceiling the plain uncertainty explores, and further by as much as policies are
        // told to go less far for the wider reach.
        contender.standing.reach = PLAIN * contender.standing.uncertainty;
        Offer { dollars, mean, open: self.affords(mean, dollars) }
    }

    /// Opens the cheapest, and marks who may be tried with money that nothing else would spend.
    pub(in crate::bandit) fn conclude(&self, contenders: &mut [Contender], offers: &mut [Offer]) {
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
pub(in crate::bandit) struct Offer {
    /// At this context.
    dollars: f64,
    /// At the mean of the contexts.
    mean: f64,
    /// Whether the account lets it be asked.
    pub(in crate::bandit) open: bool,
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
    pub(in crate::bandit) fn expected_dollars(&self, x: &[f64]) -> f64 {
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
    /// What the pacer says now, beside runs in flight; `None` without a ceiling.
    pub(in crate::bandit) fn tariff(&self, in_flight: InFlight) -> Option<Tariff<'_>> {
        let pacer = self.pacer.as_ref()?;
        let balance = pacer.balance_after(in_flight);
        let overhead = pacer.overhead();
        let mean = pacer.mean_context();
        let cheapest = mean.and_then(|mean| self.cheapest(mean));
        let target = pacer.target(balance);
        let surplus = pacer.curve.first().is_some_and(|dollars| *dollars <= target) && balance > pacer.reserve();
        let is_full = balance >= 0.75 * CAP * pacer.ceiling;
        Some(Tariff {
            per_dollar: pacer.lambda(self.steps + in_flight.runs, balance) / pacer.ceiling,
            mean,
            free: (balance + pacer.ceiling) / overhead,
            ceiling: pacer.ceiling / overhead,
            safety: if is_full { SAFETY_FULL } else { SAFETY },
            exhausted: cheapest.is_some_and(|dollars| dollars * overhead >= EXHAUSTED * pacer.ceiling),
            surplus,
        })
    }

    /// The least mean dollars of a candidate that has been paid for.
    fn cheapest(&self, mean: &[f64]) -> Option<f64> {
        let paid = |arm: &&Arc<ArmState>| arm.stats.data_mean(Column::Dollars).1 > 0.0;
        let open = self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate()).filter(paid);
        open.map(|arm| plain_dollars(&arm.stats, mean)).reduce(f64::min)
    }
}
