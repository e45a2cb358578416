//! Whether an answer goes round in a loop: its end is one unit over and over.
//!
//! The prefix function of the reversed text (Knuth, Morris, Pratt 1977) gives the smallest period of every
//! suffix in linear time; a suffix of `n` characters with period `p` repeats its unit `n / p` times. Units
//! without letters are rules, tables and columns of numbers, and code repeats itself by nature: both need
//! far more.

/// Characters from the end that are looked at.
const TAIL: usize = 3_000;
/// Repetitions, and characters they span, of a unit of at least [`SENTENCE`] characters.
const OF_SENTENCES: (usize, usize) = (6, 240);
/// The same of a shorter unit.
const OF_WORDS: (usize, usize) = (30, 150);
/// The same without letters, or in code.
const OF_MARKS: (usize, usize) = (40, 1_500);
/// Characters from which a unit is more than a word.
const SENTENCE: usize = 10;
/// In a prompt: it may be what is wanted.
const WANTED: &[&str] = &[
    "repeat",
    "times",
    "over and over",
    "forever",
    "endless",
    "wiederhol",
    "mal hintereinander",
    "répèt",
    "repite",
    "repet",
    "ripet",
    "herhaal",
    "повтор",
    "重复",
    "重複",
    "繰り返",
    "반복",
];

/// Whether the end of `text` is a loop that `prompt` did not ask for.
pub(super) fn is_loop(prompt: &str, text: &str) -> bool {
    let tail: Vec<char> = text.trim_end().chars().rev().take(TAIL).collect();
    if tail.len() < OF_WORDS.1 {
        return false;
    }
    let is_code = super::format::has_open_fence(text) || text.trim_end().ends_with("```");
    let periods = periods(&tail);
    let found = periods.iter().enumerate().any(|(last, &period)| {
        let length = last + 1;
        let (times, span) = wanted(tail.get(..period).unwrap_or_default(), is_code);
        length >= span && length / period >= times
    });
    found && !is_wanted(prompt)
}

/// How often and how far a unit (reversed) must be repeated.
fn wanted(unit: &[char], is_code: bool) -> (usize, usize) {
    // Only the first few: a unit that long has a letter among them or is no language.
    if is_code || !unit.iter().take(64).any(|c| c.is_alphabetic()) {
        OF_MARKS
    } else if unit.len() >= SENTENCE {
        OF_SENTENCES
    } else {
        OF_WORDS
    }
}

/// The smallest period of every prefix of `text`.
fn periods(text: &[char]) -> Vec<usize> {
    let mut border = vec![0usize; text.len()];
    for at in 1..text.len() {
        let mut length = border[at - 1];
        while length > 0 && text[at] != text[length] {
            length = border[length - 1];
        }
        border[at] = length + usize::from(text[at] == text[length]);
    }
    border.iter().enumerate().map(|(last, border)| last + 1 - border).collect()
}

fn is_wanted(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    WANTED.iter().any(|cue| prompt.contains(cue))
}
