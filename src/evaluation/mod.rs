//! What a router is worth, told from recorded outcomes: replay, comparison with significance, off-policy
//! estimates, priors. It reads records and runs no race. Pure: bytes and uniforms are arguments, so the
//! same seed gives the same figures on every machine.
//!
//! ```text
//! bytes ─ Records ─ Problem (contexts, rewards) ─ Replay × Contestant ─ passes ─ Report, Comparison
//! ```

mod chances;
mod compare;
mod contestant;
mod contexts;
mod drift;
mod ground;
pub mod logged;
pub mod off_policy;
mod pairs;
mod pass;
mod policy;
pub mod priors;
mod problem;
mod record_faults;
mod record_line;
pub mod records;
mod replay;
mod report;
mod routed;
pub mod statistics;
mod streams;
mod student;
mod two_samples;
pub mod variants;
mod yardsticks;

pub use chances::{Lost, Selections};
pub use compare::{Comparison, Difference, compare};
pub use contestant::{Contestant, Name};
pub use drift::{Change, ChangeFault, Join, What, Whom};
pub use ground::Course;
pub use pass::Pass;
pub use policy::{Policy, Seen};
pub use problem::{ContextSource, Counting, Problem, ProblemFault};
pub use records::Records;
pub use replay::{Options, Replay, ReplayFault};
pub use report::Report;
pub use routed::{Routed, RouterSetup};
pub use streams::{Generator, Uniforms};

#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod tests;
