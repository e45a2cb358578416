//! `banditop ask`: one run. On a terminal the answer streams as it comes, and one that breaks off is set apart from
//! the next arm's; a program that reads it gets the one answer that was served, when it is whole, since what is in a
//! pipe cannot be taken back. With `--json` the whole record is printed at the end, and nothing else.

use std::io;
use std::pin::pin;
use std::time::Duration;

use super::args::AskArgs;
use super::context::Context;
use super::endings::{Endings, reader_gone};
use super::failure::{CliError, Outcome};
use super::output::{Output, say};
use super::prompt;
use super::session::Need;
use crate::domain::chat::{ChatRequest, Message};
use crate::domain::engine::{EngineHandle, RunRequest};
use crate::domain::event::RunEvent;
use crate::domain::record::{Origin, RunOutcome, RunRecord};

/// How long a verdict on an answer that is out already is waited for, so that it is learned from.
const LATE_VERDICT: Duration = Duration::from_secs(5);

/// Runs `ask`.
pub(super) async fn run(context: &Context, args: AskArgs) -> Outcome {
    let prompt = prompt::read(args.prompt.as_deref(), context.settings().run.max_prompt_bytes)?;
    let mut request = ChatRequest::from_prompt(&prompt);
    if let Some(system) = &args.system {
        request.messages.insert(0, Message::new("system", system));
    }
    let session = context.open(Need::Engine).await?;
    let mut endings = Endings::listen().map_err(CliError::failed)?;
    let asked = ask(session.engine(), request, (args.session, args.json), &mut endings).await;
    if asked.is_ok() {
        tokio::select! {
            () = session.settle(LATE_VERDICT) => {}
            () = endings.any() => {}
        }
    }
    let closed = session.close().await;
    asked.and(closed)
}

async fn ask(
    engine: &dyn EngineHandle,
    request: ChatRequest,
    (talk, json): (Option<String>, bool),
    endings: &mut Endings,
) -> Outcome {
    let out = Output::new();
    let mut run = engine.submit(RunRequest { request, origin: Origin::Person, session: talk }).await?;
    let mut screen = Answer { out: &out, shown: 0, last: None, silent: json || !out.is_terminal() };
    let mut reader_gone = pin!(reader_gone());
    let record = loop {
        let event = tokio::select! {
            event = run.next() => event,
            () = &mut reader_gone => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            // Dropping the run cancels it and its requests; what it took is on record.
            () = endings.any() => return Err(CliError::failed("cancelled")),
        };
        match event {
            Some(RunEvent::Finished { record }) => break record,
            Some(event) => screen.take(&event)?,
            None => return Err(CliError::failed("the engine went away before the run was complete")),
        }
    };
    if json {
        let mut shape = serde_json::to_value(record.as_ref()).map_err(CliError::failed)?;
        if !is_priced(&record) {
            shape["cost_usd"] = serde_json::Value::Null;
        }
        out.json(&shape)?;
    } else {
        screen.end(&record)?;
    }
    match &record.outcome {
        RunOutcome::Served => Ok(()),
        RunOutcome::Failed { message } => Err(CliError::failed(message)),
        RunOutcome::Cancelled => Err(CliError::failed("the run was cancelled")),
    }
}

/// Whether anything of the run has a price: what is not known is not 0.
fn is_priced(record: &RunRecord) -> bool {
    let calls = record.previews.iter().map(|p| p.cost_usd).chain(record.attempts.iter().map(|a| a.cost_usd));
    record.cost_usd > 0.0 || calls.flatten().next().is_some()
}

/// The answer on standard output.
struct Answer<'a> {
    out: &'a Output,
    /// Bytes of the current attempt that are out.
    shown: usize,
    last: Option<char>,
    silent: bool,
}

impl Answer<'_> {
    fn take(&mut self, event: &RunEvent) -> Outcome {
        match event {
            RunEvent::AnswerText { text, .. } if !self.silent => {
                self.out.foreign(text)?;
                self.shown += text.len();
                self.last = text.chars().last().or(self.last);
            }
            // What is out cannot be taken back: it is set apart, and said.
            RunEvent::AttemptStarted { arm, .. } if self.shown > 0 => {
                self.out.line("\n")?;
                say(&format!("note: the answer above broke off; {arm} answers anew"));
                self.shown = 0;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whatever of the answer did not stream, and a closing newline.
    fn end(&mut self, record: &RunRecord) -> Outcome {
        let answer = record.answer.as_deref().unwrap_or_default();
        if self.shown == 0 && !answer.is_empty() {
            self.out.foreign(answer)?;
            self.last = answer.chars().last();
        }
        if self.last.is_some_and(|last| last != '\n') {
            self.out.foreign("\n")?;
        }
        let Some(search) = &record.policies.search else { return Ok(()) };
        if search.error.is_some() {
            say(&format!("note: {}", search.summary()));
        }
        for (place, (number, source)) in search.sources().enumerate() {
            let gap = if place == 0 { "\n" } else { "" };
            self.out.foreign(&format!("{gap}[{number}] {} {}\n", source.title, source.url))?;
        }
        Ok(())
    }
}
