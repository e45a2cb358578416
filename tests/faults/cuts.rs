//! Streams that arrive in two reads, cut exactly where a reader may stumble: inside a character, inside the name of
//! a field, between CR and LF, inside a chunk's length. Each half is a write of its own, so far apart that no read
//! brings both.

use std::time::Duration;

use super::server::{Act, answer};
use super::table::Row;

const TEXT: &str = "An answer with é and 漢 and 😀, whole.";
/// Between two halves: what was sent is read by then.
const PAUSE: Duration = Duration::from_millis(20);

const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n";

/// `whole`, cut `inside` bytes after each place where `before` begins.
fn cut(whole: &[u8], before: &[u8], inside: usize) -> Vec<Act> {
    let starts = whole.windows(before.len()).enumerate().filter(|(_, window)| *window == before).map(|(at, _)| at);
    let cuts: Vec<usize> = starts.map(|at| at + inside).filter(|at| *at < whole.len()).collect();
    assert!(!cuts.is_empty(), "nothing to cut");
    let mut acts = Vec::new();
    let mut from = 0;
    for at in cuts.into_iter().chain([whole.len()]) {
        acts.extend([Act::Send(whole[from..at].to_vec()), Act::Wait(PAUSE)]);
        from = at;
    }
    acts.pop();
    acts
}

/// An answer as Anthropic streams it.
fn message(text: &str) -> String {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let delta = serde_json::json!({
        "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text }
    });
    [
        event(
            "message_start",
            r#"{"type":"message_start","message":{"role":"assistant","content":[],"usage":{"input_tokens":7,"output_tokens":1}}}"#,
        ),
        event("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#),
        event("ping", r#"{"type":"ping"}"#),
        event("content_block_delta", &delta.to_string()),
        event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        event(
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
        ),
        event("message_stop", r#"{"type":"message_stop"}"#),
    ]
    .concat()
}

/// `body` in one chunk of HTTP.
fn chunked(body: &str) -> String {
    format!("{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Streams as OpenAI sends them.
pub(crate) fn openai() -> Vec<Row> {
    rows(NAMES, &answer(TEXT))
}

/// Streams as Anthropic sends them.
pub(crate) fn anthropic() -> Vec<Row> {
    rows(ANTHROPIC_NAMES, &message(TEXT)).into_iter().map(Row::of_anthropic).collect()
}

/// Cut in each of these ways: what is cut, and after how many of its bytes.
fn rows(names: [&'static str; 14], body: &str) -> Vec<Row> {
    let words: &[&str] = &["An answer with é and"];
    let plain = |body: &str| format!("{HEAD}\r\n{body}").into_bytes();
    let crlf = |body: &str| body.replace('\n', "\r\n");
    let emoji = "😀".as_bytes();
    let scripts = [
        cut(&plain(body), emoji, 1),
        cut(&plain(body), emoji, 2),
        cut(&plain(body), emoji, 3),
        cut(&plain(body), "é".as_bytes(), 1),
        cut(&plain(body), b"data:", 2),
        cut(&plain(body), b"data:", 4),
        cut(&plain(body), b"data: ", 5),
        cut(&plain(&crlf(body)), b"}\r\n", 2),
        cut(&plain(&crlf(body)), b"}\r\n\r\n", 4),
        cut(&plain(body), b"}\n\n", 2),
        cut(chunked(body).as_bytes(), b"\r\n\r\n", 5),
        cut(chunked(body).as_bytes(), b"\r\n0\r\n", 1),
        cut(&plain(body), b"HTTP/1.1", 6),
        cut(&plain(body), b"\r\n\r\n", 1),
    ];
    names.into_iter().zip(scripts).map(|(fault, script)| Row::served(fault, script, words)).collect()
}

const NAMES: [&str; 14] = [
    "cut after the first byte of a character of four",
    "cut after the second byte of a character of four",
    "cut after the third byte of a character of four",
    "cut inside a character of two bytes",
    "cut inside `data:`, after `da`",
    "cut inside `data:`, before its colon",
    "cut after `data:`, before its space",
    "cut between CR and LF",
    "cut between CR and LF of an empty line",
    "cut between two LF",
    "cut inside the length of a chunk",
    "cut between CR and LF after a chunk",
    "cut inside the status line",
    "cut between CR and LF of the last header",
];

const ANTHROPIC_NAMES: [&str; 14] = [
    "Anthropic, cut after the first byte of a character of four",
    "Anthropic, cut after the second byte of a character of four",
    "Anthropic, cut after the third byte of a character of four",
    "Anthropic, cut inside a character of two bytes",
    "Anthropic, cut inside `data:`, after `da`",
    "Anthropic, cut inside `data:`, before its colon",
    "Anthropic, cut after `data:`, before its space",
    "Anthropic, cut between CR and LF",
    "Anthropic, cut between CR and LF of an empty line",
    "Anthropic, cut between two LF",
    "Anthropic, cut inside the length of a chunk",
    "Anthropic, cut between CR and LF after a chunk",
    "Anthropic, cut inside the status line",
    "Anthropic, cut between CR and LF of the last header",
];
