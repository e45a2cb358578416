//! Who is told that the ceiling of dollars cannot hold for an arm: one without a price costs nothing as far
//! as anybody can tell, and would be bought without end. Pricing itself is the router's.

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;

use super::alarms::Notice;
use super::owner::Owner;

/// The subject of the alarm.
const SUBJECT: &str = "unpriced";

impl Owner {
    /// Raises or clears the alarm about arms without a price under a ceiling; whether anything changed.
    pub(super) fn review_ceiling(&mut self, now: Timestamp) -> bool {
        let state = &self.folds.state;
        let unpriced = state.arms().filter(|arm| arm.lifecycle.is_candidate() && arm.spec.price.is_none());
        let names: Vec<&str> = unpriced.map(|arm| arm.spec.name.as_str()).collect();
        let is_told = state.budget_per_request().is_some() && !names.is_empty();
        let notice = is_told.then(|| {
            let message = format!(
                "{} counts as free under the ceiling: set `price_per_million` (0 where it really is)",
                names.join(", ")
            );
            Notice::new(SUBJECT, Severity::Warning, message)
        });
        self.folds.alarms.set(now, SUBJECT, notice)
    }
}
