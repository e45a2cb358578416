//! What two prompts must have in common, word by word, for one to be the other in other clothes. Directions cannot
//! say that: in a long text one word more or less hardly turns a direction, and that word may be the instruction.
//!
//! Two strictnesses. [`wording`] is for whoever has no better understanding of a text than its letters: **every
//! letter** must be the same, but for white space around the whole, the capital of a first word that is no name
//! (*What*, *Explain*), the mark behind a plain question or request, and *please* before a request. Nothing else is
//! provably empty: *a* and *the* choose (*a few*), capitals name (*Orange*, *The Cure*), `!` multiplies, an option is its
//! case (`-v`). [`exact_parts`] is for whoever has an embedding beside it: what an embedding hardly sees must be the
//! same, the rest may be put otherwise.
//!
//! Where letters are the matter itself (code, lines, quotes, words about words, long texts, whatever stands behind a
//! colon) nothing is tidied. What is missed here is asked again, which costs one preview; what is taken for the same
//! wrongly costs an answer. So doubt means another prompt.

mod lists;

use lists::{ASKING, COMPARING, CONTRACTIONS, LANGUAGES, OF_WORDS, OPENINGS, POLITE, REQUESTS, SIGNS, TURNS, has};

use super::text::is_unspaced;

/// Words from which on a prompt brings material along, and an embedding is not trusted to see each of them.
const LONG: usize = 48;
/// Letters from which on a mark behind the last word is taken for the end of a sentence: `a?` may be a pattern.
const WHOLE_WORD: usize = 3;
/// What may stand around a word without changing it; quotes are among it, see [`Word::is_quoted`].
const QUOTES: [char; 12] = ['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '「', '」', '`'];
/// What ends a clause.
const CLAUSE: [char; 14] = ['.', ',', ';', ':', '!', '?', '…', '。', '，', '、', '！', '？', '：', '；'];

/// One word of a text.
#[derive(Clone, Debug)]
struct Word {
    /// Without punctuation around it; in lower case only where it opens a sentence without being a name.
    text: String,
    /// In quotes, or at an end of something quoted.
    is_quoted: bool,
    /// The punctuation behind it that ends a clause.
    end: Option<char>,
}

/// A text without what says nothing; two texts with the same are the same request.
#[must_use]
pub fn wording(text: &str) -> String {
    let text = text.trim();
    let words = words_of(text);
    if is_verbatim(text) || brings_along(text, &words) || speaks_of_words(&words) {
        return format!("\n{text}");
    }
    let (rest, may_ask) = without_courtesy(text);
    let (first, others) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    let Some(first) = opening(first) else { return text.to_owned() };
    let is_request = has(REQUESTS, &first);
    let marks: &[char] = if !is_request || may_ask { &['?', '.'] } else { &['.'] };
    format!("{first}{}", without_mark(others, marks))
}

/// What must be the same where an embedding decides about the rest: numbers and symbols, names, words that turn a
/// prompt round; all of it in a text that is long or brings something along, compares, speaks of words, or
/// is no prose.
#[must_use]
pub fn exact_parts(text: &str) -> Vec<String> {
    let trimmed = text.trim();
    let words = words_of(trimmed);
    let compares = words.iter().any(|word| has(COMPARING, &word.text.to_lowercase()));
    if compares || is_verbatim(trimmed) || brings_along(trimmed, &words) || speaks_of_words(&words) {
        return vec![wording(text)];
    }
    words.into_iter().flat_map(split).filter_map(telling).collect()
}

/// Whether words are its matter, and none of them empty.
fn speaks_of_words(words: &[Word]) -> bool {
    words.iter().any(|word| word.is_quoted || has(OF_WORDS, &word.text.to_lowercase()))
}

/// Whether it brings along what it is about.
fn brings_along(text: &str, words: &[Word]) -> bool {
    text.contains('\n') || words.len() >= LONG || words.iter().any(|word| matches!(word.end, Some(':' | '：')))
}

/// Whether every character of it may be the matter: code, tables, verses set in columns.
fn is_verbatim(text: &str) -> bool {
    text.contains(['`', '{', '}', '\t', '|', '\\']) || text.ends_with(';')
}

/// The word that opens a prompt in lower case, where its capital says no more than that it comes first.
fn opening(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let is_capital_only = word.chars().skip(1).all(|c| !c.is_uppercase());
    (is_capital_only && has(OPENINGS, &lower)).then_some(lower)
}

/// The prompt from its request on, and whether what stood before it was a question.
fn without_courtesy(text: &str) -> (&str, bool) {
    let asks = |phrase: &str| {
        let rest = after(text, phrase)?;
        let verb = opening(rest.split_whitespace().next()?)?;
        has(REQUESTS, &verb).then_some(rest)
    };
    let asked = ASKING.split('|').find_map(asks);
    asked.map(|rest| (rest, true)).or_else(|| Some((POLITE.split('|').find_map(asks)?, false))).unwrap_or((text, false))
}

/// What follows a phrase in lower case at the beginning of a text, whose first letter may be a capital.
fn after<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(phrase.len())?;
    let is_it = head.eq_ignore_ascii_case(phrase) && head.get(1..) == phrase.get(1..);
    is_it.then(|| rest.strip_prefix(' ')).flatten()
}

/// Without one of `marks` behind the last word, where that is a word of letters.
fn without_mark<'a>(text: &'a str, marks: &[char]) -> &'a str {
    let Some(rest) = text.strip_suffix(marks) else { return text };
    let last = rest.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_word = last.chars().count() >= WHOLE_WORD && last.chars().all(char::is_alphabetic);
    if is_word { rest } else { text }
}

/// Of a word what must be the same.
fn telling(word: Word) -> Option<String> {
    let Word { text, end, .. } = word;
    if text.chars().any(is_unspaced) {
        let signs: String = text.chars().filter(|c| SIGNS.contains(*c) || c.is_numeric()).collect();
        return (!signs.is_empty()).then_some(signs);
    }
    let is_symbol = !is_plain(&text) || text.starts_with('-') || text.len() == 1 && text != "a";
    if is_symbol {
        // Behind a number or a letter it is a factorial, behind a word an exclamation.
        return Some(if end == Some('!') { text + "!" } else { text });
    }
    let is_telling = text.chars().any(char::is_uppercase) || has(TURNS, &text) || has(LANGUAGES, &text);
    is_telling.then_some(text)
}

/// Letters, with apostrophes and hyphens between them.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-')) && word.chars().any(char::is_alphabetic)
}

fn words_of(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for token in text.split_whitespace() {
        let open = token.trim_start_matches(|c| QUOTES.contains(&c) || matches!(c, '¿' | '¡'));
        let closed = open.trim_end_matches(|c| QUOTES.contains(&c) || CLAUSE.contains(&c));
        let core = if closed.is_empty() { token } else { closed };
        let around = token.len() > core.len();
        let is_quoted =
            around && [token.chars().next(), last_quote(token)].iter().flatten().any(|c| QUOTES.contains(c));
        let end = if core == token { None } else { token.chars().rev().find(|c| CLAUSE.contains(c)) };
        let is_start = words.last().is_none_or(|word| word.end.is_some_and(|end| end != ','));
        let text = core.replace('’', "'");
        let text = if is_start { opening(&text).unwrap_or(text) } else { text };
        words.push(Word { text, is_quoted, end });
    }
    words
}

/// The last character of a token before its clause ends.
fn last_quote(token: &str) -> Option<char> {
    token.trim_end_matches(CLAUSE).chars().next_back()
}

/// A contraction as the words that it stands for.
fn split(word: Word) -> Vec<Word> {
    let lower = word.text.to_lowercase();
    let Some((_, parts)) = CONTRACTIONS.iter().find(|(short, _)| *short == lower) else { return vec![word] };
    let whole = |part: &str| Word { text: part.to_owned(), is_quoted: false, end: None };
    parts.split(' ').map(whole).collect()
}

#[cfg(test)]
mod tests;
