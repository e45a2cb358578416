//! How sure one can be of a mean, and of a difference between two policies that met the same prompts.
//!
//! Intervals of a mean are Student's. Paired differences get a percentile bootstrap interval (Efron 1979)
//! and a sign-flip permutation test (Fisher 1935): under the null hypothesis the sign of each paired
//! difference is a coin toss, so the p-value is the share of sign patterns whose mean is at least as far
//! from 0 as the one seen. Up to [`EXACT_UP_TO`] pairs every pattern is counted; beyond, `draws` random
//! ones, with the observed one among them (Phipson & Smyth 2010), so that a p-value is never 0. Differences
//! that scatter by prompt and by order get signs of both at once. Several comparisons at once are corrected
//! by Holm (1979).
//!
//! Chance is an argument: uniforms in [0, 1) that the caller seeds.

use serde::Serialize;

use super::student::two_sided_quantile;

/// So many pairs or fewer are permuted exhaustively.
pub const EXACT_UP_TO: usize = 16;

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Lower bound.
    pub lo: f64,
    /// Upper bound.
    pub hi: f64,
}

/// The mean; `None` without values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample's standard deviation (n − 1); 0 for fewer than two values.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    let Some(mean) = mean(values).filter(|_| values.len() > 1) else { return 0.0 };
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The mean with Student's 95 % interval; with one value the interval is that value, for nothing is
/// known of its spread. `None` without values.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let mean = mean(values)?;
    let n = values.len() as f64;
    let half = match values.len() {
        1 => 0.0,
        _ => two_sided_quantile(0.95, n - 1.0) * standard_deviation(values) / n.sqrt(),
    };
    Some(Interval { mean, lo: mean - half, hi: mean + half })
}

/// The value below which a share `q` in [0, 1] of the sorted `values` lies, interpolated; `None` without values.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let low = floor_index(at, last);
    let (a, b) = (*sorted.get(low)?, *sorted.get((low + 1).min(last))?);
    Some(a + (b - a) * (at - low as f64))
}

/// A bootstrap interval (percentile, 95 %) of the mean of paired differences; `draws` resamples.
/// `None` without differences.
pub fn bootstrap_interval(differences: &[f64], draws: usize, draw: &mut dyn FnMut() -> f64) -> Option<Interval> {
    let mean = mean(differences)?;
    let mut means: Vec<f64> = (0..draws.max(1)).map(|_| resampled_mean(differences, draw)).collect();
    means.sort_by(f64::total_cmp);
    Some(Interval { mean, lo: quantile(&means, 0.025)?, hi: quantile(&means, 0.975)? })
}

/// The mean of as many values drawn with replacement; 0 without values.
pub(super) fn resampled_mean(values: &[f64], draw: &mut dyn FnMut() -> f64) -> f64 {
    let sum: f64 = values.iter().map(|_| values[pick(values.len(), draw)]).sum();
    sum / values.len().max(1) as f64
}

/// An index below `n` ≥ 1, uniformly.
pub(super) fn pick(n: usize, draw: &mut dyn FnMut() -> f64) -> usize {
    floor_index(draw() * n as f64, n.saturating_sub(1))
}

/// The whole part of a non-negative number, at most `last`.
fn floor_index(at: f64, last: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
    let index = at.max(0.0) as usize;
    index.min(last)
}

/// The two-sided p-value of the mean of paired differences under random signs, in (0, 1]; 1 without
/// differences, or where all are 0.
pub fn permutation_p(differences: &[f64], draws: usize, draw: &mut dyn FnMut() -> f64) -> f64 {
    let observed: f64 = differences.iter().sum::<f64>().abs();
    if differences.iter().all(|d| *d == 0.0) {
        return 1.0;
    }
    // Patterns that differ from the observed one by rounding only are as far out as it is.
    let reached = |sum: f64| sum.abs() >= observed * (1.0 - 1e-12);
    if differences.len() <= EXACT_UP_TO {
        let patterns = 1u32 << differences.len();
        let far = (0..patterns).filter(|signs| reached(signed_sum(differences, *signs))).count();
        return far as f64 / f64::from(patterns);
    }
    let far = (0..draws).filter(|_| reached(randomly_signed_sum(differences, draw))).count();
    (far + 1) as f64 / (draws + 1) as f64
}

/// The two-sided p-value of the mean of differences that were seen crosswise, on every prompt in every order:
/// `rows` are their means by prompt, `columns` those by order. Under the null hypothesis both scatter around 0, so
/// that both get random signs and their means add up. In (0, 1]; 1 where all rows are 0.
pub fn crossed_permutation_p(rows: &[f64], columns: &[f64], draws: usize, draw: &mut dyn FnMut() -> f64) -> f64 {
    let Some(observed) = mean(rows).filter(|_| rows.iter().any(|d| *d != 0.0)) else { return 1.0 };
    let least = observed.abs() * (1.0 - 1e-12);
    let moved =
        |values: &[f64], draw: &mut dyn FnMut() -> f64| randomly_signed_sum(values, draw) / values.len().max(1) as f64;
    let far = (0..draws).filter(|_| (moved(rows, draw) + moved(columns, draw)).abs() >= least).count();
    (far + 1) as f64 / (draws + 1) as f64
}

fn signed_sum(differences: &[f64], signs: u32) -> f64 {
    differences.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d }).sum()
}

/// One draw gives 32 signs.
fn randomly_signed_sum(differences: &[f64], draw: &mut dyn FnMut() -> f64) -> f64 {
    differences
        .chunks(32)
        .map(|chunk| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^32, at least 0")]
            let signs = (draw() * 4_294_967_296.0) as u32;
            signed_sum(chunk, signs)
        })
        .sum()
}

/// Holm's correction: the p-values as they count when all these comparisons are made at once, in the
/// order given. Never smaller than before, never above 1.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![1.0; p_values.len()];
    let mut floor: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        floor = floor.max((p_values[at] * remaining).min(1.0));
        corrected[at] = floor;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniforms(seed: u64) -> impl FnMut() -> f64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        move || rng.f64()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_mean_has_students_interval() {
        // 1 … 5: mean 3, standard deviation √2.5, t(4) = 2.776445105.
        let interval = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let half = 2.776_445_105_197_793 * (2.5f64 / 5.0).sqrt();
        assert!(close(interval.mean, 3.0) && close(interval.lo, 3.0 - half) && close(interval.hi, 3.0 + half));
        assert_eq!(mean_interval(&[]), None);
        assert_eq!(mean_interval(&[2.0]), Some(Interval { mean: 2.0, lo: 2.0, hi: 2.0 }));
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[1.0], 0.3), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn few_pairs_are_permuted_exactly() {
        // Fisher's sign-flip test on five positive differences: 2 of 32 patterns are as far out.
        assert!(close(permutation_p(&[1.0, 2.0, 3.0, 4.0, 5.0], 0, &mut uniforms(1)), 2.0 / 32.0));
        // Darwin's maize, 15 pairs: the exact p-value of Fisher's is 0.05267.
        let darwin = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        let p = permutation_p(&darwin, 0, &mut uniforms(1));
        assert!((p - 1_726.0 / 32_768.0).abs() < 1e-12, "{p}");
        assert!(close(permutation_p(&[0.0; 40], 100, &mut uniforms(1)), 1.0));
    }

    #[test]
    fn many_pairs_are_permuted_at_random_and_never_reach_zero() {
        let clear = [1.0; 100];
        assert!(close(permutation_p(&clear, 999, &mut uniforms(7)), 1.0 / 1000.0));
        let balanced: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(permutation_p(&balanced, 999, &mut uniforms(7)) > 0.9);
    }

    #[test]
    fn a_false_alarm_is_as_frequent_as_promised() {
        let mut noise = uniforms(11);
        let mut below = 0;
        for _ in 0..400 {
            let differences: Vec<f64> = (0..24).map(|_| noise() - 0.5).collect();
            below += usize::from(permutation_p(&differences, 199, &mut noise) <= 0.05);
        }
        assert!((8..=36).contains(&below), "about 20 of 400 expected, found {below}");
    }

    #[test]
    fn the_bootstrap_finds_the_standard_error() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        let interval = bootstrap_interval(&values, 2_000, &mut uniforms(3)).unwrap();
        let half = 1.96 * standard_deviation(&values) / (200f64).sqrt();
        assert!((interval.hi - interval.mean - half).abs() < 0.1 * half, "{interval:?} against ±{half}");
        let again = bootstrap_interval(&values, 2_000, &mut uniforms(3)).unwrap();
        assert_eq!(interval, again, "the same seed gives the same interval");
    }

    #[test]
    fn holms_correction_steps_down() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!(close(*found, expected), "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
