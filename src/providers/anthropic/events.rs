//! The events of a message stream, as parts of an answer. Text and thinking come in deltas of numbered
//! blocks; a tool call comes as a block with its name and then its JSON in pieces, and is passed on in
//! the form of chat completions, so that whoever reads an answer knows one form. `ping` and whatever is
//! new is no content and no fault. The finish reason and the last count of tokens come together, in
//! `message_delta`; `message_stop` ends the answer.
//!
//! Tokens that were read from or written to a cache are tokens of the prompt: `input_tokens` alone leaves
//! them out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::answer::Decode;
use super::super::chunk::{Chunk, finish};
use super::super::complaint::Complaint;
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::money::Usage;

/// The decoder of one answer.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// By block, which tool call it is: blocks count text and thinking too.
    tools: BTreeMap<u64, usize>,
    input: Option<u64>,
    cache_written: Option<u64>,
    cache_read: Option<u64>,
    /// Tokens of the answer so far; what `message_start` says of them is only a beginning.
    output: Option<u64>,
}

impl Decode for Messages {
    fn decode(&mut self, data: &str) -> Chunk {
        let data = data.trim();
        if !data.starts_with('{') {
            return Chunk::Noise;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else { return Chunk::Malformed };
        let kind = event.get("type").and_then(Value::as_str);
        // An event holds its `message`, which is no complaint.
        let complaint = Complaint::in_json(&event).filter(|_| matches!(kind, None | Some("error")));
        if let Some(complaint) = complaint {
            return Chunk::Error(complaint);
        }
        match kind {
            None => Chunk::Noise,
            Some("message_stop") => Chunk::Done,
            Some("message_start") => {
                self.count(event.pointer("/message/usage"));
                self.output = None;
                Chunk::Parts { parts: Vec::new(), refuses: false, finish: None, usage: self.usage() }
            }
            Some("content_block_start") => content(self.begin(&event)),
            Some("content_block_delta") => content(self.go_on(&event)),
            Some("message_delta") => self.end(&event),
            Some(_) => content(None),
        }
    }
}

impl Messages {
    /// What a block begins with: a name, where it is a tool call, and seldom a text.
    fn begin(&mut self, event: &Value) -> Option<AnswerPart> {
        let block = event.get("content_block")?;
        match block.get("type")?.as_str()? {
            "text" => text(block, "text").map(AnswerPart::Text),
            "thinking" => text(block, "thinking").map(AnswerPart::Reasoning),
            "tool_use" => {
                let nth = self.tools.len();
                self.tools.insert(number(event, "index").unwrap_or(0), nth);
                // Here an empty object stands for "not known yet"; an endpoint that has it all says it all.
                let whole = block.get("input").filter(|input| input.as_object().is_some_and(|o| !o.is_empty()));
                let arguments = whole.map_or_else(String::new, Value::to_string);
                let function = json!({ "name": block.get("name"), "arguments": arguments });
                Some(AnswerPart::ToolCall(
                    json!({ "index": nth, "id": block.get("id"), "type": "function", "function": function }),
                ))
            }
            _ => None,
        }
    }

    fn go_on(&self, event: &Value) -> Option<AnswerPart> {
        let delta = event.get("delta")?;
        match delta.get("type")?.as_str()? {
            "text_delta" => text(delta, "text").map(AnswerPart::Text),
            "thinking_delta" => text(delta, "thinking").map(AnswerPart::Reasoning),
            "input_json_delta" => {
                // A tool that the endpoint runs itself is no call to answer.
                let nth = self.tools.get(&number(event, "index")?)?;
                let piece = text(delta, "partial_json")?;
                Some(AnswerPart::ToolCall(json!({ "index": nth, "function": { "arguments": piece } })))
            }
            _ => None,
        }
    }

    fn end(&mut self, event: &Value) -> Chunk {
        self.count(event.get("usage"));
        let reason = event.pointer("/delta/stop_reason").and_then(Value::as_str);
        // A turn that is paused goes on when it is sent back, which nobody does here: it is cut off.
        let finish = reason.map(|reason| if reason == "pause_turn" { FinishReason::Length } else { finish(reason) });
        Chunk::Parts { parts: Vec::new(), refuses: false, finish, usage: self.usage() }
    }

    /// Takes over every count that is there; later ones are sums so far.
    fn count(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        self.input = number(usage, "input_tokens").or(self.input);
        self.cache_written = number(usage, "cache_creation_input_tokens").or(self.cache_written);
        self.cache_read = number(usage, "cache_read_input_tokens").or(self.cache_read);
        self.output = number(usage, "output_tokens").or(self.output);
    }

    fn usage(&self) -> Option<Usage> {
        let prompt = [self.input, self.cache_written, self.cache_read];
        let is_counted = self.input.is_some() && self.output.is_some();
        let known = prompt.iter().chain([&self.output]).any(Option::is_some);
        let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        known.then(|| Usage {
            input_tokens: count(prompt.into_iter().flatten().fold(0, u64::saturating_add)),
            // What is written into the cache is a token of the prompt like others.
            cached_tokens: count(self.cache_read.unwrap_or(0)),
            output_tokens: count(self.output.unwrap_or(0)),
            estimated: !is_counted,
        })
    }
}

fn content(part: Option<AnswerPart>) -> Chunk {
    Chunk::Parts { parts: part.into_iter().collect(), refuses: false, finish: None, usage: None }
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(messages: &mut Messages, data: &Value) -> Vec<AnswerPart> {
        match messages.decode(&data.to_string()) {
            Chunk::Parts { parts, finish: None, usage: None, .. } => parts,
            other => panic!("{data}: {other:?}"),
        }
    }

    #[test]
    fn tools_count_by_themselves_and_foreign_ones_are_left_out() {
        let mut messages = Messages::default();
        let begin =
            |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
        let piece = |index: u64| {
            json!({"type": "content_block_delta", "index": index,
            "delta": {"type": "input_json_delta", "partial_json": "{}"}})
        };
        assert!(
            parts(
                &mut messages,
                &begin(0, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}))
            )
            .is_empty()
        );
        assert!(parts(&mut messages, &piece(0)).is_empty());
        let called =
            parts(&mut messages, &begin(3, json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}})));
        let expected =
            json!({"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
        assert_eq!(called, [AnswerPart::ToolCall(expected)]);
        let expected = json!({"index": 0, "function": {"arguments": "{}"}});
        assert_eq!(parts(&mut messages, &piece(3)), [AnswerPart::ToolCall(expected)]);
    }

    #[test]
    fn what_is_new_or_for_the_connection_alone_is_nothing() {
        let mut messages = Messages::default();
        let rows = [
            json!({"type": "ping"}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "event_of_tomorrow", "x": [1]}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "x"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {}}}),
        ];
        for row in rows {
            assert_eq!(parts(&mut messages, &row), [], "{row}");
        }
        assert_eq!(messages.decode(r#"{"choices":[]}"#), Chunk::Noise);
        assert_eq!(messages.decode("hello"), Chunk::Noise);
        assert_eq!(messages.decode("{\"type\":"), Chunk::Malformed);
    }

    #[test]
    fn every_way_to_stop() {
        let rows = [
            ("end_turn", FinishReason::Stop),
            ("stop_sequence", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("model_context_window_exceeded", FinishReason::Length),
            ("pause_turn", FinishReason::Length),
            ("tool_use", FinishReason::ToolCalls),
            ("refusal", FinishReason::ContentFilter),
            ("whim", FinishReason::Other),
        ];
        for (reason, expected) in rows {
            let event = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}});
            let Chunk::Parts { finish, usage: None, .. } = Messages::default().decode(&event.to_string()) else {
                panic!("{reason}")
            };
            assert_eq!(finish, Some(expected), "{reason}");
        }
    }

    #[test]
    fn tokens_of_the_cache_are_tokens_of_the_prompt() {
        let mut messages = Messages::default();
        let start = json!({"type": "message_start", "message": {"usage": {"input_tokens": 10,
            "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3000, "output_tokens": 1}}});
        let begun = Usage { input_tokens: 3210, cached_tokens: 3000, output_tokens: 0, estimated: true };
        let expected = Chunk::Parts { parts: Vec::new(), refuses: false, finish: None, usage: Some(begun) };
        assert_eq!(messages.decode(&start.to_string()), expected);
        let end = |usage: Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
        let mut counted = |usage: Value| match messages.decode(&end(usage).to_string()) {
            Chunk::Parts { usage, .. } => usage.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            counted(json!({})),
            Usage { input_tokens: 3210, cached_tokens: 3000, output_tokens: 0, estimated: true }
        );
        let whole = json!({"output_tokens": 42, "input_tokens": 11});
        assert_eq!(
            counted(whole),
            Usage { input_tokens: 3211, cached_tokens: 3000, output_tokens: 42, estimated: false }
        );
    }
}
