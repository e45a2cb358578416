//! The alarms that are open: one a subject. Raising one that is open keeps the time at which it began
//! and takes the newer words; one that is now better or worse begins anew. What hovers about a threshold
//! stays open until it has been over for some time, so that nobody is called again and again.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::alarm::{Alarm, Severity};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::observer::Condition;

/// How long it must have been better before an alarm about a rate is closed, or called less bad.
const HOLD: Duration = Duration::from_secs(10);

/// Open alarms by subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    open: BTreeMap<String, Alarm>,
    /// Subjects that whoever looks on raised.
    observed: Vec<String>,
    /// Since when what is open has been better than it says, by subject.
    easing: BTreeMap<String, Timestamp>,
}

/// What an alarm says, before it has a time.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub subject: String,
    pub severity: Severity,
    pub arm: Option<ArmId>,
    pub message: String,
    /// The message without an endpoint's words, where it has any.
    pub told: Option<String>,
    /// The name of an action in the registry.
    pub remedy: Option<&'static str>,
}

impl Notice {
    /// An alarm about the whole.
    pub(super) fn new(subject: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), severity, arm: None, message: message.into(), told: None, remedy: None }
    }

    /// An alarm about one arm; the subject is `kind:arm`.
    pub(super) fn of_arm(kind: &str, arm: &ArmId, severity: Severity, message: impl Into<String>) -> Self {
        Self { arm: Some(arm.clone()), ..Self::new(&format!("{kind}:{arm}"), severity, message) }
    }

    /// The message quotes an endpoint; `told` does not.
    pub(super) fn told(mut self, told: impl Into<String>) -> Self {
        self.told = Some(told.into());
        self
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
        let Notice { subject, severity, arm, message, told, remedy } = notice;
        let began = self.open.get(&subject).filter(|alarm| alarm.severity == severity).map_or(at, |alarm| alarm.at);
        let remedy = remedy.map(str::to_owned);
        let alarm = Alarm { subject: subject.clone(), severity, at: began, arm, message, told, remedy };
        let changed = self.open.get(&subject) != Some(&alarm);
        if !self.open.contains_key(&subject) {
            tracing::warn!(subject, message = alarm.own_words(), "alarm raised");
        }
        self.open.insert(subject, alarm);
        changed
    }

    /// Closes an alarm; whether one was open.
    pub(super) fn clear(&mut self, subject: &str) -> bool {
        self.easing.remove(subject);
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

    /// As [`Self::set`], for what follows a rate: better is believed after [`HOLD`] alone.
    pub(super) fn hold(&mut self, at: Timestamp, subject: &str, notice: Option<Notice>) -> bool {
        let Some(severity) = self.open.get(subject).map(|alarm| alarm.severity) else {
            return self.set(at, subject, notice);
        };
        if notice.as_ref().is_some_and(|notice| notice.severity >= severity) {
            self.easing.remove(subject);
            return self.set(at, subject, notice);
        }
        let since = self.easing.entry(subject.to_owned()).or_insert(at);
        // A clock that was set back begins anew.
        *since = at.min(*since);
        if at.since(*since) >= HOLD {
            self.easing.remove(subject);
            return self.set(at, subject, notice);
        }
        notice.is_some_and(|notice| self.raise(at, Notice { severity, ..notice }))
    }

    /// Raises what whoever looks on says, and clears what it said before and does not say any more; whether
    /// anything changed.
    pub(super) fn observed(&mut self, at: Timestamp, conditions: Vec<Condition>) -> bool {
        let held = std::mem::take(&mut self.observed);
        let mut is_changed = false;
        for gone in held.iter().filter(|subject| conditions.iter().all(|condition| condition.subject != **subject)) {
            is_changed |= self.hold(at, gone, None);
            if self.is_open(gone) {
                self.observed.push(gone.clone());
            }
        }
        for Condition { subject, severity, message, remedy } in conditions {
            self.observed.push(subject.clone());
            let notice = Notice { remedy, ..Notice::new(&subject, severity, message) };
            is_changed |= self.hold(at, &subject, Some(notice));
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
        self.easing.retain(|subject, _| self.open.contains_key(subject));
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
        assert!(!alarms.observed(at(4), vec![]));
        assert!(!alarms.observed(at(10_003), vec![]));
        assert_eq!(alarms.list().len(), 2, "not yet for ten seconds");
        assert!(alarms.observed(at(10_004), vec![]));
        assert_eq!(alarms.list()[0].subject, "store");
    }

    #[test]
    fn what_hovers_about_its_threshold_is_one_alarm_and_gets_worse_at_once_but_better_late() {
        let mut alarms = Alarms::default();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let of = |severity| Some(Notice::new("fallbacks", severity, "x"));
        for second in 0..60 {
            alarms.hold(at(second), "fallbacks", of(Severity::Warning).filter(|_| second % 9 == 0));
            assert_eq!(alarms.list().iter().map(|alarm| alarm.at).collect::<Vec<_>>(), [at(0)], "{second}");
        }
        alarms.hold(at(60), "fallbacks", of(Severity::Critical));
        assert_eq!(alarms.list()[0].at, at(60), "worse is another alarm");
        alarms.hold(at(61), "fallbacks", of(Severity::Warning));
        assert_eq!(alarms.list()[0].severity, Severity::Critical);
        alarms.hold(at(71), "fallbacks", of(Severity::Warning));
        assert_eq!((alarms.list()[0].severity, alarms.list()[0].at), (Severity::Warning, at(71)));
        alarms.hold(at(72), "fallbacks", None);
        // A clock that was set back keeps nothing open for longer.
        alarms.hold(at(2), "fallbacks", None);
        assert!(alarms.hold(at(12), "fallbacks", None) && alarms.list().is_empty());
    }
}
