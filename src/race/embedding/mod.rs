//! The embedding of a prompt in the time that a run has for it. What is known is kept in a bounded cache;
//! what is not is asked of the endpoint in a task of its own, for which the run waits only so long: an answer
//! that comes later still fills the cache, for the next prompt like it.
//!
//! What has a price is paid for out of the run's purse as a call of a model is: an estimate before the call, where
//! the ceilings leave room for it, and what the endpoint counted once it has answered. A call that the run does not
//! wait for any more keeps its estimate; one that was not answered has cost nothing.

mod cache;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::select;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::budget::{BudgetRules, Purse};
use super::call::{cancelled, panicked};
use super::events::{EventSink, Wire};
use super::extra::Endpoint;
use super::reading::is_credible;
use super::retry::Retry;
use crate::domain::context::{Context, Normaliser};
use crate::domain::embedding::{Embedder, Embedding, EmbeddingRecord};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::handling::Helper;
use crate::domain::money::{Price, Usage, estimate_tokens};
use crate::domain::tally::Phase;
use crate::features::{embedding_direction, project_embedding};
use cache::{Cache, key};

/// Calls under way at once; with more the run goes without.
const MOST_CALLS: usize = 64;
/// How long an answer that nobody waits for any more is waited for.
const LATEST: Duration = Duration::from_secs(30);

/// Embeddings for runs.
pub struct EmbeddingSource {
    embedder: Arc<dyn Embedder>,
    slots: usize,
    patience: Duration,
    price: Option<Price>,
    cache: Arc<Mutex<Cache>>,
    calls: Mutex<JoinSet<()>>,
}

/// A projected embedding before scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingSample {
    /// Numbers of the embedding before projection.
    pub inputs: u32,
    /// One a slot.
    pub projected: Vec<f64>,
    /// Where it points, for telling prompts that are nearly the same.
    pub direction: Vec<f32>,
}

impl EmbeddingSource {
    /// Asks `embedder`, waits `patience` at most, keeps `kept` embeddings, projects to `slots`.
    #[must_use]
    pub fn new(embedder: Arc<dyn Embedder>, slots: usize, patience: Duration, kept: usize) -> Self {
        let cache = Arc::new(Mutex::new(Cache::new(kept)));
        Self { embedder, slots, patience, price: None, cache, calls: Mutex::new(JoinSet::new()) }
    }

    /// The same at so many dollars per million tokens, where that is known.
    #[must_use]
    pub fn priced(self, usd_per_million: Option<f64>) -> Self {
        let price = usd_per_million.map(|input| Price { input, ..Price::default() });
        Self { price, ..self }
    }

    /// Whether what it takes counts as nothing, for want of a price.
    #[must_use]
    pub const fn is_unpriced(&self) -> bool {
        self.price.is_none()
    }

    /// The projected embedding of `text` outside of any run, asked for again as `retry` has it.
    ///
    /// # Errors
    /// In words, why there is none in time.
    pub async fn of(&self, text: String, retry: &Retry) -> Result<Arc<EmbeddingSample>, String> {
        let (events, stop, purse) =
            (EventSink::none(), CancellationToken::new(), Purse::new(BudgetRules::default(), None));
        self.for_run(text, retry, Wire { events: &events, stop: &stop, purse: &purse }).await.found
    }

    /// The same for a run, which pays for it.
    pub(super) async fn for_run(&self, text: String, retry: &Retry, wire: Wire<'_>) -> Looked {
        let key = key(&text);
        if let Some(known) = locked(&self.cache).get(key) {
            return Looked { found: Ok(known), record: None };
        }
        let estimate = Usage { input_tokens: estimate_tokens(&text), estimated: true, ..Usage::default() };
        let due = self.cost(&estimate);
        if let Err(full) = wire.purse.affords(Phase::Preview, due) {
            return Looked::unasked(format!("no embedding: {}", full.message));
        }
        let (started, said) = (Instant::now(), Said::default());
        let Some(answer) = self.ask(key, text, retry.clone(), &said) else {
            return Looked::unasked("too many embeddings are under way".to_owned());
        };
        wire.purse.pay(Phase::Preview, due);
        let asked = select! {
            biased;
            () = wire.stop.cancelled() => Asked::failed(cancelled(), estimate),
            answer = timeout(self.patience, answer) => match answer {
                Ok(Ok(asked)) => asked,
                Ok(Err(_)) => Asked::failed(transient("given_up", "the embedding was given up".to_owned()), estimate),
                Err(_) => {
                    let cause = locked(&said).take().map_or_else(String::new, |cause| format!(": {cause}"));
                    let reason = format!("no embedding within {} ms{cause}", self.patience.as_millis());
                    Asked::failed(transient("embedding_timeout", reason), estimate)
                }
            },
        };
        wire.purse.pay(Phase::Preview, self.cost(&asked.usage) - due);
        let record = EmbeddingRecord {
            seconds: started.elapsed().as_secs_f64(),
            tokens: asked.usage.input_tokens,
            estimated: asked.usage.estimated,
            cost_usd: self.price.map(|price| price.cost(&asked.usage)),
            error: asked.found.as_ref().err().cloned(),
        };
        Looked { found: asked.found.map_err(|failure| failure.message), record: Some(record) }
    }

    fn cost(&self, usage: &Usage) -> f64 {
        self.price.map_or(0.0, |price| price.cost(usage))
    }

    /// The frozen scale is for embeddings of so many numbers: that decides, and not who answered first.
    pub(super) fn expect(&self, inputs: u32) {
        locked(&self.cache).expect(inputs);
    }

    fn ask(&self, key: u128, text: String, retry: Retry, said: &Said) -> Option<oneshot::Receiver<Asked>> {
        let mut calls = locked(&self.calls);
        while calls.try_join_next().is_some() {}
        if calls.len() >= MOST_CALLS {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        let (embedder, cache, slots) = (Arc::clone(&self.embedder), Arc::clone(&self.cache), self.slots);
        let said = Arc::clone(said);
        calls.spawn(async move {
            let estimate = Usage { input_tokens: estimate_tokens(&text), estimated: true, ..Usage::default() };
            let calling = AssertUnwindSafe(embed(embedder.as_ref(), &text, &retry, &said)).catch_unwind();
            let calling = calling.map(|ended| ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
            let asked = match timeout(LATEST, calling).await {
                Ok(Ok(embedding)) => Asked {
                    usage: counted(embedding.tokens, estimate),
                    found: take_in(&cache, key, &embedding.numbers, slots),
                },
                Ok(Err(failure)) => {
                    // Not the endpoint's own words: they may repeat the prompt.
                    tracing::debug!(class = %failure.class, kind = %failure.kind, "an embedding failed");
                    let message = format!("no embedding: {}", failure.message);
                    // An answer that is of no use was work all the same.
                    let was_answered = failure.class == FailureClass::Content;
                    let usage = if was_answered { estimate } else { Usage { input_tokens: 0, ..estimate } };
                    Asked::failed(Failure { message, ..failure }, usage)
                }
                Err(_) => {
                    tracing::debug!("an embedding took too long");
                    let message = "no embedding: it took too long".to_owned();
                    Asked::failed(transient("embedding_timeout", message), estimate)
                }
            };
            // Nobody may be waiting any more.
            let _ = sender.send(asked);
        });
        Some(answer)
    }
}

/// What a run has of its wish.
pub(super) struct Looked {
    /// The embedding, or in words why there is none.
    pub(super) found: Result<Arc<EmbeddingSample>, String>,
    /// What it took; absent where nobody was asked.
    pub(super) record: Option<EmbeddingRecord>,
}

impl Looked {
    const fn unasked(reason: String) -> Self {
        Self { found: Err(reason), record: None }
    }
}

/// What came of asking, and what it is billed for.
struct Asked {
    found: Result<Arc<EmbeddingSample>, Failure>,
    usage: Usage,
}

impl Asked {
    const fn failed(failure: Failure, usage: Usage) -> Self {
        Self { found: Err(failure), usage }
    }
}

fn transient(kind: &'static str, message: String) -> Failure {
    Failure::new(FailureClass::Transient, kind, message)
}

/// What the endpoint says it was, where that can be.
fn counted(tokens: Option<u32>, estimate: Usage) -> Usage {
    let told = tokens.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
    told.filter(|told| is_credible(told, &estimate)).unwrap_or(estimate)
}

/// What the last call that failed said, while another is waited for.
type Said = Arc<Mutex<Option<String>>>;

/// Asks, and again where that may help; the budget is the endpoint's.
async fn embed(embedder: &dyn Embedder, text: &str, retry: &Retry, said: &Said) -> Result<Embedding, Failure> {
    let started = Instant::now();
    let mut tries = retry.begin(&Endpoint::Helper(Helper::Embedding), 0);
    loop {
        let failure = match embedder.embed(text).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        *locked(said) = Some(failure.message.clone());
        match tries.again(&failure, LATEST, started.elapsed()) {
            Some(wait) => sleep(wait).await,
            None => return Err(failure),
        }
    }
}

/// Every embedding has as many numbers as the first: another count is another model behind the same name.
fn take_in(cache: &Mutex<Cache>, key: u128, embedding: &[f32], slots: usize) -> Result<Arc<EmbeddingSample>, Failure> {
    let inputs = u32::try_from(embedding.len()).unwrap_or(u32::MAX);
    let mut cache = locked(cache);
    let expected = *cache.inputs.get_or_insert(inputs);
    if inputs != expected {
        let message = format!("the embedding has {inputs} numbers where others had {expected}: is it another model?");
        return Err(Failure::new(FailureClass::Configuration, "dimensions", message));
    }
    let (projected, direction) = (project_embedding(embedding, slots), embedding_direction(embedding));
    let sample = Arc::new(EmbeddingSample { inputs, projected, direction });
    cache.put(key, Arc::clone(&sample));
    Ok(sample)
}

/// Writes what a source found into the slots of `context`, or why it could not be.
pub(super) fn fill(
    context: &mut Context,
    slots: std::ops::Range<usize>,
    found: Result<Arc<EmbeddingSample>, String>,
    normaliser: Option<&Normaliser>,
) -> Option<EmbeddingSample> {
    let sample = match found {
        Ok(sample) => sample,
        Err(reason) => {
            context.degraded = Some(reason);
            return None;
        }
    };
    match normaliser {
        None => {
            context.degraded = Some("the scale of the embedding is still being learned".to_owned());
            return Some(EmbeddingSample::clone(&sample));
        }
        Some(scale) if scale.inputs != sample.inputs => {
            let (found, expected) = (sample.inputs, scale.inputs);
            context.degraded =
                Some(format!("the embedding has {found} numbers, its scale was learned on {expected}: another model?"));
        }
        Some(scale) => {
            for (slot, value) in slots.zip(scale.apply(&sample.projected)) {
                if let Some(x) = context.x.get_mut(slot) {
                    *x = value;
                }
            }
        }
    }
    None
}

/// What a panic left is as good as any: every change is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
