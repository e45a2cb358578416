//! What a scenario file says: which models there are, what each is good at, how fast, how dear and how
//! flaky it is, and what changes while time goes by. Plain data with one check that reports every fault
//! at once; where the text came from and how it is parsed is not known here.
//!
//! Figures mean what they say: `skill` is the *expected* quality of an answer of that intent (the noise
//! around it is symmetric and never clipped), `first_token.median_s` a median, rates probabilities a call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::context::Intent;
use crate::domain::money::Price;

/// A scenario: models and a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// What it is called.
    pub name: String,
    /// For a person: what there is to see.
    #[serde(default)]
    pub description: String,
    /// The timeline starts over after so many seconds, with everything as at the start; absent, it plays once.
    #[serde(default)]
    pub repeat_s: Option<f64>,
    /// The models, each selectable by its name.
    pub models: Vec<ModelSpec>,
    /// What changes, in any order.
    #[serde(default)]
    pub timeline: Vec<ChangeSpec>,
}

/// One simulated model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The name in the request's `model`.
    pub name: String,
    /// Expected quality by intent.
    pub skill: Skill,
    /// Expected quality where something else decides than the intent, by the name of it: what the wording of a
    /// prompt does not show, such as that the answer changed after the model's training.
    #[serde(default)]
    pub hidden: BTreeMap<String, f64>,
    /// Half-width of the noise of one prompt around the skill, in [0, 1].
    #[serde(default = "default_spread")]
    pub spread: f64,
    /// Time to first token.
    pub first_token: FirstToken,
    /// Tokens a second, once it streams.
    pub tokens_per_s: f64,
    /// Relative jitter of that rate, in [0, 0.9].
    #[serde(default = "default_jitter")]
    pub jitter: f64,
    /// How long its answers are.
    pub answer: Length,
    /// Dollars per million tokens.
    pub price_per_million: Price,
    /// Prompts above so many tokens are refused.
    #[serde(default = "default_context")]
    pub context_tokens: u32,
    /// How often its calls fail.
    #[serde(default)]
    pub failures: FailureRates,
    /// How it judges, when asked to.
    #[serde(default)]
    pub judging: JudgingSpec,
}

const fn default_spread() -> f64 {
    0.12
}

const fn default_jitter() -> f64 {
    0.15
}

const fn default_context() -> u32 {
    128_000
}

impl ModelSpec {
    /// Expected quality at `intent`, or where `hidden` decides and means something to this model, at that.
    #[must_use]
    pub fn skill_at(&self, intent: Intent, hidden: Option<&str>) -> f64 {
        hidden.and_then(|hidden| self.hidden.get(hidden)).copied().unwrap_or_else(|| self.skill.at(intent))
    }
}

/// Expected quality by intent, each in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// Deduction, mathematics, planning.
    pub reasoning: f64,
    /// Code.
    pub coding: f64,
    /// Answers from supplied documents, facts.
    pub retrieval: f64,
    /// Prose.
    pub writing: f64,
    /// Everything else.
    pub other: f64,
}

impl Skill {
    /// The skill at `intent`.
    #[must_use]
    pub const fn at(&self, intent: Intent) -> f64 {
        match intent {
            Intent::Reasoning => self.reasoning,
            Intent::Coding => self.coding,
            Intent::Retrieval => self.retrieval,
            Intent::Writing => self.writing,
            Intent::Other => self.other,
        }
    }
}

/// A log-normal time to first token: `median_s · exp(sigma · N(0, 1))`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstToken {
    /// Seconds.
    pub median_s: f64,
    /// Standard deviation of the logarithm.
    #[serde(default = "default_sigma")]
    pub sigma: f64,
}

/// A log-normal length of answers in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Tokens.
    pub median_tokens: f64,
    /// Standard deviation of the logarithm.
    #[serde(default = "default_sigma")]
    pub sigma: f64,
}

const fn default_sigma() -> f64 {
    0.3
}

/// The probability of each kind of failure, a call; at most one happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailureRates {
    /// Status 503.
    pub unavailable: f64,
    /// Status 429 with `Retry-After`.
    pub rate_limited: f64,
    /// Starts, then says nothing more.
    pub stall: f64,
    /// Ends in the middle, without a finish reason.
    pub truncated: f64,
    /// The connection breaks in the middle.
    pub reset: f64,
    /// Refuses in so many words (`delta.refusal`).
    pub refusal: f64,
    /// Stopped by a filter (`finish_reason = content_filter`).
    pub content_filter: f64,
    /// Ends without a word.
    pub empty: f64,
}

impl FailureRates {
    /// Each rate with its name, in the order in which one draw is compared with their running sum.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("unavailable", self.unavailable),
            ("rate_limited", self.rate_limited),
            ("stall", self.stall),
            ("truncated", self.truncated),
            ("reset", self.reset),
            ("refusal", self.refusal),
            ("content_filter", self.content_filter),
            ("empty", self.empty),
        ]
    }
}

/// How a model judges. Every model can; one that is meant to has little noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgingSpec {
    /// Half-width of the noise of its grades around the true quality, in [0, 1].
    pub noise: f64,
    /// How often it answers with prose in place of a verdict, in [0, 1].
    pub broken: f64,
}

impl Default for JudgingSpec {
    fn default() -> Self {
        Self { noise: 0.25, broken: 0.05 }
    }
}

/// Something that happens to one model. At least one of the effects; several together are one event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeSpec {
    /// Seconds since the start.
    pub at_s: f64,
    /// To whom.
    pub model: String,
    /// What a chart's mark says.
    pub label: String,
    /// Added to the skill, in [-1, 1]; what comes out is kept in [0, 1].
    pub quality_change: Option<f64>,
    /// Only for these intents; all where empty.
    pub intents: Vec<Intent>,
    /// Times are multiplied by this from now on (1 is as configured).
    pub slowdown: Option<f64>,
    /// Every call fails with 503 for so many seconds.
    pub outage_s: Option<f64>,
    /// Prices are multiplied by this from now on.
    pub price_factor: Option<f64>,
    /// Skill, speed and availability are as at the start again; a price stays.
    pub recover: bool,
}

impl ChangeSpec {
    fn has_effect(&self) -> bool {
        self.recover
            || self.quality_change.is_some()
            || self.slowdown.is_some()
            || self.outage_s.is_some()
            || self.price_factor.is_some()
    }
}

impl ScenarioSpec {
    /// Whether the scenario can be played.
    ///
    /// # Errors
    /// Every fault at once, each naming the place, what was expected and what was found.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = Faults::default();
        if self.models.is_empty() {
            faults.say("`models` is empty: expected at least one `[[models]]`".to_owned());
        }
        if let Some(repeat_s) = self.repeat_s {
            faults.within("`repeat_s`", repeat_s, 1.0, 1e9);
        }
        let mut names = BTreeSet::new();
        for (index, model) in self.models.iter().enumerate() {
            let place = format!("models[{index}] `{}`", model.name);
            if model.name.trim().is_empty() {
                faults.say(format!("{place}: `name` is empty"));
            } else if !names.insert(model.name.as_str()) {
                faults.say(format!("{place}: this name is used twice"));
            }
            check_model(&place, model, &mut faults);
        }
        for (index, change) in self.timeline.iter().enumerate() {
            let place = format!("timeline[{index}]");
            if !names.contains(change.model.as_str()) {
                let known: Vec<&str> = names.iter().copied().collect();
                faults.say(format!("{place}: unknown model `{}`: expected one of {}", change.model, known.join(", ")));
            }
            check_change(&place, change, &mut faults);
        }
        if faults.0.is_empty() { Ok(()) } else { Err(faults.0) }
    }
}

fn check_model(place: &str, model: &ModelSpec, faults: &mut Faults) {
    for intent in Intent::ALL {
        faults.within(&format!("{place}: `skill.{}`", intent.name()), model.skill.at(intent), 0.0, 1.0);
    }
    for (name, skill) in &model.hidden {
        faults.within(&format!("{place}: `hidden.{name}`"), *skill, 0.0, 1.0);
    }
    faults.within(&format!("{place}: `spread`"), model.spread, 0.0, 1.0);
    faults.within(&format!("{place}: `first_token.median_s`"), model.first_token.median_s, 0.0, 60.0);
    faults.within(&format!("{place}: `first_token.sigma`"), model.first_token.sigma, 0.0, 3.0);
    faults.within(&format!("{place}: `tokens_per_s`"), model.tokens_per_s, 1.0, 1e6);
    faults.within(&format!("{place}: `jitter`"), model.jitter, 0.0, 0.9);
    faults.within(&format!("{place}: `answer.median_tokens`"), model.answer.median_tokens, 1.0, 10_000.0);
    faults.within(&format!("{place}: `answer.sigma`"), model.answer.sigma, 0.0, 3.0);
    faults.within(&format!("{place}: `price_per_million.input`"), model.price_per_million.input, 0.0, 1e6);
    faults.within(&format!("{place}: `price_per_million.output`"), model.price_per_million.output, 0.0, 1e6);
    faults.within(&format!("{place}: `judging.noise`"), model.judging.noise, 0.0, 1.0);
    faults.within(&format!("{place}: `judging.broken`"), model.judging.broken, 0.0, 1.0);
    if model.context_tokens == 0 {
        faults.say(format!("{place}: `context_tokens` is 0: expected at least 1"));
    }
    let mut sum = 0.0;
    for (name, rate) in model.failures.named() {
        faults.within(&format!("{place}: `failures.{name}`"), rate, 0.0, 1.0);
        sum += rate;
    }
    if sum > 1.0 + 1e-9 {
        faults.say(format!("{place}: the rates in `failures` sum to {sum}: expected at most 1"));
    }
}

fn check_change(place: &str, change: &ChangeSpec, faults: &mut Faults) {
    faults.within(&format!("{place}: `at_s`"), change.at_s, 0.0, 1e9);
    if !change.has_effect() {
        faults.say(format!(
            "{place}: nothing happens: expected `quality_change`, `slowdown`, `outage_s`, `price_factor` or `recover`"
        ));
    }
    let effects = [
        ("quality_change", change.quality_change, -1.0, 1.0),
        ("slowdown", change.slowdown, 0.01, 1000.0),
        ("outage_s", change.outage_s, 0.0, 1e6),
        ("price_factor", change.price_factor, 0.0, 1000.0),
    ];
    for (name, value, low, high) in effects {
        if let Some(value) = value {
            faults.within(&format!("{place}: `{name}`"), value, low, high);
        }
    }
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn say(&mut self, fault: String) {
        self.0.push(fault);
    }

    fn within(&mut self, place: &str, found: f64, low: f64, high: f64) {
        // Written so that NaN is a fault.
        if !(low..=high).contains(&found) {
            self.say(format!("{place} is {found}: expected {low} to {high}"));
        }
    }
}

#[cfg(test)]
mod tests;
