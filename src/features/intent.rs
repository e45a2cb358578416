//! What a prompt asks for, recognised without a model: phrases with weights, and the structure that code,
//! formulas, word problems and supplied documents have. The intent with the most weight wins if it has
//! enough; otherwise it is *other*. Deterministic, in time linear in the text it is given (callers give
//! it a bounded excerpt), and indifferent to control characters, case and punctuation.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::cues::{CUES, UNSPACED};
use super::text::Excerpt;
use crate::domain::context::Intent;

/// Part of the schema's version: raised whenever the same prompt may get another intent.
pub(super) const CLASSIFIER_VERSION: u32 = 1;

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
    add_phrases(text, &mut weight);
    add_structure(text, &mut weight);
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
    rest: Vec<&'static str>,
    intent: Intent,
    weight: f64,
}

/// Phrases by the first word as written; stems (`optimi*`) apart.
struct Table {
    words: HashMap<&'static str, Vec<(usize, Phrase)>>,
    stems: Vec<(&'static str, usize, Intent, f64)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { words: HashMap::new(), stems: Vec::new() };
    for (id, &(phrase, intent, weight)) in CUES.iter().enumerate() {
        let mut words = phrase.split(' ');
        let first = words.next().unwrap_or_default();
        let rest: Vec<&'static str> = words.collect();
        match first.strip_suffix('*') {
            Some(stem) if rest.is_empty() => table.stems.push((stem, id, intent, f64::from(weight))),
            _ => {
                let phrase = Phrase { rest, intent, weight: f64::from(weight) };
                table.words.entry(first).or_default().push((id, phrase));
            }
        }
    }
    table
});

fn add_phrases(text: &str, weight: &mut [f64; 5]) {
    let lower = text.to_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '+' | '#' | '\'' | ':');
    let words: Vec<&str> = lower.split(|c| !is_word(c)).map(trim).filter(|word| !word.is_empty()).collect();
    let mut seen = vec![0_u32; CUES.len()];
    let mut add = |id: usize, intent: Intent, amount: f64, at: usize| {
        seen[id] += 1;
        if seen[id] <= REPEATS {
            let place = if at < OPENING { 2.0 } else { 1.0 };
            weight[intent as usize] += amount * place / f64::from(1 << (seen[id] - 1));
        }
    };
    for (at, word) in words.iter().enumerate() {
        for (id, phrase) in TABLE.words.get(word).into_iter().flatten() {
            if follows(&words[at + 1..], &phrase.rest) {
                add(*id, phrase.intent, phrase.weight, at);
            }
        }
        for (stem, id, intent, amount) in &TABLE.stems {
            if word.starts_with(stem) {
                add(*id, *intent, *amount, at);
            }
        }
    }
    if !lower.is_ascii() {
        for (phrase, intent, amount) in UNSPACED {
            if lower.contains(phrase) {
                weight[*intent as usize] += 2.0 * f64::from(*amount);
            }
        }
    }
}

/// A word without the punctuation that only sometimes belongs to it.
fn trim(word: &str) -> &str {
    let word = word.trim_matches('\'');
    if word == "context:" { word } else { word.trim_matches(':') }
}

fn follows(words: &[&str], rest: &[&str]) -> bool {
    rest.len() <= words.len()
        && rest.iter().zip(words).all(|(wanted, word)| match wanted.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => wanted == word,
        })
}

fn add_structure(text: &str, weight: &mut [f64; 5]) {
    let mut add = |intent: Intent, amount: f64| weight[intent as usize] += amount;
    if text.contains("```") {
        add(Intent::Coding, 6.0);
    }
    add(Intent::Coding, (2.0 * code_lines(text)).min(8.0));
    let has_formula = ["\\frac", "\\sum", "\\int", "\\sqrt", "$$", "∫", "∑", "√", "≤", "≥", "∀", "∃", "∈", "x^2", "x²"]
        .iter()
        .any(|sign| text.contains(sign));
    if has_formula {
        add(Intent::Reasoning, 5.0);
    }
    let numbers = numbers(text);
    if numbers >= 2 && text.contains('?') {
        add(Intent::Reasoning, 1.0 + f64::from(numbers.min(6)) * 0.5);
    }
    if is_sum(text) {
        add(Intent::Reasoning, 6.0);
    }
    // A long supplied text with a question at one end.
    let long = text.len() > 1_500;
    let edges = |edge: &str| edge.contains('?');
    let (head, _) = crate::domain::text::cut(text, 300);
    let tail_from = (text.len().saturating_sub(300)..=text.len()).find(|&i| text.is_char_boundary(i));
    if long && (edges(head) || tail_from.is_some_and(|from| edges(&text[from..]))) {
        add(Intent::Retrieval, 4.0);
    }
    if text.contains("<document") || text.contains("[1]") || text.contains("\"\"\"") {
        add(Intent::Retrieval, 3.0);
    }
}

/// Lines that look like source: how many, as far as it matters.
fn code_lines(text: &str) -> f64 {
    const STARTS: [&str; 17] = [
        "def ",
        "class ",
        "import ",
        "from ",
        "fn ",
        "let ",
        "const ",
        "var ",
        "function ",
        "#include",
        "public ",
        "private ",
        "return ",
        "SELECT ",
        "select ",
        "#!/",
        "@",
    ];
    const ENDS: [char; 3] = ['{', '}', ';'];
    const SIGNS: [&str; 9] = ["=>", "->", "::", "()", "==", "!=", "&&", "||", "+="];
    let is_code = |line: &str| {
        let line = line.trim();
        let starts = STARTS.iter().any(|start| line.starts_with(start));
        let ends = line.ends_with(ENDS) || (starts && line.ends_with(':'));
        let signs = SIGNS.iter().any(|sign| line.contains(sign));
        usize::from(starts) + usize::from(ends) + usize::from(signs) >= 2 || line.starts_with("Traceback (")
    };
    text.lines().filter(|line| is_code(line)).take(8).count() as f64
}

/// Numbers in the text, up to ten.
fn numbers(text: &str) -> u8 {
    let mut count = 0;
    let mut inside = false;
    for c in text.chars() {
        count += u8::from(c.is_ascii_digit() && !inside);
        inside = c.is_ascii_digit() || (inside && matches!(c, '.' | ','));
        if count == 10 {
            break;
        }
    }
    count
}

/// A bare calculation: mostly digits and operators.
fn is_sum(text: &str) -> bool {
    let (line, _) = crate::domain::text::cut(text, 200);
    let solid = || line.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    let sums = solid().filter(|c| c.is_ascii_digit() || "+-*/=^()×÷%.,?".contains(*c)).count();
    let digits = line.chars().filter(char::is_ascii_digit).count();
    digits >= 2 && sums * 10 >= solid().count() * 6 && line.contains(['+', '-', '*', '/', '×', '÷', '^', '='])
}
