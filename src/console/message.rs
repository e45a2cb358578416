//! What goes into the machine and what comes out of it, as data. Time and chance come with every
//! event as a [`Step`], so `update` is a function: the same events give the same model and effects.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::domain::chat::ChatRequest;
use crate::domain::clock::Timestamp;
use crate::domain::command::{Acknowledgement, RouterCommand};
use crate::domain::engine::WhatIf;
use crate::domain::event::RunEvent;
use crate::domain::ids::{CommandId, RunId};
use crate::domain::record::RunRecord;
use crate::domain::snapshot::{EngineSnapshot, RunSummary};
use crate::domain::traffic::TrafficStatus;

/// The moment of an event, and a number nobody can guess for the identifier it may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The engine's wall clock.
    pub(crate) now: Timestamp,
    /// Fresh for every event.
    pub(crate) entropy: u64,
}

/// Tells the console's own runs apart before the engine has named them.
pub(crate) type Ticket = u64;

/// Something happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// A text was pasted.
    Paste(String),
    /// The wheel was turned: rows, down is positive.
    Wheel(i32),
    /// The terminal has another size, or everything must be drawn again.
    Resized,
    /// Time passed.
    Tick,
    /// The engine published a picture.
    Snapshot(Arc<EngineSnapshot>),
    /// The engine has gone.
    EngineGone,
    /// An own run was accepted.
    RunStarted(Ticket, RunId),
    /// An own run was refused, in words.
    RunRefused(Ticket, String),
    /// An own run goes on.
    Run(Ticket, Box<RunEvent>),
    /// An own run's events ended, with or without its `Finished`.
    RunEnded(Ticket),
    /// The record of a run was read; absent where it is no longer kept.
    RunRead(RunId, Result<Option<Arc<RunRecord>>, String>),
    /// Runs older than those that are listed were read.
    OlderRuns(Result<Vec<RunSummary>, String>),
    /// A command was answered.
    Acknowledged(CommandId, Result<Acknowledgement, String>),
    /// A what-if was answered.
    WhatIf(u64, Result<Box<WhatIf>, String>),
    /// The traffic generator stands so.
    Traffic(TrafficStatus),
    /// A background task panicked.
    Panicked(String),
}

/// Something is to be done; only the loop does it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Start a run of the conversation of that name.
    Submit(Ticket, String, Box<ChatRequest>),
    /// Read the record of a run.
    ReadRun(RunId),
    /// Read runs of before that one.
    OlderRuns(RunId),
    /// Stop a run.
    Cancel(Ticket),
    /// Apply a command.
    Command(CommandId, Box<RouterCommand>),
    /// Rate a run's answer; the id only ties the answer to the press.
    Rate(CommandId, RunId, f64),
    /// Ask what a command would do. A later question replaces one that was not yet asked.
    WhatIf(u64, Box<RouterCommand>),
    /// Switch the traffic generator.
    SetTraffic(bool),
    /// Set its rate.
    SetTrafficRate(f64),
    /// Forget what is on the screen and draw all of it.
    Redraw,
    /// End, to begin again with an engine of this process.
    TakeOver,
    /// Give the screen to the shell until it is given back.
    Suspend,
    /// End.
    Quit,
}
