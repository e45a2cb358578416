//! What the arms' own signals are worth as a part of the context: whole scenarios on simulated models, with
//! their slowdowns, outages and worse answers, learned with and without them from the same prompts.
//!
//! `cargo test --release --lib own_signals -- --ignored --nocapture` prints the table. As measured over ten seeds of
//! four scenarios they change the reward of a race of three by 0.0006 at most, either way, and with one arm asked
//! they cost 0.001 ± 0.003 of it: nothing is gained here, which is why they are off by default.

use std::collections::{BTreeMap, VecDeque};

use super::learning::{apply, pool};
use super::tests::{ARMS, call, graded, scenario, suite};
use super::*;
use crate::bandit::{Contexts, Desk, RouterState, router};
use crate::domain::clock::{ManualClock, Timestamp};
use crate::domain::command::{AnswerOutcome, ArmObservation, Observation, RouterCommand};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::spec::RouterKind;
use crate::features::{FeatureExtractor, LengthFeatures, WithSignals, signal_values};
use crate::reward::{CandidateStats, QualityLatencyCostPolicy, References, RewardPolicy};

/// What is known about the health of one arm, as the race folds it.
#[derive(Default)]
struct Health {
    seconds: VecDeque<f64>,
    failed: VecDeque<bool>,
    risk: Option<f64>,
}

impl Health {
    fn called(&mut self, seconds: Option<f64>) {
        if let Some(seconds) = seconds {
            self.seconds.push_back(seconds);
            self.seconds.drain(..self.seconds.len().saturating_sub(112));
        }
        self.failed.push_back(seconds.is_none());
        self.failed.drain(..self.failed.len().saturating_sub(64));
    }

    fn p95(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.seconds.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get((sorted.len() * 95).div_ceil(100).max(1) - 1).copied()
    }

    fn error_rate(&self) -> f64 {
        self.failed.iter().filter(|failed| **failed).count() as f64 / self.failed.len().max(1) as f64
    }
}

/// Mean true quality and mean reward of what was served; a run that nobody answered is worth 0.
fn play(name: &str, seed: u64, k: usize, runs: u32, has_signals: bool) -> [f64; 2] {
    let mut spec = scenario(name);
    for model in spec.models.iter_mut().filter(|model| model.name == "referee") {
        model.failures = super::super::scenario::FailureRates::default();
        model.judging.broken = 0.0;
    }
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let prompts = suite();
    let world = World::new(spec, &prompts, seed, clock.clone());
    let plain = LengthFeatures::new(4000);
    let features: Arc<dyn FeatureExtractor> =
        if has_signals { Arc::new(WithSignals::new(Arc::new(plain))) } else { Arc::new(plain) };
    let mut state = pool(features.as_ref());
    let (mut desk, mut rng) = (Desk::default(), Rng::with_seed(seed));
    let mut choices = Rng::with_seed(seed + 99);
    let mut health: BTreeMap<ArmId, Health> = BTreeMap::new();
    let mut sums = [0.0; 2];
    for _ in 0..runs {
        clock.advance(Duration::from_millis(200));
        let prompt = rng.choice(&prompts).unwrap();
        let found = race(&world, &mut state, features.as_ref(), &mut health, prompt, k, &mut desk, &mut choices);
        sums = [sums[0] + found[0], sums[1] + found[1]];
    }
    sums.map(|sum| sum / f64::from(runs))
}

#[allow(clippy::too_many_arguments, reason = "a test")]
fn race(
    world: &World,
    state: &mut RouterState,
    features: &dyn FeatureExtractor,
    health: &mut BTreeMap<ArmId, Health>,
    prompt: &Prompt,
    k: usize,
    desk: &mut Desk,
    choices: &mut Rng,
) -> [f64; 2] {
    let context = features.compute(&ChatRequest::from_prompt(&prompt.prompt));
    let length = context.x[1];
    let policy = QualityLatencyCostPolicy::new(References::default());
    let candidates = state.candidates();
    let own = |arm: &ArmId| {
        let known = health.get(arm);
        let p95 = known.and_then(Health::p95);
        signal_values(p95, known.map(Health::error_rate), known.and_then(|h| h.risk), length).to_vec()
    };
    let width = context.x.len() - context.shared().len();
    let signals: BTreeMap<ArmId, Vec<f64>> =
        candidates.iter().filter(|_| width > 0).map(|arm| (arm.clone(), own(arm))).collect();
    let flat: Vec<f64> = signals_in_order(&candidates, &signals);
    let contexts = Contexts::with_signals(context.shared(), &flat);
    router(RouterKind::Linucb).select_on(desk, state, contexts, &candidates, k, &mut || choices.f64());
    let chosen: Vec<ArmId> = desk.selection.scores.iter().filter(|s| s.selected).map(|s| s.arm.clone()).collect();
    let mut scripts: Vec<(ArmId, Script)> = Vec::new();
    for arm in chosen {
        let script = world.script(&call(arm.as_str(), &prompt.prompt, Some(64))).ok();
        let script = script.filter(|s| s.breaks.is_none() && !s.refusal && !s.text.is_empty());
        let seconds = script.as_ref().map(|s| s.first_token_s + s.talking_s());
        health.entry(arm.clone()).or_default().called(seconds);
        scripts.extend(script.map(|script| (arm, script)));
    }
    if scripts.is_empty() {
        return [0.0; 2];
    }
    let previews: Vec<(&str, String)> =
        scripts.iter().map(|(arm, s)| (arm.as_str(), s.text_of(0, s.tokens()).to_owned())).collect();
    let scores = graded(world, &prompt.prompt, &previews);
    let best = scores.iter().map(|s| s.overall).fold(0.0, f64::max);
    let winner = scores.iter().position(|s| s.overall >= best).unwrap();
    let mut arms = Vec::new();
    let mut reward = 0.0;
    for (at, ((arm, script), score)) in scripts.iter().zip(&scores).enumerate() {
        let known = health.get_mut(arm).unwrap();
        known.risk = Some(known.risk.map_or(score.hallucination_risk, |m| m + (score.hallucination_risk - m) / 32.0));
        let latency_s = script.first_token_s + script.talking_s();
        let dollars = script.bill().cost_usd;
        let p95_s = known.p95();
        let measured = CandidateStats {
            p95_s,
            latency_s,
            cost_usd: Some(dollars),
            length_norm: length,
            ..CandidateStats::default()
        };
        let terms = policy.preview_terms(&measured).terms;
        let is_winner = at == winner;
        if is_winner {
            let quality = world.expected_quality(arm.as_str(), prompt.intent).unwrap();
            reward = 0.7 * quality + 0.2 * terms.latency + 0.1 * terms.cost;
        }
        arms.push(ArmObservation {
            arm: arm.clone(),
            signals: signals.get(arm).cloned().unwrap_or_default(),
            quality: Some(score.overall),
            preview: Some(terms),
            answer: is_winner.then_some(AnswerOutcome { dollars, fallback: 0.0 }),
            trial: scripts.len() > 1,
            win: is_winner,
            served: is_winner,
        });
    }
    let run = TimeId::new(Timestamp::from_millis(state.sequence()), choices.u64(..));
    let x = context.shared().to_vec();
    apply(state, RouterCommand::Observe(Observation { spent_usd: None, run, x, arms }));
    [world.expected_quality(scripts[winner].0.as_str(), prompt.intent).unwrap(), reward]
}

fn signals_in_order(candidates: &[ArmId], signals: &BTreeMap<ArmId, Vec<f64>>) -> Vec<f64> {
    candidates.iter().filter_map(|arm| signals.get(arm)).flatten().copied().collect()
}

/// Mean difference of reward and of quality, with minus without, and the standard error of the first.
fn difference(name: &str, k: usize, runs: u32, seeds: u64) -> [f64; 5] {
    let pairs: Vec<[[f64; 2]; 2]> =
        (0..seeds).map(|seed| [false, true].map(|has_signals| play(name, seed, k, runs, has_signals))).collect();
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&[[f64; 2]; 2]) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let gain = mean(&|p| p[1][1] - p[0][1]);
    let variance = mean(&|p| (p[1][1] - p[0][1] - gain).powi(2));
    [mean(&|p| p[0][1]), mean(&|p| p[0][0]), gain, mean(&|p| p[1][0] - p[0][0]), (variance / (n - 1.0).max(1.0)).sqrt()]
}

#[test]
fn signals_cost_next_to_nothing_where_they_tell_nothing() {
    assert_eq!(ARMS.len(), 6);
    let [_, _, gain, ..] = difference("default", 3, 200, 6);
    assert!(gain > -0.01, "{gain}");
}

#[test]
#[ignore = "prints a table, takes minutes in a debug build"]
fn own_signals_table() {
    for name in ["default", "drift", "outage", "price-cut"] {
        for k in [1, 2, 3] {
            for runs in [600, 3_000] {
                let [reward, quality, gain, better, error] = difference(name, k, runs, 10);
                println!(
                    "{name:9} k {k} {runs:4} runs: reward {reward:.4}, quality {quality:.4} without; with {gain:+.4} ± {error:.4}, quality {better:+.4}"
                );
            }
        }
    }
}
