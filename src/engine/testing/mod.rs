//! What the engine's tests share: hand-made run records, scripted models, a store in memory that can
//! be broken at will.

mod records;
mod store;

pub(crate) use records::record;
pub(crate) use store::FakeStore;
