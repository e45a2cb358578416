//! Bayesian linear regression of several responses on one design, from sufficient statistics alone:
//!
//! ```text
//! A = Λ + D,  D = Σ w x xᵀ      B = ΛΘ₀ + Σ w x tᵀ      M = S₀ + Θ₀ᵀΛΘ₀ + Σ w t tᵀ      n = Σ w
//! Θ̂ = A⁻¹B                      R = M − BᵀA⁻¹B          q(x) = xᵀA⁻¹x
//! ```
//!
//! Only the data parts (D, the sums of B and M, n) are state; they are summed in a fixed order. A *base* of
//! the same parts, where one is given, belongs to the prior: it is added to Λ, ΛΘ₀ and S₀, and never forgotten. A⁻¹, Θ̂
//! and R are *derived*: they follow each observation in O(d²) (Sherman–Morrison, and the recursive least
//! squares that goes with it) and are recomputed from A on a schedule and
//! whenever a residual check fails. Without data Θ̂ = Θ₀ and A⁻¹ = Λ⁻¹. Θ₀ is what is expected without a
//! context on the intercept, and on slopes 0 until a pool says otherwise (`regression/shrink.rs`).
//!
//! Forgetting scales the data parts and never the prior, so nothing winds up. All data parts are kept as
//! they were summed, with one factor that is theirs: to forget is to change that factor, exactly and in
//! O(1). What is derived lags behind it: by 1 % of data weight, or by the observations that d/4 are, where
//! that is more, so that an update's share of that inversion stays of order d². Scoring bounds
//! what the lag and the time since the last observation can hide: see [`Regression::spread`].

mod derive;
mod level;
mod shrink;
mod window;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kernels::{axpy, packed_len, quadratic, rank_one, scale};

pub(crate) use derive::Scratch;
pub(crate) use shrink::{Fit, Within};
use window::Piece;
pub(crate) use window::Window;

/// The factor of the data parts below which it is multiplied out: far from where numbers lose digits.
const SMALLEST_FACTOR: f64 = 1e-60;

/// What every regression of a pool shares: Λ, ν₀ and S₀.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prior {
    /// The diagonal of Λ: `d` values above 0.
    pub lambda: Vec<f64>,
    /// Which dimensions arms have in common: `d` values.
    pub common: Vec<bool>,
    /// S₀ = ν₀σ₀² · 𝟙𝟙ᵀ: under weights that sum to 1 this is the prior of a single response.
    pub noise_sum: f64,
    /// ν₀.
    pub noise_n: f64,
    /// What is kept at every step, in (0, 1].
    pub forgetting: f64,
    /// How far back data reach, where not for ever.
    pub window: Option<Window>,
}

impl Prior {
    /// Whether arms have anything in common.
    pub(crate) fn has_common(&self) -> bool {
        self.common.contains(&true)
    }
}

/// How far one observation was from what had been expected of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Innovation {
    /// The first response less its expectation.
    pub error: f64,
    /// 1/(1 + xᵀA⁻¹x): of the error's variance this much is the arm's own noise.
    pub gain: f64,
}

/// One design, `m` responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Regression {
    d: usize,
    m: usize,
    /// D over `factor`, packed.
    data: Vec<f64>,
    /// Σ w x tᵀ over `factor`: `m` columns of `d`.
    sums: Vec<f64>,
    /// Σ w t tᵀ over `factor`, packed.
    moments: Vec<f64>,
    /// What the three are to be multiplied by.
    #[serde(default = "one")]
    factor: f64,
    /// Σ w.
    n: f64,
    /// The step that the data parts are discounted to.
    as_of: u64,
    /// Θ₀ on the intercept: `m` values.
    prior_mean: Vec<f64>,
    /// Θ₀ on common slopes, and 0 elsewhere: `m` columns of `d`. None: 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prior_slopes: Vec<f64>,
    /// How many times Λ the precision of common slopes is.
    #[serde(default = "one")]
    strength: f64,
    /// A⁻¹, packed.
    inverse: Vec<f64>,
    /// Θ̂: `m` columns of `d`.
    theta: Vec<f64>,
    /// R, packed.
    residual: Vec<f64>,
    /// Observations since the last refresh.
    since_refresh: u32,
    /// The step of the last refresh.
    refreshed_at: u64,
    /// What is believed beside Λ and Θ₀, worth as many observations as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Box<Base>>,
    /// The data parts by the steps they are of, oldest first; none without a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<Arc<Piece>>,
}

/// Sufficient statistics of a part of what is known, laid out like the data parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Base {
    data: Vec<f64>,
    sums: Vec<f64>,
    moments: Vec<f64>,
    n: f64,
}

/// One response as it is believed: Σ w x t (`d` values) and Σ w t².
pub(crate) type Believed<'a> = Option<(&'a [f64], f64)>;

impl Regression {
    /// No data: the prior alone, with `prior_mean` expected of each response.
    pub(crate) fn new(prior: &Prior, prior_mean: &[f64], step: u64) -> Self {
        let (d, m) = (prior.lambda.len(), prior_mean.len());
        let mut fresh = Self {
            d,
            m,
            data: vec![0.0; packed_len(d)],
            sums: vec![0.0; d * m],
            moments: vec![0.0; packed_len(m)],
            factor: 1.0,
            n: 0.0,
            as_of: step,
            prior_mean: prior_mean.to_vec(),
            prior_slopes: Vec::new(),
            strength: 1.0,
            inverse: vec![0.0; packed_len(d)],
            theta: vec![0.0; d * m],
            residual: vec![0.0; packed_len(m)],
            since_refresh: 0,
            refreshed_at: step,
            base: None,
            pieces: Vec::new(),
        };
        fresh.refresh(prior, &mut Scratch::default());
        fresh
    }

    /// Whether its parts have the sizes that `d` and `m` ask for, and are finite.
    pub(crate) fn is_sound(&self, d: usize, m: usize) -> bool {
        let (dd, mm, dm) = (packed_len(d), packed_len(m), d * m);
        let sizes = [self.data.len(), self.inverse.len(), self.moments.len(), self.residual.len()];
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        (self.d, self.m) == (d, m)
            && sizes == [dd, dd, mm, mm]
            && (self.sums.len(), self.theta.len(), self.prior_mean.len()) == (dm, dm, m)
            && [&self.data, &self.inverse, &self.moments, &self.residual, &self.sums, &self.theta, &self.prior_mean]
                .iter()
                .all(|v| finite(v))
            && self.n.is_finite()
            && self.n >= 0.0
            && self.factor.is_normal()
            && self.factor > 0.0
            && self.slopes_are_sound()
            && self.base.as_ref().is_none_or(|base| base.is_sound(d, m))
            && self.pieces_are_sound()
    }

    /// Believes `responses` on the design `data` (packed), worth `n` observations, instead of what was believed
    /// before; a response that nothing is said about is expected as it was. Without `n`, nothing is believed.
    ///
    /// Responses are taken as uncorrelated but for their means.
    pub(crate) fn believe(&mut self, prior: &Prior, data: &[f64], n: f64, responses: &[Believed<'_>]) {
        self.base = (n > 0.0 && responses.iter().any(Option::is_some)).then(|| {
            // The intercept is 1, so D holds Σ w x in its first column.
            let weights: Vec<f64> = (0..self.d).map(|i| data[packed_len(i)]).collect();
            let variance = prior.noise_sum / prior.noise_n.max(1e-9);
            let mut sums = Vec::with_capacity(self.d * self.m);
            let mut squares = Vec::with_capacity(self.m);
            for (c, mean) in self.prior_mean.iter().enumerate() {
                if let Some((believed, square)) = responses.get(c).copied().flatten() {
                    sums.extend_from_slice(believed);
                    squares.push(square);
                } else {
                    sums.extend(weights.iter().map(|w| w * mean));
                    squares.push(n * (mean * mean + variance));
                }
            }
            let mean = |c: usize| sums[c * self.d] / n;
            let moment = |i: usize, j: usize| if i == j { squares[i] } else { n * mean(i) * mean(j) };
            let moments = (0..self.m).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| moment(i, j)).collect();
            Box::new(Base { data: data.to_vec(), moments, sums, n })
        });
        self.refresh(prior, &mut Scratch::default());
    }

    /// Observations that the belief is worth.
    pub(crate) fn believed_n(&self) -> f64 {
        self.base.as_ref().map_or(0.0, |base| base.n)
    }

    /// Weight of the data, as of `step`.
    pub(crate) fn weight(&self, prior: &Prior, step: u64) -> f64 {
        self.n * discount(prior.forgetting, step.saturating_sub(self.as_of))
    }

    /// Adds (`w` = 1) one observation: `x` of `d` values, `t` of `m`. What it was off by.
    pub(crate) fn observe(
        &mut self,
        prior: &Prior,
        step: u64,
        x: &[f64],
        t: &[f64],
        scratch: &mut Scratch,
    ) -> Innovation {
        self.forget_until(prior, step);
        self.accumulate(prior, step, 1.0, x, t);
        let innovation = self.follow(x, t, scratch);
        self.since_refresh += 1;
        if self.is_stale(prior, scratch) {
            self.refresh(prior, scratch);
        }
        innovation
    }

    /// Adds a past observation, of the step `at` and of weight `w`, that had not been made.
    pub(crate) fn observe_late(&mut self, prior: &Prior, step: u64, at: u64, x: &[f64], t: &[f64], w: f64) {
        self.forget_until(prior, step);
        self.accumulate(prior, at, w, x, t);
        self.refresh(prior, &mut Scratch::default());
    }

    /// Replaces the response `t[0]` at `x`, made at the step `at` with a weight that is `w` now, by `t[1]`.
    pub(crate) fn amend(&mut self, prior: &Prior, step: u64, at: u64, x: &[f64], t: [&[f64]; 2], w: f64) {
        self.forget_until(prior, step);
        let w = w / self.factor;
        replace(&mut self.sums, &mut self.moments, x, t, w);
        if let Some(Base { sums, moments, .. }) = prior.window.and_then(|_| self.holder_of(at)) {
            replace(sums, moments, x, t, w);
        }
        self.refresh(prior, &mut Scratch::default());
    }

    /// Keeps `factor` of the data.
    pub(crate) fn decay(&mut self, prior: &Prior, step: u64, factor: f64) {
        self.forget_until(prior, step);
        self.shrink(factor);
        self.refresh(prior, &mut Scratch::default());
    }

    /// Θ̂ of response `c`: `d` values.
    pub(crate) fn theta(&self, c: usize) -> &[f64] {
        &self.theta[c * self.d..(c + 1) * self.d]
    }

    /// ωᵀRω / (ν₀ + n): the residual variance of the weighted response, without floor. `omega` has `m`
    /// values.
    pub(crate) fn residual_variance(&self, prior: &Prior, omega: &[f64]) -> f64 {
        (quadratic(&self.residual, omega) / (prior.noise_n + self.n + self.believed_n()).max(1e-9)).max(0.0)
    }

    /// The residual variance of response `c` as a plain estimate of its scatter: the prior that guards
    /// exploration (S₀, ν₀) replaced by a single observation's worth.
    pub(crate) fn scatter(&self, prior: &Prior, c: usize) -> f64 {
        let one = prior.noise_sum / prior.noise_n.max(1e-9);
        let squares = self.residual[packed_len(c) + c] - prior.noise_sum;
        (squares.max(0.0) + one) / (self.n + self.believed_n() + 1.0)
    }

    /// Sum and weight of a response over the data and what is believed; the intercept is first in `x`.
    pub(crate) fn data_mean(&self, c: usize) -> (f64, f64) {
        let (sum, n) = self.base.as_ref().map_or((0.0, 0.0), |base| (base.sums[c * self.d], base.n));
        (self.sums[c * self.d] * self.factor + sum, self.n + n)
    }

    /// What is expected of each response without data: `m` values.
    pub(crate) fn prior_means(&self) -> &[f64] {
        &self.prior_mean
    }

    /// A regression on the same design of the responses `columns` alone.
    pub(crate) fn part(&self, columns: std::ops::Range<usize>) -> Self {
        let m = columns.len();
        let mut part = self.clone();
        part.m = m;
        part.prior_mean = self.prior_mean[columns.clone()].to_vec();
        part.prior_slopes = self.slopes_of(columns.clone()).to_vec();
        part.sums = self.sums[columns.start * self.d..columns.end * self.d].to_vec();
        part.theta = self.theta[columns.start * self.d..columns.end * self.d].to_vec();
        part.moments = sub_triangle(&self.moments, columns.clone());
        part.residual = sub_triangle(&self.residual, columns.clone());
        if let Some(base) = &mut part.base {
            base.keep_columns(self.d, columns.clone());
        }
        part.pieces = self.pieces.iter().map(|piece| Arc::new(piece.part(self.d, columns.clone()))).collect();
        part
    }

    /// The bits of the statistics, in a fixed order.
    pub(crate) fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        let values = self.data.iter().chain(&self.sums).chain(&self.moments).chain(&self.prior_mean);
        let believed = self.base.iter().flat_map(|base| base.data.iter().chain(&base.sums).chain(&base.moments));
        values
            .map(|v| v.to_bits())
            .chain([self.factor.to_bits(), self.n.to_bits(), self.as_of])
            .chain(believed.map(|v| v.to_bits()))
            .chain(self.slope_bits())
            .chain(self.piece_bits())
    }

    /// A⁻¹ (packed) and Θ̂, for tests.
    #[cfg(test)]
    pub(crate) fn derived(&self) -> (Vec<f64>, Vec<f64>) {
        (self.inverse.clone(), self.theta.clone())
    }

    fn accumulate(&mut self, prior: &Prior, at: u64, w: f64, x: &[f64], t: &[f64]) {
        self.n += w;
        let w = w / self.factor;
        add(&mut self.data, &mut self.sums, &mut self.moments, w, (x, t));
        if let Some(Base { data, sums, moments, n }) = prior.window.and_then(|window| self.piece_of(window, at)) {
            add(data, sums, moments, w, (x, t));
            *n += w;
        }
    }

    fn forget_until(&mut self, prior: &Prior, step: u64) {
        let idle = step.saturating_sub(self.as_of);
        if idle > 0 && prior.forgetting < 1.0 {
            self.shrink(discount(prior.forgetting, idle));
        }
        self.as_of = self.as_of.max(step);
    }

    fn shrink(&mut self, factor: f64) {
        self.n *= factor;
        self.factor *= factor;
        if self.factor < SMALLEST_FACTOR {
            for part in [&mut self.data, &mut self.sums, &mut self.moments] {
                scale(part, self.factor);
            }
            self.scale_pieces(self.factor);
            self.factor = 1.0;
        }
    }
}

impl Base {
    fn is_sound(&self, d: usize, m: usize) -> bool {
        let sizes = (self.data.len(), self.sums.len(), self.moments.len());
        let values = self.data.iter().chain(&self.sums).chain(&self.moments).chain([&self.n]);
        sizes == (packed_len(d), d * m, packed_len(m)) && values.into_iter().all(|v| v.is_finite()) && self.n >= 0.0
    }

    fn keep_columns(&mut self, d: usize, columns: std::ops::Range<usize>) {
        self.sums = self.sums[columns.start * d..columns.end * d].to_vec();
        self.moments = sub_triangle(&self.moments, columns);
    }
}

fn add(data: &mut [f64], sums: &mut [f64], moments: &mut [f64], w: f64, (x, t): (&[f64], &[f64])) {
    rank_one(data, w, x);
    for (column, t) in sums.chunks_exact_mut(x.len()).zip(t) {
        axpy(column, w * t, x);
    }
    rank_one(moments, w, t);
}

fn replace(sums: &mut [f64], moments: &mut [f64], x: &[f64], [old, new]: [&[f64]; 2], w: f64) {
    for ((column, old), new) in sums.chunks_exact_mut(x.len()).zip(old).zip(new) {
        axpy(column, w * (new - old), x);
    }
    rank_one(moments, -w, old);
    rank_one(moments, w, new);
}

/// A snapshot of before there was a factor, or a strength.
const fn one() -> f64 {
    1.0
}

/// γ^steps.
pub(crate) fn discount(forgetting: f64, steps: u64) -> f64 {
    if forgetting >= 1.0 { 1.0 } else { forgetting.powi(i32::try_from(steps).unwrap_or(i32::MAX)) }
}

fn sub_triangle(packed: &[f64], columns: std::ops::Range<usize>) -> Vec<f64> {
    columns.clone().flat_map(|i| (columns.start..=i).map(move |j| packed[packed_len(i) + j])).collect()
}
