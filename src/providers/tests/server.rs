//! A server of a few lines that answers each connection with the bytes it was given.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::domain::answer::{AnswerPart, ChatModel, ModelCall};
use crate::domain::chat::ChatRequest;
use crate::domain::clock::SystemClock;
use crate::domain::failure::Failure;
use crate::providers::{HttpClient, OpenAiConfig, OpenAiModel, Secret};

pub(in crate::providers) const KEY: &str = "topsecretkey";

/// What the server does after the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) enum Then {
    /// Closes in an orderly way.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends nothing more, until the peer hangs up.
    Hang,
}

/// A running server; it ends with this value.
pub(in crate::providers) struct Server {
    pub(in crate::providers) base_url: String,
    /// One text per request, head and body; an empty one when a peer of a hanging connection hung up.
    pub(in crate::providers) requests: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

/// A server that answers its n-th connection with the n-th of `replies`, and the last one from then on.
pub(in crate::providers) async fn serve(replies: Vec<(Vec<u8>, Then)>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (seen, requests) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for turn in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (bytes, then) = &replies[turn.min(replies.len() - 1)];
            answer(stream, bytes, *then, &seen).await;
        }
    });
    Server { base_url, requests, _tasks: tasks }
}

async fn answer(mut stream: TcpStream, bytes: &[u8], then: Then, seen: &mpsc::Sender<String>) {
    let request = read_request(&mut stream).await;
    let _ = seen.send(request).await;
    // One write per few bytes: chunks end anywhere.
    stream.set_nodelay(true).unwrap();
    for piece in bytes.chunks(bytes.len().clamp(1, 700)) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
    }
    match then {
        Then::Close => stream.shutdown().await.unwrap_or_default(),
        Then::Reset => {
            // Unread data or a zero linger makes closing a reset; let the bytes arrive first.
            tokio::time::sleep(Duration::from_millis(30)).await;
            stream.set_zero_linger().unwrap();
        }
        Then::Hang => {
            while matches!(stream.read(&mut [0; 64]).await, Ok(n) if n > 0) {}
            let _ = seen.send(String::new()).await;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        request.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// A response that ends with its connection.
pub(in crate::providers) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// A stream of events that ends with its connection.
pub(super) fn stream(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: text/event-stream\r\n", body)
}

pub(super) fn model(base_url: &str) -> OpenAiModel {
    let http = HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap();
    let config = OpenAiConfig {
        http,
        base_url: base_url.to_owned(),
        model: "mini".to_owned(),
        api_key: Some(Secret::new(KEY)),
        extra: Map::new(),
    };
    OpenAiModel::new(config).unwrap()
}

pub(super) fn call() -> ModelCall {
    let request = Arc::new(ChatRequest::from_prompt("hi"));
    ModelCall { request, max_tokens: Some(64), json: false, temperature: None, trace: None }
}

/// Every part of one answer, and how it failed if it did.
pub(super) async fn ask(base_url: &str) -> (Vec<AnswerPart>, Option<Failure>) {
    ask_model(&model(base_url)).await
}

/// The same of any adapter, without the counts on the way.
pub(super) async fn ask_model(model: &dyn ChatModel) -> (Vec<AnswerPart>, Option<Failure>) {
    let (mut parts, failure) = all_parts(model).await;
    parts.retain(|part| !matches!(part, AnswerPart::Counted(_)));
    (parts, failure)
}

/// Everything that comes.
pub(super) async fn all_parts(model: &dyn ChatModel) -> (Vec<AnswerPart>, Option<Failure>) {
    let mut parts = Vec::new();
    let mut stream = match model.stream(call()).await {
        Ok(stream) => stream,
        Err(failure) => return (parts, Some(failure)),
    };
    while let Some(part) = stream.next().await {
        match part {
            Ok(part) => parts.push(part),
            Err(failure) => {
                assert!(stream.next().await.is_none(), "an error ends the stream");
                return (parts, Some(failure));
            }
        }
    }
    assert!(stream.next().await.is_none());
    (parts, None)
}

/// The JSON body of a request.
pub(super) fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}
