//! The router's state: the pool with its statistics, the weights, the mode. It is changed only by
//! [`RouterState::apply`] (in `fold.rs`) and read by everyone. Each arm sits behind its own `Arc`, so a
//! clone of the state is cheap and an update copies one arm.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::beside::{Beside, Correction, Usual};
use super::config::RouterConfig;
use super::drift::{ArmDrift, Drift};
use super::lens::{Estimate, Lens, Standing};
use super::noise::PoolNoise;
use super::pacer::{Pacer, Paid};
use super::probe::Probe;
use super::recent::RecentRuns;
use super::regression::{Prior, Scratch, Window};
use super::shrinkage::{Reading, Shrinkage};
use super::stats::{ArmStatistics, COLUMNS};
use crate::domain::clock::Timestamp;
use crate::domain::context::Normaliser;
use crate::domain::ids::{ArmId, RunId, Sequence};
use crate::domain::spec::{ArmSpec, Lifecycle, Mode, ShareLimits};
use crate::domain::terms::{Column, Weights};

/// The fold over the command log at one place.
#[derive(Clone, Debug)]
pub struct RouterState {
    pub(super) shared: Arc<Shared>,
    pub(super) weights: Weights,
    pub(super) alpha: f64,
    pub(super) explore_share: f64,
    pub(super) mode: Mode,
    pub(super) sequence: Sequence,
    /// The place from which the log was folded with the forgetting, window and drift settings in force.
    pub(super) folded_since: Sequence,
    /// Completed runs.
    pub(super) steps: u64,
    /// In pool order.
    pub(super) arms: Vec<Arc<ArmState>>,
    pub(super) recent: RecentRuns,
    /// The scale of an embedding's slots, once it is frozen.
    pub(super) normaliser: Option<Arc<Normaliser>>,
    /// Derived: see [`Self::gather_noise`].
    pub(super) noise: PoolNoise,
    /// What slopes are drawn towards.
    pub(super) shrinkage: Box<Shrinkage>,
    /// Under a ceiling of dollars.
    pub(super) pacer: Option<Arc<Pacer>>,
    pub(super) buffers: Box<Buffers>,
}

/// Buffers of the fold, and nothing that is known: a clone begins with none of its own.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) updates: Scratch,
    /// None until the first reading.
    pub(super) reading: Option<Box<Reading>>,
    /// A context with an arm's own signals behind it.
    pub(super) x: Vec<f64>,
    /// Who was judged in a race: position in the pool, quality, and what had been expected.
    pub(super) judged: Vec<(usize, f64, Standing)>,
    /// What arms are worth and cost, context by context.
    pub(super) offers: Vec<(f64, f64)>,
}

impl Clone for Buffers {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What never changes while a state lives.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) config: RouterConfig,
    pub(super) prior: Prior,
}

/// One arm.
#[derive(Clone, Debug)]
pub(super) struct ArmState {
    pub(super) spec: ArmSpec,
    pub(super) pool: PoolState,
    pub(super) stats: ArmStatistics,
    pub(super) drift: ArmDrift,
    pub(super) lens: Lens,
    pub(super) beside: Beside,
}

/// Where an arm stands, and its counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PoolState {
    pub(super) lifecycle: Lifecycle,
    /// What it returns to when health lets it back.
    pub(super) before_ejection: Option<Lifecycle>,
    pub(super) reason: Option<String>,
    pub(super) until: Option<Timestamp>,
    /// Ejections that count, since it last recovered.
    #[serde(default)]
    pub(super) ejections: u32,
    pub(super) trials: u64,
    pub(super) wins: u64,
    pub(super) served: u64,
    /// Observations until probation ends.
    pub(super) probation_left: u32,
    /// The step at which its statistics began: feedback about earlier runs is about another arm's past.
    pub(super) since_step: u64,
    /// Decays by hand since then: step and what was kept.
    pub(super) decays: Vec<(u64, f64)>,
    /// By how much its quality was moved to the level since a change: step and difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shifts: Vec<(u64, f64)>,
    /// What its answers cost of late against what was expected, while there is a ceiling.
    #[serde(default)]
    pub(super) paid: Paid,
    /// Bounds of its share of runs, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<(ShareLimits, Timestamp)>,
}

impl PoolState {
    /// What later observations and feedback depend on, for a digest.
    fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        let remembered = self.decays.iter().chain(&self.shifts);
        let remembered = remembered.flat_map(|(step, value)| [*step, value.to_bits()]);
        // None, as of nearly every arm, leaves the digest as it was before they were counted.
        let ejections = (self.ejections > 0).then(|| u64::from(self.ejections));
        let pool = [self.since_step, u64::from(self.probation_left)].into_iter().chain(ejections);
        pool.chain(remembered).chain(self.paid.bits())
    }
}

/// An arm as others see it.
#[derive(Clone, Copy, Debug)]
pub struct ArmView<'a> {
    /// Its declaration.
    pub spec: &'a ArmSpec,
    /// Where it stands.
    pub lifecycle: Lifecycle,
    /// Why, where that needs a word.
    pub reason: Option<&'a str>,
    /// When it is probed again, where it is ejected.
    pub until: Option<Timestamp>,
    /// Ejections that count, since it last recovered.
    pub ejections: u32,
    /// Judged races it took part in.
    pub trials: u64,
    /// Those in which it was judged best.
    pub wins: u64,
    /// Answers of it that were served.
    pub served: u64,
    /// Weight of its data after forgetting.
    pub effective_n: f64,
    /// Observations that a prior of its own is worth; 0 without one.
    pub prior_n: f64,
    /// The newest change of it that was found and not dealt with.
    pub drift: Option<Drift>,
    /// The share of runs in which it is asked whether it has come back since it fell, in [0, 1].
    pub probe_share: f64,
    /// Bounds of the share of runs that it takes part in, and since when they hold.
    pub share_limits: Option<(ShareLimits, Timestamp)>,
}

impl RouterState {
    /// An empty pool.
    #[must_use]
    pub fn new(config: RouterConfig, weights: Weights, alpha: f64, explore_share: f64) -> Self {
        let prior = Prior {
            lambda: config.lambdas(),
            common: config.common(),
            noise_sum: config.prior.noise_prior * config.prior.noise_prior_n,
            noise_n: config.prior.noise_prior_n,
            forgetting: config.forgetting,
            window: Window::of(config.window),
        };
        let shrinkage = Shrinkage::new(&prior, &config.prior);
        Self {
            shared: Arc::new(Shared { config, prior }),
            weights,
            alpha,
            explore_share,
            mode: Mode::default(),
            sequence: 0,
            folded_since: 0,
            steps: 0,
            arms: Vec::new(),
            recent: RecentRuns::default(),
            normaliser: None,
            noise: PoolNoise::default(),
            shrinkage: Box::new(shrinkage),
            pacer: None,
            buffers: Box::default(),
        }
    }

    /// The place in the log.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The place from which the log was folded with the forgetting, window and drift settings in force: what
    /// came before was folded with others, and cannot be folded again.
    #[must_use]
    pub const fn folded_since(&self) -> Sequence {
        self.folded_since
    }

    /// Completed runs.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The reward weights in force.
    #[must_use]
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Exploration in units of uncertainty.
    #[must_use]
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The share of runs that explore uniformly, in [0, 1].
    #[must_use]
    pub const fn explore_share(&self) -> f64 {
        self.explore_share
    }

    /// The mode set at run time.
    #[must_use]
    pub const fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The scale of an embedding's slots, once it is frozen.
    #[must_use]
    pub fn normaliser(&self) -> Option<&Normaliser> {
        self.normaliser.as_deref()
    }

    /// What it was built with.
    #[must_use]
    pub fn config(&self) -> &RouterConfig {
        &self.shared.config
    }

    /// Whether the mode should have reverted by `now`.
    #[must_use]
    pub fn mode_expired(&self, now: Timestamp) -> bool {
        self.mode.expires.is_some_and(|expires| now >= expires)
    }

    /// The arms in pool order.
    pub fn arms(&self) -> impl Iterator<Item = ArmView<'_>> {
        self.arms.iter().map(|arm| self.view(arm))
    }

    /// One arm.
    #[must_use]
    pub fn arm(&self, id: &str) -> Option<ArmView<'_>> {
        self.find(id).map(|i| self.view(&self.arms[i]))
    }

    /// The arms that may be selected, in pool order; the pinned one alone, where there is one and it may.
    #[must_use]
    pub fn candidates(&self) -> Vec<ArmId> {
        let open = self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate());
        let names: Vec<ArmId> = open.map(|arm| arm.spec.name.clone()).collect();
        match &self.mode.pinned {
            Some(pinned) if names.contains(pinned) => vec![pinned.clone()],
            _ => names,
        }
    }

    /// What is expected of `arm` at `x`; `None` for an unknown arm or a context of another length.
    #[must_use]
    pub fn estimate(&self, arm: &str, x: &[f64]) -> Option<Estimate> {
        let arm = &self.arms[self.find(arm)?];
        (x.len() == self.shared.config.d).then(|| {
            let probe = Probe::new(&self.shared.prior, x, self.steps);
            arm.lens.estimate(&arm.stats, &self.shared.prior, &self.noise, &probe)
        })
    }

    /// A digest of the bits of what is known about arms and spending: equal where the same log was folded. Which
    /// runs late feedback would still find is no part of it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut absorb = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let scale = self.normaliser.iter().flat_map(|n| n.mean.iter().chain(&n.sd));
        scale.flat_map(|value| value.to_bits().to_le_bytes()).for_each(&mut absorb);
        for arm in &self.arms {
            arm.spec.name.as_str().bytes().for_each(&mut absorb);
            let counts = [arm.pool.trials, arm.pool.wins, arm.pool.served];
            let share =
                arm.pool.share.iter().flat_map(|(limits, since)| limits.bits().into_iter().chain([since.millis()]));
            let words = arm.stats.bits().into_iter().chain(arm.beside.bits()).chain(counts).chain(arm.drift.bits());
            words.chain(share).chain(arm.pool.bits()).flat_map(u64::to_le_bytes).for_each(&mut absorb);
        }
        let shrinkage = self.shared.prior.has_common().then(|| self.shrinkage.bits());
        shrinkage.into_iter().flatten().flat_map(u64::to_le_bytes).for_each(&mut absorb);
        let pacer = self.pacer.iter().flat_map(|pacer| pacer.bits());
        pacer.flat_map(u64::to_le_bytes).for_each(&mut absorb);
        hash
    }

    /// The step at which `run` taught `arm`; `None` where nothing of it is in the statistics: learning was
    /// paused, it was discarded, or the arm began anew since. A run too old to be remembered counts as older
    /// than every step, and so than an arm that began later.
    pub(super) fn learned_at(&self, run: RunId, arm: &ArmState) -> Option<u64> {
        match self.recent.step_of(run) {
            Some(step) => (step > arm.pool.since_step).then_some(step),
            None => (arm.pool.since_step == 0 && self.recent.may_have_forgotten(run, self.steps)).then_some(0),
        }
    }

    /// Derives what the arms' residuals say together: after every change of an arm.
    pub(super) fn gather_noise(&mut self) {
        let residuals = self.arms.iter().map(|arm| arm.lens.residuals);
        self.noise = PoolNoise::of(&self.shared.prior, &self.shared.config.prior, residuals);
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.spec.name.as_str() == id)
    }

    /// As [`Self::find`], looking first at `hint`: candidates come in pool order.
    pub(super) fn find_near(&self, id: &ArmId, hint: usize) -> Option<usize> {
        let here = self.arms.get(hint).is_some_and(|arm| arm.spec.name == *id);
        if here { Some(hint) } else { self.find(id.as_str()) }
    }

    /// What is usual in races of this pool.
    pub(super) fn usual_beside(&self) -> Usual {
        let left = |row: &Beside| row.share_left(self.shared.prior.forgetting, self.steps);
        Usual::of(self.arms.iter().map(|arm| (&arm.beside, left(&arm.beside))))
    }

    /// How guesses about the arm at `i` are usually corrected, and what is left of its races.
    pub(super) fn usually_beside(&self, usual: &Usual, i: usize) -> (Correction, f64) {
        let row = &self.arms[i].beside;
        let left = row.share_left(self.shared.prior.forgetting, self.steps);
        (usual.of_arm(row, left), left)
    }

    fn view<'a>(&'a self, arm: &'a ArmState) -> ArmView<'a> {
        ArmView {
            spec: &arm.spec,
            lifecycle: arm.pool.lifecycle,
            reason: arm.pool.reason.as_deref(),
            until: arm.pool.until,
            ejections: arm.pool.ejections,
            trials: arm.pool.trials,
            wins: arm.pool.wins,
            served: arm.pool.served,
            effective_n: arm.stats.effective_n(&self.shared.prior, self.steps),
            prior_n: arm.stats.believed_n(),
            drift: arm.drift.found,
            probe_share: arm.drift.probe_share(&self.shared.config.drift, self.steps),
            share_limits: arm.pool.share,
        }
    }

    /// What a new arm is expected to do: the pool's mean of each column, raised by the stated optimism
    /// (lowered for the fallback rate); the configured mean while the pool has no data.
    pub(super) fn pool_mean(&self) -> [f64; COLUMNS] {
        let prior = &self.shared.config.prior;
        let column = |column: Column, default: f64| {
            let sums = self.arms.iter().map(|arm| arm.stats.data_mean(column));
            let (sum, n) = sums.fold((0.0, 0.0), |(s, n), (sum, weight)| (s + sum, n + weight));
            if n > 0.0 { sum / n } else { default }
        };
        let term = |c: Column| (column(c, prior.mean) + prior.optimism).min(1.0);
        [
            term(Column::Quality),
            term(Column::Latency),
            term(Column::Cost),
            term(Column::Speed),
            term(Column::TokenEfficiency),
            term(Column::Stability),
            column(Column::Dollars, 0.0),
            column(Column::Fallback, 0.0),
        ]
    }
}

impl ArmState {
    pub(super) fn refocus(&mut self, shared: &Shared, weights: &Weights) {
        self.lens.focus(&self.stats, &shared.prior, &shared.config.prior, weights);
    }
}
