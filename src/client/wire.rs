//! One connection to a control socket: the request is written when it opens, replies are read line by
//! line. Waiting for a reply may be abandoned and taken up again: no byte is lost.

use std::io::{Error, ErrorKind};
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::domain::control::{LineBuffer, MAX_LINE, PROTOCOL, Reply, Request, RequestLine};

pub(super) struct Connection {
    stream: UnixStream,
    lines: LineBuffer,
    chunk: Box<[u8]>,
}

impl Connection {
    /// Connects and asks.
    pub(super) async fn open(path: &Path, request: &Request) -> Result<Self, Error> {
        let mut line = serde_json::to_vec(&RequestLine { protocol: PROTOCOL, request })?;
        line.push(b'\n');
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(&line).await?;
        Ok(Self { stream, lines: LineBuffer::new(MAX_LINE), chunk: vec![0; 16 << 10].into() })
    }

    /// The next reply; `None` when the other end has hung up.
    pub(super) async fn reply(&mut self) -> Result<Option<Reply>, Error> {
        loop {
            let line = self.lines.line().map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            if let Some(line) = line {
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            match self.stream.read(&mut self.chunk).await {
                Ok(0) => return Ok(None),
                Ok(count) => self.lines.push(self.chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
