//! An engine on scripted models, a store that can be broken, and tokio's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::bandit::RouterConfig;
use crate::domain::answer::ModelFactory;
use crate::domain::chat::ChatRequest;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use crate::domain::engine::{CommandRequest, EngineError, EngineHandle, RunRequest, RunStream};
use crate::domain::event::RunEvent;
use crate::domain::ids::CommandId;
use crate::domain::money::Price;
use crate::domain::observer::Unobserved;
use crate::domain::record::{Origin, RunRecord};
use crate::domain::spec::{ArmSpec, ConfigFacts, ConfigPriors, Provider, RouterKind, Strategy};
use crate::domain::terms::Weights;
use crate::engine::{Engine, EngineLimits, EngineParts, HealthRules, PeriodicRules};
use crate::features::{FeatureExtractor, LengthFeatures};
use crate::race::{EmbeddingSource, JudgeChoice, ModelRegistry, Race, RaceConfig, RaceParts};
use crate::reward::{QualityLatencyCostPolicy, References};

use super::{FakeStore, Flat, Stage};

/// The wall clock of tests: tokio's, which can be paused.
pub(crate) struct TokioClock(Instant);

/// When it starts: noon, UTC.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        NOON.plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What an engine is built from, and built from again.
pub(crate) struct Rig {
    pub store: Arc<FakeStore>,
    pub stage: Arc<Stage>,
    pub facts: ConfigFacts,
    /// What flags make of them; `None` without flags.
    pub session: Option<ConfigFacts>,
    pub limits: EngineLimits,
    pub strategy: Strategy,
    pub length_threshold: usize,
    pub periodic: PeriodicRules,
    pub race: RaceConfig,
    /// The price of the model named `judge`; the local judge where absent.
    pub judge: Option<Price>,
    /// The arm that judges, instead.
    pub judged_by: Option<&'static str>,
    /// Whether that price is kept from the race.
    pub is_judge_unpriced: bool,
    /// Whether prompts are embedded; embeddings come at once.
    pub embeds: bool,
    /// Dollars per million tokens of embeddings.
    pub embedding_price: Option<f64>,
    clock: Arc<TokioClock>,
}

/// A person.
pub(crate) fn ann() -> Actor {
    Actor::Person("ann".into())
}

pub(crate) fn spec(name: &str) -> ArmSpec {
    ArmSpec {
        name: name.into(),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: name.into(),
        api_key_env: None,
        price: None,
        enabled: true,
    }
}

impl Rig {
    /// Arms by these names.
    pub(crate) fn new(arms: &[&str]) -> Self {
        let arms = arms.iter().map(|name| spec(name)).collect();
        Self {
            store: FakeStore::new(),
            stage: Arc::default(),
            facts: ConfigFacts {
                arms,
                weights: Weights::default(),
                alpha: 1.0,
                explore_share: 0.0,
                budget_per_request: None,
                priors: ConfigPriors::default(),
            },
            session: None,
            limits: EngineLimits::default(),
            strategy: Strategy::Race,
            length_threshold: 2_000,
            periodic: PeriodicRules::default(),
            race: RaceConfig::default(),
            judge: None,
            judged_by: None,
            is_judge_unpriced: false,
            embeds: false,
            embedding_price: None,
            clock: Arc::new(TokioClock(Instant::now())),
        }
    }

    pub(crate) fn parts(&self) -> EngineParts {
        let features = Arc::new(LengthFeatures::new(self.length_threshold));
        let router_config = RouterConfig::for_schema(features.schema());
        let arm = self.judged_by.map(|arm| JudgeChoice::Arm(arm.into()));
        let race = Race::new(RaceParts {
            config: self.race.clone(),
            models: Arc::new(ModelRegistry::new()),
            judge: arm.or(self.judge.map(|price| JudgeChoice::Model {
                name: "judge".to_owned(),
                model: self.stage.build(&spec("judge")).unwrap(),
                price: (!self.is_judge_unpriced).then_some(price),
            })),
            features,
            embedding: self.embeds.then(|| {
                EmbeddingSource::new(Arc::new(Flat), 16, Duration::from_secs(1), 100).priced(self.embedding_price)
            }),
            reward: Arc::new(QualityLatencyCostPolicy::new(References::default())),
            router: RouterKind::Linucb,
            clock: self.clock.clone(),
        });
        EngineParts {
            store: self.store.clone(),
            race,
            factory: self.stage.clone(),
            facts: self.facts.clone(),
            session: self.session.clone(),
            router_config,
            strategy: self.strategy,
            seed: 7,
            limits: self.limits.clone(),
            health: HealthRules::default(),
            periodic: self.periodic.clone(),
            observer: Arc::new(Unobserved),
        }
    }

    pub(crate) async fn start(&self) -> Engine {
        Engine::start(self.parts()).await.unwrap()
    }
}

/// A command of Ann's, told apart by `id`.
pub(crate) fn request(id: u64, command: RouterCommand) -> CommandRequest {
    CommandRequest { id: CommandId::new(NOON, id), actor: ann(), command }
}

/// The acknowledgement of a command of Ann's with an id of its own.
pub(crate) async fn command(engine: &Arc<dyn EngineHandle>, command: RouterCommand) -> Acknowledgement {
    static COUNT: AtomicU64 = AtomicU64::new(1_000);
    engine.command(request(COUNT.fetch_add(1, Ordering::SeqCst), command)).await.unwrap()
}

/// The journal line of a command that must be applied.
pub(crate) async fn applied(engine: &Arc<dyn EngineHandle>, what: RouterCommand) -> JournalEntry {
    match command(engine, what).await {
        Acknowledgement::Applied { entry, .. } => *entry,
        other => panic!("expected it to be applied, found {other:?}"),
    }
}

/// Why a command is refused.
pub(crate) async fn rejected(engine: &Arc<dyn EngineHandle>, what: RouterCommand) -> String {
    match command(engine, what).await {
        Acknowledgement::Rejected { reason } => reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

/// Starts a run.
pub(crate) async fn submit(engine: &Arc<dyn EngineHandle>, prompt: &str) -> Result<Box<dyn RunStream>, EngineError> {
    engine.submit(RunRequest { request: ChatRequest::from_prompt(prompt), origin: Origin::Person, session: None }).await
}

/// A whole run.
pub(crate) async fn ask(engine: &Arc<dyn EngineHandle>, prompt: &str) -> Arc<RunRecord> {
    finish(submit(engine, prompt).await.unwrap()).await
}

/// Reads a run to its end.
pub(crate) async fn finish(mut run: Box<dyn RunStream>) -> Arc<RunRecord> {
    let mut finished = None;
    while let Some(event) = run.next().await {
        assert!(finished.is_none(), "nothing follows `Finished`");
        if let RunEvent::Finished { record } = event {
            finished = Some(record);
        }
    }
    finished.expect("every run ends with `Finished`")
}

/// Waits until the picture shows it; tokio's paused clock makes a minute short.
pub(crate) async fn until(
    engine: &Arc<dyn EngineHandle>,
    what: &str,
    holds: impl Fn(&crate::domain::snapshot::EngineSnapshot) -> bool,
) {
    let wait = async {
        loop {
            let picture = engine.snapshot();
            if holds(&picture) {
                return;
            }
            engine.changed(picture.revision).await;
        }
    };
    let shown = tokio::time::timeout(Duration::from_mins(15), wait).await;
    assert!(shown.is_ok(), "{what}: {:?}", engine.snapshot());
}
