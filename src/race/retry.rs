//! When a call that failed is made again: one policy for previews, the judge, full answers and embeddings.
//!
//! Only a failure in passing is tried again, only before the first token, only where the endpoint does not
//! ask us not to, only as often as the setting says and the budgets of `extra.rs` allow. The wait before
//! the `n`-th retry is drawn evenly from `[0, min(longest, base·2ⁿ⁻¹)]` (full jitter; Brooker, *Exponential
//! backoff and jitter*, AWS 2015). An endpoint's own wish (Retry-After) comes first, with up to `base` on
//! top, so that not everybody is back at once; where all waits of a call would be longer than our patience, or
//! than what is left of the phase, the call has failed now and the next arm takes over. A preview has less
//! patience, and for all its waits and the tries that failed: the whole race waits with it, and does as well without
//! one arm.
//!
//! All tries share the deadline of the whole call. What ran out of its time is not tried again: its time
//! was spent. Chance comes from the run's seed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::select;
use tokio::time::{Instant, sleep};

use super::call::{CallReport, Limits, cancelled, read};
use super::events::Wire;
use super::extra::{Denied, Endpoint, Extra, ExtraBudget, ExtraRules};
use super::outlet::Lane;
use super::reading::Late;
use crate::domain::answer::{ChatModel, ModelCall};
use crate::domain::event::RunEvent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::handling::{Deadlines, Handling, Retried};
use crate::domain::tally::Phase;

/// How calls are made again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryRules {
    /// Times that a call is made, the first included; 1 retries nothing.
    pub attempts: u32,
    /// The longest wait before the first retry; each further one may be twice as long.
    pub base: Duration,
    /// The longest wait that we choose ourselves.
    pub longest: Duration,
    /// The longest time that an endpoint may ask for, all waits of a call together.
    pub patience: Duration,
    /// The longest time after which a preview is asked again, from its first try on: the others wait for it.
    pub company: Duration,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(250),
            longest: Duration::from_secs(8),
            patience: Duration::from_secs(10),
            company: Duration::from_millis(1_500),
        }
    }
}

/// The policy as one run has it.
#[derive(Clone, Debug)]
pub struct Retry {
    rules: RetryRules,
    budget: Arc<ExtraBudget>,
    seed: u64,
}

impl Default for Retry {
    /// By itself, for a call outside of any run.
    fn default() -> Self {
        Self::new(RetryRules::default(), Arc::new(ExtraBudget::new(ExtraRules::default())), 0)
    }
}

/// Which call of a run it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whom<'a> {
    /// The arm's name, or the judge's.
    pub(crate) name: &'a str,
    /// Whose budget it is.
    pub(crate) endpoint: &'a Endpoint,
    /// What the call is for.
    pub(crate) phase: Phase,
    /// Its place there.
    pub(crate) nth: usize,
    /// Whether it is beside another that was asked for: paid out of the budget, and earning nothing for it.
    pub(crate) beside: bool,
}

impl Retry {
    /// By `rules`, drawing on `budget`; chance follows from `seed`, the run's.
    #[must_use]
    pub const fn new(rules: RetryRules, budget: Arc<ExtraBudget>, seed: u64) -> Self {
        Self { rules, budget, seed }
    }

    /// Makes the call, again where that may help, and reads the answer. Times are from the first try on:
    /// an arm that answers at the second one has taken that long.
    pub(crate) async fn read(
        &self,
        whom: Whom<'_>,
        model: &Arc<dyn ChatModel>,
        call: ModelCall,
        limits: Limits,
        lane: Lane<'_>,
        wire: Wire<'_>,
    ) -> CallReport {
        let started = Instant::now();
        if !whom.beside {
            self.budget.called(whom.endpoint, Instant::now());
        }
        let mut tries = self.tries(whom.endpoint, (whom.nth as u64) << 8 | (whom.phase as u64 + 1));
        tries.holds_up = whom.phase == Phase::Preview;
        tries.handling.deadlines = Some(deadlines(&limits));
        loop {
            let spent = started.elapsed();
            let limits = Limits { spent, ..limits };
            let mut report = read(model, call.clone(), limits, lane, wire).await;
            report.delay(spent);
            let wait = match &report.failure {
                Some(failure) if !report.has_content => tries.again(failure, limits.whole, started.elapsed()),
                _ => None,
            };
            let Some(wait) = wait else {
                if report.handling.miscounted {
                    tracing::warn!(whom.name, phase = whom.phase.name(), "the endpoint's count of tokens cannot be");
                }
                report.handling = tries.about(&report);
                return report;
            };
            tell(whom, &tries.handling, wire);
            let is_stopped = select! {
                biased;
                () = wire.stop.cancelled() => true,
                () = sleep(wait) => false,
            };
            if is_stopped {
                report.failure = Some(cancelled());
                report.handling = tries.about(&report);
                return report;
            }
        }
    }

    /// Takes one call beside another out of the budget.
    ///
    /// # Errors
    /// Why it must not be made.
    pub(super) fn take_hedge(&self, endpoint: &Endpoint) -> Result<(), Denied> {
        self.budget.take(Extra::Hedge, endpoint, Instant::now())
    }

    /// The first try of a call to `endpoint` is about to be made. `salt` sets calls of one run apart.
    pub(super) fn begin(&self, endpoint: &Endpoint, salt: u64) -> Tries<'_> {
        self.budget.called(endpoint, Instant::now());
        self.tries(endpoint, salt)
    }

    fn tries(&self, endpoint: &Endpoint, salt: u64) -> Tries<'_> {
        let rng = Rng::with_seed(self.seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Tries { retry: self, endpoint: endpoint.clone(), rng, handling: Handling::default(), holds_up: false }
    }
}

/// The tries of one call.
pub(super) struct Tries<'a> {
    retry: &'a Retry,
    endpoint: Endpoint,
    rng: Rng,
    pub(super) handling: Handling,
    /// Whether others wait while it waits.
    holds_up: bool,
}

impl Tries<'_> {
    /// What was waited so far.
    fn waited(&self) -> Duration {
        Duration::from_secs_f64(
            self.handling.retries.iter().map(|retried| retried.waited_s).sum::<f64>().clamp(0.0, 86_400.0),
        )
    }

    /// How a call was dealt with: the last try as it says itself, and what came before it.
    fn about(self, last: &CallReport) -> Handling {
        let Handling { retries, unretried, deadlines, .. } = self.handling;
        Handling { retries, unretried, deadlines, ..last.handling.clone() }
    }

    /// The wait after which to try again, if at all; it is paid for by then. `whole`: the deadline of all
    /// tries, of which `spent` is over.
    pub(super) fn again(&mut self, failure: &Failure, whole: Duration, spent: Duration) -> Option<Duration> {
        let made = self.handling.times() + 1;
        if made >= self.retry.rules.attempts || !may_pass(failure) {
            return None;
        }
        let left = Left { phase: whole.saturating_sub(spent), waited: self.waited(), spent, holds_up: self.holds_up };
        let wait = self.retry.rules.wait(failure, made, left, &mut self.rng);
        let paid = wait.and_then(|wait| {
            let taken = self.retry.budget.take(Extra::Retry, &self.endpoint, Instant::now());
            taken.map(|()| wait).map_err(|denied| Cow::Owned(denied.to_string()))
        });
        match paid {
            Ok(wait) => {
                self.handling.retries.push(Retried { kind: failure.kind.clone(), waited_s: wait.as_secs_f64() });
                Some(wait)
            }
            Err(reason) => {
                self.handling.unretried = Some(reason);
                None
            }
        }
    }
}

/// What there is to wait in.
#[derive(Clone, Copy)]
struct Left {
    /// Of the phase.
    phase: Duration,
    /// What was waited before.
    waited: Duration,
    /// Since the first try began, waits included.
    spent: Duration,
    /// Whether others wait too.
    holds_up: bool,
}

impl RetryRules {
    /// How long to wait before the retry after `made` tries, or why not to.
    fn wait(&self, failure: &Failure, made: u32, left: Left, rng: &mut Rng) -> Result<Duration, Cow<'static, str>> {
        let asked = failure.retry_after.unwrap_or_default();
        let doubled = self.base.saturating_mul(1 << (made - 1).min(16)).min(self.longest);
        let spread = if asked.is_zero() { doubled } else { self.base };
        let wait = asked + spread.mul_f64(rng.f64());
        let patience = if left.holds_up { self.patience.min(self.company) } else { self.patience };
        let is_in_all = left.waited.saturating_add(asked);
        if asked > patience || asked >= left.phase {
            return Err(Cow::Owned(format!("the endpoint asks for {} s", asked.as_secs_f64().round())));
        }
        if !asked.is_zero() && is_in_all > patience {
            return Err(Cow::Owned(format!("the endpoint asks for {:.1} s in all", is_in_all.as_secs_f64())));
        }
        if left.holds_up && left.spent.max(left.waited).saturating_add(wait) > self.company {
            return Err(Cow::Borrowed("the other previews do not wait any longer"));
        }
        if wait >= left.phase {
            return Err(Cow::Borrowed("no time is left"));
        }
        Ok(wait)
    }
}

/// Whether the same call may work shortly.
fn may_pass(failure: &Failure) -> bool {
    failure.class == FailureClass::Transient && failure.should_retry != Some(false) && !Late::is(&failure.kind)
}

fn deadlines(limits: &Limits) -> Deadlines {
    Deadlines {
        first_token_s: limits.first_token.as_secs_f64(),
        between_tokens_s: limits.between_tokens.as_secs_f64(),
        whole_s: limits.whole.as_secs_f64(),
        learned: limits.learned,
    }
}

/// Where there is room at once: the record tells it too, and a slow reader must make no arm look slow.
fn tell(whom: Whom<'_>, handling: &Handling, wire: Wire<'_>) {
    let room = wire.events.try_room();
    if let (Some(room), Some(retried)) = (room, handling.retries.last()) {
        let retried = retried.clone();
        room.send(RunEvent::Retrying { phase: whom.phase, name: whom.name.to_owned(), nth: handling.times(), retried });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failure(class: FailureClass, kind: &'static str) -> Failure {
        Failure::new(class, kind, "scripted")
    }

    fn retry(rules: RetryRules) -> Retry {
        Retry::new(rules, Arc::new(ExtraBudget::new(ExtraRules::default())), 7)
    }

    fn arm() -> Endpoint {
        Endpoint::Arm("a".into())
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn only_a_failure_in_passing_is_tried_again() {
        use FailureClass::{Budget, Caller, Cancelled, Configuration, Content, Quota, Transient};
        let rows = [
            (failure(Transient, "connect"), true),
            (failure(Transient, "http_429"), true),
            (failure(Transient, "truncated"), true),
            (failure(Transient, "first_token_timeout"), false),
            (Failure { should_retry: Some(false), ..failure(Transient, "http_500") }, false),
            (Failure { should_retry: Some(true), ..failure(Caller, "http_400") }, false),
            (failure(Quota, "insufficient_quota"), false),
            (failure(Configuration, "http_401"), false),
            (failure(Content, "empty"), false),
            (failure(Caller, "http_400"), false),
            (failure(Budget, "phase_tokens"), false),
            (failure(Cancelled, "cancelled"), false),
        ];
        for (failure, expected) in rows {
            let retry = retry(RetryRules::default());
            let wait = retry.begin(&arm(), 1).again(&failure, MINUTE, Duration::ZERO);
            assert_eq!(wait.is_some(), expected, "{failure}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_endpoint_asks_for_is_waited_for_within_the_phase_and_our_patience() {
        let retry = retry(RetryRules::default());
        let rows = [(7.0, 20, true), (7.0, 6, false), (0.5, 20, true), (10.5, 60, false), (86_400.0, 120, false)];
        for (asked, left, expected) in rows {
            let asked = Duration::from_secs_f64(asked);
            let failure = Failure { retry_after: Some(asked), ..failure(FailureClass::Transient, "http_429") };
            let mut tries = retry.begin(&arm(), 1);
            let wait = tries.again(&failure, Duration::from_secs(left), Duration::ZERO);
            assert_eq!(wait.is_some(), expected, "{asked:?} of {left}");
            assert!(wait.is_none_or(|wait| (asked..asked + retry.rules.base).contains(&wait)), "{wait:?}");
            assert_eq!(tries.handling.unretried.is_some(), !expected, "{asked:?}: the record says why not");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_is_for_all_waits_of_a_call_and_shorter_where_others_wait() {
        let waits = |asked: f64, holds_up| {
            let retry = retry(RetryRules { attempts: 9, ..RetryRules::default() });
            let mut tries = Tries { holds_up, ..retry.begin(&arm(), 1) };
            let retry_after = (asked > 0.0).then(|| Duration::from_secs_f64(asked));
            let failure = Failure { retry_after, ..failure(FailureClass::Transient, "http_429") };
            std::iter::from_fn(|| tries.again(&failure, MINUTE, Duration::ZERO)).take(8).count()
        };
        assert_eq!([0.5, 3.0, 4.0, 7.0, 11.0].map(|asked| waits(asked, false)), [8, 3, 2, 1, 0]);
        assert_eq!([0.2, 0.4, 1.0, 1.6, 7.0].map(|asked| waits(asked, true) > 0), [true, true, true, false, false]);
        assert!(waits(0.4, true) <= 3, "a second and a half in all");
        assert!((1..8).contains(&waits(0.0, true)), "what we choose ourselves holds the others up as well");
        let connects_for = |seconds, holds_up| {
            let retry = retry(RetryRules::default());
            let mut tries = Tries { holds_up, ..retry.begin(&arm(), 1) };
            let failure = failure(FailureClass::Transient, "connect_timeout");
            tries.again(&failure, MINUTE, Duration::from_secs(seconds)).is_some()
        };
        assert_eq!([connects_for(1, true), connects_for(5, true), connects_for(5, false)], [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_seed_waits_the_same_and_calls_of_a_run_differ() {
        let failure = failure(FailureClass::Transient, "http_503");
        let wait = |seed, salt| {
            let retry = Retry { seed, ..retry(RetryRules::default()) };
            retry.begin(&arm(), salt).again(&failure, MINUTE, Duration::ZERO)
        };
        assert_eq!(wait(1, 1), wait(1, 1));
        assert_ne!(wait(1, 1), wait(2, 1));
        assert_ne!(wait(1, 1), wait(1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_budget_ends_it_and_is_named() {
        let rules = ExtraRules { retry_share: 0.01, trickle_per_s: 0.0, burst: 1.0, ..ExtraRules::default() };
        let retry = Retry { budget: Arc::new(ExtraBudget::new(rules)), ..retry(RetryRules::default()) };
        let failure = failure(FailureClass::Transient, "reset");
        let mut tries = retry.begin(&arm(), 1);
        assert!(tries.again(&failure, MINUTE, Duration::ZERO).is_some());
        assert!(tries.again(&failure, MINUTE, Duration::ZERO).is_none());
        assert_eq!(tries.handling.times(), 1);
        assert_eq!(tries.handling.unretried.as_deref(), Some("the endpoint's retry budget is used up"));
    }

    proptest! {
        /// Full jitter: within the bound of its try, never past the deadline, never more often than set.
        #[test]
        fn waits_keep_their_bounds(
            attempts in 1u32..9, base_ms in 0u64..2_000, longest_ms in 1u64..10_000, left_ms in 0u64..20_000, seed: u64,
        ) {
            let rules = RetryRules {
                attempts,
                base: Duration::from_millis(base_ms),
                longest: Duration::from_millis(longest_ms),
                ..RetryRules::default()
            };
            let budget = ExtraBudget::new(ExtraRules { burst: 100.0, ..ExtraRules::default() });
            let retry = Retry { rules, budget: Arc::new(budget), seed };
            let mut tries = retry.begin(&arm(), 3);
            let failure = failure(FailureClass::Transient, "reset");
            let whole = Duration::from_millis(left_ms);
            let mut spent = Duration::ZERO;
            let mut nth = 0;
            while let Some(wait) = tries.again(&failure, whole, spent) {
                let bound = rules.base.saturating_mul(1 << nth).min(rules.longest);
                prop_assert!(wait <= bound && spent + wait < whole, "{wait:?}");
                (spent, nth) = (spent + wait, nth + 1);
                prop_assert!(nth < attempts);
            }
        }
    }
}
