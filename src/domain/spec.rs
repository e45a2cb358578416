//! What an arm is, as the configuration or an operator declares it, and the few choices that the whole
//! program is steered by. Secrets are named by environment variable here, never held.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::ArmId;
use super::money::Price;
use super::prior::ArmPrior;
use super::terms::Weights;

/// Which wire format an arm's endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Any OpenAI-compatible endpoint.
    Openai,
    /// Anthropic's messages.
    Anthropic,
    /// A simulated model of this process, reached over loopback HTTP like any other.
    Simulated,
}

impl Provider {
    /// Every provider, with the name that the configuration uses.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Openai, "openai"), (Self::Anthropic, "anthropic"), (Self::Simulated, "simulated")];

    /// Where its endpoint is, where nothing else is said and there is only one.
    #[must_use]
    pub const fn usual_base_url(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Openai | Self::Simulated => None,
        }
    }
}

/// One model at one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSpec {
    /// The name, unique in the pool.
    pub name: ArmId,
    /// The wire format.
    pub provider: Provider,
    /// Where the endpoint is, up to and including `/v1`; empty for simulated arms.
    #[serde(default)]
    pub base_url: String,
    /// The model's name at that endpoint.
    pub model: String,
    /// The environment variable that holds the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Dollars per million tokens; unknown where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Whether the configuration has it switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// How a run goes through its stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Previews, judge, order, full answer.
    #[default]
    Race,
    /// The router picks one arm; its answer streams at once.
    Direct,
    /// Arms in configured order; nothing is selected by what was learned.
    Baseline,
    /// Race while the leading arms are undecided for this prompt, direct where they are decided.
    Auto,
}

impl Strategy {
    /// Every strategy with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Race, "race"), (Self::Direct, "direct"), (Self::Baseline, "baseline"), (Self::Auto, "auto")];

    /// The name in files and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Direct => "direct",
            Self::Baseline => "baseline",
            Self::Auto => "auto",
        }
    }
}

/// How arms are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterKind {
    /// Upper confidence bound, in units of the arm's own noise.
    #[default]
    Linucb,
    /// Draws from the posterior.
    Lints,
    /// Configured order.
    Baseline,
    /// Any of them, each with the same chance.
    Uniform,
}

impl RouterKind {
    /// Every router with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Linucb, "linucb"), (Self::Lints, "lints"), (Self::Baseline, "baseline"), (Self::Uniform, "uniform")];

    /// The name in files and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linucb => "linucb",
            Self::Lints => "lints",
            Self::Baseline => "baseline",
            Self::Uniform => "uniform",
        }
    }
}

/// What is done about an arm that is found to be no longer what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftReaction {
    /// What was learned before it is moved to the new level and counts little; a fallen arm is asked now
    /// and then, for a while, whether it has come back.
    #[default]
    Forget,
    /// Nothing: people are told.
    Alarm,
    /// Nothing is looked for.
    Off,
}

impl DriftReaction {
    /// Every reaction with its name.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Forget, "forget"), (Self::Alarm, "alarm"), (Self::Off, "off")];
}

/// Where an arm stands in the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// A candidate.
    #[default]
    Active,
    /// Back on a bounded share of traffic.
    Probation,
    /// Switched off by a person or the configuration.
    Deactivated,
    /// Taken out by the pruning rule.
    Pruned,
    /// Taken out by health; returns by itself.
    Ejected,
}

/// How the reason of an arm begins that is out for a rate limit alone: no ejection, and back by itself.
pub const COOLING: &str = "cooling";

impl Lifecycle {
    /// The name on screen, where `reason` may tell more than the state does.
    #[must_use]
    pub fn shown(self, reason: Option<&str>) -> &'static str {
        match self {
            Self::Ejected if reason.is_some_and(|reason| reason.starts_with(COOLING)) => "cooling",
            state => state.name(),
        }
    }

    /// The name in files, metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Probation => "probation",
            Self::Deactivated => "deactivated",
            Self::Pruned => "pruned",
            Self::Ejected => "ejected",
        }
    }

    /// Whether an arm in this state may be selected.
    #[must_use]
    pub const fn is_candidate(self) -> bool {
        matches!(self, Self::Active | Self::Probation)
    }
}

/// The mode set at run time, over what the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// The strategy, or the configured one where absent.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// Every run is answered by this arm.
    #[serde(default)]
    pub pinned: Option<ArmId>,
    /// Runs go on, nothing is learned.
    #[serde(default)]
    pub learning_paused: bool,
    /// When the mode reverts by itself.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// Bounds of the share of runs that an arm takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShareLimits {
    /// At least this share, in [0, 1].
    pub min: f64,
    /// At most this share, in [0, 1], not below `min`.
    pub max: f64,
    /// Seconds over which the upper bound rises from `min` to `max`; 0 is at once.
    #[serde(default)]
    pub ramp_s: f64,
}

impl ShareLimits {
    /// Its numbers' bits, for a digest.
    #[must_use]
    pub const fn bits(&self) -> [u64; 3] {
        [self.min.to_bits(), self.max.to_bits(), self.ramp_s.to_bits()]
    }

    /// The bounds so long after they were set: (least, most).
    #[must_use]
    pub fn after(&self, elapsed: std::time::Duration) -> (f64, f64) {
        let part = if self.ramp_s > 0.0 { (elapsed.as_secs_f64() / self.ramp_s).min(1.0) } else { 1.0 };
        (self.min, (self.max - self.min).mul_add(part, self.min))
    }
}

/// What the configuration says about things that a person may also change at run time. The engine
/// keeps the facts it last started with: a fact that differs since was edited, and wins; one that is
/// the same yields to what a person did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigFacts {
    /// The arms, in configured order.
    pub arms: Vec<ArmSpec>,
    /// The reward weights.
    pub weights: Weights,
    /// Exploration in units of uncertainty.
    pub alpha: f64,
    /// The share of runs that explore uniformly, in [0, 1].
    pub explore_share: f64,
    /// The ceiling of mean dollars per request, where there is one.
    #[serde(default)]
    pub budget_per_request: Option<f64>,
    /// What the configuration believes of arms.
    #[serde(default)]
    pub priors: ConfigPriors,
}

/// What the configuration believes of arms, under one feature schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigPriors {
    /// The schema's version; empty where nothing is believed.
    pub feature_version: String,
    /// At most one an arm.
    pub arms: Vec<ArmPrior>,
}

impl ConfigFacts {
    /// The arms by name.
    #[must_use]
    pub fn arms_by_name(&self) -> BTreeMap<ArmId, &ArmSpec> {
        self.arms.iter().map(|arm| (arm.name.clone(), arm)).collect()
    }
}

/// How a race's arms are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetChoice {
    /// For the expected best of them: what the router does.
    #[default]
    ExpectedBest,
    /// The k highest scores: what it is compared with.
    HighestScores,
}
