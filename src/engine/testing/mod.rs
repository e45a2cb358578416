//! What the engine's tests share: hand-made run records, scripted models, a store in memory that can
//! be broken at will.

mod records;

pub(crate) use records::record;
