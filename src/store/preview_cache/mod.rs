//! Adapters of the preview cache: in memory, on disk beside the state, and in Redis where the program was
//! built for it. All pass the same contract. What a preview is kept under is the race's business.

#[cfg(test)]
mod contract;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod sled;
#[cfg(feature = "redis")]
mod standing;

#[cfg(feature = "redis")]
pub use self::redis::RedisPreviewCache;
pub use self::sled::SledPreviewCache;
pub use memory::MemoryPreviewCache;
