//! The router: pure mathematics over a log of commands.
//!
//! [`RouterState`] is a fold over [`LogEntry`](crate::domain::command::LogEntry)s and nothing else; a
//! [`Router`] reads it to choose arms. No clock, no generator, no I/O, no async: the time of a command
//! and every random number are arguments. The inner loops are our own scalar code, so that the same log
//! gives the same statistics bit for bit; nalgebra inverts what elimination would lose digits of.

mod arms;
mod beliefs;
mod beside;
mod bounds;
mod choose;
mod config;
mod desk;
mod drift;
mod factor;
mod fold;
mod foremost;
mod kernels;
mod lens;
mod noise;
mod normal;
mod pacer;
mod policies;
mod prepare;
mod probe;
mod recent;
mod refold;
mod regression;
mod router;
mod shrinkage;
mod snapshot;
mod state;
mod stats;
mod what_if;
mod words;

#[cfg(test)]
mod tests;

pub use beliefs::prior_fault;
pub use bounds::{Bounds, Way};
pub use config::{Noise, PriorConfig, RouterConfig};
pub use desk::Desk;
pub use drift::{Drift, DriftConfig};
pub use lens::Estimate;
pub use pacer::{Account, InFlight};
pub use policies::{Baseline, LinTs, LinUcb, UNIFORM_SHARE, Uniform};
pub use prepare::{Rejection, faults_of};
pub use refold::{exclusions, refold};
pub use router::{Contexts, Router, Selection, router};
pub use snapshot::StateFault;
pub use state::{ArmView, RouterState};
pub use what_if::{Outlays, Side, what_if};
