//! The wire format of OpenAI's chat completions and embeddings, as far as a client needs it: reading the
//! fields that matter of a request, and writing chunks, whole answers, usage and errors. Usage carries
//! `cost` in dollars beside the token counts, as some aggregators report it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::chat::ChatRequest;

/// What a chat request asks of the server, beside its turns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChatCall {
    pub(super) request: ChatRequest,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) max_tokens: Option<u32>,
}

impl ChatCall {
    /// Reads a request's body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let request: ChatRequest = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(None, format!("the body is no chat request: {error}")))?;
        let extra = &request.extra;
        let Some(model) = extra.get("model").and_then(Value::as_str).map(str::to_owned) else {
            return Err(Refusal::bad_request(Some("model"), "`model` is missing: expected the name of a model".into()));
        };
        if request.messages.is_empty() {
            return Err(Refusal::bad_request(Some("messages"), "`messages` is empty: expected at least one".into()));
        }
        let limit =
            ["max_completion_tokens", "max_tokens"].iter().find_map(|key| extra.get(*key)).filter(|v| !v.is_null());
        let max_tokens = limit.map(read_limit).transpose()?;
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
        let stream = flag(extra.get("stream"));
        let include_usage = flag(extra.get("stream_options").and_then(|o| o.get("include_usage")));
        Ok(Self { request, model, stream, include_usage, max_tokens })
    }
}

fn read_limit(value: &Value) -> Result<u32, Refusal> {
    let tokens = value.as_u64().filter(|tokens| *tokens > 0).and_then(|tokens| u32::try_from(tokens).ok());
    tokens.ok_or_else(|| {
        Refusal::bad_request(Some("max_tokens"), format!("`max_tokens` is {value}: expected a whole number above 0"))
    })
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    message: String,
    retry_after_s: Option<u32>,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, code: Option<&'static str>, message: String) -> Self {
        Self { status, kind, code, param: None, message, retry_after_s: None }
    }

    pub(super) fn bad_request(param: Option<&'static str>, message: String) -> Self {
        Self { param, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", None, message) }
    }

    pub(super) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{}` does not exist", crate::domain::text::cut(model, 80).0);
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", Some("model_not_found"), message)
    }

    pub(super) fn too_long(tokens: u32, limit: u32) -> Self {
        let message = format!("This model's maximum context length is {limit} tokens; your messages have {tokens}");
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", Some("context_length_exceeded"), message)
    }

    pub(super) fn unavailable() -> Self {
        let message = "The model is overloaded or down; try again later".to_owned();
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("service_unavailable"), message)
    }

    pub(super) fn rate_limited(retry_after_s: u32) -> Self {
        let message = format!("Rate limit reached; try again in {retry_after_s} s");
        let refusal =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", Some("rate_limit_exceeded"), message);
        Self { retry_after_s: Some(retry_after_s), ..refusal }
    }

    pub(super) fn broken_upstream() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "server_error", None, "The upstream connection was lost".to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({ "message": self.message, "type": self.kind, "param": self.param, "code": self.code });
        let mut response = json_response(self.status, &json!({ "error": error }));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Who answers, in every chunk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
}

/// Tokens and dollars of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bill {
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
    pub(super) cost_usd: f64,
}

impl Bill {
    fn json(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens.saturating_add(self.completion_tokens),
            "cost": self.cost_usd,
        })
    }
}

/// One event of a stream: a delta, with its finish reason in the last.
pub(super) fn chunk(by: &Signature, delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    event(&json!({
        "id": by.id, "object": "chat.completion.chunk", "created": by.created, "model": by.model, "choices": [choice],
    }))
}

/// The event after the last delta that carries usage.
pub(super) fn usage_chunk(by: &Signature, bill: &Bill) -> String {
    event(&json!({
        "id": by.id, "object": "chat.completion.chunk", "created": by.created, "model": by.model,
        "choices": [], "usage": bill.json(),
    }))
}

/// The end of a stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// A whole answer.
pub(super) fn completion(by: &Signature, message: &Value, finish: &str, bill: &Bill) -> Value {
    json!({
        "id": by.id, "object": "chat.completion", "created": by.created, "model": by.model,
        "choices": [{ "index": 0, "message": message, "finish_reason": finish, "logprobs": null }],
        "usage": bill.json(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_at_fault_are_refused_with_the_parameter() {
        let rows = [
            ("{", "the body is no chat request"),
            (r#"{"messages":[]}"#, "`model` is missing"),
            (r#"{"model":"m","messages":[]}"#, "`messages` is empty"),
            (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}"#, "`max_tokens` is 0"),
            (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":"9"}"#, "`max_tokens` is \"9\""),
        ];
        for (body, expected) in rows {
            let refusal = ChatCall::read(body.as_bytes()).unwrap_err();
            assert!(refusal.message.contains(expected), "{body}: {}", refusal.message);
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn both_names_of_the_token_limit_are_known() {
        for key in ["max_tokens", "max_completion_tokens"] {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"{key}":7,"stream":true}}"#);
            let call = ChatCall::read(body.as_bytes()).unwrap();
            assert_eq!((call.max_tokens, call.stream, call.include_usage), (Some(7), true, false));
        }
    }
}
