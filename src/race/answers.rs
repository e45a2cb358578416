//! What full answers have shown about each arm: how often one succeeds, and how long one takes. Folded
//! over run records like the other signals, and read when arms are put in order. An arm of which little is
//! known is taken for the middle of the pool, so that it is neither favoured nor starved.
//!
//! - Success: worked and failed attempts, each counting half as much after every [`HALF_LIFE`]; so
//!   an arm that failed is tried again, also where nobody asks it meanwhile. Transient failures count.
//! - Time: seconds of successes only, so that a fast failure never looks like a fast arm. How long prompts
//!   of a size take is kept for the pool, in [`BANDS`] of the prompt's size; of an arm its geometric mean
//!   ratio to that, so that an arm which was given the long prompts does not look slow.

use std::collections::BTreeMap;
use std::time::Duration;

use super::signals::is_about_the_arm;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, RunRecord};

/// After which an attempt counts half.
const HALF_LIFE: Duration = Duration::from_mins(30);
/// What is kept of an arm's evidence at each further attempt: the last 64 or so count.
const KEPT: f64 = 1.0 - 1.0 / 64.0;
/// The same for what the pool takes by size of the prompt.
const KEPT_OF_POOL: f64 = 1.0 - 1.0 / 256.0;
/// Attempts that the pool's middle counts for, beside an arm's own.
const PRIOR: f64 = 4.0;
/// The chance of success where nothing at all is known.
const BLANK_SUCCESS: f64 = 0.9;
/// Seconds of an answer where nothing at all is known.
const BLANK_SECONDS: f64 = 1.0;
/// What an answer takes at least and at most, in seconds.
const SECONDS: (f64, f64) = (0.001, 3_600.0);
/// Sizes of prompts that are told apart: equal parts of the context's `length`, from 0 to 1.
const BANDS: usize = 4;

/// What is expected of a full answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AnswerOutlook {
    /// The probability that it can be served, in (0, 1).
    pub(crate) success: f64,
    /// How long it takes, in seconds; positive.
    pub(crate) seconds: f64,
}

/// The fold, by arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answers {
    arms: BTreeMap<ArmId, ArmAnswers>,
    bands: [Mean; BANDS],
}

/// One arm's evidence.
#[derive(Clone, Debug, Default, PartialEq)]
struct ArmAnswers {
    worked: f64,
    failed: f64,
    /// What the two are as of.
    at: Timestamp,
    /// ln of seconds over what the pool takes for a prompt of that size.
    pace: Mean,
}

/// A mean over what is newest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, kept: f64) {
        self.sum = self.sum.mul_add(kept, value);
        self.weight = self.weight.mul_add(kept, 1.0);
    }

    fn get(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    /// With `prior` counting for [`PRIOR`] values.
    fn towards(self, prior: f64) -> f64 {
        PRIOR.mul_add(prior, self.sum) / (PRIOR + self.weight)
    }
}

impl ArmAnswers {
    /// Worked and failed attempts as they count at `now`.
    fn faded(&self, now: Timestamp) -> (f64, f64) {
        let half_lives = now.since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        let left = (-half_lives).exp2();
        (self.worked * left, self.failed * left)
    }

    fn attempt(&mut self, ok: bool, at: Timestamp) {
        let (worked, failed) = self.faded(at);
        self.worked = worked.mul_add(KEPT, f64::from(u8::from(ok)));
        self.failed = failed.mul_add(KEPT, f64::from(u8::from(!ok)));
        self.at = self.at.max(at);
    }

    fn success(&self, prior: f64, now: Timestamp) -> f64 {
        let (worked, failed) = self.faded(now);
        PRIOR.mul_add(prior, worked) / (PRIOR + worked + failed)
    }
}

impl Answers {
    /// Takes one run in.
    pub(super) fn absorb(&mut self, record: &RunRecord) {
        let band = band(length(&record.context.names, &record.context.x));
        for attempt in record.attempts.iter().filter(|a| !a.lost) {
            self.attempt(attempt, band, record.at);
        }
    }

    fn attempt(&mut self, attempt: &AttemptRecord, band: usize, at: Timestamp) {
        if !attempt.ok && !attempt.error.as_ref().is_some_and(|failure| is_about_the_arm(failure.class)) {
            return;
        }
        let usual = self.seconds(band);
        let arm = self.arms.entry(attempt.arm.clone()).or_default();
        arm.attempt(attempt.ok, at);
        if !attempt.ok || !attempt.latency_s.is_finite() {
            return;
        }
        let seconds = attempt.latency_s.clamp(SECONDS.0, SECONDS.1);
        arm.pace.add((seconds / usual.unwrap_or(seconds)).ln(), KEPT);
        if let Some(band) = self.bands.get_mut(band) {
            band.add(seconds, KEPT_OF_POOL);
        }
    }

    /// What the pool takes for a prompt of that size; for one of another size where none was seen.
    fn seconds(&self, band: usize) -> Option<f64> {
        let own = self.bands.get(band).and_then(|mean| mean.get());
        own.or_else(|| {
            let all = self
                .bands
                .iter()
                .fold(Mean::default(), |all, mean| Mean { sum: all.sum + mean.sum, weight: all.weight + mean.weight });
            all.get()
        })
    }

    /// What is expected, at `now`, of answers to a prompt of size `length` (in [0, 1]).
    pub(super) fn at(&self, length: f64, now: Timestamp) -> Outlook<'_> {
        let middle = |values: &dyn Fn(&ArmAnswers) -> f64, blank: f64| {
            let sum: f64 = self.arms.values().map(values).sum();
            (blank + sum) / (1.0 + self.arms.len() as f64)
        };
        Outlook {
            answers: self,
            now,
            success: middle(&|arm| arm.success(BLANK_SUCCESS, now), BLANK_SUCCESS),
            pace: middle(&|arm| arm.pace.towards(0.0), 0.0),
            seconds: self.seconds(band(length)).unwrap_or(BLANK_SECONDS),
        }
    }

    /// Forgets an arm.
    pub(super) fn forget(&mut self, arm: &ArmId) {
        self.arms.remove(arm);
    }
}

/// The middle of the pool at one prompt, and from there every arm.
pub(crate) struct Outlook<'a> {
    answers: &'a Answers,
    now: Timestamp,
    success: f64,
    pace: f64,
    seconds: f64,
}

impl Outlook<'_> {
    /// What is expected of `arm`.
    pub(crate) fn of(&self, arm: &ArmId) -> AnswerOutlook {
        let known = self.answers.arms.get(arm);
        let pace = known.map_or(self.pace, |arm| arm.pace.towards(self.pace));
        AnswerOutlook {
            success: known.map_or(self.success, |arm| arm.success(self.success, self.now)),
            seconds: (self.seconds * pace.exp()).clamp(SECONDS.0, SECONDS.1),
        }
    }
}

/// The size of the prompt in [0, 1], where the context has it.
pub(super) fn length(names: &[String], x: &[f64]) -> f64 {
    let place = names.iter().position(|name| name == "length");
    place.and_then(|i| x.get(i)).copied().unwrap_or(0.0)
}

fn band(length: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let band = (length * BANDS as f64) as usize;
    band.min(BANDS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::{Failure, FailureClass};
    use crate::domain::handling::Handling;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn attempt(arm: &str, latency_s: f64, failure: Option<FailureClass>) -> AttemptRecord {
        AttemptRecord {
            arm: ArmId::new(arm),
            ok: failure.is_none(),
            error: failure.map(|class| Failure::new(class, "x", "")),
            started_s: None,
            latency_s,
            ttft_s: None,
            tokens_in: 1,
            tokens_out: 1,
            estimated: false,
            cost_usd: None,
            lost: false,
            hedge: false,
            flags: Vec::new(),
            handling: Handling::default(),
        }
    }

    fn fold(attempts: &[(&str, f64, usize, Option<FailureClass>)]) -> Answers {
        let mut answers = Answers::default();
        for (arm, seconds, band, failure) in attempts {
            answers.attempt(&attempt(arm, *seconds, *failure), *band, NOW);
        }
        answers
    }

    fn of(answers: &Answers, arm: &str, length: f64) -> AnswerOutlook {
        answers.at(length, NOW).of(&ArmId::new(arm))
    }

    #[test]
    fn nothing_known_is_the_same_for_all() {
        let blank = AnswerOutlook { success: BLANK_SUCCESS, seconds: BLANK_SECONDS };
        assert_eq!(of(&Answers::default(), "a", 0.3), blank);
    }

    #[test]
    fn an_unknown_arm_is_between_the_good_and_the_bad() {
        let good = std::iter::repeat_n(("good", 1.0, 0, None), 30);
        let bad = (0..30).flat_map(|_| [("bad", 4.0, 0, None), ("bad", 0.01, 0, Some(FailureClass::Transient))]);
        let answers = fold(&good.chain(bad).collect::<Vec<_>>());
        let [good, new, bad] = ["good", "new", "bad"].map(|arm| of(&answers, arm, 0.0));
        assert!(good.success > new.success && new.success > bad.success, "{good:?} {new:?} {bad:?}");
        assert!(good.seconds < new.seconds && new.seconds < bad.seconds, "{good:?} {new:?} {bad:?}");
        assert!((bad.success - 0.5).abs() < 0.05, "{bad:?}");
    }

    #[test]
    fn a_fast_failure_is_no_fast_answer_and_what_the_caller_did_is_no_failure() {
        let slow = of(&fold(&[("a", 2.0, 0, None)]), "a", 0.0);
        let failed = fold(&[("a", 2.0, 0, None), ("a", 0.001, 0, Some(FailureClass::Transient))]);
        let failed = of(&failed, "a", 0.0);
        assert!(failed.success < slow.success && (failed.seconds - slow.seconds).abs() < 1e-12);
        let stopped = fold(&[("a", 2.0, 0, None), ("a", 0.1, 0, Some(FailureClass::Cancelled))]);
        assert_eq!(of(&stopped, "a", 0.0), slow);
    }

    #[test]
    fn an_arm_that_was_given_the_long_prompts_is_not_slow() {
        let mut attempts = Vec::new();
        for _ in 0..50 {
            attempts.extend([("both", 1.0, 0, None), ("both", 8.0, 3, None), ("long", 8.0, 3, None)]);
        }
        let answers = fold(&attempts);
        let [both, long] = ["both", "long"].map(|arm| of(&answers, arm, 0.0).seconds);
        assert!((long / both - 1.0).abs() < 0.1 && (both - 1.0).abs() < 0.1, "{both} {long}");
        assert!((of(&answers, "both", 1.0).seconds - 8.0).abs() < 0.5);
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let answers = fold(&[("a", 1.0, 0, Some(FailureClass::Transient)); 8]);
        let at = |now: Timestamp| answers.at(0.0, now).of(&ArmId::new("a")).success;
        assert!(at(NOW) < 0.35, "{}", at(NOW));
        assert!(at(NOW.plus(HALF_LIFE)) > at(NOW) + 0.1);
        assert!(at(NOW.plus(HALF_LIFE * 10)) > 0.85);
    }

    #[test]
    fn odd_seconds_do_no_harm() {
        let answers = fold(&[("a", f64::NAN, 9, None), ("a", -1.0, 0, None), ("a", f64::INFINITY, 0, None)]);
        let outlook = of(&answers, "a", f64::NAN);
        assert!(outlook.seconds > 0.0 && outlook.seconds.is_finite() && outlook.success < 1.0, "{outlook:?}");
    }
}
