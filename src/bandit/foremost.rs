//! Which of several independent scores is the highest: the propensities of posterior draws where one arm is
//! chosen. A score is normal, and where a policy adds at least so much to a mean, cut off there:
//!
//! ```text
//! Fᵢ(t) = 0 below the floor, Φ((t − mᵢ)/sᵢ) from there on        P(i first) = ∫ Πⱼ≠ᵢ Fⱼ(t) dFᵢ(t)
//! ```
//!
//! A sum over cells of a grid that knows every scale: the mass of a cell is exact for each score, the product
//! of the others is averaged over its ends, and an atom at a floor has a cell of its own. Nothing is drawn, so
//! that what is stated does not depend on who was taken.

use super::normal::cumulative;

/// Standard deviations beyond which a score is not looked for.
const SPAN: f64 = 7.0;
/// Nodes of all scores together, and of each at least and at most.
const NODES: usize = 320;
const EACH: (usize, usize) = (13, 61);

/// One score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    pub(super) mean: f64,
    /// At least 0.
    pub(super) sd: f64,
    /// It is never lower than this; −∞ where nothing holds it up.
    pub(super) floor: f64,
}

impl Score {
    fn reaches(&self, z: f64) -> f64 {
        (self.mean + z * self.sd.max(1e-12)).max(self.floor)
    }

    fn below(&self, t: f64) -> f64 {
        if t < self.floor { 0.0 } else { cumulative((t - self.mean) / self.sd.max(1e-12)) }
    }
}

/// Buffers that are kept between calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Foremost {
    /// As they were given.
    pub(super) scores: Vec<Score>,
    /// The probability that each is the highest, in [0, 1]: together 1.
    pub(super) probability: Vec<f64>,
    /// Those that have a chance.
    contending: Vec<usize>,
    nodes: Vec<f64>,
    /// By contender at the last node and at this one: Fᵢ, and the product of the others.
    before: Vec<[f64; 2]>,
    here: Vec<[f64; 2]>,
}

impl Foremost {
    /// Writes `probability` of `scores`.
    pub(super) fn work_out(&mut self) {
        let scores = &self.scores;
        self.probability.clear();
        self.probability.resize(scores.len(), 0.0);
        let low = scores.iter().map(|score| score.reaches(-SPAN)).fold(f64::NEG_INFINITY, f64::max);
        self.contending.clear();
        self.contending.extend((0..scores.len()).filter(|i| scores[*i].reaches(SPAN) >= low));
        self.lay_nodes(low);
        self.look(low.next_down());
        for at in 0..self.nodes.len() {
            std::mem::swap(&mut self.before, &mut self.here);
            self.look(self.nodes[at]);
            for ((&i, before), here) in self.contending.iter().zip(&self.before).zip(&self.here) {
                self.probability[i] += (here[0] - before[0]).max(0.0) * f64::midpoint(before[1], here[1]);
            }
        }
        let total: f64 = self.probability.iter().sum();
        if total > 0.0 {
            self.probability.iter_mut().for_each(|p| *p /= total);
        }
    }

    /// Denser around each mean, as far as a score of all of them can be the highest.
    fn lay_nodes(&mut self, low: f64) {
        let each = (NODES / self.contending.len().max(1)).clamp(EACH.0, EACH.1);
        self.nodes.clear();
        self.nodes.push(low);
        for &i in &self.contending {
            let score = self.scores[i];
            let place = |n: usize| {
                let u = 2.0 * n as f64 / (each - 1) as f64 - 1.0;
                score.reaches(SPAN * u * (0.3 + 0.7 * u * u))
            };
            self.nodes.extend((0..each).map(place));
            if score.floor > f64::NEG_INFINITY {
                self.nodes.extend([score.floor.next_down(), score.floor]);
            }
        }
        self.nodes.retain(|t| *t >= low);
        self.nodes.sort_unstable_by(f64::total_cmp);
    }

    /// Fᵢ and the product of the others at `t`, by contender.
    fn look(&mut self, t: f64) {
        self.here.clear();
        let mut product = 1.0;
        for &i in &self.contending {
            let below = self.scores[i].below(t);
            self.here.push([below, product]);
            product *= below;
        }
        let mut product = 1.0;
        for here in self.here.iter_mut().rev() {
            here[1] *= product;
            product *= here[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::normal::draw_normal;
    use super::*;

    fn free(mean: f64, sd: f64) -> Score {
        Score { mean, sd, floor: f64::NEG_INFINITY }
    }

    fn found(scores: &[Score]) -> Vec<f64> {
        let mut foremost = Foremost { scores: scores.to_vec(), ..Foremost::default() };
        foremost.work_out();
        foremost.probability
    }

    #[test]
    fn of_two_it_is_known_in_closed_form() {
        for (a, b) in
            [((0.0, 1.0), (0.5, 1.0)), ((0.9, 0.01), (0.8, 0.3)), ((0.2, 1e-6), (0.1, 0.2)), ((0.5, 0.1), (0.2, 0.1))]
        {
            let exact = cumulative((a.0 - b.0) / f64::hypot(a.1, b.1));
            let found = found(&[free(a.0, a.1), free(b.0, b.1)]);
            assert!((found[0] - exact).abs() < 3e-4, "{} {exact}", found[0]);
            assert!((found[1] / (1.0 - exact) - 1.0).abs() < 0.02, "small chances too: {} {}", found[1], 1.0 - exact);
        }
        let sure = found(&[free(0.4, 0.0), free(0.5, 0.0)]);
        assert!(sure[1] > 1.0 - 1e-12, "{sure:?}");
        assert_eq!(found(&[]), Vec::<f64>::new());
    }

    #[test]
    fn many_draws_agree() {
        const DRAWS: u32 = 200_000;
        let mut rng = fastrand::Rng::with_seed(3);
        let mut pools = vec![
            vec![free(0.5, 0.1), free(0.55, 0.02), free(0.6, 0.2)],
            vec![free(0.5, 0.1), Score { floor: 0.58, ..free(0.45, 0.1) }, Score { floor: 0.6, ..free(0.5, 0.05) }],
        ];
        for n in [11, 29] {
            pools.push((0..n).map(|_| free(0.7 + 0.1 * rng.f64(), 0.005 + 0.1 * rng.f64())).collect());
        }
        for pool in pools {
            let mut first = vec![0_u32; pool.len()];
            for _ in 0..DRAWS {
                let drawn = pool.iter().map(|s| (s.mean + s.sd * draw_normal(&mut || rng.f64())).max(s.floor));
                let highest = drawn.enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
                first[highest.unwrap().0] += 1;
            }
            let found = found(&pool);
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (p, count) in found.iter().zip(first) {
                let share = f64::from(count) / f64::from(DRAWS);
                let noise = (share * (1.0 - share) / f64::from(DRAWS)).sqrt();
                assert!((p - share).abs() < 4.0 * noise + 2e-3, "{} arms: {p} {share}", pool.len());
            }
        }
    }
}
