//! How much more than the plain traffic may be sent: retries and hedges, the calls that nobody asked for.
//! Two rules, both token buckets, shared by every run: each endpoint may be retried for a share of its
//! calls plus a trickle, and retries and hedges of all endpoints together may be a share of all calls plus
//! a trickle. So an endpoint in trouble is never hit harder than it was before, and an outage of all of
//! them does not double the bill. (Finagle's retry budget; Envoy counts hedges in it as we do.)
//!
//! A bucket that neither calls nor time would fill holds nothing at first either: who sets both to 0 wants no extras.
//!
//! Over any span of `t` seconds with `n` calls, at most `burst + share·n + trickle·t` extras are granted.
//! Time is an argument. Nothing here waits, and nothing decides whether an extra call would help.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::domain::handling::{ExtraCount, Helper};
use crate::domain::ids::ArmId;

/// How much more may be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtraRules {
    /// Retries per call of one endpoint, in [0, 1].
    pub retry_share: f64,
    /// Retries and hedges per call of any endpoint, in [0, 1].
    pub extra_share: f64,
    /// Extras per second that are granted whatever the traffic, of each bucket; not negative.
    pub trickle_per_s: f64,
    /// Extras that a bucket holds at most, and holds at first; at least 1.
    pub burst: f64,
}

impl Default for ExtraRules {
    fn default() -> Self {
        Self { retry_share: 0.2, extra_share: 0.2, trickle_per_s: 0.2, burst: 10.0 }
    }
}

/// Whose budget it is. An arm may have any name: one that is named `judge` shares nothing with the judge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// An arm's, whatever it is asked for.
    Arm(ArmId),
    /// One that is no arm's.
    Helper(Helper),
}

/// A call that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// The same call to the same endpoint once more, because it failed.
    Retry,
    /// The same request to another endpoint meanwhile, because the first may be slow or fail.
    Hedge,
}

/// Why an extra call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The endpoint has had its share of retries.
    #[error("the endpoint's retry budget is used up")]
    Endpoint,
    /// Retries and hedges together have had their share of the traffic.
    #[error("retries and hedges have had their share of the traffic")]
    Traffic,
}

/// The buckets; shared by all runs of a race.
#[derive(Debug)]
pub struct ExtraBudget {
    rules: ExtraRules,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    all: Option<Bucket>,
    endpoints: BTreeMap<Endpoint, Account>,
}

#[derive(Debug)]
struct Account {
    bucket: Bucket,
    count: ExtraCount,
}

impl ExtraBudget {
    /// Full buckets.
    #[must_use]
    pub fn new(rules: ExtraRules) -> Self {
        Self { rules, books: Mutex::default() }
    }

    /// A call that somebody asked for is about to be made to `endpoint`: every such call, of every phase, earns its
    /// share.
    pub fn called(&self, endpoint: &Endpoint, now: Instant) {
        let mut books = self.books();
        books.all(self.rules, now).earn(self.rules.extra_share, &self.rules);
        let found = books.endpoint(endpoint, self.rules, now);
        found.bucket.earn(self.rules.retry_share, &self.rules);
        found.count.calls += 1;
    }

    /// Takes one extra call to `endpoint` out of the budget, if it is there. Asked for just before the call
    /// is made; what was taken and not used is lost.
    ///
    /// # Errors
    /// [`Denied`]: the call must not be made, and nothing was taken.
    pub fn take(&self, extra: Extra, endpoint: &Endpoint, now: Instant) -> Result<(), Denied> {
        let mut books = self.books();
        let is_open = books.all(self.rules, now).holds_one();
        let found = books.endpoint(endpoint, self.rules, now);
        let denied = match extra {
            Extra::Retry if !found.bucket.holds_one() => Some(Denied::Endpoint),
            Extra::Retry | Extra::Hedge => (!is_open).then_some(Denied::Traffic),
        };
        if let Some(denied) = denied {
            found.count.denied += 1;
            return Err(denied);
        }
        match extra {
            Extra::Retry => {
                found.bucket.spend();
                found.count.retries += 1;
            }
            Extra::Hedge => found.count.hedges += 1,
        }
        books.all(self.rules, now).spend();
        Ok(())
    }

    /// What an endpoint was granted and refused, with what is left at `now`; absent where it was never called.
    #[must_use]
    pub fn count(&self, endpoint: &Endpoint, now: Instant) -> Option<ExtraCount> {
        let mut books = self.books();
        let found = books.endpoints.get_mut(endpoint)?;
        found.bucket.pass(now, &self.rules);
        Some(ExtraCount { left: found.bucket.holds, ..found.count })
    }

    /// Forgets an endpoint that has left the pool.
    pub fn forget(&self, endpoint: &Endpoint) {
        self.books().endpoints.remove(endpoint);
    }

    /// Never held across a wait; what a panic left is as good as any, every change is whole.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// The bucket of all endpoints, as it is at `now`.
    fn all(&mut self, rules: ExtraRules, now: Instant) -> &mut Bucket {
        let bucket = self.all.get_or_insert_with(|| Bucket::full(rules.extra_share, &rules, now));
        bucket.pass(now, &rules);
        bucket
    }

    fn endpoint(&mut self, endpoint: &Endpoint, rules: ExtraRules, now: Instant) -> &mut Account {
        let fresh = || Account { bucket: Bucket::full(rules.retry_share, &rules, now), count: ExtraCount::default() };
        let found = self.endpoints.entry(endpoint.clone()).or_insert_with(fresh);
        found.bucket.pass(now, &rules);
        found
    }
}

/// A token bucket that calls and time fill.
#[derive(Debug)]
struct Bucket {
    holds: f64,
    at: Instant,
}

impl Bucket {
    /// One that calls fill by `share` each.
    fn full(share: f64, rules: &ExtraRules, now: Instant) -> Self {
        let is_ever_filled = share > 0.0 || rules.trickle_per_s > 0.0;
        Self { holds: if is_ever_filled { rules.burst } else { 0.0 }, at: now }
    }

    /// Time passes; an earlier moment than the last one changes nothing.
    fn pass(&mut self, now: Instant, rules: &ExtraRules) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.earn(passed * rules.trickle_per_s, rules);
    }

    fn earn(&mut self, tokens: f64, rules: &ExtraRules) {
        self.holds = (self.holds + tokens).min(rules.burst);
    }

    /// With room for the rounding of many small shares.
    fn holds_one(&self) -> bool {
        self.holds >= 1.0 - 1e-9
    }

    fn spend(&mut self) {
        self.holds = (self.holds - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn arm(name: &str) -> Endpoint {
        Endpoint::Arm(ArmId::new(name))
    }

    #[test]
    fn an_arm_named_like_another_endpoint_has_a_budget_of_its_own() {
        let (budget, now) = (ExtraBudget::new(ExtraRules::default()), Instant::now());
        for helper in Helper::ALL {
            budget.called(&arm(helper.name()), now);
            assert_eq!(budget.count(&Endpoint::Helper(helper), now), None);
        }
    }

    #[test]
    fn an_endpoint_is_retried_for_a_share_of_its_calls_and_a_trickle() {
        let rules = ExtraRules { retry_share: 0.2, extra_share: 1.0, trickle_per_s: 0.1, burst: 2.0 };
        let (budget, start) = (ExtraBudget::new(rules), Instant::now());
        let retry = |now| budget.take(Extra::Retry, &arm("a"), now);
        assert_eq!([retry(start), retry(start), retry(start)], [Ok(()), Ok(()), Err(Denied::Endpoint)]);
        assert_eq!(
            budget.take(Extra::Retry, &arm("b"), start),
            Err(Denied::Traffic),
            "both have drawn on the same bucket"
        );
        for _ in 0..5 {
            budget.called(&arm("a"), start);
        }
        assert_eq!([retry(start), retry(start)], [Ok(()), Err(Denied::Endpoint)], "five calls earn one");
        let later = start + Duration::from_secs(10);
        assert_eq!([retry(later), retry(later)], [Ok(()), Err(Denied::Endpoint)], "so do ten seconds");
        let count = budget.count(&arm("a"), later).unwrap();
        assert_eq!((count.calls, count.retries, count.denied), (5, 4, 3));
        assert!(count.left < 1.0);
        budget.forget(&arm("a"));
        assert_eq!(budget.count(&arm("a"), later), None);
    }

    #[test]
    fn without_a_share_and_a_trickle_there_are_no_extras() {
        let now = Instant::now();
        let none = ExtraRules { retry_share: 0.0, extra_share: 0.0, trickle_per_s: 0.0, burst: 10.0 };
        let budget = ExtraBudget::new(none);
        budget.called(&arm("a"), now);
        assert_eq!(budget.take(Extra::Retry, &arm("a"), now), Err(Denied::Endpoint));
        assert_eq!(budget.take(Extra::Hedge, &arm("a"), now), Err(Denied::Traffic));
        let hedges = ExtraBudget::new(ExtraRules { extra_share: 0.2, ..none });
        assert_eq!(hedges.take(Extra::Retry, &arm("a"), now), Err(Denied::Endpoint));
        assert_eq!(hedges.take(Extra::Hedge, &arm("a"), now), Ok(()));
        let trickle = ExtraBudget::new(ExtraRules { trickle_per_s: 0.1, ..none });
        assert_eq!(trickle.take(Extra::Retry, &arm("a"), now), Ok(()));
    }

    #[test]
    fn hedges_draw_on_the_share_of_the_traffic_and_on_no_endpoints_retries() {
        let rules = ExtraRules { retry_share: 0.01, extra_share: 0.5, trickle_per_s: 0.0, burst: 1.0 };
        let (budget, now) = (ExtraBudget::new(rules), Instant::now());
        assert_eq!(budget.take(Extra::Hedge, &arm("a"), now), Ok(()));
        assert_eq!(budget.take(Extra::Hedge, &arm("b"), now), Err(Denied::Traffic));
        assert_eq!(budget.take(Extra::Retry, &arm("a"), now), Err(Denied::Traffic));
        budget.called(&arm("b"), now);
        budget.called(&arm("b"), now);
        assert_eq!(budget.take(Extra::Retry, &arm("a"), now), Ok(()), "a hedge took none of its own retries");
    }

    proptest! {
        /// The bound of the file's head, over the whole of any history, per endpoint and over all.
        #[test]
        fn the_budget_is_never_exceeded(
            share in 0.0..0.5f64, trickle in 0.0..2.0f64, burst in 1.0..20.0f64,
            steps in prop::collection::vec((0u8..4, 0u8..3, 0u64..900), 0..400),
        ) {
            let rules = ExtraRules { retry_share: share, extra_share: share / 2.0, trickle_per_s: trickle, burst };
            let (budget, start) = (ExtraBudget::new(rules), Instant::now());
            let mut now = start;
            for (what, endpoint, ms) in steps {
                now += Duration::from_millis(ms);
                let endpoint = &arm(["a", "b", "c"][usize::from(endpoint)]);
                let _ = match what {
                    0 => { budget.called(endpoint, now); Ok(()) },
                    1 => budget.take(Extra::Hedge, endpoint, now),
                    _ => budget.take(Extra::Retry, endpoint, now),
                };
                let passed = (now - start).as_secs_f64();
                let names = ["a", "b", "c"].into_iter();
                let counts: BTreeMap<_, _> = names.filter_map(|name| Some((name, budget.count(&arm(name), now)?))).collect();
                let bound = |share: f64, calls: u64| share.mul_add(calls as f64, trickle.mul_add(passed, burst)) + 1e-6;
                for (name, count) in &counts {
                    prop_assert!(count.retries as f64 <= bound(share, count.calls), "{name}");
                }
                let calls = counts.values().map(|c| c.calls).sum();
                let extras: u64 = counts.values().map(|c| c.retries + c.hedges).sum();
                prop_assert!(extras as f64 <= bound(share / 2.0, calls));
            }
        }
    }
}
