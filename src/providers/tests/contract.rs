//! What every chat adapter must hold to, whatever its wire format: the same streams that are odd but good,
//! the same faults with the same classes, the same care with keys and connections. A wire format says how
//! it writes an answer; everything else is here once.

use std::time::Duration;

use super::server::{KEY, Then, ask_model, call, response, serve, stream};
use super::wires::{WIRES, Wire};
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::money::Usage;

async fn failure_of(wire: &Wire, bytes: Vec<u8>, then: Then) -> Failure {
    let server = serve(vec![(bytes, then)]).await;
    let (_, failure) = ask_model((wire.model)(&server.base_url).as_ref()).await;
    failure.unwrap_or_else(|| panic!("{}: this row is about a failure", wire.name))
}

#[tokio::test]
async fn each_fault_has_its_class_and_kind() {
    for wire in &WIRES {
        for (name, bytes, then, class, kind) in faults(wire) {
            let failure = failure_of(wire, bytes, then).await;
            let name = format!("{} {name}", wire.name);
            assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{name}: {failure}");
            assert!(failure.message.starts_with("127.0.0.1:"), "{name}: {failure}");
        }
    }
}

type Fault = (&'static str, Vec<u8>, Then, FailureClass, &'static str);

/// What an endpoint does, and the class and kind that it must become, whatever the wire format.
fn faults(wire: &Wire) -> Vec<Fault> {
    use FailureClass::{Caller, Configuration, Content, Quota, Transient};
    use Then::{Close, Hang, Reset};
    let json = "content-type: application/json\r\n";
    let endless = format!("data: {}", "x".repeat((1 << 20) + 10));
    let noise = "data: ping\n\n".repeat(65);
    let hi = wire.hi();
    let error = |error: &str| stream(&format!("{hi}data: {{\"type\":\"error\",\"error\":{error}}}\n\n"));
    vec![
        ("400", response("400 Bad Request", json, r#"{"error":{"message":"no"}}"#), Close, Caller, "http_400"),
        ("401", response("401 Unauthorized", json, "{}"), Close, Configuration, "http_401"),
        ("402", response("402 Payment Required", "", ""), Close, Quota, "http_402"),
        ("404", response("404 Not Found", json, r#"{"detail":"Not Found"}"#), Close, Configuration, "http_404"),
        ("413", response("413 Too Large", "", ""), Close, Caller, "http_413"),
        ("429", response("429 Too Many Requests", "", ""), Close, Transient, "http_429"),
        (
            "quota as 429",
            response("429 Too Many Requests", json, r#"{"error":{"code":"insufficient_quota","message":"m"}}"#),
            Close,
            Quota,
            "insufficient_quota",
        ),
        ("500 whose body hangs", response("500 Oops", "content-length: 99\r\n", "boom"), Hang, Transient, "http_500"),
        ("503", response("503 Unavailable", "", "<html>"), Close, Transient, "http_503"),
        ("redirect", response("307 Moved", "location: http://other/\r\n", ""), Close, Configuration, "redirect"),
        (
            "page with 200",
            response("200 OK", "content-type: text/html\r\n", "<html>"),
            Close,
            Transient,
            "not_a_stream",
        ),
        ("answer with 200", response("200 OK", json, r#"{"choices":[]}"#), Close, Transient, "not_a_stream"),
        (
            "error with 200",
            response("200 OK", json, r#"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#),
            Close,
            Transient,
            "http_429",
        ),
        (
            "compressed",
            response("200 OK", "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n", "\u{1f}\u{8}"),
            Close,
            Configuration,
            "compressed",
        ),
        (
            "compressed error",
            response("503 Sorry", "content-encoding: br\r\n", "\u{1f}\u{8}"),
            Close,
            Transient,
            "http_503",
        ),
        ("no event", response("200 OK", "", "hello\n\n"), Close, Transient, "not_a_stream"),
        ("end in the middle", stream(&hi), Close, Transient, "truncated"),
        (
            "body shorter than said",
            response("200 OK", "content-type: text/event-stream\r\ncontent-length: 999\r\n", &hi),
            Close,
            Transient,
            "truncated",
        ),
        ("reset in the middle", stream(&hi), Reset, Transient, "reset"),
        ("nothing at all", Vec::new(), Close, Transient, "reset"),
        ("no HTTP", b"SSH-2.0-OpenSSH\r\n".to_vec(), Close, Transient, "reset"),
        (
            "overloaded",
            response(
                "529 Overloaded",
                json,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ),
            Close,
            Transient,
            "http_529",
        ),
        (
            "error before any content",
            stream("data: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}\n\n"),
            Close,
            Transient,
            "http_429",
        ),
        ("error in the stream", error(r#"{"code":502,"message":"m"}"#), Close, Transient, "http_502"),
        ("overloaded in the stream", error(r#"{"type":"overloaded_error"}"#), Close, Transient, "http_529"),
        ("filter in the stream", error(r#"{"code":"content_filter"}"#), Close, Content, "content_filter"),
        ("broken chunk", stream(&format!("{hi}data: {{\"choi\n\n{hi}")), Close, Transient, "malformed_stream"),
        ("noise without end", stream(&noise), Close, Transient, "malformed_stream"),
        ("line without end", stream(&endless), Hang, Transient, "malformed_stream"),
    ]
}

fn chunked(body: &str) -> Vec<u8> {
    let mut bytes = response("200 OK", "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n", "");
    for byte in body.as_bytes() {
        bytes.extend_from_slice(b"1\r\n");
        bytes.push(*byte);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

#[tokio::test]
async fn odd_but_good() {
    let hi = || AnswerPart::Text("hé".to_owned());
    let stop = || AnswerPart::Finish(FinishReason::Stop);
    let usage = || AnswerPart::Usage(Usage { input_tokens: 3, output_tokens: 2, estimated: false, ..Usage::default() });
    for wire in &WIRES {
        let full = wire.answer();
        let http10 = String::from_utf8(stream(&full)).unwrap().replace("HTTP/1.1", "HTTP/1.0").into_bytes();
        let unsaid = full.strip_suffix(wire.done).unwrap().trim_end().to_owned();
        let rows = [
            ("plain", stream(&full)),
            ("one byte at a time", chunked(&full)),
            ("CRLF", stream(&full.replace('\n', "\r\n"))),
            ("CR", stream(&full.replace('\n', "\r"))),
            ("HTTP/1.0", http10),
            ("no content type", response("200 OK", "", &full)),
            ("comments", stream(&format!(": PROCESSING\n\n{}", full.replace("\n\n", "\n\n: ping\n\n")))),
            ("no last word, no last newline", stream(&unsaid)),
            (
                "text after the finish",
                stream(&format!("{}{}{}", full.strip_suffix(wire.done).unwrap(), wire.text, wire.done)),
            ),
        ];
        for (name, bytes) in rows {
            let server = serve(vec![(bytes, Then::Close)]).await;
            let found = ask_model((wire.model)(&server.base_url).as_ref()).await;
            assert_eq!(found, (vec![hi(), stop(), usage()], None), "{} {name}", wire.name);
        }
    }
}

#[tokio::test]
async fn reasoning_is_no_answer_and_a_tool_call_comes_in_one_form() {
    for wire in &WIRES {
        let body = format!("{}{}{}{}", wire.begin, wire.reasoning, wire.tool_call, (wire.end)(wire.reasons[2].0));
        let server = serve(vec![(stream(&body), Then::Close)]).await;
        let (parts, failure) = ask_model((wire.model)(&server.base_url).as_ref()).await;
        assert_eq!((&parts[0], failure), (&AnswerPart::Reasoning("r".to_owned()), None), "{}", wire.name);
        let mut called = (None, String::new());
        for part in &parts {
            let AnswerPart::ToolCall(piece) = part else { continue };
            let function = &piece["function"];
            assert_eq!(piece["index"], 0, "{}: {piece}", wire.name);
            called.0 = called.0.or_else(|| Some(format!("{} {}", piece["id"].as_str()?, function["name"].as_str()?)));
            called.1.push_str(function["arguments"].as_str().unwrap_or_default());
        }
        assert_eq!(called, (Some("t1 f".to_owned()), r#"{"a":1}"#.to_owned()), "{}", wire.name);
        assert!(parts.contains(&AnswerPart::Finish(FinishReason::ToolCalls)), "{}", wire.name);
    }
}

#[tokio::test]
async fn every_way_to_end() {
    for wire in &WIRES {
        for (reason, expected) in wire.reasons {
            let body = format!("{}{}{}{}", wire.begin, wire.text, (wire.end)(reason), wire.done);
            let server = serve(vec![(stream(&body), Then::Close)]).await;
            let (parts, failure) = ask_model((wire.model)(&server.base_url).as_ref()).await;
            assert_eq!((&parts[1], failure), (&AnswerPart::Finish(expected), None), "{} {reason}", wire.name);
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_finish_has_lost_nothing() {
    for wire in &WIRES {
        let body = format!("{}{}{}", wire.begin, wire.text, (wire.end)(wire.reasons[0].0));
        let server = serve(vec![(stream(&body), Then::Reset)]).await;
        let (parts, failure) = ask_model((wire.model)(&server.base_url).as_ref()).await;
        assert_eq!((parts.len(), failure), (3, None), "{}", wire.name);
    }
}

#[tokio::test]
async fn the_key_goes_into_its_header_and_nothing_compressed_is_asked_for() {
    for wire in &WIRES {
        let mut server = serve(vec![(stream(&wire.answer()), Then::Close)]).await;
        let model = (wire.model)(&server.base_url);
        ask_model(model.as_ref()).await;
        let request = server.requests.recv().await.unwrap();
        let head = request.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("post /v1/{} http/1.1", wire.path)), "{request}");
        assert!(head.contains(&format!("{}{KEY}", wire.key_header)), "{request}");
        assert_eq!(request.matches(KEY).count(), 1, "{request}");
        assert!(!head.contains("accept-encoding"), "a compressed stream is no stream: {request}");
    }
}

#[tokio::test]
async fn the_wish_to_wait_is_passed_on() {
    for wire in &WIRES {
        let failure = failure_of(wire, response("429 Slow", "retry-after: 7\r\n", ""), Then::Close).await;
        assert_eq!((failure.retry_after, failure.should_retry), (Some(Duration::from_secs(7)), None));
        let failure = failure_of(wire, response("503 Sorry", "x-should-retry: false\r\n", ""), Then::Close).await;
        assert_eq!(failure.should_retry, Some(false));
    }
}

#[tokio::test]
async fn an_echoed_key_and_a_huge_body_do_not_get_through() {
    for wire in &WIRES {
        let words = format!("the key {KEY} \u{1b}[31mis wrong {}", "x".repeat(100_000));
        let inside =
            format!("{}data: {{\"type\":\"error\",\"error\":{{\"message\":\"bad key {KEY}\"}}}}\n\n", wire.hi());
        for (bytes, name) in [(response("401 Unauthorized", "", &words), "before"), (stream(&inside), "inside")] {
            let failure = failure_of(wire, bytes, Then::Close).await;
            let text = format!("{failure} {failure:?}");
            assert!(text.contains("[redacted]") && !text.contains(KEY) && !text.contains('\u{1b}'), "{name}: {text}");
            assert!(text.len() < 1_500, "{}", text.len());
        }
    }
}

#[tokio::test]
async fn dropping_an_answer_hangs_up() {
    for wire in &WIRES {
        let mut server = serve(vec![(stream(&wire.hi()), Then::Hang)]).await;
        let mut answer = (wire.model)(&server.base_url).stream(call()).await.unwrap();
        assert!(answer.next().await.unwrap().is_ok());
        assert!(server.requests.recv().await.unwrap().starts_with("POST"));
        drop(answer);
        let hung_up = tokio::time::timeout(Duration::from_secs(2), server.requests.recv()).await;
        assert_eq!(hung_up.unwrap().unwrap(), "", "{}", wire.name);
    }
}

#[tokio::test]
async fn an_answer_that_spells_its_key_has_none() {
    for wire in &WIRES {
        let letters: String = KEY.chars().map(|c| wire.text.replace("hé", &c.to_string())).collect();
        let body = format!("{}{letters}{}{}{}", wire.begin, wire.text, (wire.end)(wire.reasons[0].0), wire.done);
        let server = serve(vec![(stream(&body), Then::Close)]).await;
        let (parts, failure) = ask_model((wire.model)(&server.base_url).as_ref()).await;
        let text = |part: &AnswerPart| if let AnswerPart::Text(text) = part { text.clone() } else { String::new() };
        let text: String = parts.iter().map(text).collect();
        assert_eq!((text, failure), (format!("{}[redacted]hé", &KEY[..3]), None), "{}", wire.name);
    }
}
