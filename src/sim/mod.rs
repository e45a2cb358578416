//! Simulated models as a real HTTP server on loopback, the scenarios that describe them, the prompt
//! suite, and the generator of traffic.
//!
//! Nothing outside knows that a model is simulated: the race reaches it through the same client, parser
//! and timeouts as any endpoint. Everything drawn is derived from (seed, model, prompt, n-th call of that
//! prompt), so the same calls give the same answers, delays and faults. Files are parsed elsewhere: this
//! room holds the types and their checks.

pub mod assets;

mod draw;
mod embed;
mod judge;
mod memory;
mod prompt;
mod scenario;
mod server;
mod stream;
mod suite;
mod text;
mod timeline;
mod traffic;
mod wire;
mod world;

pub use prompt::{Prompt, PromptSuite};
pub use scenario::{ChangeSpec, FailureRates, FirstToken, JudgingSpec, Length, ModelSpec, ScenarioSpec, Skill};
pub use server::{SimError, SimParts, SimServer};
pub use suite::SuiteSpec;
pub use timeline::Change;
pub use traffic::{TrafficDriver, TrafficOptions};
