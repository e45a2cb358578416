//! What the engine does by itself: takes out arms that fail and lets them back, ends a mode that has
//! expired, raises and clears alarms. Every change goes through the log like a person's, by the actor
//! `rule`.

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::failure::FailureClass;
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;
use crate::domain::spec::{Lifecycle, Mode};

use super::alarms::Notice;
use super::health::{Ejection, finding};
use super::owner::Owner;

impl Owner {
    /// Takes out arms that this run shows to be failing, but for the last one that could answer.
    pub(super) fn review_health(&mut self, record: &RunRecord) {
        let signals = self.folds.signals.summary();
        let in_a_row = |arm: &ArmId| signals.get(arm).map_or(0, |signal| signal.consecutive_failures);
        for ejection in self.folds.health.judge(record, in_a_row, self.shared.now()) {
            self.eject(ejection);
        }
    }

    /// Takes out arms that have no adapter.
    pub(super) fn eject_unavailable(&mut self) {
        let until = self.shared.now().plus(self.folds.health.rules().configuration);
        let unavailable: Vec<(ArmId, String)> =
            self.folds.unavailable.iter().map(|(arm, reason)| (arm.clone(), reason.clone())).collect();
        for (arm, reason) in unavailable {
            let reason = format!("{}: {reason}", FailureClass::Configuration);
            self.eject(Ejection { arm, until, reason });
        }
    }

    /// Lets arms back that were out for a setting and have an adapter now: the restart may have mended it.
    pub(super) fn reinstate_mended(&mut self) {
        let prefix = FailureClass::Configuration.name();
        let is_mended = |arm: &ArmId| !self.folds.unavailable.contains_key(arm);
        let ejected = self.folds.state.arms().filter(|arm| arm.lifecycle == Lifecycle::Ejected);
        let mended: Vec<ArmId> = ejected
            .filter(|arm| arm.reason.is_some_and(|reason| reason.starts_with(prefix)) && is_mended(&arm.spec.name))
            .map(|arm| arm.spec.name.clone())
            .collect();
        for arm in mended {
            self.by_rule("restart", RouterCommand::Reinstate { arm });
        }
    }

    /// What time asks for.
    pub(super) fn rules(&mut self) {
        let now = self.shared.now();
        if self.folds.state.mode_expired(now) {
            self.by_rule("expiry", RouterCommand::SetMode { mode: Mode::default() });
        }
        for arm in self.due_back(now) {
            self.by_rule("health", RouterCommand::Reinstate { arm });
        }
        self.review_periodic(now);
        self.is_dirty |= self.review_alarms(now) || self.folds.stats.moves_by_itself(now);
    }

    /// Raises and clears what follows from the state; whether anything changed.
    pub(super) fn review_alarms(&mut self, now: Timestamp) -> bool {
        let mut is_changed = self.review_ejected(now) | self.review_drift(now) | self.review_ceiling(now);
        let store = self.ledger.is_degraded().then(|| {
            let status = self.ledger.status();
            let message = status.notice.unwrap_or_else(|| "commands are kept in memory only".to_owned());
            Notice::new("store", Severity::Critical, message)
        });
        is_changed |= self.folds.alarms.set(now, "store", store);
        is_changed |= self.folds.alarms.observed(now, self.shared.observer.conditions());
        let rules = self.folds.health.rules();
        let (runs, rate) = self.folds.stats.fallback_rate();
        let rate = rate.map_or(0.0, crate::domain::ratio::Ratio::get);
        let fallbacks = (runs >= rules.fallback_runs && rate > rules.fallback_rate).then(|| {
            let percent = (rate * 100.0).round();
            let message = format!("{percent} % of the last {runs} runs needed a fallback");
            Notice::new("fallbacks", Severity::Warning, message).remedy("deactivate")
        });
        is_changed | self.folds.alarms.hold(now, "fallbacks", fallbacks)
    }

    fn review_ejected(&mut self, now: Timestamp) -> bool {
        let mut is_changed = false;
        for arm in self.folds.state.arms() {
            // That an arm has no adapter is an alarm of its own, which says what to mend.
            let is_equipped = !self.folds.unavailable.contains_key(&arm.spec.name);
            let notice = (arm.lifecycle == Lifecycle::Ejected && is_equipped).then(|| {
                let until = arm.until.map_or_else(String::new, |until| format!(", back at {}", until.clock_text()));
                let reason = arm.reason.unwrap_or("failing");
                let say = |reason: &str| format!("{} is out{until}: {reason}", arm.spec.name);
                let notice = Notice::of_arm("ejected", &arm.spec.name, Severity::Warning, say(reason));
                notice.told(say(finding(reason))).remedy("deactivate")
            });
            let subject = format!("ejected:{}", arm.spec.name);
            is_changed |= self.folds.alarms.set(now, &subject, notice);
        }
        is_changed
    }

    /// Ejected arms whose time has come. One without an adapter stays out: no waiting mends that.
    fn due_back(&self, now: Timestamp) -> Vec<ArmId> {
        let latest = now.plus(self.folds.health.longest());
        let due = |until: Option<Timestamp>| until.is_none_or(|until| now >= until || until > latest);
        let ejected = self.folds.state.arms().filter(|arm| arm.lifecycle == Lifecycle::Ejected && due(arm.until));
        let equipped = ejected.filter(|arm| !self.folds.unavailable.contains_key(&arm.spec.name));
        equipped.map(|arm| arm.spec.name.clone()).collect()
    }

    fn eject(&mut self, ejection: Ejection) {
        let Ejection { arm, until, reason } = ejection;
        let open: Vec<ArmId> = self.open_arms();
        // An arm without an adapter is nobody to rely on, but to another such.
        let can_be_asked = |arm: &ArmId| !self.folds.unavailable.contains_key(arm);
        let is_other_left = open.iter().any(|other| *other != arm && (can_be_asked(other) || !can_be_asked(&arm)));
        if open.contains(&arm) && is_other_left {
            self.folds.health.ejected(&arm);
            self.by_rule("health", RouterCommand::Eject { arm, until, reason });
        }
    }

    /// Arms that may be selected, whatever is pinned.
    fn open_arms(&self) -> Vec<ArmId> {
        let open = self.folds.state.arms().filter(|arm| arm.lifecycle.is_candidate());
        open.map(|arm| arm.spec.name.clone()).collect()
    }

    pub(super) fn by_rule(&mut self, rule: &str, command: RouterCommand) {
        let id = self.own_id();
        if let Err(rejection) = self.execute(id, Actor::Rule(rule.to_owned()), command) {
            tracing::warn!(rule, %rejection, "a rule's command was refused");
        }
    }
}
