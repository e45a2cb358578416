//! `compare SUITE`: ways of routing side by side through the real race. Every contestant has an engine of its own,
//! with a store in memory, before a server of simulated models on loopback: previews, judge, full answers and
//! learning go the way of any run. Only time is compressed (the models are a hundred times as fast), and faults and
//! the timeline are left out, so that what differs is the routing.
//!
//! What an answer earns is the expected quality of that model for that kind of prompt, which the scenario knows: the
//! judge's noise is met by the routers, not by the figures. Contestants meet the same prompts in the same orders
//! and, prompt by prompt, the same answers; the moment at which things happen is real, so that figures may differ
//! in a last digit from one time to the next.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::progress::Progress;
use super::uniforms;
use crate::cli::context::Context;
use crate::cli::factory::Factory;
use crate::cli::failure::{CliError, Outcome};
use crate::cli::parts;
use crate::cli::simulation::Simulation;
use crate::domain::chat::ChatRequest;
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::engine::{EngineHandle, RunRequest};
use crate::domain::event::RunEvent;
use crate::domain::ids::ArmId;
use crate::domain::observer::Unobserved;
use crate::domain::record::{Origin, RunRecord};
use crate::domain::spec::{ArmSpec, Mode, Provider, RouterKind, SetChoice, Strategy};
use crate::engine::{Engine, EngineLimits, EngineParts, HealthRules};
use crate::evaluation::{Comparison, ContextSource, Counting, Name, Options, Pass, Problem, Records, Report};
use crate::providers::HttpClient;
use crate::settings::{JudgeSettings, Settings, parse_toml};
use crate::sim::{FailureRates, ModelSpec, Prompt, ScenarioSpec, SuiteSpec, assets};
use crate::store::MemoryStore;

/// How many times as fast as real the simulated models are.
const SPEED: f64 = 100.0;
/// Tokens a second that a scenario may have at most.
const FASTEST: f64 = 1e6;
/// However fast they are, a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// The text of a suite: of a built-in name, or of a TOML file; `None` where `file` is neither.
pub(super) fn text(file: &Path) -> Option<Outcome<String>> {
    let name = file.display().to_string();
    if let Some(text) = assets::suite(&name).filter(|_| !file.exists()) {
        return Some(Ok(text.to_owned()));
    }
    let is_toml = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    is_toml.then(|| {
        let known: Vec<&str> = assets::SUITES.iter().map(|(name, _)| *name).collect();
        std::fs::read_to_string(file).map_err(|error| {
            CliError::usage(format!("the suite {name} cannot be read: {error}"))
                .hint(format!("name a file, or one of the built-in suites: {}", known.join(", ")))
        })
    })
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Player {
    /// Under the ceiling, where there is one.
    Router(RouterKind),
    /// The same without the ceiling.
    Unpaced(RouterKind),
    /// The first router, with the k highest scores.
    TopK,
    /// Every race between arms drawn uniformly.
    Uniform,
    /// One arm, without a race.
    BestSingle,
    /// The first arm, and the next where it fails.
    Baseline,
}

impl Player {
    /// All of them: under a ceiling the routers also without it, as everybody else is.
    fn all(has_ceiling: bool) -> Vec<Self> {
        let kinds = [RouterKind::Linucb, RouterKind::Lints];
        let unpaced = kinds.map(Self::Unpaced).into_iter().filter(|_| has_ceiling);
        let others = [Self::TopK, Self::Uniform, Self::BestSingle, Self::Baseline];
        kinds.map(Self::Router).into_iter().chain(unpaced).chain(others).collect()
    }

    const fn name(self, has_ceiling: bool) -> Name {
        match self {
            Self::Router(RouterKind::Lints) if has_ceiling => Name::LintsPaced,
            Self::Router(_) if has_ceiling => Name::LinucbPaced,
            Self::Router(RouterKind::Lints) | Self::Unpaced(RouterKind::Lints) => Name::Lints,
            Self::Router(_) | Self::Unpaced(_) => Name::Linucb,
            Self::TopK => Name::LinucbTopK,
            Self::Uniform => Name::Uniform,
            Self::BestSingle => Name::BestFixed,
            Self::Baseline => Name::Baseline,
        }
    }
}

/// What is played, and the truth about it.
struct Stage<'a> {
    context: &'a Context,
    settings: Settings,
    scenario: ScenarioSpec,
    /// Every prompt as often as the suite says.
    prompts: Vec<Prompt>,
    arms: Vec<ArmSpec>,
    problem: Problem,
    done: Cell<usize>,
    all: usize,
    progress: RefCell<Progress>,
}

/// Plays the suite.
pub(super) async fn compare(
    context: &Context,
    text: &str,
    name: &str,
    k: Option<usize>,
    shuffles: usize,
) -> Outcome<(SuiteSpec, Comparison)> {
    let suite: SuiteSpec = parse_toml(text, name).map_err(CliError::usage)?;
    let stage = Stage::new(context, &suite, name, k, shuffles)?;
    let router = &stage.settings.router;
    let (seed, k, ceiling) = (stage.settings.simulation.seed, router.k, router.budget_per_request);
    let options = Options { shuffles, seed, k, ceiling, ..Options::default() };
    let players = Player::all(ceiling.is_some());
    let clock = context.clock();
    let started = clock.monotonic();
    let mut passes: Vec<Vec<Pass>> = vec![Vec::new(); players.len()];
    for shuffle in 0..shuffles {
        let together = try_join_all(players.iter().map(|player| stage.pass(*player, shuffle))).await?;
        for (all, pass) in passes.iter_mut().zip(together) {
            all.push(pass);
        }
        stage.tell(clock.monotonic().saturating_sub(started));
    }
    // Nobody's time is taken: they play at once, and most of it is the models'.
    let report = |(player, passes): (&Player, &Vec<Pass>)| {
        Report::new(player.name(ceiling.is_some()), &stage.problem, &options, passes).charged_whole_races(passes)
    };
    let reports = players.iter().zip(&passes).map(report).collect();
    let found = Comparison::of(&stage.problem, reports, &passes, options.seed, &uniforms);
    Ok((suite, found))
}

impl<'a> Stage<'a> {
    fn new(context: &'a Context, suite: &SuiteSpec, name: &str, k: Option<usize>, shuffles: usize) -> Outcome<Self> {
        let mut settings = context.settings().clone();
        settings.router.k = k.unwrap_or(settings.router.k);
        let timeouts = &mut settings.timeouts;
        for limit in [&mut timeouts.first_token, &mut timeouts.between_tokens, &mut timeouts.preview] {
            *limit = Some(PATIENCE);
        }
        timeouts.judge = Some(PATIENCE);
        settings.reward.weights = Counting::quality_alone().weights;
        if !suite.models.is_empty() {
            take_over(&mut settings, suite);
        }
        let arms: Vec<ArmSpec> = settings.arms.iter().filter(|arm| arm.enabled).cloned().collect();
        let judge = match &settings.judge {
            Some(JudgeSettings::Model(spec)) => Some(spec),
            _ => None,
        };
        if let Some(paid) = arms.iter().chain(judge).find(|arm| arm.provider != Provider::Simulated) {
            let message = format!("a suite is put to simulated arms only, and {} is none", paid.name);
            return Err(CliError::usage(message).hint("--config FILE names a configuration of simulated arms"));
        }
        let simulation = Simulation::new(&settings.simulation, context.clock())?;
        let collection = simulation.prompts();
        let each = suite.prompts(&collection);
        let wrong = |faults: Vec<String>| CliError::usage(format!("the suite {name}:\n{}", faults.join("\n")));
        let each = each.map_err(wrong)?;
        let prompts: Vec<Prompt> = (0..suite.rounds).flat_map(|_| each.iter().cloned()).collect();
        let scenario = calm(&suite.stage(simulation.scenario(), &each).map_err(wrong)?);
        let problem = truth(&arms, &scenario, &prompts, &settings)?.repeating(each.len());
        let all = prompts.len() * shuffles * Player::all(settings.router.budget_per_request.is_some()).len();
        let (done, progress) = (Cell::new(0), RefCell::new(Progress::new()));
        Ok(Self { context, settings, scenario, prompts, arms, problem, done, all, progress })
    }

    fn tell(&self, elapsed: Duration) {
        self.progress.borrow_mut().show(self.done.get(), self.all, elapsed);
    }

    /// One player, one order of the prompts.
    async fn pass(&self, player: Player, shuffle: usize) -> Outcome<Pass> {
        let clock = self.context.clock();
        let started = clock.monotonic();
        let mut settings = self.settings.clone();
        settings.simulation.seed = settings.simulation.seed.wrapping_add(1_000_003 * shuffle as u64);
        if !matches!(player, Player::Router(_)) {
            settings.router.budget_per_request = None;
        }
        match player {
            Player::Router(kind) | Player::Unpaced(kind) => settings.router.policy = kind,
            Player::TopK => settings.router.policy = RouterKind::Linucb,
            Player::Uniform => settings.router.policy = RouterKind::Uniform,
            Player::BestSingle => settings.strategy = Strategy::Direct,
            Player::Baseline => settings.strategy = Strategy::Baseline,
        }
        if matches!(player, Player::Router(_) | Player::Unpaced(_) | Player::TopK | Player::Uniform) {
            settings.strategy = Strategy::Race;
        }
        let seed = settings.simulation.seed;
        let simulation = Arc::new(Simulation::of(self.scenario.clone(), self.prompts_once(), seed, clock.clone()));
        let set = if player == Player::TopK { SetChoice::HighestScores } else { SetChoice::ExpectedBest };
        let engine = self.engine(&settings, set, simulation.clone()).await?;
        let handle = engine.handle();
        if player == Player::BestSingle {
            self.pin(handle.as_ref()).await?;
        }
        let mut order: Vec<usize> = (0..self.prompts.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let mut pass =
            Pass { raced: vec![0; self.arms.len()], alone: vec![(0.0, 0); self.arms.len()], ..Pass::default() };
        for row in order {
            let record = asked(handle.as_ref(), &self.prompts[row].prompt).await?;
            self.note(&mut pass, row, &record);
            self.done.set(self.done.get() + 1);
            self.tell(clock.monotonic().saturating_sub(started));
        }
        engine.stop().await;
        simulation.shutdown().await;
        Ok(pass)
    }

    fn prompts_once(&self) -> Vec<Prompt> {
        let mut seen = std::collections::BTreeSet::new();
        self.prompts.iter().filter(|prompt| seen.insert(prompt.id.as_str())).cloned().collect()
    }

    async fn engine(&self, settings: &Settings, set: SetChoice, simulation: Arc<Simulation>) -> Outcome<Engine> {
        let clock = self.context.clock();
        let http = HttpClient::new(settings.timeouts.connect, clock.clone()).map_err(CliError::failed)?;
        let factory = Arc::new(Factory::new(http, simulation));
        let race = parts::race(settings, factory.as_ref(), clock).choosing(set);
        let router_config = parts::router_config(&settings.router, race.parts().features.as_ref());
        let mut facts = settings.facts();
        facts.arms.clone_from(&self.arms);
        let parts = EngineParts {
            store: Arc::new(MemoryStore::new()),
            race,
            factory,
            facts,
            session: None,
            router_config,
            strategy: settings.strategy,
            seed: settings.simulation.seed,
            limits: EngineLimits::default(),
            health: HealthRules::default(),
            periodic: parts::periodic(settings),
            observer: Arc::new(Unobserved),
        };
        Engine::start(parts).await.map_err(CliError::failed)
    }

    /// Lets the arm answer that is best over the whole suite.
    async fn pin(&self, engine: &dyn EngineHandle) -> Outcome {
        let worth = |arm: &ArmSpec| self.prompts.iter().map(|prompt| skill(&self.scenario, arm, prompt)).sum::<f64>();
        let best = self.arms.iter().max_by(|a, b| worth(a).total_cmp(&worth(b))).map(|arm| arm.name.clone());
        let mode = Mode { strategy: Some(Strategy::Direct), pinned: best, ..Mode::default() };
        let command = RouterCommand::SetMode { mode };
        let request = crate::cli::context::command_request(engine.now(), Actor::Config, command);
        engine.command(request).await?;
        Ok(())
    }

    fn note(&self, pass: &mut Pass, row: usize, record: &RunRecord) {
        let worth = |arm: &ArmSpec| skill(&self.scenario, arm, &self.prompts[row]);
        let place = |name: &ArmId| self.arms.iter().position(|arm| arm.name == *name);
        let oracle = self.arms.iter().map(worth).fold(0.0, f64::max);
        for (arm, (sum, n)) in self.arms.iter().zip(&mut pass.alone) {
            *sum += worth(arm);
            *n += 1;
        }
        for raced in record.previews.iter().filter_map(|preview| place(&preview.arm)) {
            pass.raced[raced] += 1;
        }
        // A run that nobody answered earns nothing, and counts against whom it was tried with first.
        let served = record.winner.as_ref().and_then(place);
        let tried = record.attempts.first().and_then(|attempt| place(&attempt.arm));
        pass.row.push(row);
        pass.served.push(served.or(tried).unwrap_or(0));
        pass.reward.push(served.map_or(0.0, |arm| worth(&self.arms[arm])));
        pass.oracle.push(oracle);
        pass.dollars.push(record.attempts.iter().filter(|a| a.ok).filter_map(|a| a.cost_usd).sum());
        pass.raced_dollars.push(record.cost_usd);
    }
}

async fn asked(engine: &dyn EngineHandle, prompt: &str) -> Outcome<Arc<RunRecord>> {
    let request = RunRequest { request: ChatRequest::from_prompt(prompt), origin: Origin::Traffic, session: None };
    let mut run = engine.submit(request).await?;
    while let Some(event) = run.next().await {
        if let RunEvent::Finished { record } = event {
            return Ok(record);
        }
    }
    Err(CliError::failed("the engine went away before a run was complete"))
}

fn skill(scenario: &ScenarioSpec, arm: &ArmSpec, prompt: &Prompt) -> f64 {
    let model = scenario.models.iter().find(|model| model.name == arm.model);
    model.map_or(0.0, |model| model.skill_at(prompt.intent, prompt.hidden.as_deref()))
}

/// Lets the models that a suite brings be the arms; who judges stays.
fn take_over(settings: &mut Settings, suite: &SuiteSpec) {
    if let Some(JudgeSettings::Arm(name)) = &settings.judge {
        let judge = settings.arms.iter().find(|arm| arm.name == *name).cloned();
        settings.judge = judge.map(JudgeSettings::Model);
    }
    let arm = |model: &ModelSpec| ArmSpec {
        name: ArmId::new(&model.name),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: model.name.clone(),
        api_key_env: None,
        price: Some(model.price_per_million),
        enabled: true,
    };
    settings.arms = suite.models.iter().map(arm).collect();
}

/// The scenario without faults and changes, and fast.
fn calm(scenario: &ScenarioSpec) -> ScenarioSpec {
    let mut calm = scenario.clone();
    calm.timeline.clear();
    calm.repeat_s = None;
    for model in &mut calm.models {
        model.failures = FailureRates::default();
        model.first_token.median_s /= SPEED;
        model.tokens_per_s = (model.tokens_per_s * SPEED).min(FASTEST);
    }
    calm
}

/// What every arm is worth on every prompt.
fn truth(arms: &[ArmSpec], scenario: &ScenarioSpec, prompts: &[Prompt], settings: &Settings) -> Outcome<Problem> {
    let line = |(at, prompt): (usize, &Prompt)| {
        let quality: Vec<String> = arms
            .iter()
            .map(|arm| format!("{}:{}", serde_json::json!(arm.name), skill(scenario, arm, prompt)))
            .collect();
        let text = serde_json::json!(prompt.prompt);
        format!(
            "{{\"id\":\"{at}\",\"task\":\"{}\",\"prompt\":{text},\"quality\":{{{}}}}}\n",
            prompt.intent.name(),
            quality.join(",")
        )
    };
    let lines: String = prompts.iter().enumerate().map(line).collect();
    let records = Records::parse(lines.as_bytes()).map_err(CliError::usage)?;
    let features = parts::features(&settings.features);
    Problem::new(&records, ContextSource::Features(features.as_ref()), Counting::quality_alone())
        .map_err(CliError::usage)
}
