//! The wire formats that the contract is run on: how each writes the same answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};

use super::server::{KEY, model};
use crate::domain::answer::{ChatModel, FinishReason};
use crate::domain::clock::SystemClock;
use crate::providers::{AnthropicConfig, AnthropicModel, HttpClient, Secret};

/// One wire format. Texts are whole events.
pub(super) struct Wire {
    pub(super) name: &'static str,
    pub(super) model: fn(&str) -> Box<dyn ChatModel>,
    pub(super) path: &'static str,
    /// The head of the line that holds the key.
    pub(super) key_header: &'static str,
    /// What comes before any content.
    pub(super) begin: &'static str,
    /// The text `hé`.
    pub(super) text: &'static str,
    /// The reasoning `r`.
    pub(super) reasoning: &'static str,
    /// A call `t1` of `f` with `{"a":1}`.
    pub(super) tool_call: &'static str,
    /// A finish reason, and three tokens for two.
    pub(super) end: fn(&str) -> String,
    /// The last word.
    pub(super) done: &'static str,
    /// Finish reasons: done, cut, tools, refused.
    pub(super) reasons: [(&'static str, FinishReason); 4],
}

impl Wire {
    /// The beginning of an answer.
    pub(super) fn hi(&self) -> String {
        format!("{}{}", self.begin, self.text)
    }

    /// A whole answer.
    pub(super) fn answer(&self) -> String {
        format!("{}{}{}", self.hi(), (self.end)(self.reasons[0].0), self.done)
    }
}

pub(super) const WIRES: [Wire; 2] = [
    Wire {
        name: "openai",
        model: |base_url| Box::new(model(base_url)),
        path: "chat/completions",
        key_header: "authorization: bearer ",
        begin: "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        text: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hé\"}}]}\n\n",
        reasoning: "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"r\"}}]}\n\n",
        tool_call: concat!(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"type\":\"function\",",
            "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}\n\n",
        ),
        end: |reason| {
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
            let usage = json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}});
            format!("data: {end}\n\ndata: {usage}\n\n")
        },
        done: "data: [DONE]\n\n",
        reasons: [
            ("stop", FinishReason::Stop),
            ("length", FinishReason::Length),
            ("tool_calls", FinishReason::ToolCalls),
            ("content_filter", FinishReason::ContentFilter),
        ],
    },
    Wire {
        name: "anthropic",
        model: |base_url| Box::new(anthropic(base_url)),
        path: "messages",
        key_header: "x-api-key: ",
        begin: concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",",
            "\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        ),
        text: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hé\"}}\n\n",
        reasoning: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"r\"}}\n\n",
        tool_call: concat!(
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n",
        ),
        end: |reason| {
            let delta = json!({"stop_reason": reason, "stop_sequence": null});
            let end = json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 2}});
            format!("event: message_delta\ndata: {end}\n\n")
        },
        done: "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        reasons: [
            ("end_turn", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("tool_use", FinishReason::ToolCalls),
            ("refusal", FinishReason::ContentFilter),
        ],
    },
];

pub(super) fn anthropic(base_url: &str) -> AnthropicModel {
    let http = HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap();
    let api_key = Some(Secret::new(KEY));
    let (base_url, model) = (base_url.to_owned(), "claude".to_owned());
    AnthropicModel::new(AnthropicConfig { http, base_url, model, api_key, extra: Map::new() }).unwrap()
}
