//! Whether an answer has the form that was asked for. Only JSON is known: asked for by the request's
//! `response_format` (`json_object`, `json_schema`), or in so many words in the prompt. A block of code marks
//! around it is let pass, since every reader of such answers lets it pass. Asked for in words, there may be
//! words around it too.
//!
//! Of a schema the types, required members, enumerations and items are held; what else schemas can say is
//! not checked.

use serde_json::Value;

use super::phrases::{find, words};
use crate::domain::chat::ChatRequest;

/// Depth to which a schema is followed.
const DEPTH: usize = 16;
/// What asks for JSON, at the start of a sentence.
const ASKS: &[&str] = &[
    "answer|respond|reply|output * json",
    "return|give|provide|produce|print only|just|valid ~ valid|raw|a json",
    "return|give|provide|produce|print only|just|valid json",
    "format your|the answer|response|reply|output * json",
    "your|the answer|response|reply|output must|should|has * json",
    "json only",
    "only json",
    "antworte|antworten * json",
    "réponds|répondez * json",
    "responde|responda|contesta * json",
    "rispondi|risponda * json",
    "antwoord * json",
];
/// What asks for JSON as well, unless the prompt is about a program: whose function returns it is another matter.
const ASKS_OF_NO_PROGRAM: &[&str] = &[
    "return|give|provide|produce|output|emit|send ~ me|us|back|only|a|an|one json object|array|list|$",
    "return|give|provide|produce|output|emit|send ~ me|us|back|only a|an|one json object|array|list",
    "return|provide|produce|output|emit a|an|one|single|valid * json object|array|list",
    "return|produce|output|emit json $",
    "return|give|provide|output|list|print ~ me|us|it|them|that|the|your|all|everything * as|in json $",
    "json please",
];
/// What a prompt about a program has.
const PROGRAM: &[&str] = &[
    "api",
    "app",
    "class",
    "code",
    "curl",
    "endpoint",
    "flask",
    "function",
    "handler",
    "implement",
    "library",
    "method",
    "parse",
    "parser",
    "program",
    "python",
    "javascript",
    "typescript",
    "rust",
    "java",
    "sql",
    "script",
    "server",
    "test",
    "tests",
];
/// Words before that do not change what a sentence asks.
const BEFORE: &[&str] =
    &["please", "and", "then", "always", "you", "must", "should", "bitte", "only", "now", "finally"];

/// Whether `text` is not of the form asked for; where not all of it is there (`is_whole` false), whether it
/// cannot become so.
pub(super) fn is_broken(request: &ChatRequest, prompt: &str, text: &str, is_whole: bool) -> bool {
    match asked_by_field(request) {
        Some(schema) => match parsed(body(text)) {
            Parsed::Value(value) => !fits(&value, schema, DEPTH),
            Parsed::Beginning => is_whole,
            Parsed::Neither => true,
        },
        None => is_whole && asked_in_words(prompt) && !holds_json(text),
    }
}

/// Whether a block of code is begun and not ended.
pub(super) fn has_open_fence(text: &str) -> bool {
    text.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1
}

/// What the value must be where the request has a `response_format` of JSON: the schema, or anything.
fn asked_by_field(request: &ChatRequest) -> Option<&Value> {
    let format = request.extra.get("response_format")?;
    match format.get("type")?.as_str()? {
        "json_object" => Some(&Value::Null),
        "json_schema" => Some(format.pointer("/json_schema/schema").unwrap_or(&Value::Null)),
        _ => None,
    }
}

fn asked_in_words(prompt: &str) -> bool {
    // Taken apart only where it can matter: this is asked of every answer.
    if !prompt.as_bytes().windows(4).any(|four| four.eq_ignore_ascii_case(b"json")) {
        return false;
    }
    let is_about_a_program =
        words(prompt).iter().any(|word| PROGRAM.contains(&word.as_str())) || prompt.contains("```");
    let more = if is_about_a_program { &[] } else { ASKS_OF_NO_PROGRAM };
    prompt.split(['.', '!', '?', '\n', ';', ':', '{']).any(|sentence| {
        let words = words(sentence);
        ASKS.iter().chain(more).any(|phrase| {
            find(phrase, &words)
                .is_some_and(|(from, _)| words[..from].iter().all(|word| BEFORE.contains(&word.as_str())))
        })
    })
}

enum Parsed {
    Value(Value),
    Beginning,
    Neither,
}

fn parsed(text: &str) -> Parsed {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() || value.is_array() => Parsed::Value(value),
        Err(error) if error.is_eof() => Parsed::Beginning,
        Ok(_) | Err(_) => Parsed::Neither,
    }
}

/// The text without a block of code marks around it, or the beginning of one.
fn body(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let Some(rest) = text.strip_prefix("```") else { return text };
    let rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    rest.trim_end().strip_suffix("```").unwrap_or(rest).trim()
}

/// Whether there is JSON in it: the whole, a block of code, or from the first bracket to the last.
fn holds_json(text: &str) -> bool {
    let is_json = |text: &str| matches!(parsed(text), Parsed::Value(_));
    let between = |open: char, close: char| {
        let (from, to) = (text.find(open)?, text.rfind(close)?);
        text.get(from..=to).map(is_json)
    };
    is_json(body(text))
        || text.split("```").skip(1).step_by(2).any(|block| is_json(block.split_once('\n').map_or(block, |(_, b)| b)))
        || between('{', '}').unwrap_or(false)
        || between('[', ']').unwrap_or(false)
        // One value a line.
        || text.lines().filter(|line| !line.trim().is_empty()).all(is_json)
}

fn fits(value: &Value, schema: &Value, depth: usize) -> bool {
    let (Some(schema), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else { return true };
    let has_type = match schema.get("type") {
        Some(Value::String(name)) => is_of(value, name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|name| is_of(value, name)),
        _ => true,
    };
    let is_listed = schema.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(value));
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has_members = value.as_object().is_none_or(|object| {
        let has_all = required.iter().filter_map(Value::as_str).all(|name| object.contains_key(name));
        let properties = schema.get("properties").and_then(Value::as_object);
        has_all && properties.is_none_or(|of| object.iter().all(|(k, v)| of.get(k).is_none_or(|s| fits(v, s, depth))))
    });
    let items = schema.get("items");
    let has_items =
        value.as_array().zip(items).is_none_or(|(values, item)| values.iter().all(|v| fits(v, item, depth)));
    has_type && is_listed && has_members && has_items
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}
