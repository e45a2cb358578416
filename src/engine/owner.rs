//! The owner task: the only place that changes state. It takes what waits in its queue as one batch, so
//! that many runs share one write; an operator's command makes the write a synced one. Between batches
//! it does what time asks for: rules once a second, a picture at most every 50 ms and only when
//! something changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::domain::answer::ModelFactory;
use crate::domain::command::Durability;
use crate::domain::ids::Sequence;
use crate::race::Knowledge;

use super::commit::Pending;
use super::folds::Folds;
use super::ledger::Ledger;
use super::message::Message;
use super::shared::Shared;

/// Messages that make one write.
const BATCH: usize = 128;
/// Least time between two pictures: twenty a second.
const PICTURE_EVERY: Duration = Duration::from_millis(50);
/// How often rules look at the state.
const RULES_EVERY: Duration = Duration::from_secs(1);

/// The owner.
pub(super) struct Owner {
    pub folds: Folds,
    pub ledger: Ledger,
    pub shared: Arc<Shared>,
    pub factory: Arc<dyn ModelFactory>,
    pub pending: Pending,
    pub revision: watch::Sender<u64>,
    /// Tells ids of the owner's own commands apart.
    pub entropy: fastrand::Rng,
    /// Whether a picture is due.
    pub is_dirty: bool,
    pub timers: Timers,
}

/// When what is due.
pub(super) struct Timers {
    pub picture: Instant,
    pub rules: Instant,
    pub snapshot: Instant,
    /// Log entries since the last stored snapshot.
    pub entries: u64,
}

/// How the owner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub sequence: Sequence,
    pub durability: Durability,
}

impl Timers {
    pub(super) fn starting_now() -> Self {
        let now = Instant::now();
        Self { picture: now, rules: now + RULES_EVERY, snapshot: now, entries: 0 }
    }
}

impl Owner {
    /// Serves the queue until it is told to stop, or nobody is left who could tell it anything.
    pub(super) async fn serve(mut self, mut queue: mpsc::Receiver<Message>) -> Ended {
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                biased;
                message = queue.recv() => {
                    let Some(message) = message else { break };
                    if self.batch(message, &mut queue).await {
                        break;
                    }
                }
                () = shared.touched.notified() => self.is_dirty = true,
                () = sleep_until(self.timers.rules) => {}
                () = sleep_until(self.timers.picture), if self.is_dirty => {}
            }
            self.keep_time().await;
        }
        self.end().await
    }

    /// Takes `first` and what waits behind it as one batch; whether it was told to stop.
    async fn batch(&mut self, first: Message, queue: &mut mpsc::Receiver<Message>) -> bool {
        let mut message = Some(first);
        let mut taken = 0;
        let mut is_stopping = false;
        while let Some(next) = message {
            taken += 1;
            is_stopping |= self.take(next).await;
            message = if taken < BATCH && !is_stopping { queue.try_recv().ok() } else { None };
        }
        self.commit().await;
        is_stopping
    }

    /// Does what one message says; whether it says to stop.
    async fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Command { request, reply } => self.command(request, reply).await,
            Message::Called { arm, failure } => self.called(&arm, failure.as_deref()),
            Message::Finished { report, recorded } => {
                self.finished(report);
                self.pending.recorded.push(recorded);
            }
            Message::Probed { preview } => self.probed(&preview),
            Message::Judged { record, late } => self.judged(record, *late).await,
            Message::Rate { run, rating, actor, reply } => {
                let answer = self.rate(run, rating, actor).await;
                self.pending.answer(reply, answer);
            }
            Message::Rewound { command, reply } => {
                self.commit().await;
                let rewound = self.rewound(&command).await.map(|rewound| rewound.state);
                let _ = reply.send(rewound);
            }
            Message::Export { reply } => {
                self.commit().await;
                let _ = reply.send(self.export().await);
            }
            Message::Import { text, actor, reply } => {
                self.commit().await;
                let answer = self.import(&text, actor);
                self.pending.answer(reply, answer);
            }
            Message::Stop => return true,
        }
        false
    }

    async fn keep_time(&mut self) {
        let now = Instant::now();
        if now >= self.timers.rules {
            self.timers.rules = now + RULES_EVERY;
            self.rules();
            self.commit().await;
        }
        if self.is_dirty && now >= self.timers.picture {
            self.timers.picture = now + PICTURE_EVERY;
            self.publish_picture();
        }
    }

    /// Publishes what runs read.
    pub(super) fn publish_knowledge(&self) {
        let knowledge = Knowledge { state: self.folds.state.clone(), signals: self.folds.signals.summary() };
        self.shared.knowledge.store(Arc::new(knowledge));
    }

    /// Publishes what screens read.
    pub(super) fn publish_picture(&mut self) {
        self.is_dirty = false;
        let revision = *self.revision.borrow() + 1;
        let picture = self.picture(revision);
        self.shared.snapshot.store(Arc::new(picture));
        self.revision.send_replace(revision);
    }

    /// The last snapshot, and the store closed.
    async fn end(mut self) -> Ended {
        self.pending.batch.snapshot = Some(self.folds.to_snapshot());
        self.pending.sync = true;
        self.ledger.try_now();
        let durability = self.commit().await;
        let (entries, runs) = self.ledger.unsaved();
        if entries + runs > 0 {
            tracing::error!(entries, runs, "lost: the store took none of it to the end");
        }
        self.publish_picture();
        if let Err(error) = self.ledger.store().close().await {
            tracing::error!(%error, "closing the store failed");
        }
        Ended { sequence: self.folds.end, durability }
    }
}
