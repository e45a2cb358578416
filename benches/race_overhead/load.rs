//! The open loop: races start when their time has come, whatever became of the earlier ones.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use banditop::bandit::{RouterConfig, RouterState};
use banditop::domain::answer::ChatModel;
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock, Timestamp};
use banditop::domain::command::{Actor, LogEntry, RouterCommand};
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::money::Price;
use banditop::domain::record::{Origin, RunOutcome};
use banditop::domain::spec::{ArmSpec, Provider, RouterKind, Strategy};
use banditop::domain::terms::Weights;
use banditop::features::{FeatureExtractor, LengthFeatures};
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel};
use banditop::race::{
    EventSink, JudgeChoice, Knowledge, ModelRegistry, Race, RaceConfig, RaceParts, RunInput, Signals,
};
use banditop::reward::{QualityLatencyCostPolicy, References};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::port::{Phases, Watched};

const PROMPT: &str = "Explain in a few sentences why the sky is blue at noon and red at sunset, for a curious child.";
const ARMS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// One race, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// From handing over to the report.
    pub(crate) total_s: f64,
    /// Below the port, on the critical path.
    pub(crate) port_s: f64,
    /// In the server, on the critical path.
    pub(crate) upstream_s: f64,
    /// How late the generator was.
    pub(crate) late_s: f64,
    /// Whether an arm answered, judged by the judge.
    pub(crate) is_served: bool,
}

/// What all races share.
struct Shared {
    models: Vec<(ArmSpec, Arc<dyn ChatModel>)>,
    judge: Arc<dyn ChatModel>,
    features: Arc<LengthFeatures>,
    knowledge: Arc<Knowledge>,
    clock: Arc<dyn Clock>,
}

/// Races for `warm_up`, unmeasured, then for `span`.
pub(crate) fn run_load(base_url: &str, warm_up: Duration, span: Duration, rate: u64) -> Vec<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let shared = Arc::new(shared(base_url));
    let (starts, due) = sync_channel::<(Instant, f64, u64)>(1024);
    let count = |span: Duration| span.as_secs() * rate;
    let (unmeasured, all) = (count(warm_up), count(warm_up) + count(span));
    let mut races = JoinSet::new();
    let handle = runtime.handle().clone();
    let generator = std::thread::spawn(move || {
        let origin = Instant::now();
        for i in 0..all {
            let at = origin + Duration::from_nanos(i * 1_000_000_000 / rate);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let now = Instant::now();
            starts.send((now, (now - at).as_secs_f64(), i)).unwrap();
        }
    });
    // This thread only hands over; the runtime's workers race.
    while let Ok((started, late_s, i)) = due.recv() {
        let shared = Arc::clone(&shared);
        races.spawn_on(async move { (i, race(&shared, started, late_s, i).await) }, &handle);
    }
    generator.join().unwrap();
    let all = runtime.block_on(races.join_all());
    all.into_iter().filter(|(i, _)| *i >= unmeasured).map(|(_, measured)| measured).collect()
}

async fn race(shared: &Shared, started: Instant, late_s: f64, i: u64) -> Measured {
    let phases = Arc::new(Phases::default());
    let watch = |inner: &Arc<dyn ChatModel>| -> Arc<dyn ChatModel> {
        Arc::new(Watched { inner: Arc::clone(inner), phases: Arc::clone(&phases) })
    };
    let models = Arc::new(ModelRegistry::new());
    for (spec, model) in &shared.models {
        models.set(spec.clone(), watch(model));
    }
    let judge = JudgeChoice::Model { name: "judge".to_owned(), model: watch(&shared.judge), price: None };
    let race = Race::new(RaceParts {
        config: RaceConfig::default(),
        models,
        judge: Some(judge),
        features: Arc::clone(&shared.features) as Arc<dyn FeatureExtractor>,
        embedding: None,
        reward: Arc::new(QualityLatencyCostPolicy::new(References::default())),
        router: RouterKind::Linucb,
        clock: Arc::clone(&shared.clock),
    });
    let input = RunInput {
        session: None,
        id: TimeId::new(shared.clock.now(), i),
        request: ChatRequest::from_prompt(PROMPT),
        origin: Origin::Traffic,
        seed: i,
        knowledge: Arc::clone(&shared.knowledge),
        strategy: Strategy::Race,
        reservation: None,
        hold: None,
    };
    let (sender, mut reader) = tokio::sync::mpsc::channel(64);
    let cancel = CancellationToken::new();
    let racing = async {
        let sink = EventSink::to(sender);
        race.run(input, &sink, &cancel).await
    };
    let reading = async { while reader.recv().await.is_some() {} };
    let (report, ()) = tokio::join!(racing, reading);
    let total_s = started.elapsed().as_secs_f64();
    let (port_s, upstream_s) = phases.critical_path_s();
    let is_judged = report.record.verdict.as_ref().is_some_and(|v| !v.local_fallback);
    let is_served = report.record.outcome == RunOutcome::Served && is_judged && report.record.previews.len() == 3;
    Measured { total_s, port_s, upstream_s, late_s, is_served }
}

fn shared(base_url: &str) -> Shared {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let http = HttpClient::new(Duration::from_secs(1), Arc::clone(&clock)).unwrap();
    let model = |name: &str| -> Arc<dyn ChatModel> {
        let config = OpenAiConfig {
            http: http.clone(),
            base_url: base_url.to_owned(),
            model: name.to_owned(),
            api_key: None,
            extra: serde_json::Map::new(),
        };
        Arc::new(OpenAiModel::new(config).unwrap())
    };
    let features = Arc::new(LengthFeatures::new(2000));
    let mut state = RouterState::new(RouterConfig::for_schema(features.schema()), Weights::default(), 1.0, 0.05);
    let mut models = Vec::new();
    for (i, name) in (1..).zip(ARMS) {
        let spec = ArmSpec {
            name: ArmId::new(name),
            provider: Provider::Openai,
            base_url: base_url.to_owned(),
            model: name.to_owned(),
            api_key_env: None,
            price: Some(Price { input: 1.0, output: 4.0, cached: None }),
            enabled: true,
        };
        let at = Timestamp::from_millis(i);
        let command = RouterCommand::AddArm { spec: spec.clone() };
        state.apply(&LogEntry { sequence: i, id: TimeId::new(at, i), actor: Actor::Config, at, command });
        models.push((spec, model(name)));
    }
    let knowledge = Arc::new(Knowledge { state, signals: Arc::new(Signals::default()) });
    Shared { models, judge: model("judge"), features, knowledge, clock }
}
