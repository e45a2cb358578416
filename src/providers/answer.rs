//! A streamed answer, whatever the wire format: events in, parts out, and the judgement how it ended. It
//! ends where the format says so, or with the body once a finish reason was seen; an end before that is
//! the failure `truncated`. What comes after the finish is only usage; what an endpoint counts before it is passed on
//! as it comes, since it is charged for whatever becomes of the answer. What an event means is the [`Decode`]r's matter (`chunk.rs` for chat
//! completions, `anthropic/events.rs` for messages).
//!
//! An event that begins as JSON and is none fails the answer, since one with a hole in it is no answer.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerPart, AnswerStream, FinishReason};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::money::Usage;

use super::chunk::Chunk;
use super::failure::Endpoint;
use super::guard::Guards;
use super::sse::SseParser;
use super::thoughts::Thinking;

/// How long the end of the body is waited for after `[DONE]`, so that the connection can be used again.
const LAST_CHUNK_PATIENCE: Duration = Duration::from_millis(5);
/// Events that are no JSON, in one stream, before it is given up.
const MOST_NOISE: u32 = 64;

/// One wire format's events, read one by one; what must be remembered between two of them is its own.
pub(super) trait Decode: Send {
    /// What the data of one event holds.
    fn decode(&mut self, data: &str) -> Chunk;
}

/// How far the body was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    /// All of it; events may still wait in the parser.
    BodyIsOver,
    /// Nothing more comes out.
    Ended,
}

/// An answer on its way. Dropping it drops the response, which ends the request.
pub(super) struct EventStream<D> {
    response: Response,
    decoder: D,
    endpoint: Endpoint,
    parser: SseParser,
    thinking: Thinking,
    guard: Option<Guards>,
    parts: VecDeque<AnswerPart>,
    /// Any event was read: until then, this may not be a stream at all.
    is_stream: bool,
    finished: bool,
    refused: bool,
    usage: Option<Usage>,
    noise: u32,
    phase: Phase,
}

impl<D: Decode> EventStream<D> {
    pub(super) fn new(response: Response, endpoint: Endpoint, decoder: D) -> Self {
        Self {
            guard: endpoint.key.as_ref().and_then(Guards::new),
            response,
            decoder,
            endpoint,
            parser: SseParser::default(),
            thinking: Thinking::default(),
            parts: VecDeque::new(),
            is_stream: false,
            finished: false,
            refused: false,
            usage: None,
            noise: 0,
            phase: Phase::Reading,
        }
    }

    async fn advance(&mut self) -> Option<Result<AnswerPart, Failure>> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(Ok(part));
            }
            if self.phase == Phase::Ended {
                return None;
            }
            let step = match self.parser.next_event() {
                Some(event) => self.take(&event.data).await,
                None if self.phase == Phase::BodyIsOver => self.end_of_body(),
                None => self.read_more().await,
            };
            if let Err(failure) = step {
                self.phase = Phase::Ended;
                return Some(Err(failure));
            }
        }
    }

    /// The next bytes into the parser, or the end.
    async fn read_more(&mut self) -> Result<(), Failure> {
        match self.response.chunk().await {
            Ok(Some(bytes)) => self.parser.push(&bytes).map_err(|fault| self.malformed(&fault.to_string())),
            Ok(None) => {
                self.phase = Phase::BodyIsOver;
                self.parser.finish().map_err(|fault| self.malformed(&fault.to_string()))
            }
            // A connection that breaks after the finish has lost nothing.
            Err(_) if self.finished => self.end_of_body(),
            Err(fault) => Err(self.endpoint.interrupted(&fault)),
        }
    }

    async fn take(&mut self, data: &str) -> Result<(), Failure> {
        match self.decoder.decode(data) {
            Chunk::Done => self.done().await,
            Chunk::Error(complaint) => return Err(self.endpoint.complained(&complaint)),
            Chunk::Malformed => return Err(self.malformed("an event holds broken JSON")),
            Chunk::Noise => {
                self.noise += 1;
                if self.noise > MOST_NOISE {
                    return Err(self.malformed("its events are not JSON"));
                }
                return Ok(());
            }
            Chunk::Parts { parts, refuses, finish, usage } => {
                self.refused |= refuses;
                if !self.finished {
                    for part in parts {
                        self.let_through(part);
                    }
                    self.finish(finish);
                }
                self.count(usage);
            }
        }
        self.is_stream = true;
        Ok(())
    }

    fn finish(&mut self, reason: Option<FinishReason>) {
        let Some(reason) = reason else { return };
        self.finished = true;
        let reason = if self.refused { FinishReason::ContentFilter } else { reason };
        self.let_through(AnswerPart::Finish(reason));
    }

    /// What a failure leaves in the guard is the beginning of a key, and is lost.
    fn let_through(&mut self, part: AnswerPart) {
        let Self { thinking, guard, parts, .. } = self;
        thinking.pass(part, |part| match guard {
            Some(guard) => guard.pass(part, parts),
            None => parts.push_back(part),
        });
    }

    /// Passes a count on as one so far, and the latest from the finish on as the last word.
    fn count(&mut self, usage: Option<Usage>) {
        let is_news = usage.is_some() && usage != self.usage;
        self.usage = usage.or(self.usage);
        if self.finished {
            self.parts.extend(self.usage.take().map(AnswerPart::Usage));
        } else if is_news {
            self.parts.extend(self.usage.map(AnswerPart::Counted));
        }
    }

    /// The endpoint says that it is done, with or without having said why.
    async fn done(&mut self) {
        if !self.finished {
            self.finish(Some(FinishReason::Other));
        }
        self.count(None);
        self.phase = Phase::Ended;
        // Nothing follows but the end of the body; once that is read, the connection serves another call.
        let _ = tokio::time::timeout(LAST_CHUNK_PATIENCE, self.response.chunk()).await;
    }

    fn end_of_body(&mut self) -> Result<(), Failure> {
        if self.finished {
            self.phase = Phase::Ended;
            return Ok(());
        }
        let (kind, what) = if self.is_stream {
            ("truncated", "ended its answer in the middle: no finish reason came")
        } else {
            ("not_a_stream", "sent no event where a stream was asked for; check `base_url`")
        };
        Err(self.endpoint.failure(FailureClass::Transient, kind, what))
    }

    fn malformed(&self, what: &str) -> Failure {
        let what = format!("sent a stream that cannot be read: {what}");
        self.endpoint.failure(FailureClass::Transient, "malformed_stream", &what)
    }
}

impl<D: Decode> AnswerStream for EventStream<D> {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        Box::pin(self.advance())
    }
}
