//! Faults below the wire format (`contract.rs` has those within it), and refused fields.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{Server, Then, ask, ask_model, body_of, call, model, response, serve, stream};
use super::wires::WIRES;
use crate::domain::answer::{AnswerPart, ChatModel};
use crate::domain::failure::FailureClass;
use crate::domain::money::Usage;

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
async fn an_answer_that_does_not_stream_is_a_matter_of_settings_and_counted() {
    let openai = r#"{"choices":[{"message":{"content":"WORDS"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":500}}"#;
    let messages = r#"{"type":"message","content":[{"type":"text","text":"WORDS"}],"usage":{"input_tokens":7,"output_tokens":500}}"#;
    for (wire, body) in WIRES.iter().zip([openai, messages]) {
        for (words, is_counted) in [("a few", true), (&*"long ".repeat(20_000), true), (&*"x".repeat(2 << 20), false)] {
            let whole = response("200 OK", "content-type: application/json\r\n", &body.replace("WORDS", words));
            let server = serve(vec![(whole, Then::Close)]).await;
            let (parts, failure) = ask_model(&*(wire.model)(&server.base_url)).await;
            let failure = failure.unwrap();
            if !is_counted && wire.name != "openai" {
                assert_eq!(failure.kind, "not_a_stream");
                continue;
            }
            let kind = (failure.class, failure.kind.as_ref());
            assert_eq!(kind, (FailureClass::Configuration, "not_a_stream"), "{} {failure}", wire.name);
            let usage = Usage { input_tokens: 7, output_tokens: 500, ..Usage::default() };
            let counted = if is_counted { vec![AnswerPart::Usage(usage)] } else { Vec::new() };
            assert_eq!(parts, counted, "{}: {} bytes", wire.name, words.len());
        }
    }
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
