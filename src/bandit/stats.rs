//! What is known about one arm: its regressions by response group, and the view of them under the
//! reward weights in force.
//!
//! Outcomes are partial: *judged* (quality), *preview* (the other terms) and *answer* (dollars,
//! fallback). An observation updates only the groups that it completes. Judged and preview share one
//! design for as long as every observation completed both (then their residuals' covariance is known
//! too, and a change of weights is exact in mean and uncertainty); the first that completes only one of
//! them splits the two for good, and their variances add.

use serde::{Deserialize, Serialize};

use super::config::PriorConfig;
use super::kernels::{axpy, dot};
use super::noise::{PoolNoise, Residuals};
use super::probe::Probe;
use super::regression::{Believed, Innovation, Prior, Regression, Scratch, Window};
use crate::domain::command::{AnswerOutcome, ArmObservation, PreviewTerms};
use crate::domain::prior::{ArmPrior, ResponsePrior};
use crate::domain::terms::{Column, Weights};

/// Columns of the groups *judged* and *preview* together, in the order of [`Column`].
pub(crate) const REWARD_COLUMNS: usize = 6;
/// All columns.
pub(crate) const COLUMNS: usize = 8;

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

/// The parts of an observation as columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub quality: Option<f64>,
    pub preview: Option<[f64; 5]>,
    pub answer: Option<[f64; 2]>,
}

impl From<&ArmObservation> for Seen {
    fn from(seen: &ArmObservation) -> Self {
        let answer = |a: &AnswerOutcome| [a.dollars, a.fallback];
        Self {
            quality: seen.quality,
            preview: seen.preview.as_ref().map(preview_columns),
            answer: seen.answer.as_ref().map(answer),
        }
    }
}

/// The group *preview* in the order of [`Column`].
pub(crate) const fn preview_columns(terms: &PreviewTerms) -> [f64; 5] {
    [terms.latency, terms.cost, terms.speed, terms.token_efficiency, terms.stability]
}

/// One arm's statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArmStatistics {
    /// Quality; and, while judged and preview saw the same observations, the other terms after it.
    judged: Regression,
    /// The other terms, once the two groups saw different observations.
    preview: Option<Regression>,
    answer: Regression,
}

/// What came later about a run: a column's value, and the weight that run still has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    pub column: Column,
    pub old: Option<f64>,
    pub new: f64,
    pub preview: Option<[f64; 5]>,
    pub weight: f64,
    /// The step of that run.
    pub at: u64,
}

impl ArmStatistics {
    /// No data; `prior_mean` is expected of each column.
    pub(crate) fn new(prior: &Prior, prior_mean: &[f64; COLUMNS], step: u64) -> Self {
        let (terms, answer) = prior_mean.split_at(REWARD_COLUMNS);
        Self {
            judged: Regression::new(prior, terms, step),
            preview: None,
            answer: Regression::new(prior, answer, step),
        }
    }

    /// Whether all parts fit dimension `d`.
    pub(crate) fn is_sound(&self, d: usize) -> bool {
        let terms = match &self.preview {
            None => self.judged.is_sound(d, REWARD_COLUMNS),
            Some(preview) => self.judged.is_sound(d, 1) && preview.is_sound(d, REWARD_COLUMNS - 1),
        };
        terms && self.answer.is_sound(d, COLUMNS - REWARD_COLUMNS)
    }

    /// Learns one observation of full context `x`; how far its quality was from what was expected.
    pub(crate) fn observe(
        &mut self,
        prior: &Prior,
        step: u64,
        x: &[f64],
        seen: &Seen,
        scratch: &mut Scratch,
    ) -> Option<Innovation> {
        let mut innovation = None;
        match (seen.quality, seen.preview) {
            (Some(quality), Some([latency, cost, speed, tokens, stability])) if self.preview.is_none() => {
                let row = [quality, latency, cost, speed, tokens, stability];
                innovation = Some(self.judged.observe(prior, step, x, &row, scratch));
            }
            (None, None) => {}
            (quality, terms) => {
                let (judged, preview) = self.split();
                if let Some(quality) = quality {
                    innovation = Some(judged.observe(prior, step, x, &[quality], scratch));
                }
                if let Some(terms) = terms {
                    preview.observe(prior, step, x, &terms, scratch);
                }
            }
        }
        if let Some(answer) = seen.answer {
            self.answer.observe(prior, step, x, &answer, scratch);
        }
        innovation
    }

    /// Learns what came later about a past observation. A preview or answer column that was never
    /// observed in that run cannot complete its group and teaches nothing.
    pub(crate) fn amend(&mut self, prior: &Prior, step: u64, x: &[f64], late: &Late) {
        let at = late.column as usize;
        if late.column == Column::Quality && late.old.is_none() {
            self.split().0.observe_late(prior, step, late.at, x, &[late.new], late.weight);
            return;
        }
        let Some(old) = late.old else { return };
        let (regression, first) = match &mut self.preview {
            _ if at >= REWARD_COLUMNS => (&mut self.answer, REWARD_COLUMNS),
            Some(preview) if at > 0 => (preview, 1),
            _ => (&mut self.judged, 0),
        };
        let columns = regression.prior_means().len();
        let expected = |c: usize| dot(regression.theta(c), x);
        let known = |c: usize| match late.preview {
            Some(terms) if (1..REWARD_COLUMNS).contains(&(first + c)) => terms[first + c - 1],
            _ => expected(c),
        };
        let mut before: Vec<f64> = (0..columns).map(known).collect();
        before[at - first] = old;
        let mut after = before.clone();
        after[at - first] = late.new;
        regression.amend(prior, step, late.at, x, [&before, &after], late.weight);
    }

    /// Believes `belief` instead of what was believed before. It says nothing about how terms go together, so
    /// groups that shared a design go apart. Its parts fit dimension `d`.
    pub(crate) fn believe(&mut self, prior: &Prior, belief: &ArmPrior) {
        fn part(response: Option<&ResponsePrior>) -> Believed<'_> {
            response.map(|r| (r.sums.as_slice(), r.squares))
        }
        let (data, n) = (belief.data.as_slice(), belief.n);
        if n <= 0.0 && self.preview.is_none() {
            self.answer.believe(prior, data, n, &[]);
            return self.judged.believe(prior, data, n, &[]);
        }
        let (judged, preview) = self.split();
        judged.believe(prior, data, n, &[part(belief.quality.as_ref())]);
        preview.believe(prior, data, n, &[part(belief.latency.as_ref()), part(belief.cost.as_ref())]);
        self.answer.believe(prior, data, n, &[part(belief.dollars.as_ref())]);
    }

    /// Observations that what is believed is worth.
    pub(crate) fn believed_n(&self) -> f64 {
        let groups = [Some(&self.judged), self.preview.as_ref(), Some(&self.answer)];
        groups.into_iter().flatten().map(Regression::believed_n).fold(0.0, f64::max)
    }

    /// Keeps `factor` of the data of every group.
    pub(crate) fn decay(&mut self, prior: &Prior, step: u64, factor: f64) {
        let groups = [Some(&mut self.judged), self.preview.as_mut(), Some(&mut self.answer)];
        for group in groups.into_iter().flatten() {
            group.decay(prior, step, factor);
        }
    }

    /// The quality is another since a while: moves what was observed before by `by`, and keeps `factor` of it.
    pub(crate) fn move_quality(&mut self, prior: &Prior, step: u64, by: f64, factor: f64) {
        self.judged.shift(prior, step, 0, by, factor);
        if let Some(preview) = &mut self.preview {
            preview.decay(prior, step, factor);
        }
    }

    /// Whether the window has left anything behind.
    pub(crate) fn has_past(&self, window: Window, step: u64) -> bool {
        let groups = [Some(&self.judged), self.preview.as_ref(), Some(&self.answer)];
        groups.into_iter().flatten().any(|group| group.has_past(window, step))
    }

    /// Takes out what the window has left behind.
    pub(crate) fn move_window(&mut self, prior: &Prior, step: u64, scratch: &mut Scratch) {
        let groups = [Some(&mut self.judged), self.preview.as_mut(), Some(&mut self.answer)];
        for group in groups.into_iter().flatten() {
            group.move_window(prior, step, scratch);
        }
    }

    /// Fits what was learned under another window, or none, to that of `prior`.
    pub(crate) fn adopt_window(&mut self, prior: &Prior, step: u64) {
        let groups = [Some(&mut self.judged), self.preview.as_mut(), Some(&mut self.answer)];
        for group in groups.into_iter().flatten() {
            group.adopt_window(prior, step);
        }
    }

    /// Derives what is derived again.
    pub(crate) fn refresh(&mut self, prior: &Prior) {
        let groups = [Some(&mut self.judged), self.preview.as_mut(), Some(&mut self.answer)];
        for group in groups.into_iter().flatten() {
            group.refresh(prior, &mut Scratch::default());
        }
    }

    /// Weight of the judged observations as of `step`.
    pub(crate) fn effective_n(&self, prior: &Prior, step: u64) -> f64 {
        let preview = self.preview.as_ref().map_or(0.0, |preview| preview.weight(prior, step));
        self.judged.weight(prior, step).max(preview)
    }

    /// Weight of the observations of the group that has most, without forgetting since the last. An arm that
    /// only answers, and that nobody judges, is no longer unknown.
    pub(crate) fn tried_n(&self) -> f64 {
        [Column::Quality, Column::Latency, Column::Dollars].map(|c| self.data_mean(c).1).into_iter().fold(0.0, f64::max)
    }

    /// Sum and weight of the data of a column.
    pub(crate) fn data_mean(&self, column: Column) -> (f64, f64) {
        let (regression, c) = self.locate(column);
        regression.data_mean(c)
    }

    /// θ̂ of one column: `d` values.
    pub(crate) fn theta(&self, column: Column) -> &[f64] {
        let (regression, c) = self.locate(column);
        regression.theta(c)
    }

    /// The bits of the statistics, in a fixed order.
    pub(crate) fn bits(&self) -> Vec<u64> {
        let preview = self.preview.iter().flat_map(Regression::bits);
        self.judged.bits().chain(preview).chain(self.answer.bits()).collect()
    }

    fn locate(&self, column: Column) -> (&Regression, usize) {
        let at = column as usize;
        match &self.preview {
            _ if at >= REWARD_COLUMNS => (&self.answer, at - REWARD_COLUMNS),
            Some(preview) if at > 0 => (preview, at - 1),
            _ => (&self.judged, at),
        }
    }

    /// The groups *judged* and *preview*, each on its own from now on.
    fn split(&mut self) -> (&mut Regression, &mut Regression) {
        let Self { judged, preview, .. } = self;
        let preview = preview.get_or_insert_with(|| {
            let terms = judged.part(1..REWARD_COLUMNS);
            *judged = judged.part(0..1);
            terms
        });
        (judged, preview)
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
        let groups = [
            (noise.variance(&self.residuals), Some(&stats.judged)),
            (preview, stats.preview.as_ref()),
            (answer, Some(&stats.answer)),
        ];
        let (mut variance, mut reach) = (0.0, 0.0);
        for (of_group, regression) in groups {
            let Some(regression) = regression.filter(|_| of_group > 0.0) else { continue };
            let spread = regression.spread(prior, probe);
            variance += of_group * spread;
            reach += of_group * spread * (1.0 + noise.caution * spread.sqrt()).powi(2);
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
