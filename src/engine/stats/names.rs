//! Arms as small numbers, so that a stored run names an arm in two bytes. A pool has a handful of
//! arms, so a look-up is a walk; an arm that was removed keeps its number.

use serde::{Deserialize, Serialize};

use crate::domain::ids::ArmId;

/// The arms ever seen, in the order in which they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Names(Vec<ArmId>);

impl Names {
    /// The number of `arm`, a new one where it has none. Past 65,535 arms they share the last number.
    pub(super) fn index(&mut self, arm: &ArmId) -> u16 {
        self.find(arm).unwrap_or_else(|| {
            if self.0.len() < usize::from(u16::MAX) {
                self.0.push(arm.clone());
            }
            u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX)
        })
    }

    /// The number of `arm`, where it has one.
    pub(super) fn find(&self, arm: &ArmId) -> Option<u16> {
        self.0.iter().position(|each| each == arm).and_then(|at| u16::try_from(at).ok())
    }
}
