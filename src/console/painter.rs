//! Frames on a backend: two buffers and their difference. It exists because `ratatui::Terminal` clears
//! by asking the terminal for its cursor on every resize, and the event stream swallows the answer.
//! A frame that equals the one before writes nothing.

use std::io;

use ratatui::backend::{Backend, ClearType};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The larger of what any terminal has and what a buffer should cost.
const MAX_SIDE: u16 = 1_000;

/// Draws frames on `B`.
pub(crate) struct Painter<B> {
    backend: B,
    bracket: fn(&mut B, bool) -> io::Result<()>,
    shown: Buffer,
    next: Buffer,
    whole: bool,
    /// Frames that were written.
    pub(crate) written: u64,
}

impl<B: Backend> Painter<B>
where
    B::Error: Send + Sync + 'static,
{
    /// A painter whose first frame is drawn whole; `bracket` begins and ends a frame.
    pub(crate) fn new(backend: B, bracket: fn(&mut B, bool) -> io::Result<()>) -> Self {
        let nothing = Buffer::empty(Rect::ZERO);
        Self { backend, bracket, shown: nothing.clone(), next: nothing, whole: true, written: 0 }
    }

    /// The next frame is drawn whole.
    pub(crate) fn forget(&mut self) {
        self.whole = true;
    }

    /// Draws a frame; whether anything had to be written.
    ///
    /// # Errors
    /// Where the backend failed.
    pub(crate) fn paint(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<bool> {
        let size = self.backend.size().map_err(io::Error::other)?;
        let area = Rect::new(0, 0, size.width.min(MAX_SIDE), size.height.min(MAX_SIDE));
        if area == self.next.area {
            self.next.reset();
        } else {
            self.next = Buffer::empty(area);
            self.shown = Buffer::empty(area);
            self.whole = true;
        }
        draw(&mut self.next);
        if self.whole {
            self.shown.reset();
        }
        let mut changes = self.shown.diff_iter(&self.next).peekable();
        let wanted = self.whole || changes.peek().is_some();
        if wanted {
            (self.bracket)(&mut self.backend, true)?;
            if self.whole {
                self.backend.clear_region(ClearType::All).map_err(io::Error::other)?;
            }
            self.backend.draw(changes).map_err(io::Error::other)?;
            (self.bracket)(&mut self.backend, false)?;
            self.backend.flush().map_err(io::Error::other)?;
            self.whole = false;
            self.written += 1;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(wanted)
    }

    /// The backend.
    #[cfg(test)]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }
}
