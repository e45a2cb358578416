//! Identifiers. An arm is identified by its name in the configuration; a run and a command by a
//! time-ordered number that a person can read out. Nothing here draws randomness: entropy is an argument.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clock::Timestamp;

/// The name of an arm: one model at one endpoint. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArmId(Arc<str>);

impl ArmId {
    /// An id from a configured name; validity of names is the settings' business.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for ArmId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Borrow<str> for ArmId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A time-ordered identifier: 48 bits of milliseconds, 64 bits of entropy, written as 28 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeId {
    millis: u64,
    entropy: u64,
}

impl TimeId {
    /// An identifier made at `at`, told apart from others of the same millisecond by `entropy`.
    #[must_use]
    pub fn new(at: Timestamp, entropy: u64) -> Self {
        Self { millis: at.millis() & 0xffff_ffff_ffff, entropy }
    }

    /// The moment in the identifier.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.millis)
    }

    /// The last six digits: enough to tell runs apart on a screen.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{:06x}", self.entropy & 0x00ff_ffff)
    }
}

impl fmt::Display for TimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}{:016x}", self.millis, self.entropy)
    }
}

impl fmt::Debug for TimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not an identifier: expected 28 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of 28 hexadecimal digits, found {found:?}")]
pub struct IdError {
    /// The text as given, cut to 40 characters.
    pub found: String,
}

impl FromStr for TimeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fault = || IdError { found: text.chars().take(40).collect() };
        if text.len() != 28 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(fault());
        }
        let (head, tail) = text.split_at(12);
        let parse = |part: &str| u64::from_str_radix(part, 16).map_err(|_| fault());
        Ok(Self { millis: parse(head)?, entropy: parse(tail)? })
    }
}

impl Serialize for TimeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The identifier of one run.
pub type RunId = TimeId;
/// The idempotency identifier of one command: applying the same one twice changes nothing.
pub type CommandId = TimeId;
/// Position in the command log; the first command has sequence 1, an empty log is at 0.
pub type Sequence = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_time_and_survive_text() {
        let early = TimeId::new(Timestamp::from_millis(1_000), u64::MAX);
        let late = TimeId::new(Timestamp::from_millis(1_001), 0);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<TimeId>(), Ok(early));
        assert_eq!(late.at(), Timestamp::from_millis(1_001));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        for text in ["", "xyz", "+0000000000000000000000000000", "00000000000000000000000000000é"] {
            assert!(text.parse::<TimeId>().is_err(), "{text}");
        }
    }
}
