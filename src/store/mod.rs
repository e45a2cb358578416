//! Durable state: the command log, snapshots of what it folds to, run records, named values. One adapter
//! keeps them on disk in sled, one in memory; both pass the same contract. Beside it, previews that may be
//! used again (`preview_cache`).
//!
//! ```text
//! StateStore ── SledStore ── Threads ── Writer ── Ledger      what to write, numbered, without gaps
//!          └─── MemoryStore      └───── reader ── records     what is read, checked
//!                                View = Backend + what is not safely on it
//! ```
//!
//! Architecture invariants: nothing above `Backend` knows sled. Nothing here knows what a command or a
//! snapshot means. Nothing that is damaged is deleted. No caller waits for a disk that does not answer.

mod backend;
mod codec;
#[cfg(test)]
mod contract;
mod export;
mod holder;
mod ledger;
mod memory;
mod preview_cache;
mod records;
mod sled_backend;
mod sled_store;
mod status;
#[cfg(test)]
mod tests;
mod threaded;
mod view;
mod writer;

pub use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use preview_cache::RedisPreviewCache;
pub use preview_cache::{MemoryPreviewCache, SledPreviewCache};
pub use sled_store::{OpenOptions, SledStore, open_or_memory};
