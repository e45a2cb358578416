//! The inverse of a positive definite matrix, in buffers that are kept.
//!
//! Gauss–Jordan elimination in place on the packed triangle, two pivots at a time: d/2 symmetric changes of
//! rank two, which are the loops that machines like best, and d³/2 multiply-adds in all, what Cholesky's way
//! to an inverse takes too. Without pivoting it is forward stable for positive definite matrices (Higham,
//! *Accuracy and Stability of Numerical Algorithms*, 14.4), but a pivot that cancels leaves fewer digits; then
//! nalgebra's Cholesky factorisation does it instead, slower and with a raised diagonal where it must.
//!
//! ```text
//! with C the columns of the pivots and Q = P⁻¹ their own corner:
//! A ← A − C Q Cᵀ outside of their rows, C Q in their rows, −Q in the corner; after all d pivots A is −A⁻¹
//! ```

use nalgebra::DMatrix;
use nalgebra::linalg::Cholesky;

use super::kernels::{dot, packed_len, rank_one, rank_two, scale, symmetric_times};

/// The share of a diagonal value that must be left of it when its turn comes: what is lost here is lost twice
/// over in A·A⁻¹.
const LEFT_OF_PIVOT: f64 = 1e-2;

/// A⁻¹, and what is needed to get there.
#[derive(Debug, Default)]
pub(crate) struct Factor {
    /// A, then A⁻¹, packed.
    inverse: Vec<f64>,
    pivots: Pivots,
}

/// The columns of two pivots, and the same times the inverse of their corner.
#[derive(Debug, Default)]
struct Pivots {
    columns: [Vec<f64>; 2],
    times: [Vec<f64>; 2],
    /// What must be left of each pivot.
    least: Vec<f64>,
}

impl Factor {
    /// Inverts what `fill` writes into a packed triangle of `d` rows. Where it has no Cholesky factor in floating
    /// point (contexts of absurd size), its diagonal is raised until it has one; `false` where even that does not
    /// help.
    pub(crate) fn of(&mut self, d: usize, fill: impl Fn(&mut [f64])) -> bool {
        self.inverse.resize(packed_len(d), 0.0);
        fill(&mut self.inverse);
        if self.pivots.eliminate(d, &mut self.inverse) {
            return true;
        }
        fill(&mut self.inverse);
        self.by_cholesky(d)
    }

    /// log |A| and bᵀA⁻¹b of what `fill` writes, at a third of the cost of A⁻¹: its Cholesky factor row by row, and b
    /// with it. None where there is none in floating point. `b` is spoilt.
    pub(crate) fn determine(&mut self, d: usize, fill: impl Fn(&mut [f64]), b: &mut [f64]) -> Option<(f64, f64)> {
        self.inverse.resize(packed_len(d), 0.0);
        fill(&mut self.inverse);
        let (mut log, mut form) = (0.0, 0.0);
        for i in 0..d {
            let (above, rest) = self.inverse.split_at_mut(packed_len(i));
            let row = &mut rest[..=i];
            for j in 0..i {
                let other = &above[packed_len(j)..packed_len(j + 1)];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            row[i] = pivot.sqrt();
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
            form += b[i] * b[i];
            log += pivot.ln();
        }
        Some((log, form))
    }

    /// Writes A⁻¹, packed.
    pub(crate) fn write_inverse(&self, packed: &mut [f64]) {
        packed.copy_from_slice(&self.inverse);
    }

    /// Writes A⁻¹b.
    pub(crate) fn solve(&self, b: &[f64], out: &mut [f64]) {
        symmetric_times(&self.inverse, b, out);
    }

    fn by_cholesky(&mut self, d: usize) -> bool {
        let mut raise = 0.0_f64;
        let a = &self.inverse;
        let largest = (0..d).map(|i| a[packed_len(i) + i].abs()).fold(0.0, f64::max);
        while raise.is_finite() {
            let raised = |i: usize, j: usize| a[packed_len(i.max(j)) + i.min(j)] + if i == j { raise } else { 0.0 };
            if let Some(factor) = Cholesky::new(DMatrix::from_fn(d, d, raised)) {
                let inverse = factor.inverse();
                self.inverse.clear();
                self.inverse.extend((0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|at| inverse[at]));
                return true;
            }
            raise = if raise == 0.0 { largest * 1e-15 } else { raise * 10.0 };
            if raise == 0.0 {
                break;
            }
        }
        false
    }
}

impl Pivots {
    /// Turns `a` into its inverse; `false` (and `a` is spoilt) where too little is left of a pivot.
    fn eliminate(&mut self, d: usize, a: &mut [f64]) -> bool {
        for buffer in self.columns.iter_mut().chain(&mut self.times) {
            buffer.resize(d, 0.0);
        }
        self.least.clear();
        self.least.extend((0..d).map(|k| LEFT_OF_PIVOT * a[packed_len(k) + k]));
        let mut k = 0;
        while k < d {
            let width = if k + 1 < d { 2 } else { 1 };
            let is_done = if width == 2 { self.two(a, k) } else { self.last(a, k) };
            if !is_done {
                return false;
            }
            k += width;
        }
        scale(a, -1.0);
        true
    }

    fn two(&mut self, a: &mut [f64], k: usize) -> bool {
        let (upper, lower) = (packed_len(k), packed_len(k + 1));
        let (first, cross, second) = (a[upper + k], a[lower + k], a[lower + k + 1]);
        let determinant = first * second - cross * cross;
        // What the second pivot has left after the first is determinant/first. NaN is not enough either.
        let (least, least_next) = (self.least[k], self.least[k + 1]);
        if !(first > least && determinant > least_next * first && determinant.is_finite()) {
            return false;
        }
        let corner = [second / determinant, -cross / determinant, first / determinant];
        let ([left, right], [left_times, right_times]) = (&mut self.columns, &mut self.times);
        take_column(a, k, left);
        take_column(a, k + 1, right);
        for pivot in [k, k + 1] {
            (left[pivot], right[pivot]) = (0.0, 0.0);
        }
        for (((x, y), u), v) in left.iter().zip(&*right).zip(&mut *left_times).zip(&mut *right_times) {
            *u = corner[0] * x + corner[1] * y;
            *v = corner[1] * x + corner[2] * y;
        }
        rank_two(a, [left, right], [left_times, right_times]);
        put_column(a, k, left_times);
        put_column(a, k + 1, right_times);
        (a[upper + k], a[lower + k], a[lower + k + 1]) = (-corner[0], -corner[1], -corner[2]);
        true
    }

    /// The last pivot, where their number is odd.
    fn last(&mut self, a: &mut [f64], k: usize) -> bool {
        let pivot = a[packed_len(k) + k];
        if !(pivot > self.least[k] && pivot.is_finite()) {
            return false;
        }
        let ([column, _], [times, _]) = (&mut self.columns, &mut self.times);
        take_column(a, k, column);
        column[k] = 0.0;
        rank_one(a, -1.0 / pivot, column);
        for (time, value) in times.iter_mut().zip(&*column) {
            *time = value / pivot;
        }
        put_column(a, k, times);
        a[packed_len(k) + k] = -1.0 / pivot;
        true
    }
}

/// Column `k` of the whole matrix.
fn take_column(a: &[f64], k: usize, column: &mut [f64]) {
    let at = packed_len(k);
    column[..=k].copy_from_slice(&a[at..=at + k]);
    for (i, value) in column.iter_mut().enumerate().skip(k + 1) {
        *value = a[packed_len(i) + k];
    }
}

fn put_column(a: &mut [f64], k: usize, column: &[f64]) {
    let at = packed_len(k);
    a[at..=at + k].copy_from_slice(&column[..=k]);
    for (i, value) in column.iter().enumerate().skip(k + 1) {
        a[packed_len(i) + k] = *value;
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
        assert!(factor.of(d, |out| out.copy_from_slice(&a)));
        factor.write_inverse(&mut inverse);
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
            for condition in [1.0, 3.0, 10.0, 30.0, 100.0, 1e3] {
                let worst = inverse_times_matrix(d, condition) / condition;
                assert!(worst < 1e-12, "{d}, {condition}: {worst:e}");
            }
        }
    }

    #[test]
    fn a_determinant_and_a_form_are_those_of_the_inverse() {
        let fill = |a: &mut [f64]| a.copy_from_slice(&[4.0, 1.0, 3.0, 0.5, -1.0, 2.0]);
        let (mut factor, mut solved, b) = (Factor::default(), [0.0; 3], [1.0, -2.0, 0.5]);
        assert!(factor.of(3, fill));
        factor.solve(&b, &mut solved);
        let (log, form) = factor.determine(3, fill, &mut b.clone()).unwrap();
        // 4·(6 − 1) − 1·(2 + 0.5) + 0.5·(−1 − 1.5)
        assert!((log.exp() - 16.25).abs() < 1e-12, "{log}");
        assert!((form - dot(&b, &solved)).abs() < 1e-12, "{form}");
        assert!(factor.determine(3, |a| a.fill(1.0), &mut b.clone()).is_none(), "of rank one");
    }

    #[test]
    fn what_has_no_factor_is_raised_until_it_has() {
        let mut factor = Factor::default();
        let mut inverse = [0.0; 3];
        assert!(factor.of(2, |out| out.fill(1e200)), "of rank one");
        factor.write_inverse(&mut inverse);
        assert!(inverse.iter().all(|v| v.is_finite()) && inverse[0] > 0.0 && inverse[2] > 0.0);
        assert!(!factor.of(2, |out| out.fill(f64::NAN)) && !factor.of(2, |out| out.fill(0.0)));
    }
}
