//! What following λ costs: expected dollars of a request as a function of λ, tabulated over recent
//! contexts, and the λ that meets a target of dollars. When it is tabulated and what the target is are the
//! account's matter, in `pacer.rs`.

use crate::bandit::state::RouterState;

/// Points of λ that are tabulated: 12 a decade from 1e-6 to 1e3, and 0.
pub(in crate::bandit) const GRID: usize = 109;

/// λ at a place of the table.
pub(super) fn lambda_at(place: usize) -> f64 {
    if place == 0 { 0.0 } else { 1e-6 * 10f64.powf((place - 1) as f64 / 12.0) }
}

/// The largest λ of the table.
pub(super) fn steepest() -> f64 {
    lambda_at(GRID - 1)
}

/// λ that costs a target in the mean: one of two neighbours by turns, in the proportion that meets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bandit) struct Turns {
    /// The place of the dearer, of the cheaper, and the share of turns of the dearer.
    dear: usize,
    cheap: usize,
    share: f64,
}

impl Turns {
    /// Always the same.
    pub(in crate::bandit) const fn fixed(place: usize) -> Self {
        Self { dear: place, cheap: place, share: 0.0 }
    }

    /// At `cheap`, the first place that costs no more than `target`, it costs `dollars.1`, and `dollars.0` at the place before.
    pub(in crate::bandit) fn between(cheap: usize, dollars: (f64, f64), target: f64) -> Self {
        let (dear, less) = dollars;
        let share = if dear > less { (target - less) / (dear - less) } else { 0.0 };
        Self { dear: cheap.saturating_sub(1), cheap, share }
    }

    /// λ at `step`.
    pub(in crate::bandit) fn lambda(self, step: u64) -> f64 {
        let turn = (step as f64 * 0.618_033_988_749_895).fract();
        lambda_at(if turn < self.share { self.dear } else { self.cheap })
    }
}

/// λ at which the table costs `target`, as it is at `step`.
pub(super) fn lambda_for(curve: &[f64], target: f64, step: u64) -> f64 {
    let turns = match curve.iter().position(|dollars| *dollars <= target) {
        None if curve.is_empty() => Turns::fixed(0),
        None => Turns::fixed(GRID - 1),
        Some(0) => Turns::fixed(0),
        Some(place) => Turns::between(place, (curve[place - 1], curve[place]), target),
    };
    turns.lambda(step)
}

impl RouterState {
    /// Expected dollars of a request by λ, over `contexts`; nothing without any. `offers` is a buffer.
    pub(super) fn tabulate<'a>(
        &self,
        ceiling: f64,
        contexts: impl Iterator<Item = &'a [f64]>,
        offers: &mut Vec<(f64, f64)>,
        curve: &mut Vec<f64>,
    ) {
        let arms = || self.arms.iter().filter(|arm| arm.pool.lifecycle.is_candidate());
        let width = arms().count();
        offers.clear();
        curve.clear();
        let mut rows = 0.0;
        for x in contexts {
            rows += 1.0;
            offers.extend(arms().map(|arm| (arm.lens.mean(x), arm.expected_dollars(x))));
        }
        if offers.is_empty() {
            return;
        }
        let cost = |place: usize| {
            let per_dollar = lambda_at(place) / ceiling;
            let best = |row: &[(f64, f64)]| {
                let mut best = (f64::NEG_INFINITY, 0.0);
                for (mean, dollars) in row {
                    let value = mean - per_dollar * dollars;
                    if value > best.0 {
                        best = (value, *dollars);
                    }
                }
                best.1
            };
            offers.chunks_exact(width).map(best).sum::<f64>() / rows
        };
        curve.extend((0..GRID).map(cost));
    }
}
