//! The request body, and what an endpoint does not take in it. "OpenAI-compatible" comes in dialects:
//! newer models want `max_completion_tokens` for `max_tokens` and no `temperature`, older servers know
//! no `stream_options` or `response_format`. Each is learned from the endpoint's own refusal, once, and
//! only for fields that we added: what the caller sent is never taken out.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Map, Value, json};

use crate::domain::answer::ModelCall;
use crate::domain::chat::ChatRequest;

use super::complaint::Complaint;

/// Fields of a request that the adapter decides; the caller's own are replaced.
const OURS: [&str; 6] = ["model", "stream", "stream_options", "n", "messages", "tools"];
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// One way in which an endpoint differs; the values are bits of a [`Dialect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Quirk {
    /// Wants `max_completion_tokens`.
    CompletionTokens = 1,
    /// Takes no temperature of ours.
    NoTemperature = 2,
    /// Knows no `stream_options`; usage is then estimated by the caller.
    NoStreamOptions = 4,
    /// Knows no `response_format`; the prompt asks for JSON as well.
    NoResponseFormat = 8,
}

/// What was learned about one endpoint, by all calls to it.
#[derive(Debug, Default)]
pub(super) struct Learned(AtomicU8);

impl Learned {
    /// The dialect as far as it is known.
    pub(super) fn dialect(&self) -> Dialect {
        Dialect(self.0.load(Ordering::Relaxed))
    }

    /// Learns from the refusal of `call`, which was written in the dialect `sent`. The dialect to try
    /// instead, if there is one: never one that was tried, so asking again ends.
    pub(super) fn learn(&self, sent: Dialect, call: &ModelCall, status: u16, complaint: &Complaint) -> Option<Dialect> {
        let quirk = objection(call, complaint).filter(|_| matches!(status, 400 | 422))?;
        let before = self.0.fetch_or(quirk as u8, Ordering::Relaxed);
        (!sent.has(quirk)).then_some(Dialect(before | quirk as u8))
    }
}

/// The quirks to write a body with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect(u8);

impl Dialect {
    const fn has(self, quirk: Quirk) -> bool {
        self.0 & quirk as u8 != 0
    }

    /// The body for `call`. `defaults` are the arm's own fields, which the caller's beat.
    pub(super) fn body(self, model: &str, defaults: &Map<String, Value>, call: &ModelCall) -> Map<String, Value> {
        let request: &ChatRequest = &call.request;
        let mut body = defaults.clone();
        body.extend(request.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
        body.retain(|name, _| !OURS.contains(&name.as_str()));
        body.insert("model".into(), model.into());
        body.insert("messages".into(), json!(request.messages));
        if !request.tools.is_empty() {
            body.insert("tools".into(), json!(request.tools));
        }
        body.insert("stream".into(), true.into());
        if !self.has(Quirk::NoStreamOptions) {
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
        if let Some(temperature) = call.temperature.filter(|_| !self.has(Quirk::NoTemperature)) {
            body.insert("temperature".into(), temperature.into());
        }
        if call.json && !self.has(Quirk::NoResponseFormat) {
            body.insert("response_format".into(), json!({ "type": "json_object" }));
        }
        self.limit(&mut body, call.max_tokens);
        body
    }

    /// The lower one of our limit and the caller's, under the one name that the endpoint takes.
    fn limit(self, body: &mut Map<String, Value>, ours: Option<u32>) {
        let Some(ours) = ours else { return };
        let callers = LIMITS.iter().filter_map(|name| body.remove(*name)).filter_map(|value| value.as_u64()).min();
        let name = if self.has(Quirk::CompletionTokens) { "max_completion_tokens" } else { "max_tokens" };
        body.insert(name.into(), callers.map_or(u64::from(ours), |theirs| theirs.min(ours.into())).into());
    }
}

/// Which field that we added a refusal is about. Both the field's name and a word of refusal must be
/// there: "temperature" alone may be part of the prompt that is quoted back.
fn objection(call: &ModelCall, complaint: &Complaint) -> Option<Quirk> {
    const REFUSALS: [&str; 8] = [
        "unsupported",
        "not supported",
        "unrecognized",
        "unknown",
        "unexpected",
        "extra inputs",
        "extra_forbidden",
        "does not support",
    ];
    let text = format!("{} {}", complaint.words.join(" "), complaint.message).to_ascii_lowercase();
    if !REFUSALS.iter().any(|word| text.contains(word)) {
        return None;
    }
    let names = |field: &str| match &complaint.param {
        Some(param) => param.split('.').next() == Some(field),
        None => text.contains(field),
    };
    let rows = [
        ("max_tokens", Quirk::CompletionTokens, call.max_tokens.is_some()),
        ("temperature", Quirk::NoTemperature, call.temperature.is_some()),
        ("stream_options", Quirk::NoStreamOptions, true),
        ("response_format", Quirk::NoResponseFormat, call.json),
    ];
    rows.into_iter().find(|(field, _, is_ours)| *is_ours && names(field)).map(|(_, quirk, _)| quirk)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn call(request: &str) -> ModelCall {
        let request = Arc::new(serde_json::from_str(request).unwrap());
        ModelCall { request, max_tokens: Some(64), json: true, temperature: Some(0.0), trace: None }
    }

    const HI: &str = r#"{"messages":[{"role":"user","content":"hi","name":"ann"}]}"#;

    #[test]
    fn the_callers_fields_are_kept_and_ours_win() {
        let request = r#"{"messages":[{"role":"user","content":"hi","name":"ann"}],"tools":[{"type":"function"}],
            "seed":7,"x_new":{"a":1},"model":"gpt","n":3,"stream":false,"temperature":1,"max_completion_tokens":16}"#;
        let defaults = serde_json::from_str(r#"{"seed":1,"reasoning_effort":"low"}"#).unwrap();
        let body = Dialect::default().body("mini", &defaults, &call(request));
        let expected = json!({
            "model": "mini", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "hi", "name": "ann"}], "tools": [{"type": "function"}],
            "seed": 7, "x_new": {"a": 1}, "reasoning_effort": "low",
            "temperature": 0.0, "max_tokens": 16, "response_format": {"type": "json_object"},
        });
        assert_eq!(Value::Object(body), expected);
    }

    #[test]
    fn without_a_limit_of_ours_the_callers_stands() {
        let request = r#"{"messages":[],"max_completion_tokens":16}"#;
        let call = ModelCall { max_tokens: None, json: false, temperature: None, ..call(request) };
        let body = Dialect::default().body("m", &Map::new(), &call);
        assert_eq!(body["max_completion_tokens"], 16);
        assert!(!body.contains_key("max_tokens") && !body.contains_key("temperature"));
    }

    #[test]
    fn a_refusal_is_learned_once() {
        let rows = [
            (
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}"#,
                "max_tokens",
            ),
            (
                r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model.","param":"temperature","code":"unsupported_value"}}"#,
                "temperature",
            ),
            (r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#, "stream_options"),
            (r#"{"error":"unknown field: response_format"}"#, "response_format"),
        ];
        for (refusal, field) in rows {
            let learned = Learned::default();
            let first = learned.dialect();
            assert!(first.body("m", &Map::new(), &call(HI)).contains_key(field));
            let complaint = Complaint::in_body(refusal);
            let second = learned.learn(first, &call(HI), 400, &complaint).unwrap();
            assert!(!second.body("m", &Map::new(), &call(HI)).contains_key(field), "{refusal}");
            assert!(learned.learn(second, &call(HI), 400, &complaint).is_none(), "{refusal}");
            // A call that was under way with the old dialect may try the new one as well.
            assert!(learned.learn(first, &call(HI), 400, &complaint).is_some(), "{refusal}");
        }
    }

    #[test]
    fn what_is_not_about_our_fields_is_no_dialect() {
        let rows = [
            (400, r#"{"error":{"message":"unknown tool: max_tokens","param":"tools"}}"#),
            (400, r#"{"error":{"message":"temperature must be below 2"}}"#),
            (500, r#"{"error":{"message":"unsupported temperature"}}"#),
        ];
        for (status, refusal) in rows {
            let complaint = Complaint::in_body(refusal);
            let other = Learned::default().learn(Dialect::default(), &call(HI), status, &complaint);
            assert!(other.is_none(), "{refusal}");
        }
        let plain = ModelCall { json: false, temperature: None, max_tokens: None, ..call(HI) };
        let complaint = Complaint::in_body(r#"{"error":"unsupported temperature"}"#);
        assert!(Learned::default().learn(Dialect::default(), &plain, 400, &complaint).is_none());
    }
}
