//! Previews that were made before: who is not asked again, what that costs and teaches, and what is another
//! question after all.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::bandit::{RouterConfig, RouterState};
use crate::domain::BoxFuture;
use crate::domain::cache::{CacheBounds, PreviewCache};
use crate::domain::chat::{ChatRequest, Message};
use crate::domain::command::RouterCommand;
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::record::{CacheRecord, Origin};
use crate::domain::terms::Weights;
use crate::features::{EmbeddingFeatures, Encoder, FeatureExtractor};
use crate::race::{EmbeddingSource, EventSink, Race, RaceParts, RunReport};
use crate::store::MemoryPreviewCache;

const PROMPT: &str = "Explain how a hash map works and when a tree is the better choice for me";

fn cache() -> Arc<dyn PreviewCache> {
    Arc::new(MemoryPreviewCache::new(CacheBounds { ttl: Duration::from_mins(10), max: 64 }))
}

/// Two arms, a judge, and a cache that outlives a race.
struct Stage {
    pool: Pool,
    arms: [Arc<Scripted>; 2],
    cache: Arc<dyn PreviewCache>,
}

impl Stage {
    fn new() -> Self {
        let arms = [Scripted::new([answer(100, "1234")]), Scripted::new([answer(200, "12345678")])];
        let pool = Pool::new().arm("a", &arms[0]).arm("b", &arms[1]).judged_by(&judge_by_length());
        Self { pool, arms, cache: cache() }
    }

    fn race(&self) -> Race {
        self.pool.race().with_cache(self.cache.clone())
    }

    /// The same with an encoder that takes all prompts for the same.
    async fn ask_embedded(&self, prompt: &str) -> RunReport {
        let features = EmbeddingFeatures::new(self.pool.extractor(), Encoder::Endpoint { model: "any".to_owned() }, 16);
        let state = RouterState::new(RouterConfig::for_schema(features.schema()), Weights::default(), 1.0, 0.0);
        let mut pool = Pool::new();
        pool.state = state;
        let add = |arm: &str| RouterCommand::AddArm { spec: spec(arm) };
        let pool = pool.told(add("a")).told(add("b"));
        let embedding = Some(EmbeddingSource::new(Arc::new(Blind), 16, Duration::from_secs(1), 10));
        let race = Race::new(RaceParts { features: Arc::new(features), embedding, ..self.pool.parts() });
        let input = crate::race::RunInput { knowledge: pool.input("x").knowledge, ..self.pool.input(prompt) };
        race.with_cache(self.cache.clone()).run(input, &EventSink::none(), &CancellationToken::new()).await
    }

    async fn run(&self, request: ChatRequest, origin: Origin) -> RunReport {
        let input = crate::race::RunInput { request, origin, ..self.pool.input("x") };
        self.race().run(input, &EventSink::none(), &CancellationToken::new()).await
    }

    async fn ask(&self, prompt: &str) -> RunReport {
        self.run(ChatRequest::from_prompt(prompt), Origin::Person).await
    }

    fn calls(&self) -> [usize; 2] {
        [self.arms[0].calls().len(), self.arms[1].calls().len()]
    }
}

/// An encoder to which everything is the same.
#[derive(Debug)]
struct Blind;

impl Embedder for Blind {
    fn embed<'a>(&'a self, _text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        Box::pin(async { Ok(Embedding { numbers: vec![0.1; 64], tokens: None }) })
    }
}

/// Of ninety words the first ones, then a text that many prompts are about.
fn about_the_text(task: &str) -> String {
    let text = "The committee met on a rainy morning in the old town hall to discuss the proposal for a new library, \
        which had been delayed for several years because of disagreements about funding, location and design. ";
    format!("{task}: {}", text.repeat(3))
}

fn hits(report: &RunReport) -> (u32, u32) {
    let CacheRecord { hits, misses } = report.record.policies.cache.unwrap();
    (hits, misses)
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_nearly_the_same_asks_no_arm_for_a_preview() {
    let stage = Stage::new();
    let first = stage.ask(PROMPT).await;
    assert_eq!((hits(&first), stage.calls()), ((0, 2), [1, 2]), "two previews and the answer");
    let again = stage.ask(&format!("  Please {} ", PROMPT.replace("Explain", "explain"))).await;
    assert_eq!((hits(&again), stage.calls()), ((2, 0), [1, 3]), "the answer alone");
    let record = &again.record;
    assert_eq!(record.winner.as_ref().unwrap().as_str(), "b");
    for preview in &record.previews {
        assert!(preview.cached && preview.cost_usd == Some(0.0) && preview.latency_s == 0.0, "{preview:?}");
        assert_eq!(preview.text, if preview.arm.as_str() == "a" { "1234" } else { "12345678" });
    }
    assert!(record.cost_usd < first.record.cost_usd);
    assert!(record.rewards.is_empty() && again.observation.is_some(), "it was rewarded when it was made: {record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_preview_teaches_once_and_a_new_answer_always() {
    let stage = Stage::new();
    stage.ask(PROMPT).await;
    let again = stage.ask(PROMPT).await;
    let observation = again.observation.unwrap();
    let [taught] = observation.arms.as_slice() else { unreachable!("only who answered: {observation:?}") };
    assert_eq!(taught.arm.as_str(), "b");
    assert!(taught.quality.is_none() && taught.preview.is_none() && !taught.trial && !taught.win);
    assert!(taught.answer.is_some() && taught.served);
    let mut signals = crate::race::SignalFold::new(48);
    signals.absorb(&again.record);
    assert_eq!(signals.summary().p95(&again.record.previews[0].arm), None, "a hit says nothing about latency");
}

#[tokio::test(start_paused = true)]
async fn another_question_is_asked_anew() {
    let stage = Stage::new();
    let mut told = ChatRequest::from_prompt(PROMPT);
    told.messages.insert(0, Message::new("system", "Answer in rhymes."));
    let mut warm = ChatRequest::from_prompt(PROMPT);
    warm.extra.insert("temperature".to_owned(), 1.5.into());
    let others = [
        told,
        warm,
        ChatRequest::from_prompt(&format!("{PROMPT} in 3 steps")),
        ChatRequest::from_prompt(&PROMPT.replace("is the", "is not the")),
        ChatRequest::from_prompt("Write a farewell letter for a dear colleague"),
    ];
    stage.ask(PROMPT).await;
    for other in others {
        let report = stage.run(other.clone(), Origin::Gateway).await;
        assert_eq!(hits(&report), (0, 2), "{other:?}");
    }
    let mut named = ChatRequest::from_prompt(PROMPT);
    named.extra.insert("user".to_owned(), "ann".into());
    assert_eq!(hits(&stage.run(named, Origin::Gateway).await), (2, 0), "who asks does not matter");
}

#[tokio::test(start_paused = true)]
async fn one_word_of_a_long_prompt_makes_another_question() {
    let translate = |into: &str| about_the_text(&format!("Translate the following text into {into}"));
    let others = [translate("German"), translate("French verse"), about_the_text("Summarize the following text")];
    let stage = Stage::new();
    stage.ask(&translate("French")).await;
    for other in &others {
        assert_eq!(hits(&stage.ask(other).await), (0, 2), "{other}");
    }
    assert_eq!(hits(&stage.ask(&format!("  {}\n", translate("French"))).await), (2, 0));
    let stage = Stage::new();
    stage.ask_embedded(&translate("French")).await;
    for other in &others {
        assert_eq!(hits(&stage.ask_embedded(other).await), (0, 2), "an encoder hardly sees it: {other}");
    }
    assert_eq!(hits(&stage.ask_embedded(&translate("French")).await), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn one_word_of_an_earlier_turn_makes_another_question() {
    let told = |system: &str, earlier: &str| {
        let mut request = ChatRequest::from_prompt("Go on");
        request.messages.insert(0, Message::new("assistant", &about_the_text(earlier)));
        request.messages.insert(0, Message::new("system", &about_the_text(system)));
        request
    };
    let stage = Stage::new();
    stage.run(told("Answer in French", "First"), Origin::Gateway).await;
    for other in [told("Answer in German", "First"), told("Answer in French", "Second")] {
        assert_eq!(hits(&stage.run(other, Origin::Gateway).await), (0, 2));
    }
    assert_eq!(hits(&stage.run(told("Answer in French", "First"), Origin::Gateway).await), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn with_an_embedding_what_is_put_otherwise_may_hit_and_what_it_hardly_sees_may_not() {
    let stage = Stage::new();
    stage.ask_embedded("Explain how a hash map works").await;
    assert_eq!(hits(&stage.ask_embedded("How do hash maps work?").await), (2, 0));
    for other in ["Explain how a hash map works in Java", "Explain 2 hash maps", "Explain how no hash map works"] {
        assert_eq!(hits(&stage.ask_embedded(other).await), (0, 2), "{other}");
    }
    assert_eq!(hits(&stage.ask("How do hash maps work?").await), (0, 2), "words alone say nothing of the kind");
}

#[tokio::test(start_paused = true)]
async fn an_arm_with_another_model_behind_its_name_is_asked_anew() {
    let stage = Stage::new();
    stage.ask(PROMPT).await;
    stage
        .pool
        .models
        .set(crate::domain::spec::ArmSpec { model: "newer".to_owned(), ..spec("a") }, stage.arms[0].clone());
    assert_eq!(hits(&stage.ask(PROMPT).await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_failed_or_was_never_judged_is_not_kept_and_traffic_is_always_asked() {
    let mut stage = Stage::new();
    stage.run(ChatRequest::from_prompt(PROMPT), Origin::Traffic).await;
    let generated = stage.run(ChatRequest::from_prompt(PROMPT), Origin::Traffic).await;
    assert_eq!((generated.record.policies.cache, stage.calls()), (None, [2, 4]));
    assert_eq!(hits(&stage.ask(PROMPT).await), (0, 2), "nor was anything of it kept");
    let broken = Scripted::new([down()]);
    stage = Stage { cache: cache(), ..stage };
    stage.pool = stage.pool.judged_by(&broken);
    stage.ask(PROMPT).await;
    assert_eq!(hits(&stage.ask(PROMPT).await), (0, 2), "the local judge stood in");
    let failing = vec![Step::Refuse(failure(FailureClass::Transient, "http_503"))];
    let pool = Pool::new().arm("a", &Scripted::new([failing])).arm("b", &stage.arms[1]).judged_by(&judge_by_length());
    let stage = Stage { pool, cache: cache(), arms: stage.arms };
    stage.ask(PROMPT).await;
    assert_eq!(hits(&stage.ask(PROMPT).await), (1, 1));
}
