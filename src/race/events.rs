//! Where a run says what it does: a bounded queue to one reader, or nobody. Nothing piles up and nothing is
//! lost: text waits beside its stream (see `outlet.rs`), everything else waits for room. A reader that went
//! away, or that makes no room for [`PATIENCE`], cancels the run.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::mpsc::{Permit, Sender};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::budget::Purse;
use crate::domain::event::RunEvent;
use crate::domain::failure::Failure;
use crate::domain::ids::ArmId;
use crate::domain::observer::Observer;

/// How long a run waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The reader of a run's events has gone, or stands still: nobody wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader of the run's events has gone")]
pub struct Gone;

/// The sending side of a run's events.
#[derive(Clone, Debug, Default)]
pub struct EventSink {
    reader: Option<Sender<RunEvent>>,
    observer: Option<Arc<dyn Observer>>,
}

impl EventSink {
    /// A sink that nobody reads: events are not even made.
    #[must_use]
    pub const fn none() -> Self {
        Self { reader: None, observer: None }
    }

    /// A sink with a reader.
    #[must_use]
    pub const fn to(reader: Sender<RunEvent>) -> Self {
        Self { reader: Some(reader), observer: None }
    }

    /// The same, with somebody who is told what was chosen, whether anybody reads or not.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Whoever looks on is told at once; a reader may be slow.
    pub(crate) fn tell(&self, event: &RunEvent) {
        if let Some(observer) = &self.observer {
            observer.decided(event);
        }
    }

    /// Whoever looks on is told how a call of `arm` ended.
    pub(crate) fn called(&self, arm: &ArmId, failure: Option<&Failure>) {
        if let Some(observer) = &self.observer {
            observer.called(arm, failure);
        }
    }

    /// Whether anybody reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    /// Sends what `event` makes, where anybody reads, as soon as there is room.
    ///
    /// # Errors
    /// [`Gone`] where the reader went away or made no room for half a minute.
    pub async fn send(&self, event: impl FnOnce() -> RunEvent) -> Result<(), Gone> {
        let Some(reader) = &self.reader else { return Ok(()) };
        // The common case needs no timer.
        if let Some(room) = self.try_room() {
            room.send(event());
            return Ok(());
        }
        match timeout(PATIENCE, reader.reserve()).await {
            Ok(Ok(room)) => {
                room.send(event());
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Room for one event, where there is some at once.
    pub(crate) fn try_room(&self) -> Option<Permit<'_, RunEvent>> {
        self.reader.as_ref()?.try_reserve().ok()
    }

    /// Resolves when there is room for an event; never where nobody reads (any more).
    pub(crate) async fn room(&self) -> Permit<'_, RunEvent> {
        match &self.reader {
            Some(reader) => match reader.reserve().await {
                Ok(room) => room,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }

    /// Resolves when the reader has gone; never where nobody ever read.
    pub async fn closed(&self) {
        match &self.reader {
            Some(reader) => reader.closed().await,
            None => pending().await,
        }
    }
}

/// A run's events and the token that stops it: what every phase is given.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    /// Where events go.
    pub(crate) events: &'a EventSink,
    /// Stops everything of this run at once.
    pub(crate) stop: &'a CancellationToken,
    /// What the run may spend.
    pub(crate) purse: &'a Purse,
}

impl Wire<'_> {
    /// Sends, and stops the run where nobody reads any more. A run that is stopped waits for nobody.
    pub(crate) async fn say(&self, event: impl FnOnce() -> RunEvent) {
        select! {
            biased;
            sent = self.events.send(event) => if sent.is_err() { self.stop.cancel() },
            () = self.stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> RunEvent {
        RunEvent::Ordered { order: vec![ArmId::new("a")] }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for() {
        let (sender, mut reader) = tokio::sync::mpsc::channel(1);
        let sink = EventSink::to(sender);
        assert_eq!(sink.send(event).await, Ok(()));
        let slow = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            reader.recv().await
        };
        let (sent, _) = tokio::join!(sink.send(event), slow);
        assert_eq!(sent, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stands_still_or_left_is_gone() {
        let (sender, reader) = tokio::sync::mpsc::channel(1);
        let sink = EventSink::to(sender);
        sink.send(event).await.unwrap();
        assert_eq!(sink.send(event).await, Err(Gone));
        drop(reader);
        assert_eq!(sink.send(event).await, Err(Gone));
        sink.closed().await;
    }

    #[tokio::test]
    async fn without_a_reader_no_event_is_made() {
        let made = || unreachable!("an event for nobody");
        assert_eq!(EventSink::none().send(made).await, Ok(()));
    }
}
