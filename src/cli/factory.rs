//! From the declaration of an arm to its adapter: where simulated models meet the same client as any
//! endpoint. Keys are read from the environment here, and nowhere else.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Map;

use super::simulation::Simulation;
use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerStream, ChatModel, ModelCall, ModelFactory, fingerprint_of};
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::search::{SearchResult, WebSearch};
use crate::domain::spec::{ArmSpec, Provider};
use crate::providers::{
    AnthropicConfig, AnthropicModel, BraveConfig, BraveSearch, EmbeddingsConfig, EmbeddingsModel, HttpClient,
    OpenAiConfig, OpenAiModel, ProviderFault, SearxngConfig, SearxngSearch, Secret,
};
use crate::settings::{EmbeddingSettings, EncoderKind, SearchKind, SearchSettings};

/// Builds adapters.
pub(super) struct Factory {
    http: HttpClient,
    simulation: Arc<Simulation>,
}

impl Factory {
    pub(super) const fn new(http: HttpClient, simulation: Arc<Simulation>) -> Self {
        Self { http, simulation }
    }

    fn base_url<'a>(&self, spec: &'a ArmSpec) -> Result<Cow<'a, str>, String> {
        if spec.provider != Provider::Simulated {
            return Ok(Cow::Borrowed(&spec.base_url));
        }
        let server = self.simulation.server()?;
        let models = server.models();
        if models.contains(&spec.model) {
            return Ok(Cow::Owned(server.base_url()));
        }
        Err(format!("the scenario has no model {:?}: expected one of {}", spec.model, models.join(", ")))
    }
}

impl ModelFactory for Factory {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        let (http, model, extra) = (self.http.clone(), spec.model.clone(), Map::new());
        let base_url = self.base_url(spec)?.into_owned();
        let api_key = spec.api_key_env.as_deref().map(key).transpose()?;
        let built: Result<Arc<dyn ChatModel>, ProviderFault> = match spec.provider {
            Provider::Anthropic => {
                AnthropicModel::new(AnthropicConfig { http, base_url, model, api_key, extra }).map(|m| Arc::new(m) as _)
            }
            Provider::Openai | Provider::Simulated => {
                OpenAiModel::new(OpenAiConfig { http, base_url, model, api_key, extra }).map(|m| Arc::new(m) as _)
            }
        };
        built.map_err(|fault| fault.to_string())
    }

    fn fingerprint(&self, spec: &ArmSpec) -> u32 {
        fingerprint_of(spec, spec.api_key_env.as_deref().and_then(|variable| secret(variable).ok()).as_deref())
    }
}

impl Factory {
    /// Who embeds prompts, where that is an endpoint. One that cannot be built says why on every call.
    pub(super) fn embedder(&self, settings: &EmbeddingSettings) -> Option<Arc<dyn Embedder>> {
        let base_url = match settings.encoder {
            EncoderKind::Hashed => return None,
            EncoderKind::Endpoint => Ok(settings.base_url.clone()),
            EncoderKind::Simulated => self.simulation.server().map(|server| server.base_url()),
        };
        let build = || {
            let http = self.http.clone();
            let api_key = settings.api_key_env.as_deref().map(key).transpose()?;
            let config = EmbeddingsConfig { http, base_url: base_url?, model: settings.model.clone(), api_key };
            EmbeddingsModel::new(config).map_err(|fault| fault.to_string())
        };
        Some(match build() {
            Ok(model) => Arc::new(model),
            Err(reason) => {
                tracing::warn!(reason, "prompts cannot be embedded: runs go without");
                Arc::new(Unavailable(reason))
            }
        })
    }
}

impl Factory {
    /// Who searches the web, where anyone does. One that cannot be built says why on every search.
    pub(super) fn search(&self, settings: &SearchSettings) -> Option<Arc<dyn WebSearch>> {
        let http = self.http.clone();
        let built: Result<Arc<dyn WebSearch>, String> = match settings.kind {
            SearchKind::Off => return None,
            SearchKind::Searxng => {
                let base_url = settings.base_url.clone().unwrap_or_default();
                let made = SearxngSearch::new(SearxngConfig { http, base_url });
                made.map(|search| Arc::new(search) as _).map_err(|fault| fault.to_string())
            }
            SearchKind::Brave => key(settings.api_key_env.as_deref().unwrap_or_default()).and_then(|api_key| {
                let base_url = settings.base_url.clone().unwrap_or_else(|| BRAVE.to_owned());
                let made = BraveSearch::new(BraveConfig { http, base_url, api_key });
                made.map(|search| Arc::new(search) as _).map_err(|fault| fault.to_string())
            }),
        };
        Some(built.unwrap_or_else(|reason| {
            tracing::warn!(reason, "the web cannot be searched: runs go without");
            Arc::new(Unavailable(reason))
        }))
    }
}

/// Where Brave's search is.
const BRAVE: &str = "https://api.search.brave.com/res/v1";

/// The key in a variable; what is wrong with it is said without it.
fn key(variable: &str) -> Result<Secret, String> {
    secret(variable).map(|key| Secret::new(&key))
}

/// A password that no adapter of ours carries, as it is.
#[cfg(feature = "redis")]
pub(super) fn password(variable: &str) -> Result<String, String> {
    secret(variable)
}

fn secret(variable: &str) -> Result<String, String> {
    match std::env::var(variable) {
        Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("the variable {variable} holds no text: set it anew")),
        _ => Err(format!("the variable {variable} is not set: set it to the key and start again")),
    }
}

/// A model that could not be built: every call says why.
pub(super) struct Unavailable(pub(super) String);

impl Embedder for Unavailable {
    fn embed<'a>(&'a self, _text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        let failure = Failure::new(FailureClass::Configuration, "no_adapter", self.0.clone());
        Box::pin(std::future::ready(Err(failure)))
    }
}

impl WebSearch for Unavailable {
    fn search<'a>(&'a self, _query: &'a str, _most: usize) -> BoxFuture<'a, Result<Vec<SearchResult>, Failure>> {
        let failure = Failure::new(FailureClass::Configuration, "no_adapter", self.0.clone());
        Box::pin(std::future::ready(Err(failure)))
    }
}

impl ChatModel for Unavailable {
    fn stream(&self, _call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        let failure = Failure::new(FailureClass::Configuration, "no_adapter", self.0.clone());
        Box::pin(std::future::ready(Err(failure)))
    }
}
