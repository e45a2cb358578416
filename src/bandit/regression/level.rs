//! Another level: what was observed of one response (and what is believed of it), as if each value had been
//! larger by the same amount. Exact from the sufficient statistics alone, because the intercept is 1 in every
//! context and so D holds Σ w x in its first column:
//!
//! ```text
//! Σ w x (t + s) = B + s·D e₀        Σ w (t + s)(t' ) = M + s·B'e₀        Σ w (t + s)² = M + 2s·Be₀ + s²n
//! ```

use std::sync::Arc;

use super::super::kernels::{packed_len, scale};
use super::{Base, Prior, Regression, Scratch};

impl Regression {
    /// Moves response `c` by `by` wherever it was observed or is believed, and then keeps `factor` of both:
    /// what was true before a change is little worth after it.
    pub(crate) fn shift(&mut self, prior: &Prior, step: u64, c: usize, by: f64, factor: f64) {
        self.forget_until(prior, step);
        let (d, m) = (self.d, self.m);
        let n = self.n / self.factor;
        Parts { data: &self.data, sums: &mut self.sums, moments: &mut self.moments, n }.shift((d, m), c, by);
        for piece in &mut self.pieces {
            let Base { data, sums, moments, n } = &mut Arc::make_mut(piece).parts;
            Parts { data, sums, moments, n: *n }.shift((d, m), c, by);
        }
        self.shrink(factor);
        if let Some(base) = &mut self.base {
            let Base { data, sums, moments, n } = base.as_mut();
            Parts { data, sums, moments, n: *n }.shift((d, m), c, by);
            for values in [data, sums, moments] {
                scale(values, factor);
            }
            base.n *= factor;
        }
        self.refresh(prior, &mut Scratch::default());
    }
}

struct Parts<'a> {
    data: &'a [f64],
    sums: &'a mut [f64],
    moments: &'a mut [f64],
    n: f64,
}

impl Parts<'_> {
    fn shift(self, (d, m): (usize, usize), c: usize, by: f64) {
        for other in 0..m {
            let twice = 1.0 + f64::from(other == c);
            self.moments[packed_len(c.max(other)) + c.min(other)] += twice * by * self.sums[other * d];
        }
        self.moments[packed_len(c) + c] += by * by * self.n;
        for j in 0..d {
            self.sums[c * d + j] += by * self.data[packed_len(j)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_what_was_observed_equals_observing_it_moved() {
        let prior = Prior {
            lambda: vec![1.0, 3.0, 3.0],
            common: vec![false; 3],
            noise_sum: 1.5,
            noise_n: 10.0,
            forgetting: 0.99,
            window: None,
        };
        let mut rng = fastrand::Rng::with_seed(4);
        let rows: Vec<([f64; 3], [f64; 2])> =
            (0..50).map(|_| ([1.0, rng.f64(), rng.f64()], [rng.f64(), rng.f64()])).collect();
        let learned = |by: f64| {
            let mut regression = Regression::new(&prior, &[0.5, 0.5], 0);
            for (step, (x, [first, second])) in rows.iter().enumerate() {
                regression.observe(&prior, step as u64, x, &[*first, second + by], &mut Scratch::default());
            }
            regression
        };
        let mut moved = learned(0.0);
        moved.shift(&prior, 49, 1, -0.3, 1.0);
        let mut otherwise = learned(-0.3);
        otherwise.refresh(&prior, &mut Scratch::default());
        for (a, b) in moved.theta.iter().zip(&otherwise.theta).chain(moved.residual.iter().zip(&otherwise.residual)) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}
