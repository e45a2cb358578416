//! What is replayed: anything that chooses arms for a context and learns from what it then sees. The
//! routers of the `bandit` room are behind this trait in `routed.rs`; here are the references that they
//! must beat, none of which reads the context.

use super::problem::Outcome;
use super::statistics::pick;
use crate::domain::command::PreviewTerms;

/// What a policy learns about one arm that it chose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Position among the arms.
    pub arm: usize,
    /// As judged, in [0, 1].
    pub quality: f64,
    /// The reward that follows from the judged quality, in [0, 1].
    pub reward: f64,
    /// The other terms, where they carry weight.
    pub terms: Option<PreviewTerms>,
    /// Dollars of its full answer, where its answer was served and the cost is known.
    pub dollars: Option<f64>,
    /// Whether its answer was served: judged best of the race.
    pub served: bool,
    /// Whether more than one arm raced.
    pub raced: bool,
}

impl Seen {
    /// A recorded outcome as it is seen before anything was served.
    pub(super) fn of(arm: usize, outcome: &Outcome, raced: bool) -> Self {
        let &Outcome { quality, reward, terms, dollars, .. } = outcome;
        Self { arm, quality, reward, terms, dollars, served: false, raced }
    }
}

/// Chooses arms and learns.
pub trait Policy {
    /// Writes min(k, open arms) positions out of `open` (ascending, never empty) into `chosen`, which is
    /// empty, best first. `draw` gives uniforms in [0, 1).
    fn choose(&mut self, x: &[f64], open: &[usize], k: usize, draw: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>);

    /// What counts begins now: what was learnt from before stays, an account of spending begins anew.
    fn begin(&mut self) {}

    /// Learns what was seen of the arms that were chosen for `x`.
    fn learn(&mut self, x: &[f64], seen: &[Seen]);

    /// This arm is not open from now on.
    fn leaves(&mut self, _arm: usize) {}

    /// This arm is open from now on, and nothing is known of it.
    fn joins(&mut self, _arm: usize) {}
}

/// The arms in the order of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InOrder;

impl Policy for InOrder {
    fn choose(&mut self, _x: &[f64], open: &[usize], k: usize, _: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>) {
        chosen.extend(open.iter().take(k));
    }

    fn learn(&mut self, _x: &[f64], _seen: &[Seen]) {}
}

/// Every set of k arms is equally likely.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uniform;

impl Policy for Uniform {
    fn choose(&mut self, _x: &[f64], open: &[usize], k: usize, draw: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>) {
        chosen.extend_from_slice(open);
        for at in 0..k.min(open.len()) {
            chosen.swap(at, at + pick(open.len() - at, draw));
        }
        chosen.truncate(k);
    }

    fn learn(&mut self, _x: &[f64], _seen: &[Seen]) {}
}

/// The same arms always, in this order; the best set in hindsight is one of these.
#[derive(Clone, Debug)]
pub(super) struct Always(pub(super) Vec<usize>);

impl Policy for Always {
    fn choose(&mut self, _x: &[f64], open: &[usize], k: usize, _: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>) {
        chosen.extend(self.0.iter().filter(|arm| open.contains(arm)).take(k));
        // Where a row lacks them, the next best thing is any other.
        let missing = k.min(open.len()) - chosen.len();
        let others: Vec<usize> = open.iter().filter(|arm| !chosen.contains(arm)).take(missing).copied().collect();
        chosen.extend(others);
    }

    fn learn(&mut self, _x: &[f64], _seen: &[Seen]) {}
}

/// With probability `epsilon` any arms, else those with the best mean reward so far; an arm never tried
/// counts as the best. The plain thing that anyone would write first.
#[derive(Clone, Debug)]
pub(super) struct EpsilonGreedy {
    epsilon: f64,
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl EpsilonGreedy {
    /// `epsilon` in [0, 1], for `arms` arms.
    #[must_use]
    pub(super) fn new(epsilon: f64, arms: usize) -> Self {
        Self { epsilon, sums: vec![0.0; arms], counts: vec![0.0; arms] }
    }

    fn mean(&self, arm: usize) -> f64 {
        if self.counts[arm] > 0.0 { self.sums[arm] / self.counts[arm] } else { f64::INFINITY }
    }
}

impl Policy for EpsilonGreedy {
    fn choose(&mut self, x: &[f64], open: &[usize], k: usize, draw: &mut dyn FnMut() -> f64, chosen: &mut Vec<usize>) {
        if draw() < self.epsilon {
            return Uniform.choose(x, open, k, draw, chosen);
        }
        chosen.extend_from_slice(open);
        chosen.sort_by(|a, b| self.mean(*b).total_cmp(&self.mean(*a)));
        chosen.truncate(k);
    }

    fn learn(&mut self, _x: &[f64], seen: &[Seen]) {
        for seen in seen {
            self.sums[seen.arm] += seen.reward;
            self.counts[seen.arm] += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(policy: &mut dyn Policy, open: &[usize], k: usize, u: f64) -> Vec<usize> {
        let mut chosen = Vec::new();
        policy.choose(&[1.0], open, k, &mut || u, &mut chosen);
        chosen
    }

    fn saw(arm: usize, reward: f64) -> Seen {
        Seen { arm, quality: reward, reward, terms: None, dollars: None, served: true, raced: false }
    }

    #[test]
    fn references_choose_exactly_what_is_open() {
        let policies: [Box<dyn Policy>; 4] =
            [Box::new(InOrder), Box::new(Uniform), Box::new(Always(vec![2, 0])), Box::new(EpsilonGreedy::new(0.1, 4))];
        for mut policy in policies {
            for (open, k, u) in [(vec![0, 1, 2, 3], 2, 0.05), (vec![1, 3], 3, 0.9), (vec![3], 1, 0.0)] {
                let mut found = chosen(policy.as_mut(), &open, k, u);
                assert_eq!(found.len(), k.min(open.len()));
                found.sort_unstable();
                found.dedup();
                assert!(found.len() == k.min(open.len()) && found.iter().all(|arm| open.contains(arm)));
            }
        }
    }

    #[test]
    fn greed_follows_the_mean_after_everything_was_tried() {
        let mut policy = EpsilonGreedy::new(0.1, 3);
        policy.learn(&[], &[saw(0, 0.2), saw(1, 0.9)]);
        assert_eq!(chosen(&mut policy, &[0, 1, 2], 1, 0.5), [2], "never tried comes first");
        policy.learn(&[], &[saw(2, 0.5), saw(1, 0.0)]);
        assert_eq!(chosen(&mut policy, &[0, 1, 2], 2, 0.5), [2, 1], "0.5 and 0.45");
        assert_eq!(chosen(&mut policy, &[0, 1, 2], 1, 0.0), [0], "an exploring draw");
    }

    #[test]
    fn the_same_arms_always_yield_where_a_row_lacks_them() {
        assert_eq!(chosen(&mut Always(vec![2, 0]), &[0, 1, 2], 2, 0.0), [2, 0]);
        assert_eq!(chosen(&mut Always(vec![2]), &[0, 1], 1, 0.0), [0]);
    }
}
