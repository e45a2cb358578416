//! Choosing k arms for the best of them.
//!
//! A race serves whichever of its arms is judged best, so a set is worth the expected reward of *that*
//! arm, not the mean of its members: an arm that is good where the others are weak is worth more beside
//! them than one that is good where they are. With qualities qᵢ ~ N(μᵢ, sᵢ²) and the rest of the reward
//! oᵢ (everything but ω·quality), a set S is worth ω·E[max qᵢ] + Σ P(i is judged best)·oᵢ. The set grows
//! greedily by worth plus what the policy adds to a mean for its uncertainty (every judged preview
//! teaches, served or not). The first arm taken is the policy's argmax, so k = 1 is the policy itself.
//!
//! The largest of a growing set is moment-matched by a normal (Clark 1961): one closed form per candidate.
//! Qualities are taken as independent given the context.

use super::normal::{cumulative, density};
use super::stats::Standing;

/// One candidate, at one context.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Contender {
    /// Position in the pool.
    pub arm: usize,
    /// How it stands.
    pub standing: Standing,
    /// The expected rest of the reward o.
    pub rest: f64,
    /// What the policy adds to the mean.
    pub bonus: f64,
    /// What arms are ranked by: mean plus bonus.
    pub score: f64,
    /// Taken before any score decides (higher first); 0 for arms with enough observations.
    pub urgency: f64,
    /// The probability with which it is selected.
    pub propensity: f64,
}

impl Contender {
    /// As it stands, before a policy has spoken. `quality_weight` is ω.
    pub(crate) fn new(arm: usize, standing: Standing, quality_weight: f64, urgency: f64) -> Self {
        let rest = standing.mean - quality_weight * standing.quality;
        Self { arm, standing, rest, bonus: 0.0, score: standing.mean, urgency, propensity: 0.0 }
    }

    /// With what the policy adds to the mean.
    pub(crate) fn with_bonus(self, bonus: f64) -> Self {
        Self { bonus, score: self.standing.mean + bonus, ..self }
    }
}

/// The best of a set, as one normal quality with an expected rest.
#[derive(Clone, Copy, Debug)]
struct Best {
    quality: f64,
    variance: f64,
    rest: f64,
}

impl Best {
    const fn of(c: &Contender) -> Self {
        Self { quality: c.standing.quality, variance: c.standing.quality_variance, rest: c.rest }
    }

    fn with(&self, c: &Contender) -> Self {
        let (quality, variance) = (c.standing.quality, c.standing.quality_variance);
        let theta = (self.variance + variance).sqrt().max(1e-9);
        let gap = (self.quality - quality) / theta;
        let (stays, bell) = (cumulative(gap), density(gap));
        let falls = 1.0 - stays;
        let mean = self.quality * stays + quality * falls + theta * bell;
        let square = (self.quality * self.quality + self.variance) * stays
            + (quality * quality + variance) * falls
            + (self.quality + quality) * theta * bell;
        Self { quality: mean, variance: (square - mean * mean).max(0.0), rest: self.rest * stays + c.rest * falls }
    }
}

/// Up to `k` of the positions `open` in `contenders`, in the order in which they were taken, written into
/// `chosen`. `quality_weight` is ω.
pub(crate) fn choose(contenders: &[Contender], open: &[usize], k: usize, quality_weight: f64, chosen: &mut Vec<usize>) {
    chosen.clear();
    let mut best: Option<Best> = None;
    while chosen.len() < k.min(open.len()) {
        let gain = |c: &Contender| match &best {
            None => c.score,
            Some(best) => {
                let with = best.with(c);
                quality_weight * with.quality + with.rest + c.bonus
            }
        };
        let left = open.iter().copied().filter(|i| !chosen.contains(i));
        let next = left.map(|i| (i, contenders[i].urgency, gain(&contenders[i]))).reduce(|a, b| {
            // Ties stay with the earlier: configured order.
            if (b.1, b.2) > (a.1, a.2) { b } else { a }
        });
        let Some((next, ..)) = next else { break };
        chosen.push(next);
        if chosen.len() < k {
            best = Some(best.map_or_else(|| Best::of(&contenders[next]), |best| best.with(&contenders[next])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(quality: f64, sd: f64, rest: f64) -> Contender {
        let standing = Standing { mean: quality + rest, uncertainty: 0.0, quality, quality_variance: sd * sd };
        Contender::new(0, standing, 1.0, 0.0)
    }

    fn chosen(contenders: &[Contender], k: usize) -> Vec<usize> {
        let mut out = Vec::new();
        let open: Vec<usize> = (0..contenders.len()).collect();
        choose(contenders, &open, k, 1.0, &mut out);
        out
    }

    #[test]
    fn one_arm_is_the_argmax_and_the_first_among_equals() {
        let arms = [contender(0.5, 0.1, 0.0), contender(0.7, 0.1, 0.0), contender(0.7, 0.3, 0.0)];
        assert_eq!(chosen(&arms, 1), [1]);
        assert_eq!(chosen(&arms, 9).len(), 3);
    }

    #[test]
    fn an_arm_that_is_sometimes_brilliant_beats_one_that_is_always_nearly_as_good() {
        let arms = [contender(0.80, 0.02, 0.0), contender(0.79, 0.02, 0.0), contender(0.70, 0.30, 0.0)];
        assert_eq!(chosen(&arms, 2), [0, 2]);
    }

    #[test]
    fn an_arm_that_would_win_every_race_at_a_poor_reward_is_left_out() {
        let cheap = [contender(0.6, 0.05, 0.3), contender(0.58, 0.05, 0.3), contender(0.75, 0.05, 0.0)];
        assert_eq!(chosen(&cheap, 2), [0, 1]);
    }

    #[test]
    fn an_untried_arm_goes_first() {
        let mut arms = [contender(0.9, 0.1, 0.0), contender(0.1, 0.1, 0.0), contender(0.2, 0.1, 0.0)];
        arms[1].urgency = 2.0;
        assert_eq!(chosen(&arms, 2), [1, 0]);
    }
}
