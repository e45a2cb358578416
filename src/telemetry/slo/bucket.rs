//! Sums over the last steps of time, in a ring: adding and reading are constant in the number of runs, and
//! a step that is long past is overwritten when its place is needed again.

use std::time::Duration;

use super::BUCKETS;

/// What runs spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    /// Of the error budget, in the unit of the indicator.
    pub spent: f64,
    /// What it is divided by.
    pub base: f64,
    /// How many runs.
    pub runs: u64,
}

impl Sum {
    /// Spent for one; where nothing counts (no run was resolved) all of it is spent on none, so on one.
    pub(super) fn mean(&self) -> f64 {
        self.spent / self.base.max(1.0)
    }
}

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    step: Duration,
    /// A step's number and its sum.
    places: Vec<(u64, Sum)>,
}

impl Ring {
    pub(super) fn new(window: Duration) -> Self {
        let step = (window / u32::try_from(BUCKETS).unwrap_or(u32::MAX)).max(Duration::from_millis(1));
        Self { step, places: vec![(0, Sum::default()); BUCKETS] }
    }

    /// How long a step is.
    pub(super) const fn step(&self) -> Duration {
        self.step
    }

    fn number(&self, now: Duration) -> u64 {
        // Counted from 1: a place that was never used is of step 0.
        1 + u64::try_from(now.as_nanos() / self.step.as_nanos().max(1)).unwrap_or(u64::MAX - 1)
    }

    pub(super) fn add(&mut self, now: Duration, sum: Sum) {
        let number = self.number(now);
        let at = usize::try_from(number % BUCKETS as u64).unwrap_or_default();
        let Some((held, total)) = self.places.get_mut(at) else { return };
        if *held > number {
            // Of the last round: its place is needed for a newer step.
            return;
        }
        if *held < number {
            (*held, *total) = (number, Sum::default());
        }
        total.spent += sum.spent;
        total.base += sum.base;
        total.runs += sum.runs;
    }

    /// Adds to what the step of `then` spent and is divided by, or that beside it, where its runs were taken in a
    /// moment sooner or later; nothing where it is long past.
    pub(super) fn amend(&mut self, then: Duration, spent: f64, base: f64) {
        let number = self.number(then);
        let near = [number, number + 1, number.saturating_sub(1)];
        let found = near.iter().find_map(|near| self.places.iter().position(|(held, _)| held == near));
        if let Some((_, total)) = found.and_then(|at| self.places.get_mut(at)) {
            total.spent += spent;
            total.base += base;
        }
    }

    /// The sum over the last `steps`, the running one included.
    pub(super) fn sum(&self, now: Duration, steps: u64) -> Sum {
        let number = self.number(now);
        let recent = self.places.iter().filter(|(held, _)| *held <= number && *held + steps > number);
        recent.fold(Sum::default(), |all, (_, sum)| Sum {
            spent: all.spent + sum.spent,
            base: all.base + sum.base,
            runs: all.runs + sum.runs,
        })
    }
}
