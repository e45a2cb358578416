//! Faults, one row each: what the endpoint does, and the class and kind that it must become.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{KEY, Server, Then, ask, body_of, call, model, response, serve, stream};
use crate::domain::answer::ChatModel;
use crate::domain::failure::{Failure, FailureClass};

const HI: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";

async fn failure_of(bytes: Vec<u8>, then: Then) -> Failure {
    let server = serve(vec![(bytes, then)]).await;
    let (_, failure) = ask(&server.base_url).await;
    failure.expect("this row is about a failure")
}

#[tokio::test]
async fn each_fault_has_its_class_and_kind() {
    use FailureClass::{Caller, Configuration, Content, Quota, Transient};
    use Then::{Close, Hang, Reset};
    let json = "content-type: application/json\r\n";
    let endless = format!("data: {}", "x".repeat((1 << 20) + 10));
    let noise = "data: ping\n\n".repeat(65);
    let error = |error: &str| stream(&format!("{HI}data: {{\"error\":{error}}}\n\n"));
    let rows = [
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
        ("end in the middle", stream(HI), Close, Transient, "truncated"),
        (
            "body shorter than said",
            response("200 OK", "content-type: text/event-stream\r\ncontent-length: 999\r\n", HI),
            Close,
            Transient,
            "truncated",
        ),
        ("reset in the middle", stream(HI), Reset, Transient, "reset"),
        ("nothing at all", Vec::new(), Close, Transient, "reset"),
        ("no HTTP", b"SSH-2.0-OpenSSH\r\n".to_vec(), Close, Transient, "reset"),
        ("error in the stream", error(r#"{"code":502,"message":"m"}"#), Close, Transient, "http_502"),
        ("overloaded in the stream", error(r#"{"type":"overloaded_error"}"#), Close, Transient, "http_529"),
        ("filter in the stream", error(r#"{"code":"content_filter"}"#), Close, Content, "content_filter"),
        ("broken chunk", stream(&format!("{HI}data: {{\"choi\n\n{HI}")), Close, Transient, "malformed_stream"),
        ("noise without end", stream(&noise), Close, Transient, "malformed_stream"),
        ("line without end", stream(&endless), Hang, Transient, "malformed_stream"),
    ];
    for (name, bytes, then, class, kind) in rows {
        let failure = failure_of(bytes, then).await;
        assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{name}: {failure}");
        assert!(failure.message.starts_with("127.0.0.1:"), "{name}: {failure}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (_, failure) = ask(&format!("http://{free}/v1")).await;
    let failure = failure.unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Transient, "connect"), "{failure}");
}

#[tokio::test]
async fn no_such_name() {
    let (_, failure) = ask("http://no-such-host.invalid/v1").await;
    let failure = failure.unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Transient, "dns"), "{failure}");
}

#[tokio::test]
async fn tls_with_a_server_that_speaks_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}/v1", listener.local_addr().unwrap());
    let serving = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(&response("400 Bad Request", "", "")).await.unwrap();
        std::future::pending::<()>().await;
    };
    let (_, failure) = tokio::select! {
        answer = ask(&base_url) => answer,
        () = serving => unreachable!(),
    };
    let failure = failure.unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Configuration, "tls"), "{failure}");
}

#[tokio::test]
async fn the_wish_to_wait_is_passed_on() {
    let failure = failure_of(response("429 Slow", "retry-after: 7\r\n", ""), Then::Close).await;
    assert_eq!((failure.retry_after, failure.should_retry), (Some(Duration::from_secs(7)), None));
    let failure = failure_of(response("503 Sorry", "x-should-retry: false\r\n", ""), Then::Close).await;
    assert_eq!(failure.should_retry, Some(false));
}

#[tokio::test]
async fn an_echoed_key_and_a_huge_body_do_not_get_through() {
    let body = format!("the key {KEY} \u{1b}[31mis wrong {}", "x".repeat(100_000));
    let failure = failure_of(response("401 Unauthorized", "", &body), Then::Close).await;
    let text = format!("{failure} {failure:?}");
    assert!(text.contains("[redacted]") && !text.contains(KEY) && !text.contains('\u{1b}'), "{text}");
    assert!(text.len() < 1_500, "{}", text.len());
}

#[tokio::test]
async fn dropping_an_answer_hangs_up() {
    let mut server = serve(vec![(stream(HI), Then::Hang)]).await;
    let mut answer = model(&server.base_url).stream(call()).await.unwrap();
    assert!(answer.next().await.unwrap().is_ok());
    assert!(server.requests.recv().await.unwrap().starts_with("POST"));
    drop(answer);
    let hung_up = tokio::time::timeout(Duration::from_secs(2), server.requests.recv()).await;
    assert_eq!(hung_up.unwrap().unwrap(), "");
}

#[tokio::test]
async fn a_refused_field_is_asked_for_otherwise_and_remembered() {
    let refusal = r#"{"error":{"message":"'max_tokens' is not supported, use 'max_completion_tokens'","param":"max_tokens","code":"unsupported_parameter"}}"#;
    let good = stream("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    let bad = response("400 Bad Request", "content-type: application/json\r\n", refusal);
    let mut server: Server = serve(vec![(bad, Then::Close), (good, Then::Close)]).await;
    let model = model(&server.base_url);
    let limits = ["max_tokens", "max_completion_tokens", "max_completion_tokens"];
    for _ in 0..2 {
        model.stream(call()).await.unwrap();
    }
    for expected in limits {
        let body = body_of(&server.requests.recv().await.unwrap());
        assert_eq!(body[expected], 64, "{body}");
    }
}
