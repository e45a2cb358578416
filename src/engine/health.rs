//! When an arm is taken out for a time, and for how long. A simple rule over what runs reported: some
//! transient failures in a row, or one failure that no waiting mends (a setting, a quota). Each ejection
//! in a row lasts twice as long; the first success after it starts afresh. Deciding is pure; the owner
//! turns a decision into a command, and never takes out the last candidate.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;

/// How health is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthRules {
    /// Transient failures in a row that eject an arm.
    pub consecutive: u32,
    /// How long the first ejection lasts.
    pub first: Duration,
    /// How long an ejection for transient failures lasts at most.
    pub longest: Duration,
    /// How long an arm is out whose settings are at fault; a restart tries it again.
    pub configuration: Duration,
    /// How long an arm is out whose quota is used up.
    pub quota: Duration,
    /// Share of runs with a fallback that raises an alarm, in [0, 1].
    pub fallback_rate: f64,
    /// Runs in the window before that alarm is raised.
    pub fallback_runs: u64,
}

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            consecutive: 5,
            first: Duration::from_secs(10),
            longest: Duration::from_mins(5),
            configuration: Duration::from_hours(1),
            quota: Duration::from_mins(30),
            fallback_rate: 0.2,
            fallback_runs: 50,
        }
    }
}

/// An arm is to be taken out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ejection {
    pub arm: ArmId,
    pub until: Timestamp,
    pub reason: String,
}

/// Ejections in a row, by arm.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    rules: HealthRules,
    in_a_row: BTreeMap<ArmId, u32>,
}

impl Health {
    pub(super) fn new(rules: HealthRules) -> Self {
        Self { rules, in_a_row: BTreeMap::new() }
    }

    pub(super) fn rules(&self) -> &HealthRules {
        &self.rules
    }

    /// Who is to be taken out after `record`. `failures`: an arm's failures in a row up to now, this
    /// record included. What becomes of it is for [`Self::ejected`]: runs that were in flight when an arm
    /// went fail too, and say nothing new.
    pub(super) fn judge(
        &mut self,
        record: &RunRecord,
        failures: impl Fn(&ArmId) -> u32,
        now: Timestamp,
    ) -> Vec<Ejection> {
        let mut ejections: Vec<Ejection> = Vec::new();
        for (arm, failure) in calls(record) {
            match failure {
                None => {
                    self.in_a_row.remove(arm);
                    ejections.retain(|ejection| ejection.arm != *arm);
                }
                Some(failure) if ejections.iter().all(|ejection| ejection.arm != *arm) => {
                    ejections.extend(self.eject(arm, failure, failures(arm), now));
                }
                Some(_) => {}
            }
        }
        ejections
    }

    /// The arm was taken out: the next time lasts twice as long.
    pub(super) fn ejected(&mut self, arm: &ArmId) {
        *self.in_a_row.entry(arm.clone()).or_default() += 1;
    }

    /// The longest that any ejection lasts. One that ends later than this from now was decreed by a clock
    /// that was set back since.
    pub(super) fn longest(&self) -> Duration {
        // An endpoint's own wish is bounded by `longest` too.
        self.rules.longest.max(self.rules.configuration).max(self.rules.quota)
    }

    /// A person or the configuration brought the arm back, or took it out: the count starts afresh.
    pub(super) fn forget(&mut self, arm: &ArmId) {
        self.in_a_row.remove(arm);
    }

    fn eject(&self, arm: &ArmId, failure: &Failure, in_a_row: u32, now: Timestamp) -> Option<Ejection> {
        let span = match failure.class {
            FailureClass::Configuration => self.rules.configuration,
            FailureClass::Quota => self.rules.quota,
            FailureClass::Transient if in_a_row >= self.rules.consecutive => self.transient_span(arm, failure),
            _ => return None,
        };
        let reason = match failure.class {
            FailureClass::Transient => format!("{in_a_row} failures in a row ({}): {}", failure.kind, failure.message),
            _ => failure.to_string(),
        };
        Some(Ejection { arm: arm.clone(), until: now.plus(span), reason })
    }

    fn transient_span(&self, arm: &ArmId, failure: &Failure) -> Duration {
        let doublings = self.in_a_row.get(arm).copied().unwrap_or_default().min(16);
        let span = self.rules.first.saturating_mul(1 << doublings);
        span.max(failure.retry_after.unwrap_or_default()).min(self.rules.longest)
    }
}

/// What was found, of an ejection's reason: the count, the class, the kind. What follows are words of an
/// endpoint, and those may repeat the prompt.
pub(super) fn finding(reason: &str) -> &str {
    reason.split_once(": ").map_or(reason, |(found, _)| found)
}

/// Every call of the run that says something about health, in order: the arm, and how it failed.
fn calls(record: &RunRecord) -> impl Iterator<Item = (&ArmId, Option<&Failure>)> {
    let previews = record.previews.iter().filter(|p| !p.cached).map(|p| (&p.arm, p.error.as_ref()));
    let attempts = record.attempts.iter().filter(|a| !a.lost).map(|a| (&a.arm, a.error.as_ref()));
    // A refusal, a budget or a cancellation says nothing about the endpoint, neither good nor bad.
    previews.chain(attempts).filter(|(_, failure)| failure.is_none_or(|f| f.class.is_health()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::record;

    const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000);

    fn failing(class: FailureClass) -> RunRecord {
        record(NOW, 1).attempt("a", Some(Failure::new(class, "http_503", "overloaded"))).build()
    }

    fn seconds(ejections: &[Ejection]) -> Vec<u64> {
        ejections.iter().map(|e| e.until.since(NOW).as_secs()).collect()
    }

    #[test]
    fn ejections_in_a_row_double_up_to_a_bound_and_a_success_starts_afresh() {
        let mut health = Health::new(HealthRules::default());
        let bad = failing(FailureClass::Transient);
        assert!(health.judge(&bad, |_| 4, NOW).is_empty());
        let mut spans = Vec::new();
        for n in 5..12 {
            // Runs that were in flight fail as well, and lengthen nothing.
            health.judge(&bad, |_| n, NOW);
            spans.extend(seconds(&health.judge(&bad, |_| n, NOW)));
            health.ejected(&ArmId::from("a"));
        }
        assert_eq!(spans, [10, 20, 40, 80, 160, 300, 300]);
        health.judge(&record(NOW, 2).attempt("a", None).build(), |_| 0, NOW);
        assert_eq!(seconds(&health.judge(&bad, |_| 5, NOW)), [10]);
    }

    #[test]
    fn a_setting_or_a_quota_ejects_at_once() {
        let mut health = Health::new(HealthRules::default());
        let out = health.judge(&failing(FailureClass::Configuration), |_| 1, NOW);
        assert_eq!(seconds(&out), [3_600]);
        assert_eq!(out[0].reason, "configuration (http_503): overloaded");
        assert_eq!(finding(&out[0].reason), "configuration (http_503)");
        assert_eq!(seconds(&health.judge(&failing(FailureClass::Quota), |_| 1, NOW)), [1_800]);
        for class in [FailureClass::Content, FailureClass::Caller, FailureClass::Budget, FailureClass::Cancelled] {
            assert!(health.judge(&failing(class), |_| 99, NOW).is_empty(), "{class}");
        }
    }

    #[test]
    fn what_the_endpoint_asks_for_is_honoured_within_bounds() {
        let mut health = Health::new(HealthRules::default());
        for (asked, given) in [(60, 60), (86_400, 300)] {
            let mut failure = Failure::new(FailureClass::Transient, "http_429", "slow down");
            failure.retry_after = Some(Duration::from_secs(asked));
            let bad = record(NOW, 1).attempt("a", Some(failure)).build();
            assert_eq!(seconds(&health.judge(&bad, |_| 5, NOW)), [given]);
        }
    }
}
