//! The judge of last resort: deterministic, instant, and honest about how little it knows. It looks at
//! what can be counted: whether a text says something, whether its words are about the prompt, whether it
//! goes round in circles, refuses, or misses a format that was asked for. It cannot tell a right answer
//! from a wrong one, so hallucination risk is always the middle.
//!
//! `overall = 0.35·relevance + 0.35·coverage + 0.30·faithfulness`, a fifth of that for a refusal, 0 for a
//! blank text.

use std::collections::HashSet;

use crate::domain::judging::Scores;
use crate::domain::money::estimate_tokens;
use crate::domain::text::is_blank;

/// Its name in records.
pub(crate) const NAME: &str = "local";

/// How refusals begin, in lower case with plain apostrophes.
const REFUSALS: [&str; 12] = [
    "i'm sorry, but",
    "i am sorry, but",
    "i cannot ",
    "i can't ",
    "i can not ",
    "i'm unable",
    "i am unable",
    "i won't ",
    "as an ai",
    "sorry, i can",
    "i'm not able",
    "i must decline",
];
/// Words that are in any text.
const COMMON: [&str; 24] = [
    "about", "after", "also", "does", "from", "have", "into", "just", "make", "more", "please", "some", "than", "that",
    "their", "them", "there", "they", "this", "what", "when", "which", "with", "your",
];
/// Words of the prompt that matter most to relevance; more are not asked of a short preview.
const MOST_KEYWORDS: usize = 12;
/// Share of the keywords that makes a text fully relevant.
const ENOUGH_KEYWORDS: f64 = 0.5;

/// Scores `text` as the beginning of an answer to `prompt`; `target`: the tokens that were wanted.
pub(crate) fn score(prompt: &str, text: &str, target: u32) -> Scores {
    if is_blank(text) {
        return Scores { relevance: 0.0, coverage: 0.0, faithfulness: 0.0, hallucination_risk: 0.5, overall: 0.0 };
    }
    let relevance = relevance(prompt, text);
    let coverage = (length(text, target) * format(prompt, text)).clamp(0.0, 1.0);
    let faithfulness = variety(text);
    let sum = 0.30f64.mul_add(faithfulness, 0.35f64.mul_add(relevance, 0.35 * coverage));
    let overall = if is_refusal(text) { sum / 5.0 } else { sum };
    Scores { relevance, coverage, faithfulness, hallucination_risk: 0.5, overall: overall.clamp(0.0, 1.0) }
}

/// Whether the text begins by refusing.
fn is_refusal(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(120).collect();
    let start = start.to_lowercase().replace('\u{2019}', "'");
    REFUSALS.iter().any(|phrase| start.contains(phrase))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

/// Share of the prompt's keywords that the text takes up, of those that can be expected; the middle where
/// the prompt has none (it may be in a script without spaces).
fn relevance(prompt: &str, text: &str) -> f64 {
    let mut seen = HashSet::new();
    let keywords: Vec<String> = words(prompt)
        .filter(|w| w.chars().count() > 3 && !COMMON.contains(&w.as_str()) && seen.insert(w.clone()))
        .take(MOST_KEYWORDS)
        .collect();
    if keywords.is_empty() {
        return 0.5;
    }
    let said: HashSet<String> = words(text).collect();
    let taken_up = keywords.iter().filter(|k| said.iter().any(|s| is_same_word(k, s))).count();
    (taken_up as f64 / keywords.len() as f64 / ENOUGH_KEYWORDS).min(1.0)
}

/// Equal, or one is an inflection of the other: they share all but the last three letters of the longer.
fn is_same_word(a: &str, b: &str) -> bool {
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let longer = a.chars().count().max(b.chars().count());
    common >= 4 && common + 3 >= longer || a == b
}

/// 1 from half of the tokens wanted on; a preview that stops early may be a complete short answer, so half
/// a score is given for anything.
fn length(text: &str, target: u32) -> f64 {
    let wanted = f64::from(target.max(1)) / 2.0;
    0.5f64.mul_add((f64::from(estimate_tokens(text)) / wanted).min(1.0), 0.5)
}

/// Distinct groups of three words over all of them: 1 where nothing is said twice.
fn variety(text: &str) -> f64 {
    let words: Vec<String> = words(text).collect();
    let groups: Vec<&[String]> = words.windows(3).collect();
    if groups.is_empty() {
        return 1.0;
    }
    let distinct: HashSet<&[String]> = groups.iter().copied().collect();
    distinct.len() as f64 / groups.len() as f64
}

/// 1 where a format that was asked for shows, or none was asked for; 0.6 where it does not show.
fn format(prompt: &str, text: &str) -> f64 {
    let asked: HashSet<String> = words(prompt).collect();
    let asks = |names: &[&str]| names.iter().any(|n| asked.contains(*n));
    let wants_code = asks(&["code", "function", "implement", "script", "sql", "regex", "snippet"]);
    let misses_code = wants_code
        && !["```", "fn ", "def ", "function", "select ", "class ", "=> ", "();", "{\n"]
            .iter()
            .any(|m| text.to_lowercase().contains(m));
    let misses_json = asks(&["json"]) && !text.contains('{') && !text.contains('[');
    let is_item = |line: &str| line.trim_start().starts_with(|c: char| matches!(c, '-' | '*' | '•' | '1'..='9'));
    let misses_list = asks(&["list", "bullet", "bullets", "steps"]) && !text.lines().any(is_item);
    if misses_code || misses_json || misses_list { 0.6 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROMPT: &str = "Explain how photosynthesis converts sunlight into chemical energy";
    const GOOD: &str = "Photosynthesis is how plants convert the energy of sunlight into chemical bonds: chlorophyll absorbs light, water is split, and carbon dioxide becomes sugar.";

    fn overall(prompt: &str, text: &str) -> f64 {
        score(prompt, text, 32).overall
    }

    #[test]
    fn worse_texts_score_lower() {
        let good = overall(PROMPT, GOOD);
        let rows = [
            (
                "off the subject",
                "The stock market closed higher today after a week of heavy losses among banks and insurers across the continent.",
            ),
            (
                "in circles",
                "Photosynthesis converts sunlight. Photosynthesis converts sunlight. Photosynthesis converts sunlight. Photosynthesis converts sunlight.",
            ),
            (
                "a refusal",
                "I’m sorry, but I can't help with photosynthesis, sunlight or chemical energy of any kind, however it converts.",
            ),
            ("next to nothing", "Sunlight."),
            ("blank", " \n"),
        ];
        for (what, text) in rows {
            assert!(overall(PROMPT, text) < good, "{what}");
        }
        assert!(overall(PROMPT, " ").abs() < f64::EPSILON);
    }

    #[test]
    fn a_format_that_was_asked_for_must_show() {
        let with = "```python\ndef reverse(text):\n    return text[::-1]\n```";
        let without = "To reverse a text in Python you would walk it from its end to its start.";
        let prompt = "Write a Python function to reverse a text";
        assert!(score(prompt, with, 16).coverage > score(prompt, without, 16).coverage);
        assert!(
            score("Return the data as JSON", "{\"a\": 1}", 1).coverage
                > score("Return the data as JSON", "a is 1", 1).coverage
        );
    }

    proptest! {
        #[test]
        fn scores_are_always_scores(prompt in ".{0,200}", text in ".{0,400}", target in any::<u32>()) {
            let s = score(&prompt, &text, target);
            for value in [s.relevance, s.coverage, s.faithfulness, s.hallucination_risk, s.overall] {
                prop_assert!((0.0..=1.0).contains(&value));
            }
            prop_assert_eq!(s, score(&prompt, &text, target));
        }
    }
}
