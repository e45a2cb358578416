//! Where a run says what it does: a bounded queue to one reader, or nobody. Sending waits for a slow
//! reader, so nothing piles up and nothing is lost; how long it waited is told, so that a slow reader
//! makes no arm look slow. A reader that went away, or that does not read for [`PATIENCE`], cancels the run.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::event::RunEvent;

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
}

impl EventSink {
    /// A sink that nobody reads: events are not even made.
    #[must_use]
    pub const fn none() -> Self {
        Self { reader: None }
    }

    /// A sink with a reader.
    #[must_use]
    pub const fn to(reader: Sender<RunEvent>) -> Self {
        Self { reader: Some(reader) }
    }

    /// Whether anybody reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        self.reader.is_some()
    }

    /// Sends what `event` makes, where anybody reads; the time that it had to wait for the reader.
    ///
    /// # Errors
    /// [`Gone`] where the reader went away or took nothing for half a minute.
    pub async fn send(&self, event: impl FnOnce() -> RunEvent) -> Result<Duration, Gone> {
        let Some(reader) = &self.reader else { return Ok(Duration::ZERO) };
        // The common case needs no timer: there is room.
        let event = match reader.try_reserve() {
            Ok(permit) => {
                permit.send(event());
                return Ok(Duration::ZERO);
            }
            Err(_) => event(),
        };
        let waiting_since = Instant::now();
        match timeout(PATIENCE, reader.send(event)).await {
            Ok(Ok(())) => Ok(waiting_since.elapsed()),
            Ok(Err(_)) | Err(_) => Err(Gone),
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
}

impl Wire<'_> {
    /// Sends, and stops the run where nobody reads any more; the time it had to wait for the reader.
    pub(crate) async fn say(&self, event: impl FnOnce() -> RunEvent) -> Duration {
        self.events.send(event).await.unwrap_or_else(|Gone| {
            self.stop.cancel();
            Duration::ZERO
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ArmId;

    fn event() -> RunEvent {
        RunEvent::Ordered { order: vec![ArmId::new("a")] }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_slow_reader_is_told() {
        let (sender, mut reader) = tokio::sync::mpsc::channel(1);
        let sink = EventSink::to(sender);
        assert_eq!(sink.send(event).await, Ok(Duration::ZERO));
        let slow = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            reader.recv().await
        };
        let (waited, _) = tokio::join!(sink.send(event), slow);
        assert_eq!(waited, Ok(Duration::from_secs(3)));
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
        assert_eq!(EventSink::none().send(made).await, Ok(Duration::ZERO));
    }
}
