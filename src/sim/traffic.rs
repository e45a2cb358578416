//! The generator of traffic: prompts of the suite in seeded random order, arriving as a Poisson process,
//! whatever the engine makes of them. What would exceed the limit of runs in flight is held back and
//! counted, never queued: a queue would turn a slow engine into a burst later on.
//!
//! One driver task owns every run's task and every stream; it ends, and they with it, at `shutdown`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::domain::chat::ChatRequest;
use crate::domain::engine::{EngineError, EngineHandle, RunRequest};
use crate::domain::event::RunEvent;
use crate::domain::record::Origin;
use crate::domain::traffic::{TrafficControl, TrafficStatus};

use super::prompt::Prompt;

/// Rates that it can do, runs a second.
const RATES: std::ops::RangeInclusive<f64> = 0.2..=200.0;
/// Arrivals that were missed by more than this (a machine asleep) are not made up for.
const LARGEST_LAG: Duration = Duration::from_secs(1);

/// How a generator starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficOptions {
    /// Order of prompts and times of arrival follow from it.
    pub seed: u64,
    /// Runs a second; clamped into 0.2 to 200.
    pub rate_per_s: f64,
    /// Whether it sends from the start.
    pub on: bool,
    /// Runs at once, at least 1.
    pub max_in_flight: usize,
}

impl Default for TrafficOptions {
    fn default() -> Self {
        Self { seed: 7, rate_per_s: 5.0, on: false, max_in_flight: 256 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Wish {
    on: bool,
    rate_per_s: f64,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    held_back: AtomicU64,
}

/// A generator of traffic. Dropping it aborts what it runs.
pub struct TrafficDriver {
    wish: watch::Sender<Wish>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    task: Mutex<JoinSet<()>>,
}

impl TrafficDriver {
    /// Starts the driver task; must be called within a runtime. Without prompts it never sends.
    pub fn start(engine: Arc<dyn EngineHandle>, prompts: Vec<Prompt>, options: TrafficOptions) -> Self {
        let first = Wish { on: options.on, rate_per_s: clamped(options.rate_per_s) };
        let (wish, wishes) = watch::channel(first);
        let (counters, stop) = (Arc::new(Counters::default()), CancellationToken::new());
        let driver = Driver {
            engine,
            deck: Deck::new(prompts, options.seed),
            arrivals: Rng::with_seed(options.seed ^ 0x6172_7269_7661_6c73),
            limit: options.max_in_flight.max(1),
            counters: counters.clone(),
            runs: JoinSet::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(driver.drive(wishes, stop.clone()));
        Self { wish, counters, stop, task: Mutex::new(task) }
    }

    /// Stops and waits: runs that are still going are cancelled.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let mut task = std::mem::take(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner));
        while task.join_next().await.is_some() {}
    }
}

impl TrafficControl for TrafficDriver {
    fn status(&self) -> TrafficStatus {
        let wish = *self.wish.borrow();
        TrafficStatus {
            on: wish.on,
            rate_per_s: wish.rate_per_s,
            sent: self.counters.sent.load(Ordering::Relaxed),
            held_back: self.counters.held_back.load(Ordering::Relaxed),
        }
    }

    fn set_on(&self, on: bool) {
        self.wish.send_modify(|wish| wish.on = on);
    }

    fn set_rate(&self, rate_per_s: f64) {
        self.wish.send_modify(|wish| wish.rate_per_s = clamped(rate_per_s));
    }
}

fn clamped(rate_per_s: f64) -> f64 {
    if rate_per_s.is_nan() { *RATES.start() } else { rate_per_s.clamp(*RATES.start(), *RATES.end()) }
}

struct Driver {
    engine: Arc<dyn EngineHandle>,
    deck: Deck,
    arrivals: Rng,
    limit: usize,
    counters: Arc<Counters>,
    runs: JoinSet<()>,
}

impl Driver {
    async fn drive(mut self, mut wishes: watch::Receiver<Wish>, stop: CancellationToken) {
        let mut wish = *wishes.borrow_and_update();
        let mut next = Instant::now() + self.gap(wish.rate_per_s);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = wishes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    wish = *wishes.borrow_and_update();
                    // A Poisson process has no memory: drawing anew is right.
                    next = Instant::now() + self.gap(wish.rate_per_s);
                }
                Some(_) = self.runs.join_next(), if !self.runs.is_empty() => {}
                () = sleep_until(next), if wish.on => {
                    self.arrive();
                    let now = Instant::now();
                    if now.duration_since(next) > LARGEST_LAG {
                        next = now;
                    }
                    next += self.gap(wish.rate_per_s);
                }
            }
        }
        self.runs.shutdown().await;
    }

    /// Seconds to the next arrival: exponential with the rate.
    fn gap(&mut self, rate_per_s: f64) -> Duration {
        Duration::try_from_secs_f64(-(1.0 - self.arrivals.f64()).ln() / rate_per_s).unwrap_or(LARGEST_LAG)
    }

    fn arrive(&mut self) {
        if self.runs.len() >= self.limit {
            self.counters.held_back.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(prompt) = self.deck.draw() else { return };
        let request = RunRequest { request: ChatRequest::from_prompt(&prompt), origin: Origin::Traffic, session: None };
        self.runs.spawn(run(self.engine.clone(), request, self.counters.clone()));
    }
}

/// One run, drained to its end so that nothing waits for a reader.
async fn run(engine: Arc<dyn EngineHandle>, request: RunRequest, counters: Arc<Counters>) {
    match engine.submit(request).await {
        Ok(mut stream) => {
            counters.sent.fetch_add(1, Ordering::Relaxed);
            while let Some(event) = stream.next().await {
                if matches!(event, RunEvent::Finished { .. }) {
                    break;
                }
            }
        }
        Err(EngineError::Busy { .. }) => {
            counters.held_back.fetch_add(1, Ordering::Relaxed);
        }
        Err(error) => {
            counters.held_back.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "a run of the traffic generator was not started");
        }
    }
}

/// The suite as a deck of cards: shuffled, dealt to the end, shuffled again.
struct Deck {
    cards: Vec<Prompt>,
    dealt: usize,
    rng: Rng,
}

impl Deck {
    fn new(cards: Vec<Prompt>, seed: u64) -> Self {
        Self { dealt: cards.len(), cards, rng: Rng::with_seed(seed) }
    }

    fn draw(&mut self) -> Option<String> {
        if self.dealt == self.cards.len() {
            self.rng.shuffle(&mut self.cards);
            self.dealt = 0;
        }
        let card = self.cards.get(self.dealt)?;
        self.dealt += 1;
        Some(card.prompt.clone())
    }
}
