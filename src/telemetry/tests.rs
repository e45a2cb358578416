//! A run to look at, and what is made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::chat::ChatRequest;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::context::Intent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::handling::Handling;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::judging::{Scores, Verdict};
use crate::domain::observer::{Observer, RecordPrompts};
use crate::domain::record::{
    ArmScore, AttemptRecord, ContextRecord, Gate, GateDecision, JudgingRecord, Origin, Policies, PreviewRecord,
    RewardRecord, RunOutcome, RunRecord, Timings,
};
use crate::domain::slo::{Indicator, SloSpec};
use crate::domain::spec::Strategy;
use crate::domain::terms::TermValue;

/// When the run began.
pub(super) const AT: Timestamp = Timestamp::from_millis(1_795_305_600_000);
/// What was asked: it must not be found where it is not wanted.
pub(super) const SECRET_PROMPT: &str = "the canary sings at noon";

fn preview(arm: &str) -> PreviewRecord {
    PreviewRecord {
        arm: ArmId::new(arm),
        latency_s: 0.5,
        ttft_s: Some(0.125),
        tokens: 10,
        tokens_in: 8,
        estimated: false,
        cost_usd: Some(0.0001),
        cached: false,
        flags: Vec::new(),
        text: format!("{SECRET_PROMPT}, says {arm}"),
        error: None,
        handling: Handling::default(),
    }
}

fn attempt(arm: &str, error: Option<Failure>) -> AttemptRecord {
    AttemptRecord {
        arm: ArmId::new(arm),
        ok: error.is_none(),
        error,
        started_s: None,
        latency_s: 1.0,
        ttft_s: Some(0.25),
        tokens_in: 8,
        tokens_out: 50,
        estimated: false,
        cost_usd: Some(0.001),
        lost: false,
        hedge: false,
        flags: Vec::new(),
        handling: Handling::default(),
    }
}

/// A race of two arms that `swift` answered, in two seconds.
pub(super) fn record(number: u64) -> RunRecord {
    let score = |arm: &str, mean| ArmScore {
        arm: ArmId::new(arm),
        mean,
        uncertainty: 0.05,
        score: mean + 0.05,
        propensity: 0.75,
        selected: true,
    };
    let scores =
        |overall| Scores { relevance: 0.9, coverage: 0.8, faithfulness: 0.7, hallucination_risk: 0.1, overall };
    let quality = TermValue { value: 0.75, weight: 1.0, contribution: 0.75 };
    let reward = |total| RewardRecord { total, terms: BTreeMap::from([("quality".into(), quality)]), penalty: 0.0 };
    RunRecord {
        run_id: RunId::new(AT.plus(Duration::from_secs(number)), 0xfeed_0000 + number),
        at: AT.plus(Duration::from_secs(number)),
        origin: Origin::Traffic,
        request: ChatRequest::from_prompt(SECRET_PROMPT),
        strategy: Strategy::Race,
        gate: Gate::new(GateDecision::Bandit, "linucb chose 2 of 2 arms".into()),
        context: ContextRecord {
            names: vec!["bias".into(), "length".into()],
            x: vec![1.0, 0.25],
            intent: Intent::Coding,
            feature_version: "0123".into(),
            signals: BTreeMap::new(),
            degraded: None,
        },
        arms: vec![score("swift", 0.7), score("penny", 0.6)],
        previews: vec![preview("swift"), preview("penny")],
        verdict: Some(Verdict {
            judge: "sage".into(),
            local_fallback: false,
            scores: BTreeMap::from([(ArmId::new("swift"), scores(0.75)), (ArmId::new("penny"), scores(0.5))]),
            reason: None,
        }),
        ordering: None,
        judging: Some(JudgingRecord {
            calls: 2,
            tokens_in: 200,
            tokens_out: 40,
            cost_usd: 0.0005,
            ..JudgingRecord::default()
        }),
        order: vec![ArmId::new("swift"), ArmId::new("penny")],
        attempts: vec![attempt("swift", None)],
        rewards: BTreeMap::from([(ArmId::new("swift"), reward(0.75)), (ArmId::new("penny"), reward(0.5))]),
        winner: Some(ArmId::new("swift")),
        answer: Some(format!("{SECRET_PROMPT}, indeed")),
        fallbacks: 0,
        cost_usd: 0.0017,
        timings_s: Timings { features: 0.001, search: 0.0, previews: 0.5, judge: 0.4, full: 1.0, total: 2.0 },
        outcome: RunOutcome::Served,
        rating: None,
        clamped: 0,
        policies: Policies::default(),
    }
}

/// The same, where the first attempt failed and the second was served.
pub(super) fn fallen_back(number: u64) -> RunRecord {
    let failure = Failure::new(FailureClass::Transient, "http_503", format!("overloaded: {SECRET_PROMPT}"));
    RunRecord {
        attempts: vec![attempt("swift", Some(failure)), attempt("penny", None)],
        winner: Some(ArmId::new("penny")),
        fallbacks: 1,
        timings_s: Timings { full: 2.0, total: 3.0, ..record(number).timings_s },
        ..record(number)
    }
}

/// Two clocks that a test turns.
#[derive(Default)]
struct Turned {
    wall_ms: AtomicU64,
    steady_ms: AtomicU64,
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.steady_ms.load(Ordering::SeqCst))
    }
}

impl Turned {
    fn pass(&self, steady: u64, wall: i64) {
        self.steady_ms.fetch_add(steady, Ordering::SeqCst);
        self.wall_ms.store(self.wall_ms.load(Ordering::SeqCst).saturating_add_signed(wall), Ordering::SeqCst);
    }
}

#[test]
fn a_clock_that_jumps_is_told_and_moves_no_window() {
    let clock = Arc::new(Turned { wall_ms: AT.millis().into(), ..Turned::default() });
    let slo = SloSpec {
        name: "first".into(),
        indicator: Indicator::FirstTryRate,
        limit: 0.5,
        window: Duration::from_mins(10),
        alarm_burn: 1.5,
    };
    let hub = super::Telemetry::start(super::TelemetryParts {
        clock: clock.clone(),
        slos: vec![slo],
        prompts: RecordPrompts::Off,
        log: None,
        sinks: super::Sinks::default(),
        otel: None,
        judge: None,
        webhook: None,
    });
    let subjects =
        |hub: &super::Telemetry| -> Vec<String> { hub.conditions().into_iter().map(|c| c.subject).collect() };
    assert!(subjects(&hub).is_empty());
    for n in 0..30 {
        hub.finished(&Arc::new(fallen_back(n)));
    }
    clock.pass(1_000, 1_000);
    assert_eq!(subjects(&hub), ["slo:first"]);
    // An hour forth, a day back: the objective stands where it stood.
    for wall in [3_600_000, -86_400_000] {
        clock.pass(1_000, wall);
        assert_eq!(subjects(&hub), ["slo:first", "clock"]);
        assert_eq!(hub.objectives()[0].found, Some(0.0));
    }
    let message = hub.conditions().pop().unwrap().message;
    assert!(message.contains("-86401 s"), "{message}");
    // Five minutes of steady time later the word about it is gone.
    clock.pass(300_000, 300_000);
    assert!(!subjects(&hub).contains(&"clock".to_owned()));
}
