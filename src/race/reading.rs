//! An answer while it comes: what has arrived, how long it took, what would be too late, and at its end
//! what it amounts to. Time is measured here; nothing is awaited.

use std::time::Duration;

use tokio::time::Instant;

use super::call::{CallReport, Limits};
use super::outlet::Outlet;
use crate::domain::answer::{AnswerPart, FinishReason};
use crate::domain::chat::ChatRequest;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::handling::Handling;
use crate::domain::money::{Usage, estimate_tokens};
use crate::domain::text::{cut, is_blank};

/// After its finish reason an answer is complete: its usage is waited for so long and no longer.
const USAGE_GRACE: Duration = Duration::from_millis(500);
/// With its usage in, too, only the end of the stream is waited for: a stream read to its end leaves a
/// connection that can be used again.
const END_GRACE: Duration = Duration::from_millis(50);

/// Bytes that an arm may always think before it is cut, however short the answer that was asked for.
const REASONING_BYTES: usize = 16_384;
/// An endpoint's count is believed up to so many times our own estimate…
const COUNT_SLACK: u32 = 8;
/// …and so many tokens more: what it may have put before a prompt or thought without showing it.
const HIDDEN_TOKENS: u32 = 131_072;

/// An answer while it comes.
pub(crate) struct Reading {
    limits: Limits,
    started: Instant,
    /// When the last part with content had been dealt with.
    last_content: Option<Instant>,
    first_text: Option<Duration>,
    longest_gap: Option<Duration>,
    ended: Option<Duration>,
    text: String,
    chars: usize,
    tool_calls: Vec<serde_json::Value>,
    tool_bytes: usize,
    reasoning_chars: usize,
    reasoning_bytes: usize,
    finish: Option<FinishReason>,
    is_full: bool,
    /// As counted so far.
    counted: Option<Usage>,
    /// As counted in the end.
    usage: Option<Usage>,
}

impl Reading {
    /// Nothing yet; the clock runs.
    pub(crate) fn start(limits: Limits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            last_content: None,
            first_text: None,
            longest_gap: None,
            ended: None,
            text: String::new(),
            chars: 0,
            tool_calls: Vec::new(),
            tool_bytes: 0,
            reasoning_chars: 0,
            reasoning_bytes: 0,
            finish: None,
            is_full: false,
            counted: None,
            usage: None,
        }
    }

    /// Takes the next part in.
    pub(crate) fn take(&mut self, part: AnswerPart, outlet: &mut Outlet<'_>) {
        match part {
            AnswerPart::Text(text) if text.is_empty() || self.finish.is_some() => return,
            AnswerPart::Reasoning(text) if text.is_empty() => return,
            AnswerPart::Text(text) => self.take_text(&text, outlet),
            AnswerPart::Reasoning(text) => {
                self.reasoning_chars += text.chars().count();
                self.reasoning_bytes += text.len();
            }
            AnswerPart::ToolCall(piece) => {
                self.first_text.get_or_insert(self.started.elapsed());
                self.tool_bytes += piece.to_string().len();
                self.tool_calls.push(piece);
            }
            AnswerPart::Finish(reason) => self.end(reason),
            AnswerPart::Counted(usage) => {
                self.counted = Some(self.at_least_known(usage));
                return;
            }
            AnswerPart::Usage(usage) => {
                self.usage = Some(self.at_least_known(usage));
                return;
            }
        }
        let now = Instant::now();
        let gap = self.last_content.map(|last| now - last);
        self.longest_gap = self.longest_gap.max(gap);
        self.last_content = Some(now);
        if self.finish.is_none() && self.is_at_bound() {
            self.is_full = true;
            self.end(FinishReason::Length);
        }
    }

    /// A count, or what was counted before where this one says that nothing was.
    fn at_least_known(&self, usage: Usage) -> Usage {
        let is_nothing = |usage: &Usage| usage.input_tokens == 0 && usage.output_tokens == 0;
        self.usage.or(self.counted).filter(|_| is_nothing(&usage)).unwrap_or(usage)
    }

    /// Thinking has a bound of its own: it may be long before a short answer, and is no part of it.
    fn is_at_bound(&self) -> bool {
        let most = self.limits.max_bytes;
        self.text.len().max(self.tool_bytes) >= most || self.reasoning_bytes >= most.max(REASONING_BYTES)
    }

    fn take_text(&mut self, text: &str, outlet: &mut Outlet<'_>) {
        let elapsed = self.started.elapsed();
        self.first_text.get_or_insert(elapsed);
        let (piece, was_cut) = cut(text, self.limits.max_bytes.saturating_sub(self.text.len()));
        self.text.push_str(piece);
        self.chars += piece.chars().count();
        if was_cut {
            // At a character's border, which may lie before the bound.
            self.limits.max_bytes = self.text.len();
        }
        outlet.push(piece, tokens_of(self.chars), elapsed);
    }

    fn end(&mut self, reason: FinishReason) {
        self.finish.get_or_insert(reason);
        self.ended.get_or_insert(self.started.elapsed());
    }

    /// Whether the content is complete; only usage may still come.
    pub(crate) const fn is_complete(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether the bound is reached: nothing more is wanted.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The next moment at which waiting is over, and what that would mean.
    pub(crate) fn deadline(&self) -> (Instant, Late) {
        let whole = self.started + self.limits.whole.saturating_sub(self.limits.spent);
        let (next, late) = match self.last_content {
            None => (self.started + self.limits.first_token, Late::FirstToken),
            Some(at) if self.finish.is_some() && self.usage.is_some() => (at + END_GRACE, Late::Whole),
            Some(at) if self.finish.is_some() => (at + USAGE_GRACE, Late::Whole),
            Some(at) => (at + self.limits.between_tokens, Late::Stall),
        };
        if whole <= next { (whole, Late::Whole) } else { (next, late) }
    }

    /// The whole call's time is up, and the content is not complete.
    pub(crate) fn overdue(&self) -> Option<Late> {
        let is_late = self.finish.is_none() && self.limits.spent + self.started.elapsed() >= self.limits.whole;
        is_late.then_some(Late::Whole)
    }

    /// The failure that `reason` stands for.
    pub(crate) fn late(&self, reason: Late) -> Failure {
        reason.failure(&self.limits)
    }

    /// What came of it, with the failures that only show in the content.
    pub(crate) fn report(mut self, request: &ChatRequest, failure: Option<Failure>) -> CallReport {
        let failure = failure.or_else(|| self.content_failure(request));
        let is_tool_call = is_blank(&self.text) && !self.tool_calls.is_empty();
        if is_tool_call {
            self.text = serde_json::Value::Array(std::mem::take(&mut self.tool_calls)).to_string();
        }
        let latency = self.ended.unwrap_or_else(|| self.started.elapsed());
        let usage = self.usage(request, failure.as_ref());
        let miscounted = self.told().is_some_and(|told| !is_credible(&told, &self.estimate(input_tokens(request))));
        CallReport {
            usage,
            latency_s: latency.as_secs_f64(),
            ttft_s: self.first_text.map(|d| d.as_secs_f64()),
            finish: self.finish,
            is_tool_call,
            failure,
            has_content: self.last_content.is_some(),
            handling: Handling {
                longest_gap_s: self.longest_gap.map(|gap| gap.as_secs_f64()),
                cached_tokens: usage.cached_tokens,
                miscounted,
                ..Handling::default()
            },
            text: self.text,
        }
    }

    fn content_failure(&self, request: &ChatRequest) -> Option<Failure> {
        if self.finish == Some(FinishReason::ContentFilter) {
            return Some(content("content_filter", "a filter of the endpoint stopped the answer"));
        }
        if !is_blank(&self.text) {
            return None;
        }
        if self.is_full && !self.tool_calls.is_empty() {
            return Some(content("malformed", "its tool calls are longer than an answer may be"));
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

    /// Reported tokens, or an estimate. A call that the endpoint refused or broke off before its first token is
    /// taken to have cost nothing; one that we gave up, its prompt: who is silent may be at work.
    fn usage(&self, request: &ChatRequest, failure: Option<&Failure>) -> Usage {
        let answered = self.last_content.is_some() || self.told().is_some();
        if failure.is_some_and(|failure| !answered && !is_ours(failure)) {
            return Usage { estimated: true, ..Usage::default() };
        }
        self.so_far(input_tokens(request))
    }

    /// What the call took so far: as the endpoint counted; an estimate of what it has not counted yet, or not credibly.
    pub(crate) fn so_far(&self, input_tokens: u32) -> Usage {
        let estimate = self.estimate(input_tokens);
        // Who counts nothing has switched counting off: a prompt has tokens, and so has what came.
        let is_whole = |told: &Usage| told.input_tokens > 0 && (told.output_tokens > 0 || estimate.output_tokens == 0);
        match self.told().filter(|told| is_credible(told, &estimate)) {
            None => estimate,
            Some(told) if self.usage.is_some() && !told.estimated && is_whole(&told) => told,
            Some(told) => Usage {
                input_tokens: if told.input_tokens == 0 { estimate.input_tokens } else { told.input_tokens },
                output_tokens: told.output_tokens.max(estimate.output_tokens),
                estimated: true,
                ..told
            },
        }
    }

    /// The endpoint's latest word.
    fn told(&self) -> Option<Usage> {
        self.usage.or(self.counted)
    }

    fn estimate(&self, input_tokens: u32) -> Usage {
        let output_tokens = tokens_of(self.chars + self.reasoning_chars + self.tool_bytes);
        Usage { input_tokens, output_tokens, estimated: true, ..Usage::default() }
    }
}

/// Whether an endpoint's count may be true: a slip of it must not use up a day's dollars, nor teach a price.
pub(super) fn is_credible(told: &Usage, estimate: &Usage) -> bool {
    let most = |estimate: u32| estimate.saturating_mul(COUNT_SLACK).saturating_add(HIDDEN_TOKENS);
    told.input_tokens <= most(estimate.input_tokens) && told.output_tokens <= most(estimate.output_tokens)
}

/// Whether it was we who gave the call up.
fn is_ours(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Cancelled | FailureClass::Budget) || Late::is(&failure.kind)
}

/// Tokens of all turns, estimated.
pub(crate) fn input_tokens(request: &ChatRequest) -> u32 {
    request.messages.iter().map(|m| estimate_tokens(&m.text())).fold(0, u32::saturating_add)
}

/// Tokens in so many characters, as [`estimate_tokens`] has it.
fn tokens_of(chars: usize) -> u32 {
    u32::try_from(chars.div_ceil(4)).unwrap_or(u32::MAX)
}

/// Which timer ran out.
#[derive(Clone, Copy)]
pub(crate) enum Late {
    /// No content at all.
    FirstToken,
    /// No more content.
    Stall,
    /// The whole call takes too long.
    Whole,
}

impl Late {
    /// Whether a failure's kind is that of a timer.
    pub(super) fn is(kind: &str) -> bool {
        matches!(kind, "first_token_timeout" | "stall" | "phase_timeout")
    }

    fn failure(self, limits: &Limits) -> Failure {
        let (kind, message) = match self {
            Self::FirstToken => ("first_token_timeout", format!("no token within {:?}", told(limits.first_token))),
            Self::Stall => {
                ("stall", format!("nothing came for {:?} in the middle of the answer", told(limits.between_tokens)))
            }
            Self::Whole => ("phase_timeout", format!("not complete within {:?}", told(limits.whole))),
        };
        Failure::new(FailureClass::Transient, kind, message)
    }
}

/// As people say it: to the millisecond.
fn told(wait: Duration) -> Duration {
    let millis = (wait.as_secs_f64() * 1e3).round();
    if millis < 1.0 { wait } else { Duration::from_secs_f64(millis / 1e3) }
}

fn content(kind: &'static str, message: &str) -> Failure {
    Failure::new(FailureClass::Content, kind, message)
}
