//! One run: what a race is made of, what it is given and what it leaves, and who may stop it. The stages
//! themselves are in `stages.rs`, the record that they leave in `report.rs`.

use std::future::pending;
use std::sync::Arc;

use tokio::select;
use tokio_util::sync::CancellationToken;

use super::afterwards::Afterwards;
use super::budget::{DayAccount, Purse, Reservation};
use super::config::RaceConfig;
use super::embedding::{EmbeddingSample, EmbeddingSource};
use super::events::{EventSink, Wire};
use super::extra::ExtraBudget;
use super::holds::{Hold, Holds};
use super::judge::JudgeChoice;
use super::judge_health::{JudgeHealth, JudgeOut};
use super::models::ModelRegistry;
use super::recollection::Recollection;
use super::search::SearchSource;
use super::sessions::Sessions;
use super::signals::Signals;
use super::words;
use crate::bandit::RouterState;
use crate::domain::cache::PreviewCache;
use crate::domain::chat::{ChatRequest, RequestFault};
use crate::domain::clock::Clock;
use crate::domain::command::Observation;
use crate::domain::ids::RunId;
use crate::domain::record::{Origin, RunRecord};
use crate::domain::spec::{RouterKind, SetChoice, Strategy};
use crate::features::FeatureExtractor;
use crate::reward::RewardPolicy;

/// What was learned, at one place in the command log: what runs read and never change.
#[derive(Clone)]
pub struct Knowledge {
    /// The router's state.
    pub state: RouterState,
    /// The health of arms.
    pub signals: Arc<Signals>,
}

/// What a race is made of.
pub struct RaceParts {
    /// Numbers.
    pub config: RaceConfig,
    /// The adapters of the pool; shared with who changes it.
    pub models: Arc<ModelRegistry>,
    /// Who judges; the local judge where nobody does.
    pub judge: Option<JudgeChoice>,
    /// How prompts become numbers.
    pub features: Arc<dyn FeatureExtractor>,
    /// Where embeddings come from, where `features` leaves slots for them.
    pub embedding: Option<EmbeddingSource>,
    /// How terms become a reward.
    pub reward: Arc<dyn RewardPolicy>,
    /// How arms are chosen.
    pub router: RouterKind,
    /// The wall clock, for the record.
    pub clock: Arc<dyn Clock>,
}

/// One prompt to run.
pub struct RunInput {
    /// The run.
    pub id: RunId,
    /// What to answer.
    pub request: ChatRequest,
    /// Where it came from.
    pub origin: Origin,
    /// Everything random in the run follows from it.
    pub seed: u64,
    /// What was learned so far.
    pub knowledge: Arc<Knowledge>,
    /// The configured strategy; a strategy in the state's mode comes before it.
    pub strategy: Strategy,
    /// What was reserved for it of the day's ceiling; absent where there is none.
    pub reservation: Option<Reservation>,
    /// What it holds under the ceiling of dollars per request, begun before `knowledge` was read; absent where runs
    /// are one after the other.
    pub hold: Option<Arc<Hold>>,
    /// The id of the conversation that it belongs to, as its caller names it.
    pub session: Option<String>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Everything about it.
    pub record: RunRecord,
    /// What it taught; absent where that is nothing, or learning is paused.
    pub observation: Option<Observation>,
    /// Its projected embedding, while the scale is being learned.
    pub sample: Option<EmbeddingSample>,
    /// Where the answer is to be judged afterwards.
    pub afterwards: Option<Afterwards>,
}

/// The orchestrator. Any number of runs may be in flight; what they share is how much more than the plain
/// traffic they may send, and what a day may cost.
pub struct Race {
    pub(super) parts: RaceParts,
    pub(super) extras: Arc<ExtraBudget>,
    pub(super) cache: Option<Arc<dyn PreviewCache>>,
    day: Option<Arc<DayAccount>>,
    holds: Holds,
    pub(super) recollection: Recollection,
    pub(super) sessions: Sessions,
    pub(super) judge_health: JudgeHealth,
    pub(super) search: Option<SearchSource>,
}

impl Race {
    /// A race made of `parts`.
    #[must_use]
    pub fn new(parts: RaceParts) -> Self {
        let extras = Arc::new(ExtraBudget::new(parts.config.extras));
        let day = parts.config.budget.day_usd.map(|ceiling| Arc::new(DayAccount::new(ceiling)));
        let (recollection, sessions) = (Recollection::default(), Sessions::default());
        let (holds, judge_health) = (Holds::default(), JudgeHealth::default());
        Self { parts, extras, cache: None, recollection, sessions, judge_health, day, holds, search: None }
    }

    /// The same with previews that were made before, where a similar prompt asks for them again.
    #[must_use]
    pub fn with_cache(self, cache: Arc<dyn PreviewCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The same with a web search before its full answers, or before its previews too.
    #[must_use]
    pub fn with_search(self, search: SearchSource) -> Self {
        Self { search: Some(search), ..self }
    }

    /// What all runs of a day may spend, where that has a ceiling: runs are to reserve their share of it.
    #[must_use]
    pub const fn day(&self) -> Option<&Arc<DayAccount>> {
        self.day.as_ref()
    }

    /// What runs under way hold under the ceiling of dollars per request.
    #[must_use]
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// How much more than the plain traffic may be sent, and was.
    #[must_use]
    pub fn extras(&self) -> &ExtraBudget {
        &self.extras
    }

    /// The judge and for how long it is out, where it is asked no more for a time.
    #[must_use]
    pub fn judge_out(&self) -> Option<(&str, JudgeOut)> {
        Some((self.parts.judge.as_ref()?.name(), self.judge_health.out()?))
    }

    /// Has a judge that is out asked by the next run. Its name and how it was out; `None` where it was not.
    pub fn ask_judge_again(&self) -> Option<(&str, JudgeOut)> {
        Some((self.parts.judge.as_ref()?.name(), self.judge_health.ask_again()?))
    }

    /// Takes in a run of before this start, in the order in which they were completed.
    pub fn recall(&self, record: &RunRecord) {
        self.recollection.recall(record);
    }

    /// Takes in which arm answered the conversation of a run of before this start, whatever was taken in before.
    /// False for one of too long ago: those before it need not be read.
    pub fn recall_conversation(&self, record: &RunRecord) -> bool {
        let (rules, now) = (&self.parts.config.policies.session, self.parts.clock.now());
        self.sessions.recall(record, rules, now)
    }

    /// The same, but that a race's arms are chosen as `set` says: what a comparison varies.
    #[must_use]
    pub fn choosing(mut self, set: SetChoice) -> Self {
        self.parts.config.set = set;
        self
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &RaceParts {
        &self.parts
    }

    /// Refuses a prompt that cannot be run, before anything is started.
    ///
    /// # Errors
    /// [`RequestFault`] where the prompt is blank or too large.
    pub fn check(&self, request: &ChatRequest) -> Result<(), RequestFault> {
        request.check(self.parts.config.max_prompt_bytes)
    }

    /// Why no arm can be asked, arm by arm, and what to do; only where none is a candidate.
    #[must_use]
    pub fn why_nobody(&self, state: &RouterState) -> String {
        words::nobody_answered(state, &self.parts.models, &[], &[])
    }

    /// Runs one prompt. Stops at once, dropping every stream, when `cancel` is cancelled or the reader of
    /// `events` has gone; the report then says so. Says everything but `Finished`, which is for who
    /// takes the report in. Dropping the future stops everything too, and leaves no report.
    pub async fn run(&self, mut input: RunInput, events: &EventSink, cancel: &CancellationToken) -> RunReport {
        let stop = cancel.child_token();
        let purse = Purse::new(self.parts.config.budget, input.reservation.take());
        let wire = Wire { events, stop: &stop, purse: &purse };
        let reader_leaves = async {
            events.closed().await;
            stop.cancel();
            pending().await
        };
        // Boxed: the stages together are a large future, and this one is moved into a task.
        let stages = Box::pin(self.stages(input, wire));
        select! {
            biased;
            report = stages => report,
            never = reader_leaves => never,
        }
    }
}
