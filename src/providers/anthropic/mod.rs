//! Messages over HTTP, as Anthropic defined them (API version 2023-06-01): one call is one POST to
//! `{base_url}/messages`, asked for as a stream. What is asked for is written in `request.rs`, what comes
//! back is read in `events.rs`; the stream itself, failures and keys are dealt with as for every adapter.
//!
//! A request is sent again only where the endpoint refused a number of ours: a token limit above the
//! model's own, or a temperature for a model that takes none. Both are learned once. A failure is never
//! retried here.

mod events;
mod learned;
mod request;
mod turns;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Response, Url};
use serde_json::{Map, Value};

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerStream, ChatModel, ModelCall};
use crate::domain::failure::Failure;

use self::events::Messages;
use self::learned::Learned;
use super::answer::EventStream;
use super::failure::Endpoint;
use super::http::HttpClient;
use super::openai::ProviderFault;
use super::reply::{Accepted, Unstreamed, accept, complaint, endpoint_url};
use super::retry_after::{retry_after, should_retry};
use super::secret::Secret;

/// The version of the API that is spoken here.
const VERSION: &str = "2023-06-01";

/// One model at one endpoint.
#[derive(Clone, Debug)]
pub struct AnthropicConfig {
    /// The shared client.
    pub http: HttpClient,
    /// Up to and including `/v1`; a query is kept.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as `x-api-key`, where the endpoint wants one.
    pub api_key: Option<Secret>,
    /// Fields to send with every request, unless the caller sent them.
    pub extra: Map<String, Value>,
}

/// The adapter.
#[derive(Debug)]
pub struct AnthropicModel {
    http: HttpClient,
    url: Url,
    model: String,
    key: Option<HeaderValue>,
    endpoint: Endpoint,
    extra: Map<String, Value>,
    learned: Learned,
}

impl AnthropicModel {
    /// Checks the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ProviderFault`], saying which setting to mend.
    pub fn new(config: AnthropicConfig) -> Result<Self, ProviderFault> {
        let url = endpoint_url(&config.base_url, &["messages"])?;
        if config.model.trim().is_empty() {
            return Err(ProviderFault::Model);
        }
        let key = config.api_key.as_ref().map(Secret::header).transpose()?;
        let endpoint = Endpoint::at(&url, config.api_key);
        Ok(Self {
            http: config.http,
            url,
            model: config.model,
            key,
            endpoint,
            extra: config.extra,
            learned: Learned::default(),
        })
    }

    async fn start(&self, call: &ModelCall) -> Result<Accepted, Failure> {
        let mut limits = self.learned.limits();
        loop {
            let body = request::body(&self.model, &self.extra, call, limits);
            let response = self.send(&body, call).await?;
            let status = response.status().as_u16();
            if response.status().is_success() {
                return accept(&self.endpoint, response).await;
            }
            let wish = retry_after(response.headers(), self.http.clock.now());
            let should_retry = should_retry(response.headers());
            let complaint = complaint(response).await;
            let Some(other) = self.learned.learn(limits, call, status, &complaint.message) else {
                return Err(Failure { should_retry, ..self.endpoint.answered(status, &complaint, wish) });
            };
            tracing::info!(endpoint = self.endpoint.host, model = self.model, ?other, "asking within other limits");
            limits = other;
        }
    }

    async fn send(&self, body: &Map<String, Value>, call: &ModelCall) -> Result<Response, Failure> {
        let mut request = self.http.to(&self.url).post(self.url.clone()).header(ACCEPT, "text/event-stream");
        request = request.header("anthropic-version", VERSION);
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key.clone());
        }
        if let Some(place) = &call.trace {
            request = request.header("traceparent", place.traceparent());
        }
        request.json(body).send().await.map_err(|fault| self.endpoint.unreachable(&fault))
    }
}

impl ChatModel for AnthropicModel {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async move {
            let endpoint = &self.endpoint;
            Ok(match self.start(&call).await? {
                Accepted::Stream(response) => {
                    Box::new(EventStream::new(response, endpoint.clone(), Messages::default()))
                }
                Accepted::Whole(usage) => Box::new(Unstreamed::new(endpoint, usage)) as Box<dyn AnswerStream>,
            })
        })
    }
}
