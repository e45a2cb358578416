//! What an endpoint was found not to take of the numbers that we add: models differ in how many tokens
//! they may answer, and some take no temperature. Each is learned from the endpoint's own refusal, once,
//! and only for what we added: what the caller sent is never changed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::domain::answer::ModelCall;

use super::request::DEFAULT_MAX_TOKENS;

/// How a body is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Tokens that the model may answer at most.
    pub(super) most_tokens: u32,
    /// Whether it takes a temperature of ours.
    pub(super) takes_temperature: bool,
}

/// What was learned by all calls.
#[derive(Debug)]
pub(super) struct Learned {
    most_tokens: AtomicU32,
    no_temperature: AtomicBool,
}

impl Default for Learned {
    fn default() -> Self {
        Self { most_tokens: AtomicU32::new(u32::MAX), no_temperature: AtomicBool::new(false) }
    }
}

impl Learned {
    /// As far as it is known.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            most_tokens: self.most_tokens.load(Ordering::Relaxed),
            takes_temperature: !self.no_temperature.load(Ordering::Relaxed),
        }
    }

    /// Learns from the refusal of `call`, which was written within `sent`. The limits to try instead, if
    /// there are any: always narrower ones, so asking again ends.
    pub(super) fn learn(&self, sent: Limits, call: &ModelCall, status: u16, message: &str) -> Option<Limits> {
        if status != 400 {
            return None;
        }
        if let Some(most) = ceiling(message) {
            let ours = call.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS).min(sent.most_tokens);
            self.most_tokens.fetch_min(most, Ordering::Relaxed);
            return (most < ours).then(|| self.limits());
        }
        let is_refused = ["temperature", "`temperature`"].iter().any(|word| message.starts_with(word));
        let is_about_use = ["deprecated", "not supported", "may only be set to 1", "cannot both"];
        if is_refused && call.temperature.is_some() && is_about_use.iter().any(|word| message.contains(word)) {
            self.no_temperature.store(true, Ordering::Relaxed);
            return sent.takes_temperature.then(|| self.limits());
        }
        None
    }
}

/// `max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for …`.
fn ceiling(message: &str) -> Option<u32> {
    let rest = message.strip_prefix("max_tokens: ")?;
    let (_, rest) = rest.split_once(" > ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|most| *most > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::chat::ChatRequest;

    fn call(max_tokens: Option<u32>, temperature: Option<f64>) -> ModelCall {
        let request = Arc::new(ChatRequest::from_prompt("hi"));
        ModelCall { request, max_tokens, json: false, temperature, trace: None }
    }

    #[test]
    fn a_models_own_limit_is_learned_once() {
        let refusal =
            "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307";
        let learned = Learned::default();
        let first = learned.limits();
        let second = learned.learn(first, &call(None, None), 400, refusal).unwrap();
        assert_eq!(second.most_tokens, 4096);
        assert_eq!(learned.learn(second, &call(None, None), 400, refusal), None);
        assert_eq!(learned.learn(first, &call(Some(64), None), 400, refusal), None, "the limit was not ours");
        assert_eq!(learned.learn(first, &call(None, None), 500, refusal), None);
    }

    #[test]
    fn a_temperature_of_ours_is_left_out_where_it_is_refused() {
        let refusal = "temperature is deprecated for this model";
        let learned = Learned::default();
        assert_eq!(learned.learn(learned.limits(), &call(None, None), 400, refusal), None);
        let second = learned.learn(learned.limits(), &call(None, Some(0.0)), 400, refusal).unwrap();
        assert!(!second.takes_temperature);
        assert_eq!(learned.learn(second, &call(None, Some(0.0)), 400, refusal), None);
        let other = "messages.0: temperature is not supported";
        assert_eq!(Learned::default().learn(learned.limits(), &call(None, Some(0.0)), 400, other), None);
    }
}
