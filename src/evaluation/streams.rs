//! Where a replay's chance comes from. The caller brings the generator; this file only says which seed
//! belongs to which purpose, so that the same `--seed` gives the same figures wherever it is replayed, and
//! two policies compared on the same shuffle meet the same prompts and the same judge.

/// A generator of uniforms in [0, 1).
pub type Uniforms = Box<dyn FnMut() -> f64>;

/// Makes a generator from a seed.
pub type Generator<'a> = &'a dyn Fn(u64) -> Uniforms;

/// What a stream of uniforms is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The order of the rows of one shuffle.
    Order,
    /// The order of the rows learnt from beforehand.
    WarmOrder,
    /// The policy's own draws.
    Policy,
    /// The noise of the judge.
    Judge,
    /// Resampling and permuting.
    Significance,
    /// Which rows of a log count.
    Acceptance,
}

/// The seed of one stream: `SplitMix64` (Steele et al. 2014) over seed, shuffle and purpose, so that
/// neighbouring seeds have nothing in common.
pub(super) const fn stream_seed(seed: u64, shuffle: u64, purpose: Purpose) -> u64 {
    mix(mix(mix(seed) ^ shuffle) ^ purpose as u64)
}

const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `0..n` in random order (Fisher & Yates).
pub(super) fn shuffled(n: usize, draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, super::statistics::pick(last + 1, draw));
    }
    order
}

/// A draw from N(0, 1) (Box & Muller 1958).
pub(super) fn standard_normal(draw: &mut dyn FnMut() -> f64) -> f64 {
    let radius = (-2.0 * (1.0 - draw()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * draw()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_the_seed_decides() {
        let order = |seed: u64| {
            let mut rng = fastrand::Rng::with_seed(stream_seed(seed, 0, Purpose::Order));
            shuffled(100, &mut || rng.f64())
        };
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        assert_ne!(stream_seed(1, 2, Purpose::Order), stream_seed(2, 1, Purpose::Order));
    }
}
