//! One context made ready for scoring any number of arms, in buffers that are kept.
//!
//! The contexts of a run's candidates differ in their last dimensions only (per-arm signals), if at all.
//! The packed outer product of what they share is a prefix of each candidate's own, and is computed once;
//! turning to a candidate writes the rows of its signals behind it.

use super::kernels::{fold_outer_rows, packed_len};
use super::regression::Prior;

/// A context, its folded outer product, and how uncertain the prior alone is about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// `d` values.
    x: Vec<f64>,
    /// See [`fold_outer_rows`].
    outer: Vec<f64>,
    /// Dimensions that all candidates share.
    shared: usize,
    /// xᵀΛ⁻¹x over the shared dimensions, and over all: of what arms have in common, and of the rest.
    q_shared: [f64; 2],
    q_prior: [f64; 2],
    /// The step it is scored at.
    step: u64,
}

impl Probe {
    /// `x` at `step`.
    pub(crate) fn new(prior: &Prior, x: &[f64], step: u64) -> Self {
        let mut probe = Self::default();
        probe.aim(prior, x, step);
        probe
    }

    /// Looks at the shared part `x` at `step`. What is missing to `d` values is 0 until a candidate's
    /// signals are given; what is too much is not read.
    pub(crate) fn aim(&mut self, prior: &Prior, x: &[f64], step: u64) {
        let d = prior.lambda.len();
        self.shared = x.len().min(d);
        self.x.clear();
        self.x.extend_from_slice(&x[..self.shared]);
        self.x.resize(d, 0.0);
        // Rows that nobody writes belong to signals of 0.
        self.outer.resize(packed_len(d), 0.0);
        self.outer[packed_len(self.shared)..].fill(0.0);
        fold_outer_rows(&self.x, 0..self.shared, &mut self.outer);
        self.q_shared = spread_of(prior, &self.x, 0..self.shared);
        self.q_prior = self.q_shared;
        self.step = step;
    }

    /// Turns to a candidate whose own dimensions, after the shared ones, are `signals`.
    pub(crate) fn turn(&mut self, prior: &Prior, signals: &[f64]) {
        let own = self.shared..(self.shared + signals.len()).min(self.x.len());
        self.x[own.clone()].copy_from_slice(&signals[..own.len()]);
        self.x[own.end..].fill(0.0);
        let rows = self.shared..self.x.len();
        fold_outer_rows(&self.x, rows.clone(), &mut self.outer);
        let [common, rest] = spread_of(prior, &self.x, rows);
        self.q_prior = [self.q_shared[0] + common, self.q_shared[1] + rest];
    }

    /// The context: `d` values.
    pub(crate) fn x(&self) -> &[f64] {
        &self.x
    }

    /// ⟨P, outer⟩ = xᵀPx for a packed P.
    pub(crate) fn outer(&self) -> &[f64] {
        &self.outer
    }

    /// xᵀΛ⁻¹x, where the precision of common slopes is `strength` times that of Λ.
    pub(crate) fn q_prior(&self, strength: f64) -> f64 {
        let [common, rest] = self.q_prior;
        common / strength + rest
    }

    /// The step it is scored at.
    pub(crate) const fn step(&self) -> u64 {
        self.step
    }
}

fn spread_of(prior: &Prior, x: &[f64], dimensions: std::ops::Range<usize>) -> [f64; 2] {
    let scaled = x[dimensions.clone()].iter().zip(&prior.lambda[dimensions.clone()]).map(|(x, lambda)| x * x / lambda);
    let mut spread = [0.0; 2];
    for (value, is_common) in scaled.zip(&prior.common[dimensions]) {
        let common = if *is_common { value } else { 0.0 };
        spread[0] += common;
        spread[1] += value - common;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_to_a_candidate_equals_looking_at_its_whole_context() {
        let prior = Prior {
            lambda: vec![1.0, 30.0, 5.0, 2.0, 9.0],
            common: vec![false, true, true, false, false],
            noise_sum: 1.0,
            noise_n: 1.0,
            forgetting: 1.0,
            window: None,
        };
        let mut probe = Probe::default();
        probe.aim(&prior, &[1.0, 0.3, -0.4], 7);
        for signals in [[0.5, 0.1], [0.0, 0.9], [-1.0, 0.0]] {
            probe.turn(&prior, &signals);
            let whole = Probe::new(&prior, &[&[1.0, 0.3, -0.4], &signals[..]].concat(), 7);
            assert_eq!((probe.x(), probe.outer()), (whole.x(), whole.outer()));
            assert!((probe.q_prior(1.0) - whole.q_prior(1.0)).abs() < 1e-15);
        }
        probe.turn(&prior, &[]);
        assert_eq!(probe.outer(), Probe::new(&prior, &[1.0, 0.3, -0.4, 0.0, 0.0], 7).outer());
    }
}
