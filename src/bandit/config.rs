//! What the router's mathematics is tuned by. Everything here shapes how observations are read, never
//! what was observed: the statistics of a state can be scored again under another prior.
//!
//! The defaults are one set for every pool. They follow one rule: exploration and shrinkage are in
//! units of an arm's own noise, so no reward scale is favoured.

use serde::{Deserialize, Serialize};

use super::drift::DriftConfig;
use crate::domain::context::{FeatureBlock, FeatureSchema};

/// How an arm's residual standard deviation is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// From the arm's own residuals: σ̂² = max(floor, ωᵀ(M − BᵀA⁻¹B)ω / (ν₀ + n)).
    Estimated,
    /// A given standard deviation in units of the reward; 1 is textbook LinUCB.
    Fixed(f64),
}

/// Embedding dimensions that share the stated precision: 25 whitened ones of a sentence embedding explain a tenth of
/// what qualities differ by, and are best shrunk by 300 each.
const SHARED_BY: f64 = 2.5;

/// What is believed before any observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorConfig {
    /// Precision of the intercept, in observations.
    pub lambda_intercept: f64,
    /// Precision of the length dimensions.
    pub lambda_length: f64,
    /// Precision of the intent one-hots.
    pub lambda_intent: f64,
    /// Precision of each embedding dimension while there are up to 2.5 of them; beyond that it grows with
    /// their number, so that all of them together are believed to matter as much as so many do.
    pub lambda_embedding: f64,
    /// Precision of each per-arm signal.
    pub lambda_signal: f64,
    /// Expected value of every reward term while the pool has no data, in [0, 1].
    pub mean: f64,
    /// What a new arm's expected terms are raised by over the pool's mean, in [0, 1].
    pub optimism: f64,
    /// The least residual standard deviation ever assumed, in units of the reward.
    pub sigma_floor: f64,
    /// Residual variance believed before data (σ₀²).
    pub noise_prior: f64,
    /// How many observations that belief is worth (ν₀).
    pub noise_prior_n: f64,
    /// How the residual standard deviation is known.
    pub noise: Noise,
    /// How many observations the pool's own residual variance is worth to each of its arms; 0 leaves every
    /// arm to itself. An arm whose few answers happened to agree is not taken for one without noise.
    #[serde(default)]
    pub noise_pool: f64,
    /// What exploration adds for an arm that was seen little: its reach is σ̂√q·(1 + caution·√q), with
    /// q = xᵀA⁻¹x. The second term is that of the empirical Bernstein bound (Audibert, Munos and Szepesvári
    /// 2009): with few observations neither the mean nor the noise is known. 0 is textbook. Large pools can
    /// afford less of it for each arm: see [`PriorConfig::caution_among`].
    #[serde(default)]
    pub caution: f64,
    /// What exploration adds as observations get more: its reach is multiplied by √(1 + growth·ln(1 + n·q/arms)), n
    /// being all of the pool's. An arm that is left alone while others are seen ever more often is asked again, and
    /// one that is seen as often as its share is not. 0 is textbook.
    #[serde(default)]
    pub growth: f64,
    /// How many times the stated precision slopes are drawn towards those of the pool, at most, where qualities say
    /// so; 1 leaves every arm's slopes to itself, as does fixed noise. See `shrinkage.rs`.
    #[serde(default)]
    pub most_strength: f64,
}

impl Default for PriorConfig {
    fn default() -> Self {
        Self {
            lambda_intercept: 0.1,
            lambda_length: 30.0,
            lambda_intent: 30.0,
            lambda_embedding: 30.0,
            lambda_signal: 30.0,
            mean: 0.5,
            optimism: 0.1,
            sigma_floor: 0.02,
            noise_prior: 0.15,
            noise_prior_n: 10.0,
            noise: Noise::Estimated,
            noise_pool: 10.0,
            caution: 11.0,
            growth: 0.1,
            most_strength: 300.0,
        }
    }
}

impl PriorConfig {
    /// Caution in a pool of so many arms: `caution` up to five, then less, as the square root of the share
    /// of observations that an arm can get.
    #[must_use]
    pub fn caution_among(&self, arms: usize) -> f64 {
        self.caution.max(0.0) * (5.0 / arms.max(5) as f64).sqrt()
    }

    /// The prior precision of a dimension of that block.
    #[must_use]
    pub const fn lambda(&self, block: FeatureBlock) -> f64 {
        match block {
            FeatureBlock::Intercept => self.lambda_intercept,
            FeatureBlock::Length => self.lambda_length,
            FeatureBlock::Intent => self.lambda_intent,
            FeatureBlock::Embedding => self.lambda_embedding,
            FeatureBlock::Signal => self.lambda_signal,
        }
    }
}

/// Everything that a router state is built with and keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// Dimensions of the context; the intercept is first.
    pub d: usize,
    /// The block of each dimension, `d` of them.
    pub blocks: Vec<FeatureBlock>,
    /// The schema's version: statistics learned under another are not read.
    pub feature_version: String,
    /// What is believed before data.
    pub prior: PriorConfig,
    /// What of an observation is kept at every step, in (0, 1]; 1 never forgets.
    pub forgetting: f64,
    /// How many of the last steps (completed runs) data are kept of; 0 keeps all. They are let go in hops of
    /// a twentieth of it, so that data reach at most 5 % further back.
    #[serde(default)]
    pub window: u64,
    /// Share of runs in which an arm on probation is tried, in [0, 1].
    pub probation_share: f64,
    /// Runs with an observation of the arm until probation ends.
    pub probation_runs: u32,
    /// What of an arm's data is kept when it is reactivated, in (0, 1].
    pub reactivation_keep: f64,
    /// An active arm with fewer observations than this is tried before any score decides. In a large
    /// pool fewer are enough: see [`RouterConfig::first_tries_among`].
    pub first_tries: u32,
    /// How changes of an arm are looked for, and what is done about them.
    #[serde(default)]
    pub drift: DriftConfig,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            d: 1,
            blocks: vec![FeatureBlock::Intercept],
            feature_version: String::new(),
            prior: PriorConfig::default(),
            forgetting: 1.0,
            window: 0,
            probation_share: 0.1,
            probation_runs: 20,
            reactivation_keep: 0.5,
            first_tries: 5,
            drift: DriftConfig::default(),
        }
    }
}

impl RouterConfig {
    /// The defaults for contexts of `schema`.
    #[must_use]
    pub fn for_schema(schema: &FeatureSchema) -> Self {
        Self {
            d: schema.len(),
            blocks: schema.blocks.clone(),
            feature_version: schema.version.clone(),
            ..Self::default()
        }
    }

    /// First tries of each of `arms` candidates: `first_tries` up to eight arms, then fewer, so that
    /// trying a pool costs some 40 observations, and never fewer than 3 (or `first_tries`).
    #[must_use]
    pub fn first_tries_among(&self, arms: usize) -> u32 {
        let fair = u32::try_from(40 / arms.max(1)).unwrap_or(u32::MAX);
        self.first_tries.min(fair.max(3))
    }

    /// Which dimensions arms have in common: `d` values. Lengths and intents, where noise is estimated. One strength for
    /// all presumes that they matter alike, which of many embedding dimensions a few do; signals are an arm's own.
    pub(crate) fn common(&self) -> Vec<bool> {
        let shares = self.prior.most_strength > 1.0 && matches!(self.prior.noise, Noise::Estimated);
        let is_common =
            |block: Option<&FeatureBlock>| matches!(block, Some(FeatureBlock::Length | FeatureBlock::Intent));
        (0..self.d).map(|i| shares && is_common(self.blocks.get(i))).collect()
    }

    /// The prior precision of each dimension: `d` values above 0. A dimension without a block counts as
    /// an embedding.
    pub(crate) fn lambdas(&self) -> Vec<f64> {
        let block = |i: usize| self.blocks.get(i).copied().unwrap_or(FeatureBlock::Embedding);
        let embedded = (0..self.d).filter(|i| block(*i) == FeatureBlock::Embedding).count();
        let crowd = match self.prior.noise {
            Noise::Estimated => (embedded as f64 / SHARED_BY).max(1.0),
            // Textbook: as it is stated.
            Noise::Fixed(_) => 1.0,
        };
        let lambda = |block| self.prior.lambda(block) * if block == FeatureBlock::Embedding { crowd } else { 1.0 };
        (0..self.d).map(|i| lambda(block(i)).max(1e-9)).collect()
    }
}
