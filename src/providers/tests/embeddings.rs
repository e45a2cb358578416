//! The adapter of embeddings: what it sends, and what each wrong answer becomes.

use std::sync::Arc;
use std::time::Duration;

use super::server::{KEY, Server, Then, body_of, response, serve};
use crate::domain::clock::SystemClock;
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::failure::FailureClass::{self, Configuration, Content, Transient};
use crate::providers::{EmbeddingsConfig, EmbeddingsModel, HttpClient, Secret};

const JSON: &str = "content-type: application/json\r\n";

fn model(base_url: &str) -> EmbeddingsModel {
    let http = HttpClient::new(Duration::from_secs(1), Arc::new(SystemClock::new())).unwrap();
    let config = EmbeddingsConfig {
        http,
        base_url: base_url.to_owned(),
        model: "small".to_owned(),
        api_key: Some(Secret::new(KEY)),
    };
    EmbeddingsModel::new(config).unwrap()
}

async fn served(status: &str, body: &str) -> Server {
    serve(vec![(response(status, JSON, body), Then::Close)]).await
}

#[tokio::test]
async fn a_text_becomes_numbers_and_the_key_travels_in_the_header() {
    let mut server = served("200 OK", r#"{"data":[{"index":0,"embedding":[0.25,-1,3e-2]}],"usage":{}}"#).await;
    let expected = Embedding { numbers: vec![0.25, -1.0, 0.03], tokens: None };
    assert_eq!(model(&server.base_url).embed("hello").await.unwrap(), expected);
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("POST /v1/embeddings HTTP/1.1"), "{request}");
    assert!(request.to_lowercase().contains(&format!("authorization: bearer {KEY}")));
    let body = body_of(&request);
    assert_eq!((body["model"].as_str(), body["input"].as_str()), (Some("small"), Some("hello")));
}

#[tokio::test]
async fn tokens_are_what_the_endpoint_counted_where_it_says_something_sound() {
    let rows = [
        (r#"{"prompt_tokens":7,"total_tokens":8}"#, Some(7)),
        (r#"{"total_tokens":8}"#, Some(8)),
        (r#"{"prompt_tokens":-7}"#, None),
        (r#"{"prompt_tokens":99999999999}"#, None),
        ("null", None),
        ("[1]", None),
    ];
    for (usage, expected) in rows {
        let server = served("200 OK", &format!(r#"{{"data":[{{"embedding":[1]}}],"usage":{usage}}}"#)).await;
        assert_eq!(model(&server.base_url).embed("hello").await.unwrap().tokens, expected, "{usage}");
    }
}

#[tokio::test]
async fn each_fault_has_its_class_and_none_holds_the_key() {
    let rows: [(&str, &str, FailureClass); 7] = [
        ("401 Unauthorized", r#"{"error":{"message":"bad key topsecretkey"}}"#, Configuration),
        ("404 Not Found", "{}", Configuration),
        ("503 Unavailable", "", Transient),
        ("200 OK", "<html>", Content),
        ("200 OK", r#"{"data":[]}"#, Content),
        ("200 OK", r#"{"data":[{"embedding":[]}]}"#, Content),
        ("200 OK", r#"{"data":[{"embedding":["a"]}]}"#, Content),
    ];
    for (status, body, class) in rows {
        let server = served(status, body).await;
        let failure = model(&server.base_url).embed("hello").await.unwrap_err();
        assert_eq!(failure.class, class, "{status} {body}: {}", failure.message);
        assert!(!failure.message.contains(KEY), "{}", failure.message);
    }
    let gone = model("http://127.0.0.1:9/v1").embed("hello").await.unwrap_err();
    assert_eq!(gone.class, Transient, "{}", gone.message);
}
