//! Long, badly conditioned histories: what is derived stays symmetric, positive definite and near what a
//! fresh factorisation gives.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

use super::super::kernels::packed_len;
use super::super::probe::Probe;
use super::super::regression::{Prior, Regression, Scratch};

fn prior(d: usize, forgetting: f64) -> Prior {
    Prior { lambda: vec![1.0; d], common: vec![false; d], noise_sum: 1.5, noise_n: 10.0, forgetting, window: None }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever lags: a score knows no more than the exact posterior, and no less than the prior.
    #[test]
    fn the_spread_that_is_scored_lies_between_the_exact_one_and_the_priors(
        seed in any::<u64>(),
        d in 2..12_usize,
        forgetting in prop::sample::select(vec![1.0, 0.999, 0.99, 0.9]),
        history in 0..120_u64,
        idle in prop::sample::select(vec![0, 1, 7, 100, 5_000]),
        spread in prop::sample::select(vec![0.01, 1.0, 30.0]),
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let prior = Prior { lambda: (0..d).map(|i| 0.1 + 30.0 * i as f64).collect(), ..prior(d, forgetting) };
        let mut context = || -> Vec<f64> { (0..d).map(|i| if i == 0 { 1.0 } else { spread * (rng.f64() - 0.5) }).collect() };
        let mut regression = Regression::new(&prior, &[0.5], 0);
        let mut scratch = Scratch::default();
        for step in 1..=history {
            regression.observe(&prior, 2 * step, &context(), &[0.5], &mut scratch);
        }
        let now = 2 * history + idle;
        let mut exact = regression.clone();
        exact.decay(&prior, now, 1.0);
        for _ in 0..8 {
            let probe = Probe::new(&prior, &context(), now);
            let (scored, least) = (regression.spread(&prior, &probe), exact.spread(&prior, &probe));
            prop_assert!(scored >= least * (1.0 - 1e-9), "{scored} below the exact {least}");
            prop_assert!(scored <= probe.q_prior(1.0) * (1.0 + 1e-9), "{scored} above the prior's {}", probe.q_prior(1.0));
        }
    }
}
