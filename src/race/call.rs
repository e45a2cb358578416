//! One streamed call to a model, read to its end under its timers and bounds: what previews, the judge
//! and full answers share. Only parts that carry content move the timer between tokens, so an endpoint
//! that keeps a connection warm and says nothing is found out. Whatever ends the reading, the stream is
//! dropped here, which closes its connection.
//!
//! A panic in an adapter is the failure of that call alone. A call is not retried here, and nothing is
//! decided about what its failure means for the run.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::select;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep_until};

use super::budget::Meter;
use super::events::Wire;
use super::outlet::{Lane, Outlet};
use super::reading::{Reading, input_tokens};
use crate::domain::answer::{AnswerPart, AnswerStream, ChatModel, FinishReason, ModelCall};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::handling::Handling;
use crate::domain::money::{Price, Usage};
use crate::domain::tally::Phase;
use crate::domain::text::of_panic;

/// Timers and bounds of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// To the first part with content.
    pub(crate) first_token: Duration,
    /// Between two parts with content.
    pub(crate) between_tokens: Duration,
    /// The whole call, made again or not.
    pub(crate) whole: Duration,
    /// What earlier tries took of that.
    pub(crate) spent: Duration,
    /// Whether any of them follows what was seen of the arm.
    pub(crate) learned: bool,
    /// What the call is for: whose tokens it takes.
    pub(crate) phase: Phase,
    /// Dollars per million tokens, where they are known.
    pub(crate) price: Option<Price>,
    /// Bytes of text that are read; more is cut and counts as ended by length.
    pub(crate) max_bytes: usize,
}

/// What came of a call. Text, usage and times are what was had up to its end, failed or not.
#[derive(Clone, Debug)]
pub(crate) struct CallReport {
    /// The text; for an answer of tool calls alone their JSON.
    pub(crate) text: String,
    /// Tokens, as reported or estimated.
    pub(crate) usage: Usage,
    /// Seconds from the start to the end of the content.
    pub(crate) latency_s: f64,
    /// Seconds to the first text (or tool call); reasoning is not shown and does not count.
    pub(crate) ttft_s: Option<f64>,
    /// Why the answer ended, where it did.
    pub(crate) finish: Option<FinishReason>,
    /// Whether the text is the JSON of tool calls.
    pub(crate) is_tool_call: bool,
    /// Why it failed.
    pub(crate) failure: Option<Failure>,
    /// Whether anything came of the answer, were it reasoning alone.
    pub(crate) has_content: bool,
    /// How it was dealt with: retries, deadlines.
    pub(crate) handling: Handling,
}

impl CallReport {
    /// A call that could not even be made.
    pub(crate) fn not_made(failure: Failure) -> Self {
        let usage = Usage { estimated: true, ..Usage::default() };
        Self {
            text: String::new(),
            usage,
            latency_s: 0.0,
            ttft_s: None,
            finish: None,
            is_tool_call: false,
            failure: Some(failure),
            has_content: false,
            handling: Handling { unmade: true, ..Handling::default() },
        }
    }

    /// Counts its times from `before` its start on.
    pub(crate) fn delay(&mut self, before: Duration) {
        self.latency_s += before.as_secs_f64();
        self.ttft_s = self.ttft_s.map(|seconds| seconds + before.as_secs_f64());
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
    let mut meter = match wire.purse.open(limits.phase, limits.price, input_tokens(&request)) {
        Ok(meter) => meter,
        Err(failure) => return CallReport::not_made(failure),
    };
    let mut reading = Reading::start(limits);
    let mut outlet = Outlet::new(lane, wire);
    let calling = AssertUnwindSafe(read_into(&mut reading, &mut outlet, &mut meter, model, call, wire)).catch_unwind();
    let ended = calling.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    let report = reading.report(&request, ended.err());
    meter.settle(&report.usage);
    outlet.finish().await;
    report
}

/// Reads to the end; the stream is dropped when this returns.
async fn read_into(
    reading: &mut Reading,
    outlet: &mut Outlet<'_>,
    meter: &mut Meter<'_>,
    model: &Arc<dyn ChatModel>,
    call: ModelCall,
    wire: Wire<'_>,
) -> Result<(), Failure> {
    let (at, reason) = reading.deadline();
    let mut timer = pin!(sleep_until(at));
    let mut stream = select! {
        biased;
        () = wire.stop.cancelled() => return Err(cancelled()),
        failure = meter.exhausted() => return Err(failure),
        opened = model.stream(call) => opened?,
        () = timer.as_mut() => return Err(reading.late(reason)),
    };
    while let Some(part) = next(reading, outlet, meter, stream.as_mut(), timer.as_mut(), wire).await? {
        reading.take(part, outlet);
        let over = meter.note(&reading.so_far(meter.input_tokens()));
        if reading.is_full() {
            break;
        }
        // What is complete is kept, whatever it took.
        if let Some(failure) = over.filter(|_| !reading.is_complete()) {
            return Err(failure);
        }
        // An endpoint that is never silent leaves no timer time to be asked.
        if let Some(reason) = reading.overdue() {
            return Err(reading.late(reason));
        }
    }
    // An adapter reports this itself; one that does not must not make half an answer a whole one.
    if reading.is_complete() { Ok(()) } else { Err(truncated()) }
}

/// The next part; `None` at the end, or where usage does not come after the finish.
async fn next(
    reading: &Reading,
    outlet: &mut Outlet<'_>,
    meter: &Meter<'_>,
    stream: &mut dyn AnswerStream,
    mut timer: Pin<&mut Sleep>,
    wire: Wire<'_>,
) -> Result<Option<AnswerPart>, Failure> {
    let (at, reason) = reading.deadline();
    timer.as_mut().reset(at);
    // One future for the part, however often the reader has room meanwhile: an adapter need not bear
    // being dropped between two parts.
    let mut coming = stream.next();
    let part = loop {
        select! {
            biased;
            () = wire.stop.cancelled() => break Some(Err(cancelled())),
            failure = meter.exhausted() => break Some(Err(failure)),
            part = &mut coming => break part,
            room = outlet.room() => outlet.send(room),
            // Outside of tokio's budget: parts that are always there already would use all of it up, and a
            // timer without budget never runs out.
            () = unconstrained(timer.as_mut()) => break Some(Err(reading.late(reason))),
        }
    };
    match part {
        // The content is complete: whatever goes wrong behind it changes nothing.
        Some(Err(_)) if reading.is_complete() => Ok(None),
        part => part.transpose(),
    }
}

fn truncated() -> Failure {
    Failure::new(FailureClass::Transient, "truncated", "the stream ended in the middle of the answer")
}

/// A fault of our own in one call is that call's failure: other arms may do without it. Asking again
/// would meet the same fault.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    tracing::error!(panic = of_panic(panic), "a call panicked");
    let message = "a fault in banditop itself ended the call: see the log, and please report it";
    Failure { should_retry: Some(false), ..Failure::new(FailureClass::Transient, "panic", message) }
}

pub(super) fn cancelled() -> Failure {
    Failure::new(FailureClass::Cancelled, "cancelled", "the run was stopped")
}
