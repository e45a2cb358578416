//! Models in memory that follow a script, and a pool of them to race. Time is tokio's, paused.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bandit::{RouterConfig, RouterState};
use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerPart, AnswerStream, ChatModel, FinishReason, ModelCall};
use crate::domain::chat::ChatRequest;
use crate::domain::clock::{ManualClock, Timestamp};
use crate::domain::command::{Actor, LogEntry, RouterCommand};
use crate::domain::event::RunEvent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::{ArmId, TimeId};
use crate::domain::judging::{JudgeReply, JudgeTask, Scores};
use crate::domain::money::{Price, Usage};
use crate::domain::record::Origin;
use crate::domain::spec::{ArmSpec, Provider, RouterKind, Strategy};
use crate::domain::terms::Weights;
use crate::features::{FeatureExtractor, LengthFeatures, WithSignals};
use crate::race::{
    EventSink, JudgeChoice, Knowledge, ModelRegistry, Race, RaceConfig, RaceParts, RunInput, RunReport, Signals,
};
use crate::reward::{QualityLatencyCostPolicy, References};

/// One step of a scripted answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The endpoint takes its time.
    Wait(u64),
    /// The endpoint does not even accept the request.
    Refuse(Failure),
    /// A part comes.
    Say(AnswerPart),
    /// The stream breaks.
    Break(Failure),
    /// Nothing comes any more, and the connection stays.
    Hang,
}

pub(super) fn text(text: &str) -> Step {
    Step::Say(AnswerPart::Text(text.to_owned()))
}

pub(super) fn finish(reason: FinishReason) -> Step {
    Step::Say(AnswerPart::Finish(reason))
}

pub(super) fn usage(input_tokens: u32, output_tokens: u32) -> Step {
    Step::Say(AnswerPart::Usage(Usage { input_tokens, output_tokens, estimated: false, ..Usage::default() }))
}

/// As counted before anything of the answer.
pub(super) fn counted(input_tokens: u32) -> Step {
    Step::Say(AnswerPart::Counted(Usage { input_tokens, estimated: true, ..Usage::default() }))
}

pub(super) fn failure(class: FailureClass, kind: &'static str) -> Failure {
    Failure::new(class, kind, "scripted")
}

pub(super) fn down() -> Vec<Step> {
    vec![Step::Refuse(failure(FailureClass::Transient, "http_503"))]
}

/// An answer after `millis`, with ten tokens in and twenty out.
pub(super) fn answer(millis: u64, words: &str) -> Vec<Step> {
    vec![Step::Wait(millis), text(words), Step::Wait(millis), finish(FinishReason::Stop), usage(10, 20)]
}

type Reply = Box<dyn Fn(&ModelCall) -> Vec<Step> + Send + Sync>;

/// A model that answers by script: one script a call, the last one for all further calls.
#[derive(Default)]
pub(super) struct Scripted {
    scripts: Mutex<VecDeque<Vec<Step>>>,
    reply: Option<Reply>,
    calls: Mutex<Vec<ModelCall>>,
    live: Arc<AtomicUsize>,
}

impl Scripted {
    pub(super) fn new(scripts: impl IntoIterator<Item = Vec<Step>>) -> Arc<Self> {
        Arc::new(Self { scripts: Mutex::new(scripts.into_iter().collect()), ..Self::default() })
    }

    pub(super) fn replying(reply: impl Fn(&ModelCall) -> Vec<Step> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { reply: Some(Box::new(reply)), ..Self::default() })
    }

    /// Calls that were made.
    pub(super) fn calls(&self) -> Vec<ModelCall> {
        self.calls.lock().unwrap().clone()
    }

    /// Streams that are open.
    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    fn script(&self, call: &ModelCall) -> VecDeque<Step> {
        if let Some(reply) = &self.reply {
            return reply(call).into();
        }
        let mut scripts = self.scripts.lock().unwrap();
        let next = if scripts.len() > 1 { scripts.pop_front() } else { scripts.front().cloned() };
        next.unwrap_or_default().into()
    }
}

struct ScriptedStream {
    steps: VecDeque<Step>,
    live: Arc<AtomicUsize>,
}

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ChatModel for Scripted {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async move {
            self.calls.lock().unwrap().push(call.clone());
            self.live.fetch_add(1, Ordering::SeqCst);
            let mut stream = ScriptedStream { steps: self.script(&call), live: Arc::clone(&self.live) };
            while let Some(Step::Wait(millis)) = stream.steps.front().cloned() {
                sleep(Duration::from_millis(millis)).await;
                stream.steps.pop_front();
            }
            match stream.steps.front() {
                Some(Step::Refuse(failure)) => Err(failure.clone()),
                _ => Ok(Box::new(stream) as Box<dyn AnswerStream>),
            }
        })
    }
}

impl AnswerStream for ScriptedStream {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        Box::pin(async move {
            loop {
                match self.steps.front().cloned()? {
                    Step::Wait(millis) => {
                        sleep(Duration::from_millis(millis)).await;
                        self.steps.pop_front();
                    }
                    Step::Hang => std::future::pending().await,
                    Step::Say(part) => {
                        self.steps.pop_front();
                        return Some(Ok(part));
                    }
                    Step::Break(failure) | Step::Refuse(failure) => {
                        self.steps.clear();
                        return Some(Err(failure));
                    }
                }
            }
        })
    }
}

/// The task that a judge was given.
pub(super) fn task_of(call: &ModelCall) -> JudgeTask {
    serde_json::from_str(&call.request.prompt()).expect("the judge's task is JSON")
}

pub(super) fn scores(overall: f64) -> Scores {
    Scores { relevance: overall, coverage: overall, faithfulness: overall, hallucination_risk: 0.1, overall }
}

/// A judge that scores texts by what `overall` says of them.
pub(super) fn judge(overall: impl Fn(&str) -> f64 + Send + Sync + 'static) -> Arc<Scripted> {
    Scripted::replying(move |call| verdict_on(call, &overall))
}

/// A judge to whom longer is better: 0.1 a character, up to 1.
pub(super) fn judge_by_length() -> Arc<Scripted> {
    Scripted::replying(verdict_by_length)
}

/// What that judge replies.
pub(super) fn verdict_by_length(call: &ModelCall) -> Vec<Step> {
    verdict_on(call, |text| (text.len() as f64 / 10.0).min(1.0))
}

fn verdict_on(call: &ModelCall, overall: impl Fn(&str) -> f64) -> Vec<Step> {
    let task = task_of(call);
    let scores = task.candidates.iter().map(|c| (c.id.clone(), scores(overall(&c.text)))).collect();
    vec![Step::Wait(5), text(&serde_json::to_string(&JudgeReply { scores }).unwrap()), finish(FinishReason::Stop)]
}

/// A pool of scripted arms and how they race.
pub(super) struct Pool {
    pub(super) config: RaceConfig,
    pub(super) models: Arc<ModelRegistry>,
    pub(super) judge: Option<JudgeChoice>,
    pub(super) state: RouterState,
    pub(super) signals: Signals,
    pub(super) router: RouterKind,
    pub(super) strategy: Strategy,
    pub(super) seed: u64,
    features: LengthFeatures,
    with_signals: bool,
}

/// What a run left, with what it said.
pub(super) struct Seen {
    pub(super) report: RunReport,
    pub(super) events: Vec<RunEvent>,
}

pub(super) fn spec(name: &str) -> ArmSpec {
    ArmSpec {
        name: ArmId::new(name),
        provider: Provider::Openai,
        base_url: String::new(),
        model: name.to_owned(),
        api_key_env: None,
        price: Some(Price { input: 1.0, output: 10.0, cached: None }),
        enabled: true,
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        let features = LengthFeatures::new(2000);
        let config = RouterConfig::for_schema(features.schema());
        Self {
            config: RaceConfig::default(),
            models: Arc::new(ModelRegistry::new()),
            judge: None,
            state: RouterState::new(config, Weights::default(), 1.0, 0.0),
            signals: Signals::default(),
            router: RouterKind::Linucb,
            strategy: Strategy::Race,
            seed: 7,
            features,
            with_signals: false,
        }
    }

    pub(super) fn arm(self, name: &str, model: &Arc<Scripted>) -> Self {
        self.models.set(spec(name), Arc::clone(model) as Arc<dyn ChatModel>);
        self.told(RouterCommand::AddArm { spec: spec(name) })
    }

    /// With signals about arms in the context. Before arms are added.
    pub(super) fn with_signals(mut self) -> Self {
        self.with_signals = true;
        let config = RouterConfig::for_schema(self.whole_extractor().schema());
        self.state = RouterState::new(config, Weights::default(), 1.0, 0.0);
        self
    }

    fn whole_extractor(&self) -> Arc<dyn FeatureExtractor> {
        let features = Arc::new(self.features.clone());
        if self.with_signals { Arc::new(WithSignals::new(features)) } else { features }
    }

    pub(super) fn extractor(&self) -> LengthFeatures {
        self.features.clone()
    }

    /// With that command applied to the router's state.
    pub(super) fn told(mut self, command: RouterCommand) -> Self {
        let sequence = self.state.sequence() + 1;
        let at = Timestamp::from_millis(sequence);
        let command = self.state.prepare(command).expect("an acceptable command");
        let entry = LogEntry { sequence, id: TimeId::new(at, sequence), actor: Actor::Config, at, command };
        self.state.apply(&entry);
        self
    }

    pub(super) fn judged_by(mut self, model: &Arc<Scripted>) -> Self {
        let price = Some(Price { input: 1.0, output: 1.0, cached: None });
        let model = Arc::clone(model) as Arc<dyn ChatModel>;
        self.judge = Some(JudgeChoice::Model { name: "judge".to_owned(), model, price });
        self
    }

    pub(super) fn race(&self) -> Race {
        Race::new(self.parts())
    }

    pub(super) fn parts(&self) -> RaceParts {
        RaceParts {
            config: self.config.clone(),
            models: Arc::clone(&self.models),
            judge: self.judge.clone(),
            features: self.whole_extractor(),
            embedding: None,
            reward: Arc::new(QualityLatencyCostPolicy::new(References::default())),
            router: self.router,
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000))),
        }
    }

    pub(super) fn input(&self, prompt: &str) -> RunInput {
        RunInput {
            session: None,
            id: TimeId::new(Timestamp::from_millis(1_000_000), 42),
            request: ChatRequest::from_prompt(prompt),
            origin: Origin::Person,
            seed: self.seed,
            knowledge: Arc::new(Knowledge { state: self.state.clone(), signals: Arc::new(self.signals.clone()) }),
            strategy: self.strategy,
            reservation: None,
            hold: None,
        }
    }

    /// Runs `prompt` to its end, with every event.
    pub(super) async fn run(&self, prompt: &str) -> Seen {
        self.run_until(prompt, std::future::pending()).await
    }

    /// Runs `prompt` with nobody listening.
    pub(super) async fn unheard(&self, prompt: &str) -> RunReport {
        self.race().run(self.input(prompt), &EventSink::none(), &CancellationToken::new()).await
    }

    /// Runs `prompt`, cancelled when `until` resolves.
    pub(super) async fn run_until(&self, prompt: &str, until: impl Future<Output = ()>) -> Seen {
        let (sender, mut receiver) = mpsc::channel(1024);
        let (sink, cancel) = (EventSink::to(sender), CancellationToken::new());
        let race = self.race();
        let report = {
            let mut running = std::pin::pin!(race.run(self.input(prompt), &sink, &cancel));
            tokio::select! {
                biased;
                report = running.as_mut() => report,
                () = until => {
                    cancel.cancel();
                    running.await
                }
            }
        };
        drop(sink);
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        Seen { report, events }
    }
}

impl Seen {
    /// The names of the events, text left out.
    pub(super) fn phases(&self) -> Vec<String> {
        phases_of(&self.events)
    }

    /// The answer as a reader of the events has it: text of an earlier attempt is void.
    pub(super) fn streamed(&self) -> String {
        self.events.iter().fold(String::new(), |mut text, event| match event {
            RunEvent::AttemptStarted { .. } => String::new(),
            RunEvent::AnswerText { text: piece, .. } => {
                text.push_str(piece);
                text
            }
            _ => text,
        })
    }

    /// The failure kinds of the attempts, `ok` where there was none.
    pub(super) fn attempts(&self) -> String {
        let kind = |a: &crate::domain::record::AttemptRecord| {
            format!("{}:{}", a.arm, a.error.as_ref().map_or("ok", |f| f.kind.as_ref()))
        };
        self.report.record.attempts.iter().map(kind).collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn names(arms: &[ArmId]) -> String {
    arms.iter().map(ArmId::as_str).collect::<Vec<_>>().join(" ")
}

/// The names of the events, text left out.
pub(super) fn phases_of(events: &[RunEvent]) -> Vec<String> {
    let name = |event: &RunEvent| match event {
        RunEvent::PreviewText { .. } | RunEvent::AnswerText { .. } => None,
        RunEvent::Selected { .. } => Some("selected".to_owned()),
        RunEvent::PreviewDone { preview } => Some(format!("previewed {}", preview.arm)),
        RunEvent::Searching { provider } => Some(format!("searching {provider}")),
        RunEvent::Searched { found, error, .. } => {
            Some(error.as_ref().map_or_else(|| format!("searched {found}"), |e| format!("searched {}", e.kind)))
        }
        RunEvent::Judging { judge } => Some(format!("judging {judge}")),
        RunEvent::Judged { .. } => Some("judged".to_owned()),
        RunEvent::Ordered { order } => Some(format!("ordered {}", names(order))),
        RunEvent::AttemptStarted { arm, index } => Some(format!("attempt {index} {arm}")),
        RunEvent::HedgeStarted { arm, index } => Some(format!("hedge {index} {arm}")),
        RunEvent::AttemptDone { attempt } => {
            Some(format!("{} {}", attempt.arm, if attempt.ok { "ok" } else { "failed" }))
        }
        RunEvent::Retrying { name, nth, retried, .. } => Some(format!("retry {nth} {name} {}", retried.kind)),
        RunEvent::Finished { .. } => Some("finished".to_owned()),
    };
    events.iter().filter_map(name).collect()
}
