//! A chat request as a body of the messages API. Fields that have a counterpart are translated, fields of
//! chat completions that have none are left out, and every other field is passed on as it came: `thinking`,
//! `top_k`, `metadata`, or what the API learns tomorrow. Turns and tools are in `turns.rs`.
//!
//! `max_tokens` must be there: the lower one of our limit and the caller's, or a default where neither
//! says anything. A preview is shorter than a budget of thinking, so it thinks only where that fits.

use serde_json::{Map, Value, json};

use super::learned::Limits;
use super::turns::{self, tool};
use crate::domain::answer::ModelCall;

/// Tokens of an answer that nobody limits.
pub(super) const DEFAULT_MAX_TOKENS: u32 = 8192;

/// Fields that the adapter decides, or translates: see [`translate`].
const OURS: [&str; 16] = [
    "model",
    "stream",
    "messages",
    "tools",
    "system",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "user",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "temperature",
    "n",
    "stream_options",
    "service_tier",
];
/// Fields of chat completions that mean nothing here.
const FOREIGN: [&str; 18] = [
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "verbosity",
    "modalities",
    "audio",
    "prediction",
    "store",
    "functions",
    "function_call",
    "web_search_options",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
];

/// The body for `call`. `defaults` are the arm's own fields, which the caller's beat.
pub(super) fn body(model: &str, defaults: &Map<String, Value>, call: &ModelCall, limits: Limits) -> Map<String, Value> {
    let request = &call.request;
    let mut asked = defaults.clone();
    asked.extend(request.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut body = asked.clone();
    body.retain(|name, _| !OURS.contains(&name.as_str()) && !FOREIGN.contains(&name.as_str()));
    body.insert("model".into(), model.into());
    body.insert("stream".into(), true.into());
    body.insert("max_tokens".into(), max_tokens(&asked, call, limits).into());
    body.insert("messages".into(), turns::messages(&request.messages).into());
    if let Some(system) = system(&asked, call) {
        body.insert("system".into(), system);
    }
    if !request.tools.is_empty() {
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    translate(&asked, &mut body);
    think_within(&mut body);
    heat(&asked, call, limits, &mut body);
    body
}

/// The lower one of our limit and the caller's; where neither is, what a model of any size may answer.
fn max_tokens(asked: &Map<String, Value>, call: &ModelCall, limits: Limits) -> u64 {
    let names = ["max_tokens", "max_completion_tokens"];
    let callers = names.iter().filter_map(|name| asked.get(*name)?.as_u64()).min();
    let most = u64::from(limits.most_tokens);
    match (call.max_tokens.map(u64::from), callers) {
        (Some(ours), Some(theirs)) => theirs.min(ours),
        (None, Some(theirs)) => theirs,
        (ours, None) => ours.unwrap_or_else(|| DEFAULT_MAX_TOKENS.into()).min(most),
    }
}

/// The system turns, the caller's own `system` field before them, the wish for JSON after them.
fn system(asked: &Map<String, Value>, call: &ModelCall) -> Option<Value> {
    let mut blocks = turns::blocks_of(asked.get("system").unwrap_or(&Value::Null));
    blocks.extend(turns::system(&call.request.messages));
    blocks.extend(json_wish(asked, call.json).map(|text| json!({ "type": "text", "text": text })));
    let is_plain = blocks.iter().all(|block| block.as_object().is_some_and(|o| o.len() == 2 && o.contains_key("text")));
    if !is_plain {
        return Some(blocks.into());
    }
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n").into())
}

/// The API knows no JSON mode: what `response_format` asks for is asked for in words.
fn json_wish(asked: &Map<String, Value>, ours: bool) -> Option<String> {
    const OBJECT: &str = "Answer with one JSON object and nothing else: no text around it, no code fence.";
    let format = asked.get("response_format");
    let kind = format.and_then(|f| f.get("type")).and_then(Value::as_str);
    let schema = format.and_then(|f| f.pointer("/json_schema/schema")).filter(|_| !ours);
    match (kind, schema) {
        (Some("json_schema"), Some(schema)) => Some(format!("{OBJECT} It must fit this JSON Schema: {schema}")),
        (Some("json_schema" | "json_object"), _) => Some(OBJECT.to_owned()),
        _ => ours.then(|| OBJECT.to_owned()),
    }
}

/// Fields that are called otherwise here.
fn translate(asked: &Map<String, Value>, body: &mut Map<String, Value>) {
    let stops: Vec<&str> = match asked.get("stop") {
        Some(Value::String(stop)) => vec![stop],
        Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    // One of white space alone is refused.
    let stops: Vec<&str> = stops.into_iter().filter(|stop| !stop.trim().is_empty()).collect();
    if !stops.is_empty() {
        body.entry("stop_sequences").or_insert_with(|| json!(stops));
    }
    if let Some(user) = asked.get("user").and_then(Value::as_str) {
        body.entry("metadata").or_insert_with(|| json!({ "user_id": user }));
    }
    if let Some(tier) = asked.get("service_tier").filter(|tier| *tier == "auto" || *tier == "standard_only") {
        body.insert("service_tier".into(), tier.clone());
    }
    let one_at_a_time = asked.get("parallel_tool_calls") == Some(&false.into());
    if let Some(choice) = choice(asked.get("tool_choice"), one_at_a_time).filter(|_| body.contains_key("tools")) {
        body.insert("tool_choice".into(), choice);
    }
}

/// Which tool is to be called.
fn choice(asked: Option<&Value>, one_at_a_time: bool) -> Option<Value> {
    let mut choice = match asked {
        Some(Value::String(word)) => json!({ "type": if word == "required" { "any" } else { word.as_str() } }),
        Some(Value::Object(choice)) => match choice.get("function").and_then(|f| f.get("name")) {
            Some(name) => json!({ "type": "tool", "name": name }),
            None => Value::Object(choice.clone()),
        },
        _ if one_at_a_time => json!({ "type": "auto" }),
        _ => return None,
    };
    if one_at_a_time && choice["type"] != "none" {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

/// Thinking that does not fit into the answer's tokens is refused as a whole; a short answer goes without.
fn think_within(body: &mut Map<String, Value>) {
    let budget = body.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
    let most = body.get("max_tokens").and_then(Value::as_u64);
    if budget.zip(most).is_some_and(|(budget, most)| budget >= most) {
        body.remove("thinking");
    }
}

/// The temperature: ours where it is taken, else the caller's, in [0, 1]. Who thinks has none, and a model
/// that is told a temperature of ours is told no `top_p` beside it.
fn heat(asked: &Map<String, Value>, call: &ModelCall, limits: Limits, body: &mut Map<String, Value>) {
    let thinks = body.get("thinking").is_some_and(|thinking| thinking.get("type") != Some(&"disabled".into()));
    if let Some(ours) = call.temperature.filter(|_| limits.takes_temperature && !thinks) {
        body.remove("top_p");
        body.insert("temperature".into(), ours.clamp(0.0, 1.0).into());
    } else if let Some(theirs) = asked.get("temperature") {
        let theirs =
            theirs.as_f64().map_or_else(|| theirs.clone(), |t| if t > 1.0 { 1.0.into() } else { theirs.clone() });
        body.insert("temperature".into(), theirs);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FREE: Limits = Limits { most_tokens: u32::MAX, takes_temperature: true };

    fn call(request: &Value) -> ModelCall {
        let request = Arc::new(serde_json::from_value(request.clone()).unwrap());
        ModelCall { request, max_tokens: Some(64), json: false, temperature: None, trace: None }
    }

    fn written(call: &ModelCall, limits: Limits) -> Value {
        Value::Object(body("claude", &Map::new(), call, limits))
    }

    #[test]
    fn a_request_of_chat_completions_is_translated() {
        let request = json!({
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hi", "name": "ann"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
            "stop": ["END", " "], "user": "u1", "temperature": 1.5, "max_completion_tokens": 16,
            "seed": 7, "n": 2, "logit_bias": {}, "stream": false, "model": "gpt", "service_tier": "default",
            "top_k": 5, "x_new": {"a": 1},
        });
        let expected = json!({
            "model": "claude", "stream": true, "max_tokens": 16, "system": "be brief",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
            "stop_sequences": ["END"], "metadata": {"user_id": "u1"}, "temperature": 1.0,
            "top_k": 5, "x_new": {"a": 1},
        });
        assert_eq!(written(&call(&request), FREE), expected);
    }

    #[test]
    fn there_is_always_a_limit_and_the_models_own_is_kept_to() {
        let plain = json!({"messages": [{"role": "user", "content": "hi"}]});
        let free = ModelCall { max_tokens: None, ..call(&plain) };
        assert_eq!(written(&free, FREE)["max_tokens"], DEFAULT_MAX_TOKENS);
        assert_eq!(written(&free, Limits { most_tokens: 4096, ..FREE })["max_tokens"], 4096);
        let callers = json!({"messages": [], "max_tokens": 9999});
        let callers = ModelCall { max_tokens: None, ..call(&callers) };
        assert_eq!(written(&callers, Limits { most_tokens: 4096, ..FREE })["max_tokens"], 9999, "the caller's stands");
    }

    #[test]
    fn json_is_asked_for_in_words() {
        let request =
            |format: Value| json!({"messages": [{"role": "system", "content": "s"}], "response_format": format});
        let system = |request: &Value, json: bool| {
            written(&ModelCall { json, ..call(request) }, FREE)["system"].as_str().unwrap().to_owned()
        };
        assert_eq!(system(&request(json!({"type": "text"})), false), "s");
        assert!(system(&request(json!({"type": "text"})), true).starts_with("s\n\nAnswer with one JSON object"));
        assert!(system(&request(json!({"type": "json_object"})), false).contains("JSON object"));
        let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
        assert!(system(&request(schema), false).ends_with(r#"this JSON Schema: {"type":"object"}"#));
    }

    #[test]
    fn a_preview_thinks_only_where_that_fits_and_who_thinks_has_no_temperature() {
        let request = json!({"messages": [], "top_p": 0.9, "thinking": {"type": "enabled", "budget_tokens": 1024}});
        let short = ModelCall { temperature: Some(0.0), ..call(&request) };
        let body = written(&short, FREE);
        assert_eq!((body.get("thinking"), &body["temperature"], body.get("top_p")), (None, &json!(0.0), None));
        let long = ModelCall { max_tokens: Some(2048), ..short };
        let body = written(&long, FREE);
        assert_eq!((body["thinking"]["budget_tokens"].as_u64(), body.get("temperature")), (Some(1024), None));
        let without = written(
            &ModelCall { temperature: Some(0.0), ..call(&json!({"messages": []})) },
            Limits { takes_temperature: false, ..FREE },
        );
        assert_eq!(without.get("temperature"), None);
    }

    #[test]
    fn every_choice_of_tools() {
        let rows = [
            (json!("auto"), false, json!({"type": "auto"})),
            (json!("required"), true, json!({"type": "any", "disable_parallel_tool_use": true})),
            (json!("none"), true, json!({"type": "none"})),
            (json!({"type": "tool", "name": "f"}), false, json!({"type": "tool", "name": "f"})),
        ];
        for (asked, one, expected) in rows {
            assert_eq!(choice(Some(&asked), one), Some(expected), "{asked}");
        }
        assert_eq!(choice(None, false), None);
        assert_eq!(choice(None, true).unwrap()["disable_parallel_tool_use"], true);
    }
}
