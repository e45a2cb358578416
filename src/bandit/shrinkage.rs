//! What arms have in common: slopes. How a prompt's length or intent moves rewards is much the same for all arms of a
//! pool where one prompt is harder than another, and their own where arms have skills. Which it is, the pool's
//! observations say (empirical Bayes):
//!
//! ```text
//! Θₐ = (levelₐ, g + δₐ)        δₐ ~ N(0, σ²(sΛ)⁻¹)
//! g     the slopes that explain most within arms, fitted over the whole pool, each response its own
//! s     the geometric mean of [`STRENGTHS`] under weights ∝ exp Σₐ log p(qualityₐ | s, g, σ²ₐ)
//! σ²ₐ   the arm's residual variance at the least strength, (ν₁σ̄² + Mₐ)/(ν₁ + nₐ), σ̄² that of the pool
//! ```
//!
//! A level then no longer takes hard prompts for a poor arm, and an arm's own slopes cost only where they pay.
//! How hard to shrink is read from qualities alone, so it is the same whatever the reward weights are and whenever
//! they were set. Dollars are no common affair: the group *answer* keeps its own slopes.
//!
//! A reading is a function of the statistics and of nothing else, so of all that was observed before it the order
//! does not matter. It is taken when the pool has some seventh more observations, a moment that their number alone
//! determines, at once where a person changes what is known (decay, prior), and where a snapshot has none. Between two
//! readings, arms learn under the last one, in O(d²). A reading is a refresh of every arm and five factorisations more
//! of each: some `arms·d³·4/3` multiply-adds, at most every `arms·d/4` observations (5 µs an arm at d = 10, 30 at 26; see
//! `benches/bandit.rs`). With a fixed noise (textbook)
//! there are none, nor where the prior allows a strength of 1 at most.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::PriorConfig;
use super::factor::Factor;
use super::regression::{Fit, Prior, Within};
use super::state::{ArmState, RouterState};
use super::stats::REWARD_COLUMNS;

/// Strengths that are compared, up to the most that the prior allows, which is another.
const STRENGTHS: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 300.0];
/// Observations before the first reading, and least between two.
const FIRST: f64 = 20.0;
const APART: f64 = 10.0;
/// Growth of the observations' weight from one reading to the next.
const GROWTH: f64 = 0.15;

/// The last reading, and when the next is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shrinkage {
    /// Judged observations until the next reading.
    left: u64,
    /// s.
    pub(crate) strength: f64,
    /// g: a column of `d` values for each term, the first of each 0. Empty where nothing was read.
    pub(crate) slopes: Arc<Vec<f64>>,
}

/// Buffers of readings, and nothing that is known: a clone begins with none of its own.
#[derive(Debug, Default)]
pub(super) struct Reading {
    within: Within,
    factor: Factor,
    /// B of an arm.
    b: Vec<f64>,
    slopes: Vec<f64>,
    /// Fits at one strength, arm by arm, and the arms' residual variances.
    fits: Vec<Fit>,
    variances: Vec<f64>,
}

impl PriorConfig {
    /// The strengths that are compared.
    fn strengths(&self) -> impl Iterator<Item = f64> {
        let most = self.most_strength;
        STRENGTHS.into_iter().filter(move |s| *s < most).chain([most])
    }
}

impl Shrinkage {
    /// Before anything was observed: no strength is likelier than another.
    pub(crate) fn new(prior: &Prior, config: &PriorConfig) -> Self {
        let mut mean = Mean::default();
        if prior.has_common() {
            config.strengths().for_each(|strength| mean.add(strength, 0.0));
        }
        Self { left: whole(FIRST), strength: mean.get(), slopes: Arc::default() }
    }

    /// Its bits, in a fixed order.
    pub(crate) fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        [self.left, self.strength.to_bits()].into_iter().chain(self.slopes.iter().map(|v| v.to_bits()))
    }

    pub(crate) fn is_sound(&self, d: usize) -> bool {
        let fits = self.slopes.is_empty() || self.slopes.len() == d * REWARD_COLUMNS;
        fits && self.slopes.iter().all(|v| v.is_finite()) && self.strength.is_normal() && self.strength > 0.0
    }
}

impl RouterState {
    /// `judged` more observations of quality: reads slopes again where that is due.
    pub(super) fn count_judged(&mut self, judged: u64) {
        self.shrinkage.left = self.shrinkage.left.saturating_sub(judged);
        if judged > 0 && self.shrinkage.left == 0 {
            self.read_slopes();
        }
    }

    /// Takes on what was read when statistics were stored, where it is of this prior; else it is read now, or each
    /// arm's slopes are left to itself.
    pub(super) fn adopt_shrinkage(&mut self, stored: Option<Shrinkage>, is_same_prior: bool) {
        match stored {
            Some(stored) if is_same_prior => *self.shrinkage = stored,
            Some(_) if !self.shared.prior.has_common() => self.draw_slopes(),
            _ => self.read_slopes(),
        }
    }

    fn draw_slopes(&mut self) {
        for arm in &mut self.arms {
            let arm = Arc::make_mut(arm);
            arm.stats.draw_slopes(&self.shared.prior, &self.shrinkage, &mut self.buffers.updates);
            arm.refocus(&self.shared, &self.weights);
        }
    }

    /// Reads from all arms what their slopes have in common and how hard they are drawn there.
    pub(super) fn read_slopes(&mut self) {
        let (config, prior, step) = (&self.shared.config.prior, &self.shared.prior, self.steps);
        if !prior.has_common() {
            return;
        }
        let reading = self.buffers.reading.get_or_insert_default();
        reading.find_slopes(prior, &self.arms, step);
        let strength = reading.find_strength(prior, config, &self.arms, step);
        let slopes = Arc::make_mut(&mut self.shrinkage.slopes);
        slopes.clear();
        slopes.extend_from_slice(&reading.slopes);
        self.shrinkage.strength = strength;
        let n: f64 = reading.fits.iter().map(|fit| fit.n).sum();
        self.shrinkage.left = whole((n * GROWTH).max(APART).max((prior.lambda.len() * self.arms.len()) as f64 / 4.0));
        self.draw_slopes();
    }
}

impl Reading {
    /// g of every term. Quality is fitted on the designs of *judged*; the others as well, as long as these are theirs.
    fn find_slopes(&mut self, prior: &Prior, arms: &[Arc<ArmState>], step: u64) {
        let Self { within, factor, slopes, .. } = self;
        let d = prior.lambda.len();
        slopes.resize(d * REWARD_COLUMNS, 0.0);
        let columns = if arms.iter().all(|arm| arm.stats.preview.is_none()) { REWARD_COLUMNS } else { 1 };
        let (judged, others) = slopes.split_at_mut(d * columns);
        within.clear(d, columns);
        for arm in arms {
            arm.stats.judged.add_within(prior, step, 0..columns, within);
        }
        within.slopes(prior, factor, judged);
        if others.is_empty() {
            return;
        }
        within.clear(d, REWARD_COLUMNS - 1);
        for arm in arms {
            match &arm.stats.preview {
                Some(preview) => preview.add_within(prior, step, 0..REWARD_COLUMNS - 1, within),
                None => arm.stats.judged.add_within(prior, step, 1..REWARD_COLUMNS, within),
            }
        }
        within.slopes(prior, factor, others);
    }

    /// s, from the arms' qualities under the slopes that were found.
    fn find_strength(&mut self, prior: &Prior, config: &PriorConfig, arms: &[Arc<ArmState>], step: u64) -> f64 {
        let Self { factor, b, slopes, fits, variances, .. } = self;
        let slopes = &slopes[..prior.lambda.len()];
        let mut mean = Mean::default();
        for strength in config.strengths() {
            fits.clear();
            fits.extend(arms.iter().map(|arm| arm.stats.judged.fit(prior, step, 0, (strength, slopes), (factor, b))));
            if mean.is_empty() {
                find_variances(prior, config, fits, variances);
            }
            let evidence = |(fit, variance): (&Fit, &f64)| -0.5 * (fit.occupied + fit.squares / variance);
            mean.add(strength, fits.iter().zip(variances.iter()).map(evidence).sum());
        }
        mean.get()
    }
}

/// The arms' residual variances, each with some of the pool's.
fn find_variances(prior: &Prior, config: &PriorConfig, fits: &[Fit], variances: &mut Vec<f64>) {
    let start = (prior.noise_sum, prior.noise_n);
    let (squares, n) = fits.iter().fold(start, |(squares, n), fit| (squares + fit.squares, n + fit.n));
    let (pooled, worth) = (squares / n.max(1e-9), config.noise_pool.max(1.0));
    let least = config.sigma_floor * config.sigma_floor;
    variances.clear();
    variances.extend(fits.iter().map(|fit| ((worth * pooled + fit.squares) / (worth + fit.n)).max(least)));
}

/// A geometric mean under weights that are given by their logarithms.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    /// The largest logarithm yet, and over it: Σ w and Σ w ln s.
    top: f64,
    weight: f64,
    sum: f64,
}

impl Mean {
    fn is_empty(&self) -> bool {
        self.weight <= 0.0
    }

    fn add(&mut self, value: f64, log_weight: f64) {
        if self.is_empty() || log_weight > self.top {
            let lower = if self.is_empty() { 0.0 } else { (self.top - log_weight).exp() };
            (self.weight, self.sum) = (self.weight * lower, self.sum * lower);
            self.top = log_weight;
        }
        let weight = (log_weight - self.top).exp();
        self.weight += weight;
        self.sum += weight * value.ln();
    }

    /// 1 of nothing.
    fn get(&self) -> f64 {
        if self.is_empty() { 1.0 } else { (self.sum / self.weight).exp() }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of observations, never negative")]
fn whole(count: f64) -> u64 {
    count.ceil() as u64
}
