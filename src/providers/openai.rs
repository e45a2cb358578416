//! Chat completions over HTTP, as OpenAI defined them and nearly every endpoint speaks them.
//!
//! One call is one POST to `{base_url}/chat/completions`, asked for as a stream. It is sent again only
//! where the endpoint refused a field that this adapter added (see `dialect`); a failure is never
//! retried here. A success status is not believed until what follows is a stream.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Response, Url};
use serde_json::{Map, Value};

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerStream, ChatModel, ModelCall};
use crate::domain::failure::{Failure, FailureClass};

use super::answer::OpenAiStream;
use super::dialect::{Dialect, Learned};
use super::failure::{Complaint, Endpoint};
use super::http::HttpClient;
use super::retry_after::{retry_after, should_retry};
use super::secret::Secret;

/// What is read of a body that is no stream, in bytes.
const LONGEST_COMPLAINT: usize = 8 << 10;
/// How long a body that is no stream may take.
const COMPLAINT_PATIENCE: Duration = Duration::from_secs(1);

/// One model at one endpoint.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// The shared client.
    pub http: HttpClient,
    /// Up to and including `/v1`; a query (`?api-version=…`) is kept.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token, where the endpoint wants one.
    pub api_key: Option<Secret>,
    /// Fields to send with every request, unless the caller sent them.
    pub extra: Map<String, Value>,
}

/// Why an adapter cannot be made. Never holds a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderFault {
    /// Not the URL of an endpoint.
    #[error("`base_url` is {found:?}: {reason}")]
    BaseUrl {
        /// What was given; without the part that may hold a password.
        found: String,
        /// What was expected.
        reason: String,
    },
    /// No model named.
    #[error("`model` is empty: expected the model's name at the endpoint")]
    Model,
    /// The key cannot be sent.
    #[error("the API key is empty or holds characters that no header may: check the variable named by `api_key_env`")]
    Key,
    /// TLS cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// The adapter.
#[derive(Debug)]
pub struct OpenAiModel {
    http: HttpClient,
    url: Url,
    model: String,
    authorization: Option<HeaderValue>,
    endpoint: Endpoint,
    extra: Map<String, Value>,
    learned: Learned,
}

impl OpenAiModel {
    /// Checks the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ProviderFault`], saying which setting to mend.
    pub fn new(config: OpenAiConfig) -> Result<Self, ProviderFault> {
        let url = endpoint_url(&config.base_url, &["chat", "completions"])?;
        if config.model.trim().is_empty() {
            return Err(ProviderFault::Model);
        }
        let authorization = config.api_key.as_ref().map(bearer).transpose()?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let host = format!("{}{port}", url.host_str().unwrap_or_default());
        Ok(Self {
            http: config.http,
            url,
            model: config.model,
            authorization,
            endpoint: Endpoint { host, key: config.api_key },
            extra: config.extra,
            learned: Learned::default(),
        })
    }

    async fn start(&self, call: &ModelCall) -> Result<Response, Failure> {
        let mut dialect = self.learned.dialect();
        loop {
            let response = self.send(dialect, call).await?;
            let status = response.status().as_u16();
            if response.status().is_success() {
                return self.accept(response).await;
            }
            let wish = retry_after(response.headers(), self.http.clock.now());
            let should_retry = should_retry(response.headers());
            let complaint = complaint(response).await;
            let Some(other) = self.learned.learn(dialect, call, status, &complaint) else {
                return Err(Failure { should_retry, ..self.endpoint.answered(status, &complaint, wish) });
            };
            tracing::info!(endpoint = self.endpoint.host, model = self.model, ?other, "asking in another dialect");
            dialect = other;
        }
    }

    async fn send(&self, dialect: Dialect, call: &ModelCall) -> Result<Response, Failure> {
        let mut request = self.http.to(&self.url).post(self.url.clone()).header(ACCEPT, "text/event-stream");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(place) = &call.trace {
            request = request.header("traceparent", place.traceparent());
        }
        let body = dialect.body(&self.model, &self.extra, call);
        request.json(&body).send().await.map_err(|fault| self.endpoint.unreachable(&fault))
    }

    /// A success is no success yet: a proxy's page or an error object may come with status 200.
    async fn accept(&self, response: Response) -> Result<Response, Failure> {
        if let Some(how) = compressed(&response) {
            let what = format!(
                "compressed its answer ({how}), which nobody asked for: a stream is read as it comes; switch compression off there, or at the proxy before it"
            );
            return Err(self.endpoint.failure(FailureClass::Configuration, "compressed", &what));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if !(kind.starts_with("application/json") || kind.starts_with("text/html")) {
            return Ok(response);
        }
        let complaint = complaint(response).await;
        if complaint.is_of_its_own() {
            return Err(self.endpoint.complained(&complaint));
        }
        let what = format!("answered {kind} where a stream was asked for; check `base_url`");
        Err(self.endpoint.failure(FailureClass::Transient, "not_a_stream", &what))
    }
}

impl ChatModel for OpenAiModel {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async move {
            let response = self.start(&call).await?;
            Ok(Box::new(OpenAiStream::new(response, self.endpoint.clone())) as Box<dyn AnswerStream>)
        })
    }
}

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

pub(super) fn bearer(key: &Secret) -> Result<HeaderValue, ProviderFault> {
    if key.expose().is_empty() {
        return Err(ProviderFault::Key);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| ProviderFault::Key)?;
    value.set_sensitive(true);
    Ok(value)
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
