//! What a prompt asks for, recognised without a model: phrases with weights, and the structure that code,
//! formulas, word problems and supplied documents have. The intent with the most weight wins if it has
//! enough; otherwise it is *other*. Deterministic, in time linear in the text it is given (callers give
//! it a bounded excerpt), and indifferent to control characters, case and punctuation.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::cues::CUES;
use super::cues_abroad::{ABROAD, UNSPACED};
use super::form::{NUMBER_WORDS, choices, code_lines, identifiers, numbers};
use super::text::{Excerpt, is_unspaced};
use crate::domain::context::Intent;

/// Part of the schema's version: raised whenever the same prompt may get another intent.
pub(super) const CLASSIFIER_VERSION: u32 = 2;

/// Below this weight nothing is recognised.
const LEAST: f64 = 2.0;
/// Words at the beginning that count double: a prompt mostly opens with its task.
const OPENING: usize = 12;
/// How often one phrase counts.
const REPEATS: u32 = 2;

/// The intent of `text`.
#[must_use]
pub fn classify(text: &str) -> Intent {
    let excerpt = Excerpt::of(text);
    let text = excerpt.as_str();
    let mut weight = [0.0_f64; 5];
    let lower = text.to_lowercase();
    add_phrases(&lower, &mut weight);
    add_form(text, &lower, &mut weight);
    let best = Intent::ALL.into_iter().reduce(
        |best, next| {
            if weight[next as usize] > weight[best as usize] { next } else { best }
        },
    );
    match best {
        Some(best) if weight[best as usize] >= LEAST => best,
        _ => Intent::Other,
    }
}

/// A phrase after its first word.
struct Phrase {
    id: usize,
    rest: Vec<&'static str>,
    intent: Intent,
    weight: f64,
}

/// Phrases by the first word as written; stems (`optimi*`) by their first character.
struct Table {
    words: HashMap<&'static str, Vec<Phrase>>,
    stems: HashMap<char, Vec<(&'static str, Phrase)>>,
    size: usize,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { words: HashMap::new(), stems: HashMap::new(), size: 0 };
    for &(intent, weight, phrases) in CUES.iter().chain(ABROAD) {
        for phrase in phrases.split('|') {
            let mut words = phrase.split(' ');
            let first = words.next().unwrap_or_default();
            let phrase = Phrase { id: table.size, rest: words.collect(), intent, weight: f64::from(weight) };
            table.size += 1;
            match (first.strip_suffix('*'), first.chars().next()) {
                (Some(stem), Some(initial)) => table.stems.entry(initial).or_default().push((stem, phrase)),
                _ => table.words.entry(first).or_default().push(phrase),
            }
        }
    }
    table
});

fn add_phrases(lower: &str, weight: &mut [f64; 5]) {
    let words = words(lower);
    let table = &*TABLE;
    let mut seen = vec![0_u32; table.size];
    let mut add = |phrase: &Phrase, at: usize| {
        if !follows(&words[at + 1..], &phrase.rest) {
            return;
        }
        let times = &mut seen[phrase.id];
        *times += 1;
        if *times <= REPEATS {
            let place = if at < OPENING { 2.0 } else { 1.0 };
            weight[phrase.intent as usize] += phrase.weight * place / f64::from(1 << (*times - 1));
        }
    };
    for (at, word) in words.iter().enumerate() {
        table.words.get(word).into_iter().flatten().for_each(|phrase| add(phrase, at));
        let stems = word.chars().next().and_then(|initial| table.stems.get(&initial));
        for (_, phrase) in stems.into_iter().flatten().filter(|(stem, _)| word.starts_with(stem)) {
            add(phrase, at);
        }
    }
    if !lower.is_ascii() {
        for (intent, amount, phrases) in UNSPACED {
            let found = phrases.split('|').filter(|phrase| lower.contains(phrase)).count();
            weight[*intent as usize] += 2.0 * f64::from(*amount) * found as f64;
        }
    }
}

/// Lower-case words: Latin ones end where a script without spaces begins.
fn words(lower: &str) -> Vec<&str> {
    let is_word = |c: char| (c.is_alphanumeric() && !is_unspaced(c)) || matches!(c, '+' | '#' | '\'' | ':' | ';' | '’');
    lower.split(|c| !is_word(c)).map(trim).filter(|word| !word.is_empty()).collect()
}

/// A word without the punctuation that only sometimes belongs to it.
fn trim(word: &str) -> &str {
    let word = word.trim_matches(['\'', ';', '’']);
    if word == "context:" { word } else { word.trim_matches(':') }
}

fn follows(words: &[&str], rest: &[&str]) -> bool {
    rest.len() <= words.len()
        && rest.iter().zip(words).all(|(wanted, word)| match wanted.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => wanted == word,
        })
}

/// What the form of the text says.
fn add_form(text: &str, lower: &str, weight: &mut [f64; 5]) {
    let mut add = |intent: Intent, amount: f64| weight[intent as usize] += amount;
    if text.contains("```") {
        add(Intent::Coding, 6.0);
    }
    add(Intent::Coding, (2.0 * code_lines(text) as f64).min(8.0) + identifiers(text).min(3) as f64 * 1.5);
    if text.contains('`') {
        add(Intent::Coding, 4.0);
    }
    let has_formula =
        ["\\frac", "\\sum", "\\int", "\\sqrt", "$$", "∫", "∑", "√", "≤", "≥", "∀", "∃", "∈", "^2", "²", "³"]
            .iter()
            .any(|sign| text.contains(sign));
    if has_formula {
        add(Intent::Reasoning, 5.0);
    }
    if is_sum(text) {
        add(Intent::Reasoning, 6.0);
    }
    let choices = choices(text);
    if choices > 0 {
        // Answers to choose from mostly ask for knowledge; what is to be derived says so in its words.
        add(Intent::Retrieval, 3.0);
    }
    let asks = text.contains(['?', '？', '¿']) || opens_asking(lower);
    let quantities = numbers(text, 10) as f64 + 0.75 * words_of_number(lower) as f64;
    let counts = ["how many", "how much"].iter().any(|words| lower.contains(words));
    if counts {
        add(Intent::Reasoning, if quantities >= 1.0 { 5.0 } else { 1.0 });
    }
    if supplies_document(lower) {
        add(Intent::Retrieval, 6.0);
    } else if quantities >= 2.0 && (asks || choices > 0) {
        add(Intent::Reasoning, 2.5 + quantities.min(6.0) * 0.6);
    } else if asks && text.len() < 400 {
        let (intent, amount) = if is_personal(lower) { (Intent::Other, 3.0) } else { (Intent::Retrieval, 2.0) };
        add(intent, amount);
    }
    // A long supplied text with a question at one end.
    let (head, _) = crate::domain::text::cut(text, 300);
    let tail_from = (text.len().saturating_sub(300)..=text.len()).find(|&i| text.is_char_boundary(i));
    let is_asked = |edge: &str| edge.contains('?');
    if text.len() > 1_500 && (is_asked(head) || tail_from.is_some_and(|from| is_asked(&text[from..]))) {
        add(Intent::Retrieval, 4.0);
    }
    if text.contains("<document") || text.contains("[1]") || text.contains("\"\"\"") {
        add(Intent::Retrieval, 3.0);
    }
}

/// Whether a line is headed as a text to answer from: `Passage: …`.
fn supplies_document(lower: &str) -> bool {
    const HEADS: [&str; 9] =
        ["context", "passage", "excerpt", "document", "article", "transcript", "source", "notes", "report"];
    let head = |line: &str| line.split_once(':').map(|(head, text)| (head.trim().to_owned(), text.trim().len()));
    lower.lines().filter_map(head).any(|(head, length)| length > 80 && HEADS.contains(&head.as_str()))
}

/// Whether the first word is one that questions open with.
fn opens_asking(lower: &str) -> bool {
    const OPENERS: [&str; 30] = [
        "who", "what", "what's", "when", "where", "why", "how", "which", "whose", "is", "are", "was", "were", "do",
        "does", "did", "can", "has", "have", "wer", "wo", "wann", "warum", "wie", "qui", "pourquoi", "quién", "dónde",
        "chi", "quem",
    ];
    let first = lower.split(|c: char| !(c.is_alphabetic() || c == '\'')).find(|word| !word.is_empty());
    first.is_some_and(|word| OPENERS.contains(&word))
}

/// Quantities in words, at most ten.
fn words_of_number(lower: &str) -> usize {
    lower.split(|c: char| !c.is_alphabetic()).filter(|word| NUMBER_WORDS.contains(word)).take(10).count()
}

/// Whether someone speaks of themselves or to whoever answers.
fn is_personal(lower: &str) -> bool {
    const PERSONS: [&str; 20] = [
        "i", "i'm", "my", "me", "you", "your", "we", "our", "us", "ich", "mir", "mich", "mein", "dir", "du", "je",
        "tu", "moi", "tú", "yo",
    ];
    let is_letter = |c: char| c.is_alphabetic() || c == '\'';
    lower.split(|c| !is_letter(c)).any(|word| PERSONS.contains(&word))
}

/// A bare calculation: mostly digits and operators.
fn is_sum(text: &str) -> bool {
    let (line, _) = crate::domain::text::cut(text, 200);
    let solid = || line.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    let sums = solid().filter(|c| c.is_ascii_digit() || "+-*/=^()×÷%.,?".contains(*c)).count();
    let digits = line.chars().filter(char::is_ascii_digit).count();
    digits >= 2 && sums * 10 >= solid().count() * 6 && line.contains(['+', '-', '*', '/', '×', '÷', '^', '='])
}
