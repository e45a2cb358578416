//! One run from its features to its reward. The stages are called one after the other, each is given the
//! token that stops everything, and what they leave is gathered in one place, so that a run that failed
//! or was cancelled leaves as complete a record as one that was served.

use std::future::pending;
use std::sync::Arc;

use fastrand::Rng;
use tokio::select;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answers::length;
use super::config::RaceConfig;
use super::embedding::{self, EmbeddingSample, EmbeddingSource};
use super::events::{EventSink, Wire};
use super::full::{FullOutcome, FullStage};
use super::gate::{GateInput, Plan};
use super::judge::{JudgeChoice, JudgeStage, Judgement};
use super::models::ModelRegistry;
use super::order::{STAND_IN_MARGIN, answering_order, worth};
use super::preview::PreviewStage;
use super::signals::Signals;
use super::teach::Lesson;
use super::words;
use crate::bandit::RouterState;
use crate::domain::chat::{ChatRequest, RequestFault};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::command::Observation;
use crate::domain::context::Context;
use crate::domain::event::RunEvent;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::record::{
    ArmWorth, ContextRecord, OrderRecord, Origin, PreviewRecord, RunOutcome, RunRecord, Timings,
};
use crate::domain::spec::{RouterKind, Strategy};
use crate::domain::terms::Column;
use crate::features::{FeatureExtractor, embedded_text};
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
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Everything about it.
    pub record: RunRecord,
    /// What it taught; absent where that is nothing, or learning is paused.
    pub observation: Option<Observation>,
    /// Terms and rewards of it that had to be clamped into [0, 1].
    pub clamped: u32,
    /// Its projected embedding, while the scale is being learned.
    pub sample: Option<EmbeddingSample>,
}

/// The orchestrator. Holds no state of its own, so any number of runs may be in flight.
pub struct Race {
    parts: RaceParts,
}

/// What the stages of a run leave behind them, one by one.
#[derive(Default)]
struct Trail {
    previews: Vec<PreviewRecord>,
    judgement: Option<Judgement>,
    order: Vec<ArmId>,
    ordering: Option<OrderRecord>,
    full: FullOutcome,
    timings: Timings,
}

/// What is settled before the first model is called.
struct Setting {
    id: RunId,
    at: Timestamp,
    origin: Origin,
    request: Arc<ChatRequest>,
    knowledge: Arc<Knowledge>,
    context: Context,
    sample: Option<EmbeddingSample>,
    plan: Plan,
    length_norm: f64,
    target: u32,
}

impl Race {
    /// A race made of `parts`.
    #[must_use]
    pub const fn new(parts: RaceParts) -> Self {
        Self { parts }
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

    /// Runs one prompt. Stops at once, dropping every stream, when `cancel` is cancelled or the reader of
    /// `events` has gone; the report then says so. Says everything but `Finished`, which is for who
    /// takes the report in. Dropping the future stops everything too, and leaves no report.
    pub async fn run(&self, input: RunInput, events: &EventSink, cancel: &CancellationToken) -> RunReport {
        let stop = cancel.child_token();
        let wire = Wire { events, stop: &stop };
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

    async fn stages(&self, input: RunInput, wire: Wire<'_>) -> RunReport {
        let started = Instant::now();
        let mut rng = Rng::with_seed(input.seed);
        let found = match &self.parts.embedding {
            Some(source) => Some(source.of(embedded_text(&input.request)).await),
            None => None,
        };
        let setting = self.settle(input, found, &mut rng);
        let mut trail = Trail::default();
        trail.timings.features = seconds_since(started);
        self.announce(&setting, wire).await;
        if setting.plan.strategy == Strategy::Race && !setting.plan.chosen.is_empty() {
            self.preview_and_judge(&setting, &mut trail, &mut rng, wire).await;
        }
        self.answer(&setting, &mut trail, wire).await;
        trail.timings.total = seconds_since(started);
        let is_stopped = wire.stop.is_cancelled();
        self.report(setting, trail, is_stopped)
    }

    /// Features and gate.
    fn settle(&self, input: RunInput, found: Option<Result<Arc<EmbeddingSample>, String>>, rng: &mut Rng) -> Setting {
        let parts = &self.parts;
        let at = parts.clock.now();
        let mut context = parts.features.compute(&input.request);
        let sample =
            parts.features.slots().zip(found).and_then(|(slots, found)| {
                embedding::fill(&mut context, slots, found, input.knowledge.state.normaliser())
            });
        let candidates: Vec<ArmId> =
            input.knowledge.state.candidates().into_iter().filter(|arm| parts.models.model(arm).is_ok()).collect();
        let gate = GateInput {
            state: &input.knowledge.state,
            context: &context,
            candidates: &candidates,
            router: parts.router,
            strategy: input.strategy,
            k: parts.config.k,
            auto_width: parts.config.auto_width,
        };
        let plan = gate.plan(&mut || rng.f64());
        let length_norm = length_norm(&context);
        Setting {
            id: input.id,
            at,
            origin: input.origin,
            request: Arc::new(input.request),
            knowledge: input.knowledge,
            target: parts.config.preview_target(length_norm),
            length_norm,
            context,
            sample,
            plan,
        }
    }

    async fn announce(&self, setting: &Setting, wire: Wire<'_>) {
        let plan = &setting.plan;
        let event = || RunEvent::Selected {
            run: setting.id,
            strategy: plan.strategy,
            gate: plan.gate.clone(),
            context: context_record(&setting.context),
            arms: plan.scores.clone(),
            preview_tokens: if plan.strategy == Strategy::Race { setting.target } else { 0 },
        };
        let event = event();
        wire.events.tell(&event);
        wire.say(|| event).await;
    }

    async fn preview_and_judge(&self, setting: &Setting, trail: &mut Trail, rng: &mut Rng, wire: Wire<'_>) {
        let (config, models) = (&self.parts.config, self.parts.models.as_ref());
        let started = Instant::now();
        let stage = PreviewStage { config, models, run: setting.id, request: &setting.request, target: setting.target };
        trail.previews = stage.take_all(&setting.plan.chosen, wire).await;
        trail.timings.previews = seconds_since(started);
        let complete: Vec<&PreviewRecord> = trail.previews.iter().filter(|p| p.error.is_none()).collect();
        if complete.is_empty() || wire.stop.is_cancelled() {
            return;
        }
        let started = Instant::now();
        let choice = self.parts.judge.as_ref();
        let stage =
            JudgeStage { config, choice, models, run: setting.id, request: &setting.request, target: setting.target };
        let judgement = stage.judge(&complete, rng, wire).await;
        trail.timings.judge = seconds_since(started);
        if let Some(judgement) = judgement {
            wire.say(|| RunEvent::Judged { verdict: judgement.verdict.clone() }).await;
            trail.judgement = Some(judgement);
        }
    }

    async fn answer(&self, setting: &Setting, trail: &mut Trail, wire: Wire<'_>) {
        if wire.stop.is_cancelled() {
            return;
        }
        self.order(setting, trail);
        wire.say(|| RunEvent::Ordered { order: trail.order.clone() }).await;
        let started = Instant::now();
        let stage = FullStage {
            config: &self.parts.config,
            models: &self.parts.models,
            run: setting.id,
            request: &setting.request,
        };
        trail.full = stage.answer(&trail.order, wire).await;
        trail.timings.full = seconds_since(started);
    }

    /// Who answers, in which order: see `order.rs`. Without previews the chosen arm is first, and where
    /// the configuration decided, the others follow as configured.
    fn order(&self, setting: &Setting, trail: &mut Trail) {
        let plan = &setting.plan;
        let knowledge = &setting.knowledge;
        let mut pool: Vec<&ArmId> = plan.scores.iter().map(|score| &score.arm).collect();
        let place = |arm: &ArmId| knowledge.state.arms().position(|view| view.spec.name == *arm);
        pool.sort_by_key(|arm| place(arm));
        let first = plan.chosen.first().filter(|arm| trail.previews.is_empty() && pool.contains(arm));
        if plan.strategy == Strategy::Baseline {
            let others = pool.iter().filter(|arm| Some(**arm) != first).copied();
            trail.order = first.into_iter().chain(others).cloned().collect();
            return;
        }
        let outlook = knowledge.signals.answers(setting.length_norm, setting.at);
        let expected = |arm: &&ArmId| {
            let estimate = knowledge.state.estimate(arm.as_str(), &setting.context.x);
            let quality = estimate.map_or(0.0, |estimate| estimate.column(Column::Quality));
            worth((*arm).clone(), quality, outlook.of(arm))
        };
        let worth: Vec<ArmWorth> = pool.iter().map(expected).collect();
        let others: Vec<ArmWorth> = worth.iter().filter(|each| Some(&each.arm) != first).cloned().collect();
        let judgement = trail.judgement.as_ref();
        let counts = judgement.is_some_and(|j| j.teaches);
        let least = if counts { 0.0 } else { STAND_IN_MARGIN };
        let tie_margin = self.parts.config.tie_margin.max(least);
        let ordered = answering_order(judgement.map(|j| &j.verdict), &trail.previews, &others, tie_margin);
        let decided = ordered.decided.into_iter().flatten().collect();
        trail.order = first.cloned().into_iter().chain(ordered.order).collect();
        trail.ordering = Some(OrderRecord { tie_margin, counts, worth, decided });
    }

    /// The record and the observation.
    fn report(&self, setting: Setting, trail: Trail, is_stopped: bool) -> RunReport {
        let state = &setting.knowledge.state;
        let Trail { previews, judgement, order, ordering, full, timings } = trail;
        let (winner, answer) = full.answer.unzip();
        let lesson = Lesson {
            policy: self.parts.reward.as_ref(),
            weights: state.weights(),
            signals: &setting.knowledge.signals,
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
        let spent_usd = Some(cost_usd);
        let observation = teaches.then(|| Observation {
            run: setting.id,
            x: setting.context.x.clone(),
            arms: learned.observations,
            spent_usd,
        });
        let fallbacks = full.attempts.iter().filter(|a| !a.lost).count().saturating_sub(1);
        let record = RunRecord {
            run_id: setting.id,
            at: setting.at,
            origin: setting.origin,
            context: context_record(&setting.context),
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
        };
        RunReport { record, observation, clamped: learned.clamped, sample: setting.sample }
    }
}

fn seconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

/// The size of the prompt in [0, 1], where the schema has it.
fn length_norm(context: &Context) -> f64 {
    length(&context.schema.names, &context.x)
}

fn context_record(context: &Context) -> ContextRecord {
    ContextRecord {
        names: context.schema.names.clone(),
        x: context.x.clone(),
        intent: context.intent,
        feature_version: context.schema.version.clone(),
        degraded: context.degraded.clone(),
    }
}
