//! What runs say about the health of arms: a rolling p95 of preview seconds, the share of recent calls
//! that failed, failures in a row, and what full answers have shown. A fold over run records, kept outside the router's state because it
//! is about endpoints, not about quality.
//!
//! Failed calls give no latency: a fast failure never looks like a fast arm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::answers::{Answers, Outlook};
use super::judge_pace::{JudgeFold, JudgePaces};
use super::rolling::RollingLatency;
use super::timeouts::{Call, PaceFold, Paces};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, PreviewRecord, RunRecord};
use crate::features::signal_values;

/// Verdicts that the risk of hallucination is a rolling mean of, about.
const REMEMBERED_VERDICTS: f64 = 32.0;

/// What is known about the health of one arm; `None` is "no data".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmSignal {
    /// Rolling p95 of preview seconds.
    pub p95_preview_s: Option<f64>,
    /// Rolling p95 of seconds to the first token, of previews and answers that came.
    pub p95_first_token_s: Option<f64>,
    /// Share of the last 64 calls that failed, in [0, 1]; those that met a rate limit are left out.
    pub error_rate: Option<f64>,
    /// Rolling mean of the judge's hallucination risk, in [0, 1].
    pub hallucination_risk: Option<f64>,
    /// How long its calls take; what deadlines follow.
    pub paces: Paces,
    /// Failures of the endpoint in a row, up to now.
    pub consecutive_failures: u32,
    /// The newest failure of the endpoint or of its content.
    pub last_failure: Option<Failure>,
}

/// Signals by arm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals {
    arms: BTreeMap<ArmId, ArmSignal>,
    answers: Answers,
    judge: JudgePaces,
}

impl Signals {
    /// Signals given by arm.
    #[must_use]
    pub fn new(arms: BTreeMap<ArmId, ArmSignal>) -> Self {
        Self { arms, ..Self::default() }
    }

    /// How long the judge of that name takes; nothing where another one was asked last.
    pub(super) fn judge(&self, name: &str) -> JudgePaces {
        if *self.judge.name == *name { self.judge.clone() } else { JudgePaces::default() }
    }

    #[cfg(test)]
    pub(super) fn judged_at(judge: JudgePaces) -> Self {
        Self { judge, ..Self::default() }
    }

    /// What is known about `arm`.
    #[must_use]
    pub fn get(&self, arm: &ArmId) -> Option<&ArmSignal> {
        self.arms.get(arm)
    }

    /// Rolling p95 of preview seconds.
    #[must_use]
    pub fn p95(&self, arm: &ArmId) -> Option<f64> {
        self.get(arm)?.p95_preview_s
    }

    /// Rolling p95 of the time to its first token.
    #[must_use]
    pub fn p95_first_token(&self, arm: &ArmId) -> Option<Duration> {
        self.get(arm)?.p95_first_token_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// Share of recent calls that failed; 0 where nothing is known.
    #[must_use]
    pub fn error_rate(&self, arm: &ArmId) -> f64 {
        self.get(arm).and_then(|s| s.error_rate).unwrap_or(0.0)
    }

    /// The dimensions of `arm` at the end of a context, for a prompt of size `length_norm`.
    #[must_use]
    pub fn dimensions(&self, arm: &ArmId, length_norm: f64) -> [f64; 3] {
        let known = self.get(arm);
        let of = |value: fn(&ArmSignal) -> Option<f64>| known.and_then(value);
        let risk = of(|s| s.hallucination_risk);
        signal_values(of(|s| s.p95_preview_s), of(|s| s.error_rate), risk, length_norm)
    }

    /// What is expected, at `now`, of full answers to a prompt of size `length` (in [0, 1]).
    pub(crate) fn answers(&self, length: f64, now: Timestamp) -> Outlook<'_> {
        self.answers.at(length, now)
    }

    /// Every arm with its signals, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ArmId, &ArmSignal)> {
        self.arms.iter()
    }
}

/// Folds run records into [`Signals`].
pub struct SignalFold {
    arms: BTreeMap<ArmId, ArmFold>,
    answers: Answers,
    judge: JudgeFold,
    /// Tokens of a preview: how much of a direct answer counts as one.
    preview_tokens: u32,
    summary: Arc<Signals>,
}

impl SignalFold {
    /// A fold without data. `preview_tokens`: the length of a preview, to which answers that were streamed
    /// without one are scaled.
    #[must_use]
    pub fn new(preview_tokens: u32) -> Self {
        let (arms, answers, judge) = (BTreeMap::new(), Answers::default(), JudgeFold::default());
        Self { arms, answers, judge, preview_tokens, summary: Arc::default() }
    }

    /// Takes one run in. Records come in the order in which runs were completed.
    pub fn absorb(&mut self, record: &RunRecord) {
        for preview in record.previews.iter().filter(|p| !p.cached) {
            let latency = preview.error.is_none().then_some(preview.latency_s);
            self.call(&preview.arm, record.at, latency, preview.error.as_ref());
            self.seen(&preview.arm, record.at, preview.ttft_s.filter(|_| preview.error.is_none()), &preview.flags);
            self.paced(&preview.arm, &Call::of_preview(preview));
        }
        for silent in record.attempts.iter().filter(|a| a.says_of_health() && a.lost) {
            self.call(&silent.arm, record.at, None, silent.error.as_ref());
        }
        for attempt in record.attempts.iter().filter(|a| !a.lost) {
            let latency =
                (attempt.ok && record.previews.is_empty()).then(|| preview_equivalent_s(attempt, self.preview_tokens));
            self.call(&attempt.arm, record.at, latency, attempt.error.as_ref());
            self.seen(&attempt.arm, record.at, attempt.ttft_s.filter(|_| attempt.ok), &attempt.flags);
            self.paced(&attempt.arm, &Call::of_attempt(attempt));
        }
        self.verdict(record);
        self.answers.absorb(record);
        self.summarise();
    }

    /// Takes in the verdict of a run that was taken in before it had one.
    pub fn judged(&mut self, record: &RunRecord) {
        self.verdict(record);
        self.summarise();
    }

    fn verdict(&mut self, record: &RunRecord) {
        if let Some(judging) = &record.judging {
            let late = record.policies.afterwards.map(|afterwards| afterwards.seconds);
            self.judge.absorb(judging, late.unwrap_or(record.timings_s.judge));
        }
        let verdict = record.verdict.as_ref().filter(|verdict| !verdict.local_fallback);
        for (arm, scores) in verdict.iter().flat_map(|verdict| &verdict.scores) {
            self.arms.entry(arm.clone()).or_insert_with(ArmFold::new).judged(scores.hallucination_risk);
        }
    }

    fn paced(&mut self, arm: &ArmId, call: &Call<'_>) {
        self.arms.entry(arm.clone()).or_insert_with(ArmFold::new).paces.absorb(call);
    }

    fn summarise(&mut self) {
        let arms = self.arms.iter().map(|(id, f)| (id.clone(), f.summary())).collect();
        self.summary = Arc::new(Signals { arms, answers: self.answers.clone(), judge: self.judge.paces() });
    }

    /// Takes a probe in, of an arm that is out: a call like any other.
    pub fn probed(&mut self, preview: &PreviewRecord, at: Timestamp) {
        let latency = preview.error.is_none().then_some(preview.latency_s);
        self.call(&preview.arm, at, latency, preview.error.as_ref());
        self.summarise();
    }

    fn call(&mut self, arm: &ArmId, at: Timestamp, latency_s: Option<f64>, failure: Option<&Failure>) {
        let fold = self.arms.entry(arm.clone()).or_insert_with(ArmFold::new);
        if let Some(seconds) = latency_s {
            fold.latency.record(seconds, at);
            fold.p95 = fold.latency.p95();
        }
        fold.outcome(failure);
    }

    /// When the first token came, and what was wrong with the text: a guardrail flag is as good as a verdict
    /// that cannot be trusted. What was only cut says nothing about that.
    fn seen(&mut self, arm: &ArmId, at: Timestamp, first_s: Option<f64>, flags: &[Flag]) {
        let fold = self.arms.entry(arm.clone()).or_insert_with(ArmFold::new);
        if let Some(seconds) = first_s {
            fold.first.record(seconds, at);
            fold.p95_first = fold.first.p95();
        }
        if flags.iter().any(|flag| *flag != Flag::CutOff) {
            fold.judged(1.0);
        }
    }

    /// The signals after the last record; cheap.
    #[must_use]
    pub fn summary(&self) -> Arc<Signals> {
        Arc::clone(&self.summary)
    }

    /// Forgets an arm that has left the pool, or whose endpoint changed.
    pub fn forget(&mut self, arm: &ArmId) {
        self.arms.remove(arm);
        self.answers.forget(arm);
        let mut rest = Signals::clone(&self.summary);
        rest.arms.remove(arm);
        rest.answers.forget(arm);
        self.summary = Arc::new(rest);
    }
}

/// Seconds that a preview of `target` tokens would have taken, from a full answer of the same call: the
/// time to its first token, and of the rest the share that `target` has in its tokens.
#[must_use]
pub(crate) fn preview_equivalent_s(attempt: &AttemptRecord, target: u32) -> f64 {
    let first = attempt.ttft_s.unwrap_or(attempt.latency_s).min(attempt.latency_s);
    let share = f64::from(target) / f64::from(attempt.tokens_out.max(1));
    (attempt.latency_s - first).mul_add(share.min(1.0), first)
}

/// What the caller or a ceiling of ours did says nothing about the arm.
pub(super) const fn is_about_the_arm(class: FailureClass) -> bool {
    !matches!(class, FailureClass::Cancelled | FailureClass::Budget | FailureClass::Caller)
}

/// One arm's fold.
struct ArmFold {
    latency: RollingLatency,
    /// Of first tokens.
    first: RollingLatency,
    p95: Option<f64>,
    p95_first: Option<f64>,
    /// The last 64 calls, newest in the lowest bit; set where the call failed.
    failed: u64,
    /// How many of the bits are calls.
    calls: u32,
    consecutive_failures: u32,
    last_failure: Option<Failure>,
    paces: PaceFold,
    risk: Option<f64>,
}

impl ArmFold {
    fn new() -> Self {
        let (latency, first) = (RollingLatency::new(), RollingLatency::new());
        Self {
            latency,
            first,
            p95: None,
            p95_first: None,
            failed: 0,
            calls: 0,
            consecutive_failures: 0,
            last_failure: None,
            paces: PaceFold::default(),
            risk: None,
        }
    }

    /// A content failure counts as an error, but shows that the endpoint is up. A rate limit is about the traffic: it
    /// is told, and is neither an error nor a success.
    fn outcome(&mut self, failure: Option<&Failure>) {
        if let Some(limited) = failure.filter(|failure| failure.is_rate_limit()) {
            self.last_failure = Some(limited.clone());
            return;
        }
        let class = failure.map(|f| f.class);
        if class.is_some_and(|class| !is_about_the_arm(class)) {
            return;
        }
        self.failed = (self.failed << 1) | u64::from(failure.is_some());
        self.calls = (self.calls + 1).min(u64::BITS);
        let endpoint_failed = class.is_some_and(FailureClass::is_health);
        self.consecutive_failures = if endpoint_failed { self.consecutive_failures.saturating_add(1) } else { 0 };
        if let Some(failure) = failure {
            self.last_failure = Some(failure.clone());
        }
    }

    /// Half of what is remembered is of the last 22 verdicts.
    fn judged(&mut self, risk: f64) {
        let risk = if risk.is_finite() { risk.clamp(0.0, 1.0) } else { return };
        self.risk = Some(self.risk.map_or(risk, |mean| mean + (risk - mean) / REMEMBERED_VERDICTS));
    }

    fn summary(&self) -> ArmSignal {
        let error_rate = (self.calls > 0).then(|| f64::from(self.failed.count_ones()) / f64::from(self.calls));
        ArmSignal {
            p95_preview_s: self.p95,
            p95_first_token_s: self.p95_first,
            error_rate,
            hallucination_risk: self.risk,
            paces: self.paces.paces(),
            consecutive_failures: self.consecutive_failures,
            last_failure: self.last_failure.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::handling::Handling;

    #[test]
    fn failures_are_counted_by_what_they_say_about_the_endpoint() {
        let mut fold = ArmFold::new();
        let failure = |class| Failure::new(class, "x", "");
        fold.outcome(None);
        fold.outcome(Some(&failure(FailureClass::Transient)));
        fold.outcome(Some(&failure(FailureClass::Cancelled)));
        fold.outcome(Some(&failure(FailureClass::Transient)));
        assert_eq!(fold.summary().consecutive_failures, 2);
        fold.outcome(Some(&failure(FailureClass::Content)));
        let summary = fold.summary();
        assert_eq!(summary.consecutive_failures, 0, "an endpoint that answers, badly, is up");
        assert_eq!(summary.error_rate, Some(0.75));
    }

    #[test]
    fn a_rate_limit_is_a_pause_and_no_error() {
        let mut fold = ArmFold::new();
        let limited = Failure::new(FailureClass::Transient, "http_429", "");
        fold.outcome(Some(&limited));
        assert_eq!((fold.summary().error_rate, fold.summary().last_failure), (None, Some(limited.clone())));
        fold.outcome(Some(&Failure::new(FailureClass::Transient, "http_503", "")));
        fold.outcome(Some(&limited));
        fold.outcome(None);
        fold.outcome(Some(&Failure::new(FailureClass::Transient, "http_503", "")));
        fold.outcome(Some(&limited));
        let summary = fold.summary();
        assert_eq!((summary.error_rate, summary.consecutive_failures), (Some(2.0 / 3.0), 1));
    }

    #[test]
    fn a_full_answer_tells_what_a_preview_would_have_taken() {
        let attempt = AttemptRecord {
            arm: ArmId::new("a"),
            ok: true,
            error: None,
            started_s: None,
            latency_s: 11.0,
            ttft_s: Some(1.0),
            tokens_in: 5,
            tokens_out: 100,
            estimated: false,
            cost_usd: None,
            lost: false,
            hedge: false,
            flags: Vec::new(),
            handling: Handling::default(),
        };
        assert!((preview_equivalent_s(&attempt, 50) - 6.0).abs() < 1e-9);
        assert!((preview_equivalent_s(&attempt, 500) - 11.0).abs() < 1e-9);
        let silent = AttemptRecord { ttft_s: None, tokens_out: 0, ..attempt };
        assert!((preview_equivalent_s(&silent, 50) - 11.0).abs() < 1e-9);
    }
}
