//! Choosing k arms for the best of them.
//!
//! A race serves whichever of its arms is judged best, so a set is worth the expected reward of *that*
//! arm, not the mean of its members: an arm that is good where the others are weak is worth more beside
//! them than one that is good where they are. The first arm taken is the policy's argmax, so k = 1 is the
//! policy itself. Each further one is taken for what it changes about the reward of what is served:
//!
//! ```text
//! ω·gain + P(it wins)·(its rest − rest of the set) + chance·bonus
//! gain = min over the set's arms i of ratio(i, j)·E[(qⱼ − qᵢ)⁺]
//! ```
//!
//! with `rest` everything but ω·quality, and `bonus` what the policy adds to a mean for its uncertainty, which
//! counts by the chance that the arm is served. Expectations take qualities as normals that move together as far as
//! races showed, and `ratio` is what races showed to be wrong about that: see `beside.rs`. That chance is
//! ratio(i, j)·P(qⱼ > qᵢ) of *independent* ones, so that an arm about which little is known is not passed over for
//! moving like another. Beside several arms an arm adds no more than beside any one of them.

use super::beside::{Correction, guess};
use super::lens::Standing;

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
    /// What a ceiling of dollars takes off its score: reward per dollar times its expected dollars.
    pub price: f64,
    /// The policy's addition is at least this many uncertainties.
    pub least_alpha: f64,
    /// What arms are ranked by: mean plus bonus less price.
    pub score: f64,
    /// Taken before any score decides (higher first); 0 for arms with enough observations.
    pub urgency: f64,
    /// The probability with which it is selected.
    pub propensity: f64,
    /// How guesses about it are usually corrected.
    pub usually: Correction,
    /// What is left of its races, as a share.
    pub left: f64,
    /// What it adds to the set so far, in units of quality.
    gain: f64,
    /// How often it would be judged better than all of the set so far.
    wins: f64,
    /// The same were qualities independent, as far as races bear it out.
    chance: f64,
}

impl Contender {
    /// As it stands, before a policy has spoken. `quality_weight` is ω.
    pub(crate) fn new(arm: usize, standing: Standing, quality_weight: f64, urgency: f64) -> Self {
        let rest = standing.mean - quality_weight * standing.quality;
        let (usually, left) = (Correction::default(), 1.0);
        Self { arm, standing, rest, score: standing.mean, urgency, usually, left, ..Self::default() }
    }

    /// With what the policy adds to the mean.
    pub(crate) fn with_bonus(self, bonus: f64) -> Self {
        let bonus =
            if self.least_alpha > 0.0 { bonus.max(self.least_alpha * self.standing.uncertainty) } else { bonus };
        Self { bonus, score: self.standing.mean + bonus - self.price, ..self }
    }

    /// At that price: whoever is served costs its answer.
    pub(crate) fn priced(self, price: f64) -> Self {
        Self { price, rest: self.rest - price, score: self.score - price, ..self }
    }
}

/// Up to `k` of the positions `open` in `contenders`, in the order in which they were taken, written into
/// `chosen`. `quality_weight` is ω; `read` says, of one taken and one not yet taken, how the guess about the latter
/// beside the former is corrected.
pub(crate) fn choose(
    contenders: &mut [Contender],
    open: &[usize],
    k: usize,
    quality_weight: f64,
    read: impl Fn(&Contender, &Contender) -> Correction,
    chosen: &mut Vec<usize>,
) {
    chosen.clear();
    let k = k.min(open.len());
    let first = best(open, |i| (contenders[i].urgency, contenders[i].score));
    let Some(first) = first.filter(|_| k > 0) else { return };
    chosen.push(first);
    let mut rest = contenders[first].rest;
    for &i in open {
        let contender = &mut contenders[i];
        (contender.gain, contender.wins, contender.chance) = (f64::INFINITY, 1.0, 1.0);
    }
    let mut newest = contenders[first];
    while chosen.len() < k {
        for &i in open {
            let contender = &mut contenders[i];
            let Correction { ratio, share } = read(&newest, contender);
            let (gain, wins) = guess(&newest.standing, &contender.standing, share);
            let (_, apart) = guess(&newest.standing, &contender.standing, 1.0);
            contender.gain = contender.gain.min(gain * ratio);
            contender.wins = contender.wins.min(wins);
            contender.chance = contender.chance.min(apart * ratio);
        }
        let worth = |c: &Contender| quality_weight * c.gain + c.wins * (c.rest - rest) + c.chance * c.bonus;
        let left = open.iter().filter(|i| !chosen.contains(i));
        let Some(next) = best(left, |i| (contenders[i].urgency, worth(&contenders[i]))) else { break };
        chosen.push(next);
        newest = contenders[next];
        rest += newest.wins * (newest.rest - rest);
    }
}

/// The first of those with the highest value: ties stay with the earlier, in configured order.
fn best<'a>(of: impl IntoIterator<Item = &'a usize>, value: impl Fn(usize) -> (f64, f64)) -> Option<usize> {
    let valued = of.into_iter().map(|&i| (i, value(i)));
    valued.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(quality: f64, sd: f64, rest: f64) -> Contender {
        let standing = Standing { mean: quality + rest, quality, quality_variance: sd * sd, ..Standing::default() };
        Contender::new(0, standing, 1.0, 0.0)
    }

    fn chosen(contenders: &[Contender], k: usize) -> Vec<usize> {
        chosen_with(contenders, k, |_, _| 1.0)
    }

    fn chosen_with(contenders: &[Contender], k: usize, ratio: impl Fn(&Contender, &Contender) -> f64) -> Vec<usize> {
        let mut out = Vec::new();
        let open: Vec<usize> = (0..contenders.len()).collect();
        let mut contenders = contenders.to_vec();
        contenders.iter_mut().enumerate().for_each(|(at, c)| c.arm = at);
        let read = |i: &Contender, j: &Contender| Correction { ratio: ratio(i, j), share: 1.0 };
        choose(&mut contenders, &open, k, 1.0, read, &mut out);
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
    fn an_arm_that_races_showed_to_add_little_is_left_for_one_that_adds_more() {
        let arms = [contender(0.80, 0.2, 0.0), contender(0.79, 0.2, 0.0), contender(0.70, 0.2, 0.0)];
        assert_eq!(chosen(&arms, 2), [0, 1]);
        let twins = |i: &Contender, j: &Contender| if i.arm.max(j.arm) == 1 { 0.1 } else { 1.0 };
        assert_eq!(chosen_with(&arms, 2, twins), [0, 2]);
        // Beside both of the taken, the better of two twins adds no more than beside its twin.
        let four = [arms[0], arms[2], arms[1], contender(0.60, 0.2, 0.0)];
        let twins = |i: &Contender, j: &Contender| if i.arm + j.arm == 2 { 0.1 } else { 1.0 };
        assert_eq!(chosen_with(&four, 3, twins), [0, 1, 3]);
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
