//! Arms that come, go and begin anew: what the fold does to the pool itself. Nothing is known of a new arm but what is
//! usual in its pool: the mean of each column, raised by the stated optimism, and the slopes that its arms have in
//! common.

use std::sync::Arc;

use super::beside::Beside;
use super::drift::ArmDrift;
use super::fold::can_answer;
use super::lens::Lens;
use super::regression::Scratch;
use super::state::{ArmState, PoolState, RouterState};
use super::stats::{ArmStatistics, COLUMNS};
use crate::domain::ids::ArmId;
use crate::domain::spec::{ArmSpec, Lifecycle};

impl RouterState {
    pub(super) fn add_arm(&mut self, spec: &ArmSpec) {
        if let Some(i) = self.find(spec.name.as_str()) {
            let was_enabled = self.arms[i].spec.enabled;
            let arm = Arc::make_mut(&mut self.arms[i]);
            arm.spec = spec.clone();
            // Another declaration may be what mends it.
            arm.pool.ejections = 0;
            match (was_enabled, spec.enabled) {
                (true, false) => self.take_out(std::slice::from_ref(&spec.name), Lifecycle::Deactivated, "config"),
                (false, true) => self.bring_back(&spec.name),
                _ => {}
            }
            return;
        }
        let mut pool = PoolState { since_step: self.steps, ..PoolState::default() };
        if !spec.enabled {
            pool.lifecycle = Lifecycle::Deactivated;
            pool.reason = Some("by config".to_owned());
        }
        self.add_fresh(spec.clone(), pool);
    }

    /// An arm of which nothing is known yet.
    pub(super) fn add_fresh(&mut self, spec: ArmSpec, pool: PoolState) {
        let stats = self.nothing_known(&self.pool_mean());
        let (drift, lens, beside) = (ArmDrift::default(), Lens::default(), Beside::default());
        let mut arm = ArmState { spec, pool, stats, drift, lens, beside };
        arm.refocus(&self.shared, &self.weights);
        self.arms.push(Arc::new(arm));
    }

    /// Statistics without data, where `mean` is expected of each column.
    fn nothing_known(&self, mean: &[f64; COLUMNS]) -> ArmStatistics {
        let mut stats = ArmStatistics::new(&self.shared.prior, mean, self.steps);
        if self.shared.prior.has_common() {
            stats.draw_slopes(&self.shared.prior, &self.shrinkage, &mut Scratch::default());
        }
        stats
    }

    /// Takes an arm out with all it knows, as long as another stays that could answer.
    pub(super) fn remove_arm(&mut self, name: &ArmId) {
        let is_other = |arm: &&Arc<ArmState>| arm.spec.name != *name;
        if self.arms.iter().filter(is_other).any(|arm| can_answer(arm.pool.lifecycle, Lifecycle::Deactivated)) {
            let Some(gone) = self.find(name.as_str()) else { return };
            self.arms.remove(gone);
            for arm in &mut self.arms {
                Arc::make_mut(arm).beside.leave_out(gone);
            }
        }
    }

    pub(super) fn reset_arm(&mut self, name: &ArmId) {
        let Some(i) = self.find(name.as_str()) else { return };
        let mean = {
            let mut others = self.clone();
            others.arms.remove(i);
            others.pool_mean()
        };
        self.decay_races(0.0, &|arm| arm.spec.name == *name);
        let stats = self.nothing_known(&mean);
        let arm = Arc::make_mut(&mut self.arms[i]);
        arm.beside = Beside::default();
        arm.stats = stats;
        arm.drift = ArmDrift::default();
        arm.pool.trials = 0;
        arm.pool.wins = 0;
        arm.pool.served = 0;
        arm.pool.since_step = self.steps;
        arm.pool.decays.clear();
        arm.pool.shifts.clear();
        arm.refocus(&self.shared, &self.weights);
    }
}
