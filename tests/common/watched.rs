//! An engine with telemetry and an open door, and a reader of what it says there.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use banditop::domain::chat::ChatRequest;
use banditop::domain::clock::{Clock, SystemClock};
use banditop::domain::control::SOCKET_NAME;
use banditop::domain::engine::RunRequest;
use banditop::domain::event::RunEvent;
use banditop::domain::observer::RecordPrompts;
use banditop::domain::record::Origin;
use banditop::domain::slo::{Indicator, SloSpec};
use banditop::domain::spec::ConfigFacts;
use banditop::domain::store::StateStore;
use banditop::engine::{Engine, EngineParts};
use banditop::gateway::observe::ObserveDoor;
use banditop::gateway::socket::ControlSocket;
use banditop::store::{MemoryStore, OpenOptions, SledStore};
use banditop::telemetry::{Sinks, Telemetry, TelemetryParts};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::scripted::{Troupe, parts};

/// The pool; the last one fails.
pub(crate) const ARMS: [&str; 3] = ["swift", "penny", "broken"];

/// An engine with telemetry and an open door.
pub(crate) struct Watched {
    pub(crate) engine: Engine,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: JoinSet<()>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        Self::with(Arc::new(MemoryStore::new()), |_| ()).await
    }

    /// Where `state` of the program finds it: it holds the store in `dir`, with its control socket.
    pub(crate) async fn reachable(dir: &Path) -> Self {
        let options = OpenOptions::new("test", Arc::new(SystemClock::new()));
        let store = Arc::new(SledStore::open(dir, options).unwrap());
        let mut watched = Self::with(store, |facts| facts.budget_per_request = Some(0.01)).await;
        let socket = ControlSocket::bind(&dir.join(SOCKET_NAME)).await.unwrap();
        watched.tasks.spawn(socket.serve(watched.engine.handle(), watched.stop.clone()));
        watched
    }

    pub(crate) async fn with(store: Arc<dyn StateStore>, change: impl FnOnce(&mut ConfigFacts)) -> Self {
        // The third one has no script: it cannot be reached.
        let troupe = Troupe::answering(&["swift", "penny"]);
        let mut parts = parts(&ARMS, &troupe, store);
        change(&mut parts.facts);
        Box::pin(Self::made_of(parts)).await
    }

    /// Whatever engine these parts make.
    pub(crate) async fn made_of(parts: EngineParts) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let slo = SloSpec {
            name: "p95".into(),
            indicator: Indicator::Percentile(95),
            limit: 5.0,
            window: Duration::from_mins(10),
            alarm_burn: 2.0,
        };
        let telemetry = Telemetry::start(TelemetryParts {
            clock: clock.clone(),
            slos: vec![slo],
            prompts: RecordPrompts::Off,
            log: None,
            sinks: Sinks::default(),
            otel: None,
            judge: None,
            webhook: None,
        });
        let engine = Engine::start(EngineParts { observer: telemetry.clone(), ..parts }).await.unwrap();
        telemetry.watch(&engine.handle());
        let door = ObserveDoor::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop, mut tasks) = (door.address(), CancellationToken::new(), JoinSet::new());
        tasks.spawn(door.serve(telemetry.clone(), engine.handle(), stop.clone()));
        Self { engine, telemetry, address, stop, tasks }
    }

    pub(crate) async fn ask(&self, prompt: &str) {
        let request = RunRequest { request: ChatRequest::from_prompt(prompt), origin: Origin::Traffic, session: None };
        let mut run = self.engine.handle().submit(request).await.unwrap();
        while let Some(event) = run.next().await {
            if let RunEvent::Finished { .. } = event {
                break;
            }
        }
    }

    /// The picture that shows that many runs.
    pub(crate) async fn shows(&self, runs: u64) -> Arc<banditop::domain::snapshot::EngineSnapshot> {
        let handle = self.engine.handle();
        loop {
            let picture = handle.snapshot();
            if picture.totals.runs >= runs {
                return picture;
            }
            handle.changed(picture.revision).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let (address, path) = (self.address, path.to_owned());
        tokio::task::spawn_blocking(move || get(address, &path)).await.unwrap()
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.engine.stop().await;
        self.telemetry.stop();
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Samples by name and labels, as they are written.
pub(crate) fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, v)| (name.to_owned(), v.parse().unwrap())).collect()
}

pub(crate) fn sum(samples: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
    let is_it = |key: &str| key.split('{').next() == Some(name) && key.contains(label);
    samples.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value).sum()
}
