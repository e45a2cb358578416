//! Whoever looks on, put together: told by the engine what happened, it logs, keeps the objectives' windows
//! and hands records to the threads that deliver them. A call costs a few microseconds and never waits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exposition::render;
use super::log::{self, RotatingFile};
use super::otel::{OtelConfig, OtelCounters, Traces};
use super::queue::Sinks;
use super::slo::Slos;
use super::webhook::{Webhook, WebhookConfig};
use crate::domain::alarm::Severity;
use crate::domain::clock::Clock;
use crate::domain::engine::EngineHandle;
use crate::domain::event::RunEvent;
use crate::domain::observer::{Condition, Objective, Observer, RecordPrompts};
use crate::domain::record::RunRecord;
use crate::domain::slo::SloSpec;
use crate::domain::spec::ArmSpec;

/// How long the end of the process waits for a collector, and for whoever is told of alarms.
const PATIENCE: Duration = Duration::from_secs(2);
/// A difference between the wall clock and the steady one beyond this is a jump.
const JUMP: Duration = Duration::from_secs(30);
/// How long a jump is told.
const TOLD_FOR: Duration = Duration::from_mins(2);

/// What it is made of.
pub struct TelemetryParts {
    /// Steady time for windows, wall time for jumps of it.
    pub clock: Arc<dyn Clock>,
    /// The objectives.
    pub slos: Vec<SloSpec>,
    /// What of a prompt goes into the log.
    pub prompts: RecordPrompts,
    /// The log's file, to tell of its faults.
    pub log: Option<RotatingFile>,
    /// Sinks that exist already; others are added.
    pub sinks: Sinks,
    /// Where traces and metrics go, where they go anywhere.
    pub otel: Option<OtelConfig>,
    /// The model that judges, where one does: traces name it.
    pub judge: Option<ArmSpec>,
    /// Who is told of alarms.
    pub webhook: Option<WebhookConfig>,
}

/// See above.
pub struct Telemetry {
    clock: Arc<dyn Clock>,
    prompts: RecordPrompts,
    log: Option<RotatingFile>,
    slos: Mutex<Slos>,
    sinks: Sinks,
    traces: Option<Traces>,
    webhook: Option<Webhook>,
    /// What the composition root found, by subject.
    standing: Mutex<BTreeMap<String, Condition>>,
    watch: Mutex<ClockWatch>,
    engine: Mutex<Option<Arc<dyn EngineHandle>>>,
}

/// Where the wall clock is against the steady one.
#[derive(Debug, Default)]
struct ClockWatch {
    offset_ms: Option<i64>,
    jumped: Option<(Duration, i64)>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("sinks", &self.sinks.figures()).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Starts the threads that deliver. What cannot be started is told as a condition: telemetry is no
    /// reason not to race.
    #[must_use]
    pub fn start(parts: TelemetryParts) -> Arc<Self> {
        let TelemetryParts { clock, slos, prompts, log, mut sinks, otel, judge, webhook } = parts;
        let mut standing = BTreeMap::new();
        let mut failed = |subject: &str, error: std::io::Error| {
            let message = format!("{subject} cannot be started ({error}): nothing is sent");
            standing.insert(subject.to_owned(), condition(subject, message));
        };
        let traces = otel.and_then(|config| {
            let mut counters = OtelCounters { records: sinks.add("otlp"), ..OtelCounters::default() };
            if config.metrics {
                counters.metrics = sinks.add("otlp_metrics");
            }
            let started = Traces::start(config, judge, counters);
            started.map_err(|error| failed("telemetry:otlp", error)).ok()
        });
        let webhook = webhook.and_then(|config| {
            let started = Webhook::start(config, prompts, sinks.add("webhook"), Arc::clone(&clock));
            started.map_err(|error| failed("telemetry:webhook", error)).ok()
        });
        Arc::new(Self {
            clock,
            prompts,
            log,
            slos: Mutex::new(Slos::new(slos)),
            sinks,
            traces,
            webhook,
            standing: Mutex::new(standing),
            watch: Mutex::default(),
            engine: Mutex::default(),
        })
    }

    /// Gives it the engine that it is told of by: names of models, alarms and counts are read off its pictures.
    pub fn watch(&self, engine: &Arc<dyn EngineHandle>) {
        *locked(&self.engine) = Some(Arc::clone(engine));
        if let Some(traces) = &self.traces {
            traces.watch(Arc::clone(engine));
        }
        if let Some(webhook) = &self.webhook {
            webhook.watch(Arc::clone(engine));
        }
    }

    fn trace(&self, record: &Arc<RunRecord>) {
        if let Some(traces) = &self.traces {
            traces.push(Arc::clone(record));
        }
    }

    /// Something that the composition root found out: shown as an alarm until the end.
    pub fn raise(&self, subject: &str, message: String) {
        tracing::warn!(subject, "{message}");
        locked(&self.standing).insert(subject.to_owned(), condition(subject, message));
    }

    /// What Prometheus reads.
    ///
    /// # Errors
    /// Where there is no engine (any more), or a fault of ours.
    pub fn metrics(&self) -> Result<String, String> {
        let engine = locked(&self.engine).clone().ok_or("there is no engine yet")?;
        render(&engine.snapshot(), &self.sinks.figures())
    }

    /// Delivers what waits, in a bounded time, and lets go of the engine.
    pub fn stop(&self) {
        if let Some(traces) = &self.traces
            && !traces.stop(PATIENCE)
        {
            tracing::warn!("the collector does not answer: what it has not taken is dropped");
        }
        if let Some(webhook) = &self.webhook {
            let _ = webhook.stop(PATIENCE);
        }
        *locked(&self.engine) = None;
    }

    /// How long ago a run ended, by the wall clock.
    fn since(&self, record: &RunRecord) -> Duration {
        let took = Duration::try_from_secs_f64(record.timings_s.total).unwrap_or_default();
        self.clock.now().since(record.at.plus(took))
    }

    /// Tells of a wall clock that jumped; windows and timers go by the steady one.
    fn clock_jump(&self) -> Option<Condition> {
        let (wall, steady) = (self.clock.now(), self.clock.monotonic());
        let steady_ms = i64::try_from(steady.as_millis()).unwrap_or(i64::MAX);
        let offset = i64::try_from(wall.millis()).unwrap_or(i64::MAX).saturating_sub(steady_ms);
        let mut watch = locked(&self.watch);
        let before = watch.offset_ms.replace(offset).unwrap_or(offset);
        let by = offset.saturating_sub(before);
        if by.unsigned_abs() > u64::try_from(JUMP.as_millis()).unwrap_or(u64::MAX) {
            tracing::warn!(by_ms = by, "the wall clock jumped");
            watch.jumped = Some((steady, by));
        }
        let (_, by) = watch.jumped.filter(|(at, _)| steady.saturating_sub(*at) < TOLD_FOR)?;
        let message = format!(
            "the wall clock jumped by {} s: times on screen follow it, timers and objectives do not",
            by / 1000
        );
        Some(Condition { severity: Severity::Notice, ..condition("clock", message) })
    }
}

impl Observer for Telemetry {
    fn decided(&self, selected: &RunEvent) {
        log::decided(selected);
    }

    fn finished(&self, record: &Arc<RunRecord>) {
        log::finished(record, self.prompts);
        let now = self.clock.monotonic();
        locked(&self.slos).absorb(record, now, Duration::ZERO);
        self.trace(record);
    }

    fn remembered(&self, record: &RunRecord) {
        let ago = self.since(record);
        locked(&self.slos).absorb(record, self.clock.monotonic(), ago);
    }

    fn rated(&self, record: &Arc<RunRecord>, before: Option<f64>) {
        let ago = self.since(record);
        locked(&self.slos).rated(record, before, self.clock.monotonic(), ago);
        let rated = record.rating.map_or_else(|| "no rating any more".to_owned(), |rating| format!("rated {rating}"));
        tracing::info!(target: "banditop::reward", run = %record.run_id, "run {}: {rated}", record.run_id);
    }

    fn judged(&self, record: &Arc<RunRecord>) {
        let (ago, now) = (self.since(record), self.clock.monotonic());
        locked(&self.slos).judged(record, now, ago);
        log::judged(record);
        self.trace(record);
    }

    fn objectives(&self) -> Vec<Objective> {
        locked(&self.slos).objectives(self.clock.monotonic())
    }

    fn conditions(&self) -> Vec<Condition> {
        let mut all: Vec<Condition> = locked(&self.standing).values().cloned().collect();
        all.extend(locked(&self.slos).conditions(self.clock.monotonic()));
        all.extend(self.log.as_ref().and_then(RotatingFile::fault).map(|text| condition("telemetry:log", text)));
        all.extend(self.clock_jump());
        all.extend(self.traces.as_ref().and_then(Traces::fault).map(|text| condition("telemetry:otlp", text)));
        all.extend(self.webhook.as_ref().and_then(Webhook::fault).map(|text| condition("telemetry:webhook", text)));
        all
    }
}

fn condition(subject: &str, message: String) -> Condition {
    Condition { subject: subject.to_owned(), severity: Severity::Warning, message, remedy: None }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
