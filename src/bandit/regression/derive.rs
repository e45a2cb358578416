//! What is derived of a regression's statistics, and how it stays true: it follows each observation in
//! O(d²), is recomputed on a schedule that the log alone determines, and is read with a bound on what it
//! does not know yet.

use super::super::factor::Factor;
use super::super::kernels::{axpy, dot, packed_len, rank_one, scale, symmetric_times};
use super::super::probe::Probe;
use super::{Innovation, Prior, Regression, discount};

/// Observations between two refreshes of the derived part.
const REFRESH_EVERY: u32 = 256;
/// Observations between two residual checks.
const CHECK_EVERY: u32 = 32;
/// The residual ‖A·A⁻¹eᵢ − eᵢ‖∞ above which the derived part is refreshed at once.
const RESIDUAL_LIMIT: f64 = 1e-9;
/// Data weight by which the derived part may lag behind forgetting.
const LAG: f64 = 0.99;

/// Buffers of updates, and nothing that is known: a clone begins with none of its own.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// A⁻¹x, or a column of A⁻¹.
    k: Vec<f64>,
    /// The error of each response, or A times that column.
    e: Vec<f64>,
    /// B.
    b: Vec<f64>,
    factor: Factor,
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Regression {
    /// Recomputes A⁻¹, Θ̂ and R from the statistics.
    pub(crate) fn refresh(&mut self, prior: &Prior, scratch: &mut Scratch) {
        if self.n == 0.0 && self.base.is_none() {
            return self.expect_nothing_new(prior);
        }
        let Scratch { b, factor, .. } = scratch;
        let (d, kept) = (self.d, self.factor);
        if !factor.of(d, |a| self.write_precision(prior, kept, self.strength, a)) {
            return;
        }
        factor.write_inverse(&mut self.inverse);
        b.clear();
        b.extend(self.sums.iter().map(|sum| kept * sum));
        self.add_expected(prior, b);
        if let Some(base) = &self.base {
            axpy(b, 1.0, &base.sums);
        }
        for (theta, b) in self.theta.chunks_exact_mut(d).zip(b.chunks_exact(d)) {
            factor.solve(b, theta);
        }
        for i in 0..self.m {
            for j in 0..=i {
                let believed = self.base.as_ref().map_or(0.0, |base| base.moments[packed_len(i) + j]);
                let start = prior.noise_sum + self.expected_squares(prior, i, j) + believed;
                let explained = dot(&b[i * d..(i + 1) * d], &self.theta[j * d..(j + 1) * d]);
                self.residual[packed_len(i) + j] = start + kept * self.moments[packed_len(i) + j] - explained;
            }
        }
        self.since_refresh = 0;
        self.refreshed_at = self.as_of;
    }

    /// What is derived of no data: the prior itself.
    fn expect_nothing_new(&mut self, prior: &Prior) {
        self.inverse.fill(0.0);
        self.theta.fill(0.0);
        for i in 0..self.d {
            self.inverse[packed_len(i) + i] = 1.0 / Self::precision(prior, self.strength, i);
        }
        for c in 0..self.m {
            let column = c * self.d..(c + 1) * self.d;
            if !self.prior_slopes.is_empty() {
                self.theta[column.clone()].copy_from_slice(&self.prior_slopes[column.clone()]);
            }
            self.theta[column.start] = self.prior_mean[c];
        }
        self.residual.fill(prior.noise_sum);
        self.since_refresh = 0;
        self.refreshed_at = self.as_of;
    }

    /// xᵀA⁻¹x, at most. What is derived is of A as it was when g of the data's weight was not yet forgotten:
    /// Ã = Λ + D̃, and A ≽ gÃ + (1 − g)Λ. With q̃ = xᵀÃ⁻¹x and p = xᵀΛ⁻¹x this bounds the spread by the harmonic
    /// mean 1/(g/q̃ + (1 − g)/p): exact in one dimension, never above the prior's, and growing while an arm
    /// is idle, so that it is tried again.
    pub(crate) fn spread(&self, prior: &Prior, probe: &Probe) -> f64 {
        let q = dot(&self.inverse, probe.outer()).max(0.0);
        let lag = probe.step().saturating_sub(self.refreshed_at);
        if lag == 0 || prior.forgetting >= 1.0 || q <= 0.0 {
            return q;
        }
        let kept = discount(prior.forgetting, lag);
        let most = probe.q_prior(self.strength).max(q);
        q * most / (kept * most + (1.0 - kept) * q)
    }

    /// Sherman–Morrison and recursive least squares: with k = A⁻¹x, q = xᵀk and e = t − Θ̂ᵀx,
    /// A⁻¹ −= kkᵀ/(1+q), Θ̂ += k eᵀ/(1+q), R += e eᵀ/(1+q).
    pub(super) fn follow(&mut self, x: &[f64], t: &[f64], scratch: &mut Scratch) -> Innovation {
        let Scratch { k, e, .. } = scratch;
        k.resize(self.d, 0.0);
        symmetric_times(&self.inverse, x, k);
        let gain = 1.0 / (1.0 + dot(k, x).max(0.0));
        e.clear();
        for (t, column) in t.iter().zip(self.theta.chunks_exact_mut(self.d)) {
            let error = t - dot(column, x);
            axpy(column, error * gain, k);
            e.push(error);
        }
        rank_one(&mut self.residual, gain, e);
        rank_one(&mut self.inverse, -gain, k);
        Innovation { error: e.first().copied().unwrap_or(0.0), gain }
    }

    pub(super) fn is_stale(&self, prior: &Prior, scratch: &mut Scratch) -> bool {
        if self.since_refresh >= REFRESH_EVERY {
            return true;
        }
        if prior.forgetting < 1.0 {
            let lags = discount(prior.forgetting, self.as_of - self.refreshed_at) < LAG;
            return lags && self.since_refresh as usize * 4 >= self.d;
        }
        self.since_refresh.is_multiple_of(CHECK_EVERY) && self.check(prior, scratch) > RESIDUAL_LIMIT
    }

    /// ‖A·(A⁻¹eᵢ) − eᵢ‖∞ for a dimension that changes with every check: unlike the contexts themselves, the
    /// dimensions have a part in the directions that were seen least, where errors grow.
    fn check(&self, prior: &Prior, scratch: &mut Scratch) -> f64 {
        let d = self.d;
        let which = (self.since_refresh / CHECK_EVERY) as usize % d;
        let Scratch { k: column, e: back, b: believed, .. } = scratch;
        column.resize(d, 0.0);
        back.resize(d, 0.0);
        for (j, value) in column.iter_mut().enumerate() {
            *value = self.inverse[packed_len(which.max(j)) + which.min(j)];
        }
        symmetric_times(&self.data, column, back);
        scale(back, self.factor);
        if let Some(base) = &self.base {
            believed.resize(d, 0.0);
            symmetric_times(&base.data, column, &mut believed[..d]);
            axpy(back, 1.0, believed);
        }
        let wanted = |i: usize| f64::from(i == which);
        let left = |i: usize| back[i] + Self::precision(prior, self.strength, i) * column[i] - wanted(i);
        (0..d).map(|i| left(i).abs()).fold(0.0, f64::max)
    }
}
