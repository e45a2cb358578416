//! Quantiles of a moving window: counts in buckets that grow by 2 %, from 1 ms to about 20 minutes.
//! A value can be taken out again, which streaming sketches cannot do; the price is an error of at
//! most 1 % of the value, and 2.8 KB. Without data every quantile is `None`.

/// Growth of one bucket over the one before.
const GROWTH: f64 = 1.02;
/// `ln(1.2e6) / ln(1.02)`, rounded up: 1 ms to 20 minutes.
const BUCKETS: usize = 708;

/// Counts of milliseconds by bucket.
#[derive(Clone, Debug)]
pub(super) struct Quantiles {
    counts: Box<[u32]>,
    total: u64,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0 }
    }
}

impl Quantiles {
    /// Counts one value.
    pub(super) fn add(&mut self, millis: u32) {
        self.counts[bucket(millis)] += 1;
        self.total += 1;
    }

    /// Takes out a value that was counted before.
    pub(super) fn take(&mut self, millis: u32) {
        let count = &mut self.counts[bucket(millis)];
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
    }

    /// Seconds below which the fraction `q` of the values lies.
    pub(super) fn seconds(&self, q: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let wanted = (q * self.total as f64).ceil().max(1.0);
        let mut seen = 0.0;
        let at = self.counts.iter().position(|count| {
            seen += f64::from(*count);
            seen >= wanted
        });
        at.map(middle)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm of at least 1 is not negative"
)]
fn bucket(millis: u32) -> usize {
    let steps = f64::from(millis.max(1)).ln() / GROWTH.ln();
    (steps as usize).min(BUCKETS - 1)
}

/// The geometric middle of a bucket, in seconds.
fn middle(bucket: usize) -> f64 {
    GROWTH.powf(bucket as f64 + 0.5) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_percent_and_forget_exactly() {
        let mut window = Quantiles::default();
        assert_eq!(window.seconds(0.5), None);
        for millis in 1..=10_000 {
            window.add(millis);
        }
        for (q, exact) in [(0.5, 5.0), (0.95, 9.5), (0.99, 9.9)] {
            let found = window.seconds(q).unwrap();
            assert!((found - exact).abs() / exact < 0.011, "{q}: {found}");
        }
        for millis in 2..=10_000 {
            window.take(millis);
        }
        assert!(window.seconds(0.99).unwrap() < 0.0011);
        window.take(1);
        assert_eq!(window.seconds(0.5), None);
    }

    #[test]
    fn values_out_of_range_are_held_in_the_outer_buckets() {
        let mut window = Quantiles::default();
        window.add(0);
        window.add(u32::MAX);
        assert!(window.seconds(0.01).unwrap() < 0.0011);
        assert!(window.seconds(1.0).unwrap() > 1_000.0);
    }
}
