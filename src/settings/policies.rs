//! The settings of policies that stand beside the router: what is remembered, compared, and held on to.

use std::time::Duration;

use crate::domain::spec::Strategy;

/// `[cache]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CacheSettings {
    /// Where previews are kept.
    pub kind: CacheKind,
    /// Cosine of two prompts from which one preview serves both, in [0, 1].
    pub threshold: f64,
    /// The Redis that is shared, where it is kept there.
    pub url: Option<String>,
    /// The variable that holds its password.
    pub password_env: Option<String>,
    /// How long one may be used.
    pub ttl: Duration,
    /// How many are kept.
    pub max: usize,
}

/// `[gate]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GateSettings {
    /// Whether cheap previews and answers that do not fail do without the router.
    pub auto: bool,
    /// Distance to the nearest recent prompt from which one may be new, in [0, 1].
    pub novelty: f64,
    /// Share of recent prompts that may have been as far for it to be new, in [0, 1].
    pub novelty_share: f64,
    /// Share of dollars up to which previews and judge are cheap, in [0, 1].
    pub cheap_share: f64,
    /// Share of runs with a fallback up to which answers do not fail, in [0, 1].
    pub low_fallback: f64,
}

/// `[session]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionSettings {
    /// What another arm has to be better by, in units of the reward.
    pub margin: f64,
    /// Silence after which a conversation is forgotten.
    pub ttl: Duration,
    /// Conversations that are remembered.
    pub max: usize,
}

/// `[experiment]`: weights of the strategies that runs are assigned to at random; all 0 is no experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExperimentSettings {
    /// In the order of [`Strategy::ALL`].
    pub weights: [f64; 4],
}

impl ExperimentSettings {
    /// Strategies with a share above 0; the shares sum to 1.
    #[must_use]
    pub fn shares(&self) -> Vec<(Strategy, f64)> {
        let sum: f64 = self.weights.iter().sum();
        let shares = Strategy::ALL.iter().zip(self.weights).map(|((strategy, _), weight)| (*strategy, weight / sum));
        if sum > 0.0 { shares.filter(|(_, share)| *share > 0.0).collect() } else { Vec::new() }
    }
}

/// Where previews are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheKind {
    /// Nowhere.
    Off,
    /// In memory.
    #[default]
    Memory,
    /// On disk, in the data directory.
    Sled,
    /// In Redis, for several programs.
    Redis,
}

impl CacheKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Off, "off"), (Self::Memory, "memory"), (Self::Sled, "sled"), (Self::Redis, "redis")];
    /// Whether this program was built with the feature `redis`.
    pub const HAS_REDIS: bool = cfg!(feature = "redis");
}

/// `[search]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchSettings {
    /// Who is asked.
    pub kind: SearchKind,
    /// Where; Brave's own address where absent.
    pub base_url: Option<String>,
    /// The variable that holds the key.
    pub api_key_env: Option<String>,
    /// Pages, at most.
    pub results: usize,
    /// Whether previews are told, too.
    pub previews: bool,
    /// How long a run waits.
    pub timeout: Duration,
    /// Dollars of a thousand queries, where that is known.
    pub usd_per_1000: Option<f64>,
}

/// Who searches the web.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchKind {
    /// Nobody.
    #[default]
    Off,
    /// A `SearXNG` instance.
    Searxng,
    /// Brave.
    Brave,
}

impl SearchKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Off, "off"), (Self::Searxng, "searxng"), (Self::Brave, "brave")];

    /// The name in files and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Searxng => "searxng",
            Self::Brave => "brave",
        }
    }
}
