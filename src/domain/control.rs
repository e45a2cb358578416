//! What is said over the control socket: one JSON object a line, a request from the client, then one
//! reply, or a stream of them where the request is `submit` or `watch`. One connection carries one
//! request; hanging up ends what it started.
//!
//! The types mirror [`super::engine::EngineHandle`] method by method, so that an engine behind a socket
//! keeps the same contract as one in this process. Reading and writing bytes is not here: only the
//! splitting of bytes into lines, which both ends share.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::{Acknowledgement, Actor, JournalEntry, RouterCommand};
use super::engine::{CommandRequest, EngineError, JournalQuery, RunRequest, WhatIf};
use super::event::RunEvent;
use super::ids::RunId;
use super::record::RunRecord;
use super::snapshot::EngineSnapshot;

/// The form of requests and replies. Both ends must agree.
pub const PROTOCOL: u32 = 1;
/// The socket's name in the data directory.
pub const SOCKET_NAME: &str = "control.sock";
/// Bytes of one line, in both directions: an exported state is the largest.
pub const MAX_LINE: usize = 64 << 20;

/// One line from the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestLine<R = Request> {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// What is wanted.
    pub request: R,
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// The newest picture: one [`Reply::Snapshot`].
    Snapshot,
    /// The newest picture, and then each newer one, until the client hangs up.
    Watch,
    /// A run: [`Reply::Started`], then a [`Reply::Event`] each. Hanging up cancels the run.
    Submit {
        /// The prompt.
        run: RunRequest,
    },
    /// A command: one [`Reply::Acknowledged`].
    Command {
        /// Which.
        command: CommandRequest,
    },
    /// What a command would do: one [`Reply::WhatIf`].
    WhatIf {
        /// Which.
        command: RouterCommand,
    },
    /// A rating: one [`Reply::Acknowledged`].
    Rate {
        /// Of which run.
        run: RunId,
        /// In [0, 1].
        rating: f64,
        /// Who.
        actor: Actor,
    },
    /// One run's record: one [`Reply::Run`].
    Run {
        /// Which.
        run: RunId,
    },
    /// A page of runs: one [`Reply::Runs`].
    Runs {
        /// At most so many; fewer where they would make a long line.
        limit: usize,
        /// Those of before that one alone.
        #[serde(default)]
        before: Option<RunId>,
    },
    /// Operator actions: one [`Reply::Journal`].
    Journal {
        /// Which.
        query: JournalQuery,
    },
    /// The whole state as text: one [`Reply::Exported`].
    Export,
    /// A state in place of this one: one [`Reply::Acknowledged`].
    Import {
        /// What was exported.
        text: String,
        /// Who.
        actor: Actor,
    },
}

/// What the engine answers. Any request may be answered by [`Reply::Failed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// The picture.
    Snapshot {
        /// It.
        snapshot: Arc<EngineSnapshot>,
    },
    /// A run has started.
    Started {
        /// Which.
        run: RunId,
    },
    /// A run goes on.
    Event {
        /// How.
        event: Box<RunEvent>,
    },
    /// A command, rating or import was applied or refused.
    Acknowledged {
        /// Which of the two.
        acknowledgement: Acknowledgement,
    },
    /// What a command would do.
    WhatIf {
        /// It.
        what_if: WhatIf,
    },
    /// One run.
    Run {
        /// Absent where it is not retained.
        record: Option<Arc<RunRecord>>,
    },
    /// Runs.
    Runs {
        /// Newest first.
        records: Vec<Arc<RunRecord>>,
    },
    /// Operator actions.
    Journal {
        /// Newest first.
        entries: Vec<JournalEntry>,
    },
    /// The whole state.
    Exported {
        /// As `import` reads it.
        text: String,
    },
    /// It could not be done.
    Failed {
        /// Why.
        error: EngineError,
    },
}

/// A line is longer than its reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {limit} bytes")]
pub struct LineTooLong {
    /// The bound.
    pub limit: usize,
}

/// Bytes as they come, lines as they go. Holds at most one line over its bound; every byte is looked at once.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    searched: usize,
    limit: usize,
}

impl LineBuffer {
    /// An empty buffer for lines of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), searched: 0, limit }
    }

    /// Takes what was read. Call [`LineBuffer::line`] until it gives none before reading more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its newline.
    ///
    /// # Errors
    /// [`LineTooLong`]; the buffer is of no use afterwards.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        let fresh = self.bytes.get(self.searched..).unwrap_or_default();
        let found = fresh.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        if found.unwrap_or(self.bytes.len()) > self.limit {
            return Err(LineTooLong { limit: self.limit });
        }
        let Some(end) = found else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.truncate(end);
        self.searched = 0;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_the_bytes_come() {
        let mut buffer = LineBuffer::new(5);
        let mut lines = Vec::new();
        for byte in b"ab\n\ncdefg\nx" {
            buffer.push(&[*byte]);
            while let Some(line) = buffer.line().unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
        }
        assert_eq!(lines, ["ab", "", "cdefg"]);
        let mut at_once = LineBuffer::new(5);
        at_once.push(b"a\nb\n");
        assert_eq!(at_once.line(), Ok(Some(b"a".to_vec())));
        assert_eq!(at_once.line(), Ok(Some(b"b".to_vec())));
        assert_eq!(at_once.line(), Ok(None));
    }

    #[test]
    fn a_line_over_the_bound_is_refused_before_its_end_comes() {
        let mut buffer = LineBuffer::new(3);
        buffer.push(b"abc");
        assert_eq!(buffer.line(), Ok(None));
        buffer.push(b"d");
        assert_eq!(buffer.line(), Err(LineTooLong { limit: 3 }));
    }

    #[test]
    fn requests_survive_a_line() {
        let request = Request::Import { text: "a\n\"b\"".to_owned(), actor: Actor::Person("ann".to_owned()) };
        let line = serde_json::to_string(&RequestLine { protocol: PROTOCOL, request: request.clone() }).unwrap();
        assert!(!line.contains('\n'));
        let back: RequestLine = serde_json::from_str(&line).unwrap();
        assert_eq!(back.request, request);
        let failed = Reply::Failed { error: EngineError::Refused("no".to_owned()) };
        let text = serde_json::to_string(&failed).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), failed);
    }
}
