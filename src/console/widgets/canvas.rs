//! A rectangle of the screen to draw on, with its own origin. Whatever is drawn is clipped to it and
//! passed through `domain::text`, so no view can write outside its region, panic at a size it did not
//! expect, or let a model's output move the cursor.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::super::theme::Theme;
use crate::domain::text;

/// A clipped part of a frame.
pub(crate) struct Canvas<'a> {
    buf: &'a mut Buffer,
    area: Rect,
    /// How things look.
    pub(crate) theme: &'a Theme,
}

impl<'a> Canvas<'a> {
    /// The whole of `buf`.
    pub(crate) fn new(buf: &'a mut Buffer, theme: &'a Theme) -> Self {
        let area = buf.area;
        Self { buf, area, theme }
    }

    /// Columns.
    pub(crate) fn width(&self) -> u16 {
        self.area.width
    }

    /// Rows.
    pub(crate) fn height(&self) -> u16 {
        self.area.height
    }

    /// The region on the screen, for widgets of other crates.
    pub(crate) fn raw(&mut self) -> (Rect, &mut Buffer) {
        (self.area, self.buf)
    }

    /// The part at (`x`, `y`) of at most `width` × `height` cells.
    pub(crate) fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Canvas<'_> {
        let x = x.min(self.area.width);
        let y = y.min(self.area.height);
        let area = Rect {
            x: self.area.x.saturating_add(x),
            y: self.area.y.saturating_add(y),
            width: width.min(self.area.width - x),
            height: height.min(self.area.height - y),
        };
        Canvas { buf: self.buf, area, theme: self.theme }
    }

    /// Writes `text` at (`x`, `y`); gives the column after it.
    pub(crate) fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        self.put_within(x, y, text, style, u16::MAX)
    }

    /// Writes at most `limit` columns of `text`, ending in an ellipsis where it was cut.
    pub(crate) fn put_within(&mut self, x: u16, y: u16, text: &str, style: Style, limit: u16) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let room = (self.area.width - x).min(limit);
        let safe = safe(text);
        let ellipsis = self.theme.glyphs.ellipsis;
        let cut = (limit < u16::MAX && safe.width() > usize::from(room)).then(|| fit(&safe, room, ellipsis));
        let shown = cut.as_deref().unwrap_or(&safe);
        let (end, _) = self.buf.set_stringn(self.area.x + x, self.area.y + y, shown, usize::from(room), style);
        end - self.area.x
    }

    /// Writes `text` so that it ends before column `end`, within `width` columns.
    pub(crate) fn put_right(&mut self, end: u16, y: u16, width: u16, text: &str, style: Style) {
        let needed = u16::try_from(text.width()).unwrap_or(u16::MAX).min(width);
        self.put_within(end.saturating_sub(needed), y, text, style, needed);
    }

    /// Writes a line of spans; gives the column after it.
    pub(crate) fn put_line(&mut self, x: u16, y: u16, line: &Line<'_>) -> u16 {
        line.spans.iter().fold(x, |x, span| self.put(x, y, &span.content, line.style.patch(span.style)))
    }

    /// Lays `style` over a rectangle.
    pub(crate) fn style(&mut self, x: u16, y: u16, width: u16, height: u16, style: Style) {
        let part = self.part(x, y, width, height);
        part.buf.set_style(part.area, style);
    }

    /// Blanks everything, for what lies on top of something else.
    pub(crate) fn clear(&mut self) {
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                if let Some(cell) = self.buf.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
    }

    /// Draws a border with a title on the left and one on the right, and gives what is inside.
    pub(crate) fn framed(&mut self, title: &str, right: &str, focused: bool) -> Canvas<'_> {
        let (width, height) = (self.area.width, self.area.height);
        if width < 2 || height < 2 {
            return self.part(0, 0, 0, 0);
        }
        let [horizontal, vertical, corners @ ..] = self.theme.glyphs.frame;
        let style = self.theme.border(focused);
        let rule = horizontal.repeat(usize::from(width - 2));
        self.put(1, 0, &rule, style);
        self.put(1, height - 1, &rule, style);
        for y in 1..height - 1 {
            self.put(0, y, vertical, style);
            self.put(width - 1, y, vertical, style);
        }
        for (corner, (x, y)) in corners.iter().zip([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)]) {
            self.put(x, y, corner, style);
        }
        let title_style = self.theme.title();
        let after = if title.is_empty() {
            1
        } else {
            self.put_within(2, 0, &format!(" {title} "), title_style, width.saturating_sub(4))
        };
        let needed = u16::try_from(right.width()).unwrap_or(u16::MAX).saturating_add(2);
        if !right.is_empty() && after.saturating_add(needed).saturating_add(1) < width {
            let dim = self.theme.dim();
            self.put(width - needed - 1, 0, &format!(" {right} "), dim);
        }
        self.part(1, 1, width - 2, height - 2)
    }
}

/// `text` on one line, without anything that a terminal would act on.
fn safe(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c != '\n' && text::is_showable(c)) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text::one_line(text))
    }
}

/// The longest start of `text` that fits into `room` columns with `ellipsis` after it.
fn fit(text: &str, room: u16, ellipsis: &str) -> String {
    let budget = usize::from(room).saturating_sub(ellipsis.width());
    let mut shown = String::with_capacity(text.len());
    let mut used = 0;
    for c in text.chars() {
        let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + width > budget {
            break;
        }
        used += width;
        shown.push(c);
    }
    if usize::from(room) >= ellipsis.width() {
        shown.push_str(ellipsis);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::{Background, ColorDepth};
    use super::*;

    fn shown(buf: &Buffer) -> Vec<String> {
        buf.content()
            .chunks(usize::from(buf.area.width).max(1))
            .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    #[test]
    fn nothing_leaves_the_canvas() {
        let theme = Theme::new(ColorDepth::None, Background::Dark, false);
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 3));
        let mut canvas = Canvas::new(&mut buf, &theme);
        canvas.part(2, 1, 3, 1).put(0, 0, "abcdefgh", Style::new());
        canvas.put(0, 9, "below", Style::new());
        canvas.put(9, 0, "beside", Style::new());
        assert_eq!(shown(&buf), ["      ", "  abc ", "      "]);
    }

    #[test]
    fn escape_sequences_and_newlines_become_harmless() {
        let theme = Theme::new(ColorDepth::None, Background::Dark, false);
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        Canvas::new(&mut buf, &theme).put(0, 0, "a\u{1b}[2J\nb\u{202e}", Style::new());
        assert_eq!(shown(&buf), ["a·[2J b·    "]);
    }

    #[test]
    fn a_cut_text_says_so_and_wide_characters_are_not_split() {
        let theme = Theme::new(ColorDepth::None, Background::Dark, false);
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 2));
        let mut canvas = Canvas::new(&mut buf, &theme);
        canvas.put_within(0, 0, "abcdefgh", Style::new(), 5);
        canvas.put_within(0, 1, "日本語", Style::new(), 4);
        assert_eq!(shown(&buf)[0], "abcd… ");
        assert!(shown(&buf)[1].starts_with("日"));
        assert!(shown(&buf)[1].contains('…'));
    }
}
