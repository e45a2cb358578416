//! A key in base64: what an endpoint may echo of a `Basic` header. A text around a key shifts its encoding by one or
//! two bytes, so that the key alone is not found in it; but of each of the three shifts all characters but the first
//! and last few depend on the key alone. These are looked for, in either alphabet, and the whole run of characters
//! around them goes, padded or not: it holds the key, with the user's name or whatever else was encoded with it.
//!
//! Encodings of encodings are not looked for.

use std::borrow::Cow;

/// RFC 4648, section 4; the alphabet that is safe in addresses (section 5) has `-` and `_` for the last two.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `text` with `mark` in place of every run of base64 that holds `key`, of some length: of a short one the
/// encoding would be found everywhere.
pub(super) fn without<'a>(text: &'a str, key: &[u8], mark: &str) -> Cow<'a, str> {
    let cores = [0, 1, 2].map(|shift| core(key, shift));
    let folded: Vec<u8> = text.bytes().map(fold).collect();
    let mut safe = String::new();
    let mut done = 0;
    while let Some((start, end)) = cores.iter().filter_map(|core| run(&folded, done, core)).min() {
        safe.push_str(&text[done..start]);
        safe.push_str(mark);
        done = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    safe.push_str(&text[done..]);
    Cow::Owned(safe)
}

/// What of the base64 of any text that holds `key` depends on the key alone, for each place that it may have there.
pub(super) fn cores(key: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|shift| core(key, shift).into_iter().map(char::from).collect())
}

/// One alphabet for both.
const fn fold(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// The first run of base64 from `from` on that holds `core`, with its padding. Its ends are at ASCII characters, so
/// that a text may be cut there.
fn run(text: &[u8], from: usize, core: &[u8]) -> Option<(usize, usize)> {
    let at = from + text[from..].windows(core.len().max(1)).position(|window| window == core)?;
    let start = at - text[from..at].iter().rev().take_while(|byte| is_base64(**byte)).count();
    let body = at + text[at..].iter().take_while(|byte| is_base64(**byte)).count();
    let padding = text[body..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Some((start, body + padding))
}

/// The characters that depend on `key` alone where `shift` bytes, below 3, stand before it.
fn core(key: &[u8], shift: usize) -> Vec<u8> {
    let bits = (shift + key.len()) * 8;
    let byte = |at: usize| at.checked_sub(shift).and_then(|at| key.get(at)).copied().unwrap_or_default();
    let sextet = |nth: usize| {
        let (at, offset) = (nth * 6 / 8, nth * 6 % 8);
        let two = u16::from_be_bytes([byte(at), byte(at + 1)]);
        ALPHABET[usize::from(two >> (10 - offset) & 63)]
    };
    ((shift * 8).div_ceil(6)..bits / 6).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As anybody encodes: with padding, in the standard alphabet.
    fn base64(bytes: &[u8]) -> String {
        let encode = |chunk: &[u8]| {
            let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            let letter = |n: usize| char::from(ALPHABET[(group >> (18 - 6 * n) & 63) as usize]);
            let letters: String = (0..=chunk.len()).map(letter).collect();
            format!("{letters:=<4}")
        };
        bytes.chunks(3).map(encode).collect()
    }

    #[test]
    fn known_values_of_the_standard() {
        let rows = [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, expected) in rows {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(core(b"foobar", 0), b"Zm9vYmFy");
    }

    #[test]
    fn a_basic_header_is_scrubbed_whatever_the_user_is_called() {
        for user in ["", "u", "me", "ann", "user@host"] {
            for rest in ["", ":", ":x"] {
                let encoded = base64(format!("{user}:topsecretkey{rest}").as_bytes());
                let bare = encoded.trim_end_matches('=');
                for form in [encoded.as_str(), bare] {
                    let text = format!("refused \"Authorization: Basic {form}\", see é");
                    let expected = "refused \"Authorization: Basic [x]\", see é";
                    assert_eq!(without(&text, b"topsecretkey", "[x]"), expected, "{user} {rest}");
                }
            }
        }
    }

    #[test]
    fn what_holds_no_key_is_left_alone() {
        let rows = ["", "a plain text", "dG9wc2VjcmV0", "Basic Zm9vYmFy", "topsecretkey", "é…=="];
        for text in rows {
            assert!(matches!(without(text, b"topsecretkey", "[x]"), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        /// Whatever stands around it and whichever alphabet it is in, no character of the encoding is left, and
        /// nothing else goes.
        #[test]
        fn every_form_goes_and_nothing_else(
            key in prop::collection::vec(any::<u8>(), 6..40),
            before in prop::collection::vec(any::<u8>(), 0..9),
            after in prop::collection::vec(any::<u8>(), 0..9),
            is_safe: bool, is_padded: bool,
        ) {
            let mut form = base64(&[before, key.clone(), after].concat());
            if is_safe {
                form = form.replace('+', "-").replace('/', "_");
            }
            if !is_padded {
                form = form.trim_end_matches('=').to_owned();
            }
            let found = without(&format!("é {form}, {form} é"), &key, "[x]").into_owned();
            prop_assert_eq!(found, "é [x], [x] é");
        }

        /// A text of words is never taken for a key.
        #[test]
        fn any_text_is_scrubbed_without_a_panic(text: String, key in prop::collection::vec(any::<u8>(), 0..12)) {
            let _ = without(&text, &key, "[x]");
        }
    }
}
