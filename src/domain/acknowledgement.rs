//! The answer to a command: applied, known already, or refused, and how well it is kept. Sent when the store has
//! answered; what the command itself is and does is not said here.

use serde::{Deserialize, Serialize};

use super::command::JournalEntry;
use super::ids::Sequence;

/// How well an acknowledged command is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On disk, synced.
    Durable,
    /// The disk is out of order: it will be lost with this process.
    MemoryOnly,
}

impl Durability {
    /// The words on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::MemoryOnly => "memory only",
        }
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Acknowledgement {
    /// Applied, at this place in the log.
    Applied {
        /// The journal line.
        entry: Box<JournalEntry>,
        /// How well it is kept.
        durability: Durability,
    },
    /// An identical command (same id) was applied before.
    Duplicate {
        /// Where.
        sequence: Sequence,
    },
    /// Refused; nothing changed.
    Rejected {
        /// What was expected, what was found, what to do.
        reason: String,
    },
}
