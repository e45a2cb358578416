//! The inverse of a positive definite matrix from its Cholesky factor, in buffers that are kept: nalgebra
//! factorises in place, and the rest are two passes of plain row operations, four rows at a time.
//!
//! ```text
//! A = LLᵀ      V = L⁻¹ (d³/6 multiply-adds)      A⁻¹ = VᵀV (d³/6)      A⁻¹b = Vᵀ(Vb) (d² each b)
//! ```

use nalgebra::DMatrix;
use nalgebra::linalg::Cholesky;

use super::kernels::{axpy, axpy4, dot, packed_len, scale};

/// A⁻¹ as V = L⁻¹, and what is needed to get there.
#[derive(Debug, Default)]
pub(crate) struct Factor {
    /// L by columns, then V by rows: `d` × `d` each.
    lower: Vec<f64>,
    inverse: Vec<f64>,
    /// Vb.
    half: Vec<f64>,
}

impl Factor {
    /// Factorises the packed `a(i, j)`, i ≥ j. Where it has no Cholesky factor in floating point (contexts of
    /// absurd size), its diagonal is raised until it has one; `false` where even that does not help.
    pub(crate) fn of(&mut self, d: usize, a: impl Fn(usize, usize) -> f64) -> bool {
        let mut raise = 0.0_f64;
        let largest = (0..d).map(|i| a(i, i).abs()).fold(0.0, f64::max);
        while raise.is_finite() {
            let mut lower = std::mem::take(&mut self.lower);
            lower.resize(d * d, 0.0);
            for j in 0..d {
                for i in j..d {
                    lower[j * d + i] = a(i, j);
                }
                lower[j * d + j] += raise;
            }
            // Only the lower triangle is read.
            if let Some(factor) = Cholesky::new(DMatrix::from_vec(d, d, lower)) {
                self.lower = factor.unpack_dirty().data.into();
                self.invert(d);
                return true;
            }
            raise = if raise == 0.0 { largest * 1e-15 } else { raise * 10.0 };
            if raise == 0.0 {
                break;
            }
        }
        false
    }

    /// V = L⁻¹, row by row: each is what the rows above leave of a unit vector.
    fn invert(&mut self, d: usize) {
        let l = &self.lower;
        self.inverse.clear();
        self.inverse.resize(d * d, 0.0);
        for i in 0..d {
            let (above, rest) = self.inverse.split_at_mut(i * d);
            let row = &mut rest[..=i];
            let mut k = 0;
            while k + 4 <= i {
                // The rows are 0 behind their diagonal: all four may be read to where the last one ends.
                let end = k + 4;
                let rows = [k, k + 1, k + 2, k + 3].map(|at| &above[at * d..at * d + end]);
                let by = [k, k + 1, k + 2, k + 3].map(|at| -l[at * d + i]);
                axpy4(&mut row[..end], by, rows);
                k += 4;
            }
            for k in k..i {
                axpy(&mut row[..=k], -l[k * d + i], &above[k * d..=k * d + k]);
            }
            row[i] = 1.0;
            let diagonal = 1.0 / l[i * d + i];
            scale(row, diagonal);
        }
    }

    /// Writes A⁻¹, packed.
    pub(crate) fn write_inverse(&self, d: usize, packed: &mut [f64]) {
        let v = &self.inverse;
        for i in 0..d {
            let out = &mut packed[packed_len(i)..packed_len(i + 1)];
            out.fill(0.0);
            let mut k = i;
            while k + 4 <= d {
                let rows = [k, k + 1, k + 2, k + 3].map(|k| &v[k * d..=k * d + i]);
                axpy4(out, rows.map(|row| row[i]), rows);
                k += 4;
            }
            for k in k..d {
                axpy(out, v[k * d + i], &v[k * d..=k * d + i]);
            }
        }
    }

    /// Writes A⁻¹b.
    pub(crate) fn solve(&mut self, b: &[f64], out: &mut [f64]) {
        let d = b.len();
        self.half.clear();
        self.half.extend((0..d).map(|i| dot(&self.inverse[i * d..=i * d + i], b)));
        out.fill(0.0);
        for (k, half) in self.half.iter().enumerate() {
            axpy(&mut out[..=k], *half, &self.inverse[k * d..=k * d + k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::kernels::{rank_one, symmetric_times};

    fn inverse_times_matrix(d: usize, condition: f64) -> f64 {
        let mut rng = fastrand::Rng::with_seed(d as u64);
        let mut a = vec![0.0; packed_len(d)];
        for k in 0..d {
            a[packed_len(k) + k] += 1.0;
            let x: Vec<f64> = (0..d).map(|_| 1.0 + (rng.f64() - 0.5) / condition).collect();
            rank_one(&mut a, condition, &x);
        }
        let (mut factor, mut inverse) = (Factor::default(), vec![0.0; packed_len(d)]);
        assert!(factor.of(d, |i, j| a[packed_len(i) + j]));
        factor.write_inverse(d, &mut inverse);
        let (mut column, mut back, mut solved) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        let mut worst = 0.0_f64;
        for i in 0..d {
            let mut unit = vec![0.0; d];
            unit[i] = 1.0;
            symmetric_times(&inverse, &unit, &mut column);
            symmetric_times(&a, &column, &mut back);
            factor.solve(&unit, &mut solved);
            for j in 0..d {
                worst = worst.max((back[j] - unit[j]).abs()).max((solved[j] - column[j]).abs());
            }
        }
        worst
    }

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        for d in [1, 2, 3, 4, 5, 7, 8, 9, 26, 33] {
            let worst = inverse_times_matrix(d, 1.0).max(inverse_times_matrix(d, 1e3) / 1e3);
            assert!(worst < 1e-12, "{d}: {worst:e}");
        }
    }

    #[test]
    fn what_has_no_factor_is_raised_until_it_has() {
        let mut factor = Factor::default();
        let mut inverse = [0.0; 3];
        assert!(factor.of(2, |_, _| 1e200), "of rank one");
        factor.write_inverse(2, &mut inverse);
        assert!(inverse.iter().all(|v| v.is_finite()) && inverse[0] > 0.0 && inverse[2] > 0.0);
        assert!(!factor.of(2, |_, _| f64::NAN) && !factor.of(2, |_, _| 0.0));
    }
}
