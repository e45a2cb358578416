//! One line made of parts that leave when there is no room, the least important first. What stays
//! keeps its place, so a line never jumps when a number in it changes its width by one.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// A part of a line.
pub(crate) struct Segment {
    /// What it shows, in order of preference: the first that fits is taken.
    pub(crate) forms: Vec<Vec<Span<'static>>>,
    /// Lower goes first.
    pub(crate) keep: u8,
}

impl Segment {
    /// A part of one style.
    pub(crate) fn text(text: impl Into<String>, style: Style, keep: u8) -> Self {
        Self { forms: vec![vec![Span::styled(text.into(), style)]], keep }
    }

    /// A part of several spans.
    pub(crate) fn spans(spans: Vec<Span<'static>>, keep: u8) -> Self {
        Self { forms: vec![spans], keep }
    }

    /// With a shorter form to fall back to before it goes.
    pub(crate) fn or(mut self, spans: Vec<Span<'static>>) -> Self {
        self.forms.push(spans);
        self
    }

    fn width(&self, form: usize) -> usize {
        self.forms.get(form).map_or(0, |spans| spans.iter().map(|span| span.content.width()).sum())
    }
}

/// The segments that fit into `width` columns with `gap` between them. All shorten before any goes.
pub(crate) fn fit(segments: &[Segment], width: u16, gap: &str) -> Line<'static> {
    let room = usize::from(width);
    // Per segment the form that is shown; `forms.len()` means gone.
    let mut form = vec![0_usize; segments.len()];
    let needed = |form: &[usize]| {
        let shown: Vec<usize> = (0..segments.len()).filter(|&i| form[i] < segments[i].forms.len()).collect();
        let text: usize = shown.iter().map(|&i| segments[i].width(form[i])).sum();
        text + gap.width() * shown.len().saturating_sub(1)
    };
    let mut by_importance: Vec<usize> = (0..segments.len()).collect();
    by_importance.sort_by_key(|&i| (segments[i].keep, std::cmp::Reverse(i)));
    for allow_gone in [false, true] {
        for &i in &by_importance {
            let last = if allow_gone { segments[i].forms.len() } else { segments[i].forms.len().saturating_sub(1) };
            while needed(&form) > room && form[i] < last {
                form[i] += 1;
            }
        }
    }
    // What went may have left room for a longer form of what stays: the most important first.
    for &i in by_importance.iter().rev() {
        for longer in 0..form[i] {
            let kept = std::mem::replace(&mut form[i], longer);
            if needed(&form) <= room {
                break;
            }
            form[i] = kept;
        }
    }
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (segment, &form) in segments.iter().zip(&form) {
        if let Some(parts) = segment.forms.get(form).filter(|parts| !parts.is_empty()) {
            if !spans.is_empty() {
                spans.push(Span::raw(gap.to_owned()));
            }
            spans.extend(parts.iter().cloned());
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(key: &'static str, label: &'static str, keep: u8) -> Segment {
        Segment::text(format!("{key} {label}"), Style::new(), keep).or(vec![Span::raw(key)])
    }

    #[test]
    fn labels_go_before_keys_and_the_most_important_key_goes_last() {
        let hints = [hint("d", "decay", 1), hint("p", "prune", 1), hint("?", "help", 9)];
        let at = |width| fit(&hints, width, "  ").to_string();
        assert_eq!(at(40), "d decay  p prune  ? help");
        assert_eq!(at(20), "d decay  p  ? help");
        assert_eq!(at(8), "d  p  ?");
        assert_eq!(at(4), "d  ?");
        assert_eq!(at(1), "?");
        assert_eq!(at(0), "");
    }
}
