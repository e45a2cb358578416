//! `banditop` and `banditop run`: the console, with the engine, the control socket and the traffic
//! generator of this process under it; or in front of the engine of whoever holds the store.

use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::failure::{CliError, Outcome};
use super::local::{LocalEngine, Watched};
use super::output::say;
use super::paths::SocketPath;
use super::session::{Found, Need, find};
use super::telemetry::{self, LogOutput, Monitor};
use crate::console::{Background, ConsoleError, ConsoleExit, ConsoleParts, ConsoleSettings, EndReason};
use crate::domain::engine::EngineHandle;
use crate::domain::spec::Provider;
use crate::domain::traffic::TrafficControl;
use crate::gateway::socket::ControlSocket;
use crate::settings::{Settings, Theme};
use crate::sim::{TrafficDriver, TrafficOptions};

/// Refuses before anything is opened or started.
pub(super) fn check_terminal() -> Outcome {
    let ends = [("standard input", stdin().is_terminal()), ("standard output", stdout().is_terminal())];
    match ends.into_iter().find(|(_, is_terminal)| !is_terminal) {
        Some((what, _)) => Err(CliError::usage(ConsoleError::NotATerminal { what })),
        None if std::env::var("TERM").is_ok_and(|term| term == "dumb") => {
            Err(CliError::usage(ConsoleError::DumbTerminal))
        }
        None => Ok(()),
    }
}

/// Runs the console.
pub(super) async fn run(context: &Context, log: &LogOutput) -> Outcome {
    let mut exit = open(context, log).await?;
    while exit.reason == EndReason::TakeOver {
        exit = open(context, log).await?;
    }
    say(&exit.summary);
    match exit.panics.as_slice() {
        [] if exit.reason == EndReason::EngineGone => Err(CliError::failed(
            "the engine had gone before this console was left: `banditop` opens one of its own on what is stored",
        )),
        [] => Ok(()),
        panics => Err(CliError::failed(format!("a task failed:\n{}", panics.join("\n")))),
    }
}

/// One console, over an engine here or elsewhere.
async fn open(context: &Context, log: &LogOutput) -> Outcome<ConsoleExit> {
    match find(context, Need::Engine).await? {
        Found::Elsewhere(engine) => {
            let attached_to = Some(context.data_dir()?.display().to_string());
            let parts = parts(context, Arc::new(engine), None, "ATTACHED".to_owned());
            crate::console::run(ConsoleParts { attached_to, ..parts }).await.map_err(console_fault)
        }
        Found::Here(store) => {
            let telemetry = telemetry::start(context, log);
            let watched = Watched::By(telemetry.clone());
            let local = LocalEngine::start(context, store, Need::Engine, watched).await?;
            let monitor = Monitor::open(context.settings().telemetry.listen, &telemetry, local.handle()).await;
            let exit = over(context, &local).await;
            monitor.close().await;
            local.stop().await?;
            exit
        }
    }
}

/// The console over an engine of this process.
async fn over(context: &Context, local: &LocalEngine) -> Outcome<ConsoleExit> {
    let door = Door::open(context, local.handle()).await;
    let settings = context.settings();
    let options = TrafficOptions {
        seed: settings.simulation.seed,
        rate_per_s: settings.simulation.traffic_rate,
        on: false,
        max_in_flight: settings.run.max_in_flight,
    };
    let traffic = Arc::new(TrafficDriver::start(local.handle(), local.simulation().prompts(), options));
    let control: Arc<dyn TrafficControl> = traffic.clone();
    let parts = parts(context, local.handle(), Some(control), source(settings));
    let exit = crate::console::run(parts).await;
    traffic.shutdown().await;
    door.close().await;
    exit.map_err(console_fault)
}

fn console_fault(error: ConsoleError) -> CliError {
    match error {
        ConsoleError::NotATerminal { .. } | ConsoleError::DumbTerminal => CliError::usage(error),
        ConsoleError::Terminal(_) => CliError::failed(error),
    }
}

fn parts(
    context: &Context,
    engine: Arc<dyn EngineHandle>,
    traffic: Option<Arc<dyn TrafficControl>>,
    source: String,
) -> ConsoleParts {
    let settings = context.settings();
    ConsoleParts {
        engine,
        traffic,
        settings: console_settings(settings),
        operator: context.operator(),
        source,
        read_only: settings.console.read_only,
        attached_to: None,
    }
}

fn console_settings(settings: &Settings) -> ConsoleSettings {
    let console = &settings.console;
    ConsoleSettings {
        keys: settings.keys.clone(),
        background: if console.theme == Theme::Light { Background::Light } else { Background::Dark },
        colors: None,
        no_color: !console.color,
        ascii: console.ascii,
        mouse: console.mouse,
        bell: settings.alarms.bell,
        max_prompt_bytes: Some(settings.run.max_prompt_bytes),
    }
}

/// What is watched: real endpoints, or simulated ones alone.
fn source(settings: &Settings) -> String {
    let is_real = |provider: Provider| provider != Provider::Simulated;
    if settings.arms.iter().any(|arm| arm.enabled && is_real(arm.provider)) {
        "LIVE".to_owned()
    } else {
        format!("DEMO seed {}", settings.simulation.seed)
    }
}

/// The control socket while the console is open. Without it the console works all the same.
struct Door {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Keeps the socket's path valid.
    _path: Option<SocketPath>,
}

impl Door {
    async fn open(context: &Context, engine: Arc<dyn EngineHandle>) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let path = match Self::bind(context).await {
            Ok((path, socket)) => {
                tasks.spawn(socket.serve(engine, stop.clone()));
                Some(path)
            }
            Err(error) => {
                tracing::warn!("`ask` and `state` cannot reach this console: {}", error.message);
                None
            }
        };
        Self { stop, tasks, _path: path }
    }

    async fn bind(context: &Context) -> Outcome<(SocketPath, ControlSocket)> {
        let path = SocketPath::in_dir(&context.data_dir()?)?;
        let socket = ControlSocket::bind(path.get()).await.map_err(CliError::failed)?;
        Ok((path, socket))
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
