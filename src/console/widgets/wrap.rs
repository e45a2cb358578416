//! Text of any length and script into lines of at most so many columns. Width is what a terminal
//! gives a character, not its bytes. Words are kept whole where they fit; the text is made safe first.

use unicode_width::UnicodeWidthChar;

use crate::domain::text::showable;

/// `text` in lines of at most `width` columns; newlines are kept. No lines where there is no width.
pub(crate) fn wrap(text: &str, width: u16) -> Vec<String> {
    if width == 0 {
        return Vec::new();
    }
    let safe = showable(text);
    safe.split('\n').flat_map(|paragraph| wrap_paragraph(paragraph, usize::from(width))).collect()
}

/// The last `rows` lines of `text`, looking only at as much of its end as can matter.
pub(crate) fn tail(text: &str, width: u16, rows: u16) -> Vec<String> {
    let budget = usize::from(width).saturating_mul(usize::from(rows)).saturating_mul(4).max(256);
    let mut start = text.len().saturating_sub(budget);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    // A line must not start in the middle of a paragraph that is only partly looked at.
    let start = if start == 0 { 0 } else { text[start..].find(['\n', ' ']).map_or(start, |i| start + i + 1) };
    let mut lines = wrap(&text[start..], width);
    let surplus = lines.len().saturating_sub(usize::from(rows));
    lines.drain(..surplus);
    lines
}

fn wrap_paragraph(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    // Where the line could be broken: the byte after its last space, and the columns up to there.
    let mut last_space: Option<(usize, usize)> = None;
    for c in paragraph.chars() {
        let columns = c.width().unwrap_or(0);
        if c == ' ' && used + columns > width {
            // A space at the edge ends the line and is not shown.
            lines.push(std::mem::take(&mut line));
            (used, last_space) = (0, None);
            continue;
        }
        // More than once where what was carried over leaves no room for a wide character.
        while used > 0 && used + columns > width {
            let (rest, kept_columns) = match last_space {
                Some((at, columns)) => (line.split_off(at), columns),
                None => (String::new(), used),
            };
            line.truncate(line.trim_end().len());
            lines.push(std::mem::replace(&mut line, rest));
            (used, last_space) = (used - kept_columns, None);
        }
        line.push(c);
        used += columns;
        if c == ' ' {
            last_space = Some((line.len(), used));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn words_stay_whole_and_newlines_are_kept() {
        assert_eq!(wrap("the quick brown fox\n\nend", 10), ["the quick", "brown fox", "", "end"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("a bcdefghi日", 10), ["a", "bcdefghi日"]);
        assert_eq!(wrap("a bcdefghij日", 10), ["a", "bcdefghij", "日"]);
        assert!(wrap("x", 0).is_empty());
    }

    #[test]
    fn the_tail_is_the_end() {
        let text = "line\n".repeat(10_000) + "last";
        assert_eq!(tail(&text, 20, 2), ["line", "last"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_and_no_letter_is_lost(text in ".{0,80}", width in 2u16..40) {
            let lines = wrap(&text, width);
            for line in &lines {
                prop_assert!(line.width() <= usize::from(width), "{line:?}");
            }
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&showable(&text)));
        }
    }
}
