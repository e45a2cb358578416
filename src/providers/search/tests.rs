//! Both searches against a local server: the same contract, each in its own words.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::tests::server::{KEY, Then, response, serve};
use super::{BraveConfig, BraveSearch, SearxngConfig, SearxngSearch, plain};
use crate::domain::clock::SystemClock;
use crate::domain::failure::FailureClass;
use crate::domain::search::{SearchResult, WebSearch};
use crate::providers::{HttpClient, Secret};

/// One adapter, and how it is answered.
struct Side {
    name: &'static str,
    make: fn(&str) -> Box<dyn WebSearch>,
    path: &'static str,
    answer: fn(Vec<Value>) -> Value,
    snippet: &'static str,
}

fn http() -> HttpClient {
    HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap()
}

const SIDES: [Side; 2] = [
    Side {
        name: "searxng",
        make: |base_url| {
            Box::new(SearxngSearch::new(SearxngConfig { http: http(), base_url: base_url.to_owned() }).unwrap())
        },
        path: "GET /v1/search?q=why+%26+how&format=json HTTP/1.1",
        answer: |results| {
            json!({"query": "q", "number_of_results": 0, "results": results, "answers": [], "corrections": [],
            "infoboxes": [], "suggestions": [], "unresponsive_engines": [["google", "timeout"]]})
        },
        snippet: "content",
    },
    Side {
        name: "brave",
        make: |base_url| {
            let config = BraveConfig { http: http(), base_url: base_url.to_owned(), api_key: Secret::new(KEY) };
            Box::new(BraveSearch::new(config).unwrap())
        },
        path: "GET /v1/web/search?q=why+%26+how&count=2 HTTP/1.1",
        answer: |results| {
            json!({"type": "search", "query": {"original": "q", "more_results_available": true},
            "mixed": {"main": []}, "web": {"type": "search", "family_friendly": true, "results": results}})
        },
        snippet: "description",
    },
];

fn said(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", body)
}

#[tokio::test]
async fn what_is_found_is_plain_bounded_and_in_order() {
    for side in &SIDES {
        let row =
            |url: &str, title: &str, text: &str| json!({"url": url, "title": title, side.snippet: text, "engine": "x"});
        let rows = vec![
            row("https://a.test/x", "A <strong>title</strong>", "one\n two &amp; \u{1b}[31mthree"),
            row("javascript:alert(1)", "no page", "x"),
            json!({"title": "no address"}),
            row("http://b.test", "", &"y".repeat(5_000)),
            row("https://c.test", "too many", "x"),
        ];
        let mut server = serve(vec![(said(&(side.answer)(rows).to_string()), Then::Close)]).await;
        let found = (side.make)(&server.base_url).search("why & how", 2).await.unwrap();
        assert_eq!(found.len(), 2, "{}", side.name);
        assert_eq!((found[0].title.as_str(), found[0].url.as_str()), ("A title", "https://a.test/x"));
        assert!(found[0].snippet.starts_with("one two & ") && !found[0].snippet.contains('\u{1b}'), "{found:?}");
        assert_eq!(found[1].url, "http://b.test/");
        assert!(found[1].snippet.len() < 700, "{}", side.name);
        let request = server.requests.recv().await.unwrap();
        assert!(request.starts_with(side.path), "{request}");
    }
}

#[tokio::test]
async fn nothing_found_is_no_failure() {
    for side in &SIDES {
        let server = serve(vec![(said(&(side.answer)(vec![]).to_string()), Then::Close)]).await;
        let found = (side.make)(&server.base_url).search("q", 5).await;
        assert_eq!(found, Ok(Vec::<SearchResult>::new()), "{}", side.name);
    }
}

#[tokio::test]
async fn failures_are_those_of_every_endpoint() {
    use FailureClass::{Configuration, Transient};
    let rows = [
        (response("429 Slow", "retry-after: 2\r\n", ""), Transient, "http_429"),
        (response("500 Oops", "", "<html>"), Transient, "http_500"),
        (response("403 Forbidden", "", "<html>"), Configuration, "http_403"),
        (response("302 Found", "location: http://x/\r\n", ""), Configuration, "redirect"),
        (said("<html>"), Configuration, "malformed"),
        (said(&" ".repeat((2 << 20) + 1)), Transient, "too_large"),
        (response("200 OK", "content-length: 99\r\n", "{"), Transient, "truncated"),
    ];
    for side in &SIDES {
        for (bytes, class, kind) in rows.clone() {
            let server = serve(vec![(bytes, Then::Close)]).await;
            let failure = (side.make)(&server.base_url).search("q", 5).await.unwrap_err();
            assert_eq!((failure.class, failure.kind.as_ref()), (class, kind), "{}: {failure}", side.name);
            assert_eq!(failure.retry_after.is_some(), kind == "http_429");
        }
    }
}

#[tokio::test]
async fn dropping_a_search_hangs_up() {
    for side in &SIDES {
        let mut server = serve(vec![(response("200 OK", "content-length: 99\r\n", "{"), Then::Hang)]).await;
        let search = (side.make)(&server.base_url);
        {
            let mut asked = search.search("q", 5);
            let seen = tokio::select! {
                _ = &mut asked => None,
                seen = server.requests.recv() => seen,
            };
            assert!(seen.unwrap().starts_with("GET"), "{}", side.name);
        }
        let hung_up = tokio::time::timeout(Duration::from_secs(2), server.requests.recv()).await;
        assert_eq!(hung_up.unwrap().unwrap(), "", "{}", side.name);
    }
}

#[tokio::test]
async fn the_key_goes_into_its_header_alone_and_an_echo_is_scrubbed() {
    let body = json!({"type": "ErrorResponse", "error": {"id": "1", "status": 422, "code": "SUBSCRIPTION_TOKEN_INVALID",
        "detail": format!("The provided subscription token is invalid: {KEY}")}, "time": 1});
    let bad = response("422 Unprocessable", "content-type: application/json\r\n", &body.to_string());
    let mut server = serve(vec![(bad, Then::Close)]).await;
    let failure = (SIDES[1].make)(&server.base_url).search("q", 5).await.unwrap_err();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Configuration, "http_401"), "{failure}");
    assert!(!format!("{failure:?}").contains(KEY), "{failure}");
    let request = server.requests.recv().await.unwrap();
    assert!(request.to_ascii_lowercase().contains(&format!("x-subscription-token: {KEY}")), "{request}");
    assert_eq!(request.matches(KEY).count(), 1);
    let config = BraveConfig { http: http(), base_url: server.base_url.clone(), api_key: Secret::new(KEY) };
    assert!(!format!("{:?}", BraveSearch::new(config).unwrap()).contains(KEY));
}

#[tokio::test]
async fn a_query_is_cut_to_what_brave_takes() {
    let mut server = serve(vec![(said("{}"), Then::Close)]).await;
    let words = "word ".repeat(80);
    (SIDES[1].make)(&server.base_url).search(&words, 50).await.unwrap();
    let request = server.requests.recv().await.unwrap();
    assert_eq!(request.matches("word").count(), 50, "{request}");
    assert!(request.contains("count=20"), "{request}");
}

#[test]
fn markup_is_taken_out() {
    assert_eq!(plain("a <b>b</b>  &lt;c&gt;\r\n&#x27;d&#x27;", 100), "a b <c> 'd'");
}
