//! The port to a model and what comes through it. An adapter turns one wire format into this stream
//! and every fault into one [`Failure`]; it does not retry and keeps no state between calls. Timers
//! other than the connect timeout belong to the race, which sees only parts that carry content: a
//! keep-alive comment resets nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use super::chat::ChatRequest;
use super::failure::Failure;
use super::money::Usage;
use super::spec::ArmSpec;
use super::trace::CallPlace;

/// One call to a model.
#[derive(Clone, Debug)]
pub struct ModelCall {
    /// What to answer.
    pub request: Arc<ChatRequest>,
    /// Stop after this many tokens; `None` leaves it to the caller's own field or the endpoint.
    pub max_tokens: Option<u32>,
    /// Ask the endpoint for a JSON object (the judge).
    pub json: bool,
    /// Overrides the request's temperature (the judge asks for 0).
    pub temperature: Option<f64>,
    /// Tell the endpoint which call of which run this is (W3C `traceparent`).
    pub trace: Option<CallPlace>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// The token limit was reached.
    Length,
    /// It calls tools.
    ToolCalls,
    /// A filter of the endpoint stopped it.
    ContentFilter,
    /// Anything else an endpoint says.
    Other,
}

/// One part of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerPart {
    /// Text of the answer.
    Text(String),
    /// Text of its reasoning, which is no part of the answer.
    Reasoning(String),
    /// A piece of a tool call, as it came.
    ToolCall(serde_json::Value),
    /// The end of the answer's content; usage may still follow.
    Finish(FinishReason),
    /// Tokens as the endpoint has counted them so far, before the finish; what it says later holds instead.
    Counted(Usage),
    /// Tokens as the endpoint counted them.
    Usage(Usage),
}

/// A streamed answer. Dropping it cancels the request and closes its connection.
pub trait AnswerStream: Send {
    /// The next part; `None` after the end. An error ends the stream: a stream that stops without a
    /// finish reason is an error (`truncated`), never a quiet end. Where an endpoint says that it is done and not why,
    /// which some never do, the reason is [`FinishReason::Other`].
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>>;
}

/// A model at an endpoint.
pub trait ChatModel: Send + Sync {
    /// Starts a streamed answer: resolves when the endpoint has accepted the request with a success
    /// status and an event stream.
    ///
    /// # Errors
    /// A classified [`Failure`], with the endpoint's wish about when to retry where it has one.
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>>;
}

/// Builds the adapter for an arm. The composition root implements it; the engine calls it at start and
/// whenever an arm is added or its declaration changes at run time.
pub trait ModelFactory: Send + Sync {
    /// The adapter for `spec`.
    ///
    /// # Errors
    /// What is wrong with the declaration and how to mend it: a URL that is none, a key variable that
    /// is not set. Never contains a key.
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String>;

    /// A number that is another once calls of that arm go elsewhere or with another key, so that what failed for its
    /// settings may work now. It is stored, and tells nothing of a key that could be found out from it.
    fn fingerprint(&self, spec: &ArmSpec) -> u32 {
        fingerprint_of(spec, None)
    }
}

/// Such a number of the declaration and the `key` that its variable holds: 32 bits, of which a key of the usual length
/// cannot be told.
#[must_use]
pub fn fingerprint_of(spec: &ArmSpec, key: Option<&str>) -> u32 {
    let mut hasher = DefaultHasher::new();
    (spec.provider as u8, &spec.base_url, &spec.model, &spec.api_key_env, key).hash(&mut hasher);
    let bits = hasher.finish();
    (bits >> 32) as u32
}
