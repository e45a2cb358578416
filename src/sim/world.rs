//! The simulated models' common world: what is asked goes in, a script of the answer comes out. A script
//! fixes everything about a call (text, quality, delays, faults) before the first byte is sent; playing
//! it is the stream's business. No I/O and no sleeping here; time is read once a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;

use crate::domain::chat::ChatRequest;
use crate::domain::clock::Clock;
use crate::domain::context::Intent;
use crate::domain::money::{Price, Usage, estimate_tokens};

use super::draw::{self, Fault};
use super::judge;
use super::memory::Memory;
use super::prompt::{Intents, Prompt};
use super::scenario::{ModelSpec, ScenarioSpec};
use super::text;
use super::timeline::{self, Change, Conditions};
use super::wire::{Bill, ChatCall, Refusal};

/// Characters a token: the same rule by which the program estimates tokens, so that both agree.
const TOKEN_CHARS: usize = 4;
/// Half-width of the noise of one call around the quality that the model has for that prompt.
const CALL_SPREAD: f64 = 0.04;
/// Seconds that a token of the prompt adds to the time to first token.
const PREFILL_S: f64 = 0.000_1;
/// What a refusal says.
const REFUSAL_TEXT: &str = "I'm sorry, but I can't help with that.";

/// One call, decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    /// What is said, all of it.
    pub(super) text: String,
    /// True where the text is a refusal.
    pub(super) refusal: bool,
    /// Byte positions after each token that is said.
    pub(super) token_ends: Vec<usize>,
    /// Why it ends.
    pub(super) finish: &'static str,
    pub(super) first_token_s: f64,
    pub(super) tokens_per_s: f64,
    /// The stream fails after so many tokens.
    pub(super) breaks: Option<(Fault, usize)>,
    pub(super) prompt_tokens: u32,
    price: Price,
    /// Seeds the identifier and the jitter of single chunks.
    pub(super) seed: u64,
}

impl Script {
    /// Tokens that are said.
    pub(super) fn tokens(&self) -> usize {
        self.token_ends.len()
    }

    /// The text of the tokens in `from..to`.
    pub(super) fn text_of(&self, from: usize, to: usize) -> &str {
        let at = |token: usize| token.checked_sub(1).map_or(0, |before| self.token_ends[before]);
        &self.text[at(from)..at(to)]
    }

    /// What it costs.
    pub(super) fn bill(&self) -> Bill {
        let completion_tokens = u32::try_from(self.tokens()).unwrap_or(u32::MAX);
        let usage = Usage {
            input_tokens: self.prompt_tokens,
            output_tokens: completion_tokens,
            estimated: false,
            ..Usage::default()
        };
        Bill { prompt_tokens: self.prompt_tokens, completion_tokens, cost_usd: self.price.cost(&usage) }
    }

    /// Seconds from first to last token.
    pub(super) fn talking_s(&self) -> f64 {
        self.tokens().saturating_sub(1) as f64 / self.tokens_per_s
    }
}

/// Everything that answers depend on.
pub(super) struct World {
    scenario: ScenarioSpec,
    by_name: HashMap<String, usize>,
    intents: Intents,
    seed: u64,
    clock: Arc<dyn Clock>,
    started: Duration,
    memory: Mutex<Memory>,
}

impl World {
    pub(super) fn new(mut scenario: ScenarioSpec, prompts: &[Prompt], seed: u64, clock: Arc<dyn Clock>) -> Self {
        scenario.timeline.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let by_name = scenario.models.iter().enumerate().map(|(index, model)| (model.name.clone(), index)).collect();
        let started = clock.monotonic();
        let intents = Intents::new(prompts);
        Self { scenario, by_name, intents, seed, clock, started, memory: Mutex::default() }
    }

    pub(super) fn models(&self) -> &[ModelSpec] {
        &self.scenario.models
    }

    pub(super) fn model(&self, name: &str) -> Option<&ModelSpec> {
        self.by_name.get(name).map(|index| &self.scenario.models[*index])
    }

    pub(super) fn unix_s(&self) -> u64 {
        self.clock.now().millis() / 1000
    }

    pub(super) fn elapsed_s(&self) -> f64 {
        self.clock.monotonic().saturating_sub(self.started).as_secs_f64()
    }

    pub(super) fn changes(&self, after_s: f64) -> Vec<Change> {
        timeline::changes(&self.scenario, after_s, self.elapsed_s())
    }

    fn conditions(&self, model: &ModelSpec) -> Conditions {
        timeline::conditions(&self.scenario, &model.name, self.elapsed_s())
    }

    /// The expected true quality of an answer now, to a prompt in which nothing is hidden.
    pub(super) fn expected_quality(&self, model: &str, intent: Intent) -> Option<f64> {
        let model = self.model(model)?;
        Some(skill(model, intent, None, &self.conditions(model)))
    }

    pub(super) fn price(&self, model: &str) -> Option<Price> {
        let model = self.model(model)?;
        let factor = self.conditions(model).price_factor;
        Some(Price {
            input: model.price_per_million.input * factor,
            output: model.price_per_million.output * factor,
            cached: None,
        })
    }

    /// Decides a call.
    ///
    /// # Errors
    /// The answer that is an error: no such model, too long a prompt, an outage, a drawn 503 or 429.
    pub(super) fn script(&self, call: &ChatCall) -> Result<Script, Refusal> {
        let model = self.model(&call.model).ok_or_else(|| Refusal::unknown_model(&call.model))?;
        let prompt_tokens = prompt_tokens(&call.request);
        if prompt_tokens > model.context_tokens {
            return Err(Refusal::too_long(prompt_tokens, model.context_tokens));
        }
        let key = conversation_key(self.seed, &model.name, &call.request);
        let index = self.memory.lock().unwrap_or_else(PoisonError::into_inner).next_call(key);
        let conditions = self.conditions(model);
        let mut rng = draw::generator(&[b"call", &key.to_le_bytes(), &index.to_le_bytes()]);
        let fault = Fault::draw(&model.failures, &mut rng);
        if conditions.outage || fault == Some(Fault::Unavailable) {
            return Err(Refusal::unavailable());
        }
        if fault == Some(Fault::RateLimited) {
            return Err(Refusal::rate_limited(rng.u32(1..=3)));
        }
        let text = self.text(model, &conditions, key, call, fault, &mut rng);
        Ok(finish(model, &conditions, call, prompt_tokens, text, fault, &mut rng))
    }

    fn text(
        &self,
        model: &ModelSpec,
        conditions: &Conditions,
        key: u64,
        call: &ChatCall,
        fault: Option<Fault>,
        rng: &mut Rng,
    ) -> String {
        match fault {
            Some(Fault::Refusal) => return REFUSAL_TEXT.to_owned(),
            Some(Fault::Empty) => return String::new(),
            _ => {}
        }
        if let Some(task) = judge::task(&call.request) {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            return judge::answer(&task, &memory, &model.judging, rng);
        }
        let prompt = call.request.prompt();
        let (intent, hidden) = self.intents.of(&prompt);
        // How well this model does on this prompt is a fact about the two; a call adds a little.
        let mut habit = draw::generator(&[b"prompt", &key.to_le_bytes()]);
        let typical = draw::around(skill(model, intent, hidden, conditions), model.spread, &mut habit);
        let quality = draw::around(typical, CALL_SPREAD, rng);
        let tokens = draw::answer_tokens(&model.answer, rng);
        let text = text::compose(&text::Brief { prompt: &prompt, intent, quality, model: &model.name, tokens }, rng);
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remember(&text, quality);
        text
    }
}

/// Delays, token limit and what breaks, for a text that is decided.
fn finish(
    model: &ModelSpec,
    conditions: &Conditions,
    call: &ChatCall,
    prompt_tokens: u32,
    text: String,
    fault: Option<Fault>,
    rng: &mut Rng,
) -> Script {
    let mut token_ends = token_ends(&text);
    let limit = call.max_tokens.map_or(usize::MAX, |limit| limit as usize);
    let mut finish = if token_ends.len() > limit { "length" } else { "stop" };
    token_ends.truncate(limit);
    if fault == Some(Fault::ContentFilter) {
        token_ends.truncate(rng.usize(0..12));
        finish = "content_filter";
    }
    let breaks = match fault {
        Some(fault @ (Fault::Stall | Fault::Truncated | Fault::Reset)) => {
            Some((fault, rng.usize(0..token_ends.len().max(1))))
        }
        _ => None,
    };
    let prefill_s = PREFILL_S * f64::from(prompt_tokens);
    let factor = conditions.price_factor;
    Script {
        refusal: fault == Some(Fault::Refusal),
        token_ends,
        finish,
        first_token_s: (draw::first_token_s(&model.first_token, rng) + prefill_s) * conditions.slowdown,
        tokens_per_s: model.tokens_per_s * (1.0 + model.jitter * (2.0 * rng.f64() - 1.0)) / conditions.slowdown,
        breaks,
        prompt_tokens,
        price: Price {
            input: model.price_per_million.input * factor,
            output: model.price_per_million.output * factor,
            cached: None,
        },
        seed: rng.u64(..),
        text,
    }
}

fn skill(model: &ModelSpec, intent: Intent, hidden: Option<&str>, conditions: &Conditions) -> f64 {
    (model.skill_at(intent, hidden) + conditions.quality_change(intent)).clamp(0.0, 1.0)
}

fn prompt_tokens(request: &ChatRequest) -> u32 {
    request.messages.iter().map(|m| estimate_tokens(&m.text()).saturating_add(3)).fold(0, u32::saturating_add)
}

fn conversation_key(seed: u64, model: &str, request: &ChatRequest) -> u64 {
    let seed = seed.to_le_bytes();
    let texts: Vec<String> = request.messages.iter().map(|m| format!("{}\n{}", m.role, m.text())).collect();
    let mut parts: Vec<&[u8]> = vec![b"conversation", &seed, model.as_bytes()];
    parts.extend(texts.iter().map(String::as_bytes));
    draw::hash(&parts)
}

fn token_ends(text: &str) -> Vec<usize> {
    let starts = text.char_indices().map(|(at, _)| at).step_by(TOKEN_CHARS).skip(1);
    let end = (!text.is_empty()).then_some(text.len());
    starts.chain(end).collect()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod learning;
#[cfg(test)]
mod own_signals;
