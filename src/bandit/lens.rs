//! The view of an arm's statistics under the reward weights in force: what is expected of it at a context,
//! how sure that is, and what policies explore by. Everything here is derived; what is known is in
//! `stats.rs`.

use super::config::PriorConfig;
use super::kernels::{axpy, dot};
use super::noise::{PoolNoise, Residuals};
use super::probe::Probe;
use super::regression::{Prior, Regression};
use super::stats::{ArmStatistics, COLUMNS};
use crate::domain::terms::{Column, Weights};

/// What is expected of one arm at one context.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Expected reward under the weights in force, fallback penalty included; not clamped.
    pub mean: f64,
    /// Standard deviation of that expectation, in units of the reward.
    pub uncertainty: f64,
    /// Expected value of each column, in the order of [`Column`].
    pub columns: [f64; COLUMNS],
    /// Residual standard deviation of the quality itself: how much one answer differs from another.
    pub quality_sd: f64,
}

impl Estimate {
    /// The expected value of `column`.
    #[must_use]
    pub const fn column(&self, column: Column) -> f64 {
        self.columns[column as usize]
    }
}

/// The statistics of one arm under the reward weights in force: derived, and rebuilt whenever either
/// changes, so that scoring is one dot product and one flat quadratic form.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lens {
    /// Σ ωθ̂ − penalty · θ̂ of fallback: `d` values.
    theta: Vec<f64>,
    /// Residuals of the joint group (or judged).
    pub(super) residuals: Residuals,
    /// Residual variance of the reward by the other groups: preview, answer.
    variance: [f64; 2],
    /// How much one answer's quality differs from what is expected of it, as a variance.
    quality_variance: f64,
}

/// How an arm stands at one context, as the policies see it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// Expected reward.
    pub mean: f64,
    /// Its standard deviation.
    pub uncertainty: f64,
    /// What policies explore by: the uncertainty, and more where little was seen.
    pub reach: f64,
    /// Expected quality.
    pub quality: f64,
    /// Residual variance of quality.
    pub quality_variance: f64,
}

impl Lens {
    pub(crate) fn focus(&mut self, stats: &ArmStatistics, prior: &Prior, config: &PriorConfig, weights: &Weights) {
        let omega = weights.by_term();
        let penalty = weights.fallback_penalty();
        let theta = &mut self.theta;
        theta.clear();
        theta.resize(prior.lambda.len(), 0.0);
        let reward_columns =
            [Column::Quality, Column::Latency, Column::Cost, Column::Speed, Column::TokenEfficiency, Column::Stability];
        for (column, weight) in reward_columns.into_iter().zip(omega) {
            if weight > 0.0 {
                axpy(theta, weight, stats.theta(column));
            }
        }
        if penalty > 0.0 {
            axpy(theta, -penalty, stats.theta(Column::Fallback));
        }
        let residuals = |regression: &Regression, omega: &[f64]| Residuals::of(regression, prior, config, omega);
        let judged = &stats.judged;
        let (first, preview) = match &stats.preview {
            None => (residuals(judged, &omega), 0.0),
            Some(preview) => (residuals(judged, &omega[..1]), residuals(preview, &omega[1..]).alone()),
        };
        let answer = if penalty > 0.0 { residuals(&stats.answer, &[0.0, penalty]).alone() } else { 0.0 };
        self.residuals = first;
        self.variance = [preview, answer];
        self.quality_variance = judged.scatter(prior, 0);
    }

    /// The expected reward at `x`, which may lack the last dimensions.
    pub(crate) fn mean(&self, x: &[f64]) -> f64 {
        dot(&self.theta, x)
    }

    pub(crate) fn standing(&self, stats: &ArmStatistics, prior: &Prior, noise: &PoolNoise, probe: &Probe) -> Standing {
        let [preview, answer] = self.variance;
        // Caution is for what a choice is sure to find out. A group of its own may not be: a race shows no full
        // answer of an arm that loses, and one that never won would be raced for ever for what only winning tells.
        let groups = [
            (noise.variance(&self.residuals), Some(&stats.judged), Some(noise)),
            (preview, stats.preview.as_ref(), None),
            (answer, Some(&stats.answer), None),
        ];
        let (mut variance, mut reach) = (0.0, 0.0);
        for (of_group, regression, cautious) in groups {
            let Some(regression) = regression.filter(|_| of_group > 0.0) else { continue };
            let spread = regression.spread(prior, probe);
            variance += of_group * spread;
            let further = cautious.map_or(1.0, |noise| noise.further(spread));
            reach += of_group * spread * further;
        }
        Standing {
            mean: dot(&self.theta, probe.x()),
            uncertainty: variance.sqrt(),
            reach: reach.sqrt(),
            quality: dot(stats.theta(Column::Quality), probe.x()),
            quality_variance: self.quality_variance,
        }
    }

    /// The quality alone of [`Self::standing`], for a full context.
    pub(crate) fn quality(&self, stats: &ArmStatistics, x: &[f64]) -> Standing {
        let quality = dot(stats.theta(Column::Quality), x);
        Standing { quality, quality_variance: self.quality_variance, ..Standing::default() }
    }

    pub(crate) fn estimate(&self, stats: &ArmStatistics, prior: &Prior, noise: &PoolNoise, probe: &Probe) -> Estimate {
        let standing = self.standing(stats, prior, noise, probe);
        let all = [
            Column::Quality,
            Column::Latency,
            Column::Cost,
            Column::Speed,
            Column::TokenEfficiency,
            Column::Stability,
            Column::Dollars,
            Column::Fallback,
        ];
        Estimate {
            mean: standing.mean,
            uncertainty: standing.uncertainty,
            columns: all.map(|column| dot(stats.theta(column), probe.x())),
            quality_sd: standing.quality_variance.sqrt(),
        }
    }
}
