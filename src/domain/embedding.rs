//! The port to text embeddings. An adapter asks once, classifies what went wrong, and keeps nothing: patience,
//! cache and scale belong to who asks.

use super::BoxFuture;
use super::failure::Failure;

/// Turns a text into numbers.
pub trait Embedder: Send + Sync {
    /// The embedding of `text`: finite numbers, as many for every text.
    ///
    /// # Errors
    /// A classified [`Failure`]; never holds a key.
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Failure>>;
}
