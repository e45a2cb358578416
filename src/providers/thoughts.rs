//! Thinking that an endpoint sends as text: `<think>…</think>` at the very beginning, once or more, as models write it
//! where nothing between them and the wire takes it out. It becomes reasoning, which is no part of the answer. Such a tag
//! further on is text like any other, since answers may be about it; so is what a model thinks without saying where
//! it begins.

use crate::domain::answer::AnswerPart;

const OPENS: [&str; 2] = ["<think>", "<thinking>"];
const CLOSES: [&str; 2] = ["</think>", "</thinking>"];

/// Where the text is.
#[derive(Debug, Default)]
pub(super) enum Thoughts {
    /// Nothing but what may yet become a tag, or white space before one.
    #[default]
    Beginning,
    /// Behind the tag that opens; the place says which closes.
    Thinking(usize),
    /// Behind the one that closes: white space before the answer is no part of it.
    Over,
    /// In the answer.
    Answering,
}

/// The filter of one answer, and the end of the text that may be the beginning of a tag.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    at: Thoughts,
    held: String,
}

impl Thinking {
    /// What comes of a part.
    pub(super) fn pass(&mut self, part: AnswerPart, mut out: impl FnMut(AnswerPart)) {
        match part {
            AnswerPart::Text(text) if matches!(self.at, Thoughts::Answering) => out(AnswerPart::Text(text)),
            AnswerPart::Text(text) => {
                self.held.push_str(&text);
                while let Some(part) = self.step() {
                    out(part);
                }
            }
            other => {
                // Reasoning of its own kind may come between; an end or a tool call settles what is held.
                if !matches!(other, AnswerPart::Reasoning(_)) {
                    self.rest().into_iter().for_each(&mut out);
                }
                out(other);
            }
        }
    }

    /// One step on in what is held; nothing where more must come first.
    fn step(&mut self) -> Option<AnswerPart> {
        match self.at {
            Thoughts::Beginning | Thoughts::Over => self.begin(),
            Thoughts::Thinking(tag) => self.think(CLOSES[tag]),
            Thoughts::Answering => None,
        }
    }

    fn begin(&mut self) -> Option<AnswerPart> {
        let text = self.held.trim_start();
        if let Some(tag) = OPENS.iter().position(|tag| starts(text, tag)) {
            self.held = text[OPENS[tag].len()..].to_owned();
            self.at = Thoughts::Thinking(tag);
            return self.step();
        }
        if OPENS.iter().any(|tag| starts(tag, text)) {
            return None;
        }
        // Behind thinking, white space before the answer is no part of it.
        let is_over = matches!(self.at, Thoughts::Over);
        let text = if is_over { text.to_owned() } else { std::mem::take(&mut self.held) };
        self.answer(text)
    }

    fn think(&mut self, closes: &str) -> Option<AnswerPart> {
        let (thought, rest) = match self.held.to_ascii_lowercase().find(closes) {
            Some(at) => (self.held[..at].to_owned(), Some(self.held[at + closes.len()..].to_owned())),
            None => (self.held[..self.held.len() - tail(&self.held, closes)].to_owned(), None),
        };
        match rest {
            Some(rest) => {
                self.held = rest;
                self.at = Thoughts::Over;
            }
            None => drop(self.held.drain(..thought.len())),
        }
        if thought.is_empty() && matches!(self.at, Thoughts::Over) {
            return self.step();
        }
        (!thought.is_empty()).then_some(AnswerPart::Reasoning(thought))
    }

    fn answer(&mut self, text: String) -> Option<AnswerPart> {
        self.at = Thoughts::Answering;
        self.held.clear();
        (!text.is_empty()).then_some(AnswerPart::Text(text))
    }

    /// What is held when nothing follows it.
    fn rest(&mut self) -> Option<AnswerPart> {
        let held = std::mem::take(&mut self.held);
        match self.at {
            Thoughts::Thinking(_) if !held.is_empty() => Some(AnswerPart::Reasoning(held)),
            Thoughts::Beginning => self.answer(held),
            // What began like one more tag was none.
            Thoughts::Over => self.answer(held.trim_start().to_owned()),
            _ => None,
        }
    }
}

/// Whether `text` begins with `tag`, in letters of either case.
fn starts(text: &str, tag: &str) -> bool {
    text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag))
}

/// Bytes at the end of `text` that `tag` begins with.
fn tail(text: &str, tag: &str) -> usize {
    let ends = |length: &usize| text.len().checked_sub(*length).and_then(|from| text.get(from..));
    (1..tag.len())
        .rev()
        .find(|length| ends(length).is_some_and(|end| end.eq_ignore_ascii_case(&tag[..*length])))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::answer::FinishReason;
    use proptest::prelude::*;

    /// Reasoning and text of what comes in those pieces, each put together.
    fn apart<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let (mut thinking, mut thought, mut text) = (Thinking::default(), String::new(), String::new());
        let parts = pieces.into_iter().map(|piece| AnswerPart::Text(piece.to_owned()));
        for part in parts.chain([AnswerPart::Finish(FinishReason::Stop)]) {
            thinking.pass(part, |part| match part {
                AnswerPart::Text(piece) => text.push_str(&piece),
                AnswerPart::Reasoning(piece) => thought.push_str(&piece),
                _ => {}
            });
        }
        (thought, text)
    }

    const ROWS: [(&str, &str, &str); 13] = [
        ("<THINK>Hm</Think> Blue.", "Hm", "Blue."),
        ("<think>a</think>\n<thinking>b</thinking> Blue.", "ab", "Blue."),
        ("<think>a</think><think>b</think>", "ab", ""),
        ("<think>a</think> <thin", "a", "<thin"),
        ("<think>hm</think>\n\nBlue.", "hm", "Blue."),
        ("\n<thinking>h</think>m</thinking>Blue. ", "h</think>m", "Blue. "),
        ("<think>hm", "hm", ""),
        ("<think>hm</thi", "hm</thi", ""),
        ("<think></think>Blue", "", "Blue"),
        ("<think>hm</think>", "hm", ""),
        ("Blue <think>is</think> it", "", "Blue <think>is</think> it"),
        ("<thin ice>", "", "<thin ice>"),
        (" <think", "", " <think"),
    ];

    #[test]
    fn thinking_is_taken_out_however_it_is_parted() {
        for (whole, thought, text) in ROWS {
            let expected = (thought.to_owned(), text.to_owned());
            assert_eq!(apart([whole]), expected, "{whole}");
            assert_eq!(apart(whole.split_inclusive(|_| true)), expected, "{whole}, a letter at a time");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(whole in "(<think>)?([a<>/think ]|é){0,30}(</think>)?[a ]{0,5}", sizes in prop::collection::vec(1..6usize, 60)) {
            let mut rest = whole.chars();
            let pieces: Vec<String> = sizes.iter().map(|size| rest.by_ref().take(*size).collect()).collect();
            prop_assert_eq!(apart(pieces.iter().map(String::as_str)), apart([whole.as_str()]));
        }

        #[test]
        fn a_text_that_thinks_nowhere_is_what_it_was(text in "[a-z é<]{0,40}") {
            prop_assume!(!text.trim_start().starts_with('<'));
            prop_assert_eq!(apart([text.as_str()]), (String::new(), text.clone()));
        }
    }
}
