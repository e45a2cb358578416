//! Text embeddings over HTTP: one POST to `{base_url}/embeddings` for one text. Nothing is sent again, nothing
//! is kept; how long to wait is the caller's business.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::BoxFuture;
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::failure::{Failure, FailureClass};

use super::failure::Endpoint;
use super::http::HttpClient;
use super::openai::ProviderFault;
use super::reply::{complaint, endpoint_url};
use super::retry_after::retry_after;
use super::secret::Secret;

/// Bytes of an answer, at most: some 50 times the largest known.
const LARGEST: usize = 4 << 20;
/// Numbers of an embedding, at most.
const WIDEST: usize = 65_536;

/// One embedding model at one endpoint.
#[derive(Clone, Debug)]
pub struct EmbeddingsConfig {
    /// The shared client.
    pub http: HttpClient,
    /// Up to and including `/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token, where the endpoint wants one.
    pub api_key: Option<Secret>,
}

/// The adapter.
#[derive(Debug)]
pub struct EmbeddingsModel {
    http: HttpClient,
    url: Url,
    model: String,
    authorization: Option<HeaderValue>,
    endpoint: Endpoint,
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
    /// Whatever it is: what it says is nice to know, and no reason to refuse the numbers.
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Row {
    embedding: Vec<f32>,
}

impl EmbeddingsModel {
    /// Checks the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ProviderFault`], saying which setting to mend.
    pub fn new(config: EmbeddingsConfig) -> Result<Self, ProviderFault> {
        let url = endpoint_url(&config.base_url, &["embeddings"])?;
        if config.model.trim().is_empty() {
            return Err(ProviderFault::Model);
        }
        let authorization = config.api_key.as_ref().map(Secret::bearer).transpose()?;
        let endpoint = Endpoint::at(&url, config.api_key);
        Ok(Self { http: config.http, url, model: config.model, authorization, endpoint })
    }

    async fn ask(&self, text: &str) -> Result<Embedding, Failure> {
        let mut request = self.http.to(&self.url).post(self.url.clone());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        // Endpoints refuse an empty text.
        let input = if text.trim().is_empty() { " . " } else { text };
        let body = json!({ "model": self.model, "input": input, "encoding_format": "float" });
        let response = request.json(&body).send().await.map_err(|fault| self.endpoint.unreachable(&fault))?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let wish = retry_after(response.headers(), self.http.clock.now());
            return Err(self.endpoint.answered(status, &complaint(response).await, wish));
        }
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Embedding, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|fault| self.endpoint.interrupted(&fault))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(self.malformed("answered with more than an embedding can hold"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| self.malformed("answered with something that is no embedding; check `base_url`"))?;
        let tokens = ["prompt_tokens", "total_tokens"].iter().find_map(|key| answer.usage.get(key)?.as_u64());
        let tokens = tokens.and_then(|tokens| u32::try_from(tokens).ok());
        let numbers = answer.data.into_iter().next().map(|row| row.embedding).unwrap_or_default();
        let is_sound = (1..=WIDEST).contains(&numbers.len()) && numbers.iter().all(|value| value.is_finite());
        if !is_sound {
            return Err(self.malformed("answered with an embedding without sound numbers"));
        }
        Ok(Embedding { numbers, tokens })
    }

    fn malformed(&self, what: &str) -> Failure {
        self.endpoint.failure(FailureClass::Content, "malformed", what)
    }
}

impl Embedder for EmbeddingsModel {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        Box::pin(self.ask(text))
    }
}
