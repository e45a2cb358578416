//! The settings as the program uses them: typed, complete and already checked. Nothing here knows where
//! a value came from; [`super::load`] fills it in. Rooms are handed the part that they need by the
//! composition root.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::action::KeyBindings;
use crate::domain::ids::ArmId;
use crate::domain::slo::SloSpec;
use crate::domain::spec::{ArmSpec, ConfigFacts, ConfigPriors, DriftReaction, Provider, RouterKind, Strategy};
use crate::domain::terms::Weights;

use super::observing::{AlarmSettings, LogSettings, TelemetrySettings};
use super::policies::{CacheSettings, ExperimentSettings, GateSettings, SearchSettings, SessionSettings};
use super::reliability::{HealthSettings, RetrySettings, TimeoutSettings};
use super::spending::{BudgetSettings, HedgeSettings};

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Where state is kept; the user's data folder where absent.
    pub data_dir: Option<PathBuf>,
    /// How runs go.
    pub strategy: Strategy,
    /// The pool, in configured order; at least one is enabled.
    pub arms: Vec<ArmSpec>,
    /// Who judges; the local fallback judge where absent.
    pub judge: Option<JudgeSettings>,
    /// Share of `direct` answers that are judged afterwards, in [0, 1].
    pub direct_share: f64,
    /// How arms are chosen.
    pub router: RouterSettings,
    /// Forgetting as time goes by.
    pub decay: DecaySettings,
    /// Pruning as time goes by.
    pub prune: PruneSettings,
    /// How a prompt becomes numbers.
    pub features: FeatureSettings,
    /// What is good.
    pub reward: RewardSettings,
    /// Previews.
    pub preview: PreviewSettings,
    /// Previews that were made before.
    pub cache: CacheSettings,
    /// When runs are not left to the router.
    pub gate: GateSettings,
    /// Conversations.
    pub session: SessionSettings,
    /// Strategies that are compared.
    pub experiment: ExperimentSettings,
    /// What is looked up before answering.
    pub search: SearchSettings,
    /// Seconds after which to give up.
    pub timeouts: TimeoutSettings,
    /// How often to ask again.
    pub retry: RetrySettings,
    /// When an arm is taken out.
    pub health: HealthSettings,
    /// Limits of runs.
    pub run: RunSettings,
    /// What runs may spend.
    pub budget: BudgetSettings,
    /// When a second answer is started beside the first.
    pub hedge: HedgeSettings,
    /// What is kept.
    pub store: StoreSettings,
    /// Simulated models and traffic.
    pub simulation: SimulationSettings,
    /// The console.
    pub console: ConsoleSettings,
    /// Which key does what.
    pub keys: KeyBindings,
    /// Logs.
    pub log: LogSettings,
    /// What other tools read.
    pub telemetry: TelemetrySettings,
    /// How alarms are told.
    pub alarms: AlarmSettings,
    /// Service level objectives.
    pub slos: Vec<SloSpec>,
    /// What is allowed but worth knowing, one line each.
    pub notes: Vec<String>,
    /// What is expected of arms, by name.
    pub expectations: Vec<Expectation>,
}

/// Who judges previews.
#[derive(Clone, Debug, PartialEq)]
pub enum JudgeSettings {
    /// One of the arms.
    Arm(ArmId),
    /// A model that is no arm; its `name` is the model's name.
    Model(ArmSpec),
}

/// `[router]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterSettings {
    /// The policy.
    pub policy: RouterKind,
    /// Previews per race.
    pub k: usize,
    /// Exploration in units of an arm's own uncertainty, where it is set.
    pub alpha: Option<f64>,
    /// Scale of the prior's precision (the ridge λ).
    pub ridge: f64,
    /// Share of runs whose arms are drawn uniformly, in [0, 1].
    pub explore: f64,
    /// A file of priors, as `banditop priors fit --out` writes it.
    pub priors: Option<PathBuf>,
    /// Ceiling of mean dollars per request, where there is one.
    pub budget_per_request: Option<f64>,
    /// What of an observation is kept at every run, in (0, 1].
    pub forgetting: f64,
    /// Of how many of the last runs observations are kept; 0 keeps all.
    pub window: u64,
    /// `[drift]`.
    pub drift: DriftSettings,
}

/// `[drift]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriftSettings {
    /// What is done about a change.
    pub reaction: DriftReaction,
    /// Share of runs in which a fallen arm is asked again, in [0, 1].
    pub probe_share: f64,
}

/// `[decay]`: forgetting as time goes by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecaySettings {
    /// How often; never where absent.
    pub every: Option<Duration>,
    /// What is kept, in (0, 1].
    pub factor: f64,
}

/// `[prune]`: arms that hardly ever win go by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PruneSettings {
    /// How often arms are looked at; never where absent.
    pub every: Option<Duration>,
    /// Arms with fewer judged races are left alone.
    pub min_trials: u64,
    /// Arms that win a smaller share of them go, in [0, 1].
    pub min_win_rate: f64,
}

impl RouterSettings {
    /// Exploration in force: what is set, else what serves the policy on recorded outcomes and on made-up
    /// pools alike (a flat optimum). An upper bound has to reach further than a draw, which varies by itself.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha_for(self.policy)
    }

    /// [`Self::alpha`], were `policy` the one.
    #[must_use]
    pub fn alpha_for(&self, policy: RouterKind) -> f64 {
        self.alpha.unwrap_or(match policy {
            RouterKind::Lints => 0.24,
            RouterKind::Linucb | RouterKind::Baseline | RouterKind::Uniform => 0.45,
        })
    }
}

/// What is expected of an arm before it was ever asked, worth so many observations.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The arm's name.
    pub arm: String,
    /// In [0, 1].
    pub quality: Option<f64>,
    /// Seconds of a preview's p95.
    pub latency_s: Option<f64>,
    /// Dollars of a full answer.
    pub usd: Option<f64>,
    /// Observations that it is worth.
    pub n: f64,
}

/// Which features are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeatureKind {
    /// Length, words and intent.
    #[default]
    Length,
    /// The same with an embedding of the prompt.
    Embedding,
}

/// `[features]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureSettings {
    /// The extractor.
    pub kind: FeatureKind,
    /// Characters at which the length feature reaches 1.
    pub length_threshold: usize,
    /// Whether signals about the arms follow.
    pub signals: bool,
    /// Where embeddings come from, for the kind `embedding`.
    pub embedding: EmbeddingSettings,
    /// The schema's version that is insisted on.
    pub version: Option<String>,
}

/// `[features.embedding]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingSettings {
    /// Which encoder.
    pub encoder: EncoderKind,
    /// The endpoint, up to and including `/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The variable that holds its key.
    pub api_key_env: Option<String>,
    /// Slots of the context.
    pub dimensions: usize,
    /// How long a run waits for its embedding.
    pub patience: Duration,
    /// Dollars per million tokens, where that is known.
    pub price: Option<f64>,
    /// Embeddings that are kept.
    pub cache: usize,
}

/// Which encoder embeds prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncoderKind {
    /// The built-in one.
    #[default]
    Hashed,
    /// An OpenAI-compatible endpoint.
    Endpoint,
    /// The simulated endpoint of this process.
    Simulated,
}

/// `[reward]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RewardSettings {
    /// Weights of the terms and the fallback penalty.
    pub weights: Weights,
    /// Seconds of preview p95 at which the latency term of an empty prompt is 0.
    pub latency_reference_s: f64,
    /// Seconds added to that reference for a prompt of full length.
    pub latency_per_length_s: f64,
    /// Seconds to the first token at which the speed term is 0.
    pub ttft_reference_s: f64,
    /// Tokens at which the token efficiency term is 0.
    pub token_target: u32,
    /// Dollars of a preview at which the cost term is 1.
    pub cost_floor_usd: f64,
    /// Dollars of a preview at which the cost term is 0.
    pub cost_ceiling_usd: f64,
    /// Whether the cost term is linear in dollars instead of in their logarithm.
    pub linear_cost: bool,
}

/// `[preview]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PreviewSettings {
    /// Tokens of a preview of a prompt of middling size.
    pub min_tokens: u32,
    /// Tokens of a preview, whatever the size of the prompt.
    pub max_tokens: u32,
}

/// `[run]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSettings {
    /// Bytes of all turns of a prompt.
    pub max_prompt_bytes: usize,
    /// Full answers tried after the first one failed.
    pub max_fallbacks: u32,
    /// Runs at the same time.
    pub max_in_flight: usize,
    /// Tokens of a full answer; the endpoint's own limit where absent.
    pub answer_max_tokens: Option<u32>,
    /// Bytes of a full answer.
    pub max_answer_bytes: usize,
}

/// `[store]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreSettings {
    /// Run records kept.
    pub retain_runs: usize,
}

/// `[simulation]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimulationSettings {
    /// A scenario file, or the name of a built-in one.
    pub scenario: Option<PathBuf>,
    /// Seed of simulated models, traffic and the router's draws.
    pub seed: u64,
    /// Runs a second of the traffic generator when it is switched on.
    pub traffic_rate: f64,
}

/// `[console]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, as in the file")]
pub struct ConsoleSettings {
    /// The theme.
    pub theme: Theme,
    /// Draw with ASCII characters only.
    pub ascii: bool,
    /// Use colour.
    pub color: bool,
    /// Refuse everything that changes learning or traffic.
    pub read_only: bool,
    /// Let the console have the mouse.
    pub mouse: bool,
    /// The operator's name in the journal; what `$USER` or `$LOGNAME` says where absent.
    pub operator: Option<String>,
}

/// For which background colours are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark.
    #[default]
    Dark,
    /// Light.
    Light,
}

impl Settings {
    /// What the configuration says about things that a person may also change at run time.
    #[must_use]
    pub fn facts(&self) -> ConfigFacts {
        ConfigFacts {
            arms: self.arms.clone(),
            weights: self.reward.weights,
            alpha: self.router.alpha(),
            explore_share: self.router.explore,
            budget_per_request: self.router.budget_per_request,
            priors: ConfigPriors::default(),
        }
    }

    /// Whether an enabled arm or the judge is simulated, so that simulated models must be started.
    #[must_use]
    pub fn needs_simulation(&self) -> bool {
        let judge = match &self.judge {
            Some(JudgeSettings::Model(spec)) => Some(spec),
            _ => None,
        };
        self.arms.iter().chain(judge).any(|arm| arm.provider == Provider::Simulated)
    }
}
