//! What could be met: every row once where nothing changes, else every request of every pass as it was at that
//! request, with arms that answer worse, cost something else or are not there yet. What is worked out in hindsight
//! (`yardsticks.rs`) is worked out of this, so that it is about the same world as what a policy earned.

use super::drift::Drift;
use super::pass::Pass;
use super::problem::{Outcome, Problem};

/// The rows of one pass in their order, and what changed on the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    pub(super) order: Vec<usize>,
    pub(super) drift: Drift,
}

/// See above.
#[derive(Clone, Debug)]
pub(super) struct Ground<'a> {
    problem: &'a Problem,
    /// None where nothing changes.
    courses: Vec<Course>,
}

impl<'a> Ground<'a> {
    /// The records as they are, or as these courses met them.
    pub(super) const fn new(problem: &'a Problem, courses: Vec<Course>) -> Self {
        Self { problem, courses }
    }

    /// What these passes met.
    pub(super) fn of(problem: &'a Problem, passes: &[Pass]) -> Self {
        Self::new(problem, passes.iter().filter_map(|pass| pass.course.clone()).collect())
    }

    /// The number of arms.
    pub(super) fn arms(&self) -> usize {
        self.problem.arms().len()
    }

    /// Shows every request on which anybody could answer: what each arm was worth, `None` where it was not there.
    pub(super) fn each(&self, take: &mut dyn FnMut(&[Option<Outcome>])) {
        let mut show = |outcomes: &[Option<Outcome>]| {
            if outcomes.iter().any(Option::is_some) {
                take(outcomes);
            }
        };
        if self.courses.is_empty() {
            (0..self.problem.rows()).for_each(|row| show(self.problem.outcomes(row)));
        }
        let mut met = vec![None; self.arms()];
        for Course { order, drift } in &self.courses {
            for (step, row) in order.iter().enumerate() {
                for (arm, slot) in met.iter_mut().enumerate() {
                    let recorded = self.problem.outcome(*row, arm).filter(|_| drift.is_there(step, arm));
                    *slot = recorded.map(|outcome| drift.bend(step, arm, outcome, self.problem.counting()));
                }
                show(&met);
            }
        }
    }
}
