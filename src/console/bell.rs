//! When to ring: for an alarm that was not open before, but about one subject not twice within a minute. An
//! alarm that comes and goes is heard once and read on the screen.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::alarm::{Alarm, Severity};
use crate::domain::clock::Timestamp;

/// Between two rings for one subject, at least.
const APART: Duration = Duration::from_mins(1);

/// When it rang last, by subject, within the last minute.
#[derive(Debug, Default)]
pub(crate) struct Bell(BTreeMap<String, Timestamp>);

impl Bell {
    /// Whether to ring at `at`, where `before` were open and `now` are.
    pub(crate) fn rings(&mut self, before: &[Alarm], now: &[Alarm], at: Timestamp) -> bool {
        self.0.retain(|_, rang| at >= *rang && at.since(*rang) < APART);
        let is_new = |alarm: &&Alarm| {
            let is_known = before.iter().any(|known| known.subject == alarm.subject);
            alarm.severity > Severity::Notice && !is_known && !self.0.contains_key(&alarm.subject)
        };
        let new: Vec<String> = now.iter().filter(is_new).map(|alarm| alarm.subject.clone()).collect();
        let is_any = !new.is_empty();
        self.0.extend(new.into_iter().map(|subject| (subject, at)));
        is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_for_what_is_new_and_once_a_minute_for_what_comes_and_goes() {
        let alarm = |subject: &str, severity| Alarm {
            subject: subject.into(),
            severity,
            at: Timestamp::from_millis(0),
            arm: None,
            message: String::new(),
            told: None,
            remedy: None,
        };
        let mut bell = Bell::default();
        let at = |seconds: u64| Timestamp::from_millis(1_000_000 + seconds * 1_000);
        let open = [alarm("slo:p95", Severity::Warning)];
        assert!(!bell.rings(&[], &[alarm("a", Severity::Notice)], at(0)));
        let rang: Vec<u64> = (0..180).filter(|n| bell.rings(&[], &open[..usize::from(n % 2 == 0)], at(*n))).collect();
        assert_eq!(rang, [0, 60, 120]);
        assert!(bell.rings(&open, &[alarm("slo:p95", Severity::Warning), alarm("b", Severity::Critical)], at(130)));
        assert!(!bell.rings(&open, &open, at(1_000)), "what is open rings no more");
        assert!(bell.rings(&[], &open, at(5)), "a clock that was set back silences nothing");
    }
}
