//! The embedding of a prompt in the time that a run has for it. What is known is kept in a bounded cache;
//! what is not is asked of the endpoint in a task of its own, for which the run waits only so long: an answer
//! that comes later still fills the cache, for the next prompt like it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::extra::Endpoint;
use super::retry::Retry;
use crate::domain::context::{Context, Normaliser};
use crate::domain::embedding::Embedder;
use crate::domain::failure::Failure;
use crate::domain::handling::Helper;
use crate::features::{embedding_direction, project_embedding};

/// Calls under way at once; with more the run goes without.
const MOST_CALLS: usize = 64;
/// How long an answer that nobody waits for any more is waited for.
const LATEST: Duration = Duration::from_secs(30);

/// Embeddings for runs.
pub struct EmbeddingSource {
    embedder: Arc<dyn Embedder>,
    slots: usize,
    patience: Duration,
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
        Self { embedder, slots, patience, cache, calls: Mutex::new(JoinSet::new()) }
    }

    /// The projected embedding of `text`, asked for again as `retry` has it.
    ///
    /// # Errors
    /// In words, why there is none in time.
    pub async fn of(&self, text: String, retry: &Retry) -> Result<Arc<EmbeddingSample>, String> {
        let key = key(&text);
        if let Some(known) = locked(&self.cache).get(key) {
            return Ok(known);
        }
        let said = Said::default();
        let answer = self.ask(key, text, retry.clone(), &said).ok_or("too many embeddings are under way")?;
        match timeout(self.patience, answer).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err("the embedding was given up".to_owned()),
            Err(_) => {
                let cause = locked(&said).take().map_or_else(String::new, |cause| format!(": {cause}"));
                Err(format!("no embedding within {} ms{cause}", self.patience.as_millis()))
            }
        }
    }

    /// The frozen scale is for embeddings of so many numbers: that decides, and not who answered first.
    pub(super) fn expect(&self, inputs: u32) {
        let mut cache = locked(&self.cache);
        if cache.inputs.replace(inputs) != Some(inputs) {
            (cache.young, cache.old) = (HashMap::new(), HashMap::new());
        }
    }

    fn ask(
        &self,
        key: u128,
        text: String,
        retry: Retry,
        said: &Said,
    ) -> Option<oneshot::Receiver<Result<Arc<EmbeddingSample>, String>>> {
        let mut calls = locked(&self.calls);
        while calls.try_join_next().is_some() {}
        if calls.len() >= MOST_CALLS {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        let (embedder, cache, slots) = (Arc::clone(&self.embedder), Arc::clone(&self.cache), self.slots);
        let said = Arc::clone(said);
        calls.spawn(async move {
            let asked = timeout(LATEST, embed(embedder.as_ref(), &text, &retry, &said)).await;
            let found = match asked {
                Ok(Ok(embedding)) => take_in(&cache, key, &embedding, slots),
                Ok(Err(failure)) => {
                    // Not the endpoint's own words: they may repeat the prompt.
                    tracing::debug!(class = %failure.class, kind = %failure.kind, "an embedding failed");
                    Err(format!("no embedding: {}", failure.message))
                }
                Err(_) => {
                    tracing::debug!("an embedding took too long");
                    Err("no embedding: it took too long".to_owned())
                }
            };
            // Nobody may be waiting any more.
            let _ = sender.send(found);
        });
        Some(answer)
    }
}

/// What the last call that failed said, while another is waited for.
type Said = Arc<Mutex<Option<String>>>;

/// Asks, and again where that may help; the budget is the endpoint's.
async fn embed(embedder: &dyn Embedder, text: &str, retry: &Retry, said: &Said) -> Result<Vec<f32>, Failure> {
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
fn take_in(cache: &Mutex<Cache>, key: u128, embedding: &[f32], slots: usize) -> Result<Arc<EmbeddingSample>, String> {
    let inputs = u32::try_from(embedding.len()).unwrap_or(u32::MAX);
    let mut cache = locked(cache);
    let expected = *cache.inputs.get_or_insert(inputs);
    if inputs != expected {
        return Err(format!("the embedding has {inputs} numbers where others had {expected}: is it another model?"));
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

/// The newest embeddings in two generations: what is read moves to the younger one, and the older one goes
/// when the younger is full.
struct Cache {
    young: HashMap<u128, Arc<EmbeddingSample>>,
    old: HashMap<u128, Arc<EmbeddingSample>>,
    /// Half of what is kept.
    half: usize,
    /// Numbers of every embedding, once one was seen.
    inputs: Option<u32>,
}

impl Cache {
    fn new(kept: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: kept / 2, inputs: None }
    }

    fn get(&mut self, key: u128) -> Option<Arc<EmbeddingSample>> {
        if let Some(found) = self.young.get(&key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(&key)?;
        self.put(key, Arc::clone(&found));
        Some(found)
    }

    fn put(&mut self, key: u128, sample: Arc<EmbeddingSample>) {
        if self.half == 0 {
            return;
        }
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, sample);
    }
}

/// 128 bits of a text: no two prompts of one process share them.
fn key(text: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// What a panic left is as good as any: every change is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BoxFuture;
    use crate::domain::chat::ChatRequest;
    use crate::domain::failure::FailureClass;
    use crate::features::{EmbeddingFeatures, Encoder, FeatureExtractor, LengthFeatures};
    use crate::race::{ExtraBudget, ExtraRules, RetryRules};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers after a time that the text names: `slow`, `broken`, `other`, anything else at once.
    #[derive(Default)]
    struct Scripted(AtomicUsize);

    impl Embedder for Scripted {
        fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Failure>> {
            let before = self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                match text {
                    "slow" => tokio::time::sleep(Duration::from_secs(1)).await,
                    "hanging" => std::future::pending().await,
                    "broken" => return Err(Failure::new(FailureClass::Transient, "connect", "h refused")),
                    "flaky" if before == 0 => {
                        return Err(Failure::new(FailureClass::Transient, "connect", "h refused"));
                    }
                    "other" => return Ok(vec![1.0; 5]),
                    _ => {}
                }
                Ok(vec![0.5, -0.5, 0.5])
            })
        }
    }

    fn once() -> Retry {
        let rules = RetryRules { attempts: 1, ..RetryRules::default() };
        Retry::new(rules, Arc::new(ExtraBudget::new(ExtraRules::default())), 0)
    }

    fn source(kept: usize) -> (Arc<Scripted>, EmbeddingSource) {
        let embedder = Arc::new(Scripted::default());
        (Arc::clone(&embedder), EmbeddingSource::new(embedder, 16, Duration::from_millis(150), kept))
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_waits_no_longer_than_its_patience_and_a_late_answer_is_kept() {
        let (embedder, source) = source(100);
        let started = tokio::time::Instant::now();
        let reason = source.of("slow".to_owned(), &Retry::default()).await.unwrap_err();
        assert_eq!((reason.as_str(), started.elapsed().as_millis()), ("no embedding within 150 ms", 150));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let found = source.of("slow".to_owned(), &Retry::default()).await.unwrap();
        assert_eq!((found.inputs, found.projected.len(), embedder.0.load(Ordering::SeqCst)), (3, 16, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_wrong_is_said_and_harms_nobody_else() {
        let (_, source) = source(100);
        let good = source.of("good".to_owned(), &Retry::default()).await.unwrap();
        assert_eq!(source.of("broken".to_owned(), &once()).await.unwrap_err(), "no embedding: h refused");
        let other = source.of("other".to_owned(), &Retry::default()).await.unwrap_err();
        assert!(other.contains("5 numbers where others had 3"), "{other}");
        for n in 0..MOST_CALLS {
            assert!(source.of("hanging".to_owned(), &Retry::default()).await.is_err(), "{n}");
        }
        assert_eq!(
            source.of("new".to_owned(), &Retry::default()).await.unwrap_err(),
            "too many embeddings are under way"
        );
        assert_eq!(source.of("good".to_owned(), &Retry::default()).await.unwrap(), good, "what is known needs no call");
        tokio::time::sleep(LATEST).await;
        assert!(source.of("new".to_owned(), &Retry::default()).await.is_ok(), "calls that hang are given up");
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_the_late_answer_serves_the_next_prompt() {
        let (embedder, source) = source(100);
        let reason = source.of("flaky".to_owned(), &Retry::default()).await.unwrap_err();
        assert_eq!(reason, "no embedding within 150 ms: h refused", "the cause, though it is asked again");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(source.of("flaky".to_owned(), &Retry::default()).await.is_ok());
        assert_eq!(embedder.0.load(Ordering::SeqCst), 2, "the second call was the retry");
    }

    #[tokio::test]
    async fn a_frozen_scale_decides_how_many_numbers_there_are_and_not_who_answered_first() {
        let (_, source) = source(100);
        assert_eq!(source.of("other".to_owned(), &once()).await.unwrap().inputs, 5);
        assert!(source.of("good".to_owned(), &once()).await.is_err(), "nothing else is known yet");
        source.expect(3);
        assert_eq!(source.of("good".to_owned(), &once()).await.unwrap().inputs, 3);
        assert!(source.of("other".to_owned(), &once()).await.is_err(), "nor is the wrong one kept");
        source.expect(3);
        assert!(source.of("good".to_owned(), &once()).await.is_ok());
    }

    #[tokio::test]
    async fn the_cache_is_bounded_and_keeps_what_is_read() {
        let (embedder, source) = source(8);
        for n in 0..100 {
            source.of(format!("text {n}"), &Retry::default()).await.unwrap();
            source.of("often".to_owned(), &Retry::default()).await.unwrap();
        }
        assert_eq!(embedder.0.load(Ordering::SeqCst), 101);
        let cache = locked(&source.cache);
        assert!(cache.young.len() + cache.old.len() <= 8);
    }

    #[test]
    fn slots_are_scaled_or_left_at_their_mean_and_flagged() {
        let encoder = Encoder::Endpoint { model: "m".to_owned() };
        let features = EmbeddingFeatures::new(LengthFeatures::new(100), encoder, 16);
        let plain = features.compute(&ChatRequest::from_prompt("hello"));
        let slots = features.slots().unwrap();
        let sample = Arc::new(EmbeddingSample { inputs: 3, projected: vec![1.5; 16], direction: Vec::new() });
        let scale = |inputs| Normaliser {
            feature_version: plain.schema.version.clone(),
            inputs,
            prompts: 64,
            mean: vec![0.5; 16],
            sd: vec![2.0; 16],
        };
        let filled = |found, scale: Option<&Normaliser>| {
            let mut context = plain.clone();
            let kept = fill(&mut context, slots.clone(), found, scale);
            (context.x[slots.start], context.degraded.is_some(), kept.is_some())
        };
        assert_eq!(filled(Ok(Arc::clone(&sample)), Some(&scale(3))), (0.5, false, false));
        assert_eq!(filled(Ok(Arc::clone(&sample)), Some(&scale(4))), (0.0, true, false));
        assert_eq!(filled(Ok(sample), None), (0.0, true, true));
        assert_eq!(filled(Err("late".to_owned()), Some(&scale(3))), (0.0, true, false));
    }
}
