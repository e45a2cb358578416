//! What the engine does by itself: takes out arms that fail and lets them back, ends a mode that has
//! expired, raises and clears alarms. Every change goes through the log like a person's, by the actor
//! `rule`.

use std::time::Duration;

use crate::domain::alarm::Severity;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{ArmId, CommandId};
use crate::domain::record::RunRecord;
use crate::domain::spec::{COOLING, Lifecycle, Mode, ShareLimits};

use super::alarms::Notice;
use super::health::{Ejection, finding};
use super::owner::Owner;
use super::start::Fingerprints;

/// A pause for a rate limit that is over sooner than anybody could read of it is no alarm.
const BRIEF: Duration = Duration::from_secs(10);

impl Owner {
    /// Takes out arms that this run shows to be failing, but for the last one that could answer.
    pub(super) fn review_health(&mut self, record: &RunRecord) {
        let folds = &mut self.folds;
        let before = |arm: &ArmId| folds.state.arm(arm.as_str()).map_or(0, |view| view.ejections);
        for ejection in folds.health.judge(record, &before, self.shared.now()) {
            self.eject(ejection);
        }
        self.review_recovered();
    }

    /// Lets the ejections of arms that have recovered count no more.
    pub(super) fn review_recovered(&mut self) {
        let counted = self.folds.state.arms().filter(|view| view.ejections > 0 && view.lifecycle.is_candidate());
        let recovered = counted.map(|view| view.spec.name.clone()).filter(|arm| self.folds.health.has_recovered(arm));
        for arm in recovered.collect::<Vec<_>>() {
            self.by_rule("health", RouterCommand::Recovered { arm });
        }
    }

    /// Takes out arms that have no adapter.
    pub(super) fn eject_unavailable(&mut self) {
        let span = self.folds.health.rules().configuration;
        let unavailable: Vec<(ArmId, String)> =
            self.folds.unavailable.iter().map(|(arm, reason)| (arm.clone(), reason.clone())).collect();
        for (arm, reason) in unavailable {
            let reason = format!("{}: {reason}", FailureClass::Configuration);
            self.eject(Ejection { arm, span, grows: false, reason });
        }
    }

    /// Lets arms back that were out for a setting, have an adapter now, and are called otherwise than when the last
    /// engine started: that may have mended it. What is called as before would fail as before.
    pub(super) fn reinstate_mended(&mut self, then: &Fingerprints, now: &Fingerprints) {
        let prefix = FailureClass::Configuration.name();
        let is_mended = |arm: &ArmId| !self.folds.unavailable.contains_key(arm) && then.get(arm) != now.get(arm);
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
        self.reinstate_due(now);
        self.review_periodic(now);
        self.is_dirty |=
            self.review_alarms(now) || self.folds.stats.moves_by_itself(now) || self.has_rising_limits(now);
    }

    /// Whether an arm's bounds rise with time alone.
    fn has_rising_limits(&self, now: Timestamp) -> bool {
        let rises = |(limits, since): (ShareLimits, Timestamp)| now.since(since).as_secs_f64() <= limits.ramp_s + 1.0;
        self.folds.state.arms().filter_map(|arm| arm.share_limits).any(rises)
    }

    /// Raises and clears what follows from the state; whether anything changed.
    pub(super) fn review_alarms(&mut self, now: Timestamp) -> bool {
        let mut is_changed = self.review_ejected(now) | self.review_drift(now) | self.review_ceiling(now);
        is_changed |= self.review_judge(now) | self.review_day(now);
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
            let subject = format!("ejected:{}", arm.spec.name);
            let reason = arm.reason.unwrap_or("failing");
            let is_cooling = reason.starts_with(COOLING);
            let is_brief = is_cooling && arm.until.is_some_and(|until| until.since(now) < BRIEF);
            let is_told = !is_brief || self.folds.alarms.is_open(&subject);
            let notice = (arm.lifecycle == Lifecycle::Ejected && is_equipped && is_told).then(|| {
                let next = if is_cooling { "back" } else { "probe" };
                let until = arm.until.map_or_else(String::new, |until| format!(", {next} at {}", until.clock_text()));
                let say = |reason: &str| format!("{} is out{until}: {reason}", arm.spec.name);
                let notice = Notice::of_arm("ejected", &arm.spec.name, severity(reason), say(reason));
                let notice = notice.told(say(finding(reason)));
                // What is over by itself needs nobody.
                if is_cooling { notice } else { notice.remedy("deactivate") }
            });
            is_changed |= self.folds.alarms.set(now, &subject, notice);
        }
        is_changed
    }

    /// Takes the arm out, where it is in and not the last that could answer.
    pub(super) fn eject(&mut self, ejection: Ejection) {
        let arm = &ejection.arm;
        let open: Vec<ArmId> = self.open_arms();
        // An arm without an adapter is nobody to rely on, but to another such.
        let can_be_asked = |arm: &ArmId| !self.folds.unavailable.contains_key(arm);
        let is_other_left = open.iter().any(|other| other != arm && (can_be_asked(other) || !can_be_asked(arm)));
        if open.contains(arm) && is_other_left {
            self.carry_out(ejection);
        }
    }

    /// Takes the arm out, or keeps it out for longer. How much longer by chance follows from the command's id.
    pub(super) fn carry_out(&mut self, ejection: Ejection) {
        let entropy = self.entropy.u64(..);
        let now = self.shared.now();
        let until = self.folds.health.until(&ejection, now, entropy);
        let Ejection { arm, reason, grows, .. } = ejection;
        let id = CommandId::new(now, entropy);
        self.rule_says(id, "health", RouterCommand::Eject { arm, until, reason, grows });
    }

    /// Arms that may be selected, whatever is pinned.
    pub(super) fn open_arms(&self) -> Vec<ArmId> {
        let open = self.folds.state.arms().filter(|arm| arm.lifecycle.is_candidate());
        open.map(|arm| arm.spec.name.clone()).collect()
    }

    pub(super) fn by_rule(&mut self, rule: &str, command: RouterCommand) {
        let id = self.own_id();
        self.rule_says(id, rule, command);
    }

    fn rule_says(&mut self, id: CommandId, rule: &str, command: RouterCommand) {
        if let Err(rejection) = self.execute(id, Actor::Rule(rule.to_owned()), command) {
            tracing::warn!(rule, %rejection, "a rule's command was refused");
        }
    }
}

/// How loud an arm's being out is: what no waiting mends is for somebody to act on, a rate limit passes.
fn severity(reason: &str) -> Severity {
    let is_of = |class: FailureClass| reason.starts_with(class.name());
    match () {
        () if is_of(FailureClass::Quota) || is_of(FailureClass::Configuration) => Severity::Critical,
        () if reason.starts_with(COOLING) => Severity::Notice,
        () => Severity::Warning,
    }
}
