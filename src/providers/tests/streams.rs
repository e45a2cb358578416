//! Forms of chat completions that are odd but good (`contract.rs` has those of every wire format), and what
//! is sent to get them.

use serde_json::json;

use super::server::{KEY, Then, all_parts, ask, body_of, model, serve, stream};
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::money::Usage;
use crate::providers::{OpenAiConfig, OpenAiModel, ProviderFault, Secret};

const HI: &str = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hé\"}}]}";
const STOP: &str = "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}";

#[tokio::test]
async fn forms_of_chat_completions_that_are_odd_but_good() {
    let hi = || AnswerPart::Text("hé".to_owned());
    let stop = || AnswerPart::Finish(FinishReason::Stop);
    let usage = || AnswerPart::Usage(Usage { input_tokens: 3, output_tokens: 2, estimated: false, ..Usage::default() });
    let counting = HI.replace("\"choices\"", "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2},\"choices\"");
    let rows = [
        ("no [DONE], no last newline", stream(&format!("data: {HI}\n\ndata: {STOP}")), vec![hi(), stop()]),
        (
            "[DONE] without a reason",
            stream(&format!("data: {HI}\n\ndata: [DONE]\n\n")),
            vec![hi(), AnswerPart::Finish(FinishReason::Other)],
        ),
        ("counted as it goes", stream(&format!("data: {counting}\n\ndata: {STOP}\n\n")), vec![hi(), stop(), usage()]),
        ("text after the finish", stream(&format!("data: {STOP}\n\ndata: {HI}\n\n")), vec![stop()]),
        ("empty", stream(&format!("data: {STOP}\n\ndata: [DONE]\n\n")), vec![stop()]),
    ];
    for (name, bytes, expected) in rows {
        let server = serve(vec![(bytes, Then::Close)]).await;
        let (parts, failure) = ask(&server.base_url).await;
        assert_eq!((parts, failure), (expected, None), "{name}");
    }
}

#[tokio::test]
async fn what_is_counted_as_it_goes_is_passed_on_as_it_comes_and_once() {
    let counting = |text: &str, tokens: u32| {
        let usage = json!({"prompt_tokens": 3, "completion_tokens": tokens});
        format!("data: {}\n\n", json!({"usage": usage, "choices": [{"index": 0, "delta": {"content": text}}]}))
    };
    let usage = |output_tokens| Usage { input_tokens: 3, output_tokens, ..Usage::default() };
    let body = format!("{}{}{}data: {STOP}\n\n", counting("a", 1), counting("", 1), counting("b", 2));
    let server = serve(vec![(stream(&body), Then::Close)]).await;
    let expected = [
        AnswerPart::Text("a".to_owned()),
        AnswerPart::Counted(usage(1)),
        AnswerPart::Text("b".to_owned()),
        AnswerPart::Counted(usage(2)),
        AnswerPart::Finish(FinishReason::Stop),
        AnswerPart::Usage(usage(2)),
    ];
    assert_eq!(all_parts(&model(&server.base_url)).await, (expected.to_vec(), None));
}

#[tokio::test]
async fn a_refusal_by_its_own_field_finishes_as_one() {
    let refusal = "{\"choices\":[{\"delta\":{\"refusal\":\"I cannot\"}}]}";
    let server = serve(vec![(stream(&format!("data: {refusal}\n\ndata: {STOP}\n\n")), Then::Close)]).await;
    let (parts, _) = ask(&server.base_url).await;
    assert_eq!(parts[1], AnswerPart::Finish(FinishReason::ContentFilter));
}

#[tokio::test]
async fn what_is_sent() {
    let mut server = serve(vec![(stream(&format!("data: {STOP}\n\n")), Then::Close)]).await;
    ask(&server.base_url).await;
    let request = server.requests.recv().await.unwrap();
    let head = request.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{request}");
    assert!(head.contains(&format!("authorization: bearer {KEY}")), "{request}");
    assert!(!head.contains("accept-encoding"), "a compressed stream is no stream: {request}");
    let expected = json!({
        "model": "mini", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 64,
        "messages": [{"role": "user", "content": "hi"}],
    });
    assert_eq!(body_of(&request), expected);
}

#[test]
fn what_cannot_be_configured() {
    let http = super::server::model("http://127.0.0.1:1/v1");
    assert!(!format!("{http:?}").contains(KEY), "{http:?}");
    let rows = [
        ("", "m", "k", "base_url"),
        ("api.openai.com/v1", "m", "k", "base_url"),
        ("ftp://host/v1", "m", "k", "base_url"),
        ("http://ann:secretword@host/v1", "m", "k", "api_key_env"),
        ("http://host/v1", " ", "k", "model"),
        ("http://host/v1", "m", " ", "api_key_env"),
        ("http://host/v1", "m", "a\nb", "api_key_env"),
    ];
    for (base_url, model, key, expected) in rows {
        let fault = build(base_url, model, key).unwrap_err().to_string();
        assert!(fault.contains(expected) && !fault.contains("secretword"), "{base_url} {model} {key:?}: {fault}");
    }
    assert!(build("https://host/v1/?api-version=1", "m", "k").is_ok());
}

fn build(base_url: &str, model: &str, key: &str) -> Result<OpenAiModel, ProviderFault> {
    let clock = std::sync::Arc::new(crate::domain::clock::SystemClock::new());
    OpenAiModel::new(OpenAiConfig {
        http: crate::providers::HttpClient::new(std::time::Duration::from_secs(1), clock)?,
        base_url: base_url.to_owned(),
        model: model.to_owned(),
        api_key: Some(Secret::new(key)),
        extra: serde_json::Map::new(),
    })
}
