//! A rich picture of an engine with six arms, for the console's tests and for the drawing benchmark.
//! Every number is a formula of its index: the same at each call, and different enough between arms
//! that a column shown in the wrong place is seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;

use super::message::{Event, Step};
use super::model::{Identity, Model};
use super::settings::{Background, ColorDepth};
use super::theme::Theme;
use super::{update, views};
use crate::domain::action::KeyBindings;
use crate::domain::alarm::{Alarm, Severity};
use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, Durability, JournalEntry, RouterCommand};
use crate::domain::context::Intent;
use crate::domain::engine::{Forecast, WhatIf};
use crate::domain::event::RunEvent;
use crate::domain::ids::{ArmId, RunId, TimeId};
use crate::domain::judging::{Scores, Verdict};
use crate::domain::money::Price;
use crate::domain::ratio::Ratio;
use crate::domain::record::{
    ArmScore, AttemptRecord, ContextRecord, Gate, GateDecision, Origin, PreviewRecord, RewardRecord, RunOutcome,
    RunRecord, Timings,
};
use crate::domain::snapshot::{ArmRow, ArmSeries, EngineSnapshot, Mark, RunSummary, Series, StoreStatus, Totals};
use crate::domain::spec::{ArmSpec, Lifecycle, Mode, Provider, RouterKind, Strategy};
use crate::domain::terms::{Term, TermValue, Weights};

/// The moment of the picture: 2026-11-22 12:04:41 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_349_081_000);

/// Steps of the charts.
const STEPS: u32 = 120;

/// Name, model, state, share, change, mean, uncertainty, p95, errors, dollars, trials, wins.
type Arm = (&'static str, &'static str, Lifecycle, [f64; 7], u64, u64);

const ARMS: [Arm; 6] = [
    ("atlas-70b", "atlas-70b-instruct", Lifecycle::Active, [0.41, 0.022, 0.82, 0.04, 0.94, 0.001, 0.0012], 1243, 611),
    ("swift-8b", "swift-8b", Lifecycle::Active, [0.26, -0.041, 0.74, 0.03, 0.31, 0.0, 0.0002], 1190, 402),
    ("lumen-code", "lumen-code-34b", Lifecycle::Active, [0.22, 0.003, 0.78, 0.07, 1.2, 0.004, 0.0009], 702, 288),
    ("mini", "mini-3b", Lifecycle::Active, [0.10, 0.0, 0.63, 0.05, 0.18, 0.06, 0.00003], 980, 95),
    ("scribe", "scribe-13b", Lifecycle::Probation, [0.01, 0.011, 0.61, 0.14, 1.9, 0.02, 0.0031], 44, 9),
    ("orbit", "orbit-large", Lifecycle::Ejected, [0.0, -0.06, 0.70, 0.09, f64::NAN, 0.38, 0.0010], 300, 71),
];

fn id(n: u64) -> TimeId {
    TimeId::new(NOW.minus(Duration::from_secs(600 - n.min(600))), n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A wave in [-1, 1] that differs by arm.
fn wave(step: u32, arm: usize) -> f64 {
    (f64::from(step) / (7.0 + arm as f64) + arm as f64).sin()
}

fn arm_row(i: usize) -> ArmRow {
    let (name, model, state, [share, change, mean, uncertainty, p95, errors, dollars], trials, wins) = ARMS[i];
    let ejected = state == Lifecycle::Ejected;
    ArmRow {
        arm: ArmId::new(name),
        spec: ArmSpec {
            name: ArmId::new(name),
            provider: Provider::Simulated,
            base_url: String::new(),
            model: model.to_owned(),
            api_key_env: None,
            price: Some(Price { input: dollars * 100.0, output: dollars * 400.0 }),
            enabled: true,
        },
        state,
        state_reason: ejected.then(|| "503 ×9 in 20 s".to_owned()),
        until: ejected.then(|| NOW.plus(Duration::from_secs(40))),
        share: Ratio::new(share),
        share_delta: Some(change),
        preview_share: Ratio::new(share.midpoint(0.2)),
        mean: Some(mean),
        uncertainty: Some(uncertainty),
        p95_preview_s: Some(p95).filter(|p| p.is_finite()),
        mean_reward: Some(mean - 0.01),
        reward_history: (0..40).map(|s| reward_at(STEPS - 40 + s, i)).collect(),
        error_rate: Ratio::new(errors),
        cost_usd_per_run: Some(dollars),
        trials,
        wins,
        effective_n: trials as f64 * 0.8,
        served_by_intent: [trials / 5, wins / 2, trials / 9, wins / 9, trials / 20],
    }
}

fn reward_at(step: u32, arm: usize) -> Option<Ratio> {
    // The ejected arm has served nothing lately; the one on probation only now and then.
    let silent = (arm == 5 && step > 100) || (arm == 4 && step % 5 != 0);
    let mean = ARMS[arm].3[2];
    if silent { None } else { Ratio::new(mean + 0.04 * wave(step, arm)) }
}

fn share_at(step: u32, arm: usize) -> Option<Ratio> {
    let last = f64::from(step) / f64::from(STEPS);
    let start = 1.0 / 6.0;
    let end = ARMS[arm].3[0];
    let ejected = if arm == 5 { if step > 100 { 0.0 } else { 0.08 } } else { 0.0 };
    Ratio::new((start + (end - start) * last + ejected + 0.02 * wave(step, arm)).max(0.0))
}

fn series() -> Series {
    let column = |f: &dyn Fn(u32) -> Option<Ratio>| (0..STEPS).map(f).collect::<Vec<_>>();
    let fallback = |step: u32| match step {
        100..=108 => Ratio::new(0.12 + 0.04 * wave(step, 0)),
        _ => Ratio::new((0.02 + 0.02 * wave(step, 2)).max(0.0)),
    };
    Series {
        step_s: 5.0,
        end: NOW,
        arms: (0..ARMS.len())
            .map(|i| ArmSeries {
                arm: ArmId::new(ARMS[i].0),
                share: column(&|step| share_at(step, i)),
                reward: column(&|step| reward_at(step, i)),
            })
            .collect(),
        fallback_rate: column(&fallback),
        reward: column(&|step| reward_at(step, 0)),
        runs: (0..STEPS).map(|step| 50 + step % 20).collect(),
        marks: vec![
            Mark { at: NOW.minus(Duration::from_secs(100)), label: "orbit ejected".to_owned(), by_person: false },
            Mark { at: NOW.minus(Duration::from_secs(260)), label: "weights".to_owned(), by_person: true },
        ],
    }
}

/// The picture.
pub(crate) fn snapshot() -> EngineSnapshot {
    EngineSnapshot {
        revision: 7,
        at: NOW,
        sequence: 20_412,
        version: 1,
        feature_version: "1d0c5a7e33b09f42".to_owned(),
        d: 8,
        features: "length".to_owned(),
        router: RouterKind::Linucb,
        strategy: Strategy::Race,
        mode: Mode::default(),
        k: 3,
        alpha: 0.6,
        explore_share: 0.08,
        weights: Weights::default(),
        budget_per_request_usd: Some(0.003),
        arms: (0..ARMS.len()).map(arm_row).collect(),
        totals: totals(),
        series: Arc::new(series()),
        alarms: alarms(),
        store: StoreStatus { kind: "sled".to_owned(), durability: Durability::Durable, notice: None },
        recent_runs: (0..12).map(run_summary).collect(),
        journal: vec![JournalEntry {
            sequence: 20_388,
            id: id(9),
            at: NOW.minus(Duration::from_secs(260)),
            actor: Actor::Person("ann".to_owned()),
            command: RouterCommand::SetWeights { weights: Weights::default() },
            before: "q.60 l.30 c.10".to_owned(),
            after: "q.70 l.20 c.10".to_owned(),
            undone_by: None,
        }],
    }
}

fn totals() -> Totals {
    Totals {
        runs: 20_377,
        served: 20_360,
        failed: 11,
        cancelled: 6,
        in_flight: 4,
        runs_per_s: Some(12.3),
        first_try: Ratio::new(0.941),
        fallback_rate: Ratio::new(0.032),
        explore_rate: Ratio::new(0.08),
        p50_s: Some(0.83),
        p95_s: Some(2.4),
        p99_s: Some(4.1),
        usd_per_run: Some(0.0021),
        usd_today: 4.12,
        usd_total: 42.7,
        window_runs: 3_690,
        window_s: 300.0,
        dropped_events: 0,
        clamped: 0,
    }
}

fn alarms() -> Vec<Alarm> {
    let alarm = |seconds, severity, arm: &str, message: &str, remedy: &str| Alarm {
        subject: format!("{arm}:{seconds}"),
        severity,
        at: NOW.minus(Duration::from_secs(seconds)),
        arm: Some(ArmId::new(arm)),
        message: message.to_owned(),
        remedy: Some(remedy.to_owned()),
    };
    vec![
        alarm(
            10,
            Severity::Critical,
            "orbit",
            "orbit ejected: 503 ×9 in 20 s; probe in 40 s",
            "x switches it off for good",
        ),
        alarm(
            95,
            Severity::Warning,
            "mini",
            "mini: 6.0% of its calls fail (5% is the limit)",
            "r after the endpoint is mended",
        ),
    ]
}

fn run_summary(n: u64) -> RunSummary {
    let prompts = [
        "write a function that merges two sorted lists without copying",
        "how many weighings find the odd coin among twelve?",
        "summarise the attached minutes in three sentences",
        "a polite reminder for an unpaid invoice",
    ];
    let arm = usize::try_from(n % 4).unwrap_or(0);
    let failed = n == 7;
    RunSummary {
        run: id(n),
        at: NOW.minus(Duration::from_millis(n * 830)),
        origin: if n == 2 { Origin::Person } else { Origin::Traffic },
        prompt: prompts[arm].to_owned(),
        intent: Intent::ALL[usize::try_from(n % 5).unwrap_or(0)],
        decision: if n == 5 { GateDecision::Explore } else { GateDecision::Bandit },
        winner: (!failed).then(|| ArmId::new(ARMS[arm].0)),
        reward: if failed { None } else { Ratio::new(0.82 - 0.03 * arm as f64) },
        fallbacks: u32::from(n == 3),
        total_s: 0.8 + 0.3 * arm as f64,
        cost_usd: ARMS[arm].3[6] * 2.0,
        failure: failed.then(|| "every arm timed out before its first token".to_owned()),
    }
}

/// What a change would do.
pub(crate) fn what_if() -> WhatIf {
    let shares = |shift: f64| {
        let moved = |i: usize, share: f64| match i {
            0 => share - shift,
            1 => share + shift,
            _ => share,
        };
        (0..5).map(|i| (ArmId::new(ARMS[i].0), moved(i, ARMS[i].3[0]))).collect()
    };
    WhatIf {
        contexts: 500,
        now: Forecast { share: shares(0.0), reward: Some(0.772), usd_per_run: Some(0.0021), p95_s: Some(0.92) },
        then: Forecast { share: shares(0.11), reward: Some(0.751), usd_per_run: Some(0.0016), p95_s: Some(0.71) },
        victims: vec![ArmId::new("mini")],
    }
}

fn score(i: usize, selected: bool) -> ArmScore {
    let [_, _, mean, uncertainty, ..] = ARMS[i].3;
    let propensity = if selected { 0.92 } else { 0.08 };
    ArmScore { arm: ArmId::new(ARMS[i].0), mean, uncertainty, score: mean + 0.6 * uncertainty, propensity, selected }
}

const PREVIEWS: [&str; 3] = [
    "Walk both lists with one index each and always take the smaller head; when one list is empty, the rest of the other follows.",
    "Use sorted(a + b). It is short and fast enough.",
    "fn merge<T: Ord>(a: Vec<T>, b: Vec<T>) -> impl Iterator<Item = T> peeks at both iterators and yields the smaller, so nothing is copied.",
];

const ANSWER: &str = "Peek at both lists and always yield the smaller head:\n\nfn merge<T: Ord>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>) -> impl Iterator<Item = T> {\n    let (mut a, mut b) = (a.peekable(), b.peekable());\n    std::iter::from_fn(move || match (a.peek(), b.peek()) {\n        (Some(x), Some(y)) if x <= y => a.next(),\n        (_, Some(_)) => b.next(),\n        _ => a.next(),\n    })\n}\n\nNothing is copied: elements move out of their lists one at a time, and the merge is stable because ties prefer the first list.";

fn gate() -> Gate {
    Gate {
        decision: GateDecision::Bandit, reason: "3 of 5 candidates for the best expected answer, α 0.60".to_owned()
    }
}

/// The run of the Race screen.
pub(crate) fn run_id() -> RunId {
    id(77)
}

/// The events of a race of three arms whose third wins, without the end.
pub(crate) fn race_events() -> Vec<RunEvent> {
    let arm = |i: usize| ArmId::new(ARMS[i].0);
    let mut events = vec![RunEvent::Selected {
        run: run_id(),
        strategy: Strategy::Race,
        gate: gate(),
        context: ContextRecord::default(),
        arms: (0..5).map(|i| score(i, i < 3)).collect(),
        preview_tokens: 64,
    }];
    for (i, text) in PREVIEWS.iter().enumerate() {
        let (head, tail) = text.split_at(20);
        let elapsed_s = 0.2 + 0.1 * i as f64;
        events.push(RunEvent::PreviewText { arm: arm(i), text: head.to_owned(), tokens: 5, elapsed_s });
        events.push(RunEvent::PreviewText {
            arm: arm(i),
            text: tail.to_owned(),
            tokens: 31,
            elapsed_s: elapsed_s * 3.0,
        });
    }
    for i in 0..3 {
        events.push(RunEvent::PreviewDone { preview: preview(i) });
    }
    events.push(RunEvent::Judging { judge: "judge".to_owned() });
    events.push(RunEvent::Judged { verdict: verdict() });
    events.push(RunEvent::Ordered { order: vec![arm(2), arm(0), arm(1)] });
    events.push(RunEvent::AttemptStarted { arm: arm(2), index: 0 });
    events.push(RunEvent::AnswerText { arm: arm(2), text: ANSWER[..120].to_owned() });
    events
}

fn preview(i: usize) -> PreviewRecord {
    let lengths = [0.61, 0.32, 0.88];
    PreviewRecord {
        arm: ArmId::new(ARMS[i].0),
        latency_s: lengths[i],
        ttft_s: Some(lengths[i] / 3.0),
        tokens: [64, 22, 64][i],
        estimated: false,
        cost_usd: Some(ARMS[i].3[6] / 4.0),
        cached: false,
        text: PREVIEWS[i].to_owned(),
        error: None,
    }
}

fn verdict() -> Verdict {
    let scores = |overall: f64| Scores {
        relevance: overall + 0.04,
        coverage: overall - 0.06,
        faithfulness: overall + 0.02,
        hallucination_risk: 1.0 - overall,
        overall,
    };
    let by_arm = [0.78, 0.41, 0.86].iter().enumerate().map(|(i, overall)| (ArmId::new(ARMS[i].0), scores(*overall)));
    Verdict { judge: "judge".to_owned(), local_fallback: false, scores: by_arm.collect(), reason: None }
}

/// The record of that race.
pub(crate) fn record() -> RunRecord {
    let winner = ArmId::new(ARMS[2].0);
    let values = [0.86, 0.74, 0.52, 0.8, 0.6, 0.99];
    let weights = Weights::default();
    let terms: BTreeMap<String, TermValue> = Term::ALL
        .into_iter()
        .map(|term| {
            let (value, weight) = (values[term.index()], weights.get(term));
            (term.name().to_owned(), TermValue { value, weight, contribution: value * weight })
        })
        .collect();
    let total = terms.values().map(|term| term.contribution).sum();
    RunRecord {
        run_id: run_id(),
        at: NOW,
        origin: Origin::Person,
        request: ChatRequest::from_prompt("merge two sorted lists in Rust without copying"),
        strategy: Strategy::Race,
        gate: gate(),
        context: ContextRecord::default(),
        arms: (0..5).map(|i| score(i, i < 3)).collect(),
        previews: (0..3).map(preview).collect(),
        verdict: Some(verdict()),
        order: vec![winner.clone(), ArmId::new(ARMS[0].0), ArmId::new(ARMS[1].0)],
        attempts: vec![AttemptRecord {
            arm: winner.clone(),
            ok: true,
            error: None,
            latency_s: 1.4,
            ttft_s: Some(0.3),
            tokens_in: 18,
            tokens_out: 164,
            estimated: false,
            cost_usd: Some(0.0009),
            lost: false,
        }],
        rewards: BTreeMap::from([(winner.clone(), RewardRecord { total, terms, penalty: 0.0 })]),
        winner: Some(winner),
        answer: Some(ANSWER.to_owned()),
        fallbacks: 0,
        cost_usd: 0.0017,
        timings_s: Timings { features: 0.0003, previews: 0.88, judge: 0.34, full: 1.4, total: 2.62 },
        outcome: RunOutcome::Served,
        rating: None,
    }
}

/// A moment with its entropy.
pub(crate) fn step(n: u64) -> Step {
    Step { now: NOW.plus(Duration::from_millis(n)), entropy: n + 1 }
}

/// A console in front of `snapshot`.
pub(crate) fn model_of(snapshot: EngineSnapshot) -> Model {
    let identity = Identity {
        keys: KeyBindings::default(),
        operator: "ann".to_owned(),
        source: "DEMO seed 7".to_owned(),
        read_only: false,
        max_prompt_bytes: 10_000,
    };
    let traffic = crate::domain::traffic::TrafficStatus { on: true, rate_per_s: 12.0, sent: 20_000, held_back: 0 };
    Model::new(identity, Arc::new(snapshot), Some(traffic), step(0))
}

/// A console that has just opened.
pub(crate) fn model() -> Model {
    model_of(snapshot())
}

/// A frame of the Overview, for the benchmark.
pub struct Scene {
    model: Model,
    theme: Theme,
    tick: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self { model: model(), theme: Theme::new(ColorDepth::True, Background::Dark, false), tick: 0 }
    }
}

impl Scene {
    /// Draws the Overview into `buffer`, whose cells are blank.
    pub fn draw(&self, buffer: &mut Buffer) {
        views::draw(&self.model, &self.theme, buffer);
    }

    /// Lets time pass and the figures move, as a new snapshot would make them.
    pub fn advance(&mut self) {
        self.tick += 1;
        let mut next = snapshot();
        next.revision += self.tick;
        next.at = NOW.plus(Duration::from_millis(50 * self.tick));
        next.totals.runs_per_s = Some(12.0 + (self.tick % 10) as f64 / 10.0);
        for (i, arm) in next.arms.iter_mut().enumerate() {
            arm.trials += self.tick * (i as u64 + 1);
            arm.reward_history.rotate_left(1);
        }
        update::update(&mut self.model, Event::Snapshot(Arc::new(next)), step(50 * self.tick));
    }
}
