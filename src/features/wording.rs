//! What two prompts must have in common, word by word, for one to be the other in other clothes. Directions cannot
//! say that: in a long text one word more or less hardly turns a direction, and that word may be the instruction.
//!
//! Two strictnesses. [`wording`] is for whoever has no better understanding of a text than its words: **every word
//! in its place** must be the same, but for what provably says nothing: white space, the case of letters,
//! punctuation around words but within a sentence, articles, contractions, a request's politeness and greeting, thanks at the
//! end, and *in Python, …* for *… in Python*. Inflection stays (*who is*, *who was*; *a haiku*, *haikus*), and so
//! does any other order (*from French into German*). [`exact_parts`] is for whoever has an embedding beside it:
//! what an embedding hardly sees must be the same, the rest may be put otherwise.
//!
//! Where letters and spaces are the matter itself (code, tables) nothing is tidied. What is missed here is asked
//! again, which costs one preview; what is taken for the same wrongly costs an answer. So doubt means another word.

mod lists;

use lists::{
    ASKING, BEFORE_ARTICLES, COMPARING, CONTRACTIONS, FRONTED, GREETINGS, JOINING, LANGUAGES, OF_CAPITALS, OF_WORDS,
    REQUESTS, SIGNS, THANKS, TURNS, has,
};

use super::text::is_unspaced;

/// Words from which on a prompt brings material along, and an embedding is not trusted to see each of them.
const LONG: usize = 48;
/// Words of what stands at the beginning of a request as well as at its end.
const FRONTED_WORDS: usize = 4;
/// What may stand around a word without changing it; quotes are among it, see [`Word::is_quoted`].
const QUOTES: [char; 12] = ['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '「', '」', '`'];
/// What ends a clause.
const CLAUSE: [char; 14] = ['.', ',', ';', ':', '!', '?', '…', '。', '，', '、', '！', '？', '：', '；'];

/// One word of a text.
#[derive(Clone, Debug)]
struct Word {
    /// Without punctuation around it, lower case where case says nothing.
    text: String,
    /// In quotes, or at an end of something quoted.
    is_quoted: bool,
    /// The punctuation behind it that ends a clause.
    end: Option<char>,
}

/// A text without what says nothing, words parted by single spaces; two texts with the same are the same request.
#[must_use]
pub fn wording(text: &str) -> String {
    let text = text.trim();
    if is_verbatim(text) {
        return format!("\n{text}");
    }
    let mut words = words_of(text);
    let speaks_of_words = speaks_of_words(&words);
    let brings_along = brings_along(text, &words);
    drop_courtesy(&mut words);
    if !speaks_of_words && !brings_along {
        drop_thanks(&mut words);
    }
    move_fronted(&mut words);
    if !speaks_of_words {
        drop_articles(&mut words);
    }
    spelled(&words)
}

/// What must be the same where an embedding decides about the rest: numbers and symbols, words that turn a prompt
/// round, names of languages; all of it in a text that is long or brings something along, compares, speaks of words, or
/// is no prose.
#[must_use]
pub fn exact_parts(text: &str) -> Vec<String> {
    let trimmed = text.trim();
    if is_verbatim(trimmed) {
        return vec![wording(text)];
    }
    let words = words_of(trimmed);
    let compares = words.iter().any(|word| has(COMPARING, &word.text));
    if compares || brings_along(trimmed, &words) || speaks_of_words(&words) {
        return vec![wording(text)];
    }
    words.into_iter().filter_map(|word| telling(word.text)).collect()
}

/// Whether words are its matter, and none of them empty.
fn speaks_of_words(words: &[Word]) -> bool {
    words.iter().any(|word| word.is_quoted || has(OF_WORDS, &word.text))
}

/// Whether it brings along what it is about.
fn brings_along(text: &str, words: &[Word]) -> bool {
    text.contains('\n') || words.len() >= LONG || words.iter().any(|word| word.end == Some(':'))
}

/// Of a word what must be the same.
fn telling(word: String) -> Option<String> {
    let lower = word.to_lowercase();
    if word.chars().any(is_unspaced) {
        let signs: String = word.chars().filter(|c| SIGNS.contains(*c) || c.is_numeric()).collect();
        return (!signs.is_empty()).then_some(signs);
    }
    let is_telling = !is_plain(&word)
        || word.chars().skip(1).any(char::is_uppercase)
        || word != lower && word.len() == 1
        || has(TURNS, &lower)
        || has(LANGUAGES, &lower);
    is_telling.then_some(word)
}

/// Whether every character of it may be the matter: code, tables, verses set in columns.
fn is_verbatim(text: &str) -> bool {
    text.contains(['`', '{', '}', '\t', '|', '\\'])
        || text.contains("\n ")
        || text.lines().any(|line| line.trim_end().ends_with(';'))
}

/// Letters, with apostrophes and hyphens between them.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-')) && word.chars().any(char::is_alphabetic)
}

fn words_of(text: &str) -> Vec<Word> {
    let shouts = !text.chars().any(char::is_lowercase);
    let mut words: Vec<Word> = Vec::new();
    let mut after_number = false;
    for token in text.split_whitespace() {
        if matches!(token, "—" | "–") {
            continue;
        }
        let open = token.trim_start_matches(|c| QUOTES.contains(&c) || matches!(c, '¿' | '¡'));
        let closed = open.trim_end_matches(|c| QUOTES.contains(&c) || CLAUSE.contains(&c));
        let core = if closed.is_empty() { token } else { closed };
        let around = token.len() > core.len();
        let is_quoted =
            around && [token.chars().next(), last_quote(token)].iter().flatten().any(|c| QUOTES.contains(c));
        let end = if core == token { None } else { token.chars().rev().find(|c| CLAUSE.contains(c)) };
        let is_start = words.last().is_none_or(|word| word.end.is_some());
        let text = cased(core, shouts, is_start, after_number);
        after_number = core.chars().any(char::is_numeric);
        push(&mut words, text, is_quoted, end);
    }
    words
}

/// The last character of a token before its clause ends.
fn last_quote(token: &str) -> Option<char> {
    token.trim_end_matches(CLAUSE).chars().next_back()
}

fn push(words: &mut Vec<Word>, text: String, is_quoted: bool, end: Option<char>) {
    let parts = CONTRACTIONS.iter().find(|(short, _)| !is_quoted && *short == text).map(|(_, parts)| *parts);
    let Some(parts) = parts else { return words.push(Word { text, is_quoted, end }) };
    for (nth, part) in parts.split(' ').enumerate() {
        let end = end.filter(|_| nth > 0);
        words.push(Word { text: part.to_owned(), is_quoted, end });
    }
}

/// Lower case, but where case tells two words apart: symbols and numbers and units behind them (`10 Mb`), capitals
/// inside (`kB`), single letters that are no words (`C`), names that are other words too (`US`, `Polish`).
fn cased(word: &str, shouts: bool, is_start: bool, after_number: bool) -> String {
    let word = word.replace('’', "'");
    let lower = word.to_lowercase();
    let characters = word.chars().count();
    if !is_plain(&word) || after_number && characters <= 3 {
        return word;
    }
    let has_capitals = word.chars().skip(1).any(char::is_uppercase);
    let is_loud = has_capitals && !word.chars().any(char::is_lowercase);
    let is_letter = characters == 1 && lower != "i" && !(is_start && lower == "a");
    let is_name = has(OF_CAPITALS, &lower) && (!is_start || is_loud && characters <= 4);
    let tells = !shouts && (is_letter || is_name || has_capitals && !is_loud);
    if tells { word } else { lower }
}

/// Whether `words` begin with those of `phrase`, none of them quoted.
fn begins(words: &[Word], phrase: &str) -> bool {
    let mut count = 0;
    let same = phrase.split(' ').all(|part| {
        count += 1;
        words.get(count - 1).is_some_and(|word| word.text == part && !word.is_quoted)
    });
    same && words.len() > count
}

fn length(phrase: &str) -> usize {
    phrase.split(' ').count()
}

fn drop_courtesy(words: &mut Vec<Word>) {
    let greeting = GREETINGS.split('|').filter(|phrase| begins(words, phrase)).max_by_key(|phrase| length(phrase));
    if let Some(count) = greeting.map(length)
        && matches!(words[count - 1].end, Some(',' | '!' | '.'))
    {
        words.drain(..count);
    }
    let asks = |words: &[Word], phrase: &str| {
        let rest = &words[length(phrase)..];
        let is_one = words[..length(phrase)].iter().all(|word| matches!(word.end, None | Some(',')));
        is_one && rest.first().is_some_and(|word| has(REQUESTS, &word.text))
    };
    let asking = ASKING.split('|').filter(|phrase| begins(words, phrase) && asks(words, phrase));
    if let Some(count) = asking.map(length).max() {
        words.drain(..count);
    }
    let is_request = words.first().is_some_and(|word| has(REQUESTS, &word.text) && word.end.is_none());
    if is_request && words.len() > 2 && words[1].text == "me" && words[1].end.is_none() {
        words.remove(1);
    }
}

/// Thanks at the end, of a prompt whose end is not material that it brings along.
fn drop_thanks(words: &mut Vec<Word>) {
    for phrase in THANKS.split('|') {
        let Some(from) = words.len().checked_sub(length(phrase)).filter(|from| *from > 0) else { continue };
        let tail = &words[from..];
        let is_apart = matches!(words[from - 1].end, Some(',' | '.' | '!' | '?'));
        let is_same = phrase.split(' ').zip(tail).all(|(part, word)| word.text == part && !word.is_quoted);
        if is_apart && is_same {
            words.truncate(from);
            return;
        }
    }
}

/// *In Python, explain …* becomes *Explain … in Python*, in a prompt of one sentence in which no other such phrase
/// could be meant.
fn move_fronted(words: &mut [Word]) {
    let Some(first) = words.first().filter(|word| has(FRONTED, &word.text)) else { return };
    let Some(count) = words.iter().take(FRONTED_WORDS).position(|word| word.end == Some(',')).map(|at| at + 1) else {
        return;
    };
    let (front, rest) = words.split_at(count);
    let is_plain = !rest.iter().any(|word| word.text == first.text || word.is_quoted)
        && rest.iter().rev().skip(1).all(|word| word.end.is_none())
        && front[..count - 1].iter().all(|word| word.end.is_none() && !word.is_quoted);
    let is_request = rest.first().is_some_and(|word| has(REQUESTS, &word.text));
    if is_plain && is_request {
        words.rotate_left(count);
        for word in words {
            word.end = None;
        }
    }
}

/// `the` and `an` anywhere, `a` where it is no letter of a name.
fn drop_articles(words: &mut Vec<Word>) {
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    let mut was_article = false;
    for at in 0..words.len() {
        let (word, before) = (&words[at], at.checked_sub(1).map(|before| &words[before]));
        let may_follow = before.is_none_or(|before| {
            let text = before.text.as_str();
            before.end.is_some() || has(BEFORE_ARTICLES, text) || has(REQUESTS, text)
        });
        let is_article = matches!(word.text.as_str(), "the" | "an") || word.text == "a" && may_follow;
        was_article = is_article && word.end.is_none() && at + 1 < words.len() && !was_article;
        if !was_article {
            kept.push(word.clone());
        }
    }
    *words = kept;
}

/// Words, and between them what ends a clause where that is no matter of taste.
fn spelled(words: &[Word]) -> String {
    let mut spelled = String::new();
    for (at, word) in words.iter().enumerate() {
        spelled.push_str(&word.text);
        let Some(next) = words.get(at + 1) else { break };
        let is_taste = |end: char| end == ',' && has(JOINING, &next.text);
        spelled.extend(word.end.filter(|end| !is_taste(*end)).into_iter().flat_map(|end| [' ', end]));
        spelled.push(' ');
    }
    spelled
}

#[cfg(test)]
mod tests;
