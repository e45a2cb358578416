//! The text of a prompt, looked at in bounded time.

use std::borrow::Cow;

use crate::domain::chat::{ChatRequest, Content};
use crate::domain::text::cut;

/// Bytes looked at from the beginning of a long text: where the task usually is.
const HEAD: usize = 6 * 1024;
/// Bytes looked at from its end: where it is otherwise.
const TAIL: usize = 2 * 1024;
/// Bytes of a turn in parts that are put together at most.
const PARTS: usize = 64 * 1024;

/// The last user turn, borrowed where it is one text.
pub(super) fn prompt_text(request: &ChatRequest) -> Cow<'_, str> {
    let last = request.messages.iter().rev().find(|message| message.role == "user");
    match last.and_then(|message| message.content.as_ref()) {
        None => Cow::Borrowed(""),
        Some(Content::Text(text)) => Cow::Borrowed(text),
        Some(Content::Parts(parts)) => {
            let mut joined = String::new();
            for text in parts.iter().filter_map(|part| part.get("text")?.as_str()) {
                joined.push_str(cut(text, PARTS.saturating_sub(joined.len())).0);
                joined.push('\n');
            }
            Cow::Owned(joined)
        }
    }
}

/// The beginning and the end of a text.
pub(super) struct Excerpt<'a>(Cow<'a, str>);

impl<'a> Excerpt<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if text.len() <= HEAD + TAIL {
            return Self(Cow::Borrowed(text));
        }
        let (head, _) = cut(text, HEAD);
        let from = text.len() - TAIL;
        let start = (from..text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len());
        Self(Cow::Owned(format!("{head}\n{}", &text[start..])))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Words, at most `limit`; in scripts without spaces two characters count as a word.
pub(super) fn count_words(text: &str, limit: usize) -> usize {
    let mut halves = 0;
    let mut inside = false;
    for c in text.chars().take(limit * 32) {
        if is_unspaced(c) {
            halves += 1;
            inside = false;
        } else if c.is_alphanumeric() {
            halves += if inside { 0 } else { 2 };
            inside = true;
        } else if !matches!(c, '\'' | '’' | '-' | '_') {
            inside = false;
        }
        if halves >= 2 * limit {
            return limit;
        }
    }
    halves / 2
}

/// Ideographs, kana, Thai: scripts written without spaces between words.
pub(super) const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_in_any_script_and_no_further_than_asked() {
        assert_eq!(count_words("", 100), 0);
        assert_eq!(count_words("  What's the well-known answer?\n", 100), 4);
        assert_eq!(count_words("請寫一個函數", 100), 3);
        assert_eq!(count_words(&"word ".repeat(1_000_000), 100), 100);
    }

    #[test]
    fn an_excerpt_keeps_both_ends_and_cuts_at_characters() {
        let text = format!("begin {} end", "é".repeat(20_000));
        let excerpt = Excerpt::of(&text);
        assert!(excerpt.as_str().starts_with("begin") && excerpt.as_str().ends_with("end"));
        assert!(excerpt.as_str().len() <= HEAD + TAIL + 8);
    }
}
