//! Verdicts that come after the answer: a sampled share of the answers that nobody judged (see
//! `race/afterwards.rs`) is judged in tasks beside the runs. A few at a time; where more would be, the answer stays
//! unjudged. Nobody waits for them: stopping cancels them at once.
//!
//! What comes of one is taken in by the owner as a person's rating is, with the run's own context. A person's
//! rating comes first: where there is one, the verdict is kept and teaches nothing.

use std::sync::Arc;

use tracing::Instrument;

use crate::domain::command::{Actor, RouterCommand};
use crate::domain::record::{AfterwardsRecord, RunRecord};
use crate::domain::snapshot::RunSummary;
use crate::domain::terms::Column;
use crate::race::{Afterwards, LateVerdict};

use super::message::Message;
use super::owner::Owner;
use super::shared::Shared;

/// Who amends a run by a late verdict.
pub(super) const JUDGE: &str = "judge";
/// Late verdicts at a time.
pub(super) const AT_ONCE: usize = 8;

/// Has the answer of `record` judged, where there is a place for that and the day has dollars for it.
pub(super) fn judge(shared: &Arc<Shared>, record: Arc<RunRecord>, what: Afterwards) {
    if shared.tokens.stopping.is_cancelled() {
        return;
    }
    let Ok(place) = Arc::clone(&shared.late).try_acquire_owned() else {
        tracing::debug!("too many answers are judged already: this one is not");
        return;
    };
    let Ok(reservation) = shared.race.reserve_beside() else { return };
    let shared = Arc::clone(shared);
    let stop = shared.tokens.stopping.child_token();
    let going = {
        let shared = Arc::clone(&shared);
        async move {
            let late = Box::pin(shared.race.judge_afterwards(&record, &what, reservation, &stop)).await;
            drop(place);
            if let Some(late) = late {
                // An owner that has gone learns nothing.
                let _ = shared.owner.send(Message::Judged { record, late: Box::new(late) }).await;
            }
        }
    };
    shared.tasks.spawn(going.instrument(tracing::Span::current()));
}

impl Owner {
    /// Takes in what the judge said of the answer that `finished` served.
    pub(super) async fn judged(&mut self, finished: Arc<RunRecord>, late: LateVerdict) {
        // It may have been rated meanwhile.
        let record = self.known_run(finished.run_id).await.unwrap_or(finished);
        let LateVerdict { share, seconds, verdict, judging, taught } = late;
        let dollars = judging.as_ref().map_or(0.0, |judging| judging.cost_usd);
        let is_taught = taught.as_ref().is_some_and(|(quality, _)| self.amend_late(&record, *quality));
        let mut judged = RunRecord { verdict, judging, ..RunRecord::clone(&record) };
        judged.cost_usd += dollars;
        judged.policies.afterwards = Some(AfterwardsRecord { share, seconds, taught: is_taught });
        if let (Some(winner), Some((_, reward))) = (&record.winner, taught) {
            judged.rewards.insert(winner.clone(), reward);
        }
        self.spent_beside(JUDGE, judged.run_id, dollars);
        let judged = self.keep_run(judged);
        self.folds.judged(&judged, dollars);
        self.shared.observer.judged(&judged);
        self.pending.has_news = true;
    }

    /// Teaches the router what the judge said of the served answer; whether it did.
    fn amend_late(&mut self, record: &RunRecord, quality: f64) -> bool {
        let Some(arm) = record.winner.clone().filter(|_| record.rating.is_none() && self.is_current(record)) else {
            return false;
        };
        let command = RouterCommand::Amend {
            run: record.run_id,
            x: record.context.by_arm().of(&arm).into_owned(),
            column: Column::Quality,
            old: None,
            new: quality,
            preview: record.rewards.get(&arm).and_then(crate::domain::record::RewardRecord::preview_terms),
            arm,
        };
        let id = self.own_id();
        let taught = self.execute(id, Actor::Rule(JUDGE.to_owned()), command);
        if let Err(rejection) = &taught {
            tracing::debug!(run = %record.run_id, %rejection, "a late verdict teaches nothing");
        }
        taught.is_ok()
    }
}

impl super::folds::Folds {
    /// Takes in that a run which was taken in before has a verdict now, which cost so much.
    fn judged(&mut self, record: &RunRecord, dollars: f64) {
        self.stats.judged(record, dollars);
        self.signals.judged(record);
        if let Some(shown) = self.summaries.iter_mut().find(|shown| shown.run == record.run_id) {
            *shown = RunSummary::of(record);
        }
    }
}
