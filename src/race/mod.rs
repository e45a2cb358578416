//! The orchestrator of one run: from features over the gate, previews and the judge to the full answer,
//! and to what the run taught. It calls models through a port and knows no HTTP; it reads an immutable
//! picture of what was learned and hands an observation back, so it changes no state; it has no store.
//!
//! A run is one future. Everything it starts is polled inside it, so dropping or cancelling the run drops
//! every stream of it at once, and nothing is left behind.

mod afterwards;
mod answers;
mod budget;
mod cached;
mod call;
mod config;
mod distrust;
mod embedding;
mod events;
mod extra;
mod flags;
mod full;
mod gate;
mod hedge;
mod holds;
mod json;
mod judge;
mod judge_health;
mod judge_pace;
mod local_judge;
mod models;
mod opinion;
mod order;
mod outlet;
mod pair;
mod policies;
mod preview;
mod probe;
mod reading;
mod recollection;
mod report;
mod retry;
mod rolling;
mod run;
mod scale;
mod search;
mod sessions;
mod shares;
mod signals;
mod stages;
mod teach;
mod timeouts;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

pub use afterwards::{Afterwards, LateVerdict};
pub use budget::{BudgetRules, DayAccount, DayFull, Reservation};
pub use config::{JudgeConfig, PhaseTimeouts, RaceConfig};
pub use embedding::{EmbeddingSample, EmbeddingSource};
pub use events::{EventSink, Gone};
pub use extra::{Denied, Endpoint, Extra, ExtraBudget, ExtraRules};
pub use hedge::{HedgeRules, HedgeStart};
pub use holds::{Hold, Holds};
pub use judge::JudgeChoice;
pub use judge_health::{JudgeOut, JudgeOutages};
pub use models::{ModelRegistry, RegisteredArm};
pub use policies::{GateRules, PolicyRules, SessionRules};
pub use retry::{Retry, RetryRules};
pub use run::{Knowledge, Race, RaceParts, RunInput, RunReport};
pub use scale::ScaleFit;
pub use search::SearchSource;
pub use signals::{ArmSignal, SignalFold, Signals};
pub use timeouts::{FollowRules, Pace, Paces};
