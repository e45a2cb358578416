//! What is known about one arm: its regressions by response group. What follows from them under reward
//! weights is the lens's affair (`lens.rs`).
//!
//! Outcomes are partial: *judged* (quality), *preview* (the other terms) and *answer* (dollars,
//! fallback). An observation updates only the groups that it completes. Judged and preview share one
//! design for as long as every observation completed both (then their residuals' covariance is known
//! too, and a change of weights is exact in mean and uncertainty); the first that completes only one of
//! them splits the two for good, and their variances add.

use serde::{Deserialize, Serialize};

use super::kernels::dot;
use super::regression::{Believed, Innovation, Prior, Regression, Scratch, Window};
use super::shrinkage::Shrinkage;
use crate::domain::command::{AnswerOutcome, ArmObservation, PreviewTerms};
use crate::domain::prior::{ArmPrior, ResponsePrior};
use crate::domain::terms::Column;

/// Columns of the groups *judged* and *preview* together, in the order of [`Column`].
pub(crate) const REWARD_COLUMNS: usize = 6;
/// All columns.
pub(crate) const COLUMNS: usize = 8;

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
    pub(super) judged: Regression,
    /// The other terms, once the two groups saw different observations.
    pub(super) preview: Option<Regression>,
    pub(super) answer: Regression,
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
    /// By how much the quality of that run was moved since, to the level after a change.
    pub shift: f64,
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
            self.split().0.observe_late(prior, step, late.at, x, &[late.new + late.shift], late.weight);
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
        let shift = if late.column == Column::Quality { late.shift } else { 0.0 };
        before[at - first] = old + shift;
        let mut after = before.clone();
        after[at - first] = late.new + shift;
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

    /// Draws the slopes of the terms towards those that arms have in common. What answers cost is each arm's own.
    pub(crate) fn draw_slopes(&mut self, prior: &Prior, to: &Shrinkage, scratch: &mut Scratch) {
        let (quality, others) = to.slopes.split_at(to.slopes.len() / REWARD_COLUMNS);
        match &mut self.preview {
            None => self.judged.draw_slopes(prior, to.strength, &to.slopes, scratch),
            Some(preview) => {
                self.judged.draw_slopes(prior, to.strength, quality, scratch);
                preview.draw_slopes(prior, to.strength, others, scratch);
            }
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
