//! The loop: the only part of the console that does anything. It waits for input first, then for
//! signals, answers, snapshots and time; hands each to `update`; performs the effects; draws at most
//! 30 frames a second and none when nothing changed. Tasks that talk to the engine are in one set that
//! ends with it, and answer through one bounded channel.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event as Input, KeyEventKind, MouseEventKind};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use ratatui::backend::Backend;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::bell::Bell;
use super::message::{Effect, Event, Step, Ticket};
use super::model::Model;
use super::model::runs::PAGE;
use super::painter::Painter;
use super::theme::Theme;
use super::update::update;
use super::{EndReason, terminal, views};
use crate::domain::command::{Actor, RouterCommand};
use crate::domain::engine::{CommandRequest, EngineHandle, RunRequest};
use crate::domain::record::{Origin, RunRecord};
use crate::domain::snapshot::RunSummary;
use crate::domain::traffic::TrafficControl;

/// Between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// So many inputs are taken in a row before anything else is looked at, so that a flood of them cannot
/// keep the rest waiting.
const INPUT_BURST: u32 = 64;
/// Answers of tasks that wait to be taken in.
const ANSWERS: usize = 256;

/// What the loop asks of whoever holds the terminal.
pub(crate) trait Host {
    /// A new stream of input; the one before was dropped.
    fn input(&mut self) -> BoxStream<'static, io::Result<Input>>;
    /// Gives the terminal to the shell and takes it again when this process continues.
    fn suspend(&mut self) -> io::Result<()>;
    /// Takes the terminal again after something else had it.
    fn retake(&mut self) -> io::Result<()>;
    /// Whether the terminal was given back behind the loop's back, by a panic that something caught.
    fn lost(&mut self) -> bool;
    /// Rings for a new alarm, where that is wanted.
    fn bell(&mut self) {}
}

/// Signals that end the console, and the one after a stop.
pub(crate) enum Notice {
    /// End in an orderly way.
    End(&'static str),
    /// This process was stopped and continues.
    Continued,
}

/// Everything that the loop holds.
pub(crate) struct Loop<B, H> {
    pub(crate) engine: Arc<dyn EngineHandle>,
    pub(crate) traffic: Option<Arc<dyn TrafficControl>>,
    pub(crate) model: Model,
    pub(crate) theme: Theme,
    pub(crate) painter: Painter<B>,
    pub(crate) host: H,
    tasks: Tasks,
    bell: Bell,
    rng: fastrand::Rng,
}

/// What is being asked of the engine.
struct Tasks {
    set: JoinSet<()>,
    answers: mpsc::Sender<Event>,
    runs: BTreeMap<Ticket, AbortHandle>,
    /// Whether a what-if is being computed, and the question to ask after it.
    asking: bool,
    next_question: Option<(u64, RouterCommand)>,
}

impl<B: Backend, H: Host> Loop<B, H>
where
    B::Error: Send + Sync + 'static,
{
    /// A loop that has not started, and where its tasks answer.
    pub(crate) fn new(
        (engine, traffic): (Arc<dyn EngineHandle>, Option<Arc<dyn TrafficControl>>),
        model: Model,
        theme: Theme,
        painter: Painter<B>,
        host: H,
    ) -> (Self, mpsc::Receiver<Event>) {
        let (answers, inbox) = mpsc::channel(ANSWERS);
        let tasks = Tasks { set: JoinSet::new(), answers, runs: BTreeMap::new(), asking: false, next_question: None };
        // A keyed hasher is the standard library's door to the system's entropy.
        let seed = std::hash::RandomState::new().build_hasher().finish();
        let rng = fastrand::Rng::with_seed(seed);
        (Self { engine, traffic, model, theme, painter, host, tasks, bell: Bell::default(), rng }, inbox)
    }

    /// Runs until something ends it.
    ///
    /// # Errors
    /// Where the terminal failed.
    pub(crate) async fn run(
        &mut self,
        mut inbox: mpsc::Receiver<Event>,
        mut notices: mpsc::Receiver<Notice>,
    ) -> io::Result<EndReason> {
        let engine = Arc::clone(&self.engine);
        let mut changed = engine.changed(self.model.live.revision);
        let mut input = self.host.input();
        let mut next_frame = Instant::now();
        let mut next_tick = Instant::now();
        let mut burst = 0;
        loop {
            terminal::note_ui_thread();
            if self.host.lost() {
                self.host.retake()?;
                self.painter.forget();
                self.model.dirty = true;
            }
            if self.model.dirty && Instant::now() >= next_frame {
                self.draw()?;
                next_frame = Instant::now() + FRAME;
            }
            let gone = self.model.engine_gone;
            let dirty = self.model.dirty;
            next_tick = next_tick.min(Instant::now() + self.model.patience());
            let effects = tokio::select! {
                biased;
                found = input.next(), if burst < INPUT_BURST => {
                    burst += 1;
                    match found {
                        Some(Ok(found)) => self.input(found),
                        Some(Err(error)) => return Err(error),
                        None => return Ok(EndReason::InputClosed),
                    }
                }
                Some(notice) = notices.recv() => match notice {
                    Notice::End(signal) => return Ok(EndReason::Signal(signal)),
                    Notice::Continued => {
                        self.host.retake()?;
                        vec![Effect::Redraw]
                    }
                },
                () = tokio::time::sleep_until(next_frame), if dirty => { burst = 0; Vec::new() }
                message = terminal::panicked() => self.take(Event::Panicked(message)),
                Some(event) = inbox.recv() => { burst = 0; self.answer(event) }
                Some(ended) = self.tasks.set.join_next() => { burst = 0; self.task_ended(&ended) }
                () = &mut changed, if !gone => {
                    burst = 0;
                    let effects = self.look();
                    changed = engine.changed(self.model.live.revision);
                    effects
                }
                () = tokio::time::sleep_until(next_tick) => {
                    burst = 0;
                    next_tick = Instant::now() + self.model.patience();
                    self.tick()
                }
                () = std::future::ready(()), if burst >= INPUT_BURST => { burst = 0; Vec::new() }
            };
            for effect in effects {
                match effect {
                    Effect::Quit if self.model.engine_gone => return Ok(EndReason::EngineGone),
                    Effect::Quit => return Ok(EndReason::Quit),
                    Effect::TakeOver => return Ok(EndReason::TakeOver),
                    Effect::Suspend => {
                        // The old stream must be gone first: it would steal the shell's input.
                        drop(std::mem::replace(&mut input, futures_util::stream::pending().boxed()));
                        self.host.suspend()?;
                        input = self.host.input();
                        self.painter.forget();
                        self.model.dirty = true;
                    }
                    other => self.perform(other),
                }
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let (model, theme) = (&mut self.model, &self.theme);
        self.painter.paint(|buffer| {
            model.size = (buffer.area.width, buffer.area.height);
            views::draw(model, theme, buffer);
        })?;
        self.model.dirty = false;
        Ok(())
    }

    fn take(&mut self, event: Event) -> Vec<Effect> {
        let step = Step { now: self.engine.now(), entropy: self.rng.u64(..) };
        update(&mut self.model, event, step)
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.take(Event::Key(key)),
            Input::Paste(text) => self.take(Event::Paste(text)),
            // Only marks the screen as stale: a storm of these costs one frame.
            Input::Resize(..) => self.take(Event::Resized),
            Input::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => self.take(Event::Wheel(-3)),
                MouseEventKind::ScrollDown => self.take(Event::Wheel(3)),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// A picture was published, or the engine has gone: then nothing newer is there.
    fn look(&mut self) -> Vec<Effect> {
        let snapshot = self.engine.snapshot();
        if snapshot.revision > self.model.live.revision {
            if self.bell.rings(&self.model.live.alarms, &snapshot.alarms, self.engine.now()) {
                self.host.bell();
            }
            self.take(Event::Snapshot(snapshot))
        } else {
            self.take(Event::EngineGone)
        }
    }

    fn tick(&mut self) -> Vec<Effect> {
        tui_logger::move_events();
        if let Some(traffic) = &self.traffic {
            let status = traffic.status();
            let mut effects = self.take(Event::Traffic(status));
            effects.extend(self.take(Event::Tick));
            effects
        } else {
            self.take(Event::Tick)
        }
    }

    fn answer(&mut self, event: Event) -> Vec<Effect> {
        if let Event::WhatIf(..) = event {
            self.tasks.asking = false;
            self.ask_next();
        }
        self.take(event)
    }

    fn task_ended(&mut self, ended: &Result<(), tokio::task::JoinError>) -> Vec<Effect> {
        self.tasks.runs.retain(|_, run| !run.is_finished());
        match ended {
            Err(error) if error.is_panic() => {
                self.tasks.asking = false;
                self.take(Event::Panicked("a request to the engine".to_owned()))
            }
            _ => Vec::new(),
        }
    }

    fn perform(&mut self, effect: Effect) {
        let actor = Actor::Person(self.model.identity.operator.clone());
        let (engine, answers) = (Arc::clone(&self.engine), self.tasks.answers.clone());
        match effect {
            Effect::Submit(ticket, session, request) => {
                let request = RunRequest { request: *request, origin: Origin::Person, session: Some(session) };
                let task = self.tasks.set.spawn(follow(engine, answers, ticket, request));
                self.tasks.runs.insert(ticket, task);
            }
            Effect::Cancel(ticket) => {
                // Aborting drops the run's stream, and that cancels the run and its requests.
                if let Some(task) = self.tasks.runs.remove(&ticket) {
                    task.abort();
                }
            }
            Effect::Command(id, command) => {
                self.tasks.set.spawn(async move {
                    let answer = engine.command(CommandRequest { id, actor, command: *command }).await;
                    let answer = answer.map_err(|error| error.to_string());
                    drop(answers.send(Event::Acknowledged(id, answer)).await);
                });
            }
            Effect::ReadRun(run) => {
                self.tasks.set.spawn(async move {
                    let answer = engine.run(run).await.map_err(|error| error.to_string());
                    drop(answers.send(Event::RunRead(run, answer)).await);
                });
            }
            Effect::OlderRuns(before) => {
                self.tasks.set.spawn(async move {
                    let answer = engine.runs_before(Some(before), PAGE).await.map_err(|error| error.to_string());
                    // One line each: the records themselves may have megabytes.
                    let lines = |page: Vec<Arc<RunRecord>>| page.iter().map(|run| RunSummary::of(run)).collect();
                    drop(answers.send(Event::OlderRuns(answer.map(lines))).await);
                });
            }
            Effect::Rate(id, run, rating) => {
                self.tasks.set.spawn(async move {
                    let answer = engine.rate(run, rating, actor).await.map_err(|error| error.to_string());
                    drop(answers.send(Event::Acknowledged(id, answer)).await);
                });
            }
            Effect::WhatIf(question, command) => {
                self.tasks.next_question = Some((question, *command));
                self.ask_next();
            }
            Effect::SetTraffic(on) => {
                if let Some(traffic) = &self.traffic {
                    traffic.set_on(on);
                }
            }
            Effect::SetTrafficRate(rate) => {
                if let Some(traffic) = &self.traffic {
                    traffic.set_rate(rate);
                }
            }
            Effect::Redraw => {
                self.painter.forget();
                self.model.dirty = true;
            }
            // The loop itself does these.
            Effect::Suspend | Effect::Quit | Effect::TakeOver => {}
        }
    }

    /// Asks the newest question, one at a time: while a value is turned fast, those between are skipped.
    fn ask_next(&mut self) {
        if self.tasks.asking {
            return;
        }
        let Some((question, command)) = self.tasks.next_question.take() else { return };
        self.tasks.asking = true;
        let (engine, answers) = (Arc::clone(&self.engine), self.tasks.answers.clone());
        self.tasks.set.spawn(async move {
            let answer = engine.what_if(command).await.map(Box::new).map_err(|error| error.to_string());
            drop(answers.send(Event::WhatIf(question, answer)).await);
        });
    }
}

/// Submits a run and passes its events on until they end.
async fn follow(engine: Arc<dyn EngineHandle>, answers: mpsc::Sender<Event>, ticket: Ticket, request: RunRequest) {
    let mut stream = match engine.submit(request).await {
        Ok(stream) => stream,
        Err(error) => {
            drop(answers.send(Event::RunRefused(ticket, error.to_string())).await);
            return;
        }
    };
    drop(answers.send(Event::RunStarted(ticket, stream.run())).await);
    while let Some(event) = stream.next().await {
        if answers.send(Event::Run(ticket, Box::new(event))).await.is_err() {
            return;
        }
    }
    drop(answers.send(Event::RunEnded(ticket)).await);
}
