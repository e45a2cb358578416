//! The adapter against endpoints that misbehave: one row per fault, over a raw TCP server, so that
//! what is on the wire is exactly what the row says.

mod embeddings;
mod faults;
mod server;
mod streams;
