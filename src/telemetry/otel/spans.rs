//! A finished run as a trace: a root span for the workflow with the decision as attributes, and a span for
//! every call. Spans are made from the record when the run has ended, so a run that goes pays nothing.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::calls::{Call, Times, calls};
use super::names;
use crate::domain::ids::ArmId;
use crate::domain::record::{ArmScore, RunOutcome, RunRecord};
use crate::domain::search::SearchRecord;
use crate::domain::spec::ArmSpec;
use crate::domain::tally::Phase;
use crate::domain::trace::{CallPlace, root_span, search_span, trace_id};

/// How a trace is made.
pub(super) struct Tracing<'a> {
    /// The declaration of an arm, as it stands.
    pub specs: &'a dyn Fn(&ArmId) -> Option<ArmSpec>,
    /// Whether messages are told.
    pub content: bool,
    pub scope: &'a InstrumentationScope,
}

impl Tracing<'_> {
    /// The root first. Of a run that was judged afterwards only what came then: the rest was told when it ended.
    pub(super) fn spans(&self, record: &RunRecord) -> Vec<SpanData> {
        let times = Times::of(record);
        let is_late = record.policies.afterwards.is_some();
        let mut spans = Vec::new();
        if !is_late {
            spans.push(self.root(record, &times));
        }
        spans.extend(
            record.policies.search.as_ref().filter(|_| !is_late).map(|search| self.search(record, search, &times)),
        );
        let calls = calls(record, &times);
        spans.extend(calls.iter().map(|call| self.call(record, call)));
        if record.judging.is_none() && record.verdict.is_some() && !is_late {
            spans.push(self.local_judge(record, &times));
        }
        spans
    }

    fn span(&self, record: &RunRecord, id: u64, name: Cow<'static, str>, times: (SystemTime, SystemTime)) -> SpanData {
        let is_root = id == root_span(record.run_id);
        let parent = if is_root { SpanId::INVALID } else { SpanId::from(root_span(record.run_id)) };
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(trace_id(record.run_id)),
                SpanId::from(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name,
            start_time: times.0,
            end_time: times.1,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn root(&self, record: &RunRecord, times: &Times) -> SpanData {
        let id = root_span(record.run_id);
        let mut span = self.span(record, id, "invoke_workflow banditop".into(), (times.start, times.end));
        span.attributes = decision(record);
        span.attributes.extend(outcome(record));
        if self.content {
            let messages = serde_json::to_string(&record.request.messages).unwrap_or_default();
            span.attributes.push(KeyValue::new(names::INPUT_MESSAGES, messages));
            span.attributes.extend(record.answer.as_deref().map(output));
        }
        if let RunOutcome::Failed { .. } = record.outcome {
            span.status = Status::error("no arm could answer");
            let kind = record.attempts.iter().rev().find_map(|attempt| attempt.error.as_ref());
            let kind = kind.map_or_else(|| "no_answer".to_owned(), |failure| failure.kind.to_string());
            span.attributes.push(KeyValue::new(names::ERROR_TYPE, kind));
        }
        span
    }

    fn call(&self, record: &RunRecord, call: &Call<'_>) -> SpanData {
        let identity = call.identity(self.specs);
        let model = identity.iter().find(|pair| pair.key.as_str() == names::REQUEST_MODEL);
        let name = format!("chat {}", model.map_or_else(|| call.who.into(), |pair| pair.value.as_str()));
        let end = call.start + Duration::try_from_secs_f64(call.seconds).unwrap_or_default();
        let mut span = self.span(record, call.place.span_id(), name.into(), (call.start, end));
        span.span_kind = SpanKind::Client;
        span.attributes = identity;
        let attributes = &mut span.attributes;
        attributes.push(KeyValue::new(names::REQUEST_STREAM, true));
        attributes.push(KeyValue::new("banditop.arm", call.who.to_owned()));
        attributes.push(KeyValue::new("banditop.phase", call.place.phase.name()));
        if !call.is_estimated {
            attributes.push(KeyValue::new(names::INPUT_TOKENS, i64::from(call.tokens.0)));
            attributes.push(KeyValue::new(names::OUTPUT_TOKENS, i64::from(call.tokens.1)));
        }
        attributes.extend(call.first_s.map(|seconds| KeyValue::new(names::FIRST_CHUNK, seconds)));
        attributes.extend(call.cost_usd.map(|dollars| KeyValue::new("banditop.cost_usd", dollars)));
        match call.place.phase {
            Phase::Answer => attributes.push(KeyValue::new("banditop.attempt", i64::from(call.place.nth))),
            Phase::Judge => {
                judged(record, &mut span, end);
                span.attributes.extend(late_reward(record).map(|total| KeyValue::new(names::REWARD, total)));
            }
            Phase::Preview => {}
        }
        span.attributes.extend(handled(call));
        for retried in &call.handling.retries {
            let waited = KeyValue::new("banditop.retry.waited_s", retried.waited_s);
            let attributes = vec![KeyValue::new(names::ERROR_TYPE, retried.kind.to_string()), waited];
            // When in the call is not known: in their order, at its start.
            span.events.events.push(Event::new("banditop.retry", call.start, attributes, 0));
        }
        if let Some(failure) = call.fault() {
            // Not the endpoint's own words: they may repeat the prompt.
            span.status = Status::error(format!("{} ({})", failure.class, failure.kind));
        } else if call.is_lost || call.error.is_some() {
            span.attributes.push(KeyValue::new("banditop.outcome", "cancelled"));
        }
        if self.content {
            span.attributes.extend(call.text.map(output));
        }
        span
    }

    fn search(&self, record: &RunRecord, search: &SearchRecord, times: &Times) -> SpanData {
        let end = times.search + Duration::try_from_secs_f64(search.seconds).unwrap_or_default();
        let id = search_span(record.run_id);
        let mut span = self.span(record, id, "execute_tool web_search".into(), (times.search, end.min(times.end)));
        span.span_kind = SpanKind::Client;
        span.attributes = vec![
            KeyValue::new(names::OPERATION, "execute_tool"),
            KeyValue::new(names::TOOL, "web_search"),
            KeyValue::new("banditop.search.provider", search.provider.clone()),
            KeyValue::new("banditop.search.found", i64::try_from(search.results.len()).unwrap_or(i64::MAX)),
            KeyValue::new("banditop.search.cited", i64::try_from(search.cited.len()).unwrap_or(i64::MAX)),
        ];
        span.attributes.extend(search.cost_usd.map(|dollars| KeyValue::new("banditop.cost_usd", dollars)));
        if let Some(failure) = &search.error {
            span.status = Status::error(format!("{} ({})", failure.class, failure.kind));
            span.attributes.push(KeyValue::new(names::ERROR_TYPE, failure.kind.to_string()));
        }
        if self.content {
            span.attributes.push(KeyValue::new("banditop.search.query", search.query.clone()));
        }
        span
    }

    fn local_judge(&self, record: &RunRecord, times: &Times) -> SpanData {
        let id = CallPlace { run: record.run_id, phase: Phase::Judge, nth: 0 }.span_id();
        let mut span = self.span(record, id, "evaluate local".into(), (times.judge, times.judged));
        span.attributes.push(KeyValue::new("banditop.phase", Phase::Judge.name()));
        judged(record, &mut span, times.judged);
        span
    }
}

/// The reward of the answer, where a late verdict changed it.
fn late_reward(record: &RunRecord) -> Option<f64> {
    record.policies.afterwards.as_ref()?;
    Some(record.rewards.get(record.winner.as_ref()?)?.total)
}

/// What is out of the ordinary about a call: retries, a start beside another, guardrail flags.
fn handled(call: &Call<'_>) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    if call.handling.times() > 0 {
        attributes.push(KeyValue::new("banditop.retries", i64::from(call.handling.times())));
    }
    if call.is_hedge {
        attributes.push(KeyValue::new("banditop.hedge", true));
    }
    if !call.flags.is_empty() {
        attributes.push(strings("banditop.flags", call.flags.iter().map(|flag| flag.name())));
    }
    attributes
}

fn output(text: &str) -> KeyValue {
    let messages = serde_json::json!([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]);
    KeyValue::new(names::OUTPUT_MESSAGES, messages.to_string())
}

/// Scores as evaluation events, one an arm and criterion.
fn judged(record: &RunRecord, span: &mut SpanData, at: SystemTime) {
    if let Some(judging) = &record.judging {
        span.attributes.push(KeyValue::new("banditop.judge.calls", i64::from(judging.calls)));
    }
    let Some(verdict) = &record.verdict else { return };
    span.attributes.push(KeyValue::new("banditop.judge.local_fallback", verdict.local_fallback));
    for (arm, scores) in &verdict.scores {
        let criteria = [
            ("overall", scores.overall),
            ("relevance", scores.relevance),
            ("coverage", scores.coverage),
            ("faithfulness", scores.faithfulness),
            ("hallucination_risk", scores.hallucination_risk),
        ];
        for (criterion, score) in criteria {
            let attributes = vec![
                KeyValue::new(names::EVALUATION_NAME, criterion),
                KeyValue::new(names::EVALUATION_SCORE, score),
                KeyValue::new("banditop.arm", arm.as_str().to_owned()),
            ];
            span.events.events.push(Event::new(names::EVALUATION, at, attributes, 0));
        }
    }
}

/// Context and arms, each as arrays of one length.
fn decision(record: &RunRecord) -> Vec<KeyValue> {
    let arms = &record.arms;
    let number = |key: &'static str, read: fn(&ArmScore) -> f64| {
        KeyValue::new(key, Value::Array(Array::F64(arms.iter().map(read).collect())))
    };
    let chosen = arms.iter().filter(|arm| arm.selected).map(|arm| arm.arm.as_str());
    vec![
        KeyValue::new(names::OPERATION, "invoke_workflow"),
        KeyValue::new(names::WORKFLOW, "banditop"),
        KeyValue::new("banditop.run.id", record.run_id.to_string()),
        KeyValue::new("banditop.strategy", record.strategy.name()),
        KeyValue::new("banditop.gate.decision", record.gate.decision.name()),
        KeyValue::new("banditop.gate.reason", record.gate.reason.clone()),
        KeyValue::new("banditop.intent", record.context.intent.name()),
        KeyValue::new("banditop.feature_version", record.context.feature_version.clone()),
        strings("banditop.context.names", record.context.names.iter().map(String::as_str)),
        KeyValue::new("banditop.context.x", Value::Array(Array::F64(record.context.x.clone()))),
        strings("banditop.arms", arms.iter().map(|arm| arm.arm.as_str())),
        number("banditop.arms.mean", |arm| arm.mean),
        number("banditop.arms.uncertainty", |arm| arm.uncertainty),
        number("banditop.arms.score", |arm| arm.score),
        number("banditop.arms.propensity", |arm| arm.propensity),
        strings("banditop.arms.selected", chosen),
        strings("banditop.order", record.order.iter().map(ArmId::as_str)),
    ]
}

fn outcome(record: &RunRecord) -> Vec<KeyValue> {
    let outcome = match record.outcome {
        RunOutcome::Served => "served",
        RunOutcome::Failed { .. } => "failed",
        RunOutcome::Cancelled => "cancelled",
    };
    let rewards = record.rewards.values().map(|reward| reward.total).collect();
    let mut attributes = vec![
        KeyValue::new("banditop.outcome", outcome),
        KeyValue::new("banditop.fallbacks", i64::from(record.fallbacks)),
        KeyValue::new("banditop.retries", i64::from(record.retries())),
        KeyValue::new("banditop.cost_usd", record.cost_usd),
        strings("banditop.rewards.arms", record.rewards.keys().map(ArmId::as_str)),
        KeyValue::new("banditop.rewards.total", Value::Array(Array::F64(rewards))),
    ];
    if let Some(winner) = &record.winner {
        attributes.push(KeyValue::new("banditop.winner", winner.as_str().to_owned()));
        if let Some(reward) = record.rewards.get(winner) {
            attributes.push(KeyValue::new("banditop.reward", reward.total));
            let terms = reward.terms.iter();
            attributes.extend(terms.map(|(name, term)| KeyValue::new(format!("banditop.reward.{name}"), term.value)));
        }
    }
    attributes
}

fn strings<'a>(key: &'static str, values: impl Iterator<Item = &'a str>) -> KeyValue {
    KeyValue::new(key, Value::Array(Array::String(values.map(|value| StringValue::from(value.to_owned())).collect())))
}
