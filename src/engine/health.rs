//! When an arm is taken out for a time, and for how long: a circuit breaker over what runs reported.
//!
//! - Transient failures eject: so many in a row, or so large a share of the calls of the last minute where
//!   there were enough of them. Each ejection in a row lasts twice as long, up to a bound, and up to a
//!   quarter longer by chance, so that arms that went together do not all come back at once.
//! - A rate limit (429) is no failure of health: the arm cools down until the endpoint's Retry-After and
//!   comes back without a probe. Neither counts towards an ejection.
//! - A setting or a quota ejects at once and for long: no waiting mends it.
//! - What a probe found (see `probes.rs`) brings the arm back, or keeps it out for longer.
//!
//! Deciding is pure; the owner turns a decision into a command, and never takes out the last candidate. How often an
//! arm was taken out is in the router's state, so that a restart does not begin anew; what was seen of its calls is not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;
use crate::domain::spec::COOLING;

/// Calls of an arm that are remembered.
const REMEMBERED: usize = 256;
/// A probe that is not in by then is forgotten.
const LATEST_PROBE: Duration = Duration::from_mins(3);

/// How health is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthRules {
    /// Transient failures in a row that eject an arm.
    pub consecutive: u32,
    /// Share of its calls in `window` that eject it when they failed in passing, in (0, 1].
    pub share: f64,
    /// Calls in `window` before that share counts.
    pub volume: u32,
    /// The window of `share`.
    pub window: Duration,
    /// How long the first ejection lasts.
    pub first: Duration,
    /// How long an ejection for transient failures lasts at most, but for chance.
    pub longest: Duration,
    /// By which part an ejection may last longer, by chance; in [0, 1].
    pub jitter: f64,
    /// How long a rate-limited arm is out where the endpoint names no time.
    pub cooling: Duration,
    /// How long a rate-limited arm is out at most.
    pub longest_cooling: Duration,
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
            share: 0.5,
            volume: 20,
            window: Duration::from_mins(1),
            first: Duration::from_secs(10),
            longest: Duration::from_mins(5),
            jitter: 0.25,
            cooling: Duration::from_secs(5),
            longest_cooling: Duration::from_mins(10),
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
    pub span: Duration,
    /// Whether chance may make it last longer, and the next one will be longer.
    pub grows: bool,
    pub reason: String,
}

/// What is known of arms.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    rules: HealthRules,
    arms: BTreeMap<ArmId, ArmHealth>,
}

/// One arm's.
#[derive(Clone, Debug, Default)]
struct ArmHealth {
    /// Transient failures in a row.
    failures: u32,
    /// Successes in a row.
    successes: u32,
    /// The newest calls: when, and whether they failed in passing.
    recent: VecDeque<(Timestamp, bool)>,
    /// Since when it is probed.
    probing: Option<Timestamp>,
}

impl Health {
    pub(super) fn new(rules: HealthRules) -> Self {
        Self { rules, arms: BTreeMap::new() }
    }

    pub(super) fn rules(&self) -> &HealthRules {
        &self.rules
    }

    /// Who is to be taken out after `record`, at most once; `before`: an arm's ejections that count. Whether it is
    /// carried out is for the owner to say: runs that were in flight when an arm went fail too, and say nothing new.
    pub(super) fn judge(
        &mut self,
        record: &RunRecord,
        before: &dyn Fn(&ArmId) -> u32,
        now: Timestamp,
    ) -> Vec<Ejection> {
        let mut ejections: Vec<Ejection> = Vec::new();
        for (arm, failure) in calls(record) {
            let ejection = self.call(arm, failure, before(arm), now);
            // What an arm did last in a run says how it is; but nothing later in it mends a quota.
            ejections.retain(|known| known.arm != *arm || !known.grows);
            if ejections.iter().all(|known| known.arm != *arm) {
                ejections.extend(ejection);
            }
        }
        ejections
    }

    /// The same of one call, as it ends.
    pub(super) fn called(
        &mut self,
        arm: &ArmId,
        failure: Option<&Failure>,
        before: u32,
        now: Timestamp,
    ) -> Option<Ejection> {
        let says_something = failure.is_none_or(|failure| failure.class.is_health());
        says_something.then(|| self.call(arm, failure, before, now)).flatten()
    }

    fn call(&mut self, arm: &ArmId, failure: Option<&Failure>, before: u32, now: Timestamp) -> Option<Ejection> {
        let rules = &self.rules;
        let known = self.arms.entry(arm.clone()).or_default();
        let Some(failure) = failure else {
            known.succeeded(rules, now);
            return None;
        };
        if failure.is_rate_limit() {
            // A moment that is past says no more than none.
            let asked = failure.retry_after.filter(|asked| !asked.is_zero());
            let span = asked.unwrap_or(rules.cooling).min(rules.longest_cooling);
            let reason = format!("{COOLING} ({}): {}", failure.kind, failure.message);
            return Some(Ejection { arm: arm.clone(), span, grows: false, reason });
        }
        let at_once = |span| Some(Ejection { arm: arm.clone(), span, grows: false, reason: failure.to_string() });
        match failure.class {
            FailureClass::Configuration => at_once(rules.configuration),
            FailureClass::Quota => at_once(rules.quota),
            FailureClass::Transient => {
                known.failed(rules, now);
                let why = known.why(rules)?;
                let span = rules.span(before, failure);
                let reason = format!("{why} ({}): {}", failure.kind, failure.message);
                Some(Ejection { arm: arm.clone(), span, grows: true, reason })
            }
            _ => None,
        }
    }

    /// Whether the arm has just answered often enough for its ejections to count no more: one success shows that it
    /// is up; only several that it stays so.
    pub(super) fn has_recovered(&self, arm: &ArmId) -> bool {
        self.arms.get(arm).is_some_and(|known| known.successes >= self.rules.consecutive)
    }

    /// The moment until which an arm is out from `now` on; `entropy` of the command that says so, in which the
    /// moment is kept, so that nothing is drawn again when the log is.
    pub(super) fn until(&self, ejection: &Ejection, now: Timestamp, entropy: u64) -> Timestamp {
        let chance = (entropy >> 11) as f64 / (1u64 << 53) as f64;
        let longer = if ejection.grows { self.rules.jitter * chance } else { 0.0 };
        now.plus(ejection.span.mul_f64(1.0 + longer))
    }

    /// The longest that any ejection lasts. One that ends later than this from now was decreed by a clock
    /// that was set back since.
    pub(super) fn longest(&self) -> Duration {
        let rules = &self.rules;
        let growing = rules.longest.mul_f64(1.0 + rules.jitter);
        // An endpoint's own wish is bounded too.
        growing.max(rules.configuration).max(rules.quota).max(rules.longest_cooling)
    }

    /// Whether the arm may be probed now; if so it is, and nobody else probes it meanwhile.
    pub(super) fn begin_probe(&mut self, arm: &ArmId, now: Timestamp) -> bool {
        let known = self.arms.entry(arm.clone()).or_default();
        let is_free = known.probing.is_none_or(|since| now.since(since) > LATEST_PROBE || since > now);
        if is_free {
            known.probing = Some(now);
        }
        is_free
    }

    /// What a probe found: the next ejection where the endpoint is still down, nothing where it is up.
    ///
    /// # Errors
    /// The probe was stopped and found nothing out.
    pub(super) fn probed(
        &mut self,
        arm: &ArmId,
        failure: Option<&Failure>,
        before: u32,
        now: Timestamp,
    ) -> Result<Option<Ejection>, ()> {
        let rules = &self.rules;
        let known = self.arms.entry(arm.clone()).or_default();
        known.probing = None;
        let Some(failure) = failure.filter(|failure| failure.class.is_health()) else {
            if failure.is_some_and(|f| matches!(f.class, FailureClass::Cancelled | FailureClass::Budget)) {
                return Err(());
            }
            // An endpoint that answers, badly or with an objection to the prompt, is up.
            known.failures = 0;
            known.recent.clear();
            return Ok(None);
        };
        if failure.class == FailureClass::Transient && !failure.is_rate_limit() {
            let span = rules.span(before, failure);
            let reason = format!("the probe failed ({}): {}", failure.kind, failure.message);
            return Ok(Some(Ejection { arm: arm.clone(), span, grows: true, reason }));
        }
        Ok(self.call(arm, Some(failure), before, now))
    }

    /// A person or the configuration brought the arm back, or took it out: the count starts afresh.
    pub(super) fn forget(&mut self, arm: &ArmId) {
        self.arms.remove(arm);
    }
}

impl ArmHealth {
    fn succeeded(&mut self, rules: &HealthRules, now: Timestamp) {
        self.note(false, rules, now);
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
    }

    fn failed(&mut self, rules: &HealthRules, now: Timestamp) {
        self.note(true, rules, now);
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
    }

    fn note(&mut self, failed: bool, rules: &HealthRules, now: Timestamp) {
        self.recent.push_back((now, failed));
        let is_old = |(at, _): &(Timestamp, bool)| now.since(*at) > rules.window;
        while self.recent.len() > REMEMBERED || self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
    }

    /// Why it is to go, where it is.
    fn why(&self, rules: &HealthRules) -> Option<String> {
        if self.failures >= rules.consecutive {
            return Some(format!("{} failures in a row", self.failures));
        }
        let (calls, failed) = (self.recent.len(), self.recent.iter().filter(|(_, failed)| *failed).count());
        let is_enough = calls >= rules.volume.max(1) as usize && failed as f64 >= rules.share * calls as f64;
        is_enough.then(|| format!("{failed} of {calls} calls failed in {} s", rules.window.as_secs()))
    }
}

impl HealthRules {
    /// How long the next ejection lasts after `before` that count.
    fn span(&self, before: u32, failure: &Failure) -> Duration {
        let span = self.first.saturating_mul(1 << before.min(16));
        span.max(failure.retry_after.unwrap_or_default()).min(self.longest)
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
    let attempts = record.attempts.iter().filter(|a| a.says_of_health()).map(|a| (&a.arm, a.error.as_ref()));
    // A refusal, a budget or a cancellation says nothing about the endpoint, neither good nor bad.
    previews.chain(attempts).filter(|(_, failure)| failure.is_none_or(|f| f.class.is_health()))
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
