//! One streamed call to a model, read to its end under its timers and bounds: what previews, the judge
//! and full answers share. Only parts that carry content move the timer between tokens, so an endpoint
//! that keeps a connection warm and says nothing is found out. Whatever ends the reading, the stream is
//! dropped here, which closes its connection.
//!
//! A call is not retried here, and nothing is decided about what its failure means for the run.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, Sleep, sleep_until};

use std::pin::{Pin, pin};

use super::events::Wire;
use crate::domain::answer::{AnswerPart, AnswerStream, ChatModel, FinishReason, ModelCall};
use crate::domain::chat::ChatRequest;
use crate::domain::event::RunEvent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::money::{Usage, estimate_tokens};
use crate::domain::text::cut;

/// After its finish reason an answer is complete: its usage is waited for so long and no longer.
const USAGE_GRACE: Duration = Duration::from_millis(500);
/// With its usage in, too, only the end of the stream is waited for: a stream read to its end leaves a
/// connection that can be used again.
const END_GRACE: Duration = Duration::from_millis(50);

/// Timers and bounds of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// To the first part with content.
    pub(crate) first_token: Duration,
    /// Between two parts with content.
    pub(crate) between_tokens: Duration,
    /// The whole call.
    pub(crate) whole: Duration,
    /// Bytes of text that are read; more is cut and counts as ended by length.
    pub(crate) max_bytes: usize,
}

/// Who hears the text while it comes.
#[derive(Clone, Copy)]
pub(crate) enum Lane<'a> {
    /// Nobody.
    Silent,
    /// A preview's lane.
    Preview(&'a ArmId),
    /// The answer.
    Answer(&'a ArmId),
}

/// What came of a call. Text, usage and times are what was had up to its end, failed or not.
#[derive(Clone, Debug)]
pub(crate) struct CallReport {
    /// The text; for an answer of tool calls alone their JSON.
    pub(crate) text: String,
    /// Tokens, as reported or estimated.
    pub(crate) usage: Usage,
    /// Seconds from the start to the end of the content, without waiting for the reader of the events.
    pub(crate) latency_s: f64,
    /// Seconds to the first text (or tool call); reasoning is not shown and does not count.
    pub(crate) ttft_s: Option<f64>,
    /// Why it failed.
    pub(crate) failure: Option<Failure>,
}

impl CallReport {
    /// A call that could not even be made.
    pub(crate) fn not_made(failure: Failure) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self { text: String::new(), usage, latency_s: 0.0, ttft_s: None, failure: Some(failure) }
    }
}

/// Makes the call and reads the answer.
pub(crate) async fn read(
    model: &Arc<dyn ChatModel>,
    call: ModelCall,
    limits: Limits,
    lane: Lane<'_>,
    wire: Wire<'_>,
) -> CallReport {
    let request = Arc::clone(&call.request);
    let mut reading = Reading::start(limits);
    let ended = reading.run(model, call, lane, wire).await;
    reading.report(&request, ended.err())
}

/// An answer while it comes.
struct Reading {
    limits: Limits,
    started: Instant,
    /// Time spent waiting for the reader of the events, which is not the endpoint's fault.
    held: Duration,
    /// When the last part with content had been dealt with.
    last_content: Option<Instant>,
    first_text: Option<Duration>,
    ended: Option<Duration>,
    text: String,
    chars: usize,
    tool_calls: Vec<serde_json::Value>,
    tool_bytes: usize,
    reasoning_chars: usize,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Reading {
    fn start(limits: Limits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            held: Duration::ZERO,
            last_content: None,
            first_text: None,
            ended: None,
            text: String::new(),
            chars: 0,
            tool_calls: Vec::new(),
            tool_bytes: 0,
            reasoning_chars: 0,
            finish: None,
            usage: None,
        }
    }

    async fn run(
        &mut self,
        model: &Arc<dyn ChatModel>,
        call: ModelCall,
        lane: Lane<'_>,
        wire: Wire<'_>,
    ) -> Result<(), Failure> {
        let (at, reason) = self.deadline();
        let mut timer = pin!(sleep_until(at));
        let mut stream = select! {
            biased;
            () = wire.stop.cancelled() => return Err(cancelled()),
            opened = model.stream(call) => opened?,
            () = timer.as_mut() => return Err(reason.failure(&self.limits)),
        };
        while let Some(part) = self.next(stream.as_mut(), timer.as_mut(), wire).await? {
            self.take(part, lane, wire).await;
            if self.is_full() {
                self.finish = Some(FinishReason::Length);
                self.ended.get_or_insert(self.elapsed());
                break;
            }
        }
        if self.finish.is_none() {
            // An adapter reports this itself; an adapter that does not must not make half an answer whole.
            return Err(truncated());
        }
        Ok(())
    }

    /// The next part; `None` at the end, or where usage does not come after the finish.
    async fn next(
        &self,
        stream: &mut dyn AnswerStream,
        mut timer: Pin<&mut Sleep>,
        wire: Wire<'_>,
    ) -> Result<Option<AnswerPart>, Failure> {
        let (at, reason) = self.deadline();
        timer.as_mut().reset(at);
        let part = select! {
            biased;
            () = wire.stop.cancelled() => Some(Err(cancelled())),
            part = stream.next() => part,
            () = timer => Some(Err(reason.failure(&self.limits))),
        };
        match part {
            Some(Ok(part)) => Ok(Some(part)),
            // The content is complete: whatever goes wrong behind it changes nothing.
            Some(Err(_)) if self.finish.is_some() => Ok(None),
            Some(Err(failure)) => Err(failure),
            None => Ok(None),
        }
    }

    async fn take(&mut self, part: AnswerPart, lane: Lane<'_>, wire: Wire<'_>) {
        match part {
            AnswerPart::Text(text) if text.is_empty() || self.finish.is_some() => {}
            AnswerPart::Text(text) => self.take_text(&text, lane, wire).await,
            AnswerPart::Reasoning(text) => {
                self.reasoning_chars += text.chars().count();
                if !text.is_empty() {
                    self.last_content = Some(Instant::now());
                }
            }
            AnswerPart::ToolCall(piece) => {
                self.first_text.get_or_insert(self.elapsed());
                self.tool_bytes += piece.to_string().len();
                self.tool_calls.push(piece);
                self.last_content = Some(Instant::now());
            }
            AnswerPart::Finish(reason) => {
                self.finish.get_or_insert(reason);
                self.ended.get_or_insert(self.elapsed());
                self.last_content = Some(Instant::now());
            }
            AnswerPart::Usage(usage) => self.usage = Some(usage),
        }
    }

    async fn take_text(&mut self, text: &str, lane: Lane<'_>, wire: Wire<'_>) {
        let elapsed = self.elapsed();
        self.first_text.get_or_insert(elapsed);
        let (piece, _) = cut(text, self.limits.max_bytes.saturating_sub(self.text.len()));
        self.text.push_str(piece);
        self.chars += piece.chars().count();
        let tokens = tokens_of(self.chars);
        self.held += match lane {
            Lane::Silent => Duration::ZERO,
            Lane::Preview(arm) => {
                let elapsed_s = elapsed.as_secs_f64();
                let event = || RunEvent::PreviewText { arm: arm.clone(), text: piece.to_owned(), tokens, elapsed_s };
                wire.say(event).await
            }
            Lane::Answer(arm) => wire.say(|| RunEvent::AnswerText { arm: arm.clone(), text: piece.to_owned() }).await,
        };
        if piece.len() < text.len() {
            // Cut: nothing more is wanted.
            self.limits.max_bytes = self.text.len();
        }
        self.last_content = Some(Instant::now());
    }

    fn is_full(&self) -> bool {
        self.finish.is_none() && self.text.len().max(self.tool_bytes) >= self.limits.max_bytes
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.held)
    }

    /// The next moment at which waiting is over, and what that would mean.
    fn deadline(&self) -> (Instant, Late) {
        let whole = self.started + self.limits.whole + self.held;
        let (next, late) = match self.last_content {
            None => (self.started + self.limits.first_token, Late::FirstToken),
            Some(at) if self.finish.is_some() && self.usage.is_some() => (at + END_GRACE, Late::Whole),
            Some(at) if self.finish.is_some() => (at + USAGE_GRACE, Late::Whole),
            Some(at) => (at + self.limits.between_tokens, Late::Stall),
        };
        if whole <= next { (whole, Late::Whole) } else { (next, late) }
    }

    /// What came of it, with the failures that only show in the content.
    fn report(mut self, request: &ChatRequest, failure: Option<Failure>) -> CallReport {
        let failure = failure.or_else(|| self.content_failure(request));
        if self.text.trim().is_empty() && !self.tool_calls.is_empty() {
            self.text = serde_json::Value::Array(std::mem::take(&mut self.tool_calls)).to_string();
        }
        let latency = self.ended.unwrap_or_else(|| self.elapsed());
        CallReport {
            usage: self.usage(request, failure.as_ref()),
            latency_s: latency.as_secs_f64(),
            ttft_s: self.first_text.map(|d| d.as_secs_f64()),
            failure,
            text: self.text,
        }
    }

    fn content_failure(&self, request: &ChatRequest) -> Option<Failure> {
        if self.finish == Some(FinishReason::ContentFilter) {
            return Some(content("content_filter", "a filter of the endpoint stopped the answer"));
        }
        if !self.text.trim().is_empty() {
            return None;
        }
        if !self.tool_calls.is_empty() {
            let was_offered = !request.tools.is_empty();
            let message = "the answer calls tools, and the request offers none";
            return (!was_offered).then(|| content("tool_calls_only", message));
        }
        if self.reasoning_chars > 0 {
            let message = "all tokens went into reasoning and none into an answer: allow more tokens for this arm";
            return Some(content("reasoning_only", message));
        }
        Some(content("empty", "the arm answered nothing"))
    }

    /// Reported tokens, or an estimate. A call that failed before its first token is taken to have cost nothing.
    fn usage(&self, request: &ChatRequest, failure: Option<&Failure>) -> Usage {
        if let Some(usage) = self.usage {
            return usage;
        }
        let answered = self.last_content.is_some();
        if failure.is_some() && !answered {
            return Usage { estimated: true, ..Usage::default() };
        }
        let input_tokens = request.messages.iter().map(|m| estimate_tokens(&m.text())).fold(0, u32::saturating_add);
        let output_tokens = tokens_of(self.chars + self.reasoning_chars + self.tool_bytes);
        Usage { input_tokens, output_tokens, estimated: true }
    }
}

/// Tokens in so many characters, as [`estimate_tokens`] has it.
fn tokens_of(chars: usize) -> u32 {
    u32::try_from(chars.div_ceil(4)).unwrap_or(u32::MAX)
}

/// Which timer ran out.
#[derive(Clone, Copy)]
enum Late {
    FirstToken,
    Stall,
    Whole,
}

impl Late {
    fn failure(self, limits: &Limits) -> Failure {
        let (kind, message) = match self {
            Self::FirstToken => ("first_token_timeout", format!("no token within {:?}", limits.first_token)),
            Self::Stall => {
                ("stall", format!("nothing came for {:?} in the middle of the answer", limits.between_tokens))
            }
            Self::Whole => ("phase_timeout", format!("not complete within {:?}", limits.whole)),
        };
        Failure::new(FailureClass::Transient, kind, message)
    }
}

fn content(kind: &'static str, message: &str) -> Failure {
    Failure::new(FailureClass::Content, kind, message)
}

fn truncated() -> Failure {
    Failure::new(FailureClass::Transient, "truncated", "the stream ended in the middle of the answer")
}

fn cancelled() -> Failure {
    Failure::new(FailureClass::Cancelled, "cancelled", "the run was stopped")
}
