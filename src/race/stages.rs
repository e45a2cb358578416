//! The stages of a run, one after the other, from its features to its full answer. Each is given the
//! token that stops everything, and what they leave is gathered in one place, so that a run that failed
//! or was cancelled leaves as complete a record as one that was served. How a stage does its work is its
//! own file's matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use tokio::time::Instant;

use super::afterwards::Afterwards;
use super::answers::length;
use super::cached::{Direction, Remembered, tally};
use super::embedding::{self, EmbeddingSample};
use super::events::Wire;
use super::full::{FullOutcome, FullStage};
use super::gate::{GateInput, Plan};
use super::holds::Hold;
use super::judge::{JudgeStage, Judgement};
use super::opinion::Told;
use super::order::{STAND_IN_MARGIN, answering_order, worth};
use super::policies::assigned;
use super::preview::PreviewStage;
use super::reading::input_tokens;
use super::report::context_record;
use super::retry::Retry;
use super::run::{Knowledge, Race, RunInput, RunReport};
use super::search::{SearchSource, Searched};
use super::sessions::SessionKey;
use super::timeouts::Timers;
use crate::bandit::InFlight;
use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::context::Context;
use crate::domain::embedding::EmbeddingRecord;
use crate::domain::event::RunEvent;
use crate::domain::ids::{ArmId, RunId};
use crate::domain::judging::Verdict;
use crate::domain::record::{ArmWorth, CacheRecord, ExperimentRecord, OrderRecord, Origin, PreviewRecord, Timings};
use crate::domain::spec::Strategy;
use crate::domain::tally::Phase;
use crate::domain::terms::Column;
use crate::features::{complexity, embedded_text};

/// What the stages of a run leave behind them, one by one.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) previews: Vec<PreviewRecord>,
    pub(super) cache: Option<CacheRecord>,
    pub(super) judgement: Option<Judgement>,
    pub(super) order: Vec<ArmId>,
    pub(super) ordering: Option<OrderRecord>,
    pub(super) full: FullOutcome,
    pub(super) searched: Option<Searched>,
    pub(super) timings: Timings,
}

/// What is settled before the first model is called.
pub(super) struct Setting {
    pub(super) id: RunId,
    pub(super) at: Timestamp,
    pub(super) origin: Origin,
    pub(super) request: Arc<ChatRequest>,
    pub(super) knowledge: Arc<Knowledge>,
    pub(super) context: Context,
    /// Each candidate's own dimensions, where the schema has any.
    pub(super) signals: BTreeMap<ArmId, Vec<f64>>,
    pub(super) sample: Option<EmbeddingSample>,
    /// What its embedding took, where that had to be asked for.
    pub(super) embedding: Option<EmbeddingRecord>,
    pub(super) plan: Plan,
    pub(super) length_norm: f64,
    pub(super) target: u32,
    pub(super) retry: Retry,
    pub(super) direction: Direction,
    pub(super) experiment: Option<ExperimentRecord>,
    /// Where an answer that nobody judges is judged afterwards.
    pub(super) afterwards: Option<Afterwards>,
    /// What another arm has to be better by for a conversation to leave its own.
    pub(super) margin: f64,
    /// The conversation, and who answered it before.
    pub(super) session: Option<(SessionKey, Option<ArmId>)>,
    /// What it holds under the ceiling of dollars per request.
    hold: Option<Arc<Hold>>,
}

impl Trail {
    /// What calls are asked: the request, with what a web search found.
    fn request<'a>(&'a self, setting: &'a Setting) -> &'a Arc<ChatRequest> {
        self.searched.as_ref().and_then(|searched| searched.request.as_ref()).unwrap_or(&setting.request)
    }
}

impl Race {
    pub(super) async fn stages(&self, input: RunInput, wire: Wire<'_>) -> RunReport {
        // Before anything is waited for: seconds by phase begin here, and so does the run.
        let (at, started) = (self.parts.clock.now(), Instant::now());
        let mut rng = Rng::with_seed(input.seed);
        // Waits are set apart by the moment as well: programs of one seed that start together retry at different times.
        let apart = input.seed ^ at.millis().rotate_left(32);
        let retry = Retry::new(self.parts.config.retry, Arc::clone(&self.extras), apart);
        let found = match &self.parts.embedding {
            Some(source) => {
                if let Some(scale) = input.knowledge.state.normaliser() {
                    source.expect(scale.inputs);
                }
                Some(source.for_run(embedded_text(&input.request), &retry, wire).await)
            }
            None => None,
        };
        let (found, asked) = found.map(|looked| (looked.found, looked.record)).unzip();
        let mut setting = self.settle(input, at, found, retry, &mut rng);
        setting.embedding = asked.flatten();
        let mut trail = Trail::default();
        trail.timings.features = seconds_since(started);
        self.announce(&setting, wire).await;
        let is_race = setting.plan.strategy == Strategy::Race && !setting.plan.chosen.is_empty();
        if is_race && self.may_answer(&setting, wire) {
            self.preview_and_judge(&setting, &mut trail, &mut rng, wire).await;
        }
        self.answer(&setting, &mut trail, wire).await;
        trail.timings.total = seconds_since(started);
        let is_stopped = wire.stop.is_cancelled();
        self.report(setting, trail, is_stopped)
    }

    /// Whether a ceiling leaves room for an answer of any candidate: where it does not, previews are not paid for.
    fn may_answer(&self, setting: &Setting, wire: Wire<'_>) -> bool {
        let prompt = input_tokens(&setting.request);
        let may = |arm: &ArmId| wire.purse.check(Phase::Answer, self.parts.models.price(arm), prompt).is_ok();
        setting.knowledge.state.candidates().iter().any(may)
    }

    /// Features and gate.
    fn settle(
        &self,
        input: RunInput,
        at: Timestamp,
        found: Option<Result<Arc<EmbeddingSample>, String>>,
        retry: Retry,
        rng: &mut Rng,
    ) -> Setting {
        let parts = &self.parts;
        let mut context = parts.features.compute(&input.request);
        let direction = Direction::of(&input.request, found.as_ref());
        let sample =
            parts.features.slots().zip(found).and_then(|(slots, found)| {
                embedding::fill(&mut context, slots, found, input.knowledge.state.normaliser())
            });
        let candidates: Vec<ArmId> =
            input.knowledge.state.candidates().into_iter().filter(|arm| parts.models.model(arm).is_ok()).collect();
        let length_norm = length_norm(&context);
        let known = &input.knowledge.signals;
        let has_signals = context.shared().len() < context.x.len();
        let own = |arm: &ArmId| (arm.clone(), known.dimensions(arm, length_norm).to_vec());
        let signals: BTreeMap<_, _> = candidates.iter().filter(|_| has_signals).map(own).collect();
        let policies = &parts.config.policies;
        let session = input.session.as_deref().and_then(SessionKey::of);
        let experiment = self.assign(&input, session, rng);
        let told = Told {
            gate: policies.gate,
            novelty: if input.origin == Origin::Traffic { None } else { self.recollection.meet(&direction) },
            costs: if policies.gate.auto { self.recollection.costs() } else { None },
            session: policies.session,
            answered: session.and_then(|key| self.sessions.arm(key, &policies.session, at)),
        };
        let target = parts.config.preview_target(length_norm, complexity(&input.request));
        let gate = GateInput {
            state: &input.knowledge.state,
            context: &context,
            signals: &signals,
            candidates: &candidates,
            router: parts.router,
            strategy: experiment.map_or(input.strategy, |experiment| experiment.strategy),
            k: parts.config.k,
            set: parts.config.set,
            auto_width: parts.config.auto_width,
            told: &told,
            now: at,
            in_flight: InFlight::NONE,
        };
        let plan = gate.plan_holding(input.hold.as_deref(), &mut || rng.f64());
        Setting {
            id: input.id,
            afterwards: self.afterwards(input.seed, target, &input.knowledge),
            at,
            origin: input.origin,
            request: Arc::new(input.request),
            knowledge: input.knowledge,
            target,
            experiment,
            margin: policies.session.margin,
            session: session.map(|key| (key, told.answered)),
            length_norm,
            context,
            signals,
            sample,
            embedding: None,
            plan,
            retry,
            direction,
            hold: input.hold,
        }
    }

    /// The strategy that the run is assigned to, where strategies are compared and no operator has set one. A
    /// conversation stays with its strategy.
    fn assign(&self, input: &RunInput, session: Option<SessionKey>, rng: &mut Rng) -> Option<ExperimentRecord> {
        let experiment = &self.parts.config.policies.experiment;
        if experiment.is_empty() || input.knowledge.state.mode().strategy.is_some() {
            return None;
        }
        let u = session.map_or_else(|| rng.f64(), SessionKey::uniform);
        assigned(experiment, u).map(|(strategy, share)| ExperimentRecord { strategy, share })
    }

    async fn announce(&self, setting: &Setting, wire: Wire<'_>) {
        let plan = &setting.plan;
        let event = || RunEvent::Selected {
            run: setting.id,
            strategy: plan.strategy,
            gate: plan.gate.clone(),
            context: context_record(setting),
            arms: plan.scores.clone(),
            preview_tokens: if plan.strategy == Strategy::Race { setting.target } else { 0 },
        };
        let event = event();
        wire.events.tell(&event);
        wire.say(|| event).await;
    }

    fn timers<'a>(&'a self, setting: &'a Setting) -> Timers<'a> {
        let signals = setting.knowledge.signals.as_ref();
        Timers { rules: &self.parts.config.timeouts, signals, length: setting.length_norm }
    }

    async fn preview_and_judge(&self, setting: &Setting, trail: &mut Trail, rng: &mut Rng, wire: Wire<'_>) {
        let (config, models) = (&self.parts.config, self.parts.models.as_ref());
        self.look_up(setting, trail, true, wire).await;
        let started = Instant::now();
        // What was previewed without these results, or with others, is another preview.
        let remembered = self.remembered(setting).filter(|_| trail.searched.is_none());
        let cache = remembered.as_ref();
        let stage = PreviewStage {
            config,
            models,
            run: setting.id,
            request: trail.request(setting),
            target: setting.target,
            timers: self.timers(setting),
            retry: &setting.retry,
            cache,
        };
        trail.previews = stage.take_all(&setting.plan.chosen, wire).await;
        trail.cache = cache.map(|_| tally(&trail.previews));
        trail.timings.previews = seconds_since(started);
        let complete: Vec<&PreviewRecord> = trail.previews.iter().filter(|p| p.error.is_none()).collect();
        if complete.is_empty() || wire.stop.is_cancelled() {
            return;
        }
        let started = Instant::now();
        let choice = self.parts.judge.as_ref();
        let stage = JudgeStage {
            config,
            choice,
            models,
            run: setting.id,
            request: &setting.request,
            found: trail.searched.as_ref().map_or(&[], |searched| searched.record.results.as_slice()),
            target: setting.target,
            retry: &setting.retry,
            timers: self.timers(setting),
            health: &self.judge_health,
        };
        let judgement = stage.judge(&complete, rng, wire).await;
        trail.timings.judge = seconds_since(started);
        if let Some(judgement) = judgement {
            wire.say(|| RunEvent::Judged { verdict: judgement.verdict.clone() }).await;
            if let Some(remembered) = remembered.filter(|_| judgement.teaches) {
                remembered.keep(&trail.previews).await;
            }
            trail.judgement = Some(judgement);
        }
    }

    /// Asks the web search, where there is one for this stage and the run has not asked yet.
    async fn look_up(&self, setting: &Setting, trail: &mut Trail, before_previews: bool, wire: Wire<'_>) {
        let is_for_this = |search: &&SearchSource| search.previews || !before_previews;
        let Some(search) = self.search.as_ref().filter(|_| trail.searched.is_none()).filter(is_for_this) else {
            return;
        };
        let started = Instant::now();
        trail.searched = search.look_up(&setting.request, before_previews, wire).await;
        trail.timings.search = seconds_since(started);
    }

    /// The cache, where it may be asked: traffic is generated to be measured, and always asks anew.
    fn remembered<'a>(&'a self, setting: &'a Setting) -> Option<Remembered<'a>> {
        let cache = self.cache.as_deref().filter(|_| setting.origin != Origin::Traffic)?;
        Some(Remembered {
            cache,
            models: &self.parts.models,
            threshold: self.parts.config.cache_threshold,
            direction: &setting.direction,
            asked: setting.direction.asked(&setting.request),
            features: &setting.context.schema.version,
            target: setting.target,
            now: setting.at,
        })
    }

    async fn answer(&self, setting: &Setting, trail: &mut Trail, wire: Wire<'_>) {
        if wire.stop.is_cancelled() {
            return;
        }
        self.order(setting, trail);
        expect_the_first(setting, &trail.order);
        wire.say(|| RunEvent::Ordered { order: trail.order.clone() }).await;
        self.look_up(setting, trail, false, wire).await;
        let started = Instant::now();
        let stage = FullStage {
            config: &self.parts.config,
            models: &self.parts.models,
            run: setting.id,
            request: trail.request(setting),
            timers: self.timers(setting),
            retry: &setting.retry,
            signals: &setting.knowledge.signals,
            began: started,
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
            let estimate = knowledge.state.estimate(arm.as_str(), &setting.context.of(setting.signals.get(*arm)));
            let quality = estimate.map_or(0.0, |estimate| estimate.column(Column::Quality));
            worth((*arm).clone(), quality, outlook.of(arm))
        };
        let worth: Vec<ArmWorth> = pool.iter().map(expected).collect();
        let mut others: Vec<ArmWorth> = worth.iter().filter(|each| Some(&each.arm) != first).cloned().collect();
        if !plan.orders {
            for other in &mut others {
                other.worth = 0.0;
            }
        }
        let judgement = trail.judgement.as_ref();
        let counts = judgement.is_some_and(|j| j.teaches);
        let least = if counts { 0.0 } else { STAND_IN_MARGIN };
        let tie_margin = self.parts.config.tie_margin.max(least);
        let ordered = answering_order(judgement.map(|j| &j.verdict), &trail.previews, &others, tie_margin);
        let decided = ordered.decided.into_iter().flatten().collect();
        trail.order = first.cloned().into_iter().chain(ordered.order).collect();
        let verdict = judgement.map(|j| &j.verdict);
        if let Some(held) = plan.held.as_ref().filter(|held| may_stay(held, verdict, setting.margin)) {
            trail.order.sort_by_key(|arm| arm != held);
        }
        trail.ordering = Some(OrderRecord { tie_margin, counts, worth, decided });
    }
}

/// Whether a conversation may stay with `held`: its preview was not judged worse than the best by more than `margin`.
/// An arm that is not among those that answer is put nowhere.
fn may_stay(held: &ArmId, verdict: Option<&Verdict>, margin: f64) -> bool {
    verdict.is_none_or(|verdict| verdict.behind_best(held).is_some_and(|behind| behind <= margin))
}

/// Who is to answer is known: the run holds what that is expected to cost.
fn expect_the_first(setting: &Setting, order: &[ArmId]) {
    let (Some(hold), Some(first)) = (&setting.hold, order.first()) else { return };
    let x = setting.context.of(setting.signals.get(first));
    if let Some(dollars) = setting.knowledge.state.expected_run_dollars(first.as_str(), &x) {
        hold.expect(dollars);
    }
}

fn seconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

/// The size of the prompt in [0, 1], where the schema has it.
fn length_norm(context: &Context) -> f64 {
    length(&context.schema.names, &context.x)
}
