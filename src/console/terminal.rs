//! Taking the terminal and giving it back. Every step of giving back is tried even when another
//! fails, and it happens on quit, on error, on a panic of this thread, on a signal and on Ctrl-Z.
//!
//! The panic hook knows threads: a panic of the thread that draws restores the screen before its
//! message is printed; one of any other thread is kept, because printing it would write over the
//! screen and restoring would leave the console drawing over the shell. The loop shows it, and the
//! caller prints it afterwards. ratatui's own `init`, `restore` and `Terminal::clear` are not used:
//! `restore` stops at its first error, the hook is global, and `clear` waits for an answer that the
//! event stream swallows.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event as Input, EventStream,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue, style};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use ratatui::backend::CrosstermBackend;
use tokio::sync::Notify;

use super::ConsoleError;
use super::run::Host;
use crate::domain::text::without_keys;

/// Columns of the terminal, where there is one.
#[must_use]
pub fn columns() -> Option<u16> {
    crossterm::terminal::size().ok().map(|(columns, _)| columns).filter(|columns| *columns > 0)
}

/// What the console writes to: standard output, because standard error is unbuffered.
pub(crate) type Output = CrosstermBackend<BufWriter<Stdout>>;

static ON_SCREEN: AtomicBool = AtomicBool::new(false);
static RESTORED_BY_PANIC: AtomicBool = AtomicBool::new(false);
static UI_THREAD: Mutex<Option<ThreadId>> = Mutex::new(None);
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static PANICKED: Notify = Notify::const_new();

/// Refuses where there is no terminal, before anything is changed.
///
/// # Errors
/// [`ConsoleError::NotATerminal`].
pub(crate) fn check() -> Result<(), ConsoleError> {
    if !io::stdout().is_terminal() {
        return Err(ConsoleError::NotATerminal { what: "standard output" });
    }
    if !io::stdin().is_terminal() {
        return Err(ConsoleError::NotATerminal { what: "standard input" });
    }
    Ok(())
}

/// The backend to draw on.
pub(crate) fn output() -> Output {
    CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()))
}

/// Brackets a frame, so that a terminal which can shows it as one.
pub(crate) fn bracket(output: &mut Output, begin: bool) -> io::Result<()> {
    if begin { queue!(output, BeginSynchronizedUpdate) } else { queue!(output, EndSynchronizedUpdate) }
}

type Hook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

/// The terminal while it is ours; dropping it gives it back.
pub(crate) struct Session {
    mouse: bool,
    bell: bool,
}

impl Session {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where a step failed; what was done by then is undone.
    pub(crate) fn enter(mouse: bool, bell: bool) -> io::Result<Self> {
        install_hook();
        let session = Self { mouse, bell };
        session.take()?;
        Ok(session)
    }

    fn take(&self) -> io::Result<()> {
        ON_SCREEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let mut out = io::stdout();
        execute!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide, SetTitle("banditop"))?;
        if self.mouse {
            execute!(out, EnableMouseCapture)?;
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        give_back();
        remove_hook();
    }
}

/// Gives the terminal back: all steps, whatever fails. Doing it twice does no harm.
fn give_back() {
    if !ON_SCREEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // One after the other, because one that fails must not keep the others from being tried; there is
    // nobody left to tell, so what failed is not told.
    let _ = execute!(out, EndSynchronizedUpdate);
    let _ = execute!(out, DisableMouseCapture);
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, style::ResetColor, style::SetAttribute(style::Attribute::Reset));
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

fn install_hook() {
    note_ui_thread();
    let before: Hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let on_ui_thread = UI_THREAD.lock().is_ok_and(|ui| *ui == Some(std::thread::current().id()));
        if !ON_SCREEN.load(Ordering::SeqCst) {
            before(info);
        } else if on_ui_thread {
            give_back();
            RESTORED_BY_PANIC.store(true, Ordering::SeqCst);
            before(info);
        } else {
            keep(without_keys(&info.to_string()).into_owned());
        }
    }));
}

fn remove_hook() {
    // While this thread unwinds, touching the hook would abort; the hook is inert off screen anyway.
    if !std::thread::panicking() {
        drop(std::panic::take_hook());
    }
}

/// Keeps a panic of another thread for the banner and for the end.
fn keep(message: String) {
    if let Ok(mut panics) = PANICS.lock() {
        // A task that panics in a loop must not fill the memory.
        if panics.len() < 32 {
            panics.push(message);
        }
    }
    PANICKED.notify_one();
}

/// This thread draws: its panics end the console.
pub(crate) fn note_ui_thread() {
    if let Ok(mut ui) = UI_THREAD.lock() {
        *ui = Some(std::thread::current().id());
    }
}

/// Resolves when a panic of another thread was kept.
pub(crate) async fn panicked() -> String {
    PANICKED.notified().await;
    let newest = PANICS.lock().ok().and_then(|panics| panics.last().cloned());
    newest.unwrap_or_default()
}

/// All panics that were kept, taken out.
pub(crate) fn take_panics() -> Vec<String> {
    PANICS.lock().map(|mut panics| std::mem::take(&mut *panics)).unwrap_or_default()
}

impl Host for Session {
    fn input(&mut self) -> BoxStream<'static, io::Result<Input>> {
        EventStream::new().boxed()
    }

    fn suspend(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
        // Stopped here until `fg`.
        self.take()
    }

    fn retake(&mut self) -> io::Result<()> {
        give_back();
        self.take()
    }

    fn bell(&mut self) {
        if self.bell {
            let mut out = io::stdout();
            // A terminal that cannot ring is no fault.
            let _ = out.write_all(b"\x07").and_then(|()| out.flush());
        }
    }

    fn lost(&mut self) -> bool {
        RESTORED_BY_PANIC.swap(false, Ordering::SeqCst)
    }
}
