//! The complete record of one run: everything a person needs to see why that arm answered. Its JSON is
//! what `ask --json` prints; fields may be added, none renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::calls::{AttemptRecord, JudgingRecord, PreviewRecord};
use super::chat::ChatRequest;
use super::clock::Timestamp;
use super::command::PreviewTerms;
use super::context::{ArmContexts, Intent};
use super::handling::Retried;
use super::ids::{ArmId, RunId};
use super::judging::Verdict;
pub use super::policies::{AfterwardsRecord, CacheRecord, ExperimentRecord, Policies, SessionRecord};
use super::spec::Strategy;
use super::tally::Phase;
use super::terms::{Term, TermValue};

/// Who was asked to judge where a record does not say.
pub const UNNAMED_JUDGE: &str = "judge";

/// One run, from features to reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run_id: RunId,
    /// When it started.
    pub at: Timestamp,
    /// Where the prompt came from.
    pub origin: Origin,
    /// What was asked.
    pub request: ChatRequest,
    /// How it went through its stages.
    pub strategy: Strategy,
    /// Why the bandit, the baseline or exploration decided.
    pub gate: Gate,
    /// The context by name.
    pub context: ContextRecord,
    /// Every candidate arm with its numbers.
    pub arms: Vec<ArmScore>,
    /// One entry per preview that was started.
    pub previews: Vec<PreviewRecord>,
    /// Absent where nothing was judged.
    pub verdict: Option<Verdict>,
    /// What the judge's calls took; absent where no judge was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<JudgingRecord>,
    /// In which order arms were to answer.
    pub order: Vec<ArmId>,
    /// What decided the order where verdicts did not; absent where it was configured, or never decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<OrderRecord>,
    /// Full answers tried, in order.
    pub attempts: Vec<AttemptRecord>,
    /// Reward by arm that taught something.
    pub rewards: BTreeMap<ArmId, RewardRecord>,
    /// Who answered.
    pub winner: Option<ArmId>,
    /// The answer that was served.
    pub answer: Option<String>,
    /// Attempts after the first.
    pub fallbacks: u32,
    /// Dollars of previews, judge, attempts, web search and embedding; unknown prices count as 0.
    pub cost_usd: f64,
    /// Seconds by phase.
    pub timings_s: Timings,
    /// How it ended.
    pub outcome: RunOutcome,
    /// A person's rating, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// Terms and rewards that had to be clamped into [0, 1].
    #[serde(default)]
    pub clamped: u32,
    /// What policies beside the router had a part in it.
    #[serde(default, skip_serializing_if = "Policies::is_empty")]
    pub policies: Policies,
}

/// Where a prompt came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person at the console or at `ask`.
    #[default]
    Person,
    /// The traffic generator.
    Traffic,
    /// An application through the gateway.
    Gateway,
}

/// Who decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Bandit, baseline or explore.
    pub decision: GateDecision,
    /// In words, with the numbers that decided.
    pub reason: String,
    /// The numbers that decided, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, f64>,
}

/// What the gate says of a run that teaches nothing, because that is paused.
pub const LEARNING_PAUSED: &str = "learning is paused";

/// The name among [`Gate::numbers`] of how many arms race in the mean, over every way in which chance could have gone
/// under limits of shares: what the propensities sum to. Absent where no limit had a say: then that is how many raced.
pub const EXPECTED_RACED: &str = "expected_raced";

impl Gate {
    /// A decision for a reason that has its numbers in words alone.
    #[must_use]
    pub const fn new(decision: GateDecision, reason: String) -> Self {
        Self { decision, reason, numbers: BTreeMap::new() }
    }
}

/// Who chooses the arms of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateDecision {
    /// The learned scores.
    Bandit,
    /// Configured order.
    Baseline,
    /// A uniform draw.
    Explore,
}

impl GateDecision {
    /// The name in metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bandit => "bandit",
            Self::Baseline => "baseline",
            Self::Explore => "explore",
        }
    }
}

/// The context as it was, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContextRecord {
    /// One name a dimension.
    pub names: Vec<String>,
    /// One value a dimension.
    pub x: Vec<f64>,
    /// The intent that was recognised.
    pub intent: Intent,
    /// The schema's version.
    pub feature_version: String,
    /// The last dimensions of each candidate, where the schema has signals about arms; in `x` they are 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<ArmId, Vec<f64>>,
    /// Why slots of an embedding are at their mean, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
}

impl ContextRecord {
    /// The context as the arms met it.
    #[must_use]
    pub fn by_arm(&self) -> ArmContexts {
        ArmContexts::new(self.x.clone(), self.signals.clone())
    }
}

/// One arm's numbers at selection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmScore {
    /// The arm.
    pub arm: ArmId,
    /// Expected reward.
    pub mean: f64,
    /// Standard deviation of that expectation, in units of the reward.
    pub uncertainty: f64,
    /// What arms were ranked by.
    pub score: f64,
    /// The probability with which it was selected.
    pub propensity: f64,
    /// Whether it was.
    pub selected: bool,
}

/// What decided in which order arms were to answer, beside the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Verdicts not farther than this from the best, in units of `overall`, were a tie.
    pub tie_margin: f64,
    /// Whether the verdict counts as a judged race: not where the local judge stood in for one that failed.
    #[serde(default)]
    pub counts: bool,
    /// Every candidate's worth, in the pool's order.
    pub worth: Vec<ArmWorth>,
    /// The first two neighbours in the order that worth put in that order; empty where it decided nothing.
    #[serde(default)]
    pub decided: Vec<ArmId>,
}

/// What a full answer of one arm was expected to be worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmWorth {
    /// The arm.
    pub arm: ArmId,
    /// Expected quality for this prompt, in [0, 1].
    pub quality: f64,
    /// Probability that its answer can be served.
    pub success: f64,
    /// Expected seconds of the answer.
    pub seconds: f64,
    /// Quality × success ÷ seconds: what arms are ordered by.
    pub worth: f64,
}

/// One arm's reward in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardRecord {
    /// In [0, 1]; over the terms that were observed.
    pub total: f64,
    /// By term name.
    pub terms: BTreeMap<String, TermValue>,
    /// What fallbacks took off.
    #[serde(default)]
    pub penalty: f64,
}

/// Seconds by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Features and selection.
    pub features: f64,
    /// The web search, where there was one.
    #[serde(default)]
    pub search: f64,
    /// Until the last preview was in.
    pub previews: f64,
    /// The judge.
    pub judge: f64,
    /// Full answers.
    pub full: f64,
    /// Start to end.
    pub total: f64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum RunOutcome {
    /// An answer was served.
    Served,
    /// No arm could answer.
    Failed {
        /// For a person: per arm, what went wrong and what to do.
        message: String,
    },
    /// Stopped by a person or the caller.
    Cancelled,
}

impl RewardRecord {
    /// The value of a term, in [0, 1], where it was observed.
    #[must_use]
    pub fn value(&self, term: Term) -> Option<f64> {
        self.terms.get(term.name()).map(|term| term.value)
    }

    /// The terms that a preview gives, where it gave them.
    #[must_use]
    pub fn preview_terms(&self) -> Option<PreviewTerms> {
        Some(PreviewTerms {
            latency: self.value(Term::Latency)?,
            cost: self.value(Term::Cost)?,
            speed: self.value(Term::Speed)?,
            token_efficiency: self.value(Term::TokenEfficiency)?,
            stability: self.value(Term::Stability)?,
        })
    }
}

impl RunRecord {
    /// What the router was taught about the quality of the served answer, as far as it stands: what a person said,
    /// else what a judge did.
    #[must_use]
    pub fn taught_quality(&self) -> Option<f64> {
        let judged = || self.rewards.get(self.winner.as_ref()?)?.value(Term::Quality);
        let stands = self.policies.afterwards.is_none_or(|afterwards| afterwards.taught);
        self.rating.or_else(|| judged().filter(|_| stands))
    }

    /// Calls that were made again, in whatever phase; the judge's second asking counts too.
    #[must_use]
    pub fn retries(&self) -> u32 {
        let judging = self.judging.as_ref().map_or(0, |judging| judging.calls.saturating_sub(1));
        let previews = self.previews.iter().map(|preview| preview.handling.times());
        let attempts = self.attempts.iter().map(|attempt| attempt.handling.times());
        previews.chain(attempts).fold(judging, u32::saturating_add)
    }

    /// Who was asked to judge, whatever came of it. Records of earlier versions do not say it where the local judge
    /// stood in, and the name of the verdict is then its: [`UNNAMED_JUDGE`].
    #[must_use]
    pub fn asked_judge(&self) -> &str {
        let named = self.judging.as_ref().map(|judging| judging.judge.as_str()).filter(|name| !name.is_empty());
        let of_verdict = || self.verdict.as_ref().filter(|v| !v.local_fallback).map(|v| v.judge.as_str());
        named.or_else(of_verdict).unwrap_or(UNNAMED_JUDGE)
    }

    /// Every time that a call was made again because it had failed in passing: what for, to whom, and why.
    pub fn retried(&self) -> impl Iterator<Item = (Phase, &str, &Retried)> {
        let judge = self.asked_judge();
        let previews = self.previews.iter().map(|p| (Phase::Preview, p.arm.as_str(), &p.handling));
        let judging = self.judging.iter().map(move |j| (Phase::Judge, judge, &j.handling));
        let attempts = self.attempts.iter().map(|a| (Phase::Answer, a.arm.as_str(), &a.handling));
        let calls = previews.chain(judging).chain(attempts);
        calls.flat_map(|(phase, name, handling)| handling.retries.iter().map(move |retried| (phase, name, retried)))
    }

    /// Whether an answer was served without a flag.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.outcome == RunOutcome::Served && self.served().is_none_or(|attempt| attempt.flags.is_empty())
    }

    /// Whether an answer was served without a flag, and nobody rated it as bad.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.is_clean() && !self.rating.is_some_and(is_bad)
    }

    /// About how many bytes it takes: what was asked and answered, and something for the rest.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let previews: usize = self.previews.iter().map(|preview| preview.text.len() + 200).sum();
        let answer = self.answer.as_ref().map_or(0, String::len);
        self.request.text_bytes() + answer + previews + 200 * self.arms.len() + 2_000
    }

    /// The attempt whose answer was served.
    #[must_use]
    pub fn served(&self) -> Option<&AttemptRecord> {
        self.attempts.iter().find(|attempt| attempt.ok && !attempt.lost)
    }

    /// Whether the first arm in order answered.
    #[must_use]
    pub fn is_first_try(&self) -> bool {
        self.winner.is_some() && self.fallbacks == 0
    }
}

/// Whether a rating is a bad one: a run with it is not resolved.
#[must_use]
pub fn is_bad(rating: f64) -> bool {
    rating < 0.5
}
