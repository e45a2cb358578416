//! Quantiles of Student's t distribution, which an interval around the mean of a few shuffles needs.
//!
//! The distribution function is the regularised incomplete beta function, `P(|T| > t) = I(ν/(ν+t²); ν/2, 1/2)`,
//! evaluated by Lentz's continued fraction (Numerical Recipes, 6.4); the quantile follows by bisection.
//! Correct to about 1e-12, and called a handful of times a report, so speed is no concern.

/// The value that |T| stays below with probability `level`, for `degrees` ≥ 1 degrees of freedom;
/// `level` in (0, 1). About 1.96 for `level` 0.95 and many degrees.
#[must_use]
pub(super) fn two_sided_quantile(level: f64, degrees: f64) -> f64 {
    let outside = |t: f64| incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5);
    let tail = 1.0 - level;
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high) > tail && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if outside(middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// `I(x; a, b)` for `x` in [0, 1].
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut numerators = 1.0;
    let mut denominators = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = denominators;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            denominators = 1.0 / away_from_zero(1.0 + term * denominators);
            numerators = away_from_zero(1.0 + term / numerators);
            change *= numerators * denominators;
        }
        value *= change;
        if (change - 1.0_f64).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Lanczos' approximation (g = 7, nine terms), for positive `z`.
fn ln_gamma(z: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let z = z - 1.0;
    let sum = TERMS.iter().zip(1u32..).fold(0.999_999_999_999_809_9, |sum, (term, i)| sum + term / (z + f64::from(i)));
    let t = z + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (z + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_tables() {
        for (degrees, expected) in [
            (1.0, 12.706_204_736_432_095),
            (2.0, 4.302_652_729_911_275),
            (4.0, 2.776_445_105_197_793),
            (19.0, 2.093_024_054_408_263),
            (99.0, 1.984_216_951_586_42),
            (1e6, 1.959_966_356_817_45),
        ] {
            let found = two_sided_quantile(0.95, degrees);
            assert!((found - expected).abs() < 1e-7 * expected, "{degrees}: {found} against {expected}");
        }
        assert!((two_sided_quantile(0.5, 1.0) - 1.0).abs() < 1e-9, "the quartile of Cauchy's distribution is 1");
    }
}
