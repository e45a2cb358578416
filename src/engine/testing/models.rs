//! Scripted models: what an arm does is said by the test, and can change while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::BoxFuture;
use crate::domain::answer::{AnswerPart, AnswerStream, ChatModel, FinishReason, ModelCall, ModelFactory};
use crate::domain::embedding::{Embedder, Embedding};
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::money::Usage;
use crate::domain::spec::ArmSpec;

/// What an arm does when it is called.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Answers with this text after so long.
    Answer(&'static str, Duration),
    /// Fails at once.
    Fail(FailureClass),
    /// Answers 429 and when to come back.
    Limited(Duration),
    /// Never says anything.
    Hang,
    /// Panics.
    Panic,
    /// Has no adapter, for this reason.
    Unset(&'static str),
}

/// A factory of models that follow their scripts; an arm without one answers at once.
#[derive(Default)]
pub(crate) struct Stage {
    scripts: Arc<Mutex<BTreeMap<ArmId, Script>>>,
    calls: Arc<Mutex<BTreeMap<ArmId, usize>>>,
}

impl Stage {
    /// Calls of `arm` so far.
    pub(crate) fn calls(&self, arm: &str) -> usize {
        self.calls.lock().unwrap().get(&ArmId::from(arm)).copied().unwrap_or_default()
    }

    /// Counts calls from 0 again.
    pub(crate) fn forget_calls(&self) {
        self.calls.lock().unwrap().clear();
    }

    /// From the next call on, `arm` does this.
    pub(crate) fn script(&self, arm: &str, script: Script) {
        self.lock().insert(arm.into(), script);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ArmId, Script>> {
        self.scripts.lock().unwrap()
    }
}

impl ModelFactory for Stage {
    fn build(&self, spec: &ArmSpec) -> Result<Arc<dyn ChatModel>, String> {
        match self.lock().get(&spec.name) {
            Some(Script::Unset(reason)) => Err((*reason).to_owned()),
            _ => Ok(Arc::new(Actor {
                arm: spec.name.clone(),
                scripts: Arc::clone(&self.scripts),
                calls: Arc::clone(&self.calls),
            })),
        }
    }
}

struct Actor {
    arm: ArmId,
    scripts: Arc<Mutex<BTreeMap<ArmId, Script>>>,
    calls: Arc<Mutex<BTreeMap<ArmId, usize>>>,
}

impl ChatModel for Actor {
    fn stream(&self, _call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        *self.calls.lock().unwrap().entry(self.arm.clone()).or_default() += 1;
        let answer = Script::Answer("a plain answer of a few words", Duration::from_millis(10));
        let script = self.scripts.lock().unwrap().get(&self.arm).cloned().unwrap_or(answer);
        Box::pin(async move {
            match script {
                Script::Answer(text, after) => {
                    sleep(after).await;
                    Ok(Box::new(Lines::of(text)) as Box<dyn AnswerStream>)
                }
                Script::Fail(class) => Err(Failure::new(class, "scripted", "the script says so")),
                Script::Limited(after) => {
                    let limited = Failure::new(FailureClass::Transient, "http_429", "the script says slow down");
                    Err(Failure { retry_after: Some(after), ..limited })
                }
                Script::Hang | Script::Unset(_) => std::future::pending().await,
                Script::Panic => panic!("the script says so"),
            }
        })
    }
}

/// Every text is the same to it, of a hundred tokens.
#[derive(Debug)]
pub(crate) struct Flat;

impl Embedder for Flat {
    fn embed<'a>(&'a self, _text: &'a str) -> BoxFuture<'a, Result<Embedding, Failure>> {
        Box::pin(async { Ok(Embedding { numbers: vec![0.5; 8], tokens: Some(100) }) })
    }
}

struct Lines(std::vec::IntoIter<AnswerPart>);

impl Lines {
    fn of(text: &str) -> Self {
        let usage = Usage { input_tokens: 10, output_tokens: 10, estimated: false, ..Usage::default() };
        let parts =
            vec![AnswerPart::Text(text.to_owned()), AnswerPart::Finish(FinishReason::Stop), AnswerPart::Usage(usage)];
        Self(parts.into_iter())
    }
}

impl AnswerStream for Lines {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        Box::pin(async move { self.0.next().map(Ok) })
    }
}
