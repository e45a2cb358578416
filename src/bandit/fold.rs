//! The fold: what each command does to the state. Deterministic and total. It decides nothing that a
//! person or a rule decided (victims, times and weights are in the command), it is inert where an arm
//! is absent, and it takes what no command may break as given even in a log that was folded again
//! without some of its entries: the last arm that could answer is never taken out by hand or by rule.

use std::sync::Arc;

use super::beside::Added;
use super::drift::Drift;
use super::recent::UNLEARNED;
use super::regression::discount;
use super::state::{ArmState, Buffers, PoolState, RouterState, Shared};
use super::stats::{Late, Seen};
use crate::domain::clock::Timestamp;
use crate::domain::command::{Actor, ArmObservation, LogEntry, Observation, RouterCommand};
use crate::domain::ids::{ArmId, RunId};
use crate::domain::prior::ArmPrior;
use crate::domain::spec::{DriftReaction, Lifecycle};
use crate::domain::terms::{Column, Weights};

/// Decays by hand that are remembered per arm for late feedback; older ones merge into one.
const REMEMBERED_DECAYS: usize = 32;

impl RouterState {
    /// One step of the fold: `entry` takes effect and its place becomes the state's.
    pub fn apply(&mut self, entry: &LogEntry) {
        self.sequence = entry.sequence;
        match &entry.command {
            RouterCommand::Observe(observation) => self.observe(observation, entry.at),
            RouterCommand::Amend { run, arm, x, column, old, new, preview } => {
                let preview = preview.as_ref().map(super::stats::preview_columns);
                let late = Late { column: *column, old: *old, new: *new, preview, weight: 1.0, at: 0, shift: 0.0 };
                self.amend(*run, arm, x, late);
            }
            RouterCommand::Decay { factor, arms } => self.decay(*factor, arms, matches!(entry.actor, Actor::Rule(_))),
            RouterCommand::Prune { victims, .. } => self.take_out(victims, Lifecycle::Pruned, entry.actor.name()),
            RouterCommand::Deactivate { arms } => self.take_out(arms, Lifecycle::Deactivated, entry.actor.name()),
            RouterCommand::Reactivate { arms } => arms.iter().for_each(|arm| self.bring_back(arm)),
            RouterCommand::Eject { arm, until, reason, grows } => self.change_pool(arm, |pool| {
                if pool.lifecycle.is_candidate() {
                    pool.before_ejection = Some(pool.lifecycle);
                    pool.lifecycle = Lifecycle::Ejected;
                }
                if pool.lifecycle == Lifecycle::Ejected {
                    pool.until = Some(*until);
                    pool.reason = Some(reason.clone());
                    pool.ejections = pool.ejections.saturating_add(u32::from(*grows));
                }
            }),
            RouterCommand::Recovered { arm } => self.change_pool(arm, |pool| pool.ejections = 0),
            RouterCommand::Reinstate { arm } => self.change_pool(arm, |pool| {
                if pool.lifecycle == Lifecycle::Ejected {
                    pool.lifecycle = pool.before_ejection.take().unwrap_or_default();
                    pool.until = None;
                    pool.reason = None;
                }
            }),
            RouterCommand::SetWeights { weights } => self.set_weights(*weights),
            RouterCommand::SetExploration { alpha, explore_share } => {
                self.alpha = alpha.unwrap_or(self.alpha);
                self.explore_share = explore_share.unwrap_or(self.explore_share);
            }
            RouterCommand::SetMode { mode } => self.mode = mode.clone(),
            RouterCommand::SetShareLimits { arm, limits } => {
                self.change_pool(arm, |pool| pool.share = limits.map(|limits| (limits, entry.at)));
            }
            RouterCommand::SetBudget { dollars } => self.set_budget(*dollars),
            RouterCommand::Spend { dollars, beside, .. } => self.charge(*dollars, *beside),
            RouterCommand::AddArm { spec } => self.add_arm(spec),
            RouterCommand::RemoveArm { arm } => self.remove_arm(arm),
            RouterCommand::ResetArm { arm } => self.reset_arm(arm),
            RouterCommand::SetPrior { feature_version, arms } if *feature_version == self.config().feature_version => {
                let known = arms.iter().filter(|belief| self.believe(belief)).count();
                if known > 0 {
                    self.read_slopes();
                }
            }
            RouterCommand::SetNormaliser { normaliser }
                if normaliser.feature_version == self.config().feature_version =>
            {
                self.normaliser = Some(Arc::new(normaliser.clone()));
            }
            // What these leave out is left out by folding again: see `refold`.
            _ => {}
        }
        self.gather_noise();
    }

    fn observe(&mut self, observation: &Observation, at: Timestamp) {
        self.steps += 1;
        let expected = self.pacer.is_some().then(|| self.compare_dollars(observation));
        self.recent.push(observation.run, if self.mode.learning_paused { UNLEARNED } else { self.steps });
        self.move_window();
        if !self.mode.learning_paused {
            self.compare(observation);
        }
        let mut judged = 0;
        for seen in &observation.arms {
            let Some(i) = self.find(seen.arm.as_str()) else { continue };
            let arm = Arc::make_mut(&mut self.arms[i]);
            arm.pool.trials += u64::from(seen.trial);
            arm.pool.wins += u64::from(seen.trial && seen.win);
            arm.pool.served += u64::from(seen.served);
            if arm.pool.lifecycle == Lifecycle::Probation {
                arm.pool.probation_left = arm.pool.probation_left.saturating_sub(1);
                if arm.pool.probation_left == 0 {
                    arm.pool.lifecycle = Lifecycle::Active;
                    arm.pool.reason = None;
                }
            }
            if !self.mode.learning_paused && observation.x.len() + seen.signals.len() == self.shared.config.d {
                let prior = &self.shared.prior;
                let step = self.steps;
                let Buffers { updates, x, .. } = &mut *self.buffers;
                let x = full(&observation.x, seen, x);
                let innovation = arm.stats.observe(prior, step, x, &Seen::from(seen), updates);
                judged += u64::from(innovation.is_some());
                let drift = &self.shared.config.drift;
                if let Some(found) = innovation.and_then(|innovation| arm.drift.quality(drift, innovation, at, step))
                    && drift.reaction == DriftReaction::Forget
                {
                    let keep = arm.follow_drift(&self.shared, step, &found);
                    arm.refocus(&self.shared, &self.weights);
                    self.decay_races(keep, &|arm| arm.spec.name == seen.arm);
                } else {
                    arm.refocus(&self.shared, &self.weights);
                }
            }
        }
        self.count_judged(judged);
        if let Some(expected) = expected {
            self.settle(observation, expected);
        }
    }

    /// Takes out of every arm, also of one that was not asked, what the window has left behind.
    fn move_window(&mut self) {
        let Some(window) = self.shared.prior.window else { return };
        for arm in &mut self.arms {
            if arm.stats.has_past(window, self.steps) || arm.beside.has_past(window, self.steps) {
                let arm = Arc::make_mut(arm);
                arm.stats.move_window(&self.shared.prior, self.steps, &mut self.buffers.updates);
                arm.beside.move_window(window, self.steps);
                arm.refocus(&self.shared, &self.weights);
            }
        }
    }

    /// Learns what the arms of a race added beside each other, with guesses from before it.
    fn compare(&mut self, observation: &Observation) {
        let d = self.shared.config.d;
        let fits = |seen: &ArmObservation| seen.trial && observation.x.len() + seen.signals.len() == d;
        let racers = observation.arms.iter().filter(|seen| fits(seen) && seen.quality.is_some());
        if racers.clone().nth(1).is_none() {
            return;
        }
        let Buffers { updates, reading, mut x, mut judged, offers } = std::mem::take(&mut *self.buffers);
        judged.clear();
        judged.extend(racers.filter_map(|seen| {
            let i = self.find(seen.arm.as_str())?;
            let arm = &self.arms[i];
            Some((i, seen.quality?, arm.lens.quality(&arm.stats, full(&observation.x, seen, &mut x))))
        }));
        let (forgetting, window, step) = (self.shared.prior.forgetting, self.shared.prior.window, self.steps);
        let usual = self.usual_beside();
        for (j, quality, standing) in &judged {
            let (usually, left) = self.usually_beside(&usual, *j);
            let row = &mut Arc::make_mut(&mut self.arms[*j]).beside;
            for (i, other, beside) in judged.iter().filter(|(i, ..)| i != j) {
                let read = usual.of_pair(row, left, *i, usually);
                let seen = Added::in_race((beside, *other), (standing, *quality), read);
                row.learn(forgetting, step, *i, &seen);
                if let Some(window) = window {
                    row.remember(window, step, *i, &seen);
                }
            }
        }
        *self.buffers = Buffers { updates, reading, x, judged, offers };
    }

    fn amend(&mut self, run: RunId, arm: &ArmId, x: &[f64], late: Late) {
        let Some(i) = self.find(arm.as_str()) else { return };
        let Some(step) = self.learned_at(run, &self.arms[i]).filter(|_| x.len() == self.shared.config.d) else {
            return;
        };
        if self.shared.prior.window.is_some_and(|window| window.is_past(window.piece(step), self.steps)) {
            return;
        }
        let arm = Arc::make_mut(&mut self.arms[i]);
        let by_hand: f64 = arm.pool.decays.iter().filter(|(at, _)| *at >= step).map(|(_, kept)| kept).product();
        let weight = by_hand * discount(self.shared.prior.forgetting, self.steps - step.min(self.steps));
        let shift = arm.pool.shifts.iter().filter(|(at, _)| *at >= step).map(|(_, by)| by).sum();
        let is_first = late.column == Column::Quality && late.old.is_none();
        arm.stats.amend(&self.shared.prior, self.steps, x, &Late { weight, at: step, shift, ..late });
        arm.refocus(&self.shared, &self.weights);
        self.count_judged(u64::from(is_first));
    }

    fn decay(&mut self, factor: f64, arms: &[ArmId], by_rule: bool) {
        let steps = self.steps;
        for i in 0..self.arms.len() {
            if arms.is_empty() || arms.contains(&self.arms[i].spec.name) {
                self.decay_arm(i, factor, steps);
                // What a rule does at set times is no answer to an alarm.
                if !by_rule {
                    Arc::make_mut(&mut self.arms[i]).drift.found = None;
                }
            }
        }
        self.decay_races(factor, &|arm| arms.is_empty() || arms.contains(&arm.spec.name));
        if arms.is_empty() || arms.iter().any(|arm| self.find(arm.as_str()).is_some()) {
            self.read_slopes();
        }
    }

    /// Races of which one arm or both are to be forgotten in part.
    pub(super) fn decay_races(&mut self, factor: f64, is_hit: &dyn Fn(&ArmState) -> bool) {
        let hit: Vec<bool> = self.arms.iter().map(|arm| is_hit(arm)).collect();
        for j in 0..self.arms.len() {
            if hit[j] {
                Arc::make_mut(&mut self.arms[j]).beside.keep(factor);
                continue;
            }
            for i in (0..hit.len()).filter(|i| hit[*i]) {
                if self.arms[j].beside.knows(i) {
                    Arc::make_mut(&mut self.arms[j]).beside.keep_beside(i, factor);
                }
            }
        }
    }

    fn decay_arm(&mut self, i: usize, factor: f64, step: u64) {
        let arm = Arc::make_mut(&mut self.arms[i]);
        arm.stats.decay(&self.shared.prior, step, factor);
        arm.remember_decay(step, factor);
        arm.refocus(&self.shared, &self.weights);
    }

    /// Takes arms out, as long as another stays that could answer.
    pub(super) fn take_out(&mut self, arms: &[ArmId], into: Lifecycle, by: &str) {
        for name in arms {
            let others = self.arms.iter().filter(|arm| arm.spec.name != *name);
            let stays = others.into_iter().any(|arm| can_answer(arm.pool.lifecycle, into));
            if stays {
                self.change_pool(name, |pool| {
                    if !matches!(pool.lifecycle, Lifecycle::Deactivated | Lifecycle::Pruned) {
                        pool.lifecycle = into;
                        pool.before_ejection = None;
                        pool.ejections = 0;
                        pool.until = None;
                        pool.reason = Some(format!("by {by}"));
                    }
                });
            }
        }
    }

    /// Back on probation, with part of what was known forgotten: its last observations are old.
    pub(super) fn bring_back(&mut self, name: &ArmId) {
        let Some(i) = self.find(name.as_str()) else { return };
        if self.arms[i].pool.lifecycle.is_candidate() {
            return;
        }
        let (keep, runs) = (self.shared.config.reactivation_keep, self.shared.config.probation_runs);
        self.decay_arm(i, keep, self.steps);
        Arc::make_mut(&mut self.arms[i]).drift.found = None;
        self.decay_races(keep, &|arm| arm.spec.name == *name);
        self.change_pool(name, |pool| {
            pool.lifecycle = if runs == 0 { Lifecycle::Active } else { Lifecycle::Probation };
            pool.probation_left = runs;
            pool.ejections = 0;
            pool.before_ejection = None;
            pool.until = None;
            pool.reason = None;
        });
    }

    fn set_weights(&mut self, weights: Weights) {
        self.weights = weights;
        for arm in &mut self.arms {
            Arc::make_mut(arm).refocus(&self.shared, &weights);
        }
    }

    /// Data stays; what was believed before goes. Whether there is such an arm.
    fn believe(&mut self, belief: &ArmPrior) -> bool {
        let Some(i) = self.find(belief.arm.as_str()) else { return false };
        let arm = Arc::make_mut(&mut self.arms[i]);
        arm.stats.believe(&self.shared.prior, belief);
        arm.refocus(&self.shared, &self.weights);
        true
    }

    fn change_pool(&mut self, name: &ArmId, change: impl FnOnce(&mut PoolState)) {
        if let Some(i) = self.find(name.as_str()) {
            change(&mut Arc::make_mut(&mut self.arms[i]).pool);
        }
    }
}

impl ArmState {
    /// Takes what was learned before a change to the level since, and lets it count little.
    ///
    /// The expectation has followed the change for `m` of `n` observations already: of the mean error since
    /// it began, (1 − m/2n) is left. The share of the old that still counts.
    fn follow_drift(&mut self, shared: &Shared, step: u64, found: &Drift) -> f64 {
        let n = self.stats.effective_n(&shared.prior, step).max(1.0);
        let since = f64::from(found.observations);
        let left = (1.0 - since / (2.0 * n)).max(0.5);
        let keep = (since.max(shared.config.drift.keep) / n).min(1.0);
        self.stats.move_quality(&shared.prior, step, found.size * left, keep);
        self.pool.shifts.push((step, found.size * left));
        if self.pool.shifts.len() > REMEMBERED_DECAYS {
            // As with decays.
            let (_, oldest) = self.pool.shifts.remove(0);
            self.pool.shifts[0].1 += oldest;
        }
        self.remember_decay(step, keep);
        keep
    }

    fn remember_decay(&mut self, step: u64, factor: f64) {
        self.pool.decays.push((step, factor));
        if self.pool.decays.len() > REMEMBERED_DECAYS {
            // Merged under the later step: runs between the two are discounted a little too much.
            let (_, oldest) = self.pool.decays.remove(0);
            self.pool.decays[0].1 *= oldest;
        }
    }
}

/// The context of what was seen: the shared one, and where the arm has signals of its own, both in `buffer`.
pub(super) fn full<'a>(shared: &'a [f64], seen: &ArmObservation, buffer: &'a mut Vec<f64>) -> &'a [f64] {
    if seen.signals.is_empty() {
        return shared;
    }
    buffer.clear();
    buffer.extend_from_slice(shared);
    buffer.extend_from_slice(&seen.signals);
    buffer
}

/// Whether an arm in that state is one that may be left alone in the pool. A rule leaves one that can
/// answer now; a person may also rely on one that health will let back.
pub(super) const fn can_answer(lifecycle: Lifecycle, taking_out: Lifecycle) -> bool {
    lifecycle.is_candidate()
        || (matches!(taking_out, Lifecycle::Deactivated) && matches!(lifecycle, Lifecycle::Ejected))
}
