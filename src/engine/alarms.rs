//! The alarms that are open: one a subject. Raising one that is open keeps the time at which it began
//! and takes the newer words; one that is now better or worse begins anew.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::alarm::{Alarm, Severity};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::observer::Condition;

/// Open alarms by subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    open: BTreeMap<String, Alarm>,
    /// Subjects that whoever looks on raised.
    observed: Vec<String>,
}

/// What an alarm says, before it has a time.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub subject: String,
    pub severity: Severity,
    pub arm: Option<ArmId>,
    pub message: String,
    /// The name of an action in the registry.
    pub remedy: Option<&'static str>,
}

impl Notice {
    /// An alarm about the whole.
    pub(super) fn new(subject: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), severity, arm: None, message: message.into(), remedy: None }
    }

    /// An alarm about one arm; the subject is `kind:arm`.
    pub(super) fn of_arm(kind: &str, arm: &ArmId, severity: Severity, message: impl Into<String>) -> Self {
        Self { arm: Some(arm.clone()), ..Self::new(&format!("{kind}:{arm}"), severity, message) }
    }

    /// With the action that helps.
    pub(super) fn remedy(mut self, action: &'static str) -> Self {
        self.remedy = Some(action);
        self
    }
}

impl Alarms {
    /// Opens an alarm or brings its words up to date; whether anything changed.
    pub(super) fn raise(&mut self, at: Timestamp, notice: Notice) -> bool {
        let Notice { subject, severity, arm, message, remedy } = notice;
        let began = self.open.get(&subject).filter(|alarm| alarm.severity == severity).map_or(at, |alarm| alarm.at);
        let remedy = remedy.map(str::to_owned);
        let alarm = Alarm { subject: subject.clone(), severity, at: began, arm, message, remedy };
        let changed = self.open.get(&subject) != Some(&alarm);
        if !self.open.contains_key(&subject) {
            // What is said about an arm may be an endpoint's words, and those may repeat the prompt.
            let message = Some(alarm.message.as_str()).filter(|_| alarm.arm.is_none());
            tracing::warn!(subject, message, "alarm raised");
        }
        self.open.insert(subject, alarm);
        changed
    }

    /// Closes an alarm; whether one was open.
    pub(super) fn clear(&mut self, subject: &str) -> bool {
        let was_open = self.open.remove(subject).is_some();
        if was_open {
            tracing::info!(subject, "alarm cleared");
        }
        was_open
    }

    /// Raises or clears by `holds`; whether anything changed.
    pub(super) fn set(&mut self, at: Timestamp, subject: &str, notice: Option<Notice>) -> bool {
        match notice {
            Some(notice) => self.raise(at, notice),
            None => self.clear(subject),
        }
    }

    /// Raises what whoever looks on says, and clears what it said before and does not say any more; whether
    /// anything changed.
    pub(super) fn observed(&mut self, at: Timestamp, conditions: Vec<Condition>) -> bool {
        let held = std::mem::take(&mut self.observed);
        let mut is_changed = false;
        for gone in held.iter().filter(|subject| conditions.iter().all(|condition| condition.subject != **subject)) {
            is_changed |= self.clear(gone);
        }
        for Condition { subject, severity, message, remedy } in conditions {
            self.observed.push(subject.clone());
            is_changed |= self.raise(at, Notice { subject, severity, arm: None, message, remedy });
        }
        is_changed
    }

    /// Newest first; the worse one first among those of one moment.
    pub(super) fn list(&self) -> Vec<Alarm> {
        let mut list: Vec<Alarm> = self.open.values().cloned().collect();
        list.sort_by_key(|alarm| Reverse((alarm.at, alarm.severity)));
        list
    }

    /// Whether one is open about that subject.
    pub(super) fn is_open(&self, subject: &str) -> bool {
        self.open.contains_key(subject)
    }

    /// Closes every alarm about an arm.
    pub(super) fn clear_arm(&mut self, arm: &ArmId) {
        self.open.retain(|_, alarm| alarm.arm.as_ref() != Some(arm));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alarm_a_subject_with_the_time_it_began() {
        let mut alarms = Alarms::default();
        let at = Timestamp::from_millis;
        let arm = ArmId::from("orbit");
        let notice = |text: &str| Notice::of_arm("ejected", &arm, Severity::Warning, text).remedy("deactivate");
        assert!(alarms.raise(at(1), notice("5 failures")));
        assert!(!alarms.raise(at(2), notice("5 failures")));
        assert!(alarms.raise(at(3), notice("6 failures")));
        alarms.raise(at(4), Notice::new("store", Severity::Critical, "disk full"));
        let list = alarms.list();
        assert_eq!((list[0].subject.as_str(), list[1].subject.as_str()), ("store", "ejected:orbit"));
        assert_eq!((list[1].at, list[1].message.as_str()), (at(1), "6 failures"));
        alarms.raise(at(5), Notice::of_arm("ejected", &arm, Severity::Notice, "it is back"));
        assert_eq!(alarms.list()[0].at, at(5), "what is another thing now began now");
        assert!(alarms.clear("store") && !alarms.clear("store"));
        alarms.clear_arm(&arm);
        assert!(alarms.list().is_empty());
    }

    #[test]
    fn what_a_looker_on_says_no_more_is_cleared() {
        let mut alarms = Alarms::default();
        let at = Timestamp::from_millis;
        alarms.raise(at(1), Notice::new("store", Severity::Critical, "disk full"));
        let slo = |message: &str| Condition {
            subject: "slo:p95".to_owned(),
            severity: Severity::Warning,
            message: message.to_owned(),
            remedy: Some("deactivate"),
        };
        assert!(alarms.observed(at(2), vec![slo("burns")]));
        assert!(!alarms.observed(at(3), vec![slo("burns")]));
        assert_eq!(alarms.list().len(), 2);
        assert!(alarms.observed(at(4), vec![]));
        assert_eq!(alarms.list()[0].subject, "store");
    }
}
