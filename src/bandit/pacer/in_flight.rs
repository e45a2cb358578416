//! Runs that were decided and are not in the account yet. The fold learns of a run when it has ended; until
//! then whoever started it says what it is expected to cost, and a decision looks at the account as it will
//! be when those runs have cost that. Nothing of it is state: without runs in flight it changes no number.

use super::CAP;
use super::Pacer;
use crate::bandit::state::RouterState;

/// Runs under a ceiling that were decided and are not in the account yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InFlight {
    /// How many.
    pub runs: u64,
    /// What they are expected to cost together, in dollars.
    pub dollars: f64,
}

impl InFlight {
    /// None.
    pub const NONE: Self = Self { runs: 0, dollars: 0.0 };

    /// With another run that is expected to cost `dollars`.
    #[must_use]
    pub fn and(self, dollars: f64) -> Self {
        Self { runs: self.runs + 1, dollars: self.dollars + dollars }
    }
}

impl Pacer {
    /// The account as it will be when those runs have cost what is expected.
    pub(super) fn balance_after(&self, in_flight: InFlight) -> f64 {
        (self.balance + in_flight.runs as f64 * self.ceiling - in_flight.dollars).min(CAP * self.ceiling)
    }
}

impl RouterState {
    /// What a run that `arm` answers is expected to cost at `x` (which may lack the last dimensions): previews, judge
    /// and fallbacks included. An arm of whose dollars nothing is known counts as one that costs the ceiling.
    /// `None` without a ceiling, or for an unknown arm.
    #[must_use]
    pub fn expected_run_dollars(&self, arm: &str, x: &[f64]) -> Option<f64> {
        let pacer = self.pacer.as_ref()?;
        let answer = self.arms[self.find(arm)?].expected_dollars(x);
        Some(if answer > 0.0 { answer * pacer.overhead() } else { pacer.ceiling })
    }
}
