//! What every adapter does with a response before it is a stream: find out whether it is one, and read
//! what an endpoint says instead, bounded in size and time. Also where an endpoint is: the address of an
//! operation below a configured `base_url`.

use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url};

use crate::domain::failure::{Failure, FailureClass};

use super::complaint::Complaint;
use super::failure::Endpoint;
use super::openai::ProviderFault;

/// What is read of a body that is no stream, in bytes.
const LONGEST_COMPLAINT: usize = 8 << 10;
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

/// A success is no success yet: a proxy's page or an error object may come with status 200.
pub(super) async fn accept(endpoint: &Endpoint, response: Response) -> Result<Response, Failure> {
    if let Some(how) = compressed(&response) {
        let what = format!(
            "compressed its answer ({how}), which nobody asked for: a stream is read as it comes; switch compression off there, or at the proxy before it"
        );
        return Err(endpoint.failure(FailureClass::Configuration, "compressed", &what));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    if !(kind.starts_with("application/json") || kind.starts_with("text/html")) {
        return Ok(response);
    }
    let complaint = complaint(response).await;
    if complaint.is_of_its_own() {
        return Err(endpoint.complained(&complaint));
    }
    let what = format!("answered {kind} where a stream was asked for; check `base_url`");
    Err(endpoint.failure(FailureClass::Transient, "not_a_stream", &what))
}

/// How a body is compressed, where it is. Nothing is ever decompressed here: see the head of `http.rs`.
fn compressed(response: &Response) -> Option<String> {
    let how = response.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or("in an unknown way").trim();
    (!how.is_empty() && !how.eq_ignore_ascii_case("identity")).then(|| how.chars().take(20).collect())
}

/// What a response that is no stream says. Reading it is bounded in size and time, and a body that
/// breaks off counts as far as it came.
pub(super) async fn complaint(mut response: Response) -> Complaint {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_redirect = response.status().is_redirection();
    if let (Some(how), false) = (compressed(&response), is_redirect) {
        return Complaint::of_message(&format!("something compressed ({how})"));
    }
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = LONGEST_COMPLAINT - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == LONGEST_COMPLAINT {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(COMPLAINT_PATIENCE, reading).await;
    match location {
        Some(location) if is_redirect => Complaint::of_message(&format!("a redirect to {location}")),
        _ => Complaint::in_body(&String::from_utf8_lossy(&body)),
    }
}
