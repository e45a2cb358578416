//! What must hold of every row, whatever an endpoint did, from what the program said, what it logged, and what
//! the endpoints themselves saw: one end of each phase and run; no request longer than its phase's deadline, or
//! than what ended it; ceilings; one update per run and arm; no key anywhere.
//!
//! Bounds of wall-clock time are widened by what the machine withheld (see [`Withheld`](super::server::Withheld)):
//! on an idle machine by nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use banditop::domain::command::{LogEntry, RouterCommand};
use banditop::domain::event::RunEvent;
use banditop::domain::failure::Failure;
use banditop::domain::handling::{Deadlines, Handling};
use banditop::domain::money::estimate_tokens;
use banditop::domain::record::{RunOutcome, RunRecord};
use banditop::domain::tally::Phase;
use banditop::race::RaceConfig;
use tokio::time::Instant;

use super::rig::KEY;
use super::server::{Call, Part};
use super::table::GRACE;

/// Tokens of the longest chunk that a row's endpoint sends within a ceiling's reach.
const CHUNK_TOKENS: u64 = 250;
/// What `tests/common/scripted.rs` prices a token at, at most.
const USD_PER_TOKEN: f64 = 2e-6;

/// One run as its caller saw it.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) events: Vec<(Instant, RunEvent)>,
    /// When its caller went away, where it did.
    pub(crate) left: Option<Instant>,
}

/// An endpoint: whose it is, and what it saw.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) calls: Vec<Call>,
}

/// Everything that a row left.
pub(crate) struct Seen<'a> {
    pub(crate) config: &'a RaceConfig,
    pub(crate) runs: &'a [Heard],
    pub(crate) log: &'a [LogEntry],
    pub(crate) endpoints: &'a [Endpoint],
    /// Screens, snapshots, exports, log lines.
    pub(crate) texts: &'a [String],
    /// When the engine had stopped.
    pub(crate) stopped: Instant,
    pub(crate) withheld: Duration,
}

impl Heard {
    pub(crate) fn record(&self) -> Option<&RunRecord> {
        self.events.iter().find_map(|(_, event)| match event {
            RunEvent::Finished { record } => Some(record.as_ref()),
            _ => None,
        })
    }

    fn count(&self, wanted: impl Fn(&RunEvent) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }

    fn began(&self) -> Option<Instant> {
        self.events.first().map(|(at, _)| *at)
    }

    /// When a phase was over for an arm, or for all; the end of the run where nobody said.
    fn ended(&self, part: Part, arm: &str) -> Option<Instant> {
        let end = |event: &RunEvent| match (part, event) {
            (Part::Preview, RunEvent::PreviewDone { preview }) => preview.arm.as_str() == arm,
            (Part::Full, RunEvent::AttemptDone { attempt }) => attempt.arm.as_str() == arm,
            (Part::Judge, RunEvent::Judged { .. }) | (_, RunEvent::Finished { .. }) => true,
            _ => false,
        };
        self.events.iter().find(|(_, event)| end(event)).map(|(at, _)| *at).or(self.left)
    }

    /// How the calls of a phase were dealt with, and whether a token of theirs came: reasoning is one, and no
    /// first token of an answer.
    fn handling(&self, part: Part, arm: &str) -> Option<(&Handling, bool)> {
        let record = self.record()?;
        let thought = |error: Option<&Failure>| {
            error.is_some_and(|failure| ["phase_timeout", "reasoning_only"].contains(&failure.kind.as_ref()))
        };
        let has = |ttft: Option<f64>, error: Option<&Failure>| ttft.is_some() || thought(error);
        match part {
            Part::Preview => record
                .previews
                .iter()
                .find(|p| p.arm.as_str() == arm)
                .map(|p| (&p.handling, has(p.ttft_s, p.error.as_ref()))),
            Part::Full => record
                .attempts
                .iter()
                .find(|a| a.arm.as_str() == arm)
                .map(|a| (&a.handling, has(a.ttft_s, a.error.as_ref()))),
            Part::Judge => record.judging.as_ref().map(|j| (&j.handling, has(j.ttft_s, j.error.as_ref()))),
            Part::Embedding | Part::Unread => None,
        }
    }

    fn one_end_of_each_phase(&self) {
        let ends = self.count(|event| matches!(event, RunEvent::Finished { .. }));
        assert_eq!(ends, usize::from(self.left.is_none()), "one end of the run, where anybody waits for it");
        let judging = self.count(|event| matches!(event, RunEvent::Judging { .. }));
        let judged = self.count(|event| matches!(event, RunEvent::Judged { .. }));
        assert!(judging <= 1 && judged <= judging, "one verdict, and only where it was asked for");
        let Some(record) = self.record() else { return };
        assert!(judged == judging || record.outcome == RunOutcome::Cancelled, "one end of judging");
        for preview in &record.previews {
            let ends = self.count(|e| matches!(e, RunEvent::PreviewDone { preview: done } if done.arm == preview.arm));
            assert_eq!(ends, 1, "one end of the preview of {}", preview.arm);
        }
        let ends = self.count(|event| matches!(event, RunEvent::PreviewDone { .. }));
        assert_eq!(ends, record.previews.len(), "no end of a preview that is not on record");
        let began = self.count(|e| matches!(e, RunEvent::AttemptStarted { .. } | RunEvent::HedgeStarted { .. }));
        let ended = self.count(|event| matches!(event, RunEvent::AttemptDone { .. }));
        assert!(began >= ended && ended == record.attempts.len(), "{began} attempts began, {ended} ended");
        let wanted = self.events.iter().find_map(|(_, event)| match event {
            RunEvent::Selected { preview_tokens, .. } => Some(*preview_tokens as usize),
            _ => None,
        });
        let longest = record.previews.iter().map(|preview| preview.text.len()).max().unwrap_or(0);
        assert!(longest <= wanted.map_or(0, |tokens| (tokens * 12).max(256)), "a preview of {longest} bytes");
    }

    /// What was heard is counted, and what was counted is under the ceilings, but for one chunk.
    fn ceilings(&self, config: &RaceConfig) {
        let Some(record) = self.record() else { return };
        let tokens = |input: u32, output: u32| u64::from(input) + u64::from(output);
        let judging = record.judging.as_ref();
        let taken = [
            record.previews.iter().filter(|p| !p.cached).map(|p| tokens(p.tokens_in, p.tokens)).sum::<u64>(),
            judging.map_or(0, |j| tokens(j.tokens_in, j.tokens_out)),
            record.attempts.iter().map(|a| tokens(a.tokens_in, a.tokens_out)).sum(),
        ];
        for ((phase, taken), most) in Phase::ALL.iter().zip(taken).zip(config.budget.tokens) {
            let most = most.expect("every row has a ceiling for every phase");
            assert!(taken <= most + CHUNK_TOKENS, "{taken} tokens of {most} for {phase:?}");
        }
        for most in [config.budget.run_usd, config.budget.day_usd] {
            let most = most.expect("every row has a ceiling of dollars");
            let most = (CHUNK_TOKENS as f64).mul_add(USD_PER_TOKEN, most);
            assert!(record.cost_usd <= most, "${} of ${most}", record.cost_usd);
        }
        let parts = record.previews.iter().filter_map(|p| p.cost_usd).sum::<f64>()
            + record.attempts.iter().filter_map(|a| a.cost_usd).sum::<f64>()
            + judging.map_or(0.0, |j| j.cost_usd);
        assert!(record.cost_usd >= parts - 1e-12, "${} of which ${parts} are on record", record.cost_usd);
        for attempt in record.attempts.iter().filter(|attempt| attempt.estimated) {
            let heard = self.text_of(attempt.arm.as_str());
            let least = estimate_tokens(&heard);
            assert!(attempt.tokens_out >= least, "{} of {least} tokens that were heard", attempt.tokens_out);
        }
        for preview in record.previews.iter().filter(|preview| preview.estimated) {
            let least = estimate_tokens(&preview.text);
            assert!(preview.tokens >= least, "{} of {least} tokens of a preview", preview.tokens);
        }
    }

    fn text_of(&self, name: &str) -> String {
        let of_it = self.events.iter().filter_map(|(_, event)| match event {
            RunEvent::AnswerText { arm, text } if arm.as_str() == name => Some(text.as_str()),
            _ => None,
        });
        of_it.collect()
    }
}

impl Seen<'_> {
    /// All of it.
    pub(crate) fn holds(&self) {
        for run in self.runs {
            run.one_end_of_each_phase();
            run.ceilings(self.config);
        }
        for endpoint in self.endpoints {
            self.nothing_outlives(endpoint);
            self.nothing_is_invented(endpoint);
        }
        self.one_update();
        for text in self.texts {
            assert!(!text.contains(KEY), "the key is shown in {text}");
        }
    }

    /// Each call ends with what ended its phase, and before its deadlines.
    fn nothing_outlives(&self, endpoint: &Endpoint) {
        let name = endpoint.name.as_str();
        let grace = GRACE + self.withheld;
        let mut groups: BTreeMap<(usize, Part), Vec<&Call>> = BTreeMap::new();
        for call in &endpoint.calls {
            let Some(over) = call.over else { panic!("{name}: a connection is open: {call:?}") };
            let part = call.part();
            assert!(call.more == 0 || part == Part::Unread, "{name}: {} bytes follow a request", call.more);
            let run = self.runs.iter().rposition(|run| run.began().is_some_and(|began| began <= call.at));
            let end = run.filter(|_| part != Part::Embedding).and_then(|run| self.runs[run].ended(part, name));
            let end = end.unwrap_or(self.stopped);
            let late = over.saturating_duration_since(end);
            assert!(late <= grace, "{name}: a connection ({part:?}) was open {late:?} after the end of its phase");
            groups.entry((run.unwrap_or(usize::MAX), part)).or_default().push(call);
        }
        for ((run, part), calls) in groups {
            let Some((handling, has_token)) = self.runs.get(run).and_then(|run| run.handling(part, name)) else {
                continue;
            };
            let Some(Deadlines { first_token_s, whole_s, .. }) = handling.deadlines else { continue };
            let lasted = |call: &Call| call.over.map_or(Duration::ZERO, |over| over - call.at);
            let first = calls.iter().map(|call| call.at).min();
            let last = calls.iter().filter_map(|call| call.over).max();
            let all = last.zip(first).map_or(Duration::ZERO, |(last, first)| last - first);
            let whole = Duration::from_secs_f64(whole_s) + grace;
            assert!(all <= whole, "{name}: {part:?} lasted {all:?} of {whole:?}");
            if !has_token {
                let most = Duration::from_secs_f64(first_token_s) + grace;
                let longest = calls.iter().map(|call| lasted(call)).max().unwrap_or_default();
                assert!(longest <= most, "{name}: {part:?} waited {longest:?} of {most:?} for a first token");
            }
        }
    }

    /// An endpoint that is an arm is called as often as the records say, and no token is counted that it cannot have
    /// sent: an estimate is no more than a token a byte, a prompt no more than was asked.
    fn nothing_is_invented(&self, endpoint: &Endpoint) {
        let sent: usize = endpoint.calls.iter().map(|call| call.sent.load(std::sync::atomic::Ordering::Relaxed)).sum();
        let records = self.runs.iter().filter_map(Heard::record);
        let counted: u64 = records
            .flat_map(|record| {
                let of = |arm: &str, estimated: bool| estimated && arm == endpoint.name;
                let previews = record.previews.iter().filter(move |p| of(p.arm.as_str(), p.estimated));
                let attempts = record.attempts.iter().filter(move |a| of(a.arm.as_str(), a.estimated));
                previews.map(|p| u64::from(p.tokens)).chain(attempts.map(|a| u64::from(a.tokens_out)))
            })
            .sum();
        assert!(counted <= sent as u64, "{}: {counted} tokens of {sent} bytes", endpoint.name);
    }

    fn one_update(&self) {
        let mut told = BTreeMap::new();
        for entry in self.log {
            if let RouterCommand::Observe(observation) = &entry.command {
                for arm in &observation.arms {
                    *told.entry((observation.run, arm.arm.clone())).or_insert(0) += 1;
                }
            }
        }
        assert!(told.values().all(|times| *times == 1), "one update per run and arm: {told:?}");
    }
}
