//! Alarms told to somebody else: one JSON object by POST when an alarm opens, another when it closes. A
//! thread of its own looks at pictures; what cannot be delivered is tried again a few times, then dropped
//! and counted. The address may be a secret and is never repeated; nor are, unless prompts are recorded in
//! full, the words of an endpoint, which may repeat a prompt. About one subject there is at most one letter a
//! minute, but for one that got worse: whoever is told of alarms must not be numbed by them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::hub::locked;
use super::queue::{Counters, Room, Told, Worker};
use crate::domain::action::{KeyBindings, KeyName};
use crate::domain::alarm::Alarm;
use crate::domain::clock::Clock;
use crate::domain::engine::EngineHandle;
use crate::domain::observer::RecordPrompts;

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
/// Between two letters about one subject, at least.
const APART: Duration = Duration::from_mins(1);
/// Alarms about the delivery itself: telling of them would make more of them.
const OWN: &str = "telemetry:webhook";

/// Where alarms go.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The address.
    pub url: String,
    /// The console's keys: an alarm names that of its remedy.
    pub keys: KeyBindings,
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
    pub(super) fn start(
        config: WebhookConfig,
        prompts: RecordPrompts,
        counters: Arc<Counters>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let link = Arc::new(Link::default());
        let (told, counted) = (Arc::clone(&link), Arc::clone(&counters));
        let room = Room { items: 1, bytes: 0 };
        let worker = Worker::start("webhook", room, counters, move |stop| {
            let quotes = prompts == RecordPrompts::Full;
            let (said, waiting) = (Correspondence::default(), VecDeque::new());
            Teller { config, quotes, link: told, counters: counted, clock, said, waiting }.run(&stop);
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

/// What is posted.
fn letter(event: &str, alarm: &Alarm, quotes: bool, keys: &KeyBindings) -> Value {
    let message = if quotes { alarm.message.as_str() } else { alarm.own_words() };
    let is_over = event == CLEARED;
    let key = alarm.remedy.as_ref().and_then(|remedy| keys.key_of(remedy)).map(KeyName::as_str);
    let remedy = alarm.remedy.as_ref().filter(|_| !is_over).map_or_else(String::new, |remedy| {
        format!(" \u{2192} {}{remedy}", key.map_or_else(String::new, |key| format!("{key} ")))
    });
    let text = format!("banditop: {}{message}{remedy}", if is_over { "cleared: " } else { "" });
    let at = alarm.at.rfc3339();
    json!({"event": event, "text": text, "subject": alarm.subject, "severity": alarm.severity,
        "arm": alarm.arm, "message": message, "remedy": alarm.remedy, "key": key, "since": at})
}

const RAISED: &str = "raised";
const CLEARED: &str = "cleared";

/// What was said last about each subject.
#[derive(Default)]
struct Correspondence(BTreeMap<String, Said>);

/// The last letter about a subject.
struct Said {
    alarm: Alarm,
    is_open: bool,
    /// Steady time.
    at: Duration,
}

impl Correspondence {
    /// What is to be said at `now` where `alarms` are open. What changes back within [`APART`] is not said.
    fn news(&mut self, alarms: &[Alarm], now: Duration) -> Vec<(&'static str, Alarm)> {
        let mut news = Vec::new();
        for alarm in alarms.iter().filter(|alarm| alarm.subject != OWN) {
            let is_news = self.0.get(&alarm.subject).is_none_or(|said| {
                let is_worse = said.is_open && alarm.severity > said.alarm.severity;
                let is_other = !said.is_open || alarm.at != said.alarm.at;
                is_worse || (is_other && now.saturating_sub(said.at) >= APART)
            });
            if is_news {
                let said = Said { alarm: alarm.clone(), is_open: true, at: now };
                self.0.insert(alarm.subject.clone(), said);
                news.push((RAISED, alarm.clone()));
            }
        }
        let is_open = |subject: &str| alarms.iter().any(|alarm| alarm.subject == subject);
        for (subject, said) in &mut self.0 {
            if said.is_open && !is_open(subject) && now.saturating_sub(said.at) >= APART {
                (said.is_open, said.at) = (false, now);
                news.push((CLEARED, said.alarm.clone()));
            }
        }
        self.0.retain(|_, said| said.is_open || now.saturating_sub(said.at) < APART);
        news
    }
}

struct Teller {
    config: WebhookConfig,
    link: Arc<Link>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    /// Whether the words of an endpoint are passed on.
    quotes: bool,
    said: Correspondence,
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
        for (event, alarm) in self.said.news(&picture.alarms, self.clock.monotonic()) {
            self.write(event, &alarm);
        }
    }

    fn write(&mut self, event: &str, alarm: &Alarm) {
        if self.waiting.len() >= ROOM {
            self.waiting.pop_front();
            self.counters.dropped(1);
        }
        let body = letter(event, alarm, self.quotes, &self.config.keys);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alarm::Severity;
    use crate::domain::clock::Timestamp;

    fn alarm(subject: &str, severity: Severity, at: u64) -> Alarm {
        Alarm {
            subject: subject.into(),
            severity,
            at: Timestamp::from_millis(at),
            arm: None,
            message: "a is out (http_400): you asked: the canary".into(),
            told: Some("a is out (http_400)".into()),
            remedy: None,
        }
    }

    #[test]
    fn an_alarm_that_comes_and_goes_is_one_letter_a_minute_and_the_last_word_is_true() {
        let mut said = Correspondence::default();
        let mut letters = Vec::new();
        // Two looks a second, for five minutes; open in every other second, then closed for good.
        for look in 0..720_u64 {
            let second = look / 2;
            let open = (second.is_multiple_of(2) && second < 300).then(|| alarm("slo:p95", Severity::Warning, second));
            let now = Duration::from_millis(look * 500);
            letters.extend(said.news(open.as_slice(), now).into_iter().map(|(event, _)| (event, second)));
        }
        assert!(letters.len() <= 7, "{letters:?}");
        assert_eq!((letters[0], letters.last().unwrap().0), ((RAISED, 0), CLEARED));
        assert!(letters.windows(2).all(|pair| pair[1].1 - pair[0].1 >= 60), "{letters:?}");
        // Another subject waits for nobody, one that gets worse does not wait, and nothing is said twice.
        let mut said = Correspondence::default();
        let at = Duration::from_secs;
        let open = |severity| vec![alarm("a", Severity::Notice, 1), alarm("b", severity, 1)];
        assert_eq!(said.news(&open(Severity::Warning), at(0)).len(), 2);
        assert_eq!(said.news(&open(Severity::Warning), at(500)).len(), 0);
        assert_eq!(said.news(&[alarm("a", Severity::Notice, 1)], at(501)).len(), 1);
        assert_eq!(said.news(&open(Severity::Warning), at(502)).len(), 0);
        assert_eq!(said.news(&open(Severity::Warning), at(561)).len(), 1);
        assert_eq!(said.news(&open(Severity::Critical), at(562)).len(), 1);
        assert_eq!(
            said.news(&[alarm(OWN, Severity::Critical, 1)], at(700)).len(),
            2,
            "both closed, and not a word of its own"
        );
    }

    #[test]
    fn what_an_endpoint_said_is_posted_by_opt_in_alone() {
        let quoted = |quotes| {
            letter(RAISED, &alarm("ejected:a", Severity::Warning, 1), quotes, &KeyBindings::default()).to_string()
        };
        assert!(!quoted(false).contains("canary") && quoted(false).contains("http_400"), "{}", quoted(false));
        assert!(quoted(true).contains("canary"));
    }
}
