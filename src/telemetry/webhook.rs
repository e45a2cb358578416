//! Alarms told to somebody else: one JSON object by POST when an alarm opens, another when it closes. A
//! thread of its own looks at pictures; what cannot be delivered is tried again a few times, then dropped
//! and counted. The address may be a secret and is never repeated.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::hub::locked;
use super::queue::{Counters, Told, Worker};
use crate::domain::alarm::Alarm;
use crate::domain::clock::Clock;
use crate::domain::engine::EngineHandle;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Times that a delivery is tried.
const TRIES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(5);
/// Deliveries that may wait.
const ROOM: usize = 64;
/// Alarms about the delivery itself: telling of them would make more of them.
const OWN: &str = "telemetry:webhook";

/// Where alarms go.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The address.
    pub url: String,
}

impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookConfig")
    }
}

#[derive(Default)]
struct Link {
    engine: Mutex<Option<Arc<dyn EngineHandle>>>,
    fault: Mutex<Option<String>>,
}

/// The looking end.
pub(super) struct Webhook {
    worker: Worker<()>,
    link: Arc<Link>,
}

impl Webhook {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(config: WebhookConfig, counters: Arc<Counters>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let link = Arc::new(Link::default());
        let (told, counted) = (Arc::clone(&link), Arc::clone(&counters));
        let worker = Worker::start("webhook", 1, counters, move |stop| {
            Teller { config, link: told, counters: counted, clock, open: BTreeMap::new(), waiting: VecDeque::new() }
                .run(&stop);
        })?;
        Ok(Self { worker, link })
    }

    pub(super) fn watch(&self, engine: Arc<dyn EngineHandle>) {
        *locked(&self.link.engine) = Some(engine);
    }

    pub(super) fn fault(&self) -> Option<String> {
        locked(&self.link.fault).clone()
    }

    pub(super) fn stop(&self, patience: Duration) -> bool {
        let is_done = self.worker.stop(patience);
        *locked(&self.link.engine) = None;
        is_done
    }
}

/// One delivery.
struct Letter {
    body: Value,
    tried: u32,
    not_before: Duration,
}

struct Teller {
    config: WebhookConfig,
    link: Arc<Link>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    /// Alarms that were told, by subject.
    open: BTreeMap<String, Alarm>,
    waiting: VecDeque<Letter>,
}

impl Teller {
    fn run(mut self, stop: &Receiver<Told<()>>) {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            let builder = reqwest::blocking::Client::builder().timeout(TIMEOUT);
            builder.redirect(reqwest::redirect::Policy::none())
        };
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
        let Ok(client) = client else {
            *locked(&self.link.fault) = Some("alarms cannot be sent: there is no HTTP client".to_owned());
            return;
        };
        loop {
            let is_last = !matches!(stop.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout));
            self.look();
            self.deliver(&client);
            if is_last {
                self.counters.dropped(self.waiting.len() as u64);
                return;
            }
        }
    }

    /// What opened and what closed since the last look.
    fn look(&mut self) {
        let Some(picture) = locked(&self.link.engine).as_ref().map(|engine| engine.snapshot()) else { return };
        let now: BTreeMap<String, Alarm> = picture
            .alarms
            .iter()
            .filter(|alarm| alarm.subject != OWN)
            .map(|alarm| (alarm.subject.clone(), alarm.clone()))
            .collect();
        for alarm in now.values() {
            if self.open.get(&alarm.subject).is_none_or(|told| told.at != alarm.at) {
                self.write("raised", alarm);
            }
        }
        let closed: Vec<Alarm> =
            self.open.values().filter(|alarm| !now.contains_key(&alarm.subject)).cloned().collect();
        for alarm in &closed {
            self.write("cleared", alarm);
        }
        self.open = now;
    }

    fn write(&mut self, event: &str, alarm: &Alarm) {
        if self.waiting.len() >= ROOM {
            self.waiting.pop_front();
            self.counters.dropped(1);
        }
        let text = format!("banditop: {}{}", if event == "cleared" { "cleared: " } else { "" }, alarm.message);
        let at = alarm.at.rfc3339();
        let body = json!({"event": event, "text": text, "subject": alarm.subject, "severity": alarm.severity,
            "arm": alarm.arm, "message": alarm.message, "remedy": alarm.remedy, "since": at});
        self.waiting.push_back(Letter { body, tried: 0, not_before: Duration::ZERO });
    }

    /// In order; one that fails holds the others up until it is tried again or dropped.
    fn deliver(&mut self, client: &reqwest::blocking::Client) {
        while let Some(letter) = self.waiting.front_mut() {
            if self.clock.monotonic() < letter.not_before {
                return;
            }
            let answer = client.post(&self.config.url).json(&letter.body).send();
            let fault = match answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("answers {}", answer.status().as_u16())),
                // Without its address, which may be a secret.
                Err(error) => Some(error.without_url().to_string()),
            };
            let is_delivered = fault.is_none();
            *locked(&self.link.fault) =
                fault.map(|fault| format!("alarms are not delivered (the webhook: {fault}); check alarms.webhook"));
            if is_delivered {
                self.counters.sent(1);
            } else {
                letter.tried += 1;
                letter.not_before = self.clock.monotonic() + PAUSE;
                if letter.tried < TRIES {
                    return;
                }
                self.counters.dropped(1);
            }
            self.waiting.pop_front();
        }
    }
}
