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

/// Which form of each part is shown where all of them may take `room`, with `gap` between them: sizes of the forms,
/// the first being the longest, and what the part is worth. Those worth less than `floor` go before any other shortens;
/// of the others all shorten before any goes, the least worth first. The number of forms means gone.
pub(crate) fn choose(parts: &[(Vec<usize>, u8)], room: usize, gap: usize, floor: u8) -> Vec<usize> {
    let mut form = vec![0_usize; parts.len()];
    let needed = |form: &[usize]| {
        let sizes: Vec<usize> =
            parts.iter().zip(form).filter_map(|((sizes, _), form)| sizes.get(*form).copied()).collect();
        sizes.iter().sum::<usize>() + gap * sizes.len().saturating_sub(1)
    };
    let mut by_importance: Vec<usize> = (0..parts.len()).collect();
    by_importance.sort_by_key(|&i| (parts[i].1, std::cmp::Reverse(i)));
    for allow_gone in [false, true] {
        for &i in &by_importance {
            let (sizes, keep) = &parts[i];
            let last = if allow_gone || *keep < floor { sizes.len() } else { sizes.len().saturating_sub(1) };
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
    form
}

/// The segments that fit into `width` columns with `gap` between them. All shorten before any goes.
pub(crate) fn fit(segments: &[Segment], width: u16, gap: &str) -> Line<'static> {
    let widths = |segment: &Segment| (0..segment.forms.len()).map(|form| segment.width(form)).collect();
    let parts: Vec<(Vec<usize>, u8)> = segments.iter().map(|segment| (widths(segment), segment.keep)).collect();
    let form = choose(&parts, usize::from(width), gap.width(), 0);
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
