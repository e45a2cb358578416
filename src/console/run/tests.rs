//! The loop with a fake engine, a scripted terminal and time that stands still until it is waited for.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use ratatui::backend::TestBackend;
use tokio::sync::{Notify, mpsc};

use super::super::EndReason;
use super::super::fixture::engine::FakeEngine;
use super::super::fixture::{model, record};
use super::super::painter::Painter;
use super::super::settings::{Background, ColorDepth};
use super::super::theme::Theme;
use super::{Host, Loop, Notice};
use crate::domain::clock::Timestamp;
use crate::domain::engine::EngineHandle;
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;

/// A terminal whose input a test sends.
struct Script {
    inputs: Arc<Mutex<Option<mpsc::Receiver<Input>>>>,
    streams: Arc<AtomicU32>,
    suspended: Arc<AtomicU32>,
}

impl Host for Script {
    fn input(&mut self) -> BoxStream<'static, io::Result<Input>> {
        self.streams.fetch_add(1, Ordering::SeqCst);
        let slot = Arc::clone(&self.inputs);
        // A dropped stream puts the receiver back, as a real one frees the terminal's input.
        let guard = Returned { slot: Arc::clone(&slot), receiver: slot.lock().unwrap().take() };
        futures_util::stream::unfold(guard, |mut guard| async move {
            let input = guard.receiver.as_mut()?.recv().await?;
            Some((Ok(input), guard))
        })
        .boxed()
    }

    fn suspend(&mut self) -> io::Result<()> {
        assert!(self.inputs.lock().unwrap().is_some(), "the old stream is dropped before the shell gets the terminal");
        self.suspended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn retake(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn lost(&mut self) -> bool {
        false
    }
}

struct Returned {
    slot: Arc<Mutex<Option<mpsc::Receiver<Input>>>>,
    receiver: Option<mpsc::Receiver<Input>>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        *self.slot.lock().unwrap() = self.receiver.take();
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the painter's signature")]
fn no_bracket(_: &mut TestBackend, _: bool) -> io::Result<()> {
    Ok(())
}

struct Bench {
    keys: mpsc::Sender<Input>,
    notices: mpsc::Sender<Notice>,
    engine: Arc<FakeEngine>,
    streams: Arc<AtomicU32>,
    suspended: Arc<AtomicU32>,
}

impl Bench {
    fn press(&self, code: KeyCode) {
        self.keys.try_send(Input::Key(KeyEvent::from(code))).unwrap();
    }

    fn hold(&self, c: char) {
        self.keys.try_send(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))).unwrap();
    }

    fn type_text(&self, text: &str) {
        for c in text.chars() {
            self.press(KeyCode::Char(c));
        }
    }
}

/// Runs a console while `script` acts on it; the frame at the end, and why it ended.
async fn with_console<F: Future<Output = ()>>(
    engine: FakeEngine,
    script: impl FnOnce(Arc<Bench>) -> F,
) -> (String, EndReason, u64) {
    let engine = Arc::new(engine);
    let (keys, inputs) = mpsc::channel(20_000);
    let (notices, receiver) = mpsc::channel(4);
    let (streams, suspended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let host = Script {
        inputs: Arc::new(Mutex::new(Some(inputs))),
        streams: Arc::clone(&streams),
        suspended: Arc::clone(&suspended),
    };
    let painter = Painter::new(TestBackend::new(120, 36), no_bracket);
    let theme = Theme::new(ColorDepth::Indexed, Background::Dark, false);
    let handle: Arc<dyn EngineHandle> = engine.clone();
    let (mut console, inbox) = Loop::new((handle, None), model(), theme, painter, host);
    let bench = Arc::new(Bench { keys, notices, engine, streams, suspended });
    let (ended, ()) = tokio::join!(console.run(inbox, receiver), script(Arc::clone(&bench)));
    (console.painter.backend().to_string(), ended.unwrap(), console.painter.written)
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(80)).await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_raced_and_answered_on_screen() {
    let (screen, ended, _) = with_console(FakeEngine::default(), |bench| async move {
        bench.press(KeyCode::Char('i'));
        bench.type_text("merge two lists");
        bench.press(KeyCode::Enter);
        a_moment().await;
        assert_eq!(bench.engine.prompts.lock().unwrap()[0].request.prompt(), "merge two lists");
        bench.press(KeyCode::Char('q'));
    })
    .await;
    assert_eq!(ended, EndReason::Quit);
    assert!(screen.contains("Answer: lumen-code") && screen.contains("quality"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn runs_that_left_the_picture_are_read_from_the_store_and_opened() {
    let at = |n: u64| Timestamp::from_millis(1_000 * n);
    let kept = |n: u64| Arc::new(RunRecord { run_id: RunId::new(at(n), n), at: at(n), ..record() });
    let engine = FakeEngine { kept: (0..150).map(kept).collect(), ..FakeEngine::default() };
    let (screen, ..) = with_console(engine, |bench| async move {
        bench.press(KeyCode::Char('4'));
        a_moment().await;
        for _ in 0..30 {
            bench.press(KeyCode::PageDown);
            a_moment().await;
        }
        bench.press(KeyCode::Char('o'));
        a_moment().await;
        bench.press(KeyCode::Char('q'));
    })
    .await;
    // The oldest of them all: of the first second of 1970.
    assert!(screen.contains("Run at 1970-01-01 00:00") && screen.contains("Answer: lumen-code"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_sent_once_and_its_acknowledgement_is_shown() {
    let (screen, ..) = with_console(FakeEngine::default(), |bench| async move {
        bench.press(KeyCode::Char('d'));
        a_moment().await;
        bench.press(KeyCode::Enter);
        bench.press(KeyCode::Esc);
        a_moment().await;
        assert_eq!(bench.engine.commands.lock().unwrap().len(), 1);
        bench.press(KeyCode::Char('q'));
    })
    .await;
    assert!(screen.contains("applied #142, durable"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn a_value_turned_fast_asks_only_the_newest_question() {
    with_console(FakeEngine::default(), |bench| async move {
        bench.press(KeyCode::Char('w'));
        for _ in 0..8 {
            bench.press(KeyCode::Left);
        }
        a_moment().await;
        // The first at once, then the last: those between are nobody's interest any more.
        assert_eq!(bench.engine.questions.lock().unwrap().len(), 2);
        bench.press(KeyCode::Esc);
        bench.press(KeyCode::Char('q'));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_the_runs_stream() {
    let engine = FakeEngine { endless: true, ..FakeEngine::default() };
    with_console(engine, |bench| async move {
        bench.press(KeyCode::Char('i'));
        bench.type_text("x");
        bench.press(KeyCode::Enter);
        a_moment().await;
        assert_eq!(*bench.engine.dropped.lock().unwrap(), 0);
        bench.press(KeyCode::Esc);
        a_moment().await;
        assert_eq!(*bench.engine.dropped.lock().unwrap(), 1);
        bench.press(KeyCode::Char('q'));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn leaving_with_a_pending_command_asks_first() {
    let engine = FakeEngine { gate: Some(Notify::new()), ..FakeEngine::default() };
    let (screen, ended, _) = with_console(engine, |bench| async move {
        bench.press(KeyCode::Char('d'));
        bench.press(KeyCode::Enter);
        a_moment().await;
        bench.press(KeyCode::Char('q'));
        a_moment().await;
        bench.press(KeyCode::Enter);
    })
    .await;
    assert_eq!(ended, EndReason::Quit);
    assert!(screen.contains("a command is not acknowledged yet"), "{screen}");
}

#[tokio::test(start_paused = true)]
async fn suspending_drops_the_stream_and_makes_a_new_one() {
    with_console(FakeEngine::default(), |bench| async move {
        bench.hold('z');
        a_moment().await;
        assert_eq!((bench.suspended.load(Ordering::SeqCst), bench.streams.load(Ordering::SeqCst)), (1, 2));
        bench.press(KeyCode::Char('q'));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn signals_and_a_gone_terminal_end_it() {
    let (_, ended, _) = with_console(FakeEngine::default(), |bench| async move {
        drop(bench.notices.send(Notice::Continued).await);
        a_moment().await;
        drop(bench.notices.send(Notice::End("SIGTERM")).await);
    })
    .await;
    assert_eq!(ended, EndReason::Signal("SIGTERM"));
}

#[tokio::test(start_paused = true)]
async fn leaving_after_the_engine_has_gone_says_so() {
    let (_, ended, _) = with_console(FakeEngine::default(), |bench| async move {
        bench.engine.leave();
        a_moment().await;
        bench.press(KeyCode::Char('q'));
    })
    .await;
    assert_eq!(ended, EndReason::EngineGone);
}

#[tokio::test(start_paused = true)]
async fn an_idle_console_draws_once() {
    let (_, _, frames) = with_console(FakeEngine::default(), |bench| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        bench.press(KeyCode::Char('q'));
    })
    .await;
    assert_eq!(frames, 1);
}

#[tokio::test(start_paused = true)]
async fn storms_of_pictures_and_resizes_cost_thirty_frames_a_second() {
    let (_, _, frames) = with_console(FakeEngine::default(), |bench| async move {
        for i in 0..500 {
            bench.engine.publish(|next| next.totals.runs_per_s = Some(f64::from(i)));
            for _ in 0..20 {
                bench.keys.try_send(Input::Resize(120, 36)).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bench.press(KeyCode::Char('q'));
    })
    .await;
    assert!((20..=32).contains(&frames), "{frames} frames in a second");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_answered_within_a_frame_even_in_a_storm() {
    with_console(FakeEngine::default(), |bench| async move {
        for _ in 0..50 {
            bench.engine.publish(|next| next.totals.runs += 1);
        }
        let before = tokio::time::Instant::now();
        bench.press(KeyCode::Char('d'));
        bench.press(KeyCode::Enter);
        while bench.engine.commands.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(before.elapsed() <= Duration::from_millis(34));
        a_moment().await;
        bench.press(KeyCode::Char('q'));
    })
    .await;
}
