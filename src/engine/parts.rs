//! What an engine is made of. The composition root builds the parts; the engine never reads settings.

use std::sync::Arc;
use std::time::Duration;

use crate::bandit::RouterConfig;
use crate::domain::answer::ModelFactory;
use crate::domain::observer::Observer;
use crate::domain::spec::{ConfigFacts, Strategy};
use crate::domain::store::StateStore;
use crate::race::Race;

use super::health::HealthRules;
use super::periodic::PeriodicRules;

/// The parts of an engine.
pub struct EngineParts {
    /// Where state is kept; open, and held by this process alone.
    pub store: Arc<dyn StateStore>,
    /// The orchestrator of a run. Its registry of models is filled by the engine, through `factory`.
    pub race: Race,
    /// Builds the adapter of an arm, at start and whenever one is added.
    pub factory: Arc<dyn ModelFactory>,
    /// What the configuration says about things that a person may change too.
    pub facts: ConfigFacts,
    /// The same with what flags say, for this start alone; `None` without flags.
    pub session: Option<ConfigFacts>,
    /// The router's mathematics; its schema is the race's.
    pub router_config: RouterConfig,
    /// The configured strategy.
    pub strategy: Strategy,
    /// Everything random in runs follows from it.
    pub seed: u64,
    /// What the engine takes on.
    pub limits: EngineLimits,
    /// When arms are taken out for a time.
    pub health: HealthRules,
    /// What is forgotten and who is pruned as time goes by.
    pub periodic: PeriodicRules,
    /// Who is told what happens, and asked how objectives stand.
    pub observer: Arc<dyn Observer>,
}

/// What the engine takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Runs in flight; a further one is refused as busy.
    pub max_in_flight: u64,
    /// Events that a run may be ahead of its reader.
    pub event_buffer: usize,
    /// How long stopping waits for runs in flight before it cancels them.
    pub drain: Duration,
    /// Log entries after which a snapshot of the state is stored.
    pub snapshot_entries: u64,
    /// Time after which one is stored where anything changed.
    pub snapshot_every: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 256,
            event_buffer: 256,
            drain: Duration::from_secs(5),
            snapshot_entries: 500,
            snapshot_every: Duration::from_mins(5),
        }
    }
}
