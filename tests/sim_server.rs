//! The simulated models over real loopback, read by the program's own client and by a plain socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use banditop::domain::answer::{AnswerPart, ChatModel, FinishReason, ModelCall};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::context::Intent;
use banditop::domain::failure::{Failure, FailureClass};
use banditop::domain::judging::{Candidate, JudgeReply, JudgeTask};
use banditop::domain::money::{Usage, estimate_tokens};
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel};
use banditop::sim::{FailureRates, PromptSuite, ScenarioSpec, SimError, SimParts, SimServer, assets};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

fn scenario() -> ScenarioSpec {
    toml::from_str(assets::scenario("default").unwrap()).unwrap()
}

/// The default scenario without delays and faults, for tests that are not about them.
fn quick() -> ScenarioSpec {
    let mut scenario = scenario();
    for model in &mut scenario.models {
        model.first_token.median_s = 0.001;
        model.tokens_per_s = 1e6;
        model.failures = FailureRates::default();
        model.judging.broken = 0.0;
    }
    scenario
}

fn start(scenario: ScenarioSpec) -> SimServer {
    let prompts = toml::from_str::<PromptSuite>(assets::PROMPTS).unwrap().prompts;
    SimServer::start(SimParts { scenario, prompts, seed: 7, clock: Arc::new(SystemClock::new()) }).unwrap()
}

fn client(server: &SimServer, model: &str) -> OpenAiModel {
    let http = HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap();
    let config = OpenAiConfig {
        http,
        base_url: server.base_url(),
        model: model.to_owned(),
        api_key: None,
        extra: serde_json::Map::new(),
    };
    OpenAiModel::new(config).unwrap()
}

#[derive(Debug, Default)]
struct Heard {
    text: String,
    chunks: usize,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

async fn ask(model: &OpenAiModel, prompt: &str, max_tokens: Option<u32>) -> Result<Heard, Failure> {
    let request = Arc::new(ChatRequest::from_prompt(prompt));
    let mut stream =
        model.stream(ModelCall { request, max_tokens, json: false, temperature: None, trace: None }).await?;
    let mut heard = Heard::default();
    while let Some(part) = stream.next().await {
        match part? {
            AnswerPart::Text(text) => {
                heard.text.push_str(&text);
                heard.chunks += 1;
            }
            AnswerPart::Finish(finish) => heard.finish = Some(finish),
            AnswerPart::Usage(usage) => heard.usage = Some(usage),
            AnswerPart::Reasoning(_) | AnswerPart::ToolCall(_) | AnswerPart::Counted(_) => {}
        }
    }
    Ok(heard)
}

/// One request over a plain socket: status, headers in lower case, body (chunked or not).
async fn plain(server: &SimServer, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let mut socket = TcpStream::connect(server.addr()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

async fn post(server: &SimServer, path: &str, body: &Value) -> (u16, String, Value) {
    let (status, head, body) = plain(server, "POST", path, &body.to_string()).await;
    (status, head, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn an_answer_streams_with_finish_and_usage() {
    let server = start(quick());
    let model = client(&server, "atlas-70b");
    let whole = ask(&model, "Why is the sky blue?", None).await.unwrap();
    assert!(whole.text.len() > 200, "{}", whole.text);
    assert_eq!(whole.finish, Some(FinishReason::Stop));
    let usage = whole.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.estimated), (estimate_tokens(&whole.text), false));

    let cut = ask(&model, "Why is the sky blue?", Some(16)).await.unwrap();
    assert_eq!((cut.finish, cut.usage.unwrap().output_tokens), (Some(FinishReason::Length), 16));
    server.shutdown().await;
}

#[tokio::test]
async fn time_to_first_token_and_rate_are_as_declared() {
    let mut spec = quick();
    spec.models[0].first_token.median_s = 0.2;
    spec.models[0].first_token.sigma = 0.0;
    spec.models[0].tokens_per_s = 100.0;
    spec.models[0].jitter = 0.0;
    let server = start(spec);
    let started = Instant::now();
    let heard = ask(&client(&server, "atlas-70b"), "Why is the sky blue?", Some(41)).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    // 0.2 s, then 40 more tokens at 100 a second. Only the lower bound is exact: this machine may be busy.
    assert!((0.6..1.6).contains(&took), "{took}");
    assert!((5..=41).contains(&heard.chunks), "{}", heard.chunks);
    server.shutdown().await;
}

#[tokio::test]
async fn the_judge_speaks_json_over_the_wire() {
    let server = start(quick());
    let prompt = "Draft a short farewell note for a colleague who repaired old clocks in the office and never said a word about it.";
    let mut candidates = Vec::new();
    for (id, model) in [("A", "penny"), ("B", "scribe"), ("C", "coder-32b")] {
        let text = ask(&client(&server, model), prompt, Some(64)).await.unwrap().text;
        candidates.push(Candidate { id: id.to_owned(), text });
    }
    let task =
        serde_json::to_string(&JudgeTask { prompt: prompt.to_owned(), candidates, ..JudgeTask::default() }).unwrap();
    let verdict = ask(&client(&server, "referee"), &task, None).await.unwrap().text;
    let reply: JudgeReply = serde_json::from_str(&verdict).unwrap();
    assert!(reply.scores["B"].overall > reply.scores["A"].overall.max(reply.scores["C"].overall) + 0.2, "{reply:?}");
    assert_eq!(server.best_model(&["penny", "scribe", "coder-32b"], Intent::Writing), Some(("scribe", 0.93)));
    server.shutdown().await;
}

#[tokio::test]
async fn every_kind_of_failure_is_classified_as_what_it_is() {
    let rates = [
        ("unavailable", FailureClass::Transient),
        ("rate_limited", FailureClass::Transient),
        ("truncated", FailureClass::Transient),
        ("reset", FailureClass::Transient),
    ];
    for (kind, class) in rates {
        let mut spec = quick();
        spec.models[0].failures = serde_json::from_value(json!({ kind: 1.0 })).unwrap();
        let server = start(spec);
        let failure = ask(&client(&server, "atlas-70b"), "Why is the sky blue?", None).await.unwrap_err();
        assert_eq!(failure.class, class, "{kind}: {failure}");
        assert_eq!(failure.retry_after.is_some(), kind == "rate_limited", "{kind}: {failure}");
        server.shutdown().await;
    }
    for kind in ["refusal", "content_filter", "empty"] {
        let mut spec = quick();
        spec.models[0].failures = serde_json::from_value(json!({ kind: 1.0 })).unwrap();
        let server = start(spec);
        match ask(&client(&server, "atlas-70b"), "Why is the sky blue?", None).await {
            Err(failure) => assert_eq!(failure.class, FailureClass::Content, "{kind}"),
            Ok(heard) => {
                let filtered = heard.finish == Some(FinishReason::ContentFilter);
                assert!(filtered || heard.text.is_empty() || heard.text.contains("can't help"), "{kind}: {heard:?}");
            }
        }
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_stalled_stream_says_nothing_more_and_ends_with_the_server() {
    let mut spec = quick();
    spec.models[0].failures = FailureRates { stall: 1.0, ..FailureRates::default() };
    let server = start(spec);
    let model = client(&server, "atlas-70b");
    let stalled = ask(&model, "Why is the sky blue?", None);
    assert!(tokio::time::timeout(Duration::from_millis(300), stalled).await.is_err());
    let stalled = ask(&model, "Why is the sky blue?", None);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        server.shutdown().await;
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    };
    let (failure, ()) = tokio::join!(stalled, stopping);
    assert_eq!(failure.unwrap_err().class, FailureClass::Transient);
    let failure = ask(&model, "x", None).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient, "nobody listens any more: {failure}");
}

#[tokio::test]
async fn without_a_stream_the_answer_comes_whole() {
    let server = start(quick());
    let body =
        json!({ "model": "scribe", "messages": [{ "role": "user", "content": "Write a haiku." }], "max_tokens": 12 });
    let (status, _, answer) = post(&server, "/v1/chat/completions", &body).await;
    assert_eq!(status, 200);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 12);
    assert!(answer["usage"]["cost"].as_f64().unwrap() > 0.0);
    assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap().chars().count(), 48);
    server.shutdown().await;
}

#[tokio::test]
async fn usage_is_streamed_only_where_it_was_asked_for() {
    let server = start(quick());
    let mut body = json!({ "model": "scribe", "messages": [{ "role": "user", "content": "Hello" }], "stream": true });
    let (_, head, text) = plain(&server, "POST", "/v1/chat/completions", &body.to_string()).await;
    assert!(
        head.contains("content-type: text/event-stream")
            && text.contains("data: [DONE]")
            && !text.contains("\"usage\"")
    );
    body["stream_options"] = json!({ "include_usage": true });
    let (_, _, text) = plain(&server, "POST", "/v1/chat/completions", &body.to_string()).await;
    assert!(text.contains("\"usage\":{"), "{text}");
    server.shutdown().await;
}

#[tokio::test]
async fn models_embeddings_and_errors_have_the_known_form() {
    let server = start(quick());
    let (status, _, list) = plain(&server, "GET", "/v1/models", "").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, list["data"].as_array().unwrap().len()), (200, server.models().len()));

    let ask = json!({ "model": "any", "input": ["sort a list of numbers", "sorting lists of numbers quickly", "a farewell letter for our colleague"], "dimensions": 64 });
    let (_, _, answer) = post(&server, "/v1/embeddings", &ask).await;
    let vector =
        |index: usize| -> Vec<f64> { serde_json::from_value(answer["data"][index]["embedding"].clone()).unwrap() };
    let dot = |a: usize, b: usize| vector(a).iter().zip(vector(b)).map(|(x, y)| x * y).sum::<f64>();
    assert_eq!(vector(0).len(), 64);
    assert!(dot(0, 1) > dot(0, 2) + 0.2 && (dot(0, 0) - 1.0).abs() < 1e-5);

    let rows = [
        (
            "/v1/chat/completions",
            json!({ "model": "gpt-9", "messages": [{ "role": "user", "content": "x" }] }),
            404,
            "model_not_found",
        ),
        ("/v1/chat/completions", json!({ "model": "scribe", "messages": [] }), 400, "invalid_request_error"),
        ("/v1/embeddings", json!({ "input": [1, 2] }), 400, "invalid_request_error"),
        ("/v1/embeddings", json!({ "input": "x", "dimensions": 0 }), 400, "invalid_request_error"),
    ];
    for (path, body, expected, word) in rows {
        let (status, _, answer) = post(&server, path, &body).await;
        assert_eq!(status, expected, "{answer}");
        assert!(answer["error"].to_string().contains(word) && answer["error"]["message"].is_string(), "{answer}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_scenario_with_faults_is_not_started() {
    let mut spec = scenario();
    spec.models[0].tokens_per_s = f64::NAN;
    spec.models[1].name = spec.models[0].name.clone();
    let parts = SimParts { scenario: spec, prompts: Vec::new(), seed: 1, clock: Arc::new(SystemClock::new()) };
    let Err(SimError::Scenario(faults)) = SimServer::start(parts) else { panic!("it started") };
    assert!(faults.len() >= 2, "{faults:?}");
}

#[tokio::test]
async fn two_hundred_streams_at_once_keep_their_times() {
    let mut spec = quick();
    for model in &mut spec.models {
        model.first_token.median_s = 0.1;
        model.first_token.sigma = 0.0;
        model.jitter = 0.0;
        model.tokens_per_s = 100.0;
    }
    let server = start(spec);
    let model = Arc::new(client(&server, "atlas-70b"));
    let started = Instant::now();
    let mut streams = JoinSet::new();
    for index in 0..200 {
        let model = model.clone();
        streams.spawn(async move { ask(&model, &format!("Why is sky number {index} blue?"), Some(64)).await });
    }
    let heard = streams.join_all().await;
    assert!(heard.iter().all(|heard| heard.as_ref().is_ok_and(|heard| heard.finish.is_some())));
    // 0.1 s and 63 tokens more; the bound is wide, since a test machine may be busy.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    server.shutdown().await;
}
