//! An adapter around the adapter, which notes how long each call waited below the `ChatModel` port, and what
//! the server said it took. Calls report by kind: previews have a token limit, the judge wants JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use banditop::domain::BoxFuture;
use banditop::domain::answer::{AnswerPart, AnswerStream, ChatModel, ModelCall};
use banditop::domain::failure::Failure;
use banditop::domain::money::Usage;
use tokio::time::Instant;

/// The phases of one race, with the slowest call of each in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    waited: [AtomicU64; 3],
    upstream: [AtomicU64; 3],
}

impl Phases {
    fn note(&self, phase: usize, waited: u64, upstream: u64) {
        self.waited[phase].fetch_max(waited, Ordering::Relaxed);
        self.upstream[phase].fetch_max(upstream, Ordering::Relaxed);
    }

    /// Seconds on the critical path: below the port, and in the server.
    pub(crate) fn critical_path_s(&self) -> (f64, f64) {
        let sum = |all: &[AtomicU64; 3]| all.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u64>() as f64 / 1e9;
        (sum(&self.waited), sum(&self.upstream))
    }
}

/// A shared adapter as one race sees it: every race has wrappers of its own.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn ChatModel>,
    pub(crate) phases: Arc<Phases>,
}

struct WatchedStream {
    inner: Box<dyn AnswerStream>,
    phases: Arc<Phases>,
    phase: usize,
    waited: u64,
    upstream: u64,
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        self.phases.note(self.phase, self.waited, self.upstream);
    }
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap()
}

impl ChatModel for Watched {
    fn stream(&self, call: ModelCall) -> BoxFuture<'_, Result<Box<dyn AnswerStream>, Failure>> {
        Box::pin(async move {
            let phase = if call.json {
                1
            } else if call.max_tokens.is_some() {
                0
            } else {
                2
            };
            let started = Instant::now();
            let inner = self.inner.stream(call).await?;
            let phases = Arc::clone(&self.phases);
            Ok(Box::new(WatchedStream { inner, phases, phase, waited: nanos(started), upstream: 0 })
                as Box<dyn AnswerStream>)
        })
    }
}

impl AnswerStream for WatchedStream {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<AnswerPart, Failure>>> {
        Box::pin(async move {
            let started = Instant::now();
            let part = self.inner.next().await;
            self.waited += nanos(started);
            if let Some(Ok(AnswerPart::Usage(Usage { input_tokens, .. }))) = &part {
                self.upstream = u64::from(*input_tokens);
            }
            part
        })
    }
}
