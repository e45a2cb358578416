//! A key as an endpoint may spell it in what it says: as it is, percent-encoded, with HTML entities or JSON escapes,
//! in part or throughout, broken over lines; or as hexadecimal digits. Base64 is `encoded.rs`'s matter, a stream
//! that comes in pieces `guard.rs`'s.
//!
//! Spellings of spellings are not looked for, nor HTML's names for characters other than `&amp;`.

use std::borrow::Cow;

/// `text` with `mark` in place of `key` wherever it is spelled; the key is not empty.
pub(super) fn without<'a>(text: &'a str, key: &[u8], mark: &str) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut safe = String::new();
    let (mut done, mut at) = (0, 0);
    while at < bytes.len() {
        match spelled(bytes, at, key).or_else(|| in_digits(bytes, at, key)) {
            Some(end) if text.is_char_boundary(at) && text.is_char_boundary(end) => {
                safe.push_str(&text[done..at]);
                safe.push_str(mark);
                (done, at) = (end, end);
            }
            _ => at += 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    safe.push_str(&text[done..]);
    Cow::Owned(safe)
}

/// Where a spelling of `key` that begins at `at` ends.
fn spelled(text: &[u8], at: usize, key: &[u8]) -> Option<usize> {
    if text[at..].starts_with(key) {
        return Some(at + key.len());
    }
    let mut end = at;
    for (nth, byte) in key.iter().enumerate() {
        if nth > 0 {
            end += breaks(&text[end..]);
        }
        end += letter(&text[end..], *byte)?;
    }
    (end > at).then_some(end)
}

/// Bytes of white space, which a line that was wrapped has, plain or escaped.
fn breaks(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += match &text[length..] {
            [white, ..] if white.is_ascii_whitespace() => 1,
            [b'\\', b'n' | b'r' | b't', ..] => 2,
            _ => return length,
        };
    }
}

/// Bytes of the spelling of `byte` that `text` begins with: escaped, or else as it is.
fn letter(text: &[u8], byte: u8) -> Option<usize> {
    let escaped = match text {
        [b'%', high, low, ..] => is_hex(*high, *low, byte).then_some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] => is_hex(*high, *low, byte).then_some(6),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'&', ..] => entity(text, byte),
        _ => None,
    };
    escaped.or_else(|| (text.first() == Some(&byte)).then_some(1))
}

/// Bytes of the HTML entity of `byte` that `text` begins with.
fn entity(text: &[u8], byte: u8) -> Option<usize> {
    let end = text.iter().take(8).position(|byte| *byte == b';');
    let name = end.and_then(|end| std::str::from_utf8(&text[1..end]).ok()).unwrap_or_default();
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        },
        None => (name == "amp").then_some(u32::from(b'&')),
    };
    end.filter(|_| code == Some(u32::from(byte))).map(|end| end + 1)
}

/// Where `key` in hexadecimal digits that begin at `at` ends.
fn in_digits(text: &[u8], at: usize, key: &[u8]) -> Option<usize> {
    let digits = text.get(at..at + 2 * key.len())?;
    let is_key = digits.chunks_exact(2).zip(key).all(|(pair, byte)| is_hex(pair[0], pair[1], *byte));
    is_key.then_some(at + 2 * key.len())
}

fn is_hex(high: u8, low: u8, byte: u8) -> bool {
    let value = |digit: u8| char::from(digit).to_digit(16);
    value(high) == Some(u32::from(byte >> 4)) && value(low) == Some(u32::from(byte & 15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "gQ8/kdZ+1x&c0d=";

    #[test]
    fn every_spelling_goes_and_nothing_else() {
        let hex = "6751382f6b645a2b3178266330643d";
        let rows = [
            KEY,
            "gQ8%2FkdZ%2B1x%26c0d%3D",
            "gQ8%2fkdZ%2b1x%26c0d%3d",
            "gQ8/kdZ%2B1x&c0d=",
            "gQ8&#47;kdZ&#43;1x&amp;c0d&#61;",
            "gQ8&#x2f;kdZ&#x2B;1x&#38;c0d=",
            r"gQ8\/kdZ+1x\u0026c0d=",
            "gQ8/kd\r\n  Z+1x&c0d=",
            r"gQ8/kd\nZ+1x&c0d=",
            hex,
            &hex.to_ascii_uppercase(),
        ];
        for form in rows {
            let text = format!("é bad key \"{form}\", 50 % off & more; see {form}é");
            assert_eq!(without(&text, KEY.as_bytes(), "[x]"), "é bad key \"[x]\", 50 % off & more; see [x]é", "{form}");
        }
    }

    #[test]
    fn what_holds_no_key_is_left_alone() {
        for text in ["", "gQ8/kdZ+1x&c0d", "gQ8%2FkdZ%2B1x%26c0d%3", "&#;&#x;&;%%%\\u00\\", "GQ8/KDZ+1X&C0D="] {
            assert!(matches!(without(text, KEY.as_bytes(), "[x]"), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        /// However each character is spelled, nothing of the key is left; characters that escape others are not in it.
        #[test]
        fn a_key_spelled_at_random_goes(
            key in "[!-$'-\\[\\]-~]{6,40}", choices in prop::collection::vec(0..5u8, 40), before in ".{0,9}", after in ".{0,9}",
        ) {
            let spell = |(c, choice): (char, &u8)| match choice {
                0 => format!("%{:02X}", c as u32),
                1 => format!("&#{};", c as u32),
                2 => format!("\\u{:04x}", c as u32),
                3 => format!("&#x{:x};", c as u32),
                _ => c.to_string(),
            };
            let form: String = key.chars().zip(&choices).map(spell).collect();
            let text = format!("{before}\u{1}{form}\u{1}{after}");
            let found = without(&text, key.as_bytes(), "\u{2}").into_owned();
            // What stands around it may spell the key as well; it then goes too.
            prop_assert!(found.contains("\u{1}\u{2}\u{1}"), "{found}");
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String, key in prop::collection::vec(any::<u8>(), 1..12)) {
            let _ = without(&text, &key, "[x]");
        }
    }
}
