//! The HTTP server around the world: `/v1/chat/completions` (streamed or whole), `/v1/models`,
//! `/v1/embeddings`, on a free port of loopback.
//!
//! It lives on a thread with a runtime of its own. `axum::serve` starts a task for each connection that
//! nobody could await; here they all belong to that runtime, and end with it: after `shutdown`, or after
//! the last handle is dropped, no task, no socket and no thread is left.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::Clock;
use crate::domain::context::Intent;
use crate::domain::money::{Price, estimate_tokens};

use super::embed;
use super::prompt::Prompt;
use super::scenario::ScenarioSpec;
use super::stream::{self, Stage};
use super::timeline::Change;
use super::wire::{self, ChatCall, Refusal, Signature};
use super::world::World;

/// Answers at once; beyond it, 503.
const MAX_STREAMS: usize = 4096;
/// Bytes of a request.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Texts in one request for embeddings.
const MAX_INPUTS: usize = 2048;
/// How long answers may take to notice that the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// What a server is made of.
pub struct SimParts {
    /// The models and the timeline.
    pub scenario: ScenarioSpec,
    /// Prompts whose intents are known.
    pub prompts: Vec<Prompt>,
    /// Everything drawn follows from it.
    pub seed: u64,
    /// The timeline runs on its monotonic reading, from the start of the server.
    pub clock: Arc<dyn Clock>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The scenario or the prompts have faults; all of them.
    #[error("the scenario cannot be played: {}", .0.join("; "))]
    Scenario(Vec<String>),
    /// No socket or no thread.
    #[error("the simulated models could not be served on loopback: {0}")]
    Io(#[from] std::io::Error),
}

/// A running server. Dropping it stops it without waiting.
pub struct SimServer {
    world: Arc<World>,
    addr: SocketAddr,
    stop: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SimServer {
    /// Binds a free port and serves. Works with or without a runtime around it.
    ///
    /// # Errors
    /// [`SimError::Scenario`] with every fault of the scenario; [`SimError::Io`].
    pub fn start(parts: SimParts) -> Result<Self, SimError> {
        parts.scenario.check().map_err(SimError::Scenario)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let world = Arc::new(World::new(parts.scenario, &parts.prompts, parts.seed, parts.clock));
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let app =
            Arc::new(App { world: world.clone(), stop: stop.clone(), permits: Arc::new(Semaphore::new(MAX_STREAMS)) });
        let thread = std::thread::Builder::new().name("sim-server".to_owned()).spawn(move || {
            runtime.block_on(serve(listener, app));
            // Whatever did not end in time ends here.
            runtime.shutdown_background();
        })?;
        tracing::info!(%addr, "simulated models are served");
        Ok(Self { world, addr, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Where it is.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its API is, up to and including `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The names of its models, in the scenario's order.
    pub fn models(&self) -> Vec<String> {
        self.world.models().iter().map(|model| model.name.clone()).collect()
    }

    /// The expected true quality, in [0, 1], of an answer of `model` to a prompt of `intent` as things
    /// stand in the timeline; `None` for a model that it does not have. An outage does not lower it.
    pub fn expected_quality(&self, model: &str, intent: Intent) -> Option<f64> {
        self.world.expected_quality(model, intent)
    }

    /// The one of `among` with the highest expected quality now, and that quality; the first among equals.
    pub fn best_model<'a>(&self, among: &[&'a str], intent: Intent) -> Option<(&'a str, f64)> {
        let known = among.iter().filter_map(|name| Some((*name, self.expected_quality(name, intent)?)));
        known.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// What `model` costs now, dollars per million tokens.
    pub fn price(&self, model: &str) -> Option<Price> {
        self.world.price(model)
    }

    /// Seconds since the start, on the timeline.
    pub fn elapsed_s(&self) -> f64 {
        self.world.elapsed_s()
    }

    /// The changes that happened later than `after_s` seconds into the timeline, until now, oldest first.
    pub fn changes_since(&self, after_s: f64) -> Vec<Change> {
        self.world.changes(after_s)
    }

    /// Stops: running answers break off, and when this returns the thread has ended.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::warn!("the thread of the simulated models ended badly");
            }
        }
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct App {
    world: Arc<World>,
    stop: CancellationToken,
    permits: Arc<Semaphore>,
}

async fn serve(listener: std::net::TcpListener, app: Arc<App>) {
    let stop = app.stop.clone();
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the simulated models cannot listen"),
    };
    let listener = listener.tap_io(|stream| {
        // Chunks are small and wanted at once.
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        end = server => {
            if let Err(error) = end {
                tracing::error!(%error, "the simulated models ended");
            }
        }
        () = late => tracing::debug!("connections were still open when the simulated models stopped"),
    }
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/v1/embeddings", post(embeddings))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

async fn chat(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let started = Instant::now();
    let call = match ChatCall::read(&body) {
        Ok(call) => call,
        Err(refusal) => return refusal.into_response(),
    };
    let Ok(permit) = app.permits.clone().try_acquire_owned() else {
        return Refusal::unavailable().into_response();
    };
    let script = match app.world.script(&call) {
        Ok(script) => script,
        Err(refusal) => return refusal.into_response(),
    };
    let signature =
        Signature { id: format!("chatcmpl-{:016x}", script.seed), created: app.world.unix_s(), model: call.model };
    let stage =
        Stage { signature, include_usage: call.include_usage, started, stop: app.stop.clone(), _permit: permit };
    if call.stream { stream::events(script, stage) } else { stream::whole(script, stage).await }
}

async fn models(State(app): State<Arc<App>>) -> Response {
    let row = |name: &str| {
        let price = app.world.price(name).unwrap_or_default();
        // Dollars a token, as texts: the form in which aggregators list them.
        let pricing = json!({ "prompt": per_token(price.input), "completion": per_token(price.output) });
        json!({ "id": name, "object": "model", "created": 0, "owned_by": "simulation", "pricing": pricing })
    };
    let rows: Vec<Value> = app.world.models().iter().map(|model| row(&model.name)).collect();
    wire::json_response(StatusCode::OK, &json!({ "object": "list", "data": rows }))
}

fn per_token(per_million: f64) -> String {
    format!("{:.12}", per_million / 1e6)
}

async fn embeddings(body: Bytes) -> Response {
    match embed_all(&body) {
        Ok(answer) => wire::json_response(StatusCode::OK, &answer),
        Err(refusal) => refusal.into_response(),
    }
}

fn embed_all(body: &[u8]) -> Result<Value, Refusal> {
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(None, format!("the body is no JSON: {error}")))?;
    let expected = || Refusal::bad_request(Some("input"), "`input`: expected a text or a list of texts".to_owned());
    let texts: Vec<&str> = match request.get("input") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(texts)) if !texts.is_empty() && texts.len() <= MAX_INPUTS => {
            texts.iter().map(|text| text.as_str().ok_or_else(expected)).collect::<Result<_, _>>()?
        }
        _ => return Err(expected()),
    };
    let dimensions = match request.get("dimensions") {
        None | Some(Value::Null) => embed::DEFAULT_DIMENSIONS,
        Some(value) => value.as_u64().and_then(|d| usize::try_from(d).ok()).unwrap_or(0),
    };
    if !(1..=embed::MAX_DIMENSIONS).contains(&dimensions) {
        let message = format!("`dimensions`: expected 1 to {}", embed::MAX_DIMENSIONS);
        return Err(Refusal::bad_request(Some("dimensions"), message));
    }
    let tokens: u32 = texts.iter().map(|text| estimate_tokens(text)).fold(0, u32::saturating_add);
    let row = |(index, text): (usize, &&str)| json!({ "object": "embedding", "index": index, "embedding": embed::embed(text, dimensions) });
    let rows: Vec<Value> = texts.iter().enumerate().map(row).collect();
    let model = request.get("model").and_then(Value::as_str).unwrap_or("hashed-ngrams");
    Ok(json!({
        "object": "list", "data": rows, "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    }))
}
