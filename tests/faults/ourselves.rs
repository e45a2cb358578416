//! What goes wrong on our side of the wire: the disk is full, a clock jumps, a task panics, a reader is slow,
//! nobody is left to ask.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::domain::BoxFuture;
use banditop::domain::answer::{AnswerStream, ChatModel, ModelCall};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::context::{Context, FeatureSchema};
use banditop::domain::embedding::{Embedder, Embedding};
use banditop::domain::event::RunEvent;
use banditop::domain::failure::{Failure, FailureClass};
use banditop::domain::record::RunOutcome;
use banditop::domain::spec::Strategy;
use banditop::features::{FeatureExtractor, LengthFeatures};
use banditop::race::{EmbeddingSource, JudgeChoice};
use tokio::time::Instant;

use super::rig::{GOOD, Jumping, Rig, client};
use super::server::{Act, answer, ends, says, stream};
use super::stage::{At, Stage};

const WHOLE: &str = "An answer that is whole, in a few words.";

fn whole() -> Vec<Vec<Act>> {
    vec![vec![stream(&answer(WHOLE))]]
}

#[tokio::test]
async fn clock_jumps() {
    let rig = Rig::new(&client(), Strategy::Race)
        .with(|race| race.clock = Arc::new(Jumping(SystemClock::new(), Mutex::new(false))));
    let played = rig.play(whole()).await;
    let record = &played.record;
    assert_eq!(record.outcome, RunOutcome::Served);
    assert!(
        record.timings_s.total < 5.0 && record.attempts.iter().all(|a| a.latency_s < 5.0),
        "{:?}",
        record.timings_s
    );
    assert!(
        played.learned().unwrap().preview.is_some_and(|terms| terms.latency > 0.5),
        "no jump is learned as slowness"
    );
}

#[tokio::test]
async fn panic_in_the_task_of_a_phase() {
    for strategy in [Strategy::Baseline, Strategy::Race] {
        let rig = Rig { panics: true, ..Rig::new(&client(), strategy) };
        let played = rig.play(whole()).await;
        assert_eq!(played.record.answer.as_deref(), Some(GOOD), "another arm answers");
        assert_eq!(played.learned(), None);
        assert!(played.screens[0].contains("a fault in banditop itself ended the call"), "{}", played.screens[0]);
    }
}

/// A judge, or an endpoint of embeddings, whose adapter has a fault of its own.
struct Faulty;

impl ChatModel for Faulty {
    fn stream(&self, _call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async { panic!("a judge with a fault") })
    }
}

impl Embedder for Faulty {
    fn embed<'a>(&'a self, _text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        Box::pin(async { panic!("an embedder with a fault") })
    }
}

#[tokio::test]
async fn panic_in_the_task_of_the_judge() {
    let rig = Rig::new(&client(), Strategy::Race).with(|race| {
        race.judge = Some(JudgeChoice::Model { name: "judge".to_owned(), model: Arc::new(Faulty), price: None });
    });
    let played = rig.play(whole()).await;
    let record = &played.record;
    assert_eq!(record.outcome, RunOutcome::Served);
    let failure = record.judging.as_ref().unwrap().error.as_ref().unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Transient, "panic"), "{failure}");
    let verdict = record.verdict.as_ref().unwrap();
    assert!(verdict.local_fallback && verdict.reason.as_ref().unwrap().contains("a fault in banditop itself"));
    let learned = played.learned().unwrap();
    assert_eq!((learned.quality, learned.trial), (None, false), "what was learned about quality is left alone");
    assert!(played.screens[0].contains("judged locally"), "{}", played.screens[0]);
}

#[tokio::test]
async fn panic_in_the_task_of_an_embedding() {
    for strategy in [Strategy::Baseline, Strategy::Race] {
        let rig = Rig::new(&client(), strategy).with(|race| {
            race.embedding = Some(EmbeddingSource::new(Arc::new(Faulty), 4, Duration::from_secs(1), 9));
        });
        let played = rig.play(whole()).await;
        let record = &played.record;
        assert_eq!(record.outcome, RunOutcome::Served);
        let failure = record.policies.embedding.as_ref().and_then(|embedding| embedding.error.as_ref()).unwrap();
        assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Transient, "panic"), "{failure}");
        assert!(failure.message.contains("a fault in banditop itself"), "{failure}");
        assert!(played.took < Duration::from_secs(1) + played.withheld, "nobody waits for what has ended");
        assert!(played.learned().is_some(), "the run is learned from without it");
    }
}

/// Features that cannot be computed.
struct Panicking(LengthFeatures);

impl FeatureExtractor for Panicking {
    fn schema(&self) -> &Arc<FeatureSchema> {
        self.0.schema()
    }

    fn compute(&self, _request: &ChatRequest) -> Context {
        panic!("features with a fault")
    }

    fn kind(&self) -> &'static str {
        self.0.kind()
    }
}

#[tokio::test]
async fn panic_before_anybody_is_asked() {
    let rig = Rig::new(&client(), Strategy::Race)
        .with(|race| race.features = Arc::new(Panicking(LengthFeatures::new(2_000))));
    let played = rig.play(whole()).await;
    assert!(matches!(&played.record.outcome, RunOutcome::Failed { message } if message.contains("banditop itself")));
    assert!(played.calls.is_empty() && played.learned().is_none());
    assert!(played.screens[0].contains("a fault in banditop itself ended the run"), "{}", played.screens[0]);
}

#[tokio::test]
async fn slow_reader() {
    let words: String = (0..40).map(|i| says(&format!("{i} "))).collect();
    let script = vec![stream(&format!("{words}{}", ends("stop")))];
    let rig = Rig { reader: (1, Duration::from_millis(10)), ..Rig::new(&client(), Strategy::Baseline) };
    let played = rig.play(vec![script]).await;
    let heard: String = played
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::AnswerText { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(Some(heard), played.record.answer, "nothing is lost");
    assert_eq!(played.attempts(), "bad:ok");
}

#[tokio::test]
async fn all_arms_are_out() {
    let rig = Rig::new(&client(), Strategy::Race);
    let nowhere = || "http://127.0.0.1:1/v1".to_owned();
    let rig = rig.prepared(|parts| parts.facts.arms.iter_mut().for_each(|arm| arm.enabled = false));
    let mut stage = Stage::open(&rig, &[("bad", At::nowhere(nowhere())), ("good", At::nowhere(nowhere()))]).await;
    let asked = Instant::now();
    let said = stage.refused().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for words in ["no arm can be asked", "bad: deactivated", "good: deactivated", "reactivate it"] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    stage.end().await;
}
