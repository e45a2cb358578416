//! Whether there is something to learn: the router on the default scenario, race by race but without the
//! network and without waiting. Within the two minutes that a person is ready to watch (600 runs at five
//! a second) answers must come from the arm that is truly best at that kind of prompt.

use super::tests::{ARMS, call, judged, suite, world};
use super::*;
use crate::bandit::{RouterConfig, RouterState, router};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, AnswerOutcome, ArmObservation, LogEntry, Observation, RouterCommand};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::spec::{ArmSpec, Provider, RouterKind};
use crate::domain::terms::Weights;
use crate::features::{FeatureExtractor, LengthFeatures};
use crate::reward::{CandidateStats, QualityLatencyCostPolicy, References, RewardPolicy};

const K: usize = 3;

pub(super) fn apply(state: &mut RouterState, command: RouterCommand) {
    let sequence = state.sequence() + 1;
    let at = Timestamp::from_millis(sequence);
    let command = state.prepare(command).unwrap();
    state.apply(&LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command });
}

pub(super) fn pool(features: &dyn FeatureExtractor) -> RouterState {
    let schema = features.schema();
    let config = RouterConfig {
        d: schema.len(),
        blocks: schema.blocks.clone(),
        feature_version: schema.version.clone(),
        ..RouterConfig::default()
    };
    let weights = Weights::new([0.7, 0.2, 0.1, 0.0, 0.0, 0.0], 0.05).unwrap();
    let mut state = RouterState::new(config, weights, 0.5, 0.01);
    for arm in ARMS {
        let spec = ArmSpec {
            name: ArmId::new(arm),
            provider: Provider::Simulated,
            base_url: String::new(),
            model: arm.to_owned(),
            api_key_env: None,
            price: None,
            enabled: true,
        };
        apply(&mut state, RouterCommand::AddArm { spec });
    }
    state
}

/// One race: who was judged best, after everyone has learned.
fn race(world: &World, state: &mut RouterState, features: &LengthFeatures, prompt: &str, rng: &mut Rng) -> String {
    let context = features.compute(&ChatRequest::from_prompt(prompt));
    let policy = QualityLatencyCostPolicy::new(References::default());
    let selection = router(RouterKind::Linucb).select(state, &context.x, &state.candidates(), K, &mut || rng.f64());
    let arms = selection.scores.iter().filter(|score| score.selected).map(|score| score.arm.clone());
    let scripts: Vec<(ArmId, Script)> = arms
        .map(|arm| {
            let script = world.script(&call(arm.as_str(), prompt, Some(64))).unwrap();
            (arm, script)
        })
        .collect();
    let previews: Vec<(&str, String)> =
        scripts.iter().map(|(arm, s)| (arm.as_str(), s.text_of(0, s.tokens()).to_owned())).collect();
    let scores = judged(world, prompt, &previews);
    let best = scores.iter().copied().fold(0.0, f64::max);
    let observed = scripts.iter().zip(&scores).map(|((arm, script), score)| {
        let latency_s = script.first_token_s + script.talking_s();
        let measured = CandidateStats {
            p95_s: Some(latency_s * 1.3),
            latency_s,
            cost_usd: Some(script.bill().cost_usd),
            length_norm: context.x[1],
            ..CandidateStats::default()
        };
        ArmObservation {
            arm: arm.clone(),
            signals: Vec::new(),
            quality: Some(*score),
            preview: Some(policy.preview_terms(&measured).terms),
            // The winner's full answer is seen too, as in the real race.
            answer: (*score >= best).then(|| AnswerOutcome { dollars: script.bill().cost_usd, fallback: 0.0 }),
            trial: true,
            win: *score >= best,
            served: *score >= best,
        }
    });
    let at = Timestamp::from_millis(state.sequence());
    let observation = Observation {
        spent_usd: None,
        run: TimeId::new(at, rng.u64(..)),
        x: context.x.clone(),
        arms: observed.collect(),
    };
    apply(state, RouterCommand::Observe(observation));
    let winner = scores.iter().position(|score| *score >= best).unwrap();
    scripts[winner].0.as_str().to_owned()
}

#[test]
fn within_two_minutes_answers_come_from_the_arms_that_earn_it() {
    let features = LengthFeatures::new(4000);
    let prompts = suite();
    let mut last = 0;
    for seed in 7..10 {
        let (world, _) = world("default", seed);
        let (mut state, mut rng) = (pool(&features), Rng::with_seed(seed));
        let mut windows = [0; 4];
        for run in 0..600 {
            let prompt = rng.choice(&prompts).unwrap();
            let best = ARMS.into_iter().max_by(|a, b| {
                let quality = |arm: &str| world.expected_quality(arm, prompt.intent).unwrap();
                quality(a).total_cmp(&quality(b))
            });
            let winner = race(&world, &mut state, &features, &prompt.prompt, &mut rng);
            windows[run / 150] += u32::from(Some(winner.as_str()) == best);
        }
        println!("seed {seed}: of 150 runs each, answered by the best arm {windows:?}");
        // Three arms drawn at random would hold the best one half of the time.
        assert!(windows[3] > 105, "seed {seed}: {windows:?}");
        last += windows[3];
    }
    assert!(last > 3 * 125, "{last} of 450");
}

/// The router sends each arm more and more of what it is good at, which moves what is seen of it: no drift.
#[test]
fn learning_itself_raises_no_alarm_about_drift() {
    let (world, _) = world("default", 7);
    let features = LengthFeatures::new(4000);
    let prompts = suite();
    let mut found = Vec::new();
    for seed in 0..2 {
        let (mut state, mut rng) = (pool(&features), Rng::with_seed(seed));
        for _ in 0..1_500 {
            race(&world, &mut state, &features, &rng.choice(&prompts).unwrap().prompt, &mut rng);
        }
        found.extend(state.arms().filter_map(|arm| Some((seed, arm.spec.name.clone(), arm.drift?))));
    }
    assert!(found.is_empty(), "{found:#?}");
}
