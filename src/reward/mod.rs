//! Terms, references and the reward policy: how measurements and verdicts become numbers in [0, 1].
//!
//! ```text
//! reward = clamp01( Σ ωᵢ·termᵢ − penalty·fallbacks )
//! ```
//!
//! References (what counts as slow or dear) are frozen values given at construction, so that a term
//! never moves under history. Pure: measurements are arguments.

mod policy;
mod terms;

#[cfg(test)]
mod tests;

pub use policy::{QualityLatencyCostPolicy, RewardPolicy, clamp_bites};
pub use terms::{CandidateStats, GradedTerms, References};
