//! One run of a real engine with the real adapter, over real sockets, against an endpoint that misbehaves
//! (arm `bad`) and one that does not (arm `good`), and everything that it left: record, events, log entries,
//! screens. How an engine is started, heard and ended is `stage.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::domain::BoxFuture;
use banditop::domain::answer::{AnswerStream, ChatModel, ModelCall, ModelFactory};
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::command::{ArmObservation, LogEntry, RouterCommand};
use banditop::domain::event::RunEvent;
use banditop::domain::failure::Failure;
use banditop::domain::ids::ArmId;
use banditop::domain::record::RunRecord;
use banditop::domain::snapshot::{ArmRow, EngineSnapshot};
use banditop::domain::spec::{ArmSpec, Lifecycle, Strategy};
use banditop::engine::EngineParts;
use banditop::providers::{AnthropicConfig, AnthropicModel, HttpClient, OpenAiConfig, OpenAiModel, Secret};
use banditop::race::{BudgetRules, JudgeChoice, RaceConfig, RaceParts};
use tokio::time::Instant;

use super::scripted::parts_with;
use super::server::{Act, Call, Server, answer, stream};
use super::stage::{At, Stage};
use super::store::Watched;

/// The key that nothing may ever show.
pub(crate) const KEY: &str = "sk-topsecret-0123456789";
/// What the arm says that nothing is wrong with.
pub(crate) const GOOD: &str = "A plain answer to the prompt, in a few words.";
/// What is asked.
pub(crate) const PROMPT: &str = "Say a few words about the prompt.";

/// Ceilings that every row has, and that none passes but those about ceilings.
pub(crate) const fn ample() -> BudgetRules {
    BudgetRules { tokens: [Some(400_000); 3], run_usd: Some(1.0), day_usd: Some(1.0) }
}

/// The client that all adapters of one test share.
pub(crate) fn client() -> HttpClient {
    HttpClient::new(Duration::from_secs(2), Arc::new(SystemClock::new())).unwrap()
}

/// What a run is played with.
pub(crate) struct Rig {
    pub(crate) http: HttpClient,
    pub(crate) strategy: Strategy,
    /// The endpoint of the judge; nobody means the local one.
    pub(crate) judge: Option<Server>,
    /// The endpoint of embeddings that `adjust` has the race ask.
    pub(crate) embedding: Option<Server>,
    /// Events that a run may be ahead of its reader, and how long that one rests after each.
    pub(crate) reader: (usize, Duration),
    /// Whether the adapter of `bad` panics instead of calling anybody.
    pub(crate) panics: bool,
    /// Whether `bad` is asked as Anthropic is.
    pub(crate) anthropic: bool,
    pub(crate) store: Arc<Watched>,
    pub(crate) adjust: Box<dyn Fn(&mut RaceParts)>,
    /// What is changed of the engine before it starts.
    pub(crate) prepare: Box<dyn Fn(&mut EngineParts)>,
    /// The race as it was made.
    pub(crate) made: Mutex<RaceConfig>,
}

/// What a run left.
pub(crate) struct Played {
    pub(crate) record: Arc<RunRecord>,
    pub(crate) events: Vec<RunEvent>,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) snapshot: Arc<EngineSnapshot>,
    /// The race and the overview.
    pub(crate) screens: [String; 2],
    /// What the endpoint of `bad` saw.
    pub(crate) calls: Vec<Call>,
    pub(crate) took: Duration,
    /// What the machine withheld meanwhile: what bounds of time are widened by.
    pub(crate) withheld: Duration,
}

impl Rig {
    pub(crate) fn new(http: &HttpClient, strategy: Strategy) -> Self {
        Self {
            http: http.clone(),
            strategy,
            judge: None,
            embedding: None,
            reader: (256, Duration::ZERO),
            panics: false,
            anthropic: false,
            store: Watched::new(),
            adjust: Box::new(|_| {}),
            prepare: Box::new(|_| {}),
            made: Mutex::default(),
        }
    }

    /// The same with a race that is made otherwise.
    pub(crate) fn with(self, adjust: impl Fn(&mut RaceParts) + 'static) -> Self {
        Self { adjust: Box::new(adjust), ..self }
    }

    /// The same with an engine that is prepared otherwise.
    pub(crate) fn prepared(self, prepare: impl Fn(&mut EngineParts) + 'static) -> Self {
        Self { prepare: Box::new(prepare), ..self }
    }

    /// The parts of an engine with these arms at these endpoints.
    pub(crate) fn parts(&self, arms: &[(&str, String)]) -> EngineParts {
        let names: Vec<&str> = arms.iter().map(|(name, _)| *name).collect();
        let urls = arms.iter().map(|(name, url)| (ArmId::new(name), url.clone())).collect();
        let factory =
            Arc::new(Adapters { http: self.http.clone(), urls, panics: self.panics, anthropic: self.anthropic });
        let adjust = |race: &mut RaceParts| {
            race.config.k = 2;
            race.config.retry.base = Duration::from_millis(5);
            race.config.budget = ample();
            race.judge = self.judge.as_ref().map(|judge| JudgeChoice::Model {
                name: "judge".to_owned(),
                model: adapter(&self.http, "judge", judge.base_url()),
                price: None,
            });
            (self.adjust)(race);
            *self.made.lock().unwrap() = race.config.clone();
        };
        let mut parts = parts_with(&names, factory, self.store.clone(), adjust);
        parts.strategy = self.strategy;
        parts.limits.event_buffer = self.reader.0;
        parts
    }

    /// One run with arms `bad`, which does what `scripts` say, and `good`.
    pub(crate) async fn play(&self, scripts: Vec<Vec<Act>>) -> Played {
        self.play_at(&Server::start(scripts), None).await
    }

    /// The same, and `good` says this.
    pub(crate) async fn play_beside(&self, scripts: Vec<Vec<Act>>, said: &str) -> Played {
        let (bad, good) = (Server::start(scripts), Server::start(vec![vec![stream(&answer(said))]]));
        Box::pin(self.play_with(&[("bad", At::of(&bad)), ("good", At::of(&good))], &bad)).await
    }

    /// The same at an endpoint that runs already, or where `elsewhere` is.
    pub(crate) async fn play_at(&self, bad: &Server, elsewhere: Option<String>) -> Played {
        let good = Server::start(vec![vec![stream(&answer(GOOD))]]);
        let at = elsewhere.map_or_else(|| At::of(bad), |url| At::url(url, bad));
        Box::pin(self.play_with(&[("bad", at), ("good", At::of(&good))], bad)).await
    }

    /// A run that is left, by whoever asked, as soon as the endpoint was called `calls` times.
    pub(crate) async fn leave(&self, bad: &Server, calls: usize) {
        let mut stage = Stage::open(self, &[("bad", At::of(bad)), ("worse", At::of(bad))]).await;
        stage.leave(bad, calls).await;
        let left = Box::pin(stage.end()).await;
        assert_eq!((left.snapshot.totals.cancelled, bad.calls().len()), (1, calls));
        let is_blamed =
            |arm: &ArmRow| arm.state != Lifecycle::Active || arm.error_rate.is_some_and(|rate| rate.get() > 0.0);
        assert!(!left.snapshot.arms.iter().any(is_blamed));
        assert!(!left.log.iter().any(|entry| matches!(entry.command, RouterCommand::Observe(_))));
    }

    async fn play_with<'a>(&'a self, arms: &[(&str, At<'a>)], bad: &Server) -> Played {
        let mut stage = Stage::open(self, arms).await;
        let started = Instant::now();
        let record = stage.ask().await;
        let took = started.elapsed();
        stage.end().await.played(bad, record, took)
    }

    /// The race as it was made for the last engine.
    pub(crate) fn config(&self) -> RaceConfig {
        self.made.lock().unwrap().clone()
    }

    /// Endpoints that are no arm's.
    pub(crate) fn helpers(&self) -> impl Iterator<Item = (&'static str, &Server)> {
        let embedding = self.embedding.iter().map(|endpoint| ("embedding", endpoint));
        self.judge.iter().map(|judge| ("judge", judge)).chain(embedding)
    }
}

/// What stands in each pane of a screen, lines joined: words are found wherever they are wrapped.
pub(crate) fn squashed(screen: &str) -> String {
    let mut panes: BTreeMap<(usize, usize), String> = BTreeMap::new();
    for row in screen.lines() {
        let cells: Vec<&str> = row.split('│').collect();
        for (i, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty()) {
            let pane = panes.entry((cells.len(), i)).or_default();
            pane.push_str(&cell.split_whitespace().collect::<Vec<_>>().join(" "));
            pane.push(' ');
        }
    }
    panes.into_values().collect::<Vec<_>>().join("\n")
}

impl Played {
    /// How the attempts went: `bad:http_503 good:ok`.
    pub(crate) fn attempts(&self) -> String {
        let kind = |error: Option<&Failure>| error.map_or("ok", |f| f.kind.as_ref()).to_owned();
        let attempts = self.record.attempts.iter().map(|a| format!("{}:{}", a.arm, kind(a.error.as_ref())));
        attempts.collect::<Vec<_>>().join(" ")
    }

    /// What the router was told about `bad`.
    pub(crate) fn learned(&self) -> Option<ArmObservation> {
        let arms = self.log.iter().filter_map(|entry| match &entry.command {
            RouterCommand::Observe(observation) => Some(observation.arms.iter()),
            _ => None,
        });
        arms.flatten().find(|arm| arm.arm.as_str() == "bad").cloned()
    }

    /// The row of `bad` in the picture.
    pub(crate) fn arm(&self) -> &ArmRow {
        self.snapshot.arms.iter().find(|row| row.arm.as_str() == "bad").unwrap()
    }
}

/// Adapters of the program, with a key.
struct Adapters {
    http: HttpClient,
    urls: BTreeMap<ArmId, String>,
    panics: bool,
    anthropic: bool,
}

/// An adapter with a fault of its own.
struct Panicking;

impl ChatModel for Panicking {
    fn stream(&self, _call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async { panic!("an adapter with a fault") })
    }
}

impl ModelFactory for Adapters {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        if self.panics && spec.name.as_str() == "bad" {
            return Ok(Arc::new(Panicking));
        }
        if self.anthropic && spec.name.as_str() == "bad" {
            let (http, model, base_url) = (self.http.clone(), spec.model.clone(), self.urls[&spec.name].clone());
            let (api_key, extra) = (Some(Secret::new(KEY)), serde_json::Map::new());
            let config = AnthropicConfig { http, base_url, model, api_key, extra };
            return Ok(Arc::new(AnthropicModel::new(config).unwrap()));
        }
        Ok(adapter(&self.http, spec.model.as_str(), self.urls[&spec.name].clone()))
    }
}

fn adapter(http: &HttpClient, model: &str, base_url: String) -> Arc<dyn ChatModel> {
    let (http, model, api_key) = (http.clone(), model.to_owned(), Some(Secret::new(KEY)));
    Arc::new(OpenAiModel::new(OpenAiConfig { http, base_url, model, api_key, extra: serde_json::Map::new() }).unwrap())
}

/// A clock that shows another hour at every look; its monotonic reading goes on as it should.
pub(crate) struct Jumping(pub(crate) SystemClock, pub(crate) Mutex<bool>);

impl Clock for Jumping {
    fn now(&self) -> banditop::domain::clock::Timestamp {
        let mut ahead = self.1.lock().unwrap();
        *ahead = !*ahead;
        let (now, hour) = (self.0.now(), Duration::from_hours(1));
        if *ahead { now.plus(hour) } else { now.minus(hour) }
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}
