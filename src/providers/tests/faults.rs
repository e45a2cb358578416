//! Faults below the wire format (`contract.rs` has those within it), and refused fields.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{Server, Then, ask, body_of, call, model, response, serve, stream};
use crate::domain::answer::ChatModel;
use crate::domain::failure::FailureClass;

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
