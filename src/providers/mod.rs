//! Models behind HTTP endpoints. An adapter turns one wire format into the stream of
//! [`crate::domain::answer`] and every fault into one classified failure; OpenAI's chat completions is
//! the format that nearly every endpoint speaks; Anthropic's messages is the other one.
//!
//! Architecture invariants: nothing here retries a failure, races, or judges an answer. No timer runs
//! over an answer but the connect timeout: phases belong to the race. No buffer grows without bound, no
//! redirect is followed, no body is decompressed, and no key is ever printed.

mod answer;
mod anthropic;
mod chunk;
mod complaint;
mod dialect;
mod embeddings;
mod encoded;
mod failure;
mod guard;
mod http;
mod openai;
mod reply;
mod retry_after;
mod search;
mod secret;
mod spelled;
#[doc(hidden)]
pub mod sse;
#[cfg(test)]
mod tests;
mod thoughts;

pub use anthropic::{AnthropicConfig, AnthropicModel};
pub use embeddings::{EmbeddingsConfig, EmbeddingsModel};
pub use http::HttpClient;
pub use openai::{OpenAiConfig, OpenAiModel, ProviderFault};
pub use search::{BraveConfig, BraveSearch, SearxngConfig, SearxngSearch};
pub use secret::Secret;
