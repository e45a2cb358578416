//! The adapters of the pool, by arm. The engine puts one in when an arm is added or its declaration
//! changes, and takes it out when an arm is removed; a race looks arms up when it calls them, so a change
//! takes effect at the next call. An arm whose adapter could not be built is kept with the reason, so
//! that a run can say what to mend.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::answer::ChatModel;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::money::Price;
use crate::domain::spec::ArmSpec;

/// One arm as a race calls it.
#[derive(Clone)]
pub struct RegisteredArm {
    /// Its declaration.
    pub spec: ArmSpec,
    /// Its adapter, or why there is none.
    pub model: Result<Arc<dyn ChatModel>, Failure>,
}

/// Arms by name, with their adapters.
#[derive(Default)]
pub struct ModelRegistry {
    arms: RwLock<BTreeMap<ArmId, RegisteredArm>>,
}

impl ModelRegistry {
    /// A registry without arms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an arm, or replaces the one of that name.
    pub fn set(&self, spec: ArmSpec, model: Arc<dyn ChatModel>) {
        self.put(RegisteredArm { spec, model: Ok(model) });
    }

    /// Adds an arm that cannot be called, with what to mend (never a secret): calls to it fail with that
    /// message in the class *configuration*.
    pub fn set_unavailable(&self, spec: ArmSpec, reason: &str) {
        let failure = Failure::new(FailureClass::Configuration, "no_adapter", reason);
        self.put(RegisteredArm { spec, model: Err(failure) });
    }

    fn put(&self, arm: RegisteredArm) {
        let mut arms = self.arms.write().unwrap_or_else(PoisonError::into_inner);
        arms.insert(arm.spec.name.clone(), arm);
    }

    /// Takes an arm out; whether it was there.
    pub fn remove(&self, arm: &ArmId) -> bool {
        self.arms.write().unwrap_or_else(PoisonError::into_inner).remove(arm).is_some()
    }

    /// The arm of that name.
    #[must_use]
    pub fn get(&self, arm: &ArmId) -> Option<RegisteredArm> {
        self.arms.read().unwrap_or_else(PoisonError::into_inner).get(arm).cloned()
    }

    /// The adapter of an arm.
    ///
    /// # Errors
    /// A failure of the class *configuration* where the arm is unknown or its adapter could not be built.
    pub fn model(&self, arm: &ArmId) -> Result<Arc<dyn ChatModel>, Failure> {
        match self.get(arm) {
            Some(registered) => registered.model,
            None => Err(Failure::new(FailureClass::Configuration, "no_adapter", format!("arm `{arm}` has no adapter"))),
        }
    }

    /// Dollars per million tokens of an arm, where they are known.
    #[must_use]
    pub fn price(&self, arm: &ArmId) -> Option<Price> {
        self.arms.read().unwrap_or_else(PoisonError::into_inner).get(arm).and_then(|a| a.spec.price)
    }
}
