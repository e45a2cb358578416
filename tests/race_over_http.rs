//! Races over real HTTP: simulated models on loopback, the program's own client, the judge as one of the
//! models, and a router that learns from what the races teach. No engine and no store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use banditop::bandit::{RouterConfig, RouterState};
use banditop::domain::answer::ChatModel;
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock, Timestamp};
use banditop::domain::command::{Actor, LogEntry, RouterCommand};
use banditop::domain::context::Intent;
use banditop::domain::ids::{ArmId, TimeId};
use banditop::domain::record::{Origin, RunOutcome};
use banditop::domain::spec::{ArmSpec, Provider, RouterKind, Strategy};
use banditop::domain::terms::Weights;
use banditop::features::{FeatureExtractor, LengthFeatures};
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel};
use banditop::race::{
    EventSink, JudgeChoice, Knowledge, ModelRegistry, Race, RaceConfig, RaceParts, RunInput, RunReport, SignalFold,
};
use banditop::reward::{QualityLatencyCostPolicy, References};
use banditop::sim::{Prompt, PromptSuite, ScenarioSpec, SimParts, SimServer, assets};
use tokio_util::sync::CancellationToken;

const JUDGE: &str = "referee";
const ARMS: [&str; 5] = ["atlas-70b", "coder-32b", "scribe", "orbit", "swift-8b"];

/// A server, a race over its models, and what was learned so far.
struct World {
    server: SimServer,
    prompts: Vec<Prompt>,
    race: Race,
    state: RouterState,
    signals: SignalFold,
    runs: u64,
}

/// The default scenario, with next to no delays and nothing that hangs.
fn scenario() -> ScenarioSpec {
    let mut scenario: ScenarioSpec = toml::from_str(assets::scenario("default").unwrap()).unwrap();
    for model in &mut scenario.models {
        model.first_token.median_s /= 200.0;
        model.tokens_per_s = 1e6;
        model.failures.stall = 0.0;
    }
    scenario
}

impl World {
    fn new() -> Self {
        let prompts = toml::from_str::<PromptSuite>(assets::PROMPTS).unwrap().prompts;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let parts = SimParts { scenario: scenario(), prompts: prompts.clone(), seed: 7, clock: Arc::clone(&clock) };
        let server = SimServer::start(parts).unwrap();
        let http = HttpClient::new(Duration::from_secs(2), Arc::clone(&clock)).unwrap();
        let model = |name: &str| -> Arc<dyn ChatModel> {
            let (http, base_url, model) = (http.clone(), server.base_url(), name.to_owned());
            let config = OpenAiConfig { http, base_url, model, api_key: None, extra: serde_json::Map::new() };
            Arc::new(OpenAiModel::new(config).unwrap())
        };
        let features = LengthFeatures::new(2000);
        let config = RouterConfig::for_schema(features.schema());
        let mut state = RouterState::new(config, Weights::default(), 1.0, 0.0);
        let models = Arc::new(ModelRegistry::new());
        for name in ARMS {
            let spec = spec(&server, name);
            models.set(spec.clone(), model(name));
            apply(&mut state, RouterCommand::AddArm { spec });
        }
        let judge = JudgeChoice::Model { name: JUDGE.to_owned(), model: model(JUDGE), price: server.price(JUDGE) };
        let race = Race::new(RaceParts {
            config: RaceConfig::default(),
            models,
            judge: Some(judge),
            features: Arc::new(features),
            embedding: None,
            reward: Arc::new(QualityLatencyCostPolicy::new(References::default())),
            router: RouterKind::Linucb,
            clock,
        });
        Self { server, prompts, race, state, signals: SignalFold::new(64), runs: 0 }
    }

    fn input(&self, prompt: &str, strategy: Strategy) -> RunInput {
        let knowledge = Knowledge { state: self.state.clone(), signals: self.signals.summary() };
        RunInput {
            session: None,
            id: TimeId::new(Timestamp::from_millis(self.runs), self.runs),
            request: ChatRequest::from_prompt(prompt),
            origin: Origin::Person,
            seed: self.runs,
            knowledge: Arc::new(knowledge),
            strategy,
            reservation: None,
            hold: None,
        }
    }

    /// One run, and what it taught.
    async fn run(&mut self, prompt: &str, strategy: Strategy) -> RunReport {
        let input = self.input(prompt, strategy);
        let report = self.race.run(input, &EventSink::none(), &CancellationToken::new()).await;
        self.signals.absorb(&report.record);
        if let Some(observation) = report.observation.clone() {
            apply(&mut self.state, RouterCommand::Observe(observation));
        }
        self.runs += 1;
        report
    }
}

fn spec(server: &SimServer, name: &str) -> ArmSpec {
    ArmSpec {
        name: ArmId::new(name),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: name.to_owned(),
        api_key_env: None,
        price: server.price(name),
        enabled: true,
    }
}

fn apply(state: &mut RouterState, command: RouterCommand) {
    let sequence = state.sequence() + 1;
    let at = Timestamp::from_millis(sequence);
    let command = state.prepare(command).unwrap();
    state.apply(&LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command });
}

#[tokio::test]
async fn races_are_judged_served_and_complete_on_record() {
    let mut world = World::new();
    let (mut served, mut by_judge) = (0, 0);
    for prompt in world.prompts.clone().iter().step_by(7) {
        let record = world.run(&prompt.prompt, Strategy::Race).await.record;
        served += u32::from(record.outcome == RunOutcome::Served);
        by_judge += u32::from(record.verdict.as_ref().is_some_and(|v| !v.local_fallback));
        assert_eq!(record.previews.len(), 3);
        for preview in record.previews.iter().filter(|p| p.error.is_none()) {
            assert!(preview.tokens > 0 && !preview.estimated && preview.cost_usd.is_some_and(|c| c > 0.0));
            assert!(preview.ttft_s.is_some_and(|ttft| ttft > 0.0 && ttft <= preview.latency_s));
        }
        assert!(record.cost_usd > 0.0);
    }
    let runs = u32::try_from(world.runs).unwrap();
    assert_eq!(served, runs, "an arm that fails is stood in for");
    assert!(by_judge * 10 >= runs * 9, "{by_judge} of {runs}");
    world.server.shutdown().await;
}

#[tokio::test]
async fn a_router_that_learned_from_races_sends_prompts_to_who_is_best_at_them() {
    let mut world = World::new();
    let prompts = world.prompts.clone();
    let of_interest: Vec<&Prompt> =
        prompts.iter().filter(|p| matches!(p.intent, Intent::Coding | Intent::Writing)).collect();
    for prompt in &of_interest {
        world.run(&prompt.prompt, Strategy::Race).await;
    }
    let mut winners: BTreeMap<Intent, BTreeMap<ArmId, u32>> = BTreeMap::new();
    for prompt in of_interest.iter().step_by(2) {
        let record = world.run(&prompt.prompt, Strategy::Race).await.record;
        if let Some(winner) = record.winner {
            *winners.entry(prompt.intent).or_default().entry(winner).or_default() += 1;
        }
    }
    for (intent, best) in [(Intent::Coding, "coder-32b"), (Intent::Writing, "scribe")] {
        let of_intent = &winners[&intent];
        let all: u32 = of_intent.values().sum();
        let to_best = of_intent.get(best).copied().unwrap_or(0);
        assert!(to_best * 2 > all, "{best} answered {to_best} of {all} for {intent:?}: {of_intent:?}");
    }
    world.server.shutdown().await;
}

#[tokio::test]
async fn every_strategy_answers() {
    let mut world = World::new();
    for strategy in [Strategy::Race, Strategy::Direct, Strategy::Baseline, Strategy::Auto] {
        let record = world.run("Write a haiku about the sea.", strategy).await.record;
        assert_eq!(record.outcome, RunOutcome::Served, "{strategy:?}");
        assert!(record.answer.is_some_and(|a| !a.is_empty()));
    }
    world.server.shutdown().await;
}
