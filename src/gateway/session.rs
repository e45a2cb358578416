//! One connection of the control socket: read one request, answer it, close. Streams end when the
//! client hangs up; whatever they held (a run) is dropped with them and so cancelled.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::slots::{Slot, Slots};
use crate::domain::command::Acknowledgement;
use crate::domain::control::{LineBuffer, MAX_LINE, PROTOCOL, Reply, Request, RequestLine};
use crate::domain::engine::{EngineError, EngineHandle, RunRequest};
use crate::domain::event::RunEvent;
use crate::domain::ids::{RunId, Sequence};
use crate::domain::record::RunRecord;

/// A client must have said what it wants after this long.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// A client must have taken a reply after this long: a stopped one must not hold a run for ever.
const REPLY_TIME: Duration = Duration::from_secs(30);

/// Runs of one page at most.
const PAGE_RUNS: usize = 1_000;
/// Bytes of a page of runs, about, as long as it has one: far below a line's, for JSON escapes some of them.
const PAGE_BYTES: usize = MAX_LINE / 8;

/// How long an acknowledgement, or a run's end, waits for the picture that shows it.
const PICTURE_TIME: Duration = Duration::from_secs(1);
/// Between two pictures of a watch: a reader elsewhere draws no faster.
const WATCH_PAUSE: Duration = Duration::from_millis(100);

/// Answers one connection. Where there is no place for it, the client is told so.
pub(super) async fn serve_connection(
    engine: Arc<dyn EngineHandle>,
    mut reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    slots: Slots,
) {
    let mut out = Replies { writer };
    let answered = match admitted(&slots, &mut reader).await {
        Ok((request, _slot)) => answer(engine.as_ref(), request, &mut out, &mut reader).await,
        Err(Some(refusal)) => out.refuse(&refusal).await,
        Err(None) => Ok(()),
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "a control client went away");
    }
}

/// What is wanted, and the place that it has; why it has none, or `Err(None)` where the client left without a request.
async fn admitted(slots: &Slots, reader: &mut OwnedReadHalf) -> Result<(Request, Slot), Option<String>> {
    let short = slots.short()?;
    let late = |_| Some("no request came in time".to_owned());
    let request = timeout(REQUEST_TIME, read_request(reader)).await.map_err(late)??;
    let slot = match request {
        Request::Submit { .. } => slots.run()?,
        Request::Watch => slots.watcher()?,
        _ => short,
    };
    Ok((request, slot))
}

/// The request, or why it is none; `Err(None)` where the client left without one.
async fn read_request(reader: &mut OwnedReadHalf) -> Result<Request, Option<String>> {
    let mut lines = LineBuffer::new(MAX_LINE);
    let mut chunk = vec![0; 16 << 10];
    loop {
        match lines.line() {
            Ok(Some(line)) => return parse(&line).map_err(Some),
            Ok(None) => {}
            Err(error) => return Err(Some(error.to_string())),
        }
        match reader.read(&mut chunk).await {
            Ok(0) | Err(_) => return Err(None),
            Ok(count) => lines.push(chunk.get(..count).unwrap_or_default()),
        }
    }
}

/// The protocol is looked at first: a request of another one may not be readable at all.
fn parse(line: &[u8]) -> Result<Request, String> {
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let envelope: RequestLine<Value> = serde_json::from_slice(line).map_err(unreadable)?;
    if envelope.protocol != PROTOCOL {
        let found = envelope.protocol;
        return Err(format!(
            "the running banditop speaks control protocol {PROTOCOL}, this one {found}: use the same version of both"
        ));
    }
    serde_json::from_value(envelope.request).map_err(unreadable)
}

async fn answer(
    engine: &dyn EngineHandle,
    request: Request,
    out: &mut Replies,
    reader: &mut OwnedReadHalf,
) -> Result<(), Error> {
    let reply = match request {
        Request::Snapshot => Ok(Reply::Snapshot { snapshot: engine.snapshot() }),
        Request::Watch => return watch(engine, out, reader).await,
        Request::Submit { run } => return submit(engine, run, out, reader).await,
        Request::Command { command } => acknowledged(engine, engine.command(command).await).await,
        Request::WhatIf { command } => engine.what_if(command).await.map(|what_if| Reply::WhatIf { what_if }),
        Request::Rate { run, rating, actor } => acknowledged(engine, engine.rate(run, rating, actor).await).await,
        Request::Run { run } => engine.run(run).await.map(|record| Reply::Run { record }),
        Request::Runs { limit, before } => {
            let page = engine.runs_before(before, limit.min(PAGE_RUNS)).await;
            page.map(|records| Reply::Runs { records: no_longer_than(PAGE_BYTES, records) })
        }
        Request::Journal { query } => engine.journal(query).await.map(|entries| Reply::Journal { entries }),
        Request::Export => engine.export().await.map(|text| Reply::Exported { text }),
        Request::Import { text, actor } => acknowledged(engine, engine.import(text, actor).await).await,
    };
    match reply {
        Ok(reply) => out.send(&reply).await,
        Err(error) => out.fail(error).await,
    }
}

/// As many of the newest as take `bytes` together, and at least one.
fn no_longer_than(bytes: usize, mut newest_first: Vec<Arc<RunRecord>>) -> Vec<Arc<RunRecord>> {
    let mut left = bytes;
    let fits = newest_first.iter().take_while(|run| {
        let size = run.bytes();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    });
    let count = fits.count().max(1);
    newest_first.truncate(count);
    newest_first
}

/// Answers a change only when the picture shows it: whoever looks next, through another connection, must
/// find what was acknowledged.
async fn acknowledged(
    engine: &dyn EngineHandle,
    answer: Result<Acknowledgement, EngineError>,
) -> Result<Reply, EngineError> {
    let acknowledgement = answer?;
    if let Acknowledgement::Applied { entry, .. } = &acknowledgement {
        _ = timeout(PICTURE_TIME, until_shown(engine, entry.sequence)).await;
    }
    Ok(Reply::Acknowledged { acknowledgement })
}

async fn until_shown(engine: &dyn EngineHandle, sequence: Sequence) {
    let mut picture = engine.snapshot();
    while picture.sequence < sequence {
        engine.changed(picture.revision).await;
        let next = engine.snapshot();
        if next.revision == picture.revision {
            // `changed` without a change: the engine has gone.
            return;
        }
        picture = next;
    }
}

/// Waits for the picture that counts a run which is on record: one that is newer, if it is not this one.
async fn until_counted(engine: &dyn EngineHandle, run: RunId) {
    let picture = engine.snapshot();
    if picture.recent_runs.iter().all(|summary| summary.run != run) {
        engine.changed(picture.revision).await;
    }
}

/// Every picture from now on; one that came and went while the client was slow is skipped.
async fn watch(engine: &dyn EngineHandle, out: &mut Replies, reader: &mut OwnedReadHalf) -> Result<(), Error> {
    let mut hung_up = std::pin::pin!(hang_up(reader));
    loop {
        let snapshot = engine.snapshot();
        let seen = snapshot.revision;
        out.send(&Reply::Snapshot { snapshot }).await?;
        let next = async {
            tokio::time::sleep(WATCH_PAUSE).await;
            engine.changed(seen).await;
        };
        tokio::select! {
            () = &mut hung_up => return Ok(()),
            () = next => {}
        }
        if engine.snapshot().revision == seen {
            // `changed` without a change: the engine has gone.
            return out.fail(EngineError::Stopped).await;
        }
    }
}

async fn submit(
    engine: &dyn EngineHandle,
    request: RunRequest,
    out: &mut Replies,
    reader: &mut OwnedReadHalf,
) -> Result<(), Error> {
    let mut hung_up = std::pin::pin!(hang_up(reader));
    let submitted = tokio::select! {
        () = &mut hung_up => return Ok(()),
        submitted = engine.submit(request) => submitted,
    };
    let mut run = match submitted {
        Ok(run) => run,
        Err(error) => return out.fail(error).await,
    };
    let id = run.run();
    out.send(&Reply::Started { run: id }).await?;
    loop {
        let event = tokio::select! {
            () = &mut hung_up => return Ok(()),
            event = run.next() => event,
        };
        let Some(event) = event else { return Ok(()) };
        let is_last = matches!(event, RunEvent::Finished { .. });
        if is_last {
            _ = timeout(PICTURE_TIME, until_counted(engine, id)).await;
        }
        out.send(&Reply::Event { event: Box::new(event) }).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// Resolves when the client closes its end, fails, or talks out of turn.
async fn hang_up(reader: &mut OwnedReadHalf) {
    let mut byte = [0];
    _ = reader.read(&mut byte).await;
}

struct Replies {
    writer: OwnedWriteHalf,
}

impl Replies {
    async fn fail(&mut self, error: EngineError) -> Result<(), Error> {
        self.send(&Reply::Failed { error }).await
    }

    async fn refuse(&mut self, reason: &str) -> Result<(), Error> {
        self.fail(EngineError::Refused(reason.to_owned())).await
    }

    async fn send(&mut self, reply: &Reply) -> Result<(), Error> {
        let mut line = serde_json::to_vec(reply)?;
        if line.len() > MAX_LINE {
            let error = EngineError::Refused(format!("the reply is longer than {MAX_LINE} bytes"));
            line = serde_json::to_vec(&Reply::Failed { error })?;
        }
        line.push(b'\n');
        let written = timeout(REPLY_TIME, self.writer.write_all(&line)).await;
        written.unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "the client does not read")))
    }
}
