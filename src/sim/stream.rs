//! Plays a script as a stream of server-sent events. Tokens that fall due within one tick travel in one
//! chunk, as they do with real servers under load: a stream wakes at most 40 times a second, whatever its
//! token rate, and catches up by itself when it was woken late.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fastrand::Rng;
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::draw::Fault;
use super::wire::{self, Signature};
use super::world::Script;

/// The shortest time between two chunks.
const TICK: Duration = Duration::from_millis(25);
/// How long a stalled stream says nothing before it gives up; a client's patience is shorter.
const STALL: Duration = Duration::from_mins(5);

/// What a player needs beside its script.
pub(super) struct Stage {
    pub(super) signature: Signature,
    pub(super) include_usage: bool,
    pub(super) started: Instant,
    pub(super) stop: CancellationToken,
    /// Held, never read, while the answer goes on: the number of answers at once is bounded.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// The whole answer at once, after the time that it takes.
pub(super) async fn whole(script: Script, stage: Stage) -> Response {
    let patience = match script.breaks {
        Some((Fault::Stall, _)) => STALL,
        _ => seconds(script.first_token_s + script.talking_s()),
    };
    tokio::select! {
        () = sleep_until(stage.started + patience) => {}
        () = stage.stop.cancelled() => return wire::Refusal::unavailable().into_response(),
    }
    if script.breaks.is_some() {
        return wire::Refusal::broken_upstream().into_response();
    }
    let text = script.text_of(0, script.tokens());
    let (content, refusal) = if script.refusal { (None, Some(text)) } else { (Some(text), None) };
    let message = json!({ "role": "assistant", "content": content, "refusal": refusal });
    let body = wire::completion(&stage.signature, &message, script.finish, &script.bill());
    wire::json_response(axum::http::StatusCode::OK, &body)
}

/// The answer as server-sent events.
pub(super) fn events(script: Script, stage: Stage) -> Response {
    let jitter = Rng::with_seed(script.seed);
    let player = Player { script, stage, sent: 0, opened: false, ended: false, jitter };
    let body = Body::from_stream(stream::unfold(player, |mut player| async move {
        let item = player.next().await?;
        Some((item, player))
    }));
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

struct Player {
    script: Script,
    stage: Stage,
    sent: usize,
    opened: bool,
    ended: bool,
    jitter: Rng,
}

impl Player {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.ended {
            return None;
        }
        let stop = self.stage.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                self.ended = true;
                Some(Err(io::Error::other("the server is stopping")))
            }
            item = self.play() => item,
        }
    }

    async fn play(&mut self) -> Option<io::Result<Bytes>> {
        sleep_until(self.wake_at()).await;
        let until = self.due();
        if let Some((fault, at)) = self.script.breaks
            && until >= at
        {
            return self.fail(fault, at).await;
        }
        let mut out = self.delta(until);
        if self.sent == self.script.tokens() {
            self.ended = true;
            out.push_str(&self.ending());
        }
        Some(Ok(Bytes::from(out)))
    }

    /// The first token at its time; later ones a tick apart, or a token's time where that is longer.
    fn wake_at(&mut self) -> Instant {
        let first = self.stage.started + seconds(self.script.first_token_s);
        if !self.opened {
            return first;
        }
        let tokens = (TICK.as_secs_f64() * self.script.tokens_per_s).max(1.0);
        let wobble = 0.75 + 0.5 * self.jitter.f64();
        let next = (self.sent as f64 - 1.0 + tokens * wobble).min(self.script.tokens().saturating_sub(1) as f64);
        first + seconds(next / self.script.tokens_per_s)
    }

    /// Tokens that are due by now, at least one more than were sent.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and bounded below")]
    fn due(&self) -> usize {
        let talking_s = self.stage.started.elapsed().as_secs_f64() - self.script.first_token_s;
        let due = 1 + (talking_s * self.script.tokens_per_s).max(0.0) as usize;
        due.max(self.sent + 1).min(self.script.tokens())
    }

    fn delta(&mut self, until: usize) -> String {
        let mut out = String::new();
        if !self.opened {
            self.opened = true;
            out.push_str(&wire::chunk(&self.stage.signature, &json!({ "role": "assistant", "content": "" }), None));
        }
        let text = self.script.text_of(self.sent, until);
        if !text.is_empty() {
            let field = if self.script.refusal { "refusal" } else { "content" };
            out.push_str(&wire::chunk(&self.stage.signature, &json!({ field: text }), None));
        }
        self.sent = until;
        out
    }

    fn ending(&self) -> String {
        let mut out = wire::chunk(&self.stage.signature, &json!({}), Some(self.script.finish));
        if self.stage.include_usage {
            out.push_str(&wire::usage_chunk(&self.stage.signature, &self.script.bill()));
        }
        out.push_str(wire::DONE);
        out
    }

    /// What was due before the fault first, then the fault.
    async fn fail(&mut self, fault: Fault, at: usize) -> Option<io::Result<Bytes>> {
        if !self.opened || self.sent < at {
            return Some(Ok(Bytes::from(self.delta(at))));
        }
        self.ended = true;
        match fault {
            Fault::Reset => Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
            Fault::Stall => {
                sleep(STALL).await;
                None
            }
            _ => None,
        }
    }
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s.clamp(0.0, 86_400.0)).unwrap_or_default()
}
