//! The port to text embeddings. An adapter asks once, classifies what went wrong, and keeps nothing: patience,
//! cache, scale and price belong to who asks.

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::failure::Failure;

/// What a text became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedding {
    /// Finite numbers, as many for every text.
    pub numbers: Vec<f32>,
    /// Tokens of the text as the endpoint counted them; absent where it did not say.
    pub tokens: Option<u32>,
}

/// What asking for the embedding of a run's prompt took. Absent where it was known, or nobody was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRecord {
    /// Seconds that the run waited.
    pub seconds: f64,
    /// Tokens of the text.
    pub tokens: u32,
    /// True where tokens are estimated: the endpoint did not say, or the run did not wait for it.
    #[serde(default)]
    pub estimated: bool,
    /// Dollars; absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Why the run went without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// Turns a text into numbers.
pub trait Embedder: Send + Sync {
    /// The embedding of `text`.
    ///
    /// # Errors
    /// A classified [`Failure`]; never holds a key.
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>>;
}
