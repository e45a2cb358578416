//! The adapters against the contract, and what only the one on disk can do: be opened again, be
//! damaged, be held, fail and hang.

mod disk;
mod faults;

use std::sync::Arc;

use super::MemoryStore;
use super::contract::keeps_the_contract;
use crate::domain::command::Durability;

#[tokio::test]
async fn in_memory() {
    keeps_the_contract(Durability::MemoryOnly, || Arc::new(MemoryStore::new())).await;
}
