//! What the engine's tests share: hand-made run records, scripted models, a store in memory that can
//! be broken at will, an engine on all of these.

mod models;
mod records;
pub(crate) mod rig;
mod store;

pub(crate) use models::{Flat, Script, Stage};
pub(crate) use records::record;
pub(crate) use rig::Rig;
pub(crate) use store::FakeStore;
