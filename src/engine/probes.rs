//! Half-open: an arm whose ejection is over is asked first whether it is up, and only then given runs. The
//! probe is a preview of the prompt of the run that has just ended, made beside everything else: nobody
//! waits for it and nobody is served by it, and without traffic nothing is sent. One at a time and arm.
//!
//! Where no other arm is left, or the arm had only to cool down, it comes back without one; the former at once.

use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::{PreviewRecord, RunRecord};
use crate::domain::spec::{COOLING, Lifecycle};
use crate::race::Reservation;

use super::message::Message;
use super::owner::Owner;

/// The rule that probes.
pub(super) const PROBE: &str = "probe";

impl Owner {
    /// Probes every arm that is due, with the prompt of `record`.
    pub(super) fn probe_due(&mut self, record: &RunRecord) {
        let now = self.shared.now();
        for arm in self.due(now) {
            // A day whose ceiling is reached pays for no probe either.
            let Ok(reservation) = self.shared.race.reserve_beside() else { return };
            if self.folds.health.begin_probe(&arm, now) {
                self.probe(arm, record, reservation);
            }
        }
    }

    fn probe(&self, arm: ArmId, record: &RunRecord, reservation: Option<Reservation>) {
        let shared = Arc::clone(&self.shared);
        let (run, request) = (record.run_id, Arc::new(record.request.clone()));
        let stop = shared.tokens.stopping.child_token();
        self.shared.tasks.spawn(async move {
            let preview = shared.race.probe(&arm, run, request, reservation, &stop).await;
            // An owner that has gone needs no arm.
            let _ = shared.owner.send(Message::Probed { preview: Box::new(preview) }).await;
        });
    }

    /// Takes in what a probe found.
    pub(super) fn probed(&mut self, preview: &PreviewRecord) {
        let now = self.shared.now();
        let arm = &preview.arm;
        self.charge_probe(preview);
        let before = self.folds.state.arm(arm.as_str()).map_or(0, |view| view.ejections);
        let found = self.folds.health.probed(arm, preview.error.as_ref(), before, now);
        let is_out = |owner: &Self| {
            owner.folds.state.arms().any(|view| view.spec.name == *arm && view.lifecycle == Lifecycle::Ejected)
        };
        // A person may have taken it out or brought it back meanwhile.
        let Some(found) = found.ok().filter(|_| is_out(self)) else { return };
        self.folds.signals.probed(preview, now);
        match found {
            None => self.by_rule(PROBE, RouterCommand::Reinstate { arm: arm.clone() }),
            Some(ejection) => self.carry_out(ejection),
        }
    }

    /// A probe is counted as the preview that it is, and costs what a preview does.
    fn charge_probe(&mut self, preview: &PreviewRecord) {
        self.folds.stats.probed(preview);
        let id = self.own_id();
        self.spent_beside(PROBE, id, preview.cost_usd.unwrap_or(0.0));
    }

    /// Enters dollars that no run accounts for: into the log, so that a restart knows of them, and into the day.
    pub(super) fn spent_beside(&mut self, rule: &str, run: RunId, dollars: f64) {
        if dollars <= 0.0 {
            return;
        }
        let (id, command) = (self.own_id(), RouterCommand::Spend { run, dollars, beside: true });
        match self.execute(id, Actor::Rule(rule.to_owned()), command) {
            Ok(line) => self.folds.stats.spent(dollars, line.at),
            Err(rejection) => tracing::warn!(rule, %rejection, "what was spent was refused"),
        }
    }

    /// Ejected arms whose time is over and that can be asked. One without an adapter stays out: no waiting
    /// mends that.
    fn due(&self, now: Timestamp) -> Vec<ArmId> {
        let latest = now.plus(self.folds.health.longest());
        let due = |until: Option<Timestamp>| until.is_none_or(|until| now >= until || until > latest);
        let ejected = self.folds.state.arms().filter(|arm| arm.lifecycle == Lifecycle::Ejected && due(arm.until));
        let equipped = ejected.filter(|arm| !self.folds.unavailable.contains_key(&arm.spec.name));
        equipped.map(|arm| arm.spec.name.clone()).collect()
    }

    /// Brings back those that need no probe.
    pub(super) fn reinstate_due(&mut self, now: Timestamp) {
        for arm in self.due(now).into_iter().filter(|arm| self.is_cooling(arm)).collect::<Vec<_>>() {
            self.by_rule("health", RouterCommand::Reinstate { arm });
        }
        self.keep_somebody_in();
    }

    /// Where nobody is left who may be asked, whoever would be back first is back now: the last arm is never out, also
    /// where it became the last one while it was out.
    pub(super) fn keep_somebody_in(&mut self) {
        if !self.open_arms().is_empty() {
            return;
        }
        let ejected = self.folds.state.arms().filter(|arm| arm.lifecycle == Lifecycle::Ejected);
        let equipped = ejected.filter(|arm| !self.folds.unavailable.contains_key(&arm.spec.name));
        let first = equipped.min_by_key(|arm| arm.until).map(|arm| arm.spec.name.clone());
        if let Some(arm) = first {
            self.by_rule("health", RouterCommand::Reinstate { arm });
        }
    }

    fn is_cooling(&self, arm: &ArmId) -> bool {
        let is_cooling = |reason: Option<&str>| reason.is_some_and(|reason| reason.starts_with(COOLING));
        self.folds.state.arms().any(|view| view.spec.name == *arm && is_cooling(view.reason))
    }
}
