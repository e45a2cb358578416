//! Below 60×15. Says what is needed and still shows the two facts that matter most.
//!
//! ```text
//!        banditop needs 60×15
//!          this is 42×12
//!  12.3 run/s  fallback 3.2%  ! 1 alarm
//!     make it larger, or q quits
//! ```

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::{or_dashes, percent, rate, small};
use super::{MIN_SIZE, header};

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let (width, height) = (canvas.width(), canvas.height());
    let theme = canvas.theme;
    let times = theme.glyphs.times;
    let totals = &model.shown().totals;
    let facts = format!(
        "{} run/s  fallback {}  {}",
        or_dashes(totals.runs_per_s, rate),
        or_dashes(totals.fallback_rate.map(crate::domain::ratio::Ratio::get), percent),
        header::alarm_words(model, theme).0,
    );
    let lines = [
        (format!("banditop needs {}{times}{}", MIN_SIZE.0, MIN_SIZE.1), theme.strong()),
        (format!("this is {width}{times}{height}"), theme.dim()),
        (facts, theme.text()),
        ("make it larger, or q quits".to_owned(), theme.dim()),
    ];
    let top = height.saturating_sub(small(lines.len())) / 2;
    for (y, (text, style)) in (top..).zip(&lines) {
        let x = width.saturating_sub(small(text.chars().count())) / 2;
        canvas.put_within(x, y, text, *style, width);
    }
}
