//! When the judge is asked no more for a time: a circuit breaker like that of arms, shared by the runs of a race. A
//! judge that is down costs every run the time in which it does not answer, and one whose settings are wrong teaches
//! nothing until somebody is told.
//!
//! So many runs in a row without a usable verdict take it out, each time for twice as long, up to a bound; a wrong
//! setting or a used-up quota does at once; a rate limit for as long as the endpoint asks. Meanwhile the local judge
//! scores. When the time is over, or somebody says that it is mended, one run asks it, and the others wait for what
//! that one finds. Held in memory alone: a restart, which may have mended it, asks again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::failure::{Failure, FailureClass};

/// How long the judge is asked no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeOutages {
    /// Runs in a row without a usable verdict after which it is out.
    pub consecutive: u32,
    /// How long the first time.
    pub first: Duration,
    /// How long at most.
    pub longest: Duration,
    /// How long after a rate limit where the endpoint names no time.
    pub cooling: Duration,
    /// How long after a rate limit at most.
    pub longest_cooling: Duration,
    /// How long where its settings are at fault.
    pub configuration: Duration,
    /// How long where its quota is used up.
    pub quota: Duration,
}

impl Default for JudgeOutages {
    fn default() -> Self {
        Self {
            consecutive: 5,
            first: Duration::from_secs(10),
            longest: Duration::from_mins(5),
            cooling: Duration::from_secs(5),
            longest_cooling: Duration::from_mins(10),
            configuration: Duration::from_hours(1),
            quota: Duration::from_mins(30),
        }
    }
}

/// A judge that is not asked.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeOut {
    /// For how long; zero where the next run asks it.
    pub left: Duration,
    /// What was found: the count or class, and the kind of the last failure. No words of an endpoint.
    pub finding: String,
    /// Whether waiting mends nothing: a setting, or a quota.
    pub needs_somebody: bool,
}

/// What the runs of a race know of their judge.
#[derive(Clone, Debug, Default)]
pub(crate) struct JudgeHealth(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Runs in a row without a usable verdict.
    failures: u32,
    /// Times in a row that it was out.
    outages: u32,
    out: Option<Out>,
    is_tried: bool,
}

#[derive(Debug)]
struct Out {
    until: Instant,
    finding: String,
    needs_somebody: bool,
}

/// The leave to ask. Dropped without a word, nothing was found out.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    health: &'a JudgeHealth,
    is_trial: bool,
}

impl JudgeHealth {
    /// Leave to ask the judge now.
    ///
    /// # Errors
    /// Why it is not asked, in words.
    pub(crate) fn ask(&self) -> Result<Leave<'_>, String> {
        let mut known = self.known();
        let Some(out) = &known.out else { return Ok(Leave { health: self, is_trial: false }) };
        let left = out.until.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Err(format!("the judge is out for another {} s: {}", left.as_secs_f64().ceil(), out.finding));
        }
        if known.is_tried {
            return Err(format!("the judge is out, and another run tries it: {}", out.finding));
        }
        known.is_tried = true;
        Ok(Leave { health: self, is_trial: true })
    }

    /// Whether it is out.
    pub(crate) fn out(&self) -> Option<JudgeOut> {
        let known = self.known();
        let Out { until, finding, needs_somebody } = known.out.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        Some(JudgeOut { left, finding: finding.clone(), needs_somebody: *needs_somebody })
    }

    /// Ends the time for which it is out, as somebody says that it is mended: the next run asks it, and the others
    /// wait for what that one finds. How it was out; `None` where it was not.
    pub(crate) fn ask_again(&self) -> Option<JudgeOut> {
        let was = self.out()?;
        let mut known = self.known();
        known.outages = 0;
        if let Some(out) = &mut known.out {
            out.until = Instant::now();
        }
        Some(was)
    }

    /// Never held across a wait.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// There is a verdict.
    pub(crate) fn judged(self) {
        *self.health.known() = Known::default();
    }

    /// There is none, for that reason; without a failure the judge answered what is no verdict.
    pub(crate) fn failed(self, rules: &JudgeOutages, failure: Option<&Failure>) {
        let mut known = self.health.known();
        if let Some(out) = known.outage(rules, failure, self.is_trial) {
            known.out = Some(out);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.health.known().is_tried = false;
        }
    }
}

impl Known {
    fn outage(&mut self, rules: &JudgeOutages, failure: Option<&Failure>, is_trial: bool) -> Option<Out> {
        let kind = failure.map_or("no_verdict", |failure| failure.kind.as_ref()).to_owned();
        let out = |span, finding, needs_somebody| Some(Out { until: Instant::now() + span, finding, needs_somebody });
        if let Some(limit) = failure.filter(|failure| failure.is_rate_limit()) {
            let asked = limit.retry_after.filter(|asked| !asked.is_zero()).unwrap_or(rules.cooling);
            return out(asked.min(rules.longest_cooling), format!("rate limited ({kind})"), false);
        }
        match failure.map(|failure| failure.class) {
            Some(class @ FailureClass::Configuration) => out(rules.configuration, format!("{class} ({kind})"), true),
            Some(class @ FailureClass::Quota) => out(rules.quota, format!("{class} ({kind})"), true),
            // What the caller or a ceiling of ours did says nothing about the judge.
            Some(FailureClass::Cancelled | FailureClass::Budget | FailureClass::Caller) => None,
            Some(FailureClass::Transient | FailureClass::Content) | None => {
                self.failures = self.failures.saturating_add(1);
                let is_due = is_trial || (self.out.is_none() && self.failures >= rules.consecutive);
                if !is_due {
                    return None;
                }
                let span = rules.first.saturating_mul(1 << self.outages.min(16)).min(rules.longest);
                self.outages = self.outages.saturating_add(1);
                out(span, format!("{} runs in a row without a verdict ({kind})", self.failures), false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const RULES: JudgeOutages = JudgeOutages {
        consecutive: 3,
        first: Duration::from_secs(10),
        longest: Duration::from_secs(25),
        cooling: Duration::from_secs(5),
        longest_cooling: Duration::from_mins(1),
        configuration: Duration::from_hours(1),
        quota: Duration::from_mins(30),
    };

    fn failure(class: FailureClass, kind: &'static str) -> Failure {
        Failure::new(class, kind, "words of the endpoint")
    }

    fn left(health: &JudgeHealth) -> Option<u64> {
        health.out().map(|out| out.left.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_in_a_row_take_it_out_for_longer_and_longer_until_a_verdict() {
        let health = JudgeHealth::default();
        let down = failure(FailureClass::Transient, "http_503");
        for _ in 0..2 {
            health.ask().unwrap().failed(&RULES, Some(&down));
        }
        assert_eq!(left(&health), None);
        health.ask().unwrap().failed(&RULES, None);
        for span in [10, 20, 25, 25] {
            assert_eq!(left(&health), Some(span));
            let refusal = health.ask().unwrap_err();
            assert!(refusal.contains("in a row without a verdict") && !refusal.contains("words of"), "{refusal}");
            sleep(Duration::from_secs(span)).await;
            let trial = health.ask().unwrap();
            assert!(health.ask().unwrap_err().contains("another run tries it"), "one at a time");
            trial.failed(&RULES, Some(&down));
        }
        sleep(Duration::from_secs(25)).await;
        drop(health.ask().unwrap());
        health.ask().expect("a trial that was stopped found nothing out").judged();
        assert_eq!(health.out(), None);
        health.ask().unwrap().failed(&RULES, Some(&down));
        assert_eq!(health.out(), None, "the count begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_mended_it_has_it_asked_by_one_run_and_is_told_how_it_was_out() {
        let health = JudgeHealth::default();
        assert_eq!(health.ask_again(), None, "one that is in");
        let unpaid = failure(FailureClass::Quota, "http_402");
        health.ask().unwrap().failed(&RULES, Some(&unpaid));
        let was = health.ask_again().unwrap();
        assert_eq!((was.left.as_secs(), was.finding.as_str()), (1800, "quota (http_402)"));
        assert_eq!(left(&health), Some(0), "out until somebody has a verdict");
        let trial = health.ask().unwrap();
        assert!(health.ask().unwrap_err().contains("another run tries it"));
        trial.failed(&RULES, Some(&unpaid));
        assert_eq!(left(&health), Some(1800), "not mended after all");
        health.ask_again().unwrap();
        health.ask().unwrap().judged();
        assert_eq!((health.out(), health.ask_again()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_does_not_mend_takes_it_out_at_once_and_what_says_nothing_never() {
        let limited = |after| Failure { retry_after: after, ..failure(FailureClass::Transient, "http_429") };
        let rows = [
            (failure(FailureClass::Configuration, "http_401"), Some((3600, true))),
            (failure(FailureClass::Quota, "http_402"), Some((1800, true))),
            (limited(Some(Duration::from_secs(7))), Some((7, false))),
            (limited(Some(Duration::from_mins(15))), Some((60, false))),
            (limited(None), Some((5, false))),
            (failure(FailureClass::Caller, "http_400"), None),
            (failure(FailureClass::Budget, "run_ceiling"), None),
            (failure(FailureClass::Cancelled, "cancelled"), None),
        ];
        for (failure, expected) in rows {
            let health = JudgeHealth::default();
            for _ in 0..5 {
                if let Ok(leave) = health.ask() {
                    leave.failed(&RULES, Some(&failure));
                }
            }
            let found = health.out().map(|out| (out.left.as_secs(), out.needs_somebody));
            assert_eq!(found, expected, "{failure:?}");
        }
    }
}
