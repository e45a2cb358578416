//! The state as named parts of bytes: `router` (a header) and `arm:NAME` for each arm, JSON with floats
//! that survive to the bit. Derived inverses travel with the statistics, so that a restart continues
//! exactly; under another prior than they were derived with, they are derived again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::beside::Beside;
use super::config::{PriorConfig, RouterConfig};
use super::drift::{ArmDrift, DriftConfig};
use super::lens::Lens;
use super::pacer::Pacer;
use super::shrinkage::Shrinkage;
use super::state::{ArmState, PoolState, RouterState};
use super::stats::ArmStatistics;
use crate::domain::context::Normaliser;
use crate::domain::ids::{ArmId, RunId, Sequence};
use crate::domain::spec::{ArmSpec, Mode};
use crate::domain::store::StoredSnapshot;
use crate::domain::terms::Weights;

/// The form of the parts.
pub(crate) const VERSION: u32 = 1;

/// Why a snapshot is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// Learned under another feature schema.
    #[error("the stored state was learned with features {found}, this configuration has {expected}")]
    OtherFeatures {
        /// The stored schema version, with its dimensions.
        found: String,
        /// The configured one.
        expected: String,
    },
    /// Written by a newer program.
    #[error("the stored state has form {found}, this program reads up to {known}: update banditop")]
    Newer {
        /// The form found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Not readable.
    #[error("the stored state is damaged: {0}")]
    Corrupt(String),
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    feature_version: String,
    d: usize,
    sequence: Sequence,
    steps: u64,
    weights: Weights,
    alpha: f64,
    explore_share: f64,
    mode: Mode,
    arms: Vec<ArmId>,
    recent: Vec<(RunId, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normaliser: Option<Arc<Normaliser>>,
    /// What the derived parts were derived under.
    prior: PriorConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pacer: Option<Pacer>,
    /// What the log was folded with, and since which place.
    #[serde(default)]
    folding: Option<Folding>,
    #[serde(default)]
    folded_since: Sequence,
    /// None in a snapshot of before arms had slopes in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shrinkage: Option<Shrinkage>,
}

/// Settings that the fold depends on and that are in no command.
#[derive(PartialEq, Serialize, Deserialize)]
struct Folding {
    forgetting: f64,
    window: u64,
    drift: DriftConfig,
    probation_runs: u32,
    reactivation_keep: f64,
}

impl Folding {
    fn of(config: &RouterConfig) -> Self {
        let &RouterConfig { forgetting, window, probation_runs, reactivation_keep, .. } = config;
        Self { forgetting, window, drift: config.drift.clone(), probation_runs, reactivation_keep }
    }
}

#[derive(Serialize, Deserialize)]
struct ArmPart {
    spec: ArmSpec,
    pool: PoolState,
    stats: ArmStatistics,
    #[serde(default)]
    drift: ArmDrift,
    #[serde(default)]
    beside: Beside,
}

impl RouterState {
    /// Everything the state is made of.
    #[must_use]
    pub fn to_snapshot(&self) -> StoredSnapshot {
        let header = Header {
            version: VERSION,
            feature_version: self.shared.config.feature_version.clone(),
            d: self.shared.config.d,
            sequence: self.sequence,
            steps: self.steps,
            weights: self.weights,
            alpha: self.alpha,
            explore_share: self.explore_share,
            mode: self.mode.clone(),
            arms: self.arms.iter().map(|arm| arm.spec.name.clone()).collect(),
            recent: self.recent.iter().collect(),
            normaliser: self.normaliser.clone(),
            prior: self.shared.config.prior.clone(),
            pacer: self.pacer.as_deref().cloned(),
            folding: Some(Folding::of(&self.shared.config)),
            folded_since: self.folded_since,
            shrinkage: self.shared.prior.has_common().then(|| (*self.shrinkage).clone()),
        };
        let mut parts = vec![("router".to_owned(), bytes(&header))];
        for arm in &self.arms {
            let (spec, pool, stats) = (arm.spec.clone(), arm.pool.clone(), arm.stats.clone());
            let part = ArmPart { spec, pool, stats, drift: arm.drift, beside: arm.beside.clone() };
            parts.push((part_name(&arm.spec.name), bytes(&part)));
        }
        StoredSnapshot { sequence: self.sequence, parts }
    }

    /// The state that `snapshot` was taken of, under `config`.
    ///
    /// # Errors
    /// [`StateFault::OtherFeatures`] where it was learned under another schema, [`StateFault::Newer`],
    /// [`StateFault::Corrupt`] where a part is missing, unreadable or of the wrong size.
    pub fn from_snapshot(snapshot: &StoredSnapshot, config: &RouterConfig) -> Result<Self, StateFault> {
        let header = Header::of(snapshot)?;
        if (header.feature_version.as_str(), header.d) != (config.feature_version.as_str(), config.d) {
            return Err(StateFault::OtherFeatures {
                found: format!("{} (d = {})", header.feature_version, header.d),
                expected: format!("{} (d = {})", config.feature_version, config.d),
            });
        }
        let mut state = header.without_arms(config);
        state.normaliser.clone_from(&header.normaliser);
        if header.pacer.as_ref().is_some_and(|pacer| !pacer.is_sound(config.d)) {
            return Err(StateFault::Corrupt("the account under the ceiling does not fit".to_owned()));
        }
        state.pacer = header.pacer.map(|pacer| Arc::new(pacer.restored()));
        for (run, step) in header.recent {
            state.recent.push(run, step);
        }
        for name in &header.arms {
            let ArmPart { spec, pool, mut stats, drift, mut beside } = read(snapshot, &part_name(name))?;
            if !stats.is_sound(config.d) || !beside.is_sound(header.arms.len()) || spec.name != *name {
                return Err(StateFault::Corrupt(format!("the statistics of {name:?} do not fit")));
            }
            stats.adopt_window(&state.shared.prior, state.steps);
            beside.adopt_window(state.shared.prior.window, state.steps);
            if header.prior != config.prior {
                stats.refresh(&state.shared.prior);
            }
            let mut arm = ArmState { spec, pool, stats, drift, lens: Lens::default(), beside };
            arm.refocus(&state.shared, &state.weights);
            state.arms.push(Arc::new(arm));
        }
        if header.shrinkage.as_ref().is_some_and(|shrinkage| !shrinkage.is_sound(config.d)) {
            return Err(StateFault::Corrupt("the slopes that arms have in common do not fit".to_owned()));
        }
        state.adopt_shrinkage(header.shrinkage, header.prior == config.prior);
        state.gather_noise();
        Ok(state)
    }

    /// What of `snapshot`, learned under another schema, still holds under `config`: weights, exploration and
    /// mode, the arms with their lifecycles and counts, the place in the log. Statistics start afresh from the
    /// prior, and feedback about earlier runs, whose contexts are of another schema, finds nothing to amend.
    ///
    /// # Errors
    /// [`StateFault::Newer`]; [`StateFault::Corrupt`] where a part is missing or unreadable.
    pub fn carried_over(snapshot: &StoredSnapshot, config: &RouterConfig) -> Result<Self, StateFault> {
        let header = Header::of(snapshot)?;
        let mut state = header.without_arms(config);
        for name in &header.arms {
            let ArmHead { spec, mut pool } = read(snapshot, &part_name(name))?;
            pool.since_step = state.steps;
            pool.decays.clear();
            pool.shifts.clear();
            state.add_fresh(spec, pool);
        }
        Ok(state)
    }
}

/// An arm without its statistics.
#[derive(Deserialize)]
struct ArmHead {
    spec: ArmSpec,
    pool: PoolState,
}

impl Header {
    fn of(snapshot: &StoredSnapshot) -> Result<Self, StateFault> {
        let header: Self = read(snapshot, "router")?;
        let (found, known) = (header.version, VERSION);
        if found > known { Err(StateFault::Newer { found, known }) } else { Ok(header) }
    }

    /// A state with everything that is not about features.
    fn without_arms(&self, config: &RouterConfig) -> RouterState {
        let mut state = RouterState::new(config.clone(), self.weights, self.alpha, self.explore_share);
        state.mode = self.mode.clone();
        state.sequence = self.sequence;
        let is_same = self.folding.as_ref().is_none_or(|folding| *folding == Folding::of(config));
        state.folded_since = if is_same { self.folded_since } else { self.sequence };
        state.steps = self.steps;
        state.pacer = self.pacer.as_ref().map(|pacer| Arc::new(pacer.anew()));
        state
    }
}

fn part_name(arm: &ArmId) -> String {
    format!("arm:{arm}")
}

/// Serialising plain data with text keys cannot fail; if it ever did, the empty part is refused on reading.
fn bytes<T: Serialize>(part: &T) -> Vec<u8> {
    serde_json::to_vec(part).unwrap_or_default()
}

fn read<T: for<'de> Deserialize<'de>>(snapshot: &StoredSnapshot, name: &str) -> Result<T, StateFault> {
    let part = snapshot.parts.iter().find(|(part, _)| part == name);
    let (_, bytes) = part.ok_or_else(|| StateFault::Corrupt(format!("part {name:?} is missing")))?;
    serde_json::from_slice(bytes).map_err(|fault| StateFault::Corrupt(format!("part {name:?}: {fault}")))
}
