//! What a monitor reads, over HTTP: `/metrics` for Prometheus, `/healthz` (the process serves), `/readyz`
//! (a run could be answered). Three documents for GET, one request a connection: written out here rather
//! than with a framework, because every connection must be in a set that ends, be bounded in number, size
//! and time, and nothing else is wanted of it.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::domain::engine::EngineHandle;
use crate::domain::ids::ArmId;
use crate::domain::snapshot::EngineSnapshot;
use crate::telemetry::{CONTENT_TYPE, Telemetry};

/// Connections at the same time; one more is hung up on.
const MAX_CONNECTIONS: usize = 16;
/// Bytes of a request's head.
const LONGEST_HEAD: usize = 8 << 10;
/// How long a client may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const PLAIN: &str = "text/plain; charset=utf-8";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Somebody else listens there.
    #[error("{0} is taken by another program: metrics are not served; choose --telemetry-listen, or off")]
    Taken(SocketAddr),
    /// The system refused.
    #[error("metrics are not served at {0}: {1}; choose --telemetry-listen, or off")]
    Refused(SocketAddr, Error),
}

/// An open door.
#[derive(Debug)]
pub struct ObserveDoor {
    listener: TcpListener,
    address: SocketAddr,
}

impl ObserveDoor {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ObserveError`], saying what to do.
    pub async fn bind(address: SocketAddr) -> Result<Self, ObserveError> {
        let fault = |error: Error| match error.kind() {
            ErrorKind::AddrInUse => ObserveError::Taken(address),
            _ => ObserveError::Refused(address, error),
        };
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    pub async fn serve(self, telemetry: Arc<Telemetry>, engine: Arc<dyn EngineHandle>, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
                        let (telemetry, engine) = (telemetry.clone(), engine.clone());
                        connections.spawn(async move {
                            // Who hangs up or dawdles gets nothing, and nobody else notices.
                            let _ = timeout(PATIENCE, answer(stream, &telemetry, engine.as_ref())).await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the metrics port could not accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        connections.shutdown().await;
    }
}

async fn answer(mut stream: TcpStream, telemetry: &Telemetry, engine: &dyn EngineHandle) -> Result<(), Error> {
    let mut head = Vec::with_capacity(1024);
    while !is_whole(&head) {
        if head.len() >= LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return send(&mut stream, &Document::new(400, "this is no request that is understood here\n"), true).await;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split([' ', '\r', '\n']);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let document = match method {
        "GET" | "HEAD" => document(path, telemetry, &engine.snapshot()),
        _ => Document::new(405, "only GET\n"),
    };
    send(&mut stream, &document, method != "HEAD").await
}

fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

struct Document {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Document {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, kind: PLAIN, body: body.into() }
    }
}

fn document(path: &str, telemetry: &Telemetry, picture: &EngineSnapshot) -> Document {
    match path {
        "/metrics" => match telemetry.metrics() {
            Ok(body) => Document { status: 200, kind: CONTENT_TYPE, body },
            Err(reason) => Document::new(503, format!("{reason}\n")),
        },
        "/healthz" => Document::new(200, "ok\n"),
        "/readyz" => match unready(picture) {
            None => Document::new(200, format!("ready, sequence {}\n", picture.sequence)),
            Some(reason) => Document::new(503, format!("{reason}\n")),
        },
        "/" => Document::new(200, "/metrics\n/healthz\n/readyz\n"),
        _ => Document::new(404, "there are /metrics, /healthz and /readyz\n"),
    }
}

/// Why no run could be answered, if so. A store that is in memory only is no reason: runs go on.
fn unready(picture: &EngineSnapshot) -> Option<&'static str> {
    if picture.revision == 0 {
        return Some("the engine is starting");
    }
    // The last arm is never taken out, so one that nothing can reach may be among the candidates.
    let is_equipped =
        |arm: &ArmId| picture.alarms.iter().all(|a| a.arm.as_ref() != Some(arm) || !a.subject.starts_with("adapter:"));
    let can_answer = picture.arms.iter().any(|row| row.state.is_candidate() && is_equipped(&row.arm));
    (!can_answer).then_some("no arm can be asked: add one, or bring one back (`state reactivate`)")
}

async fn send(stream: &mut TcpStream, document: &Document, with_body: bool) -> Result<(), Error> {
    let reason = match document.status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        503 => "Service Unavailable",
        _ => "Bad Request",
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        document.status,
        document.kind,
        document.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if with_body {
        stream.write_all(document.body.as_bytes()).await?;
    }
    stream.shutdown().await
}
