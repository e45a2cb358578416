//! What goes wrong on our side of the wire: the disk is full, a clock jumps, a task panics, a reader is slow,
//! nobody is left to ask.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::SystemClock;
use banditop::domain::command::Durability;
use banditop::domain::context::{Context, FeatureSchema};
use banditop::domain::engine::{EngineError, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::record::{Origin, RunOutcome};
use banditop::domain::spec::Strategy;
use banditop::engine::Engine;
use banditop::features::{FeatureExtractor, LengthFeatures};
use tokio::time::Instant;

use super::rig::{GOOD, Jumping, PROMPT, Rig, client};
use super::server::{Act, Server, answer, ends, says, stream};

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
async fn disk_full_mid_run() {
    let rig = Rig::new(&client(), Strategy::Race);
    let store = rig.store.clone();
    let bad = Server::start(whole());
    let good = Server::start(vec![vec![stream(&answer(GOOD))]]);
    let engine = Engine::start(rig.parts(&[("bad", bad.base_url()), ("good", good.base_url())])).await.unwrap();
    let handle = engine.handle();
    let request = RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None };
    let mut run = handle.submit(request).await.unwrap();
    let mut events = vec![run.next().await.unwrap()];
    store.fill_up();
    while let Some(event) = run.next().await {
        events.push(event);
    }
    assert!(matches!(events.last(), Some(RunEvent::Finished { record }) if record.outcome == RunOutcome::Served));
    let shown = async {
        loop {
            let picture = handle.snapshot();
            if picture.totals.runs == 1 && picture.store.durability == Durability::MemoryOnly {
                return picture;
            }
            handle.changed(picture.revision).await;
        }
    };
    let picture =
        tokio::time::timeout(Duration::from_secs(5), shown).await.expect("the picture says that nothing is kept");
    assert!(picture.arms.iter().any(|arm| arm.trials > 0), "it is learned all the same");
    let overview = &banditop::console::fixture::screens(&picture, &events)[1];
    assert!(overview.contains("No space left on device"), "{overview}");
    engine.stop().await;
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
    let mut parts = rig.parts(&[("bad", nowhere()), ("good", nowhere())]);
    parts.facts.arms.iter_mut().for_each(|arm| arm.enabled = false);
    let engine = Engine::start(parts).await.unwrap();
    let asked = Instant::now();
    let request = RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None };
    let refused = engine.handle().submit(request).await.err();
    let took = asked.elapsed();
    let Some(EngineError::Refused(said)) = refused else { panic!("{refused:?}") };
    assert!(took < Duration::from_secs(1), "{took:?}");
    for words in ["no arm can be asked", "bad: deactivated", "good: deactivated", "reactivate it"] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    engine.stop().await;
}
