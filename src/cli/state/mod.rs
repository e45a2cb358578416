//! `banditop state`: what was learned, shown and steered without a console. Every action is the command
//! that a key of the console sends; it takes the same way to the owner of the state and leaves the same
//! journal entry, whether the engine is in this process or behind a control socket.

mod args;
mod commands;
pub(super) mod duration;
mod runs;
mod show;
mod transfer;

use std::fmt::Write as _;

use args::StateAction;
pub(super) use args::StateArgs;

use super::context::Context;
use super::failure::{Blame, CliError, Outcome};
use super::output::Output;
use super::session::Need;
use crate::domain::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use crate::domain::engine::{EngineHandle, JournalQuery};
use crate::domain::snapshot::EngineSnapshot;

/// What an action works with.
pub(super) struct Desk<'a> {
    engine: &'a dyn EngineHandle,
    actor: Actor,
    out: Output,
    json: bool,
    /// Run records that are kept.
    retained: usize,
}

pub(super) use runs::export as export_runs;
pub(super) use transfer::{Writer, replace, text_of};

impl Desk<'_> {
    /// The engine, wherever it is.
    pub(super) const fn engine(&self) -> &dyn EngineHandle {
        self.engine
    }

    /// Run records that are kept.
    pub(super) const fn retained(&self) -> usize {
        self.retained
    }
}

/// Sends the command that `make` makes of the newest picture, and says what became of it.
pub(super) async fn send(
    context: &Context,
    json: bool,
    make: &dyn Fn(&EngineSnapshot) -> Outcome<RouterCommand>,
) -> Outcome {
    refuse_read_only(context)?;
    let session = context.open(Need::Store).await?;
    let desk = desk(context, session.engine(), json);
    let sent = async {
        let command = make(&desk.engine.snapshot())?;
        let request = super::context::command_request(desk.engine.now(), desk.actor.clone(), command);
        acknowledged(&desk, &desk.engine.command(request).await?)
    };
    let sent = sent.await;
    let closed = session.close().await;
    sent.and(closed)
}

pub(super) fn desk<'a>(context: &Context, engine: &'a dyn EngineHandle, json: bool) -> Desk<'a> {
    let actor = Actor::Person(context.operator());
    Desk { engine, actor, out: Output::new(), json, retained: context.settings().store.retain_runs }
}

fn refuse_read_only(context: &Context) -> Outcome {
    if context.settings().console.read_only {
        return Err(CliError::usage("read-only: nothing may be changed")
            .hint("leave out --read-only (BANDITOP_READ_ONLY, console.read_only)"));
    }
    Ok(())
}

/// Runs `state …`.
pub(super) async fn run(context: &Context, args: StateArgs) -> Outcome {
    if !args.action.only_reads() {
        refuse_read_only(context)?;
    }
    // A declaration is checked before the store is touched.
    let prepared = commands::prepare(&args.action)?;
    let session = context.open(Need::Store).await?;
    let desk = desk(context, session.engine(), args.json);
    let done = perform(&desk, args.action, prepared).await;
    let closed = session.close().await;
    done.and(closed)
}

async fn perform(desk: &Desk<'_>, action: StateAction, prepared: commands::Prepared) -> Outcome {
    match action {
        StateAction::Show => show::show(desk),
        StateAction::Journal { limit } => journal(desk, limit).await,
        StateAction::Export { file, runs: false, .. } => transfer::export(desk, file.as_deref()).await,
        StateAction::Export { file, limit, .. } => {
            runs::export(desk, file.as_deref(), limit.unwrap_or(desk.retained)).await
        }
        StateAction::Import { file } => transfer::import(desk, &file).await,
        action => {
            let command = commands::command(desk.engine, action, prepared).await?;
            commands::check(&desk.engine.snapshot(), &command)?;
            let declares = matches!(command, RouterCommand::AddArm { .. });
            let request = super::context::command_request(desk.engine.now(), desk.actor.clone(), command);
            let acknowledgement = desk.engine.command(request).await?;
            // What is refused of a declaration is what was typed.
            acknowledged(desk, &acknowledgement)
                .map_err(|error| if declares { CliError { blame: Blame::Usage, ..error } } else { error })
        }
    }
}

/// Says what became of a command.
fn acknowledged(desk: &Desk<'_>, acknowledgement: &Acknowledgement) -> Outcome {
    if desk.json {
        desk.out.json(acknowledgement)?;
    }
    match acknowledgement {
        Acknowledgement::Rejected { reason } => Err(CliError::failed(format!("refused: {reason}"))),
        _ if desk.json => Ok(()),
        Acknowledgement::Applied { entry, durability } => {
            let (sequence, kept) = (entry.sequence, durability.name());
            Ok(desk.out.line(&format!("applied #{sequence} ({kept}): {}", changed(entry)))?)
        }
        Acknowledgement::Duplicate { sequence } => {
            Ok(desk.out.line(&format!("it was applied before, as #{sequence}"))?)
        }
    }
}

fn changed(entry: &JournalEntry) -> String {
    let name = entry.command.name();
    if entry.before == entry.after {
        format!("{name} {}", entry.after)
    } else {
        format!("{name} {} → {}", entry.before, entry.after)
    }
}

async fn journal(desk: &Desk<'_>, limit: usize) -> Outcome {
    let entries = desk.engine.journal(JournalQuery { limit }).await?;
    if desk.json {
        return Ok(desk.out.json(&entries)?);
    }
    if entries.is_empty() {
        return Ok(desk.out.line("no operator action yet")?);
    }
    let mut text = String::new();
    for entry in &entries {
        let undone = entry.undone_by.map(|by| format!(" (undone by #{by})")).unwrap_or_default();
        let (sequence, at, who) = (entry.sequence, entry.at.rfc3339(), entry.actor.name());
        _ = writeln!(text, "#{sequence:<6} {at}  {who:<12}  {}{undone}", changed(entry));
    }
    Ok(desk.out.line(crate::domain::text::showable(text.trim_end()).as_ref())?)
}
