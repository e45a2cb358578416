//! What a race may take and how long: numbers only, checked where settings are read. Every phase has
//! its own timers, because a slow first token, a stall and an endless answer are three different
//! faults; every text has a bound, because an endpoint may never stop talking.
//!
//! The connect timeout is no race's business: it belongs to the adapter of an endpoint.

use std::time::Duration;

use super::budget::BudgetRules;
use super::extra::ExtraRules;
use super::hedge::HedgeRules;
use super::judge_health::JudgeOutages;
use super::policies::PolicyRules;
use super::retry::RetryRules;
use super::timeouts::FollowRules;
use crate::domain::ids::RunId;
use crate::domain::spec::SetChoice;
use crate::domain::tally::Phase;
use crate::domain::trace::CallPlace;

/// How one run goes.
#[derive(Clone, Debug, PartialEq)]
pub struct RaceConfig {
    /// Previews per race, at least 1.
    pub k: usize,
    /// How they are chosen: no setting, but what a comparison varies.
    pub set: SetChoice,
    /// Tokens wanted of a preview of a prompt of middling size; see [`RaceConfig::preview_target`].
    pub preview_tokens: u32,
    /// A ceiling over the adapted length of a preview.
    pub max_preview_tokens: u32,
    /// Seconds by phase.
    pub timeouts: PhaseTimeouts,
    /// How previews are judged.
    pub judge: JudgeConfig,
    /// Full answers tried after the first one failed, at most.
    pub max_fallbacks: u32,
    /// Verdicts closer than this (of `overall`, in [0, 1]) are a tie, broken by what was learned.
    pub tie_margin: f64,
    /// Bytes of all turns of a prompt, at most.
    pub max_prompt_bytes: usize,
    /// The token limit of a full answer; `None` leaves it to the caller and the endpoint.
    pub answer_max_tokens: Option<u32>,
    /// Bytes of an answer that are read; an answer is cut there.
    pub max_answer_bytes: usize,
    /// In how many standard deviations the intervals of the leading arms must be apart for `auto` to
    /// take them for decided.
    pub auto_width: f64,
    /// How calls that failed are made again.
    pub retry: RetryRules,
    /// When a second answer is started beside the first, and when one of the two has won.
    pub hedge: HedgeRules,
    /// What may be spent.
    pub budget: BudgetRules,
    /// How much more than the plain traffic retries and hedges may send.
    pub extras: ExtraRules,
    /// Cosine between two prompts from which a preview for one may stand for one for the other.
    pub cache_threshold: f64,
    /// What stands beside the router.
    pub policies: PolicyRules,
    /// Whether endpoints are told which call of which run theirs is (W3C `traceparent`).
    pub propagate_trace: bool,
}

/// Time limits by phase.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTimeouts {
    /// From the start of a call to its first token, of previews and full answers.
    pub first_token: Duration,
    /// Between two parts of an answer that carry content; keep-alive does not count.
    pub between_tokens: Duration,
    /// A whole preview.
    pub preview: Duration,
    /// The judge, with its retry.
    pub judge: Duration,
    /// One whole full answer.
    pub full: Duration,
    /// How they follow each arm; see `timeouts.rs`.
    pub follow: FollowRules,
}

/// How previews are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeConfig {
    /// Tokens that a verdict may take.
    pub max_tokens: u32,
    /// Bytes of the conversation that the judge is shown.
    pub max_prompt_bytes: usize,
    /// Bytes of each candidate that the judge is shown.
    pub max_candidate_bytes: usize,
    /// Bytes of all results of a web search that the judge is shown.
    pub max_evidence_bytes: usize,
    /// Whether scores of the local fallback judge, standing in for a judge that failed, teach the
    /// router. Off by default: an outage of the judge must not poison what was learned about quality.
    /// Where no judge is configured the local one is the judge, and does teach.
    pub local_teaches: bool,
    /// When a judge that fails is asked no more for a time.
    pub outages: JudgeOutages,
}

impl RaceConfig {
    /// What an endpoint is told of a call's trace, where it is told.
    pub(crate) fn trace_of(&self, run: RunId, phase: Phase, nth: usize) -> Option<CallPlace> {
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        self.propagate_trace.then_some(CallPlace { run, phase, nth })
    }
}

impl Default for RaceConfig {
    fn default() -> Self {
        Self {
            k: 3,
            set: SetChoice::default(),
            preview_tokens: 64,
            max_preview_tokens: 1024,
            timeouts: PhaseTimeouts::default(),
            judge: JudgeConfig::default(),
            max_fallbacks: 3,
            tie_margin: 0.02,
            max_prompt_bytes: 2_000_000,
            answer_max_tokens: None,
            max_answer_bytes: 1_000_000,
            auto_width: 1.0,
            retry: RetryRules::default(),
            hedge: HedgeRules::default(),
            budget: BudgetRules::default(),
            extras: ExtraRules::default(),
            cache_threshold: 0.98,
            policies: PolicyRules::default(),
            propagate_trace: false,
        }
    }
}

impl Default for PhaseTimeouts {
    fn default() -> Self {
        Self {
            first_token: Duration::from_secs(10),
            between_tokens: Duration::from_secs(10),
            preview: Duration::from_secs(20),
            judge: Duration::from_secs(20),
            full: Duration::from_mins(2),
            follow: FollowRules::default(),
        }
    }
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            max_tokens: 1024,
            max_prompt_bytes: 16_000,
            max_candidate_bytes: 8_000,
            max_evidence_bytes: 8_000,
            local_teaches: false,
            outages: JudgeOutages::default(),
        }
    }
}

/// Characters that a token is taken to have where an endpoint has not counted yet.
const CHARS_PER_TOKEN: usize = 4;
/// An endpoint may ignore its token limit, and four characters a token is an estimate: a preview is cut
/// only when it is this many times longer than what was asked for.
const PREVIEW_SLACK: usize = 3;

impl RaceConfig {
    /// Tokens wanted of a preview: 0.75 to 1.5 of `preview_tokens`, growing with the size of the prompt and with
    /// how much it asks for (`size` and `complexity` in [0, 1]; anything else counts as the nearer end, NaN as 0;
    /// together 1 − (1 − size)·(1 − complexity)), at least 1.
    #[must_use]
    pub fn preview_target(&self, size: f64, complexity: f64) -> u32 {
        let share = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let need = 1.0 - (1.0 - share(size)) * (1.0 - share(complexity));
        let wanted = f64::from(self.preview_tokens) * 0.75f64.mul_add(need, 0.75);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, not negative, clamped")]
        let wanted = wanted.round() as u32;
        wanted.clamp(1, self.max_preview_tokens.max(1))
    }

    /// Bytes after which a preview of `target` tokens is cut, whatever the endpoint goes on sending.
    #[must_use]
    pub(crate) fn preview_bytes(target: u32) -> usize {
        (target as usize).saturating_mul(CHARS_PER_TOKEN * PREVIEW_SLACK).max(256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_of_longer_prompts_are_longer_within_bounds() {
        let config = RaceConfig { preview_tokens: 64, max_preview_tokens: 90, ..RaceConfig::default() };
        let rows = [(0.0, 48), (1.0 / 3.0, 64), (1.0, 90), (7.0, 90), (-1.0, 48), (f64::NAN, 48)];
        for (size, tokens) in rows {
            assert_eq!(config.preview_target(size, 0.0), tokens, "size {size}");
            assert_eq!(config.preview_target(0.0, size), tokens, "complexity {size}");
        }
        assert_eq!(config.preview_target(0.2, 0.2), 65, "both add up, and never beyond one and a half");
        let tiny = RaceConfig { preview_tokens: 0, ..RaceConfig::default() };
        assert_eq!(tiny.preview_target(1.0, 1.0), 1);
    }
}
