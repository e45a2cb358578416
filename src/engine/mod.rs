//! The engine of this process: the owner task of the router's state, what it publishes, and the local
//! [`EngineHandle`](crate::domain::engine::EngineHandle).
//!
//! One task, the owner, is the only place that changes state. It takes messages from a bounded queue,
//! turns a batch of them into log entries, has the store take the batch (group commit), publishes the
//! new state behind an `ArcSwap`, and only then answers. Readers never wait for it: runs read a
//! [`Knowledge`](crate::race::Knowledge), screens an [`EngineSnapshot`](crate::domain::snapshot::EngineSnapshot)
//! that is published at most twenty times a second and only when it changed.
//!
//! Runs go in tasks of their own, which a tracker holds: none outlives the engine. A store that fails
//! never stops anything; acknowledgements then say *memory only*.

mod actions;
mod alarms;
mod ceiling;
mod commit;
mod conversations;
mod drift;
mod facts;
mod folds;
mod handle;
mod health;
mod history;
mod idempotency;
mod judge;
mod late;
mod ledger;
mod lifecycle;
mod message;
mod models;
mod outlay;
mod overlay;
mod owner;
mod parts;
mod periodic;
mod picture;
mod probes;
mod ratings;
mod recent;
mod rules;
mod runs;
mod shared;
mod start;
mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transfer;
mod watch;
mod what_if;

pub use health::HealthRules;
pub use lifecycle::{Engine, StartError, StopReport};
pub use parts::{EngineLimits, EngineParts};
pub use periodic::{AutomaticPrune, PeriodicDecay, PeriodicRules};
