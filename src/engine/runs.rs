//! Runs in tasks of their own. A run reads what was published when it began, and ends with the owner
//! having its record: only then does its stream say `Finished`. Dropping the stream cancels the run. A
//! panic in a run is a failed run, with a record like any other.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::domain::BoxFuture;
use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::engine::{EngineError, RunRequest, RunStream};
use crate::domain::event::RunEvent;
use crate::domain::ids::RunId;
use crate::domain::record::{ContextRecord, Gate, GateDecision, Origin, Policies, RunOutcome, RunRecord, Timings};
use crate::domain::spec::Strategy;
use crate::domain::text::of_panic;
use crate::race::{EventSink, Reservation, RunInput, RunReport};

use super::actions::refused;
use super::late;
use super::message::{Finished, Message};
use super::shared::{Place, Shared};
use super::watch::Watch;

/// Starts a run.
///
/// # Errors
/// [`EngineError::Refused`] for a prompt that cannot be run or where no arm could be asked,
/// [`EngineError::Busy`], [`EngineError::Stopped`].
pub(super) fn submit(shared: &Arc<Shared>, request: RunRequest) -> Result<Box<dyn RunStream>, EngineError> {
    let RunRequest { request, origin, session } = request;
    let session = session.or_else(|| named_in(&request));
    // Before what was learned is read: see `Holds`.
    let hold = Arc::new(shared.race.holds().begin());
    shared.race.check(&request).map_err(|fault| refused(fault.to_string()))?;
    let knowledge = shared.knowledge.load_full();
    if knowledge.state.candidates().is_empty() {
        return Err(refused(shared.race.why_nobody(&knowledge.state)));
    }
    let place = shared.take_place()?;
    let reservation = reserve(shared)?;
    let seed = mixed(shared.seed, shared.started.fetch_add(1, Ordering::SeqCst));
    let run = RunId::new(shared.now(), seed);
    let strategy = shared.strategy;
    let input =
        RunInput { id: run, request, origin, seed, knowledge, strategy, session, reservation, hold: Some(hold) };
    let (sender, reader) = mpsc::channel(shared.limits.event_buffer.max(1));
    let cancel = shared.tokens.cancel.child_token();
    // An error span: what is said in a run has its id at every level.
    let span = tracing::error_span!("run", %run);
    let events = EventSink::to(sender);
    let going = conduct(Arc::clone(shared), place, input, events, cancel.clone());
    shared.tasks.spawn(going.instrument(span));
    Ok(Box::new(LocalStream { run, events: reader, _cancel_on_drop: cancel.drop_guard() }))
}

/// What a run costs on average, out of the day's ceiling, where there is one.
fn reserve(shared: &Shared) -> Result<Option<Reservation>, EngineError> {
    let Some(account) = shared.race.day() else { return Ok(None) };
    account.reserve(shared.now(), expected_usd(shared)).map(Some).map_err(|full| refused(full.to_string()))
}

/// What a run costs on average, or may at most.
pub(super) fn expected_usd(shared: &Shared) -> f64 {
    let usual = shared.snapshot.load().totals.usd_per_run.unwrap_or(0.0);
    shared.race.parts().config.budget.run_usd.map_or(usual, |most| usual.min(most))
}

/// The conversation as a request itself names it, in its metadata. `user` names a person, or a whole application,
/// and is not taken for one.
fn named_in(request: &ChatRequest) -> Option<String> {
    let metadata = request.extra.get("metadata")?;
    let name = ["session_id", "conversation_id"].iter().find_map(|name| metadata.get(name)?.as_str())?;
    Some(name.to_owned())
}

/// A seed for run number `count`, with all its bits mixed (`SplitMix64`, Steele et al. 2014): different
/// for different numbers.
fn mixed(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

async fn conduct(shared: Arc<Shared>, place: Place, input: RunInput, events: EventSink, cancel: CancellationToken) {
    let run = input.id;
    let abort = shared.tokens.abort.clone();
    tokio::select! {
        biased;
        () = abort.cancelled() => tracing::warn!(%run, "a run was dropped"),
        () = run_and_record(&shared, place, input, events, cancel) => {}
    }
}

async fn run_and_record(
    shared: &Arc<Shared>,
    place: Place,
    input: RunInput,
    events: EventSink,
    cancel: CancellationToken,
) {
    let remains = Remains::of(&input, shared.now());
    // Held until what the run cost is published with the rest of what was learned.
    let hold = input.hold.clone();
    let watch = Arc::new(Watch::new(shared));
    let events = events.observed_by(watch.clone());
    let race = AssertUnwindSafe(shared.race.run(input, &events, &cancel)).catch_unwind();
    let RunReport { record, observation, sample, afterwards } =
        Box::pin(race).await.unwrap_or_else(|panic| remains.report(&panic, shared));
    let record = Arc::new(record);
    let told = Arc::clone(&record);
    // An owner that has gone takes no record; the reader gets it all the same.
    let report = Finished { record: told, observation, sample, is_reviewed: watch.has_told_all() };
    let is_recorded = shared.ask(|recorded| Message::Finished { report, recorded }).await.is_ok();
    drop((hold, place));
    if let Some(what) = afterwards.filter(|_| is_recorded) {
        late::judge(shared, Arc::clone(&record), what);
    }
    let _ = events.send(|| RunEvent::Finished { record }).await;
}

/// What is left of a run that panicked.
struct Remains {
    run: RunId,
    at: Timestamp,
    origin: Origin,
    request: ChatRequest,
    strategy: Strategy,
}

impl Remains {
    fn of(input: &RunInput, at: Timestamp) -> Self {
        Self { run: input.id, at, origin: input.origin, request: input.request.clone(), strategy: input.strategy }
    }

    fn report(self, panic: &(dyn std::any::Any + Send), shared: &Shared) -> RunReport {
        tracing::error!(run = %self.run, panic = of_panic(panic), "a run panicked");
        let message = "a fault in banditop itself ended the run: see the log, and please report it".to_owned();
        let total = shared.now().since(self.at).as_secs_f64();
        let record = RunRecord {
            run_id: self.run,
            at: self.at,
            origin: self.origin,
            request: self.request,
            strategy: self.strategy,
            gate: Gate::new(GateDecision::Bandit, "the run did not get that far".to_owned()),
            context: ContextRecord::default(),
            arms: Vec::new(),
            previews: Vec::new(),
            verdict: None,
            judging: None,
            order: Vec::new(),
            ordering: None,
            attempts: Vec::new(),
            rewards: BTreeMap::new(),
            winner: None,
            answer: None,
            fallbacks: 0,
            cost_usd: 0.0,
            timings_s: Timings { total, ..Timings::default() },
            outcome: RunOutcome::Failed { message },
            rating: None,
            clamped: 0,
            policies: Policies::default(),
        };
        RunReport { record, observation: None, sample: None, afterwards: None }
    }
}

/// A run as it goes, in this process.
struct LocalStream {
    run: RunId,
    events: mpsc::Receiver<RunEvent>,
    _cancel_on_drop: DropGuard,
}

impl RunStream for LocalStream {
    fn run(&self) -> RunId {
        self.run
    }

    fn next(&mut self) -> BoxFuture<'_, Option<RunEvent>> {
        Box::pin(self.events.recv())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_runs_of_a_seed_share_theirs() {
        let seeds: BTreeSet<u64> = (0..10_000).map(|n| mixed(7, n)).collect();
        assert_eq!(seeds.len(), 10_000);
        assert_eq!(mixed(7, 3), mixed(7, 3));
        assert_ne!(mixed(7, 3), mixed(8, 3));
    }
}
