//! The settings of policies that stand beside the router: what is remembered, compared, and held on to.

use std::time::Duration;

/// `[cache]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CacheSettings {
    /// Where previews are kept.
    pub kind: CacheKind,
    /// Cosine of two prompts from which one preview serves both, in [0, 1].
    pub threshold: f64,
    /// How long one may be used.
    pub ttl: Duration,
    /// How many are kept.
    pub max: usize,
}

/// Where previews are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheKind {
    /// Nowhere.
    Off,
    /// In memory.
    #[default]
    Memory,
    /// On disk, in the data directory.
    Sled,
}

impl CacheKind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Off, "off"), (Self::Memory, "memory"), (Self::Sled, "sled")];
}
