//! What every adapter does with a response before it is a stream: find out whether it is one, and read
//! what an endpoint says instead, bounded in size and time. Also where an endpoint is: the address of an
//! operation below a configured `base_url`.

use std::future::ready;
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url};
use serde_json::Value;

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerPart, AnswerStream};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::money::Usage;
use crate::domain::text::cut;

use super::chunk::usage;
use super::complaint::Complaint;
use super::failure::Endpoint;
use super::openai::ProviderFault;

/// What is read of a body that is no stream, in bytes.
const LONGEST_COMPLAINT: usize = 8 << 10;
/// What is read of one that came with a success, in bytes: it may be an answer, with what it took at its end.
const LONGEST_ANSWER: usize = 1 << 20;
/// How long a body that is no stream may take.
const COMPLAINT_PATIENCE: Duration = Duration::from_secs(1);

/// `base_url` with `path` behind it.
pub(super) fn endpoint_url(base_url: &str, path: &[&str]) -> Result<Url, ProviderFault> {
    let fault =
        |found: &str, reason: &str| Err(ProviderFault::BaseUrl { found: found.to_owned(), reason: reason.to_owned() });
    let expected = "expected http:// or https:// and a host, up to and including /v1";
    let Ok(mut url) = Url::parse(base_url.trim()) else { return fault(base_url, expected) };
    if !url.username().is_empty() || url.password().is_some() {
        return fault(url.host_str().unwrap_or_default(), "it holds a user or a password; name a key by `api_key_env`");
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return fault(base_url, expected);
    }
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(path),
        Err(()) => return fault(base_url, expected),
    };
    url.set_fragment(None);
    Ok(url)
}

/// What came with a success.
pub(super) enum Accepted {
    /// A stream, as far as can be told.
    Stream(Response),
    /// An answer, whole: what it took, where it says so.
    Whole(Option<Usage>),
}

/// A success is no success yet: a proxy's page or an error object may come with status 200.
pub(super) async fn accept(endpoint: &Endpoint, response: Response) -> Result<Accepted, Failure> {
    if let Some(how) = compressed(&response) {
        let what = format!(
            "compressed its answer ({how}), which nobody asked for: a stream is read as it comes; switch compression off there, or at the proxy before it"
        );
        return Err(endpoint.failure(FailureClass::Configuration, "compressed", &what));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    if !(kind.starts_with("application/json") || kind.starts_with("text/html")) {
        return Ok(Accepted::Stream(response));
    }
    let body = body_of(response, LONGEST_ANSWER).await;
    if let Some(answer) = whole_answer(&body) {
        return Ok(answer);
    }
    let complaint = Complaint::in_body(cut(&body, LONGEST_COMPLAINT).0);
    if complaint.is_of_its_own() {
        return Err(endpoint.complained(&complaint));
    }
    let what = format!("answered {kind} where a stream was asked for; check `base_url`");
    Err(endpoint.failure(FailureClass::Transient, "not_a_stream", &what))
}

/// What an answer took that came whole; `None` where `body` is no such answer. One that is cut has no count.
fn whole_answer(body: &str) -> Option<Accepted> {
    let body = body.trim_start();
    match serde_json::from_str::<Value>(body) {
        Ok(value) => {
            let choices = value.get("choices").and_then(Value::as_array);
            let is_message = value.get("type") == Some(&"message".into()) && value.get("content").is_some();
            let is_answer =
                is_message || choices.is_some_and(|choices| choices.iter().any(|c| c.get("message").is_some()));
            is_answer.then(|| Accepted::Whole(value.get("usage").and_then(usage)))
        }
        Err(fault) => {
            let is_cut = fault.is_eof() && body.starts_with('{') && body.contains("\"choices\"");
            is_cut.then_some(Accepted::Whole(None))
        }
    }
}

/// Where nothing streams: what the answer took, then why it cannot be used. It is paid for, and would be again.
pub(super) struct Unstreamed {
    usage: Option<Usage>,
    failure: Option<Failure>,
}

impl Unstreamed {
    pub(super) fn new(endpoint: &Endpoint, usage: Option<Usage>) -> Self {
        let what = "answered whole where a stream was asked for: it, or a proxy before it, must stream (`stream: true`, unbuffered)";
        Self { usage, failure: Some(endpoint.failure(FailureClass::Configuration, "not_a_stream", what)) }
    }
}

impl AnswerStream for Unstreamed {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        let next = self.usage.take().map(|usage| Ok(AnswerPart::Usage(usage)));
        Box::pin(ready(next.or_else(|| self.failure.take().map(Err))))
    }
}

/// How a body is compressed, where it is, in no word of the endpoint's own. Nothing is ever decompressed here: see the head of `http.rs`.
fn compressed(response: &Response) -> Option<&'static str> {
    let how = response.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or_default().trim();
    let known = ["gzip", "br", "zstd", "deflate", "compress"];
    let name = known.into_iter().find(|name| how.eq_ignore_ascii_case(name)).unwrap_or("in a way of its own");
    (!how.is_empty() && !how.eq_ignore_ascii_case("identity")).then_some(name)
}

/// What a response that is no stream says. Reading it is bounded in size and time, and a body that
/// breaks off counts as far as it came.
pub(super) async fn complaint(response: Response) -> Complaint {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_redirect = response.status().is_redirection();
    if let (Some(how), false) = (compressed(&response), is_redirect) {
        return Complaint::of_message(&format!("something compressed ({how})"));
    }
    let body = body_of(response, LONGEST_COMPLAINT).await;
    match location {
        Some(location) if is_redirect => Complaint::of_message(&format!("a redirect to {location}")),
        _ => Complaint::in_body(&body),
    }
}

/// The first `most` bytes of a body.
async fn body_of(mut response: Response, most: usize) -> String {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = most - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == most {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(COMPLAINT_PATIENCE, reading).await;
    String::from_utf8_lossy(&body).into_owned()
}
