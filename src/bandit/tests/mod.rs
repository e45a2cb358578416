//! The router against known values, properties and recorded outcomes.

mod beliefs;
mod beside;
mod contract;
mod drift;
mod forecast;
mod known_values;
mod lifecycle;
mod numerics;
mod pacer;
mod properties;
mod recorded;
mod scale;
mod select;
mod shrinkage;
mod window;

use std::io::Read;
use std::path::PathBuf;

use super::config::{Noise, RouterConfig};
use super::state::RouterState;
use crate::domain::clock::Timestamp;
use crate::domain::command::{
    Actor, AnswerOutcome, ArmObservation, LogEntry, Observation, PreviewTerms, RouterCommand,
};
use crate::domain::context::{FeatureBlock, Normaliser};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::spec::DriftReaction;
use crate::domain::spec::{ArmSpec, Provider};
use crate::domain::terms::Weights;

/// A context schema of `d` dimensions: the intercept, then embeddings.
pub(super) fn config(d: usize) -> RouterConfig {
    let blocks = (0..d).map(|i| if i == 0 { FeatureBlock::Intercept } else { FeatureBlock::Embedding }).collect();
    RouterConfig { d, blocks, feature_version: format!("test-{d}"), ..RouterConfig::default() }
}

/// The same of lengths and, in every third place, intents: dimensions that arms have in common.
pub(super) fn worded(d: usize) -> RouterConfig {
    let block = |i: usize| if i.is_multiple_of(3) { FeatureBlock::Intent } else { FeatureBlock::Length };
    let mut config = config(d);
    config.blocks = (0..d).map(|i| if i == 0 { FeatureBlock::Intercept } else { block(i) }).collect();
    config
}

/// LinUCB as the textbooks have it: unit noise, Λ = λI, nothing believed, nobody tried first. Arms could have
/// slopes in common, and do not.
pub(super) fn textbook(d: usize, lambda: f64) -> RouterConfig {
    let mut config = worded(d);
    let prior = &mut config.prior;
    for value in [
        &mut prior.lambda_intercept,
        &mut prior.lambda_length,
        &mut prior.lambda_intent,
        &mut prior.lambda_embedding,
        &mut prior.lambda_signal,
    ] {
        *value = lambda;
    }
    prior.mean = 0.0;
    prior.optimism = 0.0;
    prior.noise = Noise::Fixed(1.0);
    prior.caution = 0.0;
    prior.growth = 0.0;
    config.first_tries = 0;
    config.drift.reaction = DriftReaction::Off;
    config
}

/// A scale for `slots` slots of the schema of [`config`].
pub(super) fn scale(slots: usize) -> Normaliser {
    let feature_version = format!("test-{}", slots + 1);
    Normaliser { feature_version, inputs: 8, prompts: 64, mean: vec![0.25; slots], sd: vec![0.5; slots] }
}

pub(super) fn quality_only() -> Weights {
    Weights::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0).unwrap()
}

pub(super) fn spec(name: &str) -> ArmSpec {
    ArmSpec {
        name: ArmId::new(name),
        provider: Provider::Simulated,
        base_url: String::new(),
        model: name.to_owned(),
        api_key_env: None,
        price: None,
        enabled: true,
    }
}

/// A log under construction with the state that it folds to.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) state: RouterState,
    pub(super) entries: Vec<LogEntry>,
}

impl Log {
    pub(super) fn new(config: RouterConfig, weights: Weights, arms: &[&str]) -> Self {
        let state = RouterState::new(config, weights, 1.0, 0.0);
        let mut log = Self { state, entries: Vec::new() };
        for arm in arms {
            log.push(RouterCommand::AddArm { spec: spec(arm) });
        }
        log
    }

    pub(super) fn push(&mut self, command: RouterCommand) -> u64 {
        let sequence = self.entries.len() as u64 + 1;
        let at = Timestamp::from_millis(1_000 * sequence);
        let entry = LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Run, at, command };
        self.state.apply(&entry);
        self.entries.push(entry);
        sequence
    }

    /// Validated as the engine does.
    pub(super) fn act(&mut self, command: RouterCommand) -> u64 {
        let prepared = self.state.prepare(command).unwrap();
        self.push(prepared)
    }

    pub(super) fn observe(&mut self, x: &[f64], arms: Vec<ArmObservation>) -> TimeId {
        let run = TimeId::new(Timestamp::from_millis(7), self.entries.len() as u64);
        self.push(RouterCommand::Observe(Observation { spent_usd: None, run, x: x.to_vec(), arms }));
        run
    }
}

pub(super) fn saw(arm: &str) -> ArmObservation {
    ArmObservation {
        arm: ArmId::new(arm),
        signals: Vec::new(),
        quality: None,
        preview: None,
        answer: None,
        trial: false,
        win: false,
        served: false,
    }
}

pub(super) fn quality(arm: &str, quality: f64) -> ArmObservation {
    ArmObservation { quality: Some(quality), ..saw(arm) }
}

/// All groups from eight numbers in [0, 1].
pub(super) fn complete(arm: &str, t: [f64; 8]) -> ArmObservation {
    let [quality, latency, cost, speed, token_efficiency, stability, dollars, fallback] = t;
    ArmObservation {
        quality: Some(quality),
        preview: Some(PreviewTerms { latency, cost, speed, token_efficiency, stability }),
        answer: Some(AnswerOutcome { dollars, fallback }),
        trial: true,
        win: quality > 0.5,
        served: quality > 0.7,
        ..saw(arm)
    }
}

/// Where recorded outcomes and known values are, where they are.
pub(super) fn data(file: &str) -> Option<Vec<u8>> {
    let named = std::env::var_os("BANDITOP_DATA").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folders = [named, Some(beside)];
    let found = folders.into_iter().flatten().map(|folder| folder.join(file)).find(|path| path.exists());
    let unpack = |path: PathBuf| {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).ok()?).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let unpacked = found.and_then(unpack);
    if unpacked.is_none() {
        eprintln!("skipped: {file} is not here (set BANDITOP_DATA)");
    }
    unpacked
}
