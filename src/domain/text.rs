//! Text from outside, made safe to show. A prompt or a model's output may hold control characters and
//! terminal escape sequences; none of them may reach a terminal. Storing keeps the text as it came:
//! only showing goes through here. Layout and wrapping are the console's business.

use std::any::Any;
use std::borrow::Cow;

/// Whether `c` may be shown on a terminal as it is. Newline may; everything that moves the cursor,
/// changes direction or is invisible may not.
#[must_use]
pub fn is_showable(c: char) -> bool {
    c == '\n' || !(c.is_control() || is_invisible(c))
}

/// Bidirectional overrides, isolates, zero-width marks, the byte order mark and tag characters: they
/// change what a reader sees without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{2028}' | '\u{2029}')
}

/// Whether `text` shows nothing at all: white space, control characters, and those that Unicode has ignored where they
/// are not understood (`Default_Ignorable_Code_Point`), fillers and the blank pattern of Braille.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c) || is_ignorable(c))
}

const fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with every character that a terminal would act on taken out or replaced: a tab becomes
/// four spaces, a carriage return vanishes, any other becomes `·`. Borrowed when nothing needed care.
#[must_use]
pub fn showable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_showable) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push_str("    "),
            '\r' => {}
            c if is_showable(c) => safe.push(c),
            _ => safe.push('·'),
        }
    }
    Cow::Owned(safe)
}

/// [`showable`] on one line: newlines become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    showable(text).replace('\n', " ")
}

/// Beginnings of keys, and how many of a key's characters must follow: the first is common enough to be shown masked
/// (`sk-ab***yz`).
const KEYS: [(&str, usize); 5] = [("sk-", 1), ("gsk_", 12), ("AIza", 12), ("xai-", 12), ("hf_", 12)];

/// `text` without anything that looks like an API key.
#[must_use]
pub fn without_keys(text: &str) -> Cow<'_, str> {
    let is_part = |c: char| c.is_alphanumeric() || "-_*".contains(c);
    let found =
        KEYS.iter().flat_map(|(prefix, least)| text.match_indices(prefix).map(|(at, _)| (at, prefix.len(), *least)));
    let mut found: Vec<(usize, usize, usize)> = found.collect();
    found.sort_unstable();
    let (mut safe, mut done) = (String::new(), 0);
    for (at, prefix, least) in found {
        if at < done || text[..at].ends_with(char::is_alphanumeric) {
            continue;
        }
        let end = text[at..].find(|c| !is_part(c)).map_or(text.len(), |length| at + length);
        if text[at + prefix..end].chars().count() >= least {
            safe.push_str(&text[done..at]);
            safe.push_str("[redacted]");
            done = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    safe.push_str(&text[done..]);
    Cow::Owned(safe)
}

/// What a panic said, on one line and without anything that looks like a key; a panic may say nothing that is a text.
#[must_use]
pub fn of_panic(panic: &(dyn Any + Send)) -> Option<String> {
    let told = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    told.map(|told| one_line(&without_keys(told)))
}

/// At most `limit` bytes of `text`, cut at a character's border; the flag says whether it was cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> (&str, bool) {
    if text.len() <= limit {
        return (text, false);
    }
    let end = (0..=limit).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    (&text[..end], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for blank in ["", " \n\t", "\u{200b}\u{200b}", "\u{feff} \u{2060}", "\u{ad}\u{200d}", "\u{3164}", "\u{1b}\u{7}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        for shown in ["a", ".", "👍", "👨\u{200d}👩", "☺\u{fe0f}", "…", "\u{200b}é", "。"] {
            assert!(!is_blank(shown), "{shown:?}");
        }
    }

    #[test]
    fn what_looks_like_a_key_is_taken_out() {
        let rows = [
            ("sk-proj-1, sk-ab***yz", "[redacted], [redacted]"),
            ("\"gsk_0123456789ab\"", "\"[redacted]\""),
            ("sk-sk-sk-a b", "[redacted] b"),
            ("é:xai-0123456789abc", "é:[redacted]"),
            ("hf_model, a disk-bound task, sk- and gsk_x", "hf_model, a disk-bound task, sk- and gsk_x"),
        ];
        for (text, expected) in rows {
            assert_eq!(without_keys(text), expected);
        }
    }

    #[test]
    fn a_panic_tells_no_key() {
        let text: Box<dyn Any + Send> = Box::new("bad header\nBearer sk-abc123".to_owned());
        assert_eq!(of_panic(text.as_ref()).unwrap(), "bad header Bearer [redacted]");
        assert_eq!(of_panic(&"plain").unwrap(), "plain");
        assert_eq!(of_panic(&7), None);
    }

    #[test]
    fn escape_sequences_lose_their_power() {
        let hostile = "a\u{1b}[2J\u{1b}]0;title\u{7}b\r\n\tc\u{202e}d\u{9b}31m";
        let safe = showable(hostile);
        assert!(safe.chars().all(is_showable), "{safe:?}");
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(showable("héllo\nworld"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_cut_respects_characters() {
        assert_eq!(cut("héllo", 2), ("h", true));
        assert_eq!(cut("héllo", 3), ("hé", true));
        assert_eq!(cut("hi", 2), ("hi", false));
    }
}
