//! What slopes are drawn towards, and how hard: Θ₀ on the slopes and the precision of slopes in multiples of Λ.
//! Both belong to the prior, and come from a pool's reading of its arms (`shrinkage.rs`); here is what a regression
//! does under them, and what it contributes to that reading. The intercept's prior is never touched.
//!
//! ```text
//! Λₛ = Λ but s·λᵢ on slopes        A = Λₛ + D        B = ΛₛΘ₀ + Σ w x tᵀ        M = S₀ + Θ₀ᵀΛₛΘ₀ + Σ w t tᵀ
//! within: D − z zᵀ/n, Σ w x t − z·(Σ w t)/n        z = Σ w x, the first column of D: what slopes alone explain
//! log p(t | s, Θ₀, σ²) = −½ log |I + Λₛ⁻¹D| − (M − S₀ − BᵀA⁻¹B)/2σ² + what depends on neither s nor Θ₀
//! ```

use super::super::factor::Factor;
use super::super::kernels::{axpy, packed_len, rank_one};
use super::{Prior, Regression, Scratch};

/// What of Λ the precision of the pool's slopes is: what an arm has in common with others is seen by all of them.
const OF_POOL: f64 = 1.0 / 3.0;
/// Data weight below which an arm says nothing about slopes.
const LEAST: f64 = 0.5;

/// What observations say within arms, summed over arms: of slopes and no level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Within {
    /// Σ D − z zᵀ/n, packed.
    design: Vec<f64>,
    /// Σ (Σ w x t − z·(Σ w t)/n): columns of `d`.
    sums: Vec<f64>,
    z: Vec<f64>,
    column: Vec<f64>,
}

/// How one response is explained under a prior.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Fit {
    /// M − S₀ − BᵀA⁻¹B.
    pub squares: f64,
    /// log |I + Λₛ⁻¹D|: what of the prior's room the data took up.
    pub occupied: f64,
    /// Weight of the observations.
    pub n: f64,
}

impl Within {
    /// Nothing yet, of `columns` responses.
    pub(crate) fn clear(&mut self, d: usize, columns: usize) {
        for (values, len) in [(&mut self.design, packed_len(d)), (&mut self.sums, d * columns)] {
            values.clear();
            values.resize(len, 0.0);
        }
    }

    /// The slopes that explain most, under `OF_POOL` of Λ: written over the slopes of `means`, columns of `d`.
    pub(crate) fn slopes(&self, prior: &Prior, factor: &mut Factor, means: &mut [f64]) {
        let d = prior.lambda.len();
        means.fill(0.0);
        // Other dimensions are out of it: their rows and columns are those of a diagonal.
        let fill = |a: &mut [f64]| {
            a.copy_from_slice(&self.design);
            for i in 0..d {
                for j in (0..=i).filter(|j| !(prior.common[i] && prior.common[*j])) {
                    a[packed_len(i) + j] = 0.0;
                }
                a[packed_len(i) + i] += OF_POOL * prior.lambda[i];
            }
        };
        if self.sums.iter().any(|sum| *sum != 0.0) && factor.of(d, fill) {
            for (mean, sum) in means.chunks_exact_mut(d).zip(self.sums.chunks_exact(d)) {
                factor.solve(sum, mean);
                mean.iter_mut().zip(&prior.common).filter(|(_, common)| !**common).for_each(|(mean, _)| *mean = 0.0);
            }
        }
    }
}

impl Regression {
    /// Draws slopes towards `slopes` (`m` columns of `d`; none: 0) with `strength` times the precision of Λ.
    pub(crate) fn draw_slopes(&mut self, prior: &Prior, strength: f64, slopes: &[f64], scratch: &mut Scratch) {
        self.strength = strength;
        self.prior_slopes.clear();
        self.prior_slopes.extend_from_slice(slopes);
        self.refresh(prior, scratch);
    }

    /// Adds what the responses `columns` say within this arm to the columns of `within`.
    pub(crate) fn add_within(&self, prior: &Prior, step: u64, columns: std::ops::Range<usize>, within: &mut Within) {
        let (d, kept) = (self.d, self.kept(prior, step));
        let Within { design, sums, z, column } = within;
        let base = self.base.as_deref();
        let believed = |at: usize| base.map_or(0.0, |base| base.data[at]);
        z.clear();
        z.extend((0..d).map(|i| kept * self.data[packed_len(i)] + believed(packed_len(i))));
        let n = z[0];
        if n < LEAST {
            return;
        }
        axpy(design, kept, &self.data);
        if let Some(base) = base {
            axpy(design, 1.0, &base.data);
        }
        rank_one(design, -1.0 / n, z);
        for (c, sum) in columns.zip(sums.chunks_exact_mut(d)) {
            self.write_sums(kept, c, column);
            axpy(sum, -column[0] / n, z);
            axpy(sum, 1.0, column);
        }
    }

    /// How response `c` is explained where its slopes are drawn towards `slopes` (`d` values) that hard.
    pub(crate) fn fit(
        &self,
        prior: &Prior,
        step: u64,
        c: usize,
        (strength, slopes): (f64, &[f64]),
        (factor, b): (&mut Factor, &mut Vec<f64>),
    ) -> Fit {
        let (d, kept) = (self.d, self.kept(prior, step));
        let n = self.weight(prior, step) + self.believed_n();
        if n < LEAST {
            return Fit::default();
        }
        self.write_sums(kept, c, b);
        let at = packed_len(c) + c;
        let mut squares = kept * self.moments[at] + self.base.as_ref().map_or(0.0, |base| base.moments[at]);
        let mut room = 0.0;
        for i in 0..d {
            let (precision, mean) =
                (Self::precision(prior, strength, i), if i == 0 { self.prior_mean[c] } else { slopes[i] });
            b[i] += precision * mean;
            squares += precision * mean * mean;
            room += precision.ln();
        }
        let found = factor.determine(d, |a| self.write_precision(prior, kept, strength, a), b);
        found.map_or_else(Fit::default, |(log, form)| Fit {
            squares: (squares - form).max(0.0),
            occupied: log - room,
            n,
        })
    }

    /// Λₛ at the place `i` of its diagonal.
    pub(super) fn precision(prior: &Prior, strength: f64, i: usize) -> f64 {
        if prior.common[i] { strength * prior.lambda[i] } else { prior.lambda[i] }
    }

    /// Writes A, packed, where `kept` of the data is counted.
    pub(super) fn write_precision(&self, prior: &Prior, kept: f64, strength: f64, a: &mut [f64]) {
        for (value, data) in a.iter_mut().zip(&self.data) {
            *value = kept * data;
        }
        if let Some(base) = &self.base {
            axpy(a, 1.0, &base.data);
        }
        for i in 0..self.d {
            a[packed_len(i) + i] += Self::precision(prior, strength, i);
        }
    }

    /// Adds `ΛₛΘ₀` to `b`: `m` columns of `d`.
    pub(super) fn add_expected(&self, prior: &Prior, b: &mut [f64]) {
        for (c, column) in b.chunks_exact_mut(self.d).enumerate() {
            column[0] += prior.lambda[0] * self.prior_mean[c];
            for (i, slope) in self.slopes_of(c..c + 1).iter().enumerate().skip(1) {
                column[i] += Self::precision(prior, self.strength, i) * slope;
            }
        }
    }

    /// `Θ₀ᵀΛₛΘ₀` of the responses `a` and `b`.
    pub(super) fn expected_squares(&self, prior: &Prior, a: usize, b: usize) -> f64 {
        let slopes = self.slopes_of(a..a + 1).iter().zip(self.slopes_of(b..b + 1)).enumerate().skip(1);
        let of_slopes: f64 = slopes.map(|(i, (a, b))| Self::precision(prior, self.strength, i) * a * b).sum();
        prior.lambda[0] * self.prior_mean[a] * self.prior_mean[b] + of_slopes
    }

    /// Θ₀ on the slopes of some responses; empty where it is 0.
    pub(super) fn slopes_of(&self, columns: std::ops::Range<usize>) -> &[f64] {
        self.prior_slopes.get(columns.start * self.d..columns.end * self.d).unwrap_or_default()
    }

    pub(super) fn slopes_are_sound(&self) -> bool {
        let fits = self.prior_slopes.is_empty() || self.prior_slopes.len() == self.d * self.m;
        fits && self.prior_slopes.iter().all(|v| v.is_finite()) && self.strength.is_normal() && self.strength > 0.0
    }

    /// The bits of the prior where it is not Λ and 0 on slopes, in a fixed order.
    pub(super) fn slope_bits(&self) -> impl Iterator<Item = u64> + '_ {
        let strength = (self.strength.to_bits() != 1.0_f64.to_bits()).then_some(self.strength);
        strength.into_iter().chain(self.prior_slopes.iter().copied()).map(f64::to_bits)
    }

    /// What the data parts are to be multiplied by at `step`.
    fn kept(&self, prior: &Prior, step: u64) -> f64 {
        self.factor * super::discount(prior.forgetting, step.saturating_sub(self.as_of))
    }

    /// Σ w x t of response `c`, over the data and what is believed.
    fn write_sums(&self, kept: f64, c: usize, out: &mut Vec<f64>) {
        let columns = c * self.d..(c + 1) * self.d;
        out.clear();
        out.extend(self.sums[columns.clone()].iter().map(|sum| kept * sum));
        if let Some(base) = &self.base {
            axpy(out, 1.0, &base.sums[columns]);
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, DVector};

    use super::*;

    const D: usize = 4;

    fn prior(forgetting: f64) -> Prior {
        Prior {
            lambda: vec![0.1, 30.0, 10.0, 3.0],
            common: vec![false, true, true, false],
            noise_sum: 1.5,
            noise_n: 10.0,
            forgetting,
            window: None,
        }
    }

    fn rows(seed: u64, n: usize) -> Vec<([f64; D], [f64; 2])> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..n).map(|_| ([1.0, rng.f64(), rng.f64() - 0.5, rng.f64()], [rng.f64(), rng.f64()])).collect()
    }

    fn learned(prior: &Prior, rows: &[([f64; D], [f64; 2])]) -> Regression {
        let mut regression = Regression::new(prior, &[0.6, 0.2], 0);
        for (step, (x, t)) in rows.iter().enumerate() {
            regression.observe(prior, step as u64 + 1, x, t, &mut Scratch::default());
        }
        regression
    }

    fn design(rows: &[([f64; D], [f64; 2])], c: usize) -> (DMatrix<f64>, DVector<f64>) {
        (
            DMatrix::from_fn(rows.len(), D, |i, j| rows[i].0[j]),
            DVector::from_iterator(rows.len(), rows.iter().map(|(_, t)| t[c])),
        )
    }

    fn lambda(prior: &Prior, strength: f64) -> DMatrix<f64> {
        DMatrix::from_fn(D, D, |i, j| if i == j { Regression::precision(prior, strength, i) } else { 0.0 })
    }

    /// Against a ridge towards Θ₀, from the rows themselves; before and after further observations.
    #[test]
    fn drawn_slopes_are_a_ridge_towards_them() {
        let (prior, rows) = (prior(1.0), rows(1, 60));
        let slopes = [[0.0, 0.4, -0.3, 0.0], [0.0, -0.2, 0.1, 0.0]];
        let mut regression = learned(&prior, &rows[..40]);
        regression.draw_slopes(&prior, 7.0, slopes.as_flattened(), &mut Scratch::default());
        for (x, t) in &rows[40..] {
            regression.observe(&prior, 60, x, t, &mut Scratch::default());
        }
        let centre = [[0.6, 0.4, -0.3, 0.0], [0.2, -0.2, 0.1, 0.0]];
        let precision = lambda(&prior, 7.0);
        let mut residuals = Vec::new();
        for (c, centre) in centre.iter().enumerate() {
            let ((x, t), centre) = (design(&rows, c), DVector::from_row_slice(centre));
            let a = &precision + x.transpose() * &x;
            let theta = a.cholesky().unwrap().solve(&(&precision * &centre + x.transpose() * &t));
            for (found, expected) in regression.theta(c).iter().zip(theta.iter()) {
                assert!((found - expected).abs() < 1e-10, "{found} {expected}");
            }
            let (off, away) = (&t - &x * &theta, &theta - centre);
            residuals.push(1.5 + off.dot(&off) + away.dot(&(&precision * &away)));
        }
        for (c, expected) in residuals.into_iter().enumerate() {
            assert!((regression.residual[packed_len(c) + c] - expected).abs() < 1e-9);
        }
    }

    /// Against the density of the rows' responses, as one normal of as many dimensions as there are rows.
    #[test]
    fn a_fit_is_the_marginal_likelihood_of_the_rows() {
        let (prior, rows) = (prior(1.0), rows(2, 25));
        let regression = learned(&prior, &rows);
        let slopes = [0.0, 0.5, -0.2, 0.0];
        let (x, t) = design(&rows, 0);
        let centre = &x * DVector::from_row_slice(&[0.6, 0.5, -0.2, 0.0]);
        for (strength, variance) in [(1.0, 0.2), (30.0, 0.05), (300.0, 0.2)] {
            let covariance =
                DMatrix::identity(25, 25) + &x * lambda(&prior, strength).try_inverse().unwrap() * x.transpose();
            let factor = covariance.cholesky().unwrap();
            let off = &t - &centre;
            let expected = 2.0 * factor.l().diagonal().map(f64::ln).sum() + off.dot(&factor.solve(&off)) / variance;
            let mut buffers = (Factor::default(), Vec::new());
            let fit = regression.fit(&prior, 25, 0, (strength, &slopes), (&mut buffers.0, &mut buffers.1));
            assert!((fit.occupied + fit.squares / variance - expected).abs() < 1e-9, "{fit:?} {expected}");
            assert!((fit.n - 25.0).abs() < 1e-12);
        }
    }

    /// Against a ridge on what is left of contexts and responses when each arm's own means are taken off.
    #[test]
    fn common_slopes_are_those_within_arms() {
        let prior = prior(1.0);
        let arms = [rows(3, 30), rows(4, 50), rows(5, 1)];
        let mut within = Within::default();
        within.clear(D, 2);
        let mut design_sum = DMatrix::from_diagonal(&(DVector::from_row_slice(&[30.0, 10.0]) / 3.0));
        let mut sums = [DVector::zeros(2), DVector::zeros(2)];
        for rows in &arms {
            learned(&prior, rows).add_within(&prior, rows.len() as u64, 0..2, &mut within);
            for (c, sum) in sums.iter_mut().enumerate() {
                let (x, t) = design(rows, c);
                let x = x.columns(1, 2).into_owned();
                let x = DMatrix::from_fn(x.nrows(), 2, |i, j| x[(i, j)] - x.column(j).mean());
                *sum += x.transpose() * t.add_scalar(-t.mean());
                if c == 0 {
                    design_sum += x.transpose() * x;
                }
            }
        }
        let mut means = vec![f64::NAN; 2 * D];
        within.slopes(&prior, &mut Factor::default(), &mut means);
        let factor = design_sum.cholesky().unwrap();
        for (found, sums) in means.chunks(D).zip(&sums) {
            let expected = factor.solve(sums);
            assert!((found[1] - expected[0]).abs() < 1e-10 && (found[2] - expected[1]).abs() < 1e-10, "{found:?}");
            assert!(found[0] == 0.0 && found[3] == 0.0, "other dimensions have nothing in common");
        }
    }
}
