//! Text on its way from a stream to a reader that may be slower. What the reader has no room for is kept
//! and sent on as one piece when it has, so that no stream ever waits for a reader: a slow reader makes no
//! arm look slow and holds no connection open. What is kept is bounded by the bound of the text itself.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc::Permit;

use super::events::Wire;
use super::pair::Track;
use crate::domain::event::RunEvent;
use crate::domain::ids::ArmId;

/// Who hears the text while it comes.
#[derive(Clone, Copy)]
pub(crate) enum Lane<'a> {
    /// Nobody.
    Silent,
    /// A preview's lane.
    Preview(&'a ArmId),
    /// The answer.
    Answer(&'a ArmId),
    /// One of two answers beside each other: nobody, until it may be shown.
    Beside(&'a ArmId, &'a Track),
}

/// The text of one call that was not sent yet.
pub(crate) struct Outlet<'a> {
    lane: Lane<'a>,
    wire: Wire<'a>,
    kept: String,
    tokens: u32,
    elapsed: Duration,
}

impl<'a> Outlet<'a> {
    /// For one call.
    pub(crate) const fn new(lane: Lane<'a>, wire: Wire<'a>) -> Self {
        Self { lane, wire, kept: String::new(), tokens: 0, elapsed: Duration::ZERO }
    }

    /// Takes a piece of text, and sends it on where there is room. `tokens`: so far; `elapsed`: since the
    /// start of the call.
    pub(crate) fn push(&mut self, piece: &str, tokens: u32, elapsed: Duration) {
        let may_be_heard = match self.lane {
            Lane::Silent => return,
            Lane::Preview(_) | Lane::Answer(_) => true,
            Lane::Beside(_, track) => {
                track.note(piece, tokens);
                track.is_shown()
            }
        };
        if !self.wire.events.is_read() {
            return;
        }
        self.kept.push_str(piece);
        (self.tokens, self.elapsed) = (tokens, elapsed);
        if !may_be_heard {
            return;
        }
        if let Some(event) = self.wire.events.try_room().and_then(|room| Some((room, self.event()?))) {
            event.0.send(event.1);
        }
    }

    /// Resolves when something is kept and there is room for it. Dropping it loses nothing.
    pub(crate) async fn room(&self) -> Permit<'a, RunEvent> {
        if self.kept.is_empty() {
            return pending().await;
        }
        if let Lane::Beside(_, track) = self.lane {
            track.showing().await;
        }
        self.wire.events.room().await
    }

    /// Sends what is kept, as one piece.
    pub(crate) fn send(&mut self, room: Permit<'a, RunEvent>) {
        if let Some(event) = self.event() {
            room.send(event);
        }
    }

    /// Sends what is left, waiting for the reader: the stream is at its end by now.
    pub(crate) async fn finish(mut self) {
        if let Lane::Beside(_, track) = self.lane {
            // Whether it is ever shown is decided when the other one is known too.
            return track.leave(std::mem::take(&mut self.kept));
        }
        if let Some(event) = self.event() {
            self.wire.say(|| event).await;
        }
    }

    fn event(&mut self) -> Option<RunEvent> {
        if self.kept.is_empty() {
            return None;
        }
        let text = std::mem::take(&mut self.kept);
        let (tokens, elapsed_s) = (self.tokens, self.elapsed.as_secs_f64());
        match self.lane {
            Lane::Silent => None,
            Lane::Preview(arm) => Some(RunEvent::PreviewText { arm: arm.clone(), text, tokens, elapsed_s }),
            Lane::Answer(arm) | Lane::Beside(arm, _) => Some(RunEvent::AnswerText { arm: arm.clone(), text }),
        }
    }
}
