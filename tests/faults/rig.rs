//! One run of a real engine with the real adapter, over real sockets, against an endpoint that misbehaves
//! (arm `bad`) and one that does not (arm `good`), and everything that it left: record, events, log
//! entries, screens, log lines. What must hold of every run, whatever an endpoint did, is asserted here.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::console::fixture::screens;
use banditop::domain::BoxFuture;
use banditop::domain::answer::{AnswerStream, ChatModel, ModelCall, ModelFactory};
use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::command::{ArmObservation, LogEntry, RouterCommand};
use banditop::domain::engine::{EngineHandle, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::failure::Failure;
use banditop::domain::ids::ArmId;
use banditop::domain::record::{Origin, RunRecord};
use banditop::domain::snapshot::{ArmRow, EngineSnapshot};
use banditop::domain::spec::{ArmSpec, Lifecycle, Strategy};
use banditop::engine::{Engine, EngineParts};
use banditop::providers::{HttpClient, OpenAiConfig, OpenAiModel, Secret};
use banditop::race::{JudgeChoice, RaceParts};
use tokio::time::Instant;

use super::scripted::parts_with;
use super::server::{Act, Call, Server, answer, stream};
use super::store::Watched;

/// The key that nothing may ever show.
pub(crate) const KEY: &str = "sk-topsecret-0123456789";
/// What the arm says that nothing is wrong with.
pub(crate) const GOOD: &str = "A plain answer to the prompt, in a few words.";
/// What is asked.
pub(crate) const PROMPT: &str = "Say a few words about the prompt.";

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
    /// Events that a run may be ahead of its reader, and how long that one rests after each.
    pub(crate) reader: (usize, Duration),
    /// Whether the adapter of `bad` panics instead of calling anybody.
    pub(crate) panics: bool,
    pub(crate) store: Arc<Watched>,
    pub(crate) adjust: Box<dyn Fn(&mut RaceParts)>,
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
}

impl Rig {
    pub(crate) fn new(http: &HttpClient, strategy: Strategy) -> Self {
        Self {
            http: http.clone(),
            strategy,
            judge: None,
            reader: (256, Duration::ZERO),
            panics: false,
            store: Watched::new(),
            adjust: Box::new(|_| {}),
        }
    }

    /// The same with a race that is made otherwise.
    pub(crate) fn with(self, adjust: impl Fn(&mut RaceParts) + 'static) -> Self {
        Self { adjust: Box::new(adjust), ..self }
    }

    /// The parts of an engine with these arms at these endpoints.
    pub(crate) fn parts(&self, arms: &[(&str, String)]) -> EngineParts {
        let names: Vec<&str> = arms.iter().map(|(name, _)| *name).collect();
        let urls = arms.iter().map(|(name, url)| (ArmId::new(name), url.clone())).collect();
        let factory = Arc::new(Adapters { http: self.http.clone(), urls, panics: self.panics });
        let adjust = |race: &mut RaceParts| {
            race.config.k = 2;
            race.config.retry.base = Duration::from_millis(5);
            race.judge = self.judge.as_ref().map(|judge| JudgeChoice::Model {
                name: "judge".to_owned(),
                model: adapter(&self.http, "judge", judge.base_url()),
                price: None,
            });
            (self.adjust)(race);
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

    /// The same at an endpoint that runs already, or where `elsewhere` is.
    pub(crate) async fn play_at(&self, bad: &Server, elsewhere: Option<String>) -> Played {
        let good = Server::start(vec![vec![stream(&answer(GOOD))]]);
        let url = elsewhere.unwrap_or_else(|| bad.base_url());
        self.play_with(&[("bad", url), ("good", good.base_url())], bad).await
    }

    /// A run that is left, by whoever asked, as soon as the endpoint was called `calls` times: how long the
    /// endpoint waited until all of its connections were closed.
    pub(crate) async fn leave(&self, bad: &Server, calls: usize) -> Duration {
        let tasks = live_tasks();
        let engine = Engine::start(self.parts(&[("bad", bad.base_url()), ("worse", bad.base_url())])).await.unwrap();
        let handle = engine.handle();
        let request = RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None };
        let run = handle.submit(request).await.unwrap();
        assert!(bad.sees(|seen| seen.len() >= calls).await, "the endpoint is called");
        let left = Instant::now();
        drop(run);
        assert!(bad.sees(|seen| seen.iter().all(|call| call.over.is_some())).await, "connections are closed");
        let last = bad.calls().iter().filter_map(|call| call.over).max().unwrap();
        let snapshot = settled(&handle).await;
        assert_eq!((snapshot.totals.cancelled, bad.calls().len()), (1, calls));
        assert!(
            snapshot
                .arms
                .iter()
                .all(|arm| arm.state == Lifecycle::Active && arm.error_rate.is_none_or(|rate| rate.get() == 0.0))
        );
        engine.stop().await;
        drop(handle);
        assert!(ends_at(tasks).await, "tasks are left");
        assert_eq!(self.store.log().iter().filter(|e| matches!(e.command, RouterCommand::Observe(_))).count(), 0);
        last.saturating_duration_since(left)
    }

    async fn play_with(&self, arms: &[(&str, String)], bad: &Server) -> Played {
        let lines = Lines::default();
        let guard = lines.listen();
        let tasks = live_tasks();
        let engine = Engine::start(self.parts(arms)).await.unwrap();
        let handle = engine.handle();
        let started = Instant::now();
        let events = self.events(&handle).await;
        let took = started.elapsed();
        let Some(RunEvent::Finished { record }) = events.last().cloned() else { panic!("no end: {events:?}") };
        handle.changed(handle.snapshot().revision.saturating_sub(1)).await;
        let export = handle.export().await.unwrap();
        let snapshot = settled(&handle).await;
        engine.stop().await;
        drop(handle);
        // The endpoint has a thread of its own: what we did to it, it may see a moment later.
        let made = if self.panics { 0 } else { made(&record, bad, &arms[0].1) };
        let is_over = bad.sees(|seen| seen.len() >= made && seen.iter().all(|call| call.over.is_some())).await;
        assert!(is_over, "{made} calls were made and are to be over: {:?}", bad.calls());
        let played = Played {
            screens: screens(&snapshot, &events).map(|screen| squashed(&screen)),
            log: self.store.log(),
            calls: bad.calls(),
            record,
            events,
            snapshot,
            took,
        };
        played.check();
        played.hides_the_key(&[&export, &lines.text()]);
        drop(guard);
        assert!(ends_at(tasks).await, "tasks are left: {} instead of {tasks}", live_tasks());
        played
    }

    /// A run of an engine that goes on, with nothing but its record.
    pub(crate) async fn ask(&self, handle: &Arc<dyn EngineHandle>) -> Arc<RunRecord> {
        let events = self.events(handle).await;
        let Some(RunEvent::Finished { record }) = events.last() else { panic!("no end: {events:?}") };
        Arc::clone(record)
    }

    async fn events(&self, handle: &Arc<dyn EngineHandle>) -> Vec<RunEvent> {
        let request = RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None };
        let mut run = handle.submit(request).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = run.next().await {
            events.push(event);
            if !self.reader.1.is_zero() {
                tokio::time::sleep(self.reader.1).await;
            }
        }
        events
    }
}

/// Calls of arm `bad` that the record tells of, where `bad` is what is at `url`.
fn made(record: &RunRecord, bad: &Server, url: &str) -> usize {
    let is_there = url.split("://").nth(1) == bad.base_url().split("://").nth(1);
    let previews = record.previews.iter().map(|preview| (&preview.arm, &preview.handling));
    let attempts = record.attempts.iter().map(|attempt| (&attempt.arm, &attempt.handling));
    let of_bad =
        previews.chain(attempts).filter(|(arm, handling)| is_there && arm.as_str() == "bad" && !handling.unmade);
    of_bad.map(|(_, handling)| 1 + handling.retries.len()).sum()
}

/// What stands in each pane of a screen, lines joined: words are found wherever they are wrapped.
fn squashed(screen: &str) -> String {
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

/// The picture with the run in it.
async fn settled(handle: &Arc<dyn EngineHandle>) -> Arc<EngineSnapshot> {
    let shown = async {
        loop {
            let picture = handle.snapshot();
            if picture.totals.runs > 0 {
                return picture;
            }
            handle.changed(picture.revision).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), shown).await.expect("the picture shows the run")
}

/// Tasks of this runtime that are not over.
pub(crate) fn live_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Whether no more tasks are left than `baseline`, soon.
pub(crate) async fn ends_at(baseline: usize) -> bool {
    for _ in 0..400 {
        if live_tasks() <= baseline {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
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

    /// What holds of every run.
    fn check(&self) {
        let count = |wanted: &dyn Fn(&RunEvent) -> bool| self.events.iter().filter(|e| wanted(e)).count();
        assert_eq!(count(&|e| matches!(e, RunEvent::Finished { .. })), 1, "one end of the run");
        assert!(
            count(&|e| matches!(e, RunEvent::Judged { .. })) <= 1
                && count(&|e| matches!(e, RunEvent::Judging { .. })) <= 1
        );
        for preview in &self.record.previews {
            let ends = count(&|e| matches!(e, RunEvent::PreviewDone { preview: done } if done.arm == preview.arm));
            assert_eq!(ends, 1, "one end of the preview of {}", preview.arm);
        }
        let wanted = self.events.iter().find_map(|event| match event {
            RunEvent::Selected { preview_tokens, .. } => Some(*preview_tokens as usize),
            _ => None,
        });
        let longest = self.record.previews.iter().map(|preview| preview.text.len()).max().unwrap_or(0);
        assert!(longest <= wanted.map_or(0, |tokens| (tokens * 12).max(256)), "a preview of {longest} bytes");
        let began = count(&|e| matches!(e, RunEvent::AttemptStarted { .. }));
        let ended = count(&|e| matches!(e, RunEvent::AttemptDone { .. }));
        assert_eq!((began, ended), (self.record.attempts.len(), self.record.attempts.len()), "one end of each attempt");
        let mut told = BTreeMap::new();
        for entry in &self.log {
            if let RouterCommand::Observe(observation) = &entry.command {
                for arm in &observation.arms {
                    *told.entry((observation.run, arm.arm.clone())).or_insert(0) += 1;
                }
            }
        }
        assert!(told.values().all(|times| *times == 1), "one update per run and arm: {told:?}");
    }

    fn hides_the_key(&self, more: &[&str]) {
        let events = format!("{:?}", self.events);
        let record = serde_json::to_string(self.record.as_ref()).unwrap();
        let [race, overview] = &self.screens;
        let snapshot = format!("{:?} {:?}", self.snapshot, self.log);
        for text in [&events, &record, race, overview, &snapshot].map(String::as_str).iter().chain(more) {
            assert!(!text.contains(KEY), "the key is shown in {text}");
        }
    }
}

/// Adapters of the program, with a key.
struct Adapters {
    http: HttpClient,
    urls: BTreeMap<ArmId, String>,
    panics: bool,
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

/// Every log line of this thread, at every level.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
