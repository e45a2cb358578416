//! The adapters of the pool, kept in step with it. An arm whose adapter cannot be built (a key that is
//! not set) stays in the pool, is taken out for a time where another can answer, and says what to mend;
//! the others go on.

use std::sync::Arc;

use crate::domain::alarm::Severity;
use crate::domain::ids::ArmId;
use crate::domain::spec::ArmSpec;
use crate::race::ModelRegistry;

use super::alarms::Notice;
use super::owner::Owner;

impl Owner {
    /// Builds what is missing or changed, takes out what left the pool.
    pub(super) fn equip(&mut self) {
        let registry = Arc::clone(&self.shared.race.parts().models);
        let pool: Vec<ArmSpec> = self.folds.state.arms().map(|arm| arm.spec.clone()).collect();
        let gone = |arm: &ArmId| pool.iter().all(|spec| spec.name != *arm);
        let left: Vec<ArmId> = self.folds.equipped.iter().filter(|arm| gone(arm)).cloned().collect();
        for arm in left {
            registry.remove(&arm);
            self.folds.equipped.remove(&arm);
            self.folds.unavailable.remove(&arm);
            self.folds.alarms.clear_arm(&arm);
        }
        for spec in pool {
            let is_same = registry.get(&spec.name).is_some_and(|held| held.spec == spec && held.model.is_ok());
            if !is_same {
                self.build(&registry, spec);
            }
        }
    }

    fn build(&mut self, registry: &ModelRegistry, spec: ArmSpec) {
        let arm = spec.name.clone();
        self.folds.equipped.insert(arm.clone());
        match self.factory.build(&spec) {
            Ok(model) => {
                registry.set(spec, model);
                self.folds.unavailable.remove(&arm);
                self.folds.alarms.clear(&format!("adapter:{arm}"));
            }
            Err(reason) => {
                registry.set_unavailable(spec, &reason);
                let notice = Notice::of_arm("adapter", &arm, Severity::Warning, reason.clone()).remedy("deactivate");
                self.folds.alarms.raise(self.shared.now(), notice);
                self.folds.unavailable.insert(arm, reason);
            }
        }
    }
}
