//! What goes into the log about runs, and where the log lies: a file of bounded size that is rotated and
//! written by a thread of its own, so that a full or hanging disk costs lines and never a run. What formats
//! lines (JSON or text) and filters them is the composition root's `tracing` subscriber.

mod file;
mod lines;

pub use file::RotatingFile;
pub use lines::digest;
pub(super) use lines::{decided, finished, judged};
