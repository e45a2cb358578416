//! The fold of finished runs into [`Tally`]: counts that only grow. A run costs O(arms in it). It is shared
//! with pictures, so it is copied at most once a picture, and only where a run came between two.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::context::Intent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::ids::ArmId;
use crate::domain::money::Usage;
use crate::domain::record::{AttemptRecord, PreviewRecord, RunOutcome, RunRecord, is_bad};
use crate::domain::tally::{ArmTally, Calls, Conversations, Outcome, Phase, Places, SECONDS, Tally, UNIT, WRITES};
use crate::domain::terms::Term;

use super::entry::{DOLLAR_UNITS, whole};

/// Arms (and judges) that are counted by name; what comes after them is counted together.
const NAMED: usize = 128;
/// The name of the others.
const OTHERS: &str = "others";

/// The fold, shared with pictures.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting(Arc<Tally>);

impl Counting {
    pub(super) fn from(tally: Tally) -> Self {
        Self(Arc::new(tally))
    }

    pub(super) fn picture(&self) -> Arc<Tally> {
        Arc::clone(&self.0)
    }

    pub(super) fn places(&self, arm: &ArmId) -> Places {
        self.0.arms.get(arm).map(|tally| tally.places).unwrap_or_default()
    }

    pub(super) fn absorb(&mut self, record: &RunRecord) {
        let tally = Arc::make_mut(&mut self.0);
        count_run(tally, record);
        for score in record.arms.iter().filter(|score| score.selected) {
            let arm = arm_of(tally, &score.arm);
            arm.selected += 1;
            arm.propensity.add(score.propensity, UNIT);
        }
        for preview in &record.previews {
            let arm = arm_of(tally, &preview.arm);
            if preview.cached {
                arm.cache_hits += 1;
                continue;
            }
            count_flags(arm, &preview.flags);
            arm.cache_misses += u64::from(record.policies.cache.is_some());
            count_preview(arm, preview);
        }
        for attempt in &record.attempts {
            let arm = arm_of(tally, &attempt.arm);
            let usage = Usage {
                input_tokens: attempt.tokens_in,
                output_tokens: attempt.tokens_out,
                estimated: false,
                ..Usage::default()
            };
            let took = (attempt.latency_s, attempt.ttft_s);
            arm.answer.made += u64::from(!attempt.handling.unmade);
            count_call(&mut arm.answer, &usage, attempt.cost_usd, attempt.error.as_ref(), took);
            count_hedge(arm, attempt);
            count_flags(arm, &attempt.flags);
        }
        count_judge(tally, record);
        count_search(tally, record);
        count_embedding(tally, record);
        count_places(tally, record);
        for (name, reward) in &record.rewards {
            let arm = arm_of(tally, name);
            arm.reward.add(reward.total, UNIT);
            for (name, term) in &reward.terms {
                if let Some(term_of) = Term::from_name(name) {
                    arm.terms.entry(term_of).or_default().add(term.value, UNIT);
                }
            }
        }
    }

    /// Takes in a preview that is of no run.
    pub(super) fn probed(&mut self, preview: &PreviewRecord) {
        count_preview(arm_of(Arc::make_mut(&mut self.0), &preview.arm), preview);
    }

    /// Takes in a late verdict. What the run's reward was without it is counted already.
    pub(super) fn judged(&mut self, record: &RunRecord) {
        let tally = Arc::make_mut(&mut self.0);
        count_judge(tally, record);
        tally.retries += u64::from(record.judging.as_ref().map_or(0, |judging| judging.calls.saturating_sub(1)));
        let quality =
            record.winner.as_ref().and_then(|arm| Some((arm, record.rewards.get(arm)?.value(Term::Quality)?)));
        if let Some((arm, quality)) = quality {
            arm_of(tally, arm).terms.entry(Term::Quality).or_default().add(quality, UNIT);
        }
    }

    /// Takes in that a person gave a rating.
    pub(super) fn rated(&mut self, rating: f64) {
        Arc::make_mut(&mut self.0).ratings[usize::from(is_bad(rating))] += 1;
    }

    pub(super) fn ejected(&mut self, arm: &ArmId) {
        arm_of(Arc::make_mut(&mut self.0), arm).ejections += 1;
    }

    pub(super) fn wrote(&mut self, is_synced: bool, took: Duration) {
        Arc::make_mut(&mut self.0).writes[usize::from(is_synced)].add(took.as_secs_f64(), WRITES);
    }
}

fn count_run(tally: &mut Tally, record: &RunRecord) {
    let outcome = match &record.outcome {
        RunOutcome::Served => Outcome::Served,
        RunOutcome::Failed { .. } => Outcome::Failed,
        RunOutcome::Cancelled => Outcome::Cancelled,
    };
    match tally.runs.iter_mut().find(|(strategy, end, _)| (*strategy, *end) == (record.strategy, outcome)) {
        Some((_, _, count)) => *count += 1,
        None => tally.runs.push((record.strategy, outcome, 1)),
    }
    match tally.gates.iter_mut().find(|(decision, _)| *decision == record.gate.decision) {
        Some((_, count)) => *count += 1,
        None => tally.gates.push((record.gate.decision, 1)),
    }
    for (count, intent) in tally.intents.iter_mut().zip(Intent::ALL) {
        *count += u64::from(intent == record.context.intent);
    }
    if let Some(session) = &record.policies.session {
        let Conversations { begun, kept, left } = &mut tally.conversations;
        *match (&session.before, session.kept) {
            (None, _) => begun,
            (Some(_), true) => kept,
            (Some(_), false) => left,
        } += 1;
    }
    tally.fallbacks += u64::from(record.fallbacks);
    tally.retries += u64::from(record.retries());
    for (_, name, _) in record.retried().filter(|(phase, ..)| *phase != Phase::Judge) {
        arm_of(tally, &name.into()).retries += 1;
    }
    if outcome != Outcome::Cancelled {
        tally.end_to_end.add(record.timings_s.total, SECONDS);
    }
    if outcome == Outcome::Served {
        tally.first_try += u64::from(record.fallbacks == 0);
        if let Some(winner) = &record.winner {
            let arm = arm_of(tally, winner);
            arm.served += 1;
            if let Some(reward) = record.rewards.get(winner) {
                arm.served_reward.add(reward.total, UNIT);
            }
        }
    }
}

/// As the router counts trials: an arm whose preview failed for its content took part, and came in last; one whose
/// preview came from the cache did not, as it was judged when it was made.
fn count_places(tally: &mut Tally, record: &RunRecord) {
    let Some(verdict) = record.verdict.as_ref().filter(|verdict| verdict.scores.len() >= 2) else { return };
    let Some(ordering) = record.ordering.as_ref().filter(|ordering| ordering.counts) else { return };
    let overall: Vec<f64> = verdict.scores.values().map(|scores| scores.overall).collect();
    let best = overall.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for preview in record.previews.iter().filter(|preview| !preview.cached) {
        let scores = verdict.scores.get(&preview.arm);
        if scores.is_none() && preview.error.as_ref().is_none_or(|failure| failure.class != FailureClass::Content) {
            continue;
        }
        let own = scores.map_or(f64::NEG_INFINITY, |scores| scores.overall);
        let place = overall.iter().filter(|other| **other > own).count();
        arm_of(tally, &preview.arm).places.add(place, best - own <= ordering.tie_margin);
    }
}

fn count_judge(tally: &mut Tally, record: &RunRecord) {
    tally.local_verdicts += u64::from(record.verdict.as_ref().is_some_and(|verdict| verdict.local_fallback));
    let Some(judging) = &record.judging else { return };
    // Where the local judge stood in, the verdict has its name, and the calls were another's.
    let name = record.asked_judge();
    let is_named = tally.judges.contains_key(name) || tally.judges.len() < NAMED;
    let calls = tally.judges.entry(if is_named { name } else { OTHERS }.to_owned()).or_default();
    let usage = Usage {
        input_tokens: judging.tokens_in,
        output_tokens: judging.tokens_out,
        estimated: false,
        ..Usage::default()
    };
    let late = record.policies.afterwards.map(|afterwards| afterwards.seconds);
    let took = (late.unwrap_or(record.timings_s.judge), judging.ttft_s);
    count_call(calls, &usage, Some(judging.cost_usd), judging.error.as_ref(), took);
    calls.made += u64::from(judging.calls);
}

fn count_search(tally: &mut Tally, record: &RunRecord) {
    let Some(search) = &record.policies.search else { return };
    let name = search.provider.as_str();
    let is_named = tally.searches.contains_key(name) || tally.searches.len() < NAMED;
    let calls = tally.searches.entry(if is_named { name } else { OTHERS }.to_owned()).or_default();
    calls.made += 1;
    count_call(calls, &Usage::default(), search.cost_usd, search.error.as_ref(), (search.seconds, None));
}

fn count_embedding(tally: &mut Tally, record: &RunRecord) {
    let Some(asked) = &record.policies.embedding else { return };
    let usage = Usage { input_tokens: asked.tokens, ..Usage::default() };
    tally.embeddings.made += 1;
    count_call(&mut tally.embeddings, &usage, asked.cost_usd, asked.error.as_ref(), (asked.seconds, None));
}

/// What came of a call; that it was made is counted where it was.
fn count_call(
    calls: &mut Calls,
    usage: &Usage,
    dollars: Option<f64>,
    error: Option<&Failure>,
    (took, first): (f64, Option<f64>),
) {
    calls.tokens_in += u64::from(usage.input_tokens);
    calls.tokens_out += u64::from(usage.output_tokens);
    calls.cost_nano += dollars.map_or(0, |dollars| whole(dollars, DOLLAR_UNITS));
    match error {
        None => calls.seconds.add(took, SECONDS),
        Some(failure) if failure.class == FailureClass::Cancelled => {}
        Some(failure) => *calls.failed.entry(failure.class).or_default() += 1,
    }
    if let Some(seconds) = first {
        calls.first_token.add(seconds, SECONDS);
    }
}

fn count_preview(arm: &mut ArmTally, preview: &PreviewRecord) {
    let usage =
        Usage { input_tokens: preview.tokens_in, output_tokens: preview.tokens, estimated: false, ..Usage::default() };
    let took = (preview.latency_s, preview.ttft_s);
    arm.preview.made += u64::from(!preview.handling.unmade);
    count_call(&mut arm.preview, &usage, preview.cost_usd, preview.error.as_ref(), took);
}

fn count_flags(arm: &mut ArmTally, flags: &[Flag]) {
    for flag in flags {
        *arm.flags.entry(*flag).or_default() += 1;
    }
}

fn count_hedge(arm: &mut ArmTally, attempt: &AttemptRecord) {
    arm.hedges += u64::from(attempt.hedge);
    arm.hedges_won += u64::from(attempt.hedge && attempt.ok && !attempt.lost);
    if attempt.lost {
        arm.wasted_tokens += u64::from(attempt.tokens_in) + u64::from(attempt.tokens_out);
        arm.wasted_nano += attempt.cost_usd.map_or(0, |dollars| whole(dollars, DOLLAR_UNITS));
    }
}

fn arm_of<'a>(tally: &'a mut Tally, arm: &ArmId) -> &'a mut ArmTally {
    // The common case copies no name.
    if !tally.arms.contains_key(arm) {
        let name = if tally.arms.len() < NAMED { arm.clone() } else { ArmId::new(OTHERS) };
        return tally.arms.entry(name).or_default();
    }
    tally.arms.entry(arm.clone()).or_default()
}
