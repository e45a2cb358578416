//! Alarms: what a person on call must know, with the remedy beside it. Raised and cleared by the
//! engine; acknowledged by a person.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::ArmId;

/// One alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it is about; one alarm a subject is open at a time: `ejected:orbit`, `store`, …
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// When it was raised.
    pub at: Timestamp,
    /// The arm, where it is about one.
    pub arm: Option<ArmId>,
    /// What happened, in one line.
    pub message: String,
    /// The same without the words of an endpoint, which may repeat a prompt: for whoever is not to see those.
    /// Absent where the message has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// What to do: the name of an action in the registry, with what it would do.
    pub remedy: Option<String>,
}

impl Alarm {
    /// What happened, in our own words alone.
    #[must_use]
    pub fn own_words(&self) -> &str {
        self.told.as_deref().unwrap_or(&self.message)
    }
}

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Notice,
    /// Look at it.
    Warning,
    /// Act.
    Critical,
}
