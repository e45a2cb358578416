//! The normal distribution, and which of several independent normals is the largest. Closed forms and
//! fixed quadrature only: the same input gives the same answer.

use std::f64::consts::TAU;

/// 1/√2π.
const ROOT_OF_TAU_INVERSE: f64 = 0.398_942_280_401_432_7;

/// The distribution function of a standard normal, to about 1e-15 (Hart 1968, as given by West 2005).
pub(crate) fn cumulative(z: f64) -> f64 {
    both(z).0
}

/// Distribution function and density of a standard normal: they share their exponential.
pub(crate) fn both(z: f64) -> (f64, f64) {
    const TOP: [f64; 7] = [
        3.526_249_659_989_11e-2,
        0.700_383_064_443_688,
        6.373_962_203_531_65,
        33.912_866_078_383,
        112.079_291_497_871,
        221.213_596_169_931,
        220.206_867_912_376,
    ];
    const BOTTOM: [f64; 8] = [
        8.838_834_764_831_84e-2,
        1.755_667_163_182_64,
        16.064_177_579_207,
        86.780_732_202_946_1,
        296.564_248_779_674,
        637.333_633_378_831,
        793.826_512_519_948,
        440.413_735_824_752,
    ];
    let size = z.abs();
    let bell = (-0.5 * size * size).exp();
    let tail = if size > 37.0 {
        0.0
    } else if size < 7.071_067_811_865_47 {
        let horner = |c: &[f64]| c.iter().fold(0.0, |sum, c| sum * size + c);
        bell * horner(&TOP) / horner(&BOTTOM)
    } else {
        let fraction = [4.0, 3.0, 2.0, 1.0].iter().fold(size + 0.65, |below, over| size + over / below);
        bell / fraction / 2.506_628_274_631
    };
    (if z > 0.0 { 1.0 - tail } else { tail }, bell * ROOT_OF_TAU_INVERSE)
}

/// A standard normal from two uniforms in [0, 1) (Box and Muller 1958).
pub(crate) fn draw_normal(draw: &mut dyn FnMut() -> f64) -> f64 {
    let radius = (-2.0 * (1.0 - draw()).max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * (TAU * draw()).cos()
}

/// An independent normal: mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normal {
    pub mean: f64,
    pub sd: f64,
}

impl Normal {
    fn below(&self, t: f64) -> f64 {
        cumulative((t - self.mean) / self.sd.max(1e-9))
    }
}

/// Where the quadrature looks, in standard deviations from each mean.
const NODES: [f64; 11] = [-5.0, -3.2, -2.2, -1.4, -0.7, 0.0, 0.7, 1.4, 2.2, 3.2, 5.0];

/// Which of independent normals is the largest, with buffers that are kept between calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Largest {
    /// The probability that each is the largest, summing to 1.
    pub probability: Vec<f64>,
    /// The expected largest value.
    pub expected: f64,
    nodes: Vec<f64>,
    before: Vec<f64>,
    here: Vec<f64>,
}

impl Largest {
    /// Integrates ∫ Πⱼ≠ᵢ Fⱼ dFᵢ on a grid that knows every scale: nodes of every normal, merged. The
    /// mass of a cell is exact for each normal, however narrow; within a cell the rest is averaged.
    pub(crate) fn of(&mut self, normals: &[Normal]) {
        let n = normals.len();
        self.probability.clear();
        self.probability.resize(n, 0.0);
        self.nodes.clear();
        self.nodes.extend(normals.iter().flat_map(|p| NODES.iter().map(|z| p.mean + z * p.sd.max(1e-9))));
        self.nodes.sort_by(f64::total_cmp);
        self.before.clear();
        self.before.resize(n, 0.0);
        self.expected = 0.0;
        let mut all_before = 0.0;
        let mut last = self.nodes.first().copied().unwrap_or(0.0);
        for at in 0..self.nodes.len() {
            let t = self.nodes[at];
            self.here.clear();
            self.here.extend(normals.iter().map(|p| p.below(t)));
            let all: f64 = self.here.iter().product();
            for i in 0..n {
                let mass = self.here[i] - self.before[i];
                if mass > 0.0 {
                    let others = |f: &[f64]| (0..n).filter(|j| *j != i).map(|j| f[j]).product::<f64>();
                    self.probability[i] += mass * f64::midpoint(others(&self.before), others(&self.here));
                }
            }
            self.expected += f64::midpoint(last, t) * (all - all_before);
            std::mem::swap(&mut self.before, &mut self.here);
            all_before = all;
            last = t;
        }
        self.expected += last * (1.0 - all_before);
        let total: f64 = self.probability.iter().sum();
        if total > 0.0 {
            self.probability.iter_mut().for_each(|p| *p /= total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_distribution() {
        for (z, p) in [(0.0, 0.5), (1.96, 0.975_002_104_851_780), (-3.0, 1.349_898_031_630_095e-3), (-8.0, 6.22e-16)] {
            assert!((cumulative(z) - p).abs() < 1e-14, "{z}");
        }
        assert!((both(0.0).1 - 0.398_942_280_401_432_7).abs() < 1e-15);
    }

    #[test]
    fn of_two_the_larger_is_known_in_closed_form() {
        let mut largest = Largest::default();
        for (a, b) in [((0.0, 1.0), (0.5, 1.0)), ((0.9, 0.01), (0.8, 0.3)), ((0.2, 1e-6), (0.1, 0.2))] {
            let (a, b) = (Normal { mean: a.0, sd: a.1 }, Normal { mean: b.0, sd: b.1 });
            largest.of(&[a, b]);
            let theta = a.sd.hypot(b.sd);
            let gap = (a.mean - b.mean) / theta;
            assert!((largest.probability[0] - cumulative(gap)).abs() < 0.012, "{:?}", largest.probability);
            let expected = a.mean * cumulative(gap) + b.mean * cumulative(-gap) + theta * both(gap).1;
            assert!((largest.expected - expected).abs() < 0.03 * theta, "{} {expected}", largest.expected);
        }
    }

    #[test]
    fn draws_have_the_moments_of_a_standard_normal() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut draw = || rng.f64();
        let sample: Vec<f64> = (0..20_000).map(|_| draw_normal(&mut draw)).collect();
        let mean = sample.iter().sum::<f64>() / 20_000.0;
        let variance = sample.iter().map(|z| z * z).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
