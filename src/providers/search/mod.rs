//! Web searches over HTTP: one GET for one query. Both adapters share how a request is sent, a body read
//! within a bound, and a failure classified as for every other endpoint; they differ in where the query
//! goes and what the answer looks like.
//!
//! What is found was written by anyone: markup is taken out, texts are put on one line and cut, and an
//! address that is none of `http` or `https` drops the result.

mod brave;
mod searxng;
#[cfg(test)]
mod tests;

use reqwest::header::ACCEPT;
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;

pub use brave::{BraveConfig, BraveSearch};
pub use searxng::{SearxngConfig, SearxngSearch};

use super::complaint::Complaint;
use super::failure::Endpoint;
use super::http::HttpClient;
use super::reply::complaint;
use super::retry_after::{retry_after, should_retry};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::search::SearchResult;
use crate::domain::text::{cut, one_line};

/// Bytes of an answer, at most.
const LARGEST: usize = 2 << 20;
/// Bytes of a title and of a snippet, at most.
const TITLE: usize = 200;
const SNIPPET: usize = 600;
/// Bytes of an address, at most; a longer one is no source to show.
const ADDRESS: usize = 2_000;

/// Sends `request` and reads the JSON of its answer. `known` may say what a complaint stands for where its
/// status does not.
async fn ask(
    http: &HttpClient,
    endpoint: &Endpoint,
    request: RequestBuilder,
    known: fn(u16, &Complaint) -> u16,
) -> Result<Value, Failure> {
    let response = request.header(ACCEPT, "application/json").send().await;
    let response = response.map_err(|fault| endpoint.unreachable(&fault))?;
    let status = response.status().as_u16();
    if !response.status().is_success() {
        let wish = retry_after(response.headers(), http.clock.now());
        let should_retry = should_retry(response.headers());
        let complaint = complaint(response).await;
        let failure = endpoint.answered(known(status, &complaint), &complaint, wish);
        return Err(Failure { should_retry, ..failure });
    }
    let body = whole(endpoint, response).await?;
    serde_json::from_str(&endpoint.without_key(&String::from_utf8_lossy(&body))).map_err(|_| {
        let what = "answered a search with something that is no JSON; check `search.base_url`";
        endpoint.failure(FailureClass::Configuration, "malformed", what)
    })
}

async fn whole(endpoint: &Endpoint, mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|fault| endpoint.interrupted(&fault))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(endpoint.failure(FailureClass::Transient, "too_large", "answered a search without end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The results in `list`, each read by the names of its three fields.
fn results(list: Option<&Value>, snippet: &str, most: usize) -> Vec<SearchResult> {
    let rows = list.and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| result(row, snippet)).take(most).collect()
}

fn result(row: &Value, snippet: &str) -> Option<SearchResult> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let url = Url::parse(text("url").trim()).ok()?;
    let is_page = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.as_str().len() <= ADDRESS;
    is_page.then(|| SearchResult {
        title: plain(text("title"), TITLE),
        url: url.into(),
        snippet: plain(text(snippet), SNIPPET),
    })
}

/// `text` without markup, on one line, at most so long.
fn plain(text: &str, most: usize) -> String {
    const ENTITIES: [(&str, &str); 6] =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    let mut bare = text.to_owned();
    for tag in ["<strong>", "</strong>", "<b>", "</b>", "<em>", "</em>", "<br>", "<br/>"] {
        bare = bare.replace(tag, "");
    }
    for (entity, meant) in ENTITIES {
        bare = bare.replace(entity, meant);
    }
    let line = one_line(&bare);
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    let (short, was_cut) = cut(&line, most);
    if was_cut { format!("{short}…") } else { short.to_owned() }
}
