//! What every row is played on: an engine with its endpoints, from before its first task to after its last. It
//! hears what each run says and when, and at its end holds all of it against what must hold of every row
//! (`invariants.rs`): there is no other way to end it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banditop::console::fixture::screens;
use banditop::domain::chat::ChatRequest;
use banditop::domain::engine::{EngineError, EngineHandle, RunRequest};
use banditop::domain::event::RunEvent;
use banditop::domain::record::{Origin, RunRecord};
use banditop::domain::snapshot::EngineSnapshot;
use banditop::engine::Engine;
use tokio::time::Instant;

use super::invariants::{Endpoint, Heard, Seen};
use super::rig::{PROMPT, Played, Rig, squashed};
use super::server::{Server, Withheld};

/// Where an arm is.
pub(crate) struct At<'a> {
    url: String,
    /// What listens there, where it is a server of ours.
    server: Option<&'a Server>,
}

impl<'a> At<'a> {
    pub(crate) fn of(server: &'a Server) -> Self {
        Self { url: server.base_url(), server: Some(server) }
    }

    pub(crate) const fn nowhere(url: String) -> Self {
        Self { url, server: None }
    }

    /// There; `server` where that is its place, whatever the scheme.
    pub(crate) fn url(url: String, server: &'a Server) -> Self {
        let is_there = url.split("://").nth(1) == server.base_url().split("://").nth(1);
        Self { url, server: is_there.then_some(server) }
    }
}

/// See the head of this file.
pub(crate) struct Stage<'a> {
    rig: &'a Rig,
    engine: Engine,
    pub(crate) handle: Arc<dyn EngineHandle>,
    /// Arms, and what listens there; nothing where it is not a server of ours.
    arms: Vec<(String, Option<&'a Server>)>,
    tasks: usize,
    lines: Lines,
    listening: tracing::subscriber::DefaultGuard,
    withheld: Withheld,
    runs: Vec<Heard>,
}

impl<'a> Stage<'a> {
    /// An engine with these arms.
    pub(crate) async fn open(rig: &'a Rig, arms: &[(&str, At<'a>)]) -> Self {
        let lines = Lines::default();
        let listening = lines.listen();
        let (tasks, withheld) = (live_tasks(), Withheld::begin());
        let urls: Vec<(&str, String)> = arms.iter().map(|(name, at)| (*name, at.url.clone())).collect();
        let mut parts = rig.parts(&urls);
        (rig.prepare)(&mut parts);
        let engine = Box::pin(Engine::start(parts)).await.unwrap();
        let handle = engine.handle();
        let arms = arms.iter().map(|(name, at)| ((*name).to_owned(), at.server)).collect();
        Self { rig, engine, handle, arms, tasks, lines, listening, withheld, runs: Vec::new() }
    }

    fn request() -> RunRequest {
        RunRequest { request: ChatRequest::from_prompt(PROMPT), origin: Origin::Person, session: None }
    }

    /// A run to its end.
    pub(crate) async fn ask(&mut self) -> Arc<RunRecord> {
        self.ask_doing(|| {}).await
    }

    /// A run to its end, in which something is done after its first event.
    pub(crate) async fn ask_doing(&mut self, act: impl FnOnce()) -> Arc<RunRecord> {
        let mut run = self.handle.submit(Self::request()).await.unwrap();
        let (mut heard, mut act) = (Heard::default(), Some(act));
        while let Some(event) = run.next().await {
            heard.events.push((Instant::now(), event));
            if let Some(act) = act.take() {
                act();
            }
            if !self.rig.reader.1.is_zero() {
                tokio::time::sleep(self.rig.reader.1).await;
            }
        }
        let Some((_, RunEvent::Finished { record })) = heard.events.last().cloned() else {
            panic!("no end: {:?}", heard.events)
        };
        self.runs.push(heard);
        record
    }

    /// A run that is refused: what is said.
    pub(crate) async fn refused(&mut self) -> String {
        match self.handle.submit(Self::request()).await.map(|_| ()) {
            Err(EngineError::Refused(said)) => said,
            other => panic!("no refusal: {other:?}"),
        }
    }

    /// A run that is left, by whoever asked, as soon as the arms' endpoints were called `calls` times.
    pub(crate) async fn leave(&mut self, bad: &Server, calls: usize) {
        let mut run = self.handle.submit(Self::request()).await.unwrap();
        let first = run.next().await.unwrap();
        let began = Instant::now();
        assert!(bad.sees(|seen| seen.len() >= calls).await, "the endpoint is called");
        let left = Some(Instant::now());
        drop(run);
        self.runs.push(Heard { events: vec![(began, first)], left });
        assert!(bad.sees(|seen| seen.iter().all(|call| call.over.is_some())).await, "connections are closed");
    }

    /// The picture with all runs in it.
    pub(crate) async fn settled(&self) -> Arc<EngineSnapshot> {
        let runs = self.runs.len() as u64;
        self.shows(|picture| picture.totals.runs >= runs).await
    }

    /// The picture once it is so.
    pub(crate) async fn shows(&self, what: impl Fn(&EngineSnapshot) -> bool) -> Arc<EngineSnapshot> {
        let shown = async {
            loop {
                let picture = self.handle.snapshot();
                if what(&picture) {
                    return picture;
                }
                self.handle.changed(picture.revision).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), shown).await.expect("the picture shows it")
    }

    /// The race and the overview with this picture, after the last run.
    pub(crate) fn screens(&self, picture: &Arc<EngineSnapshot>) -> [String; 2] {
        screens(picture, &last_events(&self.runs)).map(|screen| squashed(&screen))
    }

    /// Stops the engine and holds the row against the invariants; the screens are of the last run.
    pub(crate) async fn end(self) -> Left {
        let snapshot = self.settled().await;
        let export = Box::pin(self.handle.export()).await;
        let Self { rig, engine, handle, arms, tasks, lines, listening, withheld, runs } = self;
        Box::pin(engine.stop()).await;
        drop(handle);
        let stopped = Instant::now();
        let helpers = rig.helpers().map(|(name, server)| (name.to_owned(), Some(server)));
        let mut endpoints = Vec::new();
        for (name, server) in arms.into_iter().chain(helpers) {
            let Some(server) = server else { continue };
            // The endpoint has a thread of its own: what we did to it, it may see a moment later.
            let made = if rig.panics && name == "bad" { 0 } else { made(&runs, &name) };
            let is_over = server.sees(|seen| seen.len() >= made && seen.iter().all(|call| call.over.is_some())).await;
            assert!(is_over, "{made} calls were made and are to be over: {:?}", server.calls());
            // Of a run that was left there is no record, and embeddings are asked for beside the runs.
            let is_on_record = runs.iter().all(|run| run.record().is_some()) && name != "embedding";
            let calls = server.calls().len();
            assert!(!is_on_record || calls == made, "{name}: {calls} calls came, {made} are on record");
            endpoints.push(Endpoint { name, calls: server.calls() });
        }
        let events: Vec<RunEvent> =
            runs.last().map(|run| run.events.iter().map(|(_, event)| event.clone()).collect()).unwrap_or_default();
        let shown = screens(&snapshot, &events).map(|screen| squashed(&screen));
        let log = rig.store.log();
        let records: Vec<String> =
            runs.iter().filter_map(Heard::record).map(|record| serde_json::to_string(record).unwrap()).collect();
        let mut texts = vec![format!("{export:?}"), format!("{snapshot:?} {log:?}"), lines.text()];
        texts.extend(runs.iter().map(|run| format!("{:?}", run.events)).chain(records).chain(shown.iter().cloned()));
        let config = rig.config();
        let seen = Seen {
            config: &config,
            runs: &runs,
            log: &log,
            endpoints: &endpoints,
            texts: &texts,
            stopped,
            withheld: withheld.so_far(),
        };
        seen.holds();
        let withheld = seen.withheld;
        drop(listening);
        assert!(ends_at(tasks).await, "tasks are left: {} instead of {tasks}", live_tasks());
        Left { events, snapshot, screens: shown, log, withheld }
    }
}

/// What a row left, and what it is looked at for.
pub(crate) struct Left {
    pub(crate) events: Vec<RunEvent>,
    pub(crate) snapshot: Arc<EngineSnapshot>,
    pub(crate) screens: [String; 2],
    pub(crate) log: Vec<banditop::domain::command::LogEntry>,
    pub(crate) withheld: Duration,
}

impl Left {
    /// As one that was played, of which `bad` is what the endpoint of that arm saw.
    pub(crate) fn played(self, bad: &Server, record: Arc<RunRecord>, took: Duration) -> Played {
        let Self { events, snapshot, screens, log, withheld } = self;
        Played { record, events, log, snapshot, screens, calls: bad.calls(), took, withheld }
    }
}

fn last_events(runs: &[Heard]) -> Vec<RunEvent> {
    runs.last().map(|run| run.events.iter().map(|(_, event)| event.clone()).collect()).unwrap_or_default()
}

/// Calls that the records tell of.
fn made(runs: &[Heard], name: &str) -> usize {
    let of_run = |record: &RunRecord| {
        let previews = record.previews.iter().map(|preview| (&preview.arm, &preview.handling));
        let attempts = record.attempts.iter().map(|attempt| (&attempt.arm, &attempt.handling));
        let of_it = previews.chain(attempts).filter(|(arm, handling)| arm.as_str() == name && !handling.unmade);
        let judging = record.judging.as_ref().filter(|_| name == "judge").map_or(0, |judging| judging.calls as usize);
        of_it.map(|(_, handling)| 1 + handling.retries.len()).sum::<usize>() + judging
    };
    runs.iter().filter_map(Heard::record).map(of_run).sum()
}

/// Tasks of this runtime that are not over.
fn live_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Whether no more tasks are left than `baseline`, soon.
async fn ends_at(baseline: usize) -> bool {
    for _ in 0..400 {
        if live_tasks() <= baseline {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
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
