//! How long a call of an arm may take. Until enough was seen of an arm the settings say; from then on its
//! own percentiles do, of the calls that it answered: the p99 of its time to the first token, between two
//! tokens and of a whole preview or answer, times a factor, between a floor and a ceiling. Longer prompts
//! are given up to twice as long. A deadline that a person set is never changed.
//!
//! A call that ran out of its time is no percentile's: how long it would have taken nobody knows. But an arm that has
//! become slower for good would never be waited for long enough to be seen answering: from the second such call among
//! the newest on, each makes the deadline half as long again. So one that hangs is not heard out the longer the deader
//! it is, and is out by its failures long before. The judge's deadlines follow its own verdicts, and grow faster; see
//! `judge_pace.rs`.
//!
//! Connecting has no percentiles of its own: it is a part of the time to the first token, so the arm's deadline for
//! that ends it too, and the setting of the adapter is only its upper bound.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::PhaseTimeouts;
use super::signals::Signals;
use crate::domain::failure::Failure;
use crate::domain::handling::{Deadlines, Handling};
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, PreviewRecord};
use crate::domain::tally::Phase;

/// How much longer a deadline is after one that ran out, where another one did before.
const STEP: f64 = 1.5;
/// Calls that percentiles are of: the newest.
const REMEMBERED: usize = 128;

/// How deadlines follow an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FollowRules {
    /// Calls that must have been seen.
    pub least_calls: usize,
    /// The p99 is multiplied by this.
    pub multiplier: f64,
    /// A token is waited for at least so long.
    pub floor: Duration,
    /// A token is waited for at most so long.
    pub ceiling: Duration,
    /// Which deadlines a person has set: the first token's, between tokens, a preview's, an answer's, a verdict's.
    pub fixed: [bool; 5],
}

impl Default for FollowRules {
    fn default() -> Self {
        let (floor, ceiling) = (Duration::from_secs(2), Duration::from_secs(30));
        Self { least_calls: 20, multiplier: 3.0, floor, ceiling, fixed: [false; 5] }
    }
}

/// p99 of seconds, each where enough was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Paces {
    /// To the first token.
    pub first_token: Pace,
    /// The longest time between two tokens of a call.
    pub between_tokens: Pace,
    /// Of a preview.
    pub preview: Pace,
    /// Of a full answer.
    pub answer: Pace,
}

/// One p99, and of how many calls it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Seconds; 0 without calls.
    pub p99_s: f64,
    /// Calls.
    pub calls: usize,
    /// Whether a deadline ran out that is to be longer from then on, however few calls were seen.
    pub ran_out: bool,
    /// Seconds below which no deadline is to be, since shorter ones ran out.
    pub wanted_s: f64,
}

/// The deadlines of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) first_token: Duration,
    pub(crate) between_tokens: Duration,
    pub(crate) whole: Duration,
    /// Whether any of them is the endpoint's own.
    pub(crate) learned: bool,
}

/// Where deadlines of one run's calls come from.
#[derive(Clone, Copy)]
pub(crate) struct Timers<'a> {
    /// The settings.
    pub(crate) rules: &'a PhaseTimeouts,
    /// What was seen of arms.
    pub(crate) signals: &'a Signals,
    /// The size of the prompt, in [0, 1].
    pub(crate) length: f64,
}

impl Timers<'_> {
    /// The deadlines of a preview of `arm`.
    pub(crate) fn preview(&self, arm: &ArmId) -> Times {
        let (rules, paces) = (self.rules, self.paces(arm));
        self.times(paces.first_token, paces.between_tokens, (rules.preview, paces.preview, rules.follow.fixed[2]))
    }

    /// The deadlines of a full answer of `arm`.
    pub(crate) fn answer(&self, arm: &ArmId) -> Times {
        let (rules, paces) = (self.rules, self.paces(arm));
        self.times(paces.first_token, paces.between_tokens, (rules.full, paces.answer, rules.follow.fixed[3]))
    }

    /// What 99 % of the arm's first tokens were there by, once enough was seen of it.
    pub(crate) fn nearly_all_first_tokens(&self, arm: &ArmId) -> Option<Duration> {
        let pace = self.paces(arm).first_token;
        (pace.calls >= self.rules.follow.least_calls.max(1)).then(|| Duration::from_secs_f64(pace.p99_s))
    }

    /// The deadlines of asking the judge of that name; the whole one is of a verdict, every asking of it included.
    pub(crate) fn judge(&self, name: &str) -> Times {
        let (rules, paces) = (self.rules, self.signals.judge(name));
        self.times(paces.first_token, paces.between_tokens, (rules.judge, paces.whole, rules.follow.fixed[4]))
    }

    fn paces(&self, arm: &ArmId) -> Paces {
        self.signals.get(arm).map(|signal| signal.paces).unwrap_or_default()
    }

    /// `whole`: what is set, what was seen, and whether a person has set it.
    fn times(&self, first_token: Pace, between_tokens: Pace, (whole, pace, fixed): (Duration, Pace, bool)) -> Times {
        let rules = self.rules;
        let token = (rules.follow.floor, rules.follow.ceiling);
        let first_token = self.follow(rules.follow.fixed[0], first_token, rules.first_token, token);
        let between_tokens = self.follow(rules.follow.fixed[1], between_tokens, rules.between_tokens, token);
        // A good long answer after short ones must not be cut for having been unusual.
        let own = self.follow(fixed, pace, whole, (whole / 2, whole * 2));
        Times {
            first_token: first_token.unwrap_or(rules.first_token),
            between_tokens: between_tokens.unwrap_or(rules.between_tokens),
            whole: own.unwrap_or(whole),
            learned: first_token.or(between_tokens).or(own).is_some(),
        }
    }

    /// `start`: what holds until enough was seen, and what nothing is shorter than until then.
    fn follow(
        &self,
        fixed: bool,
        pace: Pace,
        start: Duration,
        (floor, ceiling): (Duration, Duration),
    ) -> Option<Duration> {
        let rules = &self.rules.follow;
        let is_known = pace.calls >= rules.least_calls.max(1);
        if fixed || !(is_known || pace.ran_out) {
            return None;
        }
        let floor = if is_known { floor } else { start };
        let longer = 1.0 + if self.length.is_nan() { 0.0 } else { self.length.clamp(0.0, 1.0) };
        let seconds = (pace.p99_s * rules.multiplier * longer).max(pace.wanted_s).clamp(0.0, 86_400.0);
        Some(Duration::from_secs_f64(seconds).clamp(floor.min(ceiling), ceiling))
    }
}

/// The newest seconds of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest {
    seen: VecDeque<Seen>,
    ran_out: bool,
}

/// What is remembered of a call.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// It took so many seconds.
    Took(f64),
    /// It was not heard out, and deadlines are to be so many seconds long.
    Wants(f64),
}

impl Newest {
    /// A deadline of so many seconds ran out, which counts as having taken that time: the next one is longer at once.
    pub(super) fn push_late(&mut self, seconds: f64) {
        self.ran_out = true;
        self.push(seconds);
    }

    pub(super) fn push(&mut self, seconds: f64) {
        self.remember(Seen::Took(seconds), seconds);
    }

    /// A deadline ran out, of so many seconds where that is on record.
    fn push_unheard(&mut self, deadline_s: Option<f64>) {
        let Some(deadline_s) = deadline_s else { return };
        let is_alone = !self.seen.iter().any(|seen| matches!(seen, Seen::Wants(_)));
        let wanted = if is_alone { deadline_s } else { deadline_s * STEP };
        self.remember(Seen::Wants(wanted), wanted);
    }

    fn remember(&mut self, seen: Seen, seconds: f64) {
        if !seconds.is_finite() || seconds < 0.0 {
            return;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    /// The smallest value that at least 99 % of those that were heard out do not exceed.
    pub(super) fn pace(&self) -> Pace {
        let took = |seen: &Seen| if let Seen::Took(seconds) = seen { Some(*seconds) } else { None };
        let wants = |seen: &Seen| if let Seen::Wants(seconds) = seen { Some(*seconds) } else { None };
        let mut sorted: Vec<f64> = self.seen.iter().filter_map(took).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let rank = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        Pace {
            p99_s: sorted.get(rank).copied().unwrap_or(0.0),
            calls: self.seen.len(),
            ran_out: self.ran_out,
            wanted_s: self.seen.iter().filter_map(wants).fold(0.0, f64::max),
        }
    }
}

/// What was seen of one arm, folded over its calls.
#[derive(Clone, Debug, Default)]
pub(super) struct PaceFold {
    first_token: Newest,
    between_tokens: Newest,
    preview: Newest,
    answer: Newest,
    paces: Paces,
}

/// One call, as a record has it.
pub(super) struct Call<'a> {
    pub(super) phase: Phase,
    pub(super) latency_s: f64,
    pub(super) ttft_s: Option<f64>,
    pub(super) failure: Option<&'a Failure>,
    pub(super) handling: &'a Handling,
}

impl<'a> Call<'a> {
    pub(super) fn of_preview(preview: &'a PreviewRecord) -> Self {
        Self {
            phase: Phase::Preview,
            latency_s: preview.latency_s,
            ttft_s: preview.ttft_s,
            failure: preview.error.as_ref(),
            handling: &preview.handling,
        }
    }

    pub(super) fn of_attempt(attempt: &'a AttemptRecord) -> Self {
        Self {
            phase: Phase::Answer,
            latency_s: attempt.latency_s,
            ttft_s: attempt.ttft_s,
            failure: attempt.error.as_ref(),
            handling: &attempt.handling,
        }
    }
}

impl PaceFold {
    /// Takes a call in. One that was made again says nothing: its times are of all tries.
    pub(super) fn absorb(&mut self, call: &Call<'_>) {
        if !call.handling.retries.is_empty() {
            return;
        }
        let whole = if call.phase == Phase::Answer { &mut self.answer } else { &mut self.preview };
        let limit = |of: fn(&Deadlines) -> f64| call.handling.deadlines.as_ref().map(of);
        match call.failure.map(|failure| failure.kind.as_ref()) {
            None => {
                whole.push(call.latency_s);
                self.first_token.push(call.ttft_s.unwrap_or(call.latency_s));
                call.handling.longest_gap_s.into_iter().for_each(|seconds| self.between_tokens.push(seconds));
            }
            Some("first_token_timeout") => self.first_token.push_unheard(limit(|d| d.first_token_s)),
            Some("stall") => self.between_tokens.push_unheard(limit(|d| d.between_tokens_s)),
            Some("phase_timeout") => whole.push_unheard(limit(|d| d.whole_s)),
            // It took as long as it took to fail, which says nothing about how long answering takes.
            Some(_) => return,
        }
        self.paces = Paces {
            first_token: self.first_token.pace(),
            between_tokens: self.between_tokens.pace(),
            preview: self.preview.pace(),
            answer: self.answer.pace(),
        };
    }

    pub(super) const fn paces(&self) -> Paces {
        self.paces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::FailureClass;
    use crate::race::ArmSignal;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn times(fold: &PaceFold, rules: &PhaseTimeouts, length: f64) -> Times {
        let signal = ArmSignal { paces: fold.paces(), ..ArmSignal::default() };
        let signals = Signals::new(BTreeMap::from([(ArmId::new("a"), signal)]));
        Timers { rules, signals: &signals, length }.preview(&ArmId::new("a"))
    }

    fn handling(first_token_s: f64) -> Handling {
        let deadlines = Deadlines { first_token_s, between_tokens_s: 10.0, whole_s: 20.0, learned: false };
        Handling { deadlines: Some(deadlines), longest_gap_s: Some(0.1), ..Handling::default() }
    }

    fn answered(fold: &mut PaceFold, seconds: f64) {
        let handling = handling(10.0);
        let (ttft_s, phase) = (Some(seconds), Phase::Preview);
        fold.absorb(&Call { phase, latency_s: seconds * 2.0, ttft_s, failure: None, handling: &handling });
    }

    fn failed(fold: &mut PaceFold, kind: &'static str, deadline: f64) {
        let (handling, failure) = (handling(deadline), Failure::new(FailureClass::Transient, kind, ""));
        let call = Call {
            phase: Phase::Preview,
            latency_s: 0.001,
            ttft_s: None,
            failure: Some(&failure),
            handling: &handling,
        };
        fold.absorb(&call);
    }

    #[test]
    fn deadlines_follow_an_arm_once_enough_was_seen_of_it() {
        let (rules, mut fold) = (PhaseTimeouts::default(), PaceFold::default());
        for _ in 0..19 {
            answered(&mut fold, 1.5);
        }
        let before = times(&fold, &rules, 0.0);
        assert_eq!((before.first_token, before.whole, before.learned), (rules.first_token, rules.preview, false));
        answered(&mut fold, 1.5);
        let after = times(&fold, &rules, 0.0);
        assert!((after.first_token.as_secs_f64() - 4.5).abs() < 1e-6 && after.learned, "{after:?}");
        assert_eq!(after.between_tokens, rules.follow.floor, "three times a tenth of a second is below the floor");
        assert_eq!(after.whole, rules.preview / 2, "nine seconds are below the floor of a preview");
        assert!((times(&fold, &rules, 1.0).first_token.as_secs_f64() - 9.0).abs() < 1e-6, "a long prompt takes longer");
    }

    #[test]
    fn what_a_person_set_holds() {
        let mut rules = PhaseTimeouts::default();
        rules.follow.fixed = [true; 5];
        let mut fold = PaceFold::default();
        (0..50).for_each(|_| answered(&mut fold, 1.0));
        let times = times(&fold, &rules, 0.0);
        assert_eq!((times.first_token, times.whole, times.learned), (rules.first_token, rules.preview, false));
    }

    #[test]
    fn a_fast_failure_makes_no_deadline_shorter_and_a_timeout_makes_it_longer() {
        let (rules, mut fold) = (PhaseTimeouts::default(), PaceFold::default());
        (0..30).for_each(|_| answered(&mut fold, 1.0));
        let known = times(&fold, &rules, 0.0);
        for _ in 0..500 {
            failed(&mut fold, "connect", 3.0);
            failed(&mut fold, "http_503", 3.0);
        }
        assert_eq!(times(&fold, &rules, 0.0), known);
        let mut deadlines = Vec::new();
        for _ in 0..8 {
            let deadline = times(&fold, &rules, 0.0).first_token.as_secs_f64();
            failed(&mut fold, "first_token_timeout", deadline);
            deadlines.push(deadline);
        }
        for (found, expected) in deadlines.iter().zip([3.0, 3.0, 4.5, 6.75, 10.125]) {
            assert!(
                (found - expected).abs() < 1e-6,
                "one says nothing, and none says how long it would take: {deadlines:?}"
            );
        }
        assert!(deadlines[..5].iter().sum::<f64>() < 30.0, "the five that take an arm out");
        assert_eq!(times(&fold, &rules, 0.0).first_token, rules.follow.ceiling, "an arm that became slow is heard out");
    }

    proptest! {
        /// Whatever an arm does, every deadline lies between its floor and its ceiling.
        #[test]
        fn deadlines_keep_their_bounds(
            calls in prop::collection::vec((0u8..4, 0.0..1e4f64), 0..200), multiplier in 0.1..50.0f64, length in -1.0..3.0f64,
        ) {
            let mut rules = PhaseTimeouts::default();
            rules.follow.multiplier = multiplier;
            let mut fold = PaceFold::default();
            for (what, seconds) in calls {
                match what {
                    0 => failed(&mut fold, "first_token_timeout", seconds),
                    1 => failed(&mut fold, "reset", seconds),
                    _ => answered(&mut fold, seconds),
                }
            }
            let times = times(&fold, &rules, length);
            for token in [times.first_token, times.between_tokens] {
                prop_assert!(token >= rules.follow.floor && token <= rules.follow.ceiling);
            }
            prop_assert!(times.whole >= rules.preview / 2 && times.whole <= rules.preview * 2);
        }
    }
}
