//! An endpoint that does exactly what a row of the table says, byte by byte and moment by moment, over raw
//! TCP or TLS: it stalls, cuts off, splits, resets, keeps a connection warm and never stops talking. It
//! writes down what it was asked, when it was called, and when its caller hung up.
//!
//! Servers run on a thread of their own, so that what they measure is not held up by what is measured, and
//! so that the tasks of a test's own runtime are the program's alone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// One thing that an endpoint does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes in pieces of so many.
    Pieces(Vec<u8>, usize),
    /// Sends these bytes again and again, so far apart, until the caller hangs up.
    Forever(Vec<u8>, Duration),
    /// Sends nothing for so long.
    Wait(Duration),
    /// Sends nothing more, until the caller hangs up.
    Hold,
    /// Ends the connection in an orderly way.
    Close,
    /// Resets the connection.
    Reset,
}

/// One connection, as the endpoint saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When the request had been read.
    pub(crate) at: Instant,
    /// Head and body.
    pub(crate) request: String,
    /// When the caller's side of the connection was closed, or the endpoint reset it.
    pub(crate) over: Option<Instant>,
    /// Bytes that the caller sent after its request.
    pub(crate) more: usize,
    /// Bytes that the endpoint has sent.
    pub(crate) sent: Arc<AtomicUsize>,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Preview,
    Judge,
    Full,
    Embedding,
    /// Nothing of HTTP came: a handshake.
    Unread,
}

impl Call {
    /// What the request says that it is for: a preview has a token limit, an answer of these tests has none.
    pub(crate) fn part(&self) -> Part {
        let Some((head, body)) = self.request.split_once("\r\n\r\n") else { return Part::Unread };
        if head.contains("/embeddings ") {
            Part::Embedding
        } else if body.contains("You are an impartial judge") {
            Part::Judge
        } else if body.contains("\"max_tokens\":") || body.contains("\"max_completion_tokens\":") {
            Part::Preview
        } else {
            Part::Full
        }
    }
}

/// Time for which the threads of a row were ready to run and the machine did not let them, by the kernel's own
/// count: what a bound of wall-clock time is widened by. Nothing where there is no such count.
#[derive(Clone, Debug)]
pub(crate) struct Withheld {
    threads: Vec<String>,
    then: Duration,
}

impl Withheld {
    /// Of this thread and the one of all servers, from now on.
    pub(crate) fn begin() -> Self {
        let mut threads = vec![here()];
        threads.extend(SERVING.get().cloned());
        let then = threads.iter().map(|thread| waited(thread)).sum();
        Self { threads, then }
    }

    pub(crate) fn so_far(&self) -> Duration {
        let now: Duration = self.threads.iter().map(|thread| waited(thread)).sum();
        now.saturating_sub(self.then)
    }
}

/// Where the kernel counts for this thread.
fn here() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    format!("/proc/{}/schedstat", link.display())
}

/// Nanoseconds of waiting are the second of three numbers.
fn waited(thread: &str) -> Duration {
    let text = std::fs::read_to_string(thread).unwrap_or_default();
    let nanos = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// Where the kernel counts for the thread of all servers.
static SERVING: OnceLock<String> = OnceLock::new();

/// A running endpoint; it ends with this value.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    calls: watch::Receiver<Vec<Call>>,
    _tasks: JoinSet<()>,
}

/// What all connections of an endpoint share.
struct Endpoint {
    /// One script a connection; the last one for all further ones.
    scripts: Vec<Vec<Act>>,
    tls: Option<TlsAcceptor>,
    calls: watch::Sender<Vec<Call>>,
}

/// Where all servers run.
fn thread() -> &'static Runtime {
    static THREAD: OnceLock<Runtime> = OnceLock::new();
    THREAD.get_or_init(|| {
        let began = || {
            // The first thread is the worker; others, if any, only block.
            let _ = SERVING.set(here());
        };
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().on_thread_start(began).build().unwrap()
    })
}

impl Server {
    /// An endpoint that plays the n-th script on its n-th connection, and the last one from then on.
    pub(crate) fn start(scripts: Vec<Vec<Act>>) -> Self {
        Self::listen(scripts, None)
    }

    /// The same behind TLS.
    pub(crate) fn start_tls(scripts: Vec<Vec<Act>>, tls: TlsAcceptor) -> Self {
        Self::listen(scripts, Some(tls))
    }

    fn listen(scripts: Vec<Vec<Act>>, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (calls, seen) = watch::channel(Vec::new());
        let endpoint = Arc::new(Endpoint { scripts, tls, calls });
        let mut tasks = JoinSet::new();
        tasks.spawn_on(serve(listener, endpoint), thread().handle());
        Self { address, scheme, calls: seen, _tasks: tasks }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Waits for what must be seen; whether it was, within a time that only something broken takes.
    pub(crate) async fn sees(&self, what: impl FnMut(&Vec<Call>) -> bool) -> bool {
        let mut calls = self.calls.clone();
        matches!(tokio::time::timeout(Duration::from_secs(5), calls.wait_for(what)).await, Ok(Ok(_)))
    }
}

async fn serve(listener: std::net::TcpListener, endpoint: Arc<Endpoint>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    for turn in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.spawn(connection(stream, turn, Arc::clone(&endpoint)));
    }
}

async fn connection(stream: TcpStream, turn: usize, endpoint: Arc<Endpoint>) {
    let script = endpoint.scripts[turn.min(endpoint.scripts.len() - 1)].clone();
    // Of a connection that is reset, unread data or a zero linger make the kernel say so.
    let resets = script.iter().any(|act| matches!(act, Act::Reset));
    if resets {
        stream.set_zero_linger().unwrap();
    }
    match endpoint.tls.clone() {
        None => converse(stream, script, &endpoint.calls).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => converse(stream, script, &endpoint.calls).await,
            Err(_) => note(&endpoint.calls, String::from("a handshake that failed"), true),
        },
    }
}

fn note(calls: &watch::Sender<Vec<Call>>, request: String, is_over: bool) {
    let at = Instant::now();
    let call = Call { at, request, over: is_over.then_some(at), more: 0, sent: Arc::default() };
    calls.send_modify(|calls| calls.push(call));
}

async fn converse<S: AsyncRead + AsyncWrite>(stream: S, script: Vec<Act>, calls: &watch::Sender<Vec<Call>>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let request = read_request(&mut reader).await;
    let place = calls.borrow().len();
    note(calls, request, false);
    let sent = Arc::clone(&calls.borrow()[place].sent);
    let mut more = 0;
    let hung_up = async {
        let mut rest = [0; 64];
        while let Ok(n @ 1..) = reader.read(&mut rest).await {
            more += n;
        }
    };
    tokio::select! {
        () = hung_up => {}
        () = play(script, &mut writer, &sent) => {}
    }
    let over = Some(Instant::now());
    calls.send_modify(|calls| (calls[place].over, calls[place].more) = (over, more));
}

/// Ends with a reset; an orderly end is over when the caller closes its side too.
async fn play<W: AsyncWrite + Unpin>(script: Vec<Act>, writer: &mut W, sent: &AtomicUsize) {
    for act in script {
        let written = match act {
            Act::Send(bytes) => in_pieces(writer, &bytes, usize::MAX, sent).await,
            Act::Pieces(bytes, size) => in_pieces(writer, &bytes, size, sent).await,
            Act::Forever(bytes, pause) => again_and_again(writer, &bytes, pause, sent).await,
            Act::Wait(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            Act::Hold => std::future::pending().await,
            Act::Close => writer.shutdown().await,
            Act::Reset => {
                // What was sent before may arrive first.
                tokio::time::sleep(Duration::from_millis(10)).await;
                return;
            }
        };
        if written.is_err() {
            // The caller is gone: the side that reads says when.
            std::future::pending::<()>().await;
        }
    }
    let _ = writer.flush().await;
    let _ = writer.shutdown().await;
    std::future::pending::<()>().await;
}

async fn in_pieces<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
    size: usize,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    for piece in bytes.chunks(size) {
        sent.fetch_add(piece.len(), Ordering::Relaxed);
        writer.write_all(piece).await?;
        writer.flush().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn again_and_again<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
    pause: Duration,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        sent.fetch_add(bytes.len(), Ordering::Relaxed);
        writer.write_all(bytes).await?;
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn read_request<R: AsyncRead + Unpin>(reader: &mut R) -> String {
    let mut request = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = reader.read(&mut buffer).await {
        request.extend_from_slice(&buffer[..n]);
        // The first byte of a TLS handshake: no request will follow.
        if request[0] == 0x16 {
            break;
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// A response that ends with its connection.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Act {
    Act::Send(format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes())
}

/// A response of JSON.
pub(crate) fn json(status: &str, body: &str) -> Act {
    response(status, "content-type: application/json\r\n", body)
}

/// The beginning of a stream of events that ends with its connection.
pub(crate) fn stream(body: &str) -> Act {
    response("200 OK", "content-type: text/event-stream\r\n", body)
}

/// An event with this delta.
pub(crate) fn delta(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

/// An event with this text.
pub(crate) fn says(text: &str) -> String {
    delta(&serde_json::json!({ "content": text }).to_string())
}

/// The event that ends an answer.
pub(crate) fn ends(reason: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n")
}

/// The last two events.
pub(crate) fn usage_and_done(input: u32, output: u32) -> String {
    let usage = serde_json::json!({ "choices": [], "usage": { "prompt_tokens": input, "completion_tokens": output } });
    format!("data: {usage}\n\ndata: [DONE]\n\n")
}

/// A whole answer.
pub(crate) fn answer(text: &str) -> String {
    format!("{}{}{}", says(text), ends("stop"), usage_and_done(7, 9))
}
