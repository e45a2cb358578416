//! The terminal console: a pure machine with one loop around it.
//!
//! `update` is the only thing that changes the `model`: events in, effects out as data. `views` are
//! pure functions of model, theme and area. `run` performs effects, feeds events and draws at most 30
//! frames a second, none when nothing changed. `terminal` takes the screen and gives it back.
//!
//! The console knows an engine only through [`EngineHandle`], so it is the same in front of an engine
//! of this process and of one behind a socket. It holds no numbers of its own: what it shows is a
//! projection of one [`crate::domain::snapshot::EngineSnapshot`].

mod bell;
#[doc(hidden)]
pub mod fixture;
mod logs;
mod message;
mod model;
mod painter;
mod run;
mod settings;
mod signals;
mod terminal;
mod theme;
mod update;
mod views;
mod widgets;

use std::sync::Arc;

pub use logs::log_layer;
use message::Step;
use model::{Identity, Model};
use painter::Painter;
use run::Loop;
pub use settings::{Background, ColorDepth, ConsoleSettings};
pub use terminal::columns;
use theme::Theme;

use crate::domain::clock::Timestamp;
use crate::domain::engine::EngineHandle;
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::traffic::TrafficControl;

/// Where the settings name no limit.
const DEFAULT_MAX_PROMPT_BYTES: usize = 256 * 1024;

/// Everything that the console needs.
pub struct ConsoleParts {
    /// The engine to watch and steer.
    pub engine: Arc<dyn EngineHandle>,
    /// The traffic generator, where there is one.
    pub traffic: Option<Arc<dyn TrafficControl>>,
    /// Choices about the console.
    pub settings: ConsoleSettings,
    /// The name in the journal of whoever sits here.
    pub operator: String,
    /// What is watched, for the header: `LIVE`, `DEMO seed 7`, `REPLAY`.
    pub source: String,
    /// Refuse every action that changes the engine.
    pub read_only: bool,
    /// The directory of an engine that another process has: where that leaves, this one may take over.
    pub attached_to: Option<String>,
}

/// Why the console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// A person quit.
    Quit,
    /// A person quit after the engine had gone: what it did meanwhile is not known here.
    EngineGone,
    /// Whoever had the engine left, and a person asked to take over.
    TakeOver,
    /// The process was asked to end by this signal.
    Signal(&'static str),
    /// The terminal went away.
    InputClosed,
}

/// What is left to say on the normal screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleExit {
    /// One line about the session.
    pub summary: String,
    /// Why it ended.
    pub reason: EndReason,
    /// Panics of background tasks, to be printed now that the screen is the shell's again.
    pub panics: Vec<String>,
}

/// Why the console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Standard input or output is no terminal.
    #[error(
        "the console needs a terminal, and {what} is none: run `banditop` in a terminal, or use `banditop ask PROMPT` (add --json for a program to read)"
    )]
    NotATerminal {
        /// `standard input`, `standard output`.
        what: &'static str,
    },
    /// The terminal says that it can move no cursor.
    #[error(
        "the console needs a terminal that draws, and TERM is `dumb`: run `banditop` in another, or use `banditop ask PROMPT` (add --json for a program to read)"
    )]
    DumbTerminal,
    /// The terminal failed.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Runs the console until a person quits, a signal comes or the terminal goes away. The terminal is
/// restored before this returns, whatever happened.
///
/// # Errors
/// [`ConsoleError::NotATerminal`] before anything is changed, [`ConsoleError::Terminal`] where the
/// terminal could not be set up or drawn to.
pub async fn run(parts: ConsoleParts) -> Result<ConsoleExit, ConsoleError> {
    terminal::check()?;
    let notices = signals::listen()?;
    let settings = parts.settings;
    let depth = if settings.no_color {
        ColorDepth::None
    } else {
        settings.colors.unwrap_or_else(|| ColorDepth::detect(|name| std::env::var(name).ok()))
    };
    let ascii = settings.ascii || settings::speaks_ascii(|name| std::env::var(name).ok());
    let theme = Theme::new(depth, settings.background, ascii);
    let identity = Identity {
        keys: settings.keys,
        operator: parts.operator,
        source: parts.source,
        read_only: parts.read_only,
        attached_to: parts.attached_to,
        max_prompt_bytes: settings.max_prompt_bytes.unwrap_or(DEFAULT_MAX_PROMPT_BYTES),
    };
    let step = Step { now: parts.engine.now(), entropy: 0 };
    let status = parts.traffic.as_ref().map(|traffic| traffic.status());
    let model = Model::new(identity, parts.engine.snapshot(), status, step);
    let session = terminal::Session::enter(settings.mouse, settings.bell)?;
    let painter = Painter::new(terminal::output(), terminal::bracket);
    let engine = Arc::clone(&parts.engine);
    let (mut console, inbox) = Loop::new((parts.engine, parts.traffic), model, theme, painter, session);
    let ended = console.run(inbox, notices.receiver).await;
    let summary = summary(&console.model, &engine.snapshot(), engine.now());
    // Gives the terminal back, before anyone prints.
    drop(console);
    let panics = terminal::take_panics();
    Ok(ConsoleExit { summary, reason: ended?, panics })
}

/// The line after the session.
fn summary(model: &Model, snapshot: &EngineSnapshot, now: Timestamp) -> String {
    let spent = model.spent(snapshot.totals.usd_total, |_| true);
    format!(
        "banditop: {} on screen, {}, {}; state at #{}, {}, {} in all, {}",
        widgets::number::span(now.since(model.started)),
        widgets::number::counted(model.tally.prompts, "prompt"),
        widgets::number::counted(model.tally.applied, "change"),
        snapshot.sequence,
        snapshot.store.durability.name(),
        widgets::number::counted(snapshot.totals.runs, "run"),
        spent.map_or_else(|| "dollars unknown: no arm has a price".to_owned(), widgets::number::money),
    )
}
