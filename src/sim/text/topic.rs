//! What a prompt is about, without understanding it: its content words by frequency, the longest run of
//! them as a phrase, its figures and its sentences.

use std::collections::HashSet;
use std::sync::LazyLock;

use fastrand::Rng;

/// Words that say nothing about the topic: grammar, and what one says to a model.
const EMPTY_WORDS: &str = "\
    about above according after again against also answer any are and as ask at based be because been before \
    being below between both but by can case could describe did do does don done draft each either else even \
    every explain few find first following for from get give given gives had has have her here his how i if in \
    include into is isn it its just keep last less let like list long make makes many may me might more most \
    much must my need needs new no not now of off on once one only or other our out over own passage please say \
    says several shall she should show so some such suggest take tell than that the their them then there these \
    they this those three through to too two under until up us use uses using very want was way we were what \
    when where whether which while who whose why will with within without words would write you your";

static EMPTY: LazyLock<HashSet<&str>> = LazyLock::new(|| EMPTY_WORDS.split_whitespace().collect());

/// A prompt's words, figures and sentences.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Topic {
    /// A few words that run through the prompt together; never empty.
    pub(super) phrase: String,
    words: Vec<String>,
    figures: Vec<f64>,
}

impl Topic {
    /// Looks at the first 6,000 characters.
    pub(super) fn of(prompt: &str) -> Self {
        let text: String = prompt.chars().take(6000).collect();
        let mut counted: Vec<(String, usize)> = Vec::new();
        let (mut run, mut longest): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for piece in text.split_inclusive(|c: char| c.is_whitespace()) {
            let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if is_content(word) {
                run.push(word);
                count(&mut counted, word);
            } else {
                run.clear();
            }
            if run.len() > longest.len() && longest.len() < 3 {
                longest.clone_from(&run);
            }
            // A run does not go on over a comma or a full stop.
            if piece.trim_end().ends_with(|c: char| !c.is_alphanumeric()) {
                run.clear();
            }
        }
        counted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let words: Vec<String> = counted.into_iter().take(14).map(|(word, _)| word).collect();
        let phrase = if longest.is_empty() { "this question".to_owned() } else { longest.join(" ") };
        Self { phrase, words, figures: figures(&text) }
    }

    /// One word of the prompt.
    pub(super) fn word(&self, rng: &mut Rng) -> String {
        rng.choice(&self.words).cloned().unwrap_or_else(|| "this".to_owned())
    }

    /// Two different words of the prompt, where it has two.
    pub(super) fn two_words(&self, rng: &mut Rng) -> (String, String) {
        match self.words.len() {
            0 => ("the question".to_owned(), "what follows from it".to_owned()),
            1 => (self.words[0].clone(), "what follows from it".to_owned()),
            n => {
                let first = rng.usize(..n);
                let second = (first + 1 + rng.usize(..n - 1)) % n;
                (self.words[first].clone(), self.words[second].clone())
            }
        }
    }

    /// The words by weight.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The first two figures.
    pub(super) fn two_figures(&self) -> Option<(f64, f64)> {
        match self.figures.as_slice() {
            [a, b, ..] => Some((*a, *b)),
            _ => None,
        }
    }
}

fn count(counted: &mut Vec<(String, usize)>, word: &str) {
    // Names keep their capital; a word at the start of a sentence may too, which does no harm.
    if let Some((_, n)) = counted.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
        *n += 1;
    } else if counted.len() < 200 {
        counted.push((word.to_owned(), 1));
    }
}

/// Whether `word` is worth repeating: letters, of some length, not grammar.
pub(super) fn is_content(word: &str) -> bool {
    let length = word.chars().count();
    (3..=20).contains(&length)
        && word.chars().all(|c| c.is_alphabetic() || c == '-')
        && !EMPTY.contains(word.to_lowercase().as_str())
}

fn figures(text: &str) -> Vec<f64> {
    let pieces = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','));
    let plain = pieces.map(|piece| piece.trim_matches(['.', ',']).replace(',', ""));
    plain.filter_map(|piece| piece.parse::<f64>().ok()).filter(|f| f.abs() < 1e12).take(8).collect()
}

/// The sentences of `text`, each with its end mark.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for (at, c) in text.char_indices() {
        let ends = matches!(c, '.' | '!' | '?') && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
        if ends || c == '\n' {
            found.push(text[start..at + c.len_utf8()].trim());
            start = at + c.len_utf8();
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| sentence.len() > 12);
    found
}
