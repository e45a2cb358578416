//! How a command fails: the exit code, what is said, and what to try. Everything below the command line
//! has errors of its own; here they become one line for a person.

use std::fmt;

use crate::domain::engine::EngineError;

/// 1 for what went wrong, 2 for what was wrongly asked or configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The world: exit code 1.
    Failed,
    /// The command line or the configuration: exit code 2.
    Usage,
}

/// Why a command ends.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) blame: Blame,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The reader of standard output has gone: nothing is said.
    pub(super) is_quiet: bool,
}

/// What every command gives.
pub(super) type Outcome<T = ()> = Result<T, CliError>;

impl CliError {
    /// Something went wrong.
    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Self { blame: Blame::Failed, message: message.to_string(), hint: None, is_quiet: false }
    }

    /// Something was wrongly asked or configured.
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self { blame: Blame::Usage, ..Self::failed(message) }
    }

    /// With what to try.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) const fn code(&self) -> u8 {
        match self.blame {
            Blame::Failed => 1,
            Blame::Usage => 2,
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        let is_quiet = super::output::is_closed_pipe(&error);
        Self { is_quiet, ..Self::failed(error) }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        Self::failed(error)
    }
}
