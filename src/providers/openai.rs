//! Chat completions over HTTP, as OpenAI defined them and nearly every endpoint speaks them.
//!
//! One call is one POST to `{base_url}/chat/completions`, asked for as a stream. It is sent again only
//! where the endpoint refused a field that this adapter added (see `dialect`); a failure is never
//! retried here. A success status is not believed until what follows is a stream.

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Response, Url};
use serde_json::{Map, Value};

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerStream, ChatModel, ModelCall};
use crate::domain::failure::Failure;

use super::answer::EventStream;
use super::chunk::Completions;
use super::dialect::{Dialect, Learned};
use super::failure::Endpoint;
use super::http::HttpClient;
use super::reply::{Accepted, Unstreamed, accept, complaint, endpoint_url};
use super::retry_after::{retry_after, should_retry};
use super::secret::Secret;

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
        let authorization = config.api_key.as_ref().map(Secret::bearer).transpose()?;
        let endpoint = Endpoint::at(&url, config.api_key);
        Ok(Self {
            http: config.http,
            url,
            model: config.model,
            authorization,
            endpoint,
            extra: config.extra,
            learned: Learned::default(),
        })
    }

    async fn start(&self, call: &ModelCall) -> Result<Accepted, Failure> {
        let mut dialect = self.learned.dialect();
        loop {
            let response = self.send(dialect, call).await?;
            let status = response.status().as_u16();
            if response.status().is_success() {
                return accept(&self.endpoint, response).await;
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
}

impl ChatModel for OpenAiModel {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async move {
            let endpoint = &self.endpoint;
            Ok(match self.start(&call).await? {
                Accepted::Stream(response) => Box::new(EventStream::new(response, endpoint.clone(), Completions)),
                Accepted::Whole(usage) => Box::new(Unstreamed::new(endpoint, usage)) as Box<dyn AnswerStream>,
            })
        })
    }
}
