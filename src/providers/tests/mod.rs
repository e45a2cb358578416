//! The adapters against endpoints that misbehave: one row per fault, over a raw TCP server, so that
//! what is on the wire is exactly what the row says. `contract.rs` runs on every wire format.

mod anthropic;
mod contract;
mod embeddings;
mod faults;
mod recorded;
pub(super) mod server;
mod streams;
mod wires;
