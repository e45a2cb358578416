//! Recorded shapes of Anthropic's messages: streams as its documentation has them, and every error.

use serde_json::json;

use super::server::{KEY, Then, all_parts, ask_model, body_of, call, response, serve, stream};
use super::wires::anthropic;
use crate::domain::answer::{AnswerPart, ChatModel, FinishReason, ModelCall};
use crate::domain::failure::FailureClass;
use crate::domain::money::Usage;

const THINKING: &str = r#"event: message_start
data: {"type":"message_start","message":{"model":"claude-sonnet-4-20250514","id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":1024,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me add."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"27 * 453 = "}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"12,231"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":1024,"output_tokens":61}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[tokio::test]
async fn a_thinking_stream_as_documented() {
    let server = serve(vec![(stream(THINKING), Then::Close)]).await;
    let found = ask_model(&anthropic(&server.base_url)).await;
    let expected = vec![
        AnswerPart::Reasoning("Let me add.".to_owned()),
        AnswerPart::Text("27 * 453 = ".to_owned()),
        AnswerPart::Text("12,231".to_owned()),
        AnswerPart::Finish(FinishReason::Stop),
        AnswerPart::Usage(Usage { input_tokens: 1049, cached_tokens: 1024, output_tokens: 61, estimated: false }),
    ];
    assert_eq!(found, (expected, None));
}

#[tokio::test]
async fn the_prompt_is_counted_before_the_first_word() {
    let (begun, _) = THINKING.split_once("event: content_block_stop").unwrap();
    let server = serve(vec![(stream(begun), Then::Close)]).await;
    let (parts, failure) = all_parts(&anthropic(&server.base_url)).await;
    let counted = Usage { input_tokens: 1049, cached_tokens: 1024, output_tokens: 0, estimated: true };
    assert_eq!(parts, [AnswerPart::Counted(counted), AnswerPart::Reasoning("Let me add.".to_owned())]);
    assert_eq!(failure.unwrap().kind, "truncated");
}

#[tokio::test]
async fn overloaded_in_the_middle() {
    let (begun, _) = THINKING.split_once("event: content_block_stop").unwrap();
    let body = format!(
        "{begun}event: error\ndata: {{\"type\": \"error\", \"error\": {{\"details\": null, \"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}, \"request_id\": \"req_011\"}}\n\n"
    );
    let server = serve(vec![(stream(&body), Then::Close)]).await;
    let (parts, failure) = ask_model(&anthropic(&server.base_url)).await;
    let failure = failure.unwrap();
    assert_eq!(parts, [AnswerPart::Reasoning("Let me add.".to_owned())]);
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Transient, "http_529"), "{failure}");
    assert!(failure.message.contains("Overloaded"), "{failure}");
}

#[tokio::test]
async fn every_error_before_and_inside_the_stream() {
    use FailureClass::{Caller, Configuration, Quota, Transient};
    let rows = [
        (400, "invalid_request_error", "messages: at least one message is required", Caller, "http_400"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", Caller, "context_length"),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
            Caller,
            "context_length",
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            Quota,
            "insufficient_quota",
        ),
        (401, "authentication_error", "invalid x-api-key", Configuration, "http_401"),
        (402, "billing_error", "m", Quota, "insufficient_quota"),
        (403, "permission_error", "m", Configuration, "http_403"),
        (404, "not_found_error", "model: claude-9", Configuration, "http_404"),
        (413, "request_too_large", "Request exceeds the maximum size", Caller, "http_413"),
        (429, "rate_limit_error", "This request would exceed your organization's rate limit", Transient, "http_429"),
        (500, "api_error", "Internal server error", Transient, "http_500"),
        (504, "timeout_error", "m", Transient, "http_504"),
        (529, "overloaded_error", "Overloaded", Transient, "http_529"),
    ];
    for (status, kind, message, class, expected) in rows {
        let error = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        let before = response(&format!("{status} Sorry"), "content-type: application/json\r\n", &error.to_string());
        let inside = stream(&format!("event: error\ndata: {error}\n\n"));
        for bytes in [before, inside] {
            let server = serve(vec![(bytes, Then::Close)]).await;
            let (parts, failure) = ask_model(&anthropic(&server.base_url)).await;
            let failure = failure.unwrap();
            assert_eq!((failure.class, failure.kind.as_ref()), (class, expected), "{status} {kind}: {failure}");
            assert!(parts.is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_sent() {
    let mut server = serve(vec![(stream(THINKING), Then::Close)]).await;
    ask_model(&anthropic(&server.base_url)).await;
    let request = server.requests.recv().await.unwrap();
    let head = request.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1"), "{request}");
    assert!(head.contains("anthropic-version: 2023-06-01"), "{request}");
    assert!(!head.contains("authorization") && head.contains(&format!("x-api-key: {KEY}")), "{request}");
    let expected = json!({
        "model": "claude", "stream": true, "max_tokens": 64,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    });
    assert_eq!(body_of(&request), expected);
}

#[tokio::test]
async fn a_models_own_limit_is_found_out_once() {
    let refusal = json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307"}});
    let bad = response("400 Bad Request", "content-type: application/json\r\n", &refusal.to_string());
    let mut server = serve(vec![(bad, Then::Close), (stream(THINKING), Then::Close)]).await;
    let model = anthropic(&server.base_url);
    for _ in 0..2 {
        model.stream(ModelCall { max_tokens: None, ..call() }).await.unwrap();
    }
    for expected in [8192, 4096, 4096] {
        assert_eq!(body_of(&server.requests.recv().await.unwrap())["max_tokens"], expected);
    }
}
