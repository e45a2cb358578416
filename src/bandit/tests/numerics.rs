//! Long, badly conditioned histories: what is derived stays symmetric, positive definite and near what a
//! fresh factorisation gives.

use nalgebra::{DMatrix, DVector};

use super::super::kernels::packed_len;
use super::super::regression::{Prior, Regression, Scratch};

fn prior(d: usize, forgetting: f64) -> Prior {
    Prior { lambda: vec![1.0; d], noise_sum: 1.5, noise_n: 10.0, forgetting }
}

fn dense(packed: &[f64], d: usize) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |i, j| packed[packed_len(i.max(j)) + i.min(j)])
}

/// Contexts that nearly lie on a line: A's condition grows with their number, to millions.
fn collinear(d: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
    let along = rng.f64() * 2.0 - 1.0;
    let mut x: Vec<f64> = (0..d).map(|i| along * (i as f64 + 1.0) / d as f64 + (rng.f64() - 0.5) * 1e-4).collect();
    x[0] = 1.0;
    x
}

/// Relative error of A⁻¹ and Θ̂ against a fresh factorisation of the same statistics.
fn error(regression: &Regression, prior: &Prior) -> (f64, f64) {
    let mut fresh = regression.clone();
    fresh.refresh(prior, &mut Scratch::default());
    let d = prior.lambda.len();
    let (inverse, exact) = (dense(&regression.derived().0, d), dense(&fresh.derived().0, d));
    assert!(inverse.clone().cholesky().is_some(), "positive definite");
    let theta = |r: &Regression| DVector::from_column_slice(&r.derived().1);
    let (found, known) = (theta(regression), theta(&fresh));
    ((&inverse - &exact).norm() / exact.norm(), (&found - &known).norm() / known.norm())
}

fn long_run(d: usize, updates: usize, forgetting: f64) {
    let prior = prior(d, forgetting);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut regression = Regression::new(&prior, &[0.5], 0);
    let mut scratch = Scratch::default();
    let mut worst = (0.0_f64, 0.0_f64);
    for step in 1..=updates {
        let x = collinear(d, &mut rng);
        let t = 0.5 + 0.1 * x[1].sin() + 0.05 * (rng.f64() - 0.5);
        regression.observe(&prior, step as u64, &x, &[t], &mut scratch);
        if step.is_multiple_of(updates / 4) {
            regression.decay(&prior, step as u64, 0.7);
        }
        if step.is_multiple_of(updates / 50 + 37) && forgetting >= 1.0 {
            let (inverse, theta) = error(&regression, &prior);
            worst = (worst.0.max(inverse), worst.1.max(theta));
        }
    }
    let (inverse, theta) = error(&regression, &prior);
    println!("d {d}, {updates} updates: worst {worst:?}, last {inverse:e} {theta:e}");
    assert!(worst.0 < 1e-8 && worst.1 < 1e-8 && inverse < if forgetting < 1.0 { 0.02 } else { 1e-8 });
}

#[test]
fn a_hundred_thousand_ill_conditioned_updates_stay_exact() {
    long_run(6, 100_000, 1.0);
}

#[test]
fn forgetting_lags_by_a_percent_at_most() {
    long_run(6, 5_000, 0.999);
}

#[test]
#[ignore = "long: run it in release"]
fn a_million_updates_stay_exact() {
    long_run(8, 1_000_000, 1.0);
    long_run(32, 1_000_000, 1.0);
}

#[test]
fn repeating_one_context_while_forgetting_does_not_wind_up() {
    let prior = prior(3, 0.99);
    let mut regression = Regression::new(&prior, &[0.5], 0);
    let x = [1.0, 0.5, -0.2];
    for step in 1..=3_000 {
        regression.observe(&prior, step, &x, &[0.7], &mut Scratch::default());
    }
    let eigenvalues = dense(&regression.derived().0, 3).symmetric_eigenvalues();
    let most = prior.lambda.iter().map(|l| 1.0 / l).fold(0.0, f64::max);
    assert!(eigenvalues.iter().all(|e| *e > 0.0 && *e <= most * (1.0 + 1e-9)), "{eigenvalues}");
}
