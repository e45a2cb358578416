//! What is wrong with an answer that can be seen without asking anybody: guardrail signals. They are facts
//! about a text; what follows from them is said here once, for the race, the router and every screen.
//!
//! | flag | what was seen | in an answer | in a preview |
//! |---|---|---|---|
//! | `empty` | nothing, or reasoning alone | fails, class *content*: falls back, quality 0 | the same |
//! | `refusal` | the arm declines, or a filter of its endpoint stopped it | the same | the same |
//! | `broken_format` | JSON was asked for, and this is none | the same | the same, where it cannot become any |
//! | `repetition` | the end goes round in a loop | served, not *resolved* | flagged |
//! | `wrong_language` | another language than the prompt's, or than the one asked for | the same | flagged |
//! | `cut_off` | it ends at a token limit, or in an open code block | the same | never: every preview is cut |
//! | `influence` | it speaks to whoever judges it: a verdict of its own, a score that it asks for | the same | not shown to the judge beside others; scores at most half of the lowest of them, and 0.5 |
//!
//! An answer with any flag is no clear winner of two that run beside each other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One guardrail signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Nothing was answered.
    Empty,
    /// The arm, or a filter of its endpoint, declined.
    Refusal,
    /// The end repeats itself over and over.
    Repetition,
    /// JSON was asked for, and the answer is none, or not of the schema.
    BrokenFormat,
    /// Not the prompt's language, nor one that was asked for.
    WrongLanguage,
    /// The answer stops before its end.
    CutOff,
    /// The text tries to sway whoever judges it.
    Influence,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::Refusal,
        Self::Repetition,
        Self::BrokenFormat,
        Self::WrongLanguage,
        Self::CutOff,
        Self::Influence,
    ];

    /// The name in records, metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Refusal => "refusal",
            Self::Repetition => "repetition",
            Self::BrokenFormat => "broken_format",
            Self::WrongLanguage => "wrong_language",
            Self::CutOff => "cut_off",
            Self::Influence => "influence",
        }
    }

    /// Whether an answer with it cannot be served: a failure of the class *content*. The others are facts
    /// that an answer is served with.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Empty | Self::Refusal | Self::BrokenFormat)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
