//! Who hears that an arm is no longer what it was: an alarm an arm, with its size, since when, and what
//! helps, and a mark on the charts. What was found is the router state's; here it is only told. The alarm
//! goes when the change is dealt with (a decay, a reset, an undo), when the arm is out of the pool, and by
//! itself after half an hour.

use std::time::Duration;

use crate::bandit::{ArmView, Drift};
use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::domain::snapshot::Mark;
use crate::domain::spec::DriftReaction;

use super::alarms::Notice;
use super::owner::Owner;

/// How long a change is news.
const NEWS: Duration = Duration::from_mins(30);
/// A change that was found longer ago than this was marked by an earlier process.
const FRESH: Duration = Duration::from_secs(10);

impl Owner {
    /// Raises and clears the alarms about changes; whether anything changed.
    pub(super) fn review_drift(&mut self, now: Timestamp) -> bool {
        let mut is_changed = false;
        let reaction = self.folds.state.config().drift.reaction;
        let mut marks = Vec::new();
        for arm in self.folds.state.arms() {
            let found = arm.drift.filter(|found| arm.lifecycle.is_candidate() && now.since(found.found) < NEWS);
            let subject = format!("drift:{}", arm.spec.name);
            let notice = found.map(|found| {
                if !self.folds.alarms.is_open(&subject) && now.since(found.found) < FRESH {
                    let label = format!("{} quality {:+.2}", arm.spec.name, found.size);
                    marks.push(Mark { at: found.found, label, by_person: false });
                }
                notice(&arm, &found, reaction)
            });
            is_changed |= self.folds.alarms.set(now, &subject, notice);
        }
        for mark in marks {
            self.folds.stats.mark(mark);
        }
        is_changed
    }
}

fn notice(arm: &ArmView<'_>, found: &Drift, reaction: DriftReaction) -> Notice {
    let name = &arm.spec.name;
    let since = found.since.clock_text();
    let fell = found.size < 0.0;
    let how = if fell { "fell" } else { "rose" };
    let change =
        format!("{name}: quality {how} by {:.2} since {since} ({} answers)", found.size.abs(), found.observations);
    let severity = if fell { Severity::Warning } else { Severity::Notice };
    match reaction {
        DriftReaction::Forget if fell => {
            let message = format!("{change}; what was learned before counts little now, and it is asked now and then");
            Notice::of_arm("drift", name, severity, message).remedy("deactivate")
        }
        DriftReaction::Forget => {
            let message = format!("{change}; what was learned before counts little now");
            Notice::of_arm("drift", name, severity, message)
        }
        _ => Notice::of_arm("drift", name, severity, change).remedy("decay"),
    }
}
