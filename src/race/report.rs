//! What a run leaves: its record, and the observation that it teaches the router by. Nothing is decided
//! here; what an outcome is worth is said by `teach.rs`.

use std::sync::Arc;

use super::afterwards::can_be_judged;
use super::gate::SESSION_GAIN;
use super::run::{Race, RunReport};
use super::stages::{Setting, Trail};
use super::teach::Lesson;
use super::words;
use crate::domain::command::Observation;
use crate::domain::ids::ArmId;
use crate::domain::judging::Verdict;
use crate::domain::record::{ContextRecord, Policies, RunOutcome, RunRecord, SessionRecord};

impl Race {
    /// Remembers who answered a conversation, and says what its arm was held against.
    fn continued(&self, setting: &Setting, verdict: Option<&Verdict>, winner: Option<&ArmId>) -> Option<SessionRecord> {
        let (key, before) = setting.session.as_ref()?;
        if let Some(winner) = winner {
            self.sessions.answered(*key, winner, &self.parts.config.policies.session, setting.at);
        }
        let kept = winner.is_some() && winner == before.as_ref();
        let gain = setting.plan.gate.numbers.get(SESSION_GAIN).copied();
        let behind = before.as_ref().and_then(|arm| verdict?.behind_best(arm));
        let margin = gain.or(behind).map(|_| setting.margin);
        Some(SessionRecord { id: key.text(), before: before.clone(), kept, gain, behind, margin })
    }

    /// The record and the observation.
    pub(super) fn report(&self, setting: Setting, trail: Trail, is_stopped: bool) -> RunReport {
        let state = &setting.knowledge.state;
        let Trail { previews, cache, judgement, order, ordering, full, timings, searched } = trail;
        let (winner, answer) = full.answer.unzip();
        let lesson = Lesson {
            policy: self.parts.reward.as_ref(),
            weights: state.weights(),
            signals: &setting.knowledge.signals,
            dimensions: &setting.signals,
            previews: &previews,
            judgement: judgement.as_ref(),
            attempts: &full.attempts,
            winner: winner.as_ref(),
            target: setting.target,
            length_norm: setting.length_norm,
        };
        let learned = lesson.learn(&|arm| self.parts.models.price(arm));
        let outcome = if winner.is_some() {
            RunOutcome::Served
        } else if is_stopped {
            RunOutcome::Cancelled
        } else {
            RunOutcome::Failed { message: words::nobody_answered(state, &self.parts.models, &previews, &full.attempts) }
        };
        let teaches = !learned.observations.is_empty() && !state.mode().learning_paused;
        let spent = previews.iter().filter_map(|p| p.cost_usd).chain(full.attempts.iter().filter_map(|a| a.cost_usd));
        let cost_usd =
            spent.sum::<f64>() + judgement.as_ref().and_then(|j| j.asked.as_ref()).map_or(0.0, |asked| asked.cost_usd);
        let search = searched.map(|searched| searched.record.of_answer(answer.as_deref().unwrap_or_default()));
        let cost_usd = cost_usd + search.as_ref().and_then(|search| search.cost_usd).unwrap_or(0.0);
        let cost_usd = cost_usd + setting.embedding.as_ref().and_then(|asked| asked.cost_usd).unwrap_or(0.0);
        let spent_usd = Some(cost_usd);
        let observation = teaches.then(|| Observation {
            run: setting.id,
            x: setting.context.shared().to_vec(),
            arms: learned.observations,
            spent_usd,
        });
        let session = self.continued(&setting, judgement.as_ref().map(|j| &j.verdict), winner.as_ref());
        let fallbacks = full.attempts.iter().filter(|a| !a.lost && !a.handling.unmade).count().saturating_sub(1);
        let context = context_record(&setting);
        let record = RunRecord {
            run_id: setting.id,
            at: setting.at,
            origin: setting.origin,
            context,
            request: Arc::unwrap_or_clone(setting.request),
            strategy: setting.plan.strategy,
            gate: setting.plan.gate,
            arms: setting.plan.scores,
            previews,
            judging: judgement.as_ref().and_then(|j| j.asked.clone()),
            verdict: judgement.map(|j| j.verdict),
            order,
            ordering,
            attempts: full.attempts,
            rewards: learned.rewards,
            winner,
            answer,
            fallbacks: u32::try_from(fallbacks).unwrap_or(u32::MAX),
            cost_usd,
            timings_s: timings,
            outcome,
            rating: None,
            clamped: learned.clamped,
            policies: Policies {
                cache,
                experiment: setting.experiment,
                session,
                search,
                embedding: setting.embedding,
                afterwards: None,
            },
        };
        self.recollection.absorb(&record);
        let afterwards = setting.afterwards.filter(|_| observation.is_some() && can_be_judged(&record));
        RunReport { record, observation, sample: setting.sample, afterwards }
    }
}

/// A context as records hold it.
pub(super) fn context_record(setting: &Setting) -> ContextRecord {
    let context = &setting.context;
    ContextRecord {
        names: context.schema.names.clone(),
        x: context.x.clone(),
        intent: context.intent,
        feature_version: context.schema.version.clone(),
        signals: setting.signals.clone(),
        degraded: context.degraded.clone(),
    }
}
