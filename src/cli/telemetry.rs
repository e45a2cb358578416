//! From settings to telemetry: the log's file, the collector, the webhook, the objectives, and the port that
//! a monitor reads. Whatever cannot be set up is said and goes without: telemetry is no reason not to race.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::domain::engine::EngineHandle;
use crate::domain::spec::ArmSpec;
use crate::gateway::observe::ObserveDoor;
use crate::settings::{JudgeSettings, LogFile, Settings};
use crate::telemetry::{OtelConfig, RotatingFile, Sinks, Telemetry, TelemetryParts, WebhookConfig};

/// The log's name in the data directory.
const LOG_NAME: &str = "banditop.log";

/// The log's file, opened before anything is logged; and what is to be said about it later.
pub(super) struct LogOutput {
    pub(super) file: Option<RotatingFile>,
    sinks: Sinks,
    fault: Option<String>,
}

impl LogOutput {
    /// No file.
    pub(super) fn none() -> Self {
        Self { file: None, sinks: Sinks::default(), fault: None }
    }

    /// The configured file.
    pub(super) fn open(context: &Context) -> Self {
        let mut output = Self::none();
        let Some(path) = log_path(context) else { return output };
        let log = &context.settings().log;
        let counters = output.sinks.add("log");
        match RotatingFile::open(&path, log.max_bytes, log.keep, counters) {
            Ok(file) => output.file = Some(file),
            Err(error) => {
                let path = path.display();
                output.fault =
                    Some(format!("the log {path} cannot be opened ({error}): nothing is kept; set log.file"));
            }
        }
        output
    }

    /// Waits a bounded time until what was logged is written.
    pub(super) fn close(&self) {
        if let Some(file) = &self.file {
            file.stop();
        }
    }
}

fn log_path(context: &Context) -> Option<PathBuf> {
    match &context.settings().log.file {
        LogFile::Off => None,
        LogFile::At(path) => Some(path.clone()),
        LogFile::InDataDir => context.data_dir().ok().map(|dir| dir.join(LOG_NAME)),
    }
}

/// Starts what the settings and the environment ask for.
pub(super) fn start(context: &Context, log: &LogOutput) -> Arc<Telemetry> {
    let settings = context.settings();
    let variable = |name: &str| std::env::var(name).ok();
    let endpoint = settings.telemetry.otlp_endpoint.as_deref();
    let (otel, note) = OtelConfig::wanted(endpoint, settings.telemetry.otlp_content, &variable);
    let named = settings.alarms.webhook_env.as_deref();
    let hidden = named.and_then(|name| variable(name).filter(|url| !url.trim().is_empty()));
    let url = hidden.clone().or_else(|| settings.alarms.webhook.clone());
    let telemetry = Telemetry::start(TelemetryParts {
        clock: context.clock(),
        slos: settings.slos.clone(),
        prompts: settings.log.prompts,
        log: log.file.clone(),
        sinks: log.sinks.clone(),
        otel,
        judge: judge(settings),
        webhook: url.map(|url| WebhookConfig { url: url.trim().to_owned(), keys: settings.keys.clone() }),
    });
    if let Some(note) = note {
        tracing::warn!("{note}");
    }
    if let Some(fault) = &log.fault {
        telemetry.raise("telemetry:log", fault.clone());
    }
    if let Some(name) = named.filter(|_| hidden.is_none()) {
        telemetry.raise("telemetry:webhook", format!("the variable {name} is not set: alarms are posted nowhere else"));
    }
    telemetry
}

/// The model that judges: one of its own, or one of the arms.
fn judge(settings: &Settings) -> Option<ArmSpec> {
    match settings.judge.as_ref()? {
        JudgeSettings::Model(spec) => Some(spec.clone()),
        JudgeSettings::Arm(name) => settings.arms.iter().find(|arm| arm.name == *name).cloned(),
    }
}

/// What a monitor reads, while an engine runs.
pub(super) struct Monitor {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Monitor {
    /// Opens the port; where that fails, the console says so and goes on.
    pub(super) async fn open(
        address: Option<SocketAddr>,
        telemetry: &Arc<Telemetry>,
        engine: Arc<dyn EngineHandle>,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if let Some(address) = address {
            match ObserveDoor::bind(address).await {
                Ok(door) => {
                    tracing::info!("metrics are served at http://{}/metrics", door.address());
                    tasks.spawn(door.serve(Arc::clone(telemetry), engine, stop.clone()));
                }
                Err(error) => telemetry.raise("telemetry:listen", error.to_string()),
            }
        }
        Self { stop, tasks }
    }

    pub(super) async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
