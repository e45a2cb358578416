//! A deterministic embedding without a model: character n-grams of 3 to 5 within words, hashed with a sign
//! into a vector that is then scaled to length 1 (the "hashing trick", Weinberger et al. 2009). Texts that
//! share words point in similar directions; nothing more is claimed.

use super::draw::hash;

/// Dimensions where the caller asks for none.
pub(super) const DEFAULT_DIMENSIONS: usize = 256;
/// The most that is given.
pub(super) const MAX_DIMENSIONS: usize = 3072;

/// The embedding of `text`: `dimensions` values of Euclidean length 1; the zero vector for a text without letters.
pub(super) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let lower = text.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let padded: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
        for size in 3..=5 {
            for gram in padded.windows(size.min(padded.len())) {
                add(&mut vector, gram);
            }
        }
    }
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        for value in &mut vector {
            *value /= norm;
        }
    }
    vector
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
fn add(vector: &mut [f32], gram: &[char]) {
    let text: String = gram.iter().collect();
    let digest = hash(&[b"gram", text.as_bytes()]);
    let slot = (digest % vector.len() as u64) as usize;
    vector[slot] += if digest >> 63 == 0 { 1.0 } else { -1.0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        embed(a, 256).iter().zip(embed(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn related_texts_are_closer_and_vectors_have_length_one() {
        let near = cosine("sort a list of numbers", "sorting lists of numbers quickly");
        let far = cosine("sort a list of numbers", "a farewell letter for our colleague");
        assert!(near > far + 0.2, "{near} {far}");
        assert!((cosine("hello", "hello") - 1.0).abs() < 1e-5);
        assert!(embed("…", 16).iter().all(|v| *v == 0.0));
    }
}
