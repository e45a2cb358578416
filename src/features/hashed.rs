//! The built-in encoder: a text as hashed pieces, without a model and without a network.
//!
//! Pieces are the character n-grams of 3 to 5 within words (borders marked) and the words themselves. Each is
//! hashed, with its count c weighing 1 + ln c (sublinear), and the whole is scaled to length 1 (the hashing
//! trick, Weinberger et al. 2009, in a space wide enough that no two pieces meet). A fixed random projection
//! makes slots of it, which are z-scored with statistics that ship here. Texts that share words point in
//! similar directions; nothing more is claimed.

use std::collections::HashMap;

use super::projection::{MOST_SLOTS, mixed, project};
use super::scale::{MEAN, SD};
use crate::domain::context::Normaliser;

/// Part of the schema's version: raised whenever the same text may get other numbers.
pub(super) const ENCODER_VERSION: u32 = 1;
/// Characters of a word whose pieces are taken.
const LONGEST_WORD: usize = 40;

/// The projected text, before scaling: `slots` numbers, zeros for a text without letters.
pub(super) fn encode(text: &str, slots: usize) -> Vec<f64> {
    let mut counts: HashMap<u64, f64> = HashMap::new();
    words_of(text, |word| {
        *counts.entry(digest(word)).or_default() += 1.0;
        for size in 3..=5 {
            for gram in word.windows(size).filter(|gram| gram.len() < word.len()) {
                *counts.entry(digest(gram)).or_default() += 1.0;
            }
        }
    });
    let mut pieces: Vec<(u64, f64)> = counts.into_iter().map(|(piece, count)| (piece, 1.0 + count.ln())).collect();
    // Sums in a fixed order: the same bits every time.
    pieces.sort_unstable_by_key(|(piece, _)| *piece);
    let norm = pieces.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
    project(pieces.into_iter().map(|(piece, weight)| (piece, weight / norm)), slots)
}

/// Every word of a text, lower case, between marks of its borders.
pub(super) fn words_of(text: &str, mut visit: impl FnMut(&[char])) {
    let lower = text.to_lowercase();
    let mut marked: Vec<char> = Vec::new();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        marked.clear();
        marked.extend(std::iter::once('<').chain(word.chars().take(LONGEST_WORD)).chain(['>']));
        visit(&marked);
    }
}

/// The slots of `text`, z-scored.
pub(super) fn slots(text: &str, slots: usize) -> Vec<f64> {
    let projected = encode(text, slots);
    if projected.iter().all(|value| *value == 0.0) {
        return projected;
    }
    shipped(slots).apply(&projected)
}

/// The statistics that ship with the encoder, made from the prompts of this project: see the tests.
fn shipped(slots: usize) -> Normaliser {
    let slots = slots.min(MOST_SLOTS);
    let part = |all: &[f64; MOST_SLOTS]| all[..slots].to_vec();
    Normaliser { feature_version: String::new(), inputs: 0, prompts: 0, mean: part(&MEAN), sd: part(&SD) }
}

pub(super) fn digest(gram: &[char]) -> u64 {
    gram.iter().fold(0xcbf2_9ce4_8422_2325, |hash, c| mixed((hash ^ u64::from(*c)).wrapping_mul(0x0100_0000_01b3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corpus: the prompts of the suite and of the labelled set, each once.
    fn corpus() -> Vec<String> {
        let suite: toml::Table = toml::from_str(include_str!("../../assets/prompts.toml")).unwrap();
        let texts = suite["prompts"].as_array().unwrap().iter().map(|p| p["prompt"].as_str().unwrap().to_owned());
        let labelled = include_str!("../../tests/fixtures/intents.txt").lines().filter(|line| !line.starts_with('#'));
        let labelled = labelled.map(|line| line.splitn(4, '|').nth(3).unwrap().replace("\\n", "\n"));
        texts.chain(labelled).collect()
    }

    fn statistics() -> (Vec<f64>, Vec<f64>) {
        let all: Vec<Vec<f64>> = corpus().iter().map(|text| encode(text, MOST_SLOTS)).collect();
        let n = all.len() as f64;
        let mean: Vec<f64> = (0..MOST_SLOTS).map(|i| all.iter().map(|x| x[i]).sum::<f64>() / n).collect();
        let variance = |i: usize| all.iter().map(|x| (x[i] - mean[i]).powi(2)).sum::<f64>() / n;
        let sd = (0..MOST_SLOTS).map(|i| variance(i).sqrt()).collect();
        (mean, sd)
    }

    #[test]
    #[ignore = "prints the statistics that ship"]
    fn print_statistics() {
        let (mean, sd) = statistics();
        println!("MEAN {mean:.4?}\nSD {sd:.4?}");
    }

    #[test]
    fn the_statistics_that_ship_are_those_of_the_corpus() {
        let (mean, sd) = statistics();
        for i in 0..MOST_SLOTS {
            assert!((mean[i] - MEAN[i]).abs() < 0.1 && (sd[i] / SD[i] - 1.0).abs() < 0.1, "{i}: {} {}", mean[i], sd[i]);
        }
    }

    #[test]
    fn related_texts_are_closer() {
        let of = |text| slots(text, 32);
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let list = of("sort a list of numbers");
        let near = distance(&list, &of("sorting lists of numbers quickly"));
        let far = distance(&list, &of("a farewell letter for our dear colleague"));
        assert!(near < 0.8 * far, "{near} {far}");
        assert_eq!(of("…"), [0.0; 32]);
        assert_eq!(slots("sort a list of numbers", 16), list[..16]);
    }
}
