//! What a finished run and a person's rating of it change. A rating amends the quality that the run
//! taught, with the run's own context; rating again amends it again, so it can be taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bandit::Rejection;
use crate::domain::command::{Acknowledgement, Actor, RouterCommand};
use crate::domain::engine::EngineError;
use crate::domain::ids::RunId;
use crate::domain::record::{LEARNING_PAUSED, RewardRecord, RunRecord};
use crate::domain::terms::{Column, Term};
use crate::race::EmbeddingSample;

use super::actions::{applied, refused};
use super::history::Standing;
use super::message::Finished;
use super::owner::Owner;

/// The stored value that holds the scale of an embedding's slots while it is being learned.
pub(super) const SCALE: &str = "features.scale";

impl Owner {
    /// Takes in a finished run. An observation that does not fit is dropped with a word in the log: the
    /// record stays.
    pub(super) fn finished(&mut self, report: Finished) {
        let Finished { record, observation, sample, is_reviewed } = report;
        if self.folds.stats.knows(record.run_id) {
            return;
        }
        let unlearned =
            observation.is_none() && record.cost_usd > 0.0 && self.folds.state.budget_per_request().is_some();
        let lesson = observation.map(RouterCommand::Observe);
        let spent = || RouterCommand::Spend { run: record.run_id, dollars: record.cost_usd, beside: false };
        if let Some(command) = lesson.or_else(|| unlearned.then(spent))
            && let Err(rejection) = self.execute(record.run_id, Actor::Run, command)
        {
            tracing::warn!(run = %record.run_id, %rejection, "what a run taught was refused");
        }
        if let Some(sample) = sample {
            self.fit_scale(&sample);
        }
        self.folds.absorb(&record);
        self.shared.observer.finished(&record);
        let is_current = self.is_current(&record);
        self.shared.recent().push(&record, is_current);
        self.pending.batch.runs.push(Arc::clone(&record));
        self.pending.has_news = true;
        if !is_reviewed {
            self.review_health(&record);
        }
        self.probe_due(&record);
    }

    /// Fits the scale of an embedding's slots, and freezes it when enough prompts were seen.
    fn fit_scale(&mut self, sample: &EmbeddingSample) {
        if self.folds.state.normaliser().is_some() {
            return;
        }
        let version = self.folds.state.config().feature_version.clone();
        if let Some(normaliser) = self.folds.scale.add(sample, &version) {
            self.by_rule("normaliser", RouterCommand::SetNormaliser { normaliser });
        }
        // Kept at every prompt: programs that ask once and leave must get there too.
        if let Ok(bytes) = serde_json::to_vec(&self.folds.scale) {
            self.pending.batch.values.push((SCALE.to_owned(), bytes));
        }
    }

    /// Whether the run's context is of the present schema.
    pub(super) fn is_current(&self, record: &RunRecord) -> bool {
        let config = self.folds.state.config();
        record.context.feature_version == config.feature_version && record.context.x.len() == config.d
    }

    /// Amends what a run taught about the quality of its winner.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with what is wrong.
    pub(super) async fn rate(&mut self, run: RunId, rating: f64, actor: Actor) -> Result<Acknowledgement, EngineError> {
        if !(0.0..=1.0).contains(&rating) {
            return Err(refused(format!("the rating is {rating}: expected a number from 0 to 1")));
        }
        let record = self.known_run(run).await?;
        let arm = match (&record.winner, &record.answer) {
            (Some(arm), Some(_)) => arm.clone(),
            _ => return Err(refused(format!("run {run} served no answer: there is nothing to rate"))),
        };
        if !self.is_current(&record) {
            return Err(refused(format!("run {run} was made with other features: it teaches this router nothing")));
        }
        let reward = record.rewards.get(&arm);
        let x = record.context.by_arm().of(&arm).into_owned();
        let command = RouterCommand::Amend {
            run,
            arm,
            x,
            column: Column::Quality,
            old: record.taught_quality(),
            new: rating,
            preview: reward.and_then(RewardRecord::preview_terms),
        };
        let id = self.own_id();
        let line = match self.execute(id, actor, command) {
            Ok(line) => line,
            Err(Rejection::NotLearned { .. }) if record.gate.reason.contains(LEARNING_PAUSED) => {
                let reason = "learning was paused in this run: there is nothing to amend".to_owned();
                return Ok(Acknowledgement::Rejected { reason });
            }
            Err(rejection) => return Ok(Acknowledgement::Rejected { reason: rejection.to_string() }),
        };
        self.pending.sync = true;
        self.folds.stats.amended(&record, Some(rating));
        let rated = self.keep_run(RunRecord { rating: Some(rating), ..RunRecord::clone(&record) });
        self.shared.observer.rated(&rated, record.rating);
        Ok(applied(line))
    }

    /// Keeps a changed record in the place of the old one.
    pub(super) fn keep_run(&mut self, record: RunRecord) -> Arc<RunRecord> {
        let kept = Arc::new(record);
        self.shared.recent().replace(&kept);
        self.pending.batch.runs.push(Arc::clone(&kept));
        kept
    }

    /// After an undo or a discard records say what the state was taught, or the next rating would amend from what
    /// never was. Counts of ratings stay: that a person gave them did happen.
    pub(super) async fn restore_ratings(&mut self, ratings: &BTreeMap<RunId, Standing>) {
        for (run, standing) in ratings {
            let Ok(record) = self.known_run(*run).await else { continue };
            let judged = record.winner.as_ref().and_then(|arm| record.rewards.get(arm)?.value(Term::Quality));
            let rating = standing.rating.or(standing.first.filter(|first| Some(*first) != judged));
            let mut restored = RunRecord { rating, ..RunRecord::clone(&record) };
            if let (Some(afterwards), Some(stands)) = (&mut restored.policies.afterwards, standing.verdict) {
                afterwards.taught = stands;
            }
            if restored == *record {
                continue;
            }
            let restored = self.keep_run(restored);
            if rating != record.rating {
                self.folds.stats.amended(&record, rating);
                self.shared.observer.rated(&restored, record.rating);
            }
        }
    }

    pub(super) async fn known_run(&mut self, run: RunId) -> Result<Arc<RunRecord>, EngineError> {
        let recent = self.shared.recent().find(run);
        if let Some(record) = recent {
            return Ok(record);
        }
        let stored = self.ledger.run(run).await.map_err(|error| EngineError::Store(error.to_string()))?;
        stored
            .map(Arc::new)
            .ok_or_else(|| refused(format!("run {run} is not known: it may be older than what is kept")))
    }
}
