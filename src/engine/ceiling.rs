//! Who is told that a ceiling of dollars (per request, run or day) cannot hold for an arm, the judge or embeddings: one without
//! a price costs nothing as far as anybody can tell, and would be bought without end. And that the day's ceiling is
//! reached, so that every run is refused until the day is over. Pricing itself is the router's, holding the ceilings the race's.

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::race::{EmbeddingSource, JudgeChoice};

use super::alarms::Notice;
use super::owner::Owner;
use super::runs::expected_usd;

/// The subjects of the alarms.
const SUBJECT: &str = "unpriced";
const SPENT: &str = "day_ceiling";

impl Owner {
    /// Raises or clears the alarm about arms without a price under a ceiling; whether anything changed.
    pub(super) fn review_ceiling(&mut self, now: Timestamp) -> bool {
        let state = &self.folds.state;
        let parts = self.shared.race.parts();
        let budget = &parts.config.budget;
        let has_ceiling = state.budget_per_request().is_some() || budget.run_usd.is_some() || budget.day_usd.is_some();
        let unpriced = state.arms().filter(|arm| arm.lifecycle.is_candidate() && arm.spec.price.is_none());
        let mut names: Vec<&str> = unpriced.map(|arm| arm.spec.name.as_str()).collect();
        // A judge that is an arm is among the arms.
        if let Some(JudgeChoice::Model { price: None, .. }) = &parts.judge {
            names.push("the judge");
        }
        if parts.embedding.as_ref().is_some_and(EmbeddingSource::is_unpriced) {
            names.push("the embedding of prompts");
        }
        let notice = (has_ceiling && !names.is_empty()).then(|| {
            let message = format!(
                "{} {} as free under the ceiling: set `price_per_million` (0 where it really is)",
                names.join(", "),
                if names.len() == 1 { "counts" } else { "count" },
            );
            Notice::new(SUBJECT, Severity::Warning, message)
        });
        self.folds.alarms.set(now, SUBJECT, notice)
    }

    /// Raises or clears the alarm about a day whose money is spent; whether anything changed.
    pub(super) fn review_day(&mut self, now: Timestamp) -> bool {
        let expected = expected_usd(&self.shared);
        let spent = self.shared.race.day().and_then(|account| Some((account.exhausted(now, expected)?, account)));
        let notice = spent.map(|(spent, account)| {
            let ceiling = account.ceiling_usd();
            let short = if spent < ceiling { format!(" and a run takes ${expected:.6}") } else { String::new() };
            let message = format!(
                "`budget.per_day_usd`: ${spent:.6} of ${ceiling} is spent today{short}: runs are refused until 00:00 UTC, \
                 or until it is raised"
            );
            Notice::new(SPENT, Severity::Critical, message)
        });
        self.folds.alarms.set(now, SPENT, notice)
    }
}
