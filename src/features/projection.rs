//! A fixed random projection: every input has a sign for each output, taken from the bits of a hash of its
//! index (Achlioptas 2003). Nothing is stored, so that the width of an embedding does not matter, and the
//! signs of an output do not depend on how many outputs there are.

/// Outputs at most: the bits of half a hash.
pub(super) const MOST_SLOTS: usize = 32;
/// Decides the signs; part of the schema's version.
pub(super) const SEED: u64 = 0x5eed_ba4d_1707_0001;

/// `values` (index, value) projected to `slots` numbers, at most 32.
pub(super) fn project(values: impl Iterator<Item = (u64, f64)>, slots: usize) -> Vec<f64> {
    let mut out = vec![0.0; slots.min(MOST_SLOTS)];
    for (index, value) in values {
        let signs = mixed(SEED ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (slot, sum) in out.iter_mut().enumerate() {
            *sum += if signs >> slot & 1 == 0 { value } else { -value };
        }
    }
    out
}

/// An embedding of length 1 projected to `slots` numbers; zeros for an embedding of zeros.
#[must_use]
pub fn project_embedding(embedding: &[f32], slots: usize) -> Vec<f64> {
    let norm = embedding.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let scale = if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 };
    project((0_u64..).zip(embedding).map(|(index, value)| (index, f64::from(*value) * scale)), slots)
}

/// All bits of `z` mixed into each (`SplitMix64`, Steele et al. 2014).
pub(super) const fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_survive_and_fewer_slots_are_a_prefix() {
        let unit = |n: usize| (0..512).map(|i| f32::from(u8::from(i == n))).collect::<Vec<f32>>();
        let (a, b) = (project_embedding(&unit(3), 32), project_embedding(&unit(400), 32));
        assert_eq!(project_embedding(&unit(3), 16), a[..16]);
        let square: f64 = a.iter().map(|v| v * v).sum();
        let dot: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((square - 32.0).abs() < 1e-9 && dot.abs() < 16.0, "{square} {dot}");
        assert!(project_embedding(&[0.0; 8], 16).iter().all(|v| *v == 0.0));
    }
}
