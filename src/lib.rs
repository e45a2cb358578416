//! banditop: a terminal operations console for LLM routing.
//!
//! Rooms and the direction of their arrows are in `ARCHITECTURE.md`; `tests/architecture.rs` enforces
//! them. This library exists for the binary, the tests and the benchmarks; it is not a public API.

pub mod bandit;
pub mod cli;
pub mod client;
pub mod console;
pub mod domain;
pub mod engine;
pub mod evaluation;
pub mod features;
pub mod gateway;
pub mod providers;
pub mod race;
pub mod reward;
pub mod settings;
pub mod sim;
pub mod store;
pub mod telemetry;
