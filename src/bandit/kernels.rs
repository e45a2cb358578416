//! The inner loops: packed symmetric matrices and dot products, in plain scalar code with a fixed order
//! of additions, so that results are the same bit for bit on every machine, and shaped so that the
//! compiler vectorises them (four or eight independent sums, no bounds checks inside).
//!
//! A symmetric d × d matrix is its lower triangle, row by row: row `i` starts at `i(i+1)/2` and has
//! `i + 1` values. The quadratic form xᵀPx is then one flat dot product ⟨P, w⟩ with
//! `w = fold_outer_rows(x)`, computed once for all arms.

/// Length of a packed triangle of `d` rows.
pub(crate) const fn packed_len(d: usize) -> usize {
    d * (d + 1) / 2
}

/// Σ aᵢbᵢ over the shorter length, summed in eight lanes.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a8, a_tail) = a[..n].as_chunks::<8>();
    let (b8, b_tail) = b[..n].as_chunks::<8>();
    let mut lanes = [0.0_f64; 8];
    for (x, y) in a8.iter().zip(b8) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    // Summed in order: a tree of sums here makes the compiler shuffle the lanes in the loop above.
    let tail: f64 = a_tail.iter().zip(b_tail).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + tail
}

/// `y += s · x`.
pub(crate) fn axpy(y: &mut [f64], s: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += s * x;
    }
}

/// Multiplies every value by `s`.
pub(crate) fn scale(values: &mut [f64], s: f64) {
    for value in values {
        *value *= s;
    }
}

/// The given rows of the packed xxᵀ with off-diagonal values doubled, written into `out`, which has the
/// whole triangle: ⟨P, out⟩ = xᵀPx.
pub(crate) fn fold_outer_rows(x: &[f64], rows: std::ops::Range<usize>, out: &mut [f64]) {
    let end = rows.end.min(x.len());
    let mut i = rows.start;
    let (_, mut rest) = out.split_at_mut(packed_len(i));
    while i + 1 < end {
        let ([upper, lower], below) = two_rows(rest, i);
        let (first, second) = (2.0 * x[i], 2.0 * x[i + 1]);
        let (left, corner) = lower.split_at_mut(i + 1);
        for ((upper, lower), xj) in upper.iter_mut().zip(left).zip(&x[..=i]) {
            *upper = first * xj;
            *lower = second * xj;
        }
        corner[0] = second * x[i + 1];
        upper[i] *= 0.5;
        corner[0] *= 0.5;
        rest = below;
        i += 2;
    }
    if i < end {
        let twice = 2.0 * x[i];
        let row = &mut rest[..=i];
        for (value, xj) in row.iter_mut().zip(x) {
            *value = twice * xj;
        }
        row[i] *= 0.5;
    }
}

/// `P += s · xxᵀ`, packed.
pub(crate) fn rank_one(p: &mut [f64], s: f64, x: &[f64]) {
    let mut rest = p;
    let mut i = 0;
    while i + 1 < x.len() {
        let ([upper, lower], below) = two_rows(rest, i);
        let (first, second) = (s * x[i], s * x[i + 1]);
        let (left, corner) = lower.split_at_mut(i + 1);
        for ((upper, lower), xj) in upper.iter_mut().zip(left).zip(&x[..=i]) {
            *upper += first * xj;
            *lower += second * xj;
        }
        corner[0] += second * x[i + 1];
        rest = below;
        i += 2;
    }
    if i < x.len() {
        axpy(&mut rest[..=i], s * x[i], &x[..=i]);
    }
}

/// `P −= x₀u₀ᵀ + x₁u₁ᵀ`, packed, of what is symmetric as a sum.
pub(crate) fn rank_two(p: &mut [f64], x: [&[f64]; 2], u: [&[f64]; 2]) {
    let [left_u, right_u] = u;
    let mut rest = p;
    let mut i = 0;
    while i + 1 < left_u.len() {
        let ([upper, lower], below) = two_rows(rest, i);
        let (first, second) = ([x[0][i], x[1][i]], [x[0][i + 1], x[1][i + 1]]);
        let (left, corner) = lower.split_at_mut(i + 1);
        for (((upper, lower), lu), ru) in upper.iter_mut().zip(left).zip(&left_u[..=i]).zip(&right_u[..=i]) {
            *upper -= first[0] * lu + first[1] * ru;
            *lower -= second[0] * lu + second[1] * ru;
        }
        corner[0] -= second[0] * left_u[i + 1] + second[1] * right_u[i + 1];
        rest = below;
        i += 2;
    }
    if i < left_u.len() {
        for ((value, lu), ru) in rest[..=i].iter_mut().zip(&left_u[..=i]).zip(&right_u[..=i]) {
            *value -= x[0][i] * lu + x[1][i] * ru;
        }
    }
}

/// Row `i` of a packed triangle that begins with it, the row after it, and the rest: rows are short, and two at once
/// are one loop.
fn two_rows(rest: &mut [f64], i: usize) -> ([&mut [f64]; 2], &mut [f64]) {
    let (upper, rest) = rest.split_at_mut(i + 1);
    let (lower, rest) = rest.split_at_mut(i + 2);
    ([upper, lower], rest)
}

/// `y = P · x`, packed and symmetric: each row is read once, as a row and as a column, and summed as [`dot`] does.
pub(crate) fn symmetric_times(p: &[f64], x: &[f64], y: &mut [f64]) {
    let mut rest = p;
    for (i, &xi) in x.iter().enumerate() {
        let (row, below) = rest.split_at(i + 1);
        let (above, here) = y.split_at_mut(i);
        let (row8, row_tail) = row[..i].as_chunks::<8>();
        let (x8, x_tail) = x[..i].as_chunks::<8>();
        let (y8, y_tail) = above.as_chunks_mut::<8>();
        let mut lanes = [0.0_f64; 8];
        for ((row, x), y) in row8.iter().zip(x8).zip(y8) {
            for lane in 0..8 {
                lanes[lane] += row[lane] * x[lane];
                y[lane] += xi * row[lane];
            }
        }
        let mut tail = -0.0;
        for ((value, x), y) in row_tail.iter().zip(x_tail).zip(y_tail) {
            tail += value * x;
            *y += xi * value;
        }
        here[0] = lanes.iter().sum::<f64>() + tail + row[i] * xi;
        rest = below;
    }
}

/// xᵀPx of a small packed matrix.
pub(crate) fn quadratic(p: &[f64], x: &[f64]) -> f64 {
    let mut total = 0.0;
    let mut rest = p;
    for (i, &xi) in x.iter().enumerate() {
        let (row, below) = rest.split_at(i + 1);
        let cross: f64 = row[..i].iter().zip(x).map(|(p, xj)| p * xj).sum();
        total += xi * (2.0 * cross + row[i] * xi);
        rest = below;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(d: usize) -> (Vec<f64>, Vec<f64>) {
        let mut p = vec![0.0; packed_len(d)];
        for k in 0..d {
            let v: Vec<f64> = (0..d).map(|i| ((i * 7 + k * 3) % 11) as f64 - 4.5).collect();
            rank_one(&mut p, 0.25, &v);
        }
        (p, (0..d).map(|i| (i as f64).sin() + 0.1).collect())
    }

    #[test]
    fn packed_and_dense_agree() {
        for d in [1, 2, 3, 7, 8, 9, 26, 33] {
            let (p, x) = sample(d);
            let at = |i: usize, j: usize| p[packed_len(i.max(j)) + i.min(j)];
            let dense: Vec<f64> = (0..d).map(|i| (0..d).map(|j| at(i, j) * x[j]).sum()).collect();
            let mut y = vec![f64::NAN; d];
            symmetric_times(&p, &x, &mut y);
            for (a, b) in y.iter().zip(&dense) {
                assert!((a - b).abs() < 1e-9, "{d}: {a} {b}");
            }
            let form: f64 = x.iter().zip(&dense).map(|(a, b)| a * b).sum();
            let mut w = vec![f64::NAN; packed_len(d)];
            fold_outer_rows(&x, 0..d, &mut w);
            assert!((dot(&p, &w) - form).abs() < 1e-9 * form.abs().max(1.0));
            assert!((quadratic(&p, &x) - form).abs() < 1e-9 * form.abs().max(1.0));
        }
    }
}
