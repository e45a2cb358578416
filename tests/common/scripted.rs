//! A real engine on scripted models: nothing between a test and the engine's own code but a store.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use banditop::bandit::RouterConfig;
use banditop::domain::BoxFuture;
use banditop::domain::answer::{AnswerPart, AnswerStream, ChatModel, FinishReason, ModelCall, ModelFactory};
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::failure::{Failure, FailureClass};
use banditop::domain::ids::ArmId;
use banditop::domain::money::{Price, Usage};
use banditop::domain::observer::Unobserved;
use banditop::domain::spec::{ArmSpec, ConfigFacts, ConfigPriors, Provider, RouterKind, Strategy};
use banditop::domain::store::StateStore;
use banditop::domain::terms::Weights;
use banditop::engine::{EngineLimits, EngineParts, HealthRules, PeriodicRules};
use banditop::features::{FeatureExtractor, LengthFeatures};
use banditop::race::{ModelRegistry, Race, RaceConfig, RaceParts};
use banditop::reward::{QualityLatencyCostPolicy, References};

/// What an arm says; an arm that is not in here fails.
pub(crate) type Script = BTreeMap<ArmId, Said>;

/// See [`Script`].
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// This, at once.
    Text(String),
    /// Nothing, ever.
    Nothing,
}

/// Models that say what the script says at the moment of the call.
#[derive(Clone, Default)]
pub(crate) struct Troupe(pub(crate) Arc<Mutex<Script>>);

impl Troupe {
    /// Every one of these arms answers with a text of its own.
    pub(crate) fn answering(arms: &[&str]) -> Self {
        let said = |arm: &&str| (ArmId::new(arm), Said::Text(format!("{arm} answers with a few plain words")));
        Self(Arc::new(Mutex::new(arms.iter().map(said).collect())))
    }

    /// From the next call on.
    pub(crate) fn says(&self, arm: &str, said: Said) {
        self.0.lock().unwrap().insert(ArmId::new(arm), said);
    }
}

impl ModelFactory for Troupe {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        Ok(Arc::new(Player { arm: spec.name.clone(), troupe: self.clone() }))
    }
}

struct Player {
    arm: ArmId,
    troupe: Troupe,
}

impl ChatModel for Player {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        let said = self.troupe.0.lock().unwrap().get(&self.arm).cloned();
        Box::pin(async move {
            match said {
                Some(Said::Text(text)) => Ok(Box::new(Lines::of(&text, call.max_tokens)) as Box<dyn AnswerStream>),
                Some(Said::Nothing) => pending().await,
                None => Err(Failure::new(FailureClass::Transient, "connect", "nobody there")),
            }
        })
    }
}

struct Lines(std::vec::IntoIter<AnswerPart>);

impl Lines {
    fn of(text: &str, most: Option<u32>) -> Self {
        let most = most.map_or(usize::MAX, |tokens| tokens as usize * 4);
        let text: String = text.chars().take(most).collect();
        let usage = Usage { input_tokens: 20, output_tokens: 20, estimated: false, ..Usage::default() };
        let end = [AnswerPart::Finish(FinishReason::Stop), AnswerPart::Usage(usage)];
        Self([AnswerPart::Text(text)].into_iter().chain(end).collect::<Vec<_>>().into_iter())
    }
}

impl AnswerStream for Lines {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        Box::pin(async move { self.0.next().map(Ok) })
    }
}

/// The parts of an engine with these arms.
pub(crate) fn parts(arms: &[&str], troupe: &Troupe, store: Arc<dyn StateStore>) -> EngineParts {
    parts_with(arms, Arc::new(troupe.clone()), store, |_| {})
}

/// The same with other models, and a race that is made otherwise.
pub(crate) fn parts_with(
    arms: &[&str],
    factory: Arc<dyn ModelFactory>,
    store: Arc<dyn StateStore>,
    adjust: impl FnOnce(&mut RaceParts),
) -> EngineParts {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let features = Arc::new(LengthFeatures::new(2_000));
    let router_config = RouterConfig::for_schema(features.schema());
    let mut race = RaceParts {
        config: RaceConfig::default(),
        models: Arc::new(ModelRegistry::new()),
        judge: None,
        features,
        embedding: None,
        reward: Arc::new(QualityLatencyCostPolicy::new(References::default())),
        router: RouterKind::Linucb,
        clock,
    };
    adjust(&mut race);
    let spec = |name: &&str| ArmSpec {
        name: ArmId::new(name),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: (*name).to_owned(),
        api_key_env: None,
        price: Some(Price { input: 1.0, output: 2.0, cached: None }),
        enabled: true,
    };
    EngineParts {
        store,
        race: Race::new(race),
        factory,
        facts: ConfigFacts {
            arms: arms.iter().map(spec).collect(),
            weights: Weights::default(),
            alpha: 1.0,
            explore_share: 0.0,
            budget_per_request: None,
            priors: ConfigPriors::default(),
        },
        session: None,
        router_config,
        strategy: Strategy::Race,
        seed: 7,
        limits: EngineLimits { max_in_flight: 64, ..EngineLimits::default() },
        health: HealthRules::default(),
        periodic: PeriodicRules::default(),
        observer: Arc::new(Unobserved),
    }
}
