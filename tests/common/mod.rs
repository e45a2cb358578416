//! What several integration tests share.
#![allow(dead_code, reason = "each test binary uses its own part of this module")]

pub(crate) mod data;
pub(crate) mod engine_contract;
pub(crate) mod fake_engine;
pub(crate) mod program;
pub(crate) mod replay;
pub(crate) mod scripted;
pub(crate) mod source;
pub(crate) mod watched;

use std::path::PathBuf;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
