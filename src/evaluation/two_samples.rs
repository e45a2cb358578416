//! Two groups of runs that were drawn at random from the same stream: how far apart their means are, and how
//! sure one can be of it. Under the null hypothesis the labels say nothing, so the p-value is the share of
//! relabellings whose means are at least as far apart (Fisher 1935; Pitman 1937), the one seen among them
//! (Phipson & Smyth 2010). The interval resamples each group by itself (Efron 1979). What is paired is in
//! `statistics.rs`.

use super::statistics::{Interval, mean, pick, quantile, resampled_mean};

/// The two-sided p-value of the difference of two means under random labels, in (0, 1]; 1 where a group is empty.
pub(super) fn relabelled_p(a: &[f64], b: &[f64], draws: usize, draw: &mut dyn FnMut() -> f64) -> f64 {
    let (Some(mean_a), Some(mean_b)) = (mean(a), mean(b)) else { return 1.0 };
    let observed = (mean_a - mean_b).abs();
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    let sum: f64 = all.iter().sum();
    // The smaller group is drawn: fewer draws.
    let few = a.len().min(b.len());
    let many = all.len() - few;
    let mut far = 0;
    for _ in 0..draws {
        let mut few_sum = 0.0;
        for at in 0..few {
            let other = at + pick(all.len() - at, draw);
            all.swap(at, other);
            few_sum += all[at];
        }
        let apart = (few_sum / few as f64 - (sum - few_sum) / many as f64).abs();
        // What differs by rounding alone is as far.
        far += usize::from(apart >= observed * (1.0 - 1e-9) - 1e-12);
    }
    (far + 1) as f64 / (draws + 1) as f64
}

/// The mean of `a` less that of `b` with its 95 % bootstrap interval; `None` where a group is empty.
pub(super) fn difference(a: &[f64], b: &[f64], draws: usize, draw: &mut dyn FnMut() -> f64) -> Option<Interval> {
    let centre = mean(a)? - mean(b)?;
    let mut means: Vec<f64> = (0..draws.max(1)).map(|_| resampled_mean(a, draw) - resampled_mean(b, draw)).collect();
    means.sort_by(f64::total_cmp);
    Some(Interval { mean: centre, lo: quantile(&means, 0.025)?, hi: quantile(&means, 0.975)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniforms(seed: u64) -> impl FnMut() -> f64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        move || rng.f64()
    }

    #[test]
    fn labels_are_permuted() {
        // Of the 6 ways to choose 2 of 4, only the one seen and its mirror are as far apart: 1 of 3.
        let p = relabelled_p(&[0.0, 1.0], &[10.0, 11.0], 20_000, &mut uniforms(3));
        assert!((p - 1.0 / 3.0).abs() < 0.02, "{p}");
        assert!((relabelled_p(&[0.5; 9], &[0.5; 30], 200, &mut uniforms(3)) - 1.0).abs() < 1e-12);
        assert!((relabelled_p(&[], &[1.0], 200, &mut uniforms(3)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_false_alarm_is_as_frequent_as_promised() {
        let mut noise = uniforms(11);
        let mut below = 0;
        for _ in 0..400 {
            let a: Vec<f64> = (0..12).map(|_| noise()).collect();
            let b: Vec<f64> = (0..30).map(|_| noise()).collect();
            below += usize::from(relabelled_p(&a, &b, 199, &mut noise) <= 0.05);
        }
        assert!((8..=36).contains(&below), "about 20 of 400 expected, found {below}");
    }

    #[test]
    fn the_interval_has_the_standard_error_of_both() {
        let a: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        let b: Vec<f64> = (0..50).map(|i| f64::from(i % 5)).collect();
        let found = difference(&a, &b, 2_000, &mut uniforms(3)).unwrap();
        let se = (8.25_f64 / 200.0 + 2.0 / 50.0).sqrt();
        assert!((found.mean - 2.5).abs() < 1e-12);
        assert!(
            (found.hi - found.mean - 1.96 * se).abs() < 0.1 * se
                && (found.mean - found.lo - 1.96 * se).abs() < 0.1 * se
        );
        assert_eq!(difference(&[], &b, 10, &mut uniforms(3)), None);
    }
}
