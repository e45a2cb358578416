//! A stream without the key that was sent to get it: an endpoint that echoes its request, or a model that was told
//! its own header, answers with it, in pieces of any size. What may yet become the key is held back until it is it
//! or is not; no more than three of its first characters come through where pieces part it there, since texts
//! often end as a key begins.
//!
//! The key is looked for as it is, with per cent signs as in an address, in hexadecimal digits and in base64: an answer is
//! somebody's text, and nothing else in it is touched. What endpoints say of errors goes through `secret.rs`, which is
//! less careful of it and knows more spellings.

use std::fmt::Write as _;

use super::encoded;
use super::secret::{REDACTED, Secret};
use crate::domain::answer::AnswerPart;

/// Characters of the key at the end of a piece from which they are held back.
const HELD_FROM: usize = 4;

/// Letters that a form of the key has at least: a shorter one stands in other texts as well.
const LEAST: usize = 8;

/// One guard for every form of the key, each behind the one before.
#[derive(Debug)]
pub(super) struct Guards(Vec<Guard>);

impl Guards {
    /// Nothing where `key` is too short to be told from other text.
    pub(super) fn new(key: &Secret) -> Option<Self> {
        let key = key.sought()?;
        let mut forms = vec![key.to_owned()];
        for form in forms_of(key) {
            if form.len() >= LEAST && !forms.contains(&form) {
                forms.push(form);
            }
        }
        Some(Self(forms.iter().map(|form| Guard::of(form)).collect()))
    }

    /// What may come out once `part` came in.
    pub(super) fn pass(&mut self, part: AnswerPart, out: &mut impl Extend<AnswerPart>) {
        let mut parts = vec![part];
        for guard in &mut self.0 {
            let mut through = Vec::with_capacity(parts.len());
            for part in parts {
                guard.pass(part, &mut through);
            }
            parts = through;
        }
        out.extend(parts);
    }
}

/// Other ways to write `key`, which is ASCII.
fn forms_of(key: &str) -> Vec<String> {
    let (mut address, mut digits) = (String::new(), String::new());
    for byte in key.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        _ = if is_plain { write!(address, "{}", char::from(byte)) } else { write!(address, "%{byte:02X}") };
        _ = write!(digits, "{byte:02x}");
    }
    let base64 = encoded::cores(key.as_bytes()).into_iter().flat_map(|core| {
        let safe = core.replace('+', "-").replace('/', "_");
        [core, safe]
    });
    [address.replace('%', "%25"), address, digits].into_iter().chain(base64).collect()
}

/// The key that must not come through, and how much of it the text so far ends with (Knuth, Morris and Pratt 1977).
#[derive(Debug)]
struct Guard {
    key: Vec<char>,
    /// Of each beginning of the key: the length of the longest shorter one that it ends with.
    borders: Vec<usize>,
    matched: usize,
    /// The end of the text that is not out yet, and whether it is reasoning.
    held: String,
    is_reasoning: bool,
}

impl Guard {
    fn of(form: &str) -> Self {
        let key: Vec<char> = form.chars().collect();
        let mut guard = Self { borders: vec![0; key.len()], key, matched: 0, held: String::new(), is_reasoning: false };
        for at in 1..guard.key.len() {
            guard.step(guard.key[at]);
            guard.borders[at] = guard.matched;
        }
        guard.matched = 0;
        guard
    }

    fn pass(&mut self, part: AnswerPart, out: &mut impl Extend<AnswerPart>) {
        let is_reasoning = matches!(part, AnswerPart::Reasoning(_));
        match part {
            AnswerPart::Text(text) | AnswerPart::Reasoning(text) => {
                if is_reasoning != self.is_reasoning {
                    out.extend(self.rest());
                    self.is_reasoning = is_reasoning;
                }
                out.extend(self.text(text).map(|text| self.of_its_kind(text)));
            }
            other => {
                out.extend(self.rest());
                out.extend([other]);
            }
        }
    }

    /// What is held when nothing follows it.
    fn rest(&mut self) -> Option<AnswerPart> {
        self.matched = 0;
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| self.of_its_kind(held))
    }

    fn of_its_kind(&self, text: String) -> AnswerPart {
        if self.is_reasoning { AnswerPart::Reasoning(text) } else { AnswerPart::Text(text) }
    }

    fn text(&mut self, text: String) -> Option<String> {
        if self.matched == 0 && !text.contains(self.key[0]) {
            return Some(text);
        }
        let mut out = String::with_capacity(self.held.len() + text.len());
        for c in text.chars() {
            self.step(c);
            self.held.push(c);
            if self.matched == self.key.len() {
                self.held.clear();
                self.matched = 0;
                out.push_str(REDACTED);
            }
            self.release(self.matched, &mut out);
        }
        self.release(if self.matched < HELD_FROM { 0 } else { self.matched }, &mut out);
        (!out.is_empty()).then_some(out)
    }

    /// All but the last `keep` characters of what is held goes out.
    fn release(&mut self, keep: usize, out: &mut String) {
        // What is held ends with the beginning of a key, which is ASCII as headers are; so are its boundaries.
        let free = self.held.len().saturating_sub(keep);
        out.extend(self.held.drain(..free));
    }

    /// How much of the key the text ends with when `c` is added.
    fn step(&mut self, c: char) {
        while self.matched > 0 && self.key[self.matched] != c {
            self.matched = self.borders[self.matched - 1];
        }
        if self.key[self.matched] == c {
            self.matched += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes out of a text that comes in those pieces.
    fn out_of<'a>(key: &str, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut guard = Guards::new(&Secret::new(key)).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            guard.pass(AnswerPart::Text(piece.to_owned()), &mut out);
        }
        guard.pass(AnswerPart::Finish(crate::domain::answer::FinishReason::Stop), &mut out);
        let text = |part: &AnswerPart| if let AnswerPart::Text(text) = part { text.clone() } else { String::new() };
        out.iter().map(text).collect()
    }

    #[test]
    fn a_key_goes_whole_or_but_for_three_letters() {
        let whole = out_of("sk-sk-secret", ["my key: sk-sk-sk-secret, é sk-sk-"]);
        assert_eq!(whole, "my key: sk-[redacted], é sk-sk-");
        let letters = out_of("sk-sk-secret", "a sk-sk-sk-secretsk-sk-secret z".split_inclusive(|_| true));
        assert_eq!(letters, "a sk-[redacted]sk-[redacted] z");
    }

    #[test]
    fn reasoning_and_text_are_two_streams_in_order() {
        let mut guard = Guards::new(&Secret::new("topsecret")).unwrap();
        let mut out = Vec::new();
        for part in [AnswerPart::Reasoning("ah topse".into()), AnswerPart::Text("cret topsecret".into())] {
            guard.pass(part, &mut out);
        }
        let expected = [
            AnswerPart::Reasoning("ah ".into()),
            AnswerPart::Reasoning("topse".into()),
            AnswerPart::Text("cret [redacted]".into()),
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_short_key_is_not_looked_for() {
        assert!(Guards::new(&Secret::new("local")).is_none());
    }

    #[test]
    fn no_form_of_the_key_comes_through_in_one_piece_or_in_many() {
        let key = "sk-VERY-secret/key+8b7c==";
        for form in [
            "sk-VERY-secret%2Fkey%2B8b7c%3D%3D",
            "sk-VERY-secret%252Fkey%252B8b7c%253D%253D",
            "736b2d564552592d7365637265742f6b65792b386237633d3d",
            "c2stVkVSWS1zZWNyZXQva2V5KzhiN2M9PQ==",
            "eHNrLVZFUlktc2VjcmV0L2tleSs4YjdjPT0=",
            "eHhzay1WRVJZLXNlY3JldC9rZXkrOGI3Yz09",
        ] {
            let whole = format!("it is {form}, é");
            let safe = out_of(key, [whole.as_str()]);
            assert!(safe.contains(REDACTED) && safe.starts_with("it is ") && safe.ends_with(", é"), "{form}: {safe}");
            assert!(safe.len() < REDACTED.len() + 20, "{form}: {safe}");
            let letters = out_of(key, whole.split_inclusive(|_| true));
            assert!(letters.contains(REDACTED), "{form}: {letters}");
        }
    }

    proptest! {
        /// However the text is parted, the key is not in what comes out, and nothing else is gone.
        #[test]
        fn no_key_comes_through_and_all_else_does(
            key in "[ab]{6,9}", text in "[ab]{0,40}|[ab é]{0,40}", sizes in prop::collection::vec(1..7usize, 50), at in 0..40usize,
        ) {
            let letters: Vec<char> = text.chars().collect();
            let (before, after) = letters.split_at(at.min(letters.len()));
            let whole: String = before.iter().chain(&key.chars().collect::<Vec<_>>()).chain(after).collect();
            let mut rest = whole.chars();
            let pieces: Vec<String> = sizes.iter().map(|size| rest.by_ref().take(*size).collect()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).chain([rest.as_str()]).collect();
            let found = out_of(&key, pieces);
            prop_assert!(!found.contains(&key), "{found}");
            let free = whole.replace(&key, "");
            if free == whole {
                prop_assert_eq!(found, whole);
            } else {
                prop_assert!(found.contains(REDACTED));
            }
        }

        #[test]
        fn a_text_without_the_key_is_what_it_was(text in "[sk é-]{0,60}", sizes in prop::collection::vec(1..5usize, 60)) {
            let mut rest = text.chars();
            let pieces: Vec<String> = sizes.iter().map(|size| rest.by_ref().take(*size).collect()).collect();
            prop_assume!(!text.contains("sk-sk-"));
            prop_assert_eq!(out_of("sk-sk-", pieces.iter().map(String::as_str)), text);
        }
    }
}
