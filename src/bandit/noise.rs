//! How noisy an arm's rewards are, known from its own residuals and, while those are few, from the pool's.
//!
//! ```text
//! own(a)  = ωᵀRω − S₀                   residual squares of arm a over nₐ observations, without the prior's
//! σ̄²      = (S₀ + Σₐ own(a)) / (ν₀ + Σₐ nₐ)
//! σ̂²(a)   = max(floor², (ν₁σ̄² + own(a)) / (ν₁ + nₐ))
//! ```
//!
//! A single prior for every reward scale has to be wide, and is washed out slowly; the pool's residuals say
//! within some tens of observations whether rewards are right or wrong, or grades close together. It is no
//! hierarchical model of the means: what is expected of an arm is its own affair. What exploration adds while
//! the noise itself is hardly known (caution) goes with it.

use super::config::{Noise, PriorConfig};
use super::regression::{Prior, Regression};

/// The residuals of one group of responses under weights, in units of the reward.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Residuals {
    /// own(a), as if the group's weights summed to 1.
    squares: f64,
    /// nₐ.
    n: f64,
    /// The group's share of the weights.
    share: f64,
    /// The variance of the group's share of the reward, without the pool.
    alone: f64,
}

impl Residuals {
    /// Of `regression` under its responses' weights `omega`. Floor and fixed noise are in units of the reward,
    /// so a group gets them by its share of the weights.
    pub(crate) fn of(regression: &Regression, prior: &Prior, config: &PriorConfig, omega: &[f64]) -> Self {
        let share: f64 = omega.iter().sum();
        if share <= 0.0 {
            return Self::default();
        }
        let variance = regression.residual_variance(prior, omega);
        let n = regression.data_mean(0).1;
        let squares = (variance * (prior.noise_n + n) / (share * share) - prior.noise_sum).max(0.0);
        let alone = match config.noise {
            Noise::Fixed(sigma) => (sigma * share).powi(2),
            Noise::Estimated => variance.max((config.sigma_floor * share).powi(2)),
        };
        Self { squares, n, share, alone }
    }

    /// Without the pool.
    pub(crate) const fn alone(&self) -> f64 {
        self.alone
    }
}

/// What the residuals of all arms say: derived from them, in pool order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PoolNoise {
    /// ν₁, 0 where arms are left to themselves.
    worth: f64,
    /// σ̄².
    variance: f64,
    least: f64,
    /// See [`PriorConfig::caution_among`].
    caution: f64,
    /// See [`PriorConfig::growth`].
    growth: f64,
    /// Σₐ nₐ over the number of arms.
    n: f64,
}

impl PoolNoise {
    pub(crate) fn of(prior: &Prior, config: &PriorConfig, arms: impl Iterator<Item = Residuals>) -> Self {
        let start = (0, prior.noise_sum, prior.noise_n);
        let (count, squares, n) = arms.fold(start, |(k, squares, n), arm| (k + 1, squares + arm.squares, n + arm.n));
        Self {
            worth: if matches!(config.noise, Noise::Fixed(_)) { 0.0 } else { config.noise_pool },
            variance: squares / n.max(1e-9),
            least: config.sigma_floor * config.sigma_floor,
            caution: config.caution_among(count),
            growth: config.growth.max(0.0),
            n: (n - prior.noise_n).max(0.0) / count.max(1) as f64,
        }
    }

    /// By how much an arm's reach exceeds its uncertainty where its spread is that, squared.
    pub(crate) fn further(&self, spread: f64) -> f64 {
        let grown = if self.growth > 0.0 { 1.0 + self.growth * (1.0 + self.n * spread).ln() } else { 1.0 };
        grown * (1.0 + self.caution * spread.sqrt()).powi(2)
    }

    /// The residual variance of that arm's share of the reward.
    pub(crate) fn variance(&self, arm: &Residuals) -> f64 {
        if self.worth <= 0.0 {
            return arm.alone;
        }
        let variance = (self.worth * self.variance + arm.squares) / (self.worth + arm.n);
        variance.max(self.least) * arm.share * arm.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(squares: f64, n: f64) -> Residuals {
        Residuals { squares, n, share: 1.0, alone: 0.5 }
    }

    fn pool(config: &PriorConfig, arms: &[Residuals]) -> PoolNoise {
        let prior = Prior {
            lambda: vec![1.0],
            common: vec![false],
            noise_sum: 1.5,
            noise_n: 10.0,
            forgetting: 1.0,
            window: None,
        };
        PoolNoise::of(&prior, config, arms.iter().copied())
    }

    #[test]
    fn an_arm_whose_few_answers_agree_is_as_noisy_as_its_pool() {
        let (lucky, known) = (arm(0.0, 5.0), arm(100.0, 500.0));
        let config = PriorConfig::default();
        let pool = pool(&config, &[lucky, known]);
        let shared = 101.5 / 515.0;
        assert!((pool.variance(&lucky) - shared * 10.0 / 15.0).abs() < 1e-12);
        assert!((pool.variance(&known) - (shared * 10.0 + 100.0) / 510.0).abs() < 1e-12);
    }

    #[test]
    fn textbook_noise_has_no_pool() {
        let config = PriorConfig { noise: Noise::Fixed(1.0), ..PriorConfig::default() };
        assert!((pool(&config, &[arm(3.0, 4.0)]).variance(&arm(3.0, 4.0)) - 0.5).abs() < 1e-15);
    }
}
