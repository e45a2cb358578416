//! Where a prompt points, for telling prompts that are nearly the same from all others: a count sketch
//! (Charikar et al. 2002) of [`WIDTH`] numbers and length 1, whose dot products are those of what was
//! sketched, to about 1/√WIDTH where the two are unlike and far closer where they are alike.
//!
//! Two kinds: of an embedding, and of a text without one, from its words, the pieces of its words and its
//! pairs of neighbouring words, so that the order of words counts. Small words that turn a question round, and
//! single words of long texts, are no matter of direction at all: see `wording.rs`. A context is not made of
//! this either: see `embedding.rs`.

use std::collections::HashMap;

use super::hashed::{digest, words_of};
use super::projection::mixed;

/// Numbers of a direction.
const WIDTH: usize = 128;
/// Decides places and signs: a change makes every kept direction another.
const SEED: u64 = 0x5eed_cac4_e000_0001;

/// The direction of an embedding; zeros for one of zeros or without finite numbers.
#[must_use]
pub fn embedding_direction(embedding: &[f32]) -> Vec<f32> {
    sketch((0_u64..).zip(embedding).map(|(index, value)| (index, f64::from(*value))))
}

/// The direction of a text, of which no more than an excerpt should be given; zeros without letters.
#[must_use]
pub fn text_direction(text: &str) -> Vec<f32> {
    let mut counts: HashMap<u64, f64> = HashMap::new();
    let mut before: Option<u64> = None;
    words_of(text, |word| {
        let whole = digest(word);
        *counts.entry(whole).or_default() += 1.0;
        for gram in word.windows(4).filter(|gram| gram.len() < word.len()) {
            *counts.entry(digest(gram)).or_default() += 1.0;
        }
        if let Some(before) = before {
            *counts.entry(mixed(before).wrapping_add(whole)).or_default() += 1.0;
        }
        before = Some(whole);
    });
    let mut pieces: Vec<(u64, f64)> = counts.into_iter().map(|(piece, count)| (piece, 1.0 + count.ln())).collect();
    // Sums in a fixed order: the same bits every time.
    pieces.sort_unstable_by_key(|(piece, _)| *piece);
    sketch(pieces.into_iter())
}

fn sketch(values: impl Iterator<Item = (u64, f64)>) -> Vec<f32> {
    let mut sums = [0.0_f64; WIDTH];
    for (index, value) in values {
        let hash = mixed(SEED ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // WIDTH is a power of two: the lowest bits are the place, another one the sign.
        let place = usize::try_from(hash % WIDTH as u64).unwrap_or_default();
        sums[place] += if hash >> 63 == 0 { value } else { -value };
    }
    let norm = sums.iter().map(|v| v * v).sum::<f64>().sqrt();
    let scale = if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "numbers in [-1, 1], kept short")]
    sums.iter().map(|v| if scale > 0.0 { (v * scale) as f32 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cache::cosine;

    fn likeness(a: &str, b: &str) -> f64 {
        cosine(&text_direction(a), &text_direction(b)).unwrap()
    }

    #[test]
    fn the_same_prompt_in_other_clothes_is_alike_and_another_one_is_not() {
        let prompt = "Explain how a hash map works, and when I should prefer a tree.";
        assert!(likeness(prompt, "explain how a hash map works and when I should prefer a tree") > 0.999);
        assert!(likeness(prompt, "Explain how a hash map works and when I should prefer a list.") < 0.97);
        assert!(likeness("the dog bites the man", "the man bites the dog") < 0.97);
        assert!(likeness(prompt, "Write a farewell letter for a dear colleague.") < 0.4);
    }

    #[test]
    fn angles_of_embeddings_survive() {
        let vector = |turn: f64| -> Vec<f32> {
            #[expect(clippy::cast_possible_truncation, reason = "a test's numbers")]
            (0..1536_u32)
                .map(|i| (f64::from(i) * 0.37).sin() + turn * (f64::from(i) * 1.91).cos())
                .map(|value| (value / (768.0 * (1.0 + turn * turn)).sqrt()) as f32)
                .collect()
        };
        for turn in [0.0, 0.1, 0.3, 1.0] {
            let (a, b) = (vector(0.0), vector(turn));
            let (exact, found) =
                (cosine(&a, &b).unwrap(), cosine(&embedding_direction(&a), &embedding_direction(&b)).unwrap());
            assert!((exact - found).abs() < 0.02 + 0.3 * (1.0 - exact), "{turn}: {exact} {found}");
        }
        assert!(embedding_direction(&[f32::NAN, 1.0]).iter().all(|v| *v == 0.0));
        assert!(text_direction("…").iter().all(|v| *v == 0.0));
    }
}
