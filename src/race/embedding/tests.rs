//! An embedder that is slow, broken or another one: what a run gets of it, waits for, and pays.

use super::*;
use crate::domain::BoxFuture;
use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::features::{EmbeddingFeatures, Encoder, FeatureExtractor, LengthFeatures};
use crate::race::{DayAccount, ExtraBudget, ExtraRules, RetryRules};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers after a time that the text names: `slow`, `broken`, `other`, anything else at once.
#[derive(Default)]
struct Scripted(AtomicUsize);

impl Embedder for Scripted {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match text {
                "slow" => tokio::time::sleep(Duration::from_secs(1)).await,
                "hanging" => std::future::pending().await,
                "broken" => return Err(Failure::new(FailureClass::Transient, "connect", "h refused")),
                "flaky" if before == 0 => {
                    return Err(Failure::new(FailureClass::Transient, "connect", "h refused"));
                }
                "other" => return Ok(Embedding { numbers: vec![1.0; 5], tokens: None }),
                _ => {}
            }
            Ok(Embedding { numbers: vec![0.5, -0.5, 0.5], tokens: (text == "told").then_some(40) })
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
    assert_eq!(source.of("new".to_owned(), &Retry::default()).await.unwrap_err(), "too many embeddings are under way");
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
    assert!(locked(&source.cache).len() <= 8);
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

/// A ceiling of dollars on a run, and what is left of a day.
fn purse(run_usd: f64, day: &Arc<DayAccount>) -> Purse {
    let rules = BudgetRules { run_usd: Some(run_usd), ..BudgetRules::default() };
    Purse::new(rules, Some(day.reserve(Timestamp::default(), 2.0).unwrap()))
}

async fn paid(source: &EmbeddingSource, text: &str, purse: &Purse) -> Looked {
    let (events, stop) = (EventSink::none(), CancellationToken::new());
    source.for_run(text.to_owned(), &once(), Wire { events: &events, stop: &stop, purse }).await
}

#[tokio::test(start_paused = true)]
async fn what_it_takes_is_paid_by_the_run_that_asked() {
    let (_, source) = source(100);
    // A dollar a token.
    let source = source.priced(Some(1e6));
    let rows = [
        ("told", 40.0, false, None),
        ("words", 2.0, true, None),
        ("slow", 1.0, true, Some("embedding_timeout")),
        ("broken", 0.0, true, Some("connect")),
        ("other", 2.0, true, Some("dimensions")),
    ];
    for (text, dollars, estimated, kind) in rows {
        let day = Arc::new(DayAccount::new(1_000.0));
        let purse = purse(500.0, &day);
        let looked = paid(&source, text, &purse).await;
        let record = looked.record.unwrap();
        assert_eq!((record.cost_usd, record.estimated), (Some(dollars), estimated), "{text}");
        assert_eq!(record.error.as_ref().map(|failure| failure.kind.as_ref()), kind, "{text}");
        assert_eq!((looked.found.is_err(), day.state(Timestamp::default()).0), (kind.is_some(), dollars), "{text}");
    }
    let day = Arc::new(DayAccount::new(1_000.0));
    assert_eq!(paid(&source, "told", &purse(500.0, &day)).await.record, None, "what is known is free");
    assert!(day.state(Timestamp::default()).0.abs() < 1e-12);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_for_where_a_ceiling_leaves_no_room() {
    let (embedder, source) = source(100);
    let source = source.priced(Some(1e6));
    let wide = Arc::new(DayAccount::new(1_000.0));
    let narrow = Arc::new(DayAccount::new(2.5));
    for (run_usd, day, key) in [(2.0, &wide, "budget.per_run_usd"), (500.0, &narrow, "budget.per_day_usd")] {
        let looked = paid(&source, "a text of five tokens", &purse(run_usd, day)).await;
        assert!(looked.found.unwrap_err().contains(key) && looked.record.is_none(), "{key}");
    }
    assert_eq!(embedder.0.load(Ordering::SeqCst), 0);
    let free = paid(&source.priced(None), "a text of five tokens", &purse(2.0, &narrow)).await;
    assert_eq!((free.found.is_ok(), free.record.unwrap().cost_usd), (true, None), "what has no price has no ceiling");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_waits_for_no_embedding() {
    let (_, source) = source(100);
    let source = EmbeddingSource { patience: Duration::from_mins(1), ..source };
    let (events, stop, purse) = (EventSink::none(), CancellationToken::new(), Purse::new(BudgetRules::default(), None));
    stop.cancel();
    let started = tokio::time::Instant::now();
    let wire = Wire { events: &events, stop: &stop, purse: &purse };
    let looked = source.for_run("hanging".to_owned(), &once(), wire).await;
    assert_eq!(
        (looked.record.unwrap().error.unwrap().class, started.elapsed()),
        (FailureClass::Cancelled, Duration::ZERO)
    );
}
