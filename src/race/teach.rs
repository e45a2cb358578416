//! What a run teaches, and each arm's reward in it. Three kinds of response, each only where it was seen:
//! quality from the judge, the other terms from a preview (or from that much of an answer), dollars and
//! fallbacks from a full answer.
//!
//! - A preview that failed for its content has quality 0. So has a judged arm whose full answer failed for
//!   its content. An answer that nobody judged teaches no quality, not even when it fails: learning only
//!   the failures of `direct` runs would drag every arm towards 0.
//! - A transient failure teaches nothing here: it is about an endpoint's health.
//! - The fallback penalty is charged to the arm whose content failed, not to the one that stepped in.
//! - A preview from the cache teaches nothing: it was judged when it was made, and the same text judged
//!   again is no further evidence. Full answers are always new, and teach as ever.
//! - Verdicts of the local judge standing in for one that failed teach no quality and count as no trial.

use std::collections::BTreeMap;

use super::judge::Judgement;
use super::signals::{Signals, preview_equivalent_s};
use crate::domain::command::{AnswerOutcome, ArmObservation};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::money::{Price, Usage};
use crate::domain::record::{AttemptRecord, PreviewRecord, RewardRecord};
use crate::domain::terms::Weights;
use crate::reward::{CandidateStats, RewardPolicy, clamp_bites};

/// A run as far as it taught something.
pub(crate) struct Lesson<'a> {
    /// How terms are composed.
    pub(crate) policy: &'a dyn RewardPolicy,
    /// The weights in force when the run was planned.
    pub(crate) weights: &'a Weights,
    /// The health of arms then.
    pub(crate) signals: &'a Signals,
    /// Each arm's own dimensions as it was chosen by, where the schema has any.
    pub(crate) dimensions: &'a BTreeMap<ArmId, Vec<f64>>,
    /// Previews that were taken.
    pub(crate) previews: &'a [PreviewRecord],
    /// What the judge said.
    pub(crate) judgement: Option<&'a Judgement>,
    /// Full answers that were tried.
    pub(crate) attempts: &'a [AttemptRecord],
    /// Who answered.
    pub(crate) winner: Option<&'a ArmId>,
    /// Tokens of a preview.
    pub(crate) target: u32,
    /// The size of the prompt, in [0, 1].
    pub(crate) length_norm: f64,
}

/// What was learned from a run.
#[derive(Default)]
pub(crate) struct Learned {
    /// One entry per arm that taught something.
    pub(crate) observations: Vec<ArmObservation>,
    /// Their rewards.
    pub(crate) rewards: BTreeMap<ArmId, RewardRecord>,
    /// Terms and rewards that had to be clamped into [0, 1].
    pub(crate) clamped: u32,
}

impl Lesson<'_> {
    /// One observation per arm that taught something, in the order in which arms took part, and their
    /// rewards. `price`: dollars per million tokens of an arm.
    pub(crate) fn learn(&self, price: &dyn Fn(&ArmId) -> Option<Price>) -> Learned {
        let mut learned = Learned::default();
        for arm in self.arms() {
            let observation = self.observe(arm, price, &mut learned.clamped);
            if observation.quality.is_none() && observation.preview.is_none() && observation.answer.is_none() {
                continue;
            }
            let fallbacks = u32::from(observation.answer.is_some_and(|a| a.fallback > 0.0));
            // A cached preview was graded when it was made: of its answer alone there is nothing to reward.
            if observation.quality.is_some() || observation.preview.is_some() || fallbacks > 0 {
                let reward =
                    self.policy.compose(observation.quality, observation.preview.as_ref(), fallbacks, self.weights);
                learned.clamped += u32::from(clamp_bites(&reward));
                learned.rewards.insert(arm.clone(), reward);
            }
            learned.observations.push(observation);
        }
        learned
    }

    fn arms(&self) -> Vec<&ArmId> {
        let mut arms: Vec<&ArmId> = Vec::new();
        for arm in self.previews.iter().map(|p| &p.arm).chain(self.attempts.iter().map(|a| &a.arm)) {
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
        arms
    }

    fn observe(&self, arm: &ArmId, price: &dyn Fn(&ArmId) -> Option<Price>, clamped: &mut u32) -> ArmObservation {
        let preview = self.previews.iter().find(|p| p.arm == *arm);
        let attempt = self.attempts.iter().find(|a| a.arm == *arm && !a.lost);
        let stats = match (preview, attempt) {
            (Some(preview), _) => (preview.error.is_none() && !preview.cached).then(|| self.preview_stats(preview)),
            (None, Some(attempt)) => attempt.ok.then(|| self.attempt_stats(attempt, price(arm))),
            (None, None) => None,
        };
        let graded = stats.map(|s| self.policy.preview_terms(&s));
        *clamped += graded.map_or(0, |g| g.clamped);
        let took_part =
            self.is_trial() && preview.is_some_and(|p| !p.cached && p.error.as_ref().is_none_or(is_content));
        ArmObservation {
            arm: arm.clone(),
            signals: self.dimensions.get(arm).cloned().unwrap_or_default(),
            quality: self.quality(arm, preview, attempt),
            preview: graded.map(|g| g.terms),
            answer: attempt.and_then(outcome),
            trial: took_part,
            win: took_part && self.is_best(arm),
            served: self.winner == Some(arm),
        }
    }

    /// The verdict where it may teach.
    fn lesson(&self) -> Option<&Judgement> {
        self.judgement.filter(|j| j.teaches)
    }

    fn quality(&self, arm: &ArmId, preview: Option<&PreviewRecord>, attempt: Option<&AttemptRecord>) -> Option<f64> {
        if let Some(failure) = preview.and_then(|p| p.error.as_ref()) {
            // With a judge out of order, failures alone would be learned: see the head of this file.
            let teaches = self.judgement.is_none_or(|j| j.teaches);
            return (teaches && is_content(failure)).then_some(0.0);
        }
        if preview.is_some_and(|p| p.cached) {
            return None;
        }
        let judged = self.lesson()?.verdict.scores.get(arm)?.overall;
        let failed = attempt.and_then(|a| a.error.as_ref()).is_some_and(is_content);
        Some(if failed { 0.0 } else { judged })
    }

    /// Whether two or more previews were judged against each other.
    fn is_trial(&self) -> bool {
        self.lesson().is_some_and(|j| j.verdict.scores.len() >= 2)
    }

    /// Whether no arm was judged better; arms that share the best score all won.
    fn is_best(&self, arm: &ArmId) -> bool {
        let Some(scores) = self.lesson().map(|j| &j.verdict.scores) else { return false };
        scores.get(arm).is_some_and(|own| scores.values().all(|other| other.overall <= own.overall))
    }

    fn preview_stats(&self, preview: &PreviewRecord) -> CandidateStats {
        CandidateStats {
            p95_s: self.signals.p95(&preview.arm),
            latency_s: preview.latency_s,
            ttft_s: preview.ttft_s,
            tokens: preview.tokens,
            cost_usd: preview.cost_usd,
            error_rate: self.signals.error_rate(&preview.arm),
            length_norm: self.length_norm,
        }
    }

    /// A full answer without a preview, as far as a preview would have gone.
    fn attempt_stats(&self, attempt: &AttemptRecord, price: Option<Price>) -> CandidateStats {
        let tokens = attempt.tokens_out.min(self.target);
        let usage = Usage {
            input_tokens: attempt.tokens_in,
            output_tokens: tokens,
            estimated: attempt.estimated,
            cached_tokens: attempt.handling.cached_tokens,
        };
        CandidateStats {
            p95_s: self.signals.p95(&attempt.arm),
            latency_s: preview_equivalent_s(attempt, self.target),
            ttft_s: attempt.ttft_s,
            tokens,
            cost_usd: price.map(|p| p.cost(&usage)),
            error_rate: self.signals.error_rate(&attempt.arm),
            length_norm: self.length_norm,
        }
    }
}

fn is_content(failure: &Failure) -> bool {
    failure.class == FailureClass::Content
}

/// What a full answer teaches: nothing where it failed for another reason than its content.
fn outcome(attempt: &AttemptRecord) -> Option<AnswerOutcome> {
    let fallback = match &attempt.error {
        None => 0.0,
        Some(failure) if is_content(failure) => 1.0,
        Some(_) => return None,
    };
    Some(AnswerOutcome { dollars: attempt.cost_usd.unwrap_or(0.0), fallback })
}
