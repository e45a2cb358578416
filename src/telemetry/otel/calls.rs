//! The calls of a run, read off its record: what was called, when, and what came of it. Spans and metrics
//! are both made of these. Times follow from the record's start and the seconds by phase: previews start
//! together, attempts when the record says. No call reaches beyond its run, but for a judge that is asked afterwards.

use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;

use super::names;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::handling::Handling;
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, RunRecord};
use crate::domain::spec::{ArmSpec, Provider};
use crate::domain::tally::Phase;
use crate::domain::trace::CallPlace;

/// One call.
pub(super) struct Call<'a> {
    pub place: CallPlace,
    /// The arm, or the judge's name.
    pub who: &'a str,
    pub start: SystemTime,
    pub seconds: f64,
    pub first_s: Option<f64>,
    pub tokens: (u32, u32),
    /// Whether tokens are an estimate: then they are not reported.
    pub is_estimated: bool,
    pub cost_usd: Option<f64>,
    pub error: Option<&'a Failure>,
    /// Started beside another and cancelled as the loser: not an error.
    pub is_lost: bool,
    /// Started beside another.
    pub is_hedge: bool,
    pub flags: &'a [Flag],
    pub handling: &'a Handling,
    pub text: Option<&'a str>,
}

/// Where a phase starts and how long the run took.
pub(super) struct Times {
    pub start: SystemTime,
    pub search: SystemTime,
    pub previews: SystemTime,
    pub judge: SystemTime,
    pub judged: SystemTime,
    pub full: SystemTime,
    pub full_end: SystemTime,
    pub end: SystemTime,
}

impl Times {
    pub(super) fn of(record: &RunRecord) -> Self {
        let seconds = duration;
        let timings = &record.timings_s;
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(record.at.millis());
        let featured = start + seconds(timings.features);
        // A search comes before the first stage that is told of it.
        let is_first = record.policies.search.as_ref().is_some_and(|search| search.before_previews);
        let (before, after) = if is_first { (timings.search, 0.0) } else { (0.0, timings.search) };
        let previews = featured + seconds(before);
        let judge = previews + seconds(timings.previews);
        let judged = judge + seconds(timings.judge);
        let full = judged + seconds(after);
        Self {
            start,
            search: if is_first { featured } else { judged },
            previews,
            judge,
            judged,
            full,
            full_end: full + seconds(timings.full),
            end: start + seconds(timings.total),
        }
    }

    /// The latest start of what took `seconds` and ended within the run, where `start` is later.
    fn within(&self, start: SystemTime, seconds: f64) -> SystemTime {
        let latest = self.end.checked_sub(duration(seconds)).unwrap_or(self.start);
        start.min(latest).max(self.start)
    }
}

/// Every call that was made, in the order of the phases; of a run that was judged afterwards, and was told before,
/// the judge's alone.
pub(super) fn calls<'a>(record: &'a RunRecord, times: &Times) -> Vec<Call<'a>> {
    if let Some(late) = &record.policies.afterwards {
        return judge_call(record, times.end, late.seconds).into_iter().collect();
    }
    let place = |phase, nth| place(record, phase, nth);
    let mut calls = Vec::with_capacity(record.previews.len() + record.attempts.len() + 1);
    for (nth, preview) in record.previews.iter().enumerate().filter(|(_, preview)| !preview.cached) {
        calls.push(Call {
            place: place(Phase::Preview, nth),
            who: preview.arm.as_str(),
            start: times.within(times.previews, preview.latency_s),
            seconds: preview.latency_s,
            first_s: preview.ttft_s,
            tokens: (preview.tokens_in, preview.tokens),
            is_estimated: preview.estimated,
            cost_usd: preview.cost_usd,
            error: preview.error.as_ref(),
            is_lost: false,
            is_hedge: false,
            flags: &preview.flags,
            handling: &preview.handling,
            text: Some(&preview.text),
        });
    }
    calls.extend(judge_call(record, times.within(times.judge, record.timings_s.judge), record.timings_s.judge));
    let starts = starts(&record.attempts, times);
    for (nth, (attempt, start)) in record.attempts.iter().zip(starts).enumerate() {
        calls.push(Call {
            place: place(Phase::Answer, nth),
            who: attempt.arm.as_str(),
            start,
            seconds: attempt.latency_s,
            first_s: attempt.ttft_s,
            tokens: (attempt.tokens_in, attempt.tokens_out),
            is_estimated: attempt.estimated,
            cost_usd: attempt.cost_usd,
            error: attempt.error.as_ref(),
            is_lost: attempt.lost,
            is_hedge: attempt.hedge,
            flags: &attempt.flags,
            handling: &attempt.handling,
            text: record.answer.as_deref().filter(|_| attempt.ok && !attempt.lost),
        });
    }
    calls
}

fn place(record: &RunRecord, phase: Phase, nth: usize) -> CallPlace {
    CallPlace { run: record.run_id, phase, nth: u32::try_from(nth).unwrap_or(u32::MAX) }
}

/// The judge's, where it was asked.
fn judge_call(record: &RunRecord, start: SystemTime, seconds: f64) -> Option<Call<'_>> {
    let judging = record.judging.as_ref()?;
    Some(Call {
        place: place(record, Phase::Judge, 0),
        who: record.asked_judge(),
        start,
        seconds,
        first_s: judging.ttft_s,
        tokens: (judging.tokens_in, judging.tokens_out),
        is_estimated: false,
        // The record has 0 where there is no price: nothing is claimed then.
        cost_usd: Some(judging.cost_usd).filter(|usd| *usd > 0.0),
        error: judging.error.as_ref(),
        is_lost: false,
        is_hedge: false,
        flags: &[],
        handling: &judging.handling,
        text: None,
    })
}

/// When each attempt started. Records of earlier versions do not say: there one follows the other, but for those
/// that were started beside another; of these one was served or cancelled as the loser when the phase ended, and
/// the end tells the start.
fn starts(attempts: &[AttemptRecord], times: &Times) -> Vec<SystemTime> {
    let mut next = times.full;
    let start = |attempt: &AttemptRecord| {
        let took = duration(attempt.latency_s);
        let start = match attempt.started_s {
            Some(seconds) => times.full + duration(seconds),
            None if attempt.hedge && (attempt.ok || attempt.lost) => {
                times.full_end.checked_sub(took).unwrap_or(times.full).max(times.full)
            }
            None => next,
        };
        // One that ran beside another does not hold the next one up.
        if !attempt.lost && !attempt.hedge {
            next += took;
        }
        times.within(start, attempt.latency_s)
    };
    attempts.iter().map(start).collect()
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Call<'_> {
    /// What went wrong, where it is an error and not a cancellation.
    pub(super) fn fault(&self) -> Option<&Failure> {
        self.error.filter(|failure| failure.class != FailureClass::Cancelled && !self.is_lost)
    }

    /// Operation, provider, model and endpoint: what spans and metrics have in common. Bounded: models come
    /// from the configuration.
    pub(super) fn identity(&self, specs: &dyn Fn(&ArmId) -> Option<ArmSpec>) -> Vec<KeyValue> {
        let spec = specs(&ArmId::new(self.who));
        let model = spec.as_ref().map_or_else(|| self.who.to_owned(), |spec| spec.model.clone());
        let provider = spec.as_ref().map_or(COMPATIBLE, provider_name);
        let mut attributes = vec![
            KeyValue::new(names::OPERATION, "chat"),
            KeyValue::new(names::PROVIDER, provider),
            KeyValue::new(names::REQUEST_MODEL, model),
        ];
        if let Some((host, port)) = spec.as_ref().and_then(|spec| host_and_port(&spec.base_url)) {
            attributes.push(KeyValue::new(names::SERVER_ADDRESS, host));
            attributes.extend(port.map(|port| KeyValue::new(names::SERVER_PORT, i64::from(port))));
        }
        attributes.extend(self.fault().map(|failure| KeyValue::new(names::ERROR_TYPE, failure.kind.to_string())));
        attributes
    }
}

/// Whoever speaks that format and is not well known.
const COMPATIBLE: &str = "openai_compatible";
/// The names that the conventions have for well-known hosts.
const HOSTS: &[(&str, &str)] = &[
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure.ai.openai"),
    ("anthropic.com", "anthropic"),
    ("googleapis.com", "gcp.gemini"),
    ("mistral.ai", "mistral_ai"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("x.ai", "x_ai"),
    ("perplexity.ai", "perplexity"),
    ("cohere.com", "cohere"),
];

fn provider_name(spec: &ArmSpec) -> &'static str {
    match spec.provider {
        Provider::Simulated => return "banditop.simulated",
        Provider::Anthropic => return "anthropic",
        Provider::Openai => {}
    }
    let host = host_and_port(&spec.base_url).map(|(host, _)| host).unwrap_or_default();
    HOSTS.iter().find(|(known, _)| host.ends_with(known)).map_or(COMPATIBLE, |(_, name)| name)
}

/// Host and port of an address that the settings have checked.
fn host_and_port(url: &str) -> Option<(String, Option<u16>)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    (!host.is_empty()).then(|| (host.trim_matches(['[', ']']).to_owned(), port.or(Some(usual))))
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn addresses_have_host_and_port() {
        let rows = [
            ("https://api.openai.com/v1", Some(("api.openai.com", 443))),
            ("http://10.0.0.1:8000/v1", Some(("10.0.0.1", 8000))),
            ("http://[::1]:11434/v1", Some(("::1", 11434))),
            ("http://[::1]/v1", Some(("::1", 80))),
            ("", None),
        ];
        for (url, wanted) in rows {
            let found = host_and_port(url);
            let found = found.as_ref().map(|(host, port)| (host.as_str(), port.unwrap_or_default()));
            assert_eq!(found, wanted, "{url}");
        }
    }
}
