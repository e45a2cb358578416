//! The zero-latency models: the least HTTP/1.1 server that speaks chat completions. A request that has
//! been read is answered at once with a ready-made stream, in one write. How long that took travels in the
//! answer: its `prompt_tokens` are nanoseconds.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What makes this binary the server.
pub(crate) const ARGUMENT: &str = "--upstream";
/// Pieces of one answer.
const PIECES: usize = 24;

/// The server's process, ended with this value.
pub(crate) struct Upstream {
    child: Child,
    port: u16,
}

impl Upstream {
    /// Starts this binary again and waits for its port.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(ARGUMENT).stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until standard input is closed, that is until the parent is gone.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let parent_left = std::thread::spawn(|| std::io::stdin().lock().read_until(0, &mut Vec::new()));
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        let mut connections = JoinSet::new();
        while !parent_left.is_finished() {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            connections.spawn(answer_all(stream));
            while connections.try_join_next().is_some() {}
        }
    });
}

/// Answers request after request on one connection.
async fn answer_all(stream: TcpStream) {
    let mut stream = AsyncBufReader::new(stream);
    let mut body = Vec::new();
    while let Some(length) = read_head(&mut stream).await {
        body.resize(length, 0);
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let read = Instant::now();
        let is_judge = body.windows(15).any(|w| w == br#""model":"judge""#);
        let answer = if is_judge { verdict() } else { words() };
        let response = response(&answer, read);
        if stream.get_mut().write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The length of the body that follows; `None` at the end of the connection.
async fn read_head(stream: &mut AsyncBufReader<TcpStream>) -> Option<usize> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            return Some(length);
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}

fn words() -> Vec<String> {
    (0..PIECES).map(|i| format!("word{i} of an answer, ")).collect()
}

/// The labels of three candidates are known.
fn verdict() -> Vec<String> {
    let of = |id: &str, overall: f64| {
        format!(
            r#"\"{id}\": {{\"relevance\": 0.5, \"coverage\": 0.5, \"faithfulness\": 0.5, \"hallucination_risk\": 0.1, \"overall\": {overall}}}"#
        )
    };
    vec![format!(r#"{{\"scores\": {{{}, {}, {}}}}}"#, of("A", 0.3), of("B", 0.8), of("C", 0.5))]
}

/// Headers and a whole event stream, chunked, closed by `[DONE]`.
fn response(pieces: &[String], read: Instant) -> String {
    let mut events = String::with_capacity(4096);
    for piece in pieces {
        write!(
            events,
            "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
        )
        .unwrap();
    }
    events.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    let took = read.elapsed().as_nanos().min(u128::from(u32::MAX));
    write!(
        events,
        "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{took},\"completion_tokens\":{PIECES}}}}}\n\ndata: [DONE]\n\n"
    )
    .unwrap();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    )
}
