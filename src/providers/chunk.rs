//! One event of a chat completion stream, as parts of an answer. What an endpoint leaves out or adds is
//! tolerated; what cannot be read is an error, because an answer with a hole in it is no answer.
//! Only the first choice counts.

use serde_json::Value;

use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::money::Usage;

use super::answer::Decode;
use super::complaint::Complaint;

/// What one event holds.
#[derive(Debug, PartialEq)]
pub(super) enum Chunk {
    /// `[DONE]`.
    Done,
    /// An error object.
    Error(Complaint),
    /// Parts, in order, none of them a finish or usage.
    Parts {
        parts: Vec<AnswerPart>,
        /// The model refuses, by the field that says so.
        refuses: bool,
        finish: Option<FinishReason>,
        usage: Option<Usage>,
    },
    /// No JSON object: a text that some server sends to keep a connection alive.
    Noise,
    /// The beginning of an object, and then not one.
    Malformed,
}

/// The events of chat completions, each of which says everything itself.
pub(super) struct Completions;

impl Decode for Completions {
    fn decode(&mut self, data: &str) -> Chunk {
        read(data)
    }
}

/// Reads the data of one event.
fn read(data: &str) -> Chunk {
    let data = data.trim();
    if data == "[DONE]" {
        return Chunk::Done;
    }
    // Gemini's errors come as a list of one.
    if !data.starts_with(['{', '[']) {
        return Chunk::Noise;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else { return Chunk::Malformed };
    if let Some(complaint) = Complaint::in_json(&value) {
        return Chunk::Error(complaint);
    }
    let choice =
        value.get("choices").and_then(Value::as_array).and_then(|choices| choices.iter().find(|c| is_first(c)));
    if let Some(complaint) = choice.and_then(Complaint::in_json) {
        return Chunk::Error(complaint);
    }
    let reason = choice.and_then(|c| c.get("finish_reason")).and_then(Value::as_str).filter(|r| !r.is_empty());
    if reason == Some("error") {
        return Chunk::Error(Complaint::of_message("finish_reason is `error`"));
    }
    let delta = choice.and_then(|c| c.get("delta").or_else(|| c.get("message")));
    Chunk::Parts {
        parts: delta.map(parts).unwrap_or_default(),
        refuses: delta.and_then(|d| d.get("refusal")).and_then(Value::as_str).is_some_and(|text| !text.is_empty()),
        finish: reason.map(finish),
        usage: value.get("usage").and_then(usage),
    }
}

fn is_first(choice: &Value) -> bool {
    choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0
}

fn parts(delta: &Value) -> Vec<AnswerPart> {
    let text = |name: &str| delta.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let mut parts = Vec::new();
    parts.extend(text("reasoning_content").or_else(|| text("reasoning")).map(AnswerPart::Reasoning));
    match delta.get("content") {
        Some(Value::Array(items)) => parts.extend(items.iter().filter_map(typed_part)),
        _ => parts.extend(text("content").map(AnswerPart::Text)),
    }
    parts.extend(text("refusal").map(AnswerPart::Text));
    let calls = delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    parts.extend(calls.chain(delta.get("function_call").filter(|c| c.is_object())).cloned().map(AnswerPart::ToolCall));
    parts
}

/// An item of content that comes as a list, as some endpoints send it.
fn typed_part(item: &Value) -> Option<AnswerPart> {
    let text = item.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(|text| AnswerPart::Text(text.to_owned()))
}

/// A finish reason by its name, whoever names it.
pub(super) fn finish(reason: &str) -> FinishReason {
    match reason {
        "stop" | "stop_sequence" | "end_turn" | "eos" | "eos_token" => FinishReason::Stop,
        "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_calls" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "refusal" | "safety" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// The count of tokens in an object of that name, whoever names its fields.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let count = |names: [&str; 2]| {
        let number = names.iter().find_map(|name| value.get(*name)).and_then(Value::as_u64)?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    };
    let input = count(["prompt_tokens", "input_tokens"]);
    let output = count(["completion_tokens", "output_tokens"]);
    let details = ["prompt_tokens_details", "input_tokens_details"].iter().find_map(|name| value.get(*name));
    let cached = details.and_then(|details| details.get("cached_tokens")).and_then(Value::as_u64);
    let cached = cached.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: input.unwrap_or(0),
        cached_tokens: cached.unwrap_or(0),
        output_tokens: output.unwrap_or(0),
        estimated: input.is_none() || output.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(data: &str) -> Vec<AnswerPart> {
        match read(data) {
            Chunk::Parts { parts, .. } => parts,
            other => panic!("{data}: {other:?}"),
        }
    }

    #[test]
    fn deltas_become_parts() {
        use AnswerPart::{Reasoning, Text, ToolCall};
        let call = json!({"index": 0, "function": {"arguments": "{"}});
        let rows = [
            (r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#, vec![Text("hi".into())]),
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, vec![]),
            (r#"{"choices":[{"delta":{"content":null}}]}"#, vec![]),
            (r#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#, vec![]),
            (
                r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#,
                vec![Text("a".into())],
            ),
            (
                r#"{"choices":[{"delta":{"reasoning":"r","content":"c"}}]}"#,
                vec![Reasoning("r".into()), Text("c".into())],
            ),
            (r#"{"choices":[{"delta":{"reasoning_content":"r","reasoning":"r"}}]}"#, vec![Reasoning("r".into())]),
            (
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
                vec![ToolCall(call)],
            ),
            (r#"{"choices":[{"delta":{"content":[{"type":"text","text":"t"}]}}]}"#, vec![Text("t".into())]),
            (r#"{"choices":[]}"#, vec![]),
            (r"{}", vec![]),
        ];
        for (data, expected) in rows {
            assert_eq!(texts(data), expected, "{data}");
        }
    }

    #[test]
    fn tokens_of_the_cache_are_tokens_of_the_prompt() {
        for (details, cached) in [
            (json!({"prompt_tokens": 2006, "prompt_tokens_details": {"cached_tokens": 1920}}), 1920),
            (json!({"prompt_tokens": 2006, "input_tokens_details": {"cached_tokens": 5_000_000_000_u64}}), u32::MAX),
            (json!({"prompt_tokens": 2006, "prompt_tokens_details": null}), 0),
            (json!({"prompt_tokens": 2006, "prompt_tokens_details": {"cached_tokens": "many"}}), 0),
        ] {
            let found = usage(&details).unwrap();
            assert_eq!((found.input_tokens, found.cached_tokens), (2006, cached), "{details}");
        }
    }

    #[test]
    fn ends_and_usage() {
        let rows = [
            ("stop", FinishReason::Stop),
            ("length", FinishReason::Length),
            ("tool_calls", FinishReason::ToolCalls),
            ("content_filter", FinishReason::ContentFilter),
            ("whim", FinishReason::Other),
        ];
        for (reason, expected) in rows {
            let data = json!({"choices": [{"delta": {}, "finish_reason": reason}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 5_000_000_000_u64}});
            let Chunk::Parts { finish, usage, .. } = read(&data.to_string()) else { panic!("{reason}") };
            assert_eq!(finish, Some(expected));
            assert_eq!(
                usage,
                Some(Usage { input_tokens: 3, output_tokens: u32::MAX, estimated: false, ..Usage::default() })
            );
        }
        let blank = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}],"usage":null}"#;
        assert!(matches!(read(blank), Chunk::Parts { finish: None, usage: None, .. }));
    }

    #[test]
    fn what_is_no_chunk() {
        assert_eq!(read(" [DONE] "), Chunk::Done);
        assert_eq!(read("ping"), Chunk::Noise);
        assert_eq!(read("{\"choices\":[{\"del"), Chunk::Malformed);
        assert!(matches!(read(r#"{"error":{"code":502,"message":"m"}}"#), Chunk::Error(_)));
        let inner = r#"{"choices":[{"error":{"code":502,"message":"m"},"finish_reason":"error"}]}"#;
        assert!(matches!(read(inner), Chunk::Error(_)));
        assert!(matches!(read(r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#), Chunk::Error(_)));
        assert!(matches!(
            read(r#"{"choices":[{"delta":{"refusal":"I cannot"}}]}"#),
            Chunk::Parts { refuses: true, .. }
        ));
    }
}
